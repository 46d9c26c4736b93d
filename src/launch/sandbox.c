/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sandbox of an instance.
 *
 * bubblewrap follows symlinks in the root that it is building, while the host's is still within
 * reach.  So nothing is ever placed at or below a name that the image chose: at the top, what the
 * sandbox has of its own replaces what the image has, and in /etc, what the host gives.
 */
#include "sandbox.h"

#include <string.h>

#define OWN_DIR      "/run/holdfast"
#define IMAGE_ETC    OWN_DIR "/etc" /* of an image without a runtime */
#define REF_APP      OWN_DIR "/ref/app"
#define REF_RUNTIME  OWN_DIR "/ref/runtime"
#define SPARE_HOME   "/home/user" /* where the user's own cannot be */
#define CONTAINER    "holdfast"
#define PRIVATE_MODE "0700"
#define SHARED_MODE  "1777"

static const char *const writable_dirs[] = { "tmp", "run", "var" };

static gboolean
is_among (const char *name, const char *const *names, gsize n_names)
{
  for (gsize i = 0; i < n_names; i++)
    if (strcmp (name, names[i]) == 0)
      return TRUE;
  return FALSE;
}

static void add (HfBwrapOptions *self, ...) G_GNUC_NULL_TERMINATED;

static void
add (HfBwrapOptions *self, ...)
{
  va_list args;
  va_start (args, self);
  for (const char *word = va_arg (args, const char *); word != NULL;
       word = va_arg (args, const char *))
    g_ptr_array_add (self->strings, g_strdup (word));
  va_end (args);
}

static void
add_fd (HfBwrapOptions *self, const char *option, int fd, const char *destination)
{
  g_autofree char *number = g_strdup_printf ("%d", fd);
  add (self, option, number, destination, NULL);
  g_array_append_val (self->fds, fd);
}

static void
add_below (HfBwrapOptions *self, const char *option, const char *source, const char *dir,
           const char *name)
{
  g_autofree char *destination = g_strconcat (dir, "/", name, NULL);
  add (self, option, source, destination, NULL);
}

static void
set (HfBwrapOptions *self, const char *name, const char *value)
{
  add (self, "--setenv", name, value, NULL);
}

static void
set_all (HfBwrapOptions *self, char *const *variables)
{
  for (; variables != NULL && *variables != NULL; variables++)
    {
      g_auto (GStrv) parts = g_strsplit (*variables, "=", 2);
      set (self, parts[0], parts[1]);
    }
}

/* The image that the root is made of, and whose /etc is used. */
static const HfImage *
base_image (const HfSandbox *sandbox)
{
  return sandbox->runtime != NULL ? sandbox->runtime : sandbox->app;
}

static char *
first_component (const char *path)
{
  return g_strndup (path + 1, strcspn (path + 1, "/"));
}

/* The user's home, unless it lies where something else must be. */
static const char *
sandbox_home (const HfSandbox *sandbox)
{
  static const char *const anywhere[] = { "home", "root", "tmp", "run", "var" };
  static const char *const taken[] = { "", "app", "dev", "etc", "proc", "usr" };
  g_autofree char *first = first_component (sandbox->host->home);
  if (is_among (first, anywhere, G_N_ELEMENTS (anywhere)))
    return sandbox->host->home;
  if (is_among (first, taken, G_N_ELEMENTS (taken)) || hf_image_has (base_image (sandbox), first))
    return SPARE_HOME;
  return sandbox->host->home;
}

/* --as-pid-1 must never be given: the sandbox's first process is bubblewrap's own, because it keeps
 * the locks.  Nor --die-with-parent: what an app leaves running lives on, with the locks. */
static void
add_namespaces (HfBwrapOptions *self, const HfMetadata *metadata)
{
  add (self, "--unshare-user-try", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", NULL);
  if (!metadata->share_network)
    add (self, "--unshare-net", NULL);
  if (!metadata->share_ipc)
    add (self, "--unshare-ipc", NULL);
  add (self, "--new-session", "--cap-drop", "ALL", NULL);
}

static void
add_usr (HfBwrapOptions *self, const HfSandbox *sandbox)
{
  add_fd (self, "--ro-bind-fd", sandbox->runtime->files_fd, "/usr");
  for (guint i = 0; i < sandbox->runtime->entries->len; i++)
    {
      const HfImageEntry *entry = sandbox->runtime->entries->pdata[i];
      g_autofree char *target = g_strconcat ("usr/", entry->name, NULL);
      add_below (self, "--symlink", target, "", entry->name);
    }
  if (sandbox->app != NULL)
    add_fd (self, "--ro-bind-fd", sandbox->app->files_fd, "/app");
}

static void
add_root (HfBwrapOptions *self, const HfSandbox *sandbox)
{
  static const char *const own[] = { "dev", "etc", "proc" };
  g_autofree char *home = first_component (sandbox_home (sandbox));
  for (guint i = 0; i < sandbox->app->entries->len; i++)
    {
      const HfImageEntry *entry = sandbox->app->entries->pdata[i];
      g_autofree char *destination = g_strconcat ("/", entry->name, NULL);
      if (is_among (entry->name, own, G_N_ELEMENTS (own))
          || is_among (entry->name, writable_dirs, G_N_ELEMENTS (writable_dirs))
          || strcmp (entry->name, home) == 0)
        continue;
      if (entry->target != NULL)
        add (self, "--symlink", entry->target, destination, NULL);
      else
        add_fd (self, "--ro-bind-fd", entry->fd, destination);
    }
}

static void
add_private_dirs (HfBwrapOptions *self, const HfHost *host)
{
  g_autofree char *runtime_dir = g_strdup_printf ("/run/user/%u", (guint)host->uid);
  add (self, "--proc", "/proc", "--dev", "/dev", NULL);
  add (self, "--perms", SHARED_MODE, "--tmpfs", "/tmp", NULL);
  add (self, "--tmpfs", "/run", "--dir", "/run/user", NULL);
  add (self, "--perms", PRIVATE_MODE, "--dir", runtime_dir, NULL);
  add (self, "--tmpfs", "/var", "--perms", SHARED_MODE, "--dir", "/var/tmp", NULL);
  add (self, "--symlink", "../run", "/var/run", NULL);
}

/* A link of the image's is made again rather than linked to: `../usr/lib/os-release` means another
 * file below /usr/etc than below /etc. */
static void
add_etc (HfBwrapOptions *self, const HfSandbox *sandbox)
{
  const HfImage *image = base_image (sandbox);
  const char *where = image->role == HF_IMAGE_USR ? "/usr/etc/" : IMAGE_ETC "/";
  if (image->role == HF_IMAGE_ROOT && image->etc_fd >= 0)
    add_fd (self, "--ro-bind-fd", image->etc_fd, IMAGE_ETC);
  add (self, "--dir", "/etc", NULL);
  for (guint i = 0; i < image->etc->len; i++)
    {
      const HfImageEntry *entry = image->etc->pdata[i];
      g_autofree char *there = g_strconcat (where, entry->name, NULL);
      if (!g_strv_contains ((const char *const *)sandbox->host->etc, entry->name))
        add_below (self, "--symlink", entry->target != NULL ? entry->target : there, "/etc",
                   entry->name);
    }
  for (char **name = sandbox->host->etc; *name != NULL; name++)
    {
      g_autofree char *source = g_strconcat ("/etc/", *name, NULL);
      add (self, "--ro-bind-try", source, source, NULL);
    }
}

static void
add_home (HfBwrapOptions *self, const HfSandbox *sandbox, const char *home, const char *data)
{
  /* A home that is one of the private directories itself is private already. */
  if (!is_among (home + 1, writable_dirs, G_N_ELEMENTS (writable_dirs)))
    add (self, "--perms", PRIVATE_MODE, "--tmpfs", home, NULL);
  if (sandbox->host->data != NULL)
    add (self, "--bind", sandbox->host->data, data, NULL);
  else
    add (self, "--dir", data, NULL);
}

/* bubblewrap's first process in the sandbox locks these late in its start; until then, and in case
 * they fail, what @sync_fd holds counts.  They are the locks that the kernel can name a process
 * for. */
static void
add_locks (HfBwrapOptions *self, const HfSandbox *sandbox)
{
  if (sandbox->app != NULL)
    {
      add_fd (self, "--ro-bind-fd", sandbox->app->ref_fd, REF_APP);
      add (self, "--lock-file", REF_APP, NULL);
    }
  if (sandbox->runtime != NULL)
    {
      add_fd (self, "--ro-bind-fd", sandbox->runtime->ref_fd, REF_RUNTIME);
      add (self, "--lock-file", REF_RUNTIME, NULL);
    }
  if (sandbox->sync_fd < 0)
    return;
  g_autofree char *number = g_strdup_printf ("%d", sandbox->sync_fd);
  add (self, "--sync-fd", number, NULL);
  g_array_append_val (self->fds, sandbox->sync_fd);
}

static void
add_environment (HfBwrapOptions *self, const HfSandbox *sandbox, const char *home, const char *data)
{
  static const struct
  {
    const char *name, *dir;
  } xdg[] = { { "XDG_DATA_HOME", "data" },
              { "XDG_CONFIG_HOME", "config" },
              { "XDG_CACHE_HOME", "cache" },
              { "XDG_STATE_HOME", ".local/state" } };
  gboolean beside = sandbox->app != NULL && sandbox->runtime != NULL;
  add (self, "--clearenv", NULL);
  set_all (self, sandbox->host->environment);
  set (self, "SHELL", "/bin/sh");
  set (self, "PATH", beside ? "/app/bin:/usr/bin" : "/usr/bin:/bin");
  if (beside && hf_image_has (sandbox->app, "lib"))
    set (self, "LD_LIBRARY_PATH", "/app/lib");
  if (beside)
    set (self, "XDG_DATA_DIRS", "/app/share:/usr/share");
  set (self, "HOME", home);
  for (gsize i = 0; i < G_N_ELEMENTS (xdg); i++)
    {
      g_autofree char *path = g_strconcat (data, "/", xdg[i].dir, NULL);
      set (self, xdg[i].name, path);
    }
  g_autofree char *runtime_dir = g_strdup_printf ("/run/user/%u", (guint)sandbox->host->uid);
  set (self, "XDG_RUNTIME_DIR", runtime_dir);
  set (self, "FLATPAK_ID", sandbox->ref->id);
  set (self, "container", CONTAINER);
  set_all (self, sandbox->metadata->environment);
}

/**
 * hf_sandbox_options:
 * @sandbox: what to make it from
 *
 * See bwrap(1).  The order matters: bubblewrap carries the options for the file system out one
 * after the other.
 *
 * Returns: (transfer full): bubblewrap's options, to be followed by `--` and a command
 */
HfBwrapOptions *
hf_sandbox_options (const HfSandbox *sandbox)
{
  HfBwrapOptions *self = g_new0 (HfBwrapOptions, 1);
  self->strings = g_ptr_array_new_with_free_func (g_free);
  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  const char *home = sandbox_home (sandbox);
  g_autofree char *data = g_strconcat (home, "/.var/app/", sandbox->ref->id, NULL);

  add_namespaces (self, sandbox->metadata);
  if (sandbox->runtime != NULL)
    add_usr (self, sandbox);
  else
    add_root (self, sandbox);
  add_private_dirs (self, sandbox->host);
  add_etc (self, sandbox);
  add_home (self, sandbox, home, data);
  add_locks (self, sandbox);
  add (self, "--remount-ro", "/", NULL);
  add_environment (self, sandbox, home, data);
  return self;
}

/**
 * hf_bwrap_options_free:
 * @options: (nullable) (transfer full): options
 */
void
hf_bwrap_options_free (HfBwrapOptions *options)
{
  if (options == NULL)
    return;
  g_ptr_array_unref (options->strings);
  g_array_unref (options->fds);
  g_free (options);
}
