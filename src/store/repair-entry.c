/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entries that a sweep calls damaged: without a usable `.ref`, or without a record that makes sense.
 *
 * Nobody can hold the lock of a file that is not there, but somebody may hold the one that was, and a
 * new `.ref` would hide that.  So an entry gets a new one only where the kernel tells of no process
 * that has anything of it open, mapped or mounted, and all processes can be seen.  That stays true:
 * who launches something takes it from `active`, and locks a `.ref` first.  Else it is left.
 */
#include "repair-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "base/tree-delete.h"
#include "core/layout.h"
#include "core/lock.h"
#include "core/openers.h"
#include "core/roots.h"

#include <errno.h>
#include <string.h>

/* The last part of every name that a deployment ever has. */
static const char *
serial_of (const char *path)
{
  const char *slash = strrchr (path, '/'), *dot = strrchr (path, '.');
  return dot != NULL && dot > slash ? dot + 1 : slash + 1;
}

/* Only our own names are long and random enough to be looked for. */
static gboolean
is_serial (const char *text)
{
  return strlen (text) >= 16 && strspn (text, "0123456789abcdef") == strlen (text);
}

static char *
name_users (const HfOpeners *openers)
{
  g_autoptr (GString) pids = g_string_new (NULL);
  for (guint i = 0; i < openers->pids->len; i++)
    g_string_append_printf (pids, "%sPID %" G_GINT64_FORMAT, i > 0 ? ", " : "",
                            g_array_index (openers->pids, gint64, i));
  return g_strdup_printf (_ ("it is in use without a lock by %s: end that and repair again"),
                          pids->str);
}

/* Why nobody may have it deleted, or NULL. */
static char *
find_users (const char *path)
{
  const char *serial = serial_of (path);
  if (!is_serial (serial))
    return g_strdup (_ ("it has no name of ours: look at what it is, and delete it by hand"));
  g_autoptr (HfOpeners) openers = hf_openers_find (serial);
  if (openers->pids->len > 0)
    return name_users (openers);
  if (openers->certain)
    return NULL;
  return g_strdup (_ ("whether a process uses it cannot be told: repair as root, outside of any"
                      " container, or make sure that none does and delete it by hand"));
}

/* A crash after the first step leaves an entry without `.ref`, as it may have been before. */
static gboolean
make_ref (int dir_fd, GError **error)
{
  if (!hf_tree_delete_at_once (dir_fd, HF_REF_FILE, error))
    return FALSE;
  hf_autofd int fd = hf_open_beneath (dir_fd, HF_REF_FILE, O_RDWR | O_CREAT | O_EXCL, HF_MODE_REF);
  return (fd >= 0 && fchmod (fd, HF_MODE_REF) == 0)
         || hf_throw_errno (error, "Cannot create %s", HF_REF_FILE);
}

static gboolean
is_empty (int dir_fd)
{
  g_autoptr (DIR) dir = hf_dir_open (dir_fd, ".", NULL);
  const struct dirent *entry = NULL;
  return dir != NULL && hf_dir_next (dir, &entry, NULL) && entry == NULL;
}

/* Returns whether it has a `.ref` that a sweep can go by, now. */
static gboolean
mend_ref (HfRepair *repair, int dir_fd, const char *path)
{
  struct stat st;
  g_autofree char *thing = g_strconcat (path, "/" HF_REF_FILE, NULL);
  gboolean missing = fstatat (dir_fd, HF_REF_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0;
  if (missing && (errno != ENOENT || is_empty (dir_fd)))
    return FALSE;
  if (!missing && S_ISREG (st.st_mode))
    {
      hf_repair_mode (repair, dir_fd, HF_REF_FILE, thing, HF_MODE_REF);
      return TRUE;
    }
  const char *cause = missing ? N_ ("is missing") : N_ ("is no regular file");
  g_autofree char *obstacle = find_users (path);
  if (obstacle != NULL)
    {
      (void)hf_repair_find_left (repair, thing, cause, obstacle);
      return FALSE;
    }
  HfFinding *finding = hf_repair_find (
      repair, thing, cause, N_ ("is made anew, as no process uses the entry; it is swept"));
  repair->sweep = TRUE;
  if (repair->options.dry_run)
    return TRUE;
  g_autoptr (GError) failed = NULL;
  gboolean made = make_ref (dir_fd, &failed);
  hf_finding_settle (finding, failed);
  return made;
}

/* What a root keeps is not given up for its record. */
static gboolean
is_rooted (HfRepair *repair, const char *path)
{
  const char *name = strrchr (path, '/') + 1;
  const char *removed = hf_removed_name_deployment (name);
  g_autoptr (HfRoots) roots = hf_roots_load (repair->store->installation, NULL);
  return roots == NULL || hf_roots_find (roots, removed != NULL ? removed : name) != NULL;
}

/* From whatever state it was in, deletion goes on from here; nothing is restored from it. */
static void
mend_state (HfRepair *repair, int dir_fd, const char *thing)
{
  struct stat st;
  if (fstatat (dir_fd, HF_DEPLOYMENT_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return;
  if (!S_ISREG (st.st_mode))
    {
      (void)hf_repair_find_left (repair, thing, N_ ("is no regular file"),
                                 N_ ("delete the entry by hand, if nothing uses it"));
      return;
    }
  g_autofree char *cause
      = g_strdup_printf (_ ("has mode %04o, which means nothing"), st.st_mode & 07777);
  HfFinding *finding
      = hf_repair_find (repair, thing, cause, N_ ("gets mode 0440, deletion began; it is swept"));
  repair->sweep = TRUE;
  if (repair->options.dry_run)
    return;
  g_autoptr (GError) failed = NULL;
  if (fchmodat (dir_fd, HF_DEPLOYMENT_FILE, HF_STATE_DELETING, 0) != 0)
    (void)hf_throw_errno (&failed, "Cannot set the mode of %s", HF_DEPLOYMENT_FILE);
  hf_finding_settle (finding, failed);
}

/* What is wrong with the record, or NULL.  A sweep deletes it after tree/, so one that has gone while
 * that is there did not go by a sweep; in staging/, where it comes last, that is an install cut
 * short. */
static const char *
complaint (int dir_fd, const char *name)
{
  struct stat st;
  g_autoptr (GError) failed = NULL;
  g_autofree char *commit = NULL;
  const char *deployment = hf_removed_name_deployment (name);
  g_autoptr (HfDeploymentInfo) present = hf_deployment_read (dir_fd, &failed);
  if (deployment != NULL)
    (void)hf_deployment_name_parse (deployment, &commit, NULL);
  if (present != NULL)
    return commit == NULL || strcmp (commit, present->commit) == 0
               ? NULL
               : N_ ("is the record of something else");
  if (!hf_error_is (failed, HF_ERROR_NOT_FOUND))
    return N_ ("is no record that makes sense");
  return commit != NULL && fstatat (dir_fd, HF_TREE_DIR, &st, AT_SYMLINK_NOFOLLOW) == 0
             ? N_ ("is missing")
             : NULL;
}

static void
mend_record (HfRepair *repair, int dir_fd, const char *name, const char *thing)
{
  g_autoptr (GError) failed = NULL;
  const char *cause = complaint (dir_fd, name);
  if (cause == NULL)
    return;
  g_autoptr (HfDeploymentInfo) info = hf_record_recover (repair, dir_fd, name, &failed);
  if (info == NULL)
    {
      (void)hf_repair_find_left (repair, thing, cause,
                                 N_ ("nothing tells what the entry was: delete it by hand"));
      return;
    }
  HfFinding *finding
      = hf_repair_find (repair, thing, cause, N_ ("is written anew; the entry is swept"));
  repair->sweep = TRUE;
  if (repair->options.dry_run)
    return;
  g_clear_error (&failed);
  if (hf_deployment_write (dir_fd, info, &failed))
    (void)!hf_deployment_set_state (dir_fd, HF_STATE_DELETING, &failed);
  hf_finding_settle (finding, failed);
}

/**
 * hf_repair_entry:
 * @repair: a repair
 * @path: of an entry, or of what lies in deploy/ and is nothing that is deployed, below the root
 *
 * Makes it one that a sweep can take.
 *
 * Locks: needs `lock`: entries of staging/ are born under it, and nothing is restored or moved
 * meanwhile.  A sweep leaves alone what it calls damaged.
 *
 * Returns: %FALSE with @error set if it cannot go on
 */
gboolean
hf_repair_entry (HfRepair *repair, const char *path, GError **error)
{
  struct stat st;
  HfDeploymentState state;
  g_autoptr (GError) failed = NULL;
  int root_fd = repair->store->installation->root_fd;
  if (fstatat (root_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISLNK (st.st_mode))
    return TRUE;
  if (!S_ISDIR (st.st_mode))
    {
      (void)hf_repair_find_left (repair, path, N_ ("is no directory"),
                                 N_ ("look at what it is, and move or delete it"));
      return TRUE;
    }
  hf_autofd int dir_fd = hf_open_beneath (root_fd, path, O_RDONLY | O_DIRECTORY, 0);
  if (dir_fd < 0)
    return hf_throw_errno (error, "Cannot open %s", path);
  if (!mend_ref (repair, dir_fd, path))
    return TRUE;
  g_autofree char *thing = g_strconcat (path, "/" HF_DEPLOYMENT_FILE, NULL);
  gboolean stateless = !hf_deployment_get_state (dir_fd, &state, &failed);
  if (stateless && is_rooted (repair, path))
    (void)hf_repair_find_left (
        repair, thing, N_ ("has a mode which means nothing"),
        N_ ("a root keeps the entry: make it 0644 if it is whole, or remove the root"));
  else if (stateless)
    mend_state (repair, dir_fd, thing);
  else
    mend_record (repair, dir_fd, strrchr (path, '/') + 1, thing);
  return TRUE;
}

static gboolean
mend_directory (HfRepair *repair, const char *directory, GError **error)
{
  HfInstallation *installation = repair->store->installation;
  g_autoptr (DIR) dir = hf_dir_open (installation->root_fd, directory, error);
  const struct dirent *entry;
  if (dir == NULL)
    return FALSE;
  for (;;)
    {
      g_auto (HfLock) lock = HF_LOCK_INIT;
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      g_autofree char *path = g_strconcat (directory, "/", entry->d_name, NULL);
      if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
          || !hf_repair_entry (repair, path, error))
        return FALSE;
    }
}

/**
 * hf_repair_entries:
 * @repair: a repair
 *
 * Looks at everything in staging/ and removed/.
 *
 * Locks: takes `lock` for each entry.
 *
 * Returns: %FALSE with @error set if it cannot go on
 */
gboolean
hf_repair_entries (HfRepair *repair, GError **error)
{
  return mend_directory (repair, HF_STAGING_DIR, error)
         && mend_directory (repair, HF_REMOVED_DIR, error);
}
