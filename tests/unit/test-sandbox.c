/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sandbox as bubblewrap's options: what is shared, what is private, and that nothing an image
 * contains decides where anything is put.
 */
#include "launch/sandbox.h"

#include "base/fd.h"
#include "base/ofd-lock.h"
#include "launch/bundle.h"

#include <string.h>
#include <unistd.h>

/* Numbers only: the options are never carried out here. */
enum
{
  APP_REF = 101,
  APP_FILES,
  APP_ETC,
  RUNTIME_REF,
  RUNTIME_FILES,
  RUNTIME_ETC,
  SYNC
};

typedef struct
{
  HfRef *ref;
  HfMetadata metadata;
  HfHost host;
  HfImage app, runtime;
  HfSandbox sandbox;
  HfBwrapOptions *options;
} Fixture;

static char *environment[] = { (char *)"LANG=C.UTF-8", (char *)"TZ=a=b", NULL };
static char *image_environment[] = { (char *)"PATH=/opt", NULL };
static char *host_etc[] = { (char *)"hosts", (char *)"passwd", NULL };

static HfImage
image (HfImageRole role, int ref_fd, int files_fd, int etc_fd)
{
  return (HfImage){ .role = role,
                    .ref_fd = ref_fd,
                    .files_fd = files_fd,
                    .etc_fd = etc_fd,
                    .entries = hf_image_entries_new (),
                    .etc = hf_image_entries_new () };
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->ref = hf_ref_parse ("app/org.example.Hello/x86_64/stable", NULL);
  fixture->host = (HfHost){ .uid = 1000,
                            .home = (char *)"/home/alice",
                            .data = (char *)"/home/alice/.var/app/org.example.Hello",
                            .environment = environment,
                            .etc = host_etc };
  fixture->app = image (HF_IMAGE_APP, APP_REF, APP_FILES, -1);
  fixture->runtime = image (HF_IMAGE_USR, RUNTIME_REF, RUNTIME_FILES, RUNTIME_ETC);
  hf_image_entries_add (fixture->runtime.entries, "bin", NULL, -1);
  hf_image_entries_add (fixture->runtime.entries, "lib64", NULL, -1);
  hf_image_entries_add (fixture->runtime.etc, "nsswitch.conf", NULL, -1);
  hf_image_entries_add (fixture->runtime.etc, "os-release", "../usr/lib/os-release", -1);
  hf_image_entries_add (fixture->runtime.etc, "passwd", "/oldroot/etc/passwd", -1);
  fixture->sandbox = (HfSandbox){ .ref = fixture->ref,
                                  .metadata = &fixture->metadata,
                                  .app = &fixture->app,
                                  .runtime = &fixture->runtime,
                                  .host = &fixture->host,
                                  .sync_fd = SYNC };
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  hf_bwrap_options_free (fixture->options);
  hf_ref_free (fixture->ref);
  g_ptr_array_unref (fixture->app.entries);
  g_ptr_array_unref (fixture->app.etc);
  g_ptr_array_unref (fixture->runtime.entries);
  g_ptr_array_unref (fixture->runtime.etc);
}

/* An image that brings everything itself. */
static void
make_root (Fixture *fixture)
{
  fixture->app.role = HF_IMAGE_ROOT;
  fixture->app.etc_fd = APP_ETC;
  fixture->sandbox.runtime = NULL;
  hf_image_entries_add (fixture->app.etc, "bar", NULL, -1);
}

static void
build (Fixture *fixture)
{
  g_clear_pointer (&fixture->options, hf_bwrap_options_free);
  fixture->options = hf_sandbox_options (&fixture->sandbox);
}

/* Where @words, separated by single spaces, stand in the options; -1 if nowhere. */
static int
position (const Fixture *fixture, const char *words)
{
  const GPtrArray *strings = fixture->options->strings;
  g_auto (GStrv) wanted = g_strsplit (words, " ", -1);
  guint n_wanted = g_strv_length (wanted);
  for (guint i = 0; i + n_wanted <= strings->len; i++)
    {
      guint same = 0;
      while (same < n_wanted && strcmp (strings->pdata[i + same], wanted[same]) == 0)
        same++;
      if (same == n_wanted)
        return (int)i;
    }
  return -1;
}

static void
assert_has (const Fixture *fixture, const char *words)
{
  g_test_message ("wanted: %s", words);
  g_assert_cmpint (position (fixture, words), >=, 0);
}

static void
assert_lacks (const Fixture *fixture, const char *words)
{
  g_test_message ("not wanted: %s", words);
  g_assert_cmpint (position (fixture, words), ==, -1);
}

static void
assert_inherits (const Fixture *fixture, int fd)
{
  guint found = 0;
  for (guint i = 0; i < fixture->options->fds->len; i++)
    found += g_array_index (fixture->options->fds, int, i) == fd;
  g_assert_cmpuint (found, ==, 1);
}

static void
test_layout (Fixture *fixture, gconstpointer data)
{
  build (fixture);
  assert_has (fixture, "--ro-bind-fd 105 /usr");
  assert_has (fixture, "--ro-bind-fd 102 /app");
  assert_has (fixture, "--symlink usr/bin /bin");
  assert_has (fixture, "--symlink usr/lib64 /lib64");
  assert_lacks (fixture, "--symlink usr/sbin /sbin");
  assert_has (fixture, "--perms 1777 --tmpfs /tmp");
  assert_has (fixture, "--perms 0700 --dir /run/user/1000");
  assert_has (fixture, "--remount-ro /");
  assert_inherits (fixture, APP_FILES);
  assert_inherits (fixture, RUNTIME_FILES);
}

static void
test_locks (Fixture *fixture, gconstpointer data)
{
  build (fixture);
  assert_has (fixture, "--ro-bind-fd 101 /run/holdfast/ref/app --lock-file /run/holdfast/ref/app");
  assert_has (fixture, "--ro-bind-fd 104 /run/holdfast/ref/runtime"
                       " --lock-file /run/holdfast/ref/runtime");
  assert_has (fixture, "--sync-fd 107");
  assert_has (fixture, "--unshare-pid");
  assert_lacks (fixture, "--as-pid-1");
  assert_lacks (fixture, "--die-with-parent");
  assert_inherits (fixture, SYNC);
  assert_inherits (fixture, APP_REF);
  assert_inherits (fixture, RUNTIME_REF);
  /* The last mount over /run would hide them. */
  g_assert_cmpint (position (fixture, "--tmpfs /run"), <,
                   position (fixture, "/run/holdfast/ref/app"));
}

static void
test_no_bundle (Fixture *fixture, gconstpointer data)
{
  fixture->sandbox.sync_fd = -1;
  build (fixture);
  assert_lacks (fixture, "--sync-fd");
}

static void
test_shared (Fixture *fixture, gconstpointer data)
{
  build (fixture);
  assert_has (fixture, "--unshare-net");
  assert_has (fixture, "--unshare-ipc");
  assert_has (fixture, "--new-session --cap-drop ALL");
  fixture->metadata.share_network = TRUE;
  build (fixture);
  assert_lacks (fixture, "--unshare-net");
  assert_has (fixture, "--unshare-ipc");
  fixture->metadata.share_ipc = TRUE;
  build (fixture);
  assert_lacks (fixture, "--unshare-ipc");
}

static void
test_etc (Fixture *fixture, gconstpointer data)
{
  build (fixture);
  assert_has (fixture, "--symlink /usr/etc/nsswitch.conf /etc/nsswitch.conf");
  assert_has (fixture, "--symlink ../usr/lib/os-release /etc/os-release");
  assert_has (fixture, "--ro-bind-try /etc/passwd /etc/passwd");
  assert_has (fixture, "--ro-bind-try /etc/hosts /etc/hosts");
  assert_lacks (fixture, "--symlink /oldroot/etc/passwd /etc/passwd");
}

static void
test_environment (Fixture *fixture, gconstpointer data)
{
  fixture->metadata.environment = image_environment;
  build (fixture);
  assert_has (fixture, "--setenv TZ a=b");
  assert_has (fixture, "--setenv LANG C.UTF-8");
  assert_has (fixture, "--setenv HOME /home/alice");
  assert_has (fixture, "--setenv XDG_DATA_HOME /home/alice/.var/app/org.example.Hello/data");
  assert_has (fixture, "--setenv XDG_RUNTIME_DIR /run/user/1000");
  assert_has (fixture, "--setenv FLATPAK_ID org.example.Hello");
  assert_has (fixture, "--setenv container holdfast");
  /* The first option of them, and the image's own word last. */
  int clear = position (fixture, "--clearenv"), first = position (fixture, "--setenv");
  g_assert_cmpint (clear, >=, 0);
  g_assert_cmpint (clear, <, first);
  g_assert_cmpint (position (fixture, "--setenv PATH /app/bin:/usr/bin"), <,
                   position (fixture, "--setenv PATH /opt"));
}

static void
test_home (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *host, *inside;
  } cases[] = {
    { "/home/alice", "/home/alice" }, { "/root", "/root" },     { "/var/lib/svc", "/var/lib/svc" },
    { "/data/u", "/data/u" },         { "/", "/home/user" },    { "/usr/games", "/home/user" },
    { "/proc/x", "/home/user" },      { "/bin", "/home/user" }, { "/etc/x", "/home/user" },
    { "/app", "/home/user" }
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      fixture->host.home = (char *)cases[i].host;
      g_autofree char *tmpfs = g_strconcat ("--perms 0700 --tmpfs ", cases[i].inside, NULL);
      g_autofree char *bind = g_strconcat ("--bind /home/alice/.var/app/org.example.Hello ",
                                           cases[i].inside, "/.var/app/org.example.Hello", NULL);
      build (fixture);
      assert_has (fixture, tmpfs);
      assert_has (fixture, bind);
    }
}

static void
test_no_data (Fixture *fixture, gconstpointer data)
{
  fixture->host.data = NULL;
  build (fixture);
  assert_lacks (fixture, "--bind");
  assert_has (fixture, "--dir /home/alice/.var/app/org.example.Hello");
}

static void
test_root (Fixture *fixture, gconstpointer data)
{
  make_root (fixture);
  hf_image_entries_add (fixture->app.entries, "usr", NULL, open ("/dev/null", O_PATH | O_CLOEXEC));
  hf_image_entries_add (fixture->app.entries, "bin", "usr/bin", -1);
  build (fixture);
  const HfImageEntry *usr = fixture->app.entries->pdata[0];
  g_autofree char *bind = g_strdup_printf ("--ro-bind-fd %d /usr", usr->fd);
  assert_has (fixture, bind);
  assert_inherits (fixture, usr->fd);
  assert_has (fixture, "--symlink usr/bin /bin");
  assert_has (fixture, "--ro-bind-fd 103 /run/holdfast/etc");
  assert_has (fixture, "--symlink /run/holdfast/etc/bar /etc/bar");
  assert_has (fixture, "--setenv PATH /usr/bin:/bin");
  assert_lacks (fixture, "/app");
  assert_lacks (fixture, "/run/holdfast/ref/runtime");
}

/* bubblewrap follows links while the host is still mounted: these would lead out. */
static void
test_hostile_root (Fixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "home", "tmp", "run", "var", "etc", "dev", "proc" };
  make_root (fixture);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    hf_image_entries_add (fixture->app.entries, names[i], "/oldroot/root", -1);
  build (fixture);
  assert_lacks (fixture, "/oldroot/root");

  hf_image_entries_add (fixture->app.entries, "data", "/oldroot/root", -1);
  fixture->host.home = (char *)"/data/alice";
  build (fixture);
  assert_has (fixture, "--symlink /oldroot/root /data");
  assert_lacks (fixture, "--tmpfs /data/alice");
  assert_has (fixture, "--tmpfs /home/user");
}

static void
test_runtime_alone (Fixture *fixture, gconstpointer data)
{
  fixture->sandbox.app = NULL;
  build (fixture);
  assert_has (fixture, "--ro-bind-fd 105 /usr");
  assert_has (fixture, "--lock-file /run/holdfast/ref/runtime");
  assert_lacks (fixture, "/run/holdfast/ref/app");
  assert_lacks (fixture, "/app");
}

/* Whether somebody holds the write lock's place through another description. */
static gboolean
is_held (const char *path)
{
  hf_autofd int fd = open (path, O_RDWR | O_CLOEXEC);
  return !hf_ofd_lock (fd, HF_OFD_EXCLUSIVE, HF_OFD_TRY);
}

static void
test_bundle (void)
{
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  int bundle;
  int fd = g_file_open_tmp ("holdfast-bundle-XXXXXX", &path, &error);
  g_assert_no_error (error);
  g_assert_true (hf_ofd_lock (fd, HF_OFD_SHARED, HF_OFD_TRY));
  g_assert_true (hf_bundle_new (&fd, 1, &bundle, &error));
  hf_fd_clear (&fd);
  g_assert_true (is_held (path));
  hf_fd_clear (&bundle);
  g_assert_false (is_held (path));
  g_assert_cmpint (unlinkat (AT_FDCWD, path, 0), ==, 0);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/sandbox/" promise, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("the runtime is /usr and the app /app", test_layout);
  ADD ("every image is locked, and the locks outlive the app", test_locks);
  ADD ("without a bundle there is no descriptor to keep", test_no_bundle);
  ADD ("nothing is shared that the image does not ask for", test_shared);
  ADD ("/etc is the runtime's with the host's names and users", test_etc);
  ADD ("the environment is made from nothing", test_environment);
  ADD ("the home is the user's where it can be", test_home);
  ADD ("without a writable home the data is private", test_no_data);
  ADD ("an image without a runtime is the root", test_root);
  ADD ("no link of an image decides where anything is put", test_hostile_root);
  ADD ("a runtime runs by itself", test_runtime_alone);
  g_test_add_func ("/bundle/locks last as long as the receiving end", test_bundle);
  return g_test_run ();
}
