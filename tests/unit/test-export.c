/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Making a deployment's export/ from an image that is not what it should be, and finding out later whether
 * it is still what was made.
 */
#include "core/export.h"

#include "core/export-image.h"
#include "support.h"

#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define ID     "org.test.App"
#define EXPORT HF_TREE_DIR "/" HF_EXPORT_DIR
#define ENTRY  "[Desktop Entry]\nType=Application\nName=App\nExec=app %U\n"

typedef struct
{
  Fixture fixture; /* its directory is a deployment */
  HfRef *ref;
  HfExportTarget target;
  GPtrArray *refused;
} Image;

static void
make_dirs (Image *image, const char *path)
{
  g_autoptr (GError) error = NULL;
  hf_autofd int fd = hf_make_dirs (image->fixture.dir_fd, path, HF_MODE_DIR, &error);
  g_assert_no_error (error);
}

static void
set_up (Image *image, gconstpointer data)
{
  fixture_set_up_empty (&image->fixture, data);
  image->ref = ref_of (APP);
  image->target = (HfExportTarget){ "/usr/bin/holdfast", "--user", image->ref, "app" };
  image->refused = g_ptr_array_new_with_free_func (g_free);
  make_dirs (image, EXPORT "/" HF_EXPORT_DESKTOP);
}

static void
tear_down (Image *image, gconstpointer data)
{
  g_ptr_array_unref (image->refused);
  hf_ref_free (image->ref);
  fixture_tear_down (&image->fixture, data);
}

/* A file of the image. */
static void
bring (Image *image, const char *path, const char *text)
{
  g_autofree char *whole = g_strconcat (EXPORT "/", path, NULL);
  g_autofree char *dir = g_path_get_dirname (whole);
  make_dirs (image, dir);
  put_file (image->fixture.dir_fd, whole, text, 0644);
}

static void
build (Image *image)
{
  g_autoptr (GError) error = NULL;
  g_ptr_array_set_size (image->refused, 0);
  (void)!hf_export_build (image->fixture.dir_fd, &image->target, image->refused, &error);
  g_assert_no_error (error);
}

static void
assert_names (Image *image, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) names = hf_export_names (image->fixture.dir_fd, ID, &error);
  g_assert_no_error (error);
  g_autofree char *joined = g_strjoinv (" ", names);
  g_assert_cmpstr (joined, ==, expected);
}

static void
assert_refused (Image *image, const char *path)
{
  for (guint i = 0; i < image->refused->len; i++)
    if (g_str_has_prefix (image->refused->pdata[i], path)
        && ((char *)image->refused->pdata[i])[strlen (path)] == ':')
      return;
  g_test_message ("%s is not refused", path);
  g_test_fail ();
}

static char *
made (Image *image, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *whole = g_strconcat (HF_EXPORT_DIR "/", path, NULL);
  g_autoptr (GBytes) bytes = hf_file_read (image->fixture.dir_fd, whole, 1 << 20, &error);
  g_assert_no_error (error);
  return g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

static void
test_whole (Image *image, gconstpointer data)
{
  bring (image, "share/applications/org.test.App.desktop", ENTRY);
  bring (image, "share/dbus-1/services/org.test.App.service",
         "[D-BUS Service]\nName=org.test.App\nExec=app\n");
  bring (image, "share/icons/hicolor/48x48/apps/org.test.App.png", "an image");
  bring (image, "share/metainfo/org.test.App.metainfo.xml", "<component/>");
  bring (image, "share/man/man1/org.test.App.1", ".TH");
  bring (image, "bin/org.test.App", "#!/bin/sh\nevil\n");
  bring (image, "share/gnome-shell/search-providers/org.test.App.ini", "");
  build (image);
  g_assert_cmpuint (image->refused->len, ==, 0);
  assert_names (image, "bin/org.test.App share/applications/org.test.App.desktop"
                       " share/dbus-1/services/org.test.App.service"
                       " share/icons/hicolor/48x48/apps/org.test.App.png"
                       " share/man/man1/org.test.App.1"
                       " share/metainfo/org.test.App.metainfo.xml");
  /* Only what is rewritten is written. */
  g_autofree char *entry = made (image, "share/applications/org.test.App.desktop");
  g_assert_nonnull (strstr (entry, "Exec=/usr/bin/holdfast --user run"));
  g_autofree char *wrapper = made (image, "bin/org.test.App");
  g_assert_null (strstr (wrapper, "evil"));
  int dir_fd = image->fixture.dir_fd;
  g_assert_cmpuint (mode_at (dir_fd, HF_EXPORT_DIR "/bin/org.test.App"), ==, 0755);
  g_assert_cmpuint (mode_at (dir_fd, HF_EXPORT_DIR "/" HF_EXPORT_MANIFEST), ==, 0644);
  g_assert_false (exists (dir_fd, HF_EXPORT_DIR "/" HF_EXPORT_ICONS));
}

static void
test_nothing (Image *image, gconstpointer data)
{
  image->target.command = NULL;
  build (image);
  assert_names (image, "");
  g_assert_false (exists (image->fixture.dir_fd, HF_EXPORT_DIR));
  g_assert_no_errno (unlinkat (image->fixture.dir_fd, EXPORT "/" HF_EXPORT_DESKTOP, AT_REMOVEDIR));
  g_assert_no_errno (unlinkat (image->fixture.dir_fd, EXPORT "/" HF_EXPORT_SHARE, AT_REMOVEDIR));
  g_assert_no_errno (unlinkat (image->fixture.dir_fd, EXPORT, AT_REMOVEDIR));
  image->target.command = "app";
  build (image);
  assert_names (image, "");
  g_assert_cmpuint (image->refused->len, ==, 0);
  g_assert_false (exists (image->fixture.dir_fd, HF_EXPORT_DIR));
}

static void
test_bad_files (Image *image, gconstpointer data)
{
  int dir_fd = image->fixture.dir_fd;
  g_autofree char *huge = g_strnfill (300000, '\n');
  bring (image, "share/applications/org.test.App.desktop", ENTRY);
  bring (image, "share/applications/firefox.desktop", ENTRY);
  bring (image, "share/applications/org.test.App.huge.desktop", huge);
  bring (image, "share/applications/org.test.App.none.desktop", "nonsense");
  bring (image, "share/applications/sub/org.test.App.desktop", ENTRY);
  bring (image, "share/applications/org.test.App.\n.desktop", ENTRY);
  bring (image, "share/systemd/user/org.test.App.service", "");
  bring (image, "etc/passwd", "");
  bring (image, "share/dbus-1/services/org.test.App.service",
         "[D-BUS Service]\nName=org.other.X\n");
  g_assert_no_errno (
      symlinkat ("/etc/passwd", dir_fd, EXPORT "/share/applications/org.test.App.l.desktop"));
  g_assert_no_errno (symlinkat ("/etc", dir_fd, EXPORT "/share/icons"));
  g_assert_no_errno (
      mkfifoat (dir_fd, EXPORT "/share/applications/org.test.App.fifo.desktop", 0644));
  build (image);
  assert_names (image, "bin/org.test.App share/applications/org.test.App.desktop");
  static const char *const bad[] = { "share/applications/firefox.desktop",
                                     "share/applications/org.test.App.huge.desktop",
                                     "share/applications/org.test.App.none.desktop",
                                     "share/applications/sub",
                                     "share/applications/org.test.App.\\n.desktop",
                                     "share/systemd",
                                     "etc",
                                     "share/dbus-1/services/org.test.App.service",
                                     "share/applications/org.test.App.l.desktop",
                                     "share/icons",
                                     "share/applications/org.test.App.fifo.desktop" };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    assert_refused (image, bad[i]);
  g_assert_cmpuint (image->refused->len, ==, G_N_ELEMENTS (bad));
}

/* As another user cannot make one. */
static void
test_device (Image *image, gconstpointer data)
{
  if (skip_unless_root ("it makes a device"))
    return;
  const char *path = EXPORT "/share/applications/org.test.App.desktop";
  if (mknodat (image->fixture.dir_fd, path, S_IFCHR | 0666, makedev (1, 5)) != 0)
    {
      g_test_skip ("needs CAP_MKNOD: no device can be made here");
      return;
    }
  build (image);
  assert_names (image, "bin/org.test.App");
  assert_refused (image, "share/applications/org.test.App.desktop");
}

static void
test_deep (Image *image, gconstpointer data)
{
  g_autoptr (GString) path = g_string_new ("share/icons");
  for (guint i = 0; i < 100; i++)
    g_string_append (path, "/d");
  g_string_append (path, "/org.test.App.png");
  bring (image, path->str, "an image");
  build (image);
  assert_names (image, "bin/org.test.App");
  g_assert_cmpuint (image->refused->len, ==, 1);
}

/* Ten thousand in one directory: nothing of it is taken, not a part that chance chooses. */
static void
test_many_in_one (Image *image, gconstpointer data)
{
  bring (image, "share/applications/org.test.App.desktop", ENTRY);
  make_dirs (image, EXPORT "/share/icons/hicolor");
  hf_autofd int fd = open_dir_at (image->fixture.dir_fd, EXPORT "/share/icons/hicolor");
  for (guint i = 0; i < 10000; i++)
    {
      char name[64];
      (void)g_snprintf (name, sizeof name, "org.test.App-%u.png", i);
      g_assert_no_errno (mknodat (fd, name, S_IFREG | 0644, 0));
    }
  build (image);
  assert_names (image, "bin/org.test.App share/applications/org.test.App.desktop");
  assert_refused (image, "share/icons/hicolor");
  g_assert_cmpuint (image->refused->len, ==, 1);
}

/* The same in many directories: the first ones, by their names, and each time the same. */
static void
test_many (Image *image, gconstpointer data)
{
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *dir = g_strdup_printf (EXPORT "/share/icons/t%02u", i);
      make_dirs (image, dir);
      hf_autofd int fd = open_dir_at (image->fixture.dir_fd, dir);
      for (guint j = 0; j < 100; j++)
        {
          char name[64];
          (void)g_snprintf (name, sizeof name, "org.test.App-%02u.png", j);
          g_assert_no_errno (mknodat (fd, name, S_IFREG | 0644, 0));
        }
    }
  build (image);
  g_auto (GStrv) names = hf_export_names (image->fixture.dir_fd, ID, NULL);
  g_assert_cmpuint (g_strv_length (names), >, HF_EXPORT_MOST_FILES / 2);
  g_assert_cmpuint (g_strv_length (names), <=, HF_EXPORT_MOST_FILES);
  g_assert_cmpstr (names[1], ==, "share/icons/t00/org.test.App-00.png");
  g_assert_cmpuint (image->refused->len, ==, 1);
}

/* Much that is refused is said once. */
static void
test_much_refused (Image *image, gconstpointer data)
{
  for (guint i = 0; i < 500; i++)
    {
      g_autofree char *path = g_strdup_printf ("share/applications/evil-%u.desktop", i);
      bring (image, path, ENTRY);
    }
  build (image);
  g_assert_cmpuint (image->refused->len, >, 5);
  g_assert_cmpuint (image->refused->len, <, 50);
}

/* Entries of the largest size that there may be add up only so far. */
static void
test_large (Image *image, gconstpointer data)
{
  g_autofree char *filler = g_strnfill (250000, 'x');
  g_autofree char *text = g_strconcat (ENTRY "Comment=", filler, "\n", NULL);
  for (guint i = 0; i < 40; i++)
    {
      g_autofree char *path = g_strdup_printf ("share/applications/org.test.App.a%02u.desktop", i);
      bring (image, path, text);
    }
  build (image);
  g_auto (GStrv) names = hf_export_names (image->fixture.dir_fd, ID, NULL);
  g_assert_cmpuint (g_strv_length (names), >, 10);
  g_assert_cmpuint (g_strv_length (names), <, 20);
  g_assert_cmpuint (image->refused->len, >, 0);
}

/* A path that no keyfile can hold is no reason not to install. */
static void
test_odd_installation (Image *image, gconstpointer data)
{
  bring (image, "share/applications/org.test.App.desktop", ENTRY);
  image->target.scope = "--installation=/tmp/\xff";
  build (image);
  assert_names (image, "");
  g_assert_cmpuint (image->refused->len, ==, 1);
}

static void
test_scope (void)
{
  g_autofree char *home = g_build_filename (g_get_home_dir (), ".local/share/holdfast", NULL);
  g_autofree char *user = hf_export_scope (home);
  g_autofree char *system = hf_export_scope ("/var/lib/holdfast");
  g_autofree char *other = hf_export_scope ("/srv/apps");
  g_assert_cmpstr (user, ==, "--user");
  g_assert_cmpstr (system, ==, "--system");
  g_assert_cmpstr (other, ==, "--installation=/srv/apps");
}

static void
test_manifest (Image *image, gconstpointer data)
{
  static const char *const bad[] = { "share/applications/firefox.desktop\n",
                                     "../../etc/passwd\n",
                                     "\n",
                                     "x",
                                     "share/applications/org.test.App.desktop\nbin/org.test.App\n",
                                     "bin/org.test.App\nbin/org.test.App\n",
                                     "/bin/org.test.App\n" };
  make_dirs (image, HF_EXPORT_DIR);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      (void)unlinkat (image->fixture.dir_fd, HF_EXPORT_DIR "/" HF_EXPORT_MANIFEST, 0);
      put_file (image->fixture.dir_fd, HF_EXPORT_DIR "/" HF_EXPORT_MANIFEST, bad[i], 0644);
      g_assert_null (hf_export_names (image->fixture.dir_fd, ID, &error));
      g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
    }
}

static void
count_damage (const char *place, const char *cause, gpointer data)
{
  g_test_message ("%s %s", place, cause);
  g_string_append_printf (data, "%s ", place);
}

static void
assert_damage (Image *image, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) found = g_string_new (NULL);
  (void)!hf_export_examine (image->fixture.dir_fd, &image->target, count_damage, found, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (found->str, ==, expected);
}

static void
test_examine (Image *image, gconstpointer data)
{
  int dir_fd = image->fixture.dir_fd;
  const char *entry = HF_EXPORT_DIR "/share/applications/org.test.App.desktop";
  bring (image, "share/applications/org.test.App.desktop", ENTRY);
  assert_damage (image, "export ");
  build (image);
  assert_damage (image, "");
  put_file (dir_fd, HF_EXPORT_DIR "/share/applications/evil.desktop", ENTRY, 0644);
  assert_damage (image, "export/share/applications/evil.desktop ");
  g_assert_no_errno (unlinkat (dir_fd, HF_EXPORT_DIR "/share/applications/evil.desktop", 0));
  g_assert_no_errno (unlinkat (dir_fd, entry, 0));
  assert_damage (image, "export/share/applications/org.test.App.desktop ");
  put_file (dir_fd, entry, ENTRY, 0644);
  assert_damage (image, "export/share/applications/org.test.App.desktop ");
  g_assert_no_errno (unlinkat (dir_fd, entry, 0));
  g_assert_no_errno (symlinkat ("/etc/passwd", dir_fd, entry));
  assert_damage (image, "export/share/applications/org.test.App.desktop ");
  /* As another version of us, or one elsewhere, would have made it. */
  g_assert_no_errno (unlinkat (dir_fd, entry, 0));
  image->target.program = "/opt/bin/holdfast";
  assert_damage (image, "export/bin/org.test.App export/share/applications/org.test.App.desktop ");
  g_assert_no_errno (fchmodat (dir_fd, HF_EXPORT_DIR "/" HF_EXPORT_MANIFEST, 0666, 0));
  assert_damage (image, "export/bin/org.test.App export/share/applications/org.test.App.desktop"
                        " export/manifest ");
}

/* An image that exports nothing has no export/. */
static void
test_examine_strange (Image *image, gconstpointer data)
{
  image->target.command = NULL;
  assert_damage (image, "");
  make_dirs (image, HF_EXPORT_DIR);
  put_file (image->fixture.dir_fd, HF_EXPORT_DIR "/" HF_EXPORT_MANIFEST, "bin/org.test.App\n",
            0644);
  assert_damage (image, "export/manifest ");
}

#define ADD(name, function) g_test_add ("/export/" name, Image, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("what an image has to export", test_whole);
  ADD ("an image with nothing to export has no directory for it", test_nothing);
  ADD ("what is bad is named, and the rest is taken", test_bad_files);
  ADD ("a device is not opened", test_device);
  ADD ("directories without end", test_deep);
  ADD ("a directory with ten thousand names", test_many_in_one);
  ADD ("many names in many directories", test_many);
  ADD ("much that is refused", test_much_refused);
  ADD ("entries as large as they may be", test_large);
  ADD ("an installation whose path no keyfile can hold", test_odd_installation);
  ADD ("a list of names that makes no sense", test_manifest);
  ADD ("what was altered is found", test_examine);
  ADD ("what should not be there is found", test_examine_strange);
  g_test_add_func ("/export/the option that names an installation", test_scope);
  return g_test_run ();
}
