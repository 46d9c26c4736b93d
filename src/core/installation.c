/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opening and creating an installation.  Creation is a series of steps that are each harmless to
 * repeat, with `format` last: two creators at once, or a crash in between, leave something that the
 * next one completes.
 */
#include "installation.h"

#include "base/error.h"
#include "base/fd.h"
#include "deployment.h"
#include "layout.h"
#include "lock.h"
#include "repo-identity.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* Directories first.  The last lock file before libostree makes its own, which everybody could open and
 * so hold for ever. */
static const HfInstallationPart parts[] = {
  { HF_DEPLOY_DIR, HF_MODE_DIR, TRUE },       { HF_STAGING_DIR, HF_MODE_STAGING, TRUE },
  { HF_REMOVED_DIR, HF_MODE_REMOVED, TRUE },  { HF_ROOTS_DIR, HF_MODE_DIR, TRUE },
  { HF_EXPORTS_DIR, HF_MODE_DIR, TRUE },      { HF_REPO_DIR, HF_MODE_DIR, TRUE },
  { HF_LOCK_FILE, HF_MODE_LOCK, FALSE },      { HF_PRUNE_LOCK_FILE, HF_MODE_LOCK, FALSE },
  { HF_TURN_LOCK_FILE, HF_MODE_LOCK, FALSE }, { HF_REPO_DIR "/" HF_REPO_LOCK, HF_MODE_LOCK, FALSE },
};

/**
 * hf_installation_parts:
 * @out_n: (out): how many
 *
 * Returns: (transfer none) (array length=out_n): what an installation consists of, in the order in
 *   which it is made
 */
const HfInstallationPart *
hf_installation_parts (gsize *out_n)
{
  *out_n = G_N_ELEMENTS (parts);
  return parts;
}

/* A relative path in the environment is to be ignored, see the XDG Base Directory Specification: it would make
 * another installation of every directory that somebody works in. */
static char *
user_data_dir (void)
{
  const char *data = g_get_user_data_dir (), *home = g_get_home_dir ();
  if (g_path_is_absolute (data))
    return g_strdup (data);
  if (g_path_is_absolute (home))
    return g_build_filename (home, ".local", "share", NULL);
  const struct passwd *user = getpwuid (geteuid ());
  return g_build_filename ("/", user != NULL ? user->pw_dir : "", ".local", "share", NULL);
}

/**
 * hf_installation_default_path:
 * @system: whether the system's installation is wanted, or the user's
 *
 * Returns: (transfer full): its absolute path
 */
char *
hf_installation_default_path (gboolean system)
{
  if (system)
    return g_strdup (HF_SYSTEM_INSTALLATION);
  g_autofree char *data = user_data_dir ();
  return g_build_filename (data, HF_USER_INSTALLATION, NULL);
}

/**
 * hf_installation_free:
 * @self: (nullable) (transfer full): an installation
 */
void
hf_installation_free (HfInstallation *self)
{
  if (self == NULL)
    return;
  hf_fd_clear (&self->root_fd);
  hf_fd_clear (&self->deploy_fd);
  hf_fd_clear (&self->staging_fd);
  hf_fd_clear (&self->removed_fd);
  g_clear_pointer (&self->others, g_ptr_array_unref);
  g_clear_pointer (&self->unread, g_ptr_array_unref);
  g_free (self->path);
  g_free (self->name);
  g_free (self);
}

/* Somebody's own directory must not be littered because a path was mistyped. */
static gboolean
check_ours_or_empty (HfInstallation *self, GError **error)
{
  g_autoptr (DIR) dir = hf_dir_open (self->root_fd, ".", error);
  if (dir == NULL)
    return FALSE;
  for (;;)
    {
      const struct dirent *entry;
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      gboolean ours = FALSE;
      for (gsize i = 0; i < G_N_ELEMENTS (parts) && !ours; i++)
        ours = strcmp (entry->d_name, parts[i].name) == 0;
      /* An administrator may have written the configuration first. */
      ours = ours || strcmp (entry->d_name, HF_CONFIG_FILE) == 0;
      ours = ours || g_str_has_prefix (entry->d_name, HF_HISTORY_FILE);
      if (!ours && !g_str_has_prefix (entry->d_name, HF_FORMAT_FILE))
        return hf_throw (error, HF_ERROR_FAILED,
                         "%s is neither empty nor a holdfast installation: it has %s", self->path,
                         entry->d_name);
    }
}

/* `format` appears with its contents or not at all.  A crash before the rename leaves a file that
 * whoever creates next replaces; after it, nothing. */
static gboolean
write_format (HfInstallation *self, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  struct stat st;
  if (!hf_lock_take (self, HF_LOCK_CHANGE, &lock, error))
    return FALSE;
  if (fstatat (self->root_fd, HF_FORMAT_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return TRUE; /* another creator was faster */
  g_autofree char *contents = g_strdup_printf ("%d\n", HF_FORMAT);
  return hf_file_replace (self->root_fd, HF_FORMAT_FILE_NEW, HF_FORMAT_FILE, contents,
                          strlen (contents), 0644, error);
}

/* A creator that crashed may have left the mode that its umask gave.  Bits are only added: taking
 * some away could undo what one that was faster has done since. */
static gboolean
make_directory (HfInstallation *self, const char *name, mode_t mode, GError **error)
{
  struct stat st;
  if (!hf_mkdir (self->root_fd, name, mode, error))
    return FALSE;
  if (fstatat (self->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0
      || ((st.st_mode & mode) != mode
          && fchmodat (self->root_fd, name, (st.st_mode & 07777) | mode, 0) != 0))
    return hf_throw_errno (error, "Cannot set the mode of %s/%s", self->path, name);
  return TRUE;
}

static gboolean
create (HfInstallation *self, GError **error)
{
  struct stat st;
  if (!check_ours_or_empty (self, error))
    return FALSE;
  /* Not one that was there: it may be a copy, as all that is beside it. */
  gboolean is_new = fstatat (self->root_fd, HF_REPO_DIR, &st, AT_SYMLINK_NOFOLLOW) != 0;
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      hf_autofd int fd = -1;
      if (parts[i].directory && !make_directory (self, parts[i].name, parts[i].mode, error))
        return FALSE;
      if (!parts[i].directory)
        fd = hf_open_beneath (self->root_fd, parts[i].name, O_RDWR | O_CREAT, parts[i].mode);
      if (!parts[i].directory && fd < 0)
        return hf_throw_errno (error, "Cannot create %s/%s", self->path, parts[i].name);
    }
  hf_autofd int repo_fd = hf_open_beneath (self->root_fd, HF_REPO_DIR, O_PATH | O_DIRECTORY, 0);
  if (repo_fd < 0)
    return hf_throw_errno (error, "Cannot open %s/%s", self->path, HF_REPO_DIR);
  return (!is_new || hf_repo_set_original (repo_fd, error)) && write_format (self, error);
}

/* Returns FALSE without an error if there is no `format`. */
static gboolean
check_format (HfInstallation *self, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GBytes) bytes = hf_file_read (self->root_fd, HF_FORMAT_FILE, 64, &failed);
  if (bytes == NULL && errno == ENOENT)
    return FALSE;
  if (bytes == NULL)
    {
      g_propagate_prefixed_error (error, g_steal_pointer (&failed), "%s: ", self->path);
      return FALSE;
    }
  const char *text = g_bytes_get_data (bytes, NULL);
  char *end;
  unsigned long format = text == NULL ? 0 : strtoul (text, &end, 10);
  if (format == HF_FORMAT && (*end == '\n' || *end == '\0'))
    return TRUE;
  if (format > HF_FORMAT)
    return hf_throw (error, HF_ERROR_FORMAT,
                     "%s has format %lu, and this holdfast knows only format %d:"
                     " use a newer holdfast",
                     self->path, format, HF_FORMAT);
  return hf_throw (error, HF_ERROR_FORMAT, "%s/%s does not hold a format number", self->path,
                   HF_FORMAT_FILE);
}

static gboolean
open_directories (HfInstallation *self, GError **error)
{
  struct
  {
    int *fd;
    const char *name;
  } wanted[] = {
    { &self->deploy_fd, HF_DEPLOY_DIR },
    { &self->staging_fd, HF_STAGING_DIR },
    { &self->removed_fd, HF_REMOVED_DIR },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (wanted); i++)
    {
      *wanted[i].fd = hf_open_beneath (self->root_fd, wanted[i].name, O_PATH | O_DIRECTORY, 0);
      if (*wanted[i].fd < 0)
        return hf_throw_errno (error, "Cannot open %s/%s", self->path, wanted[i].name);
    }
  return TRUE;
}

/**
 * hf_throw_no_creation:
 * @path: where somebody may not make an installation
 *
 * Returns: %FALSE always, with %HF_ERROR_FAILED set
 */
gboolean
hf_throw_no_creation (const char *path, GError **error)
{
  return hf_throw (
      error, HF_ERROR_FAILED,
      "No permission to create %s: use sudo, or --user for an installation of your own", path);
}

static gboolean
make_root (HfInstallation *self, GError **error)
{
  if (g_mkdir_with_parents (self->path, HF_MODE_DIR) == 0)
    return TRUE;
  return errno == EACCES ? hf_throw_no_creation (self->path, error)
                         : hf_throw_errno (error, "Cannot create %s", self->path);
}

static gboolean
open_root (HfInstallation *self, HfOpenMode mode, GError **error)
{
  /* The path to the installation is its owner's choice and may lead through symlinks. */
  if (mode == HF_OPEN_OR_CREATE && !make_root (self, error))
    return FALSE;
  self->root_fd = open (self->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (self->root_fd < 0 && errno == ENOENT)
    return hf_throw (error, HF_ERROR_NOT_FOUND, "There is no installation at %s", self->path);
  if (self->root_fd < 0)
    return hf_throw_errno (error, "Cannot open %s", self->path);
  return TRUE;
}

/**
 * hf_installation_open:
 * @path: its root directory
 * @mode: whether to create what is missing
 *
 * Locks: takes `lock` to create it; else none.
 *
 * Returns: (transfer full): the installation, or %NULL with %HF_ERROR_NOT_FOUND if there is none,
 *   %HF_ERROR_FORMAT if its format is another, or an errno error
 */
HfInstallation *
hf_installation_open (const char *path, HfOpenMode mode, GError **error)
{
  g_autoptr (HfInstallation) self = g_new0 (HfInstallation, 1);
  self->path = g_canonicalize_filename (path, NULL);
  self->root_fd = self->deploy_fd = self->staging_fd = self->removed_fd = -1;
  if (!open_root (self, mode, error))
    return NULL;
  g_autoptr (GError) failed = NULL;
  gboolean formatted = check_format (self, &failed);
  if (failed != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return NULL;
    }
  if (!formatted && mode == HF_OPEN_EXISTING)
    {
      (void)hf_throw (error, HF_ERROR_NOT_FOUND, "There is no installation at %s", self->path);
      return NULL;
    }
  if ((!formatted && !create (self, error)) || !open_directories (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

/**
 * hf_installation_is_changeable:
 *
 * Returns: whether this process has the permission to take its locks, or else `errno` says why not; to look at it
 *   and to run what is in it needs none
 */
gboolean
hf_installation_is_changeable (const HfInstallation *self)
{
  return faccessat (self->root_fd, HF_LOCK_FILE, W_OK, AT_EACCESS) == 0;
}

/**
 * hf_throw_no_permission:
 * @installation: an installation that is somebody else's
 *
 * Returns: %FALSE always, with %HF_ERROR_FAILED set
 */
gboolean
hf_throw_no_permission (const HfInstallation *installation, GError **error)
{
  struct stat st;
  gboolean known = fstat (installation->root_fd, &st) == 0;
  if (known && st.st_uid == 0 && geteuid () != 0)
    return hf_throw (error, HF_ERROR_FAILED,
                     "No permission to change %s, which is root's: use sudo, or --user for an"
                     " installation of your own",
                     installation->path);
  const struct passwd *owner = known && st.st_uid != geteuid () ? getpwuid (st.st_uid) : NULL;
  if (owner != NULL)
    return hf_throw (error, HF_ERROR_FAILED,
                     "No permission to change %s: run this as its owner, %s, or choose another with"
                     " --user or --installation",
                     installation->path, owner->pw_name);
  return hf_throw (
      error, HF_ERROR_FAILED,
      "No permission to change %s: run this as its owner, or choose another with --user"
      " or --installation",
      installation->path);
}
