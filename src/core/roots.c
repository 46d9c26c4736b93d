/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All roots.  A file that makes no sense is reported and protects nothing.  One that cannot be read is reported,
 * too, and since nobody knows what it keeps, it keeps everything that a root can keep.  What cannot be listed is
 * an error.
 *
 * A root against a sweeper: a root is written by whoever holds the deployment's `.ref` shared, and a sweeper
 * reads roots.d/ while it holds `.ref` exclusively.  So either the root is there when it looks, or the
 * deployment had gone before the root was asked for.
 */
#include "roots.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "layout.h"
#include "lease.h"
#include "lock.h"
#include "previous.h"
#include "root-link.h"
#include "settle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOT_SIZE (64 * 1024) /* bytes; far more than any root has */

static void
problem_free (HfRootProblem *problem)
{
  g_free (problem->path);
  g_free (problem->why);
  g_free (problem);
}

/**
 * hf_roots_free:
 * @roots: (nullable) (transfer full): roots
 */
void
hf_roots_free (HfRoots *roots)
{
  if (roots == NULL)
    return;
  g_hash_table_unref (roots->by_deployment);
  g_ptr_array_unref (roots->all);
  g_ptr_array_unref (roots->problems);
  hf_root_free (roots->unread);
  g_free (roots);
}

static HfRootProblem *
add_problem (HfRoots *roots, const char *path, const char *why)
{
  HfRootProblem *problem = g_new0 (HfRootProblem, 1);
  problem->path = g_strdup (path);
  problem->why = g_strdup (why);
  g_ptr_array_add (roots->problems, problem);
  return problem;
}

static void
add_unread (HfRoots *roots, const char *path, const char *why)
{
  add_problem (roots, path, why)->unread = TRUE;
  if (roots->unread != NULL)
    return;
  roots->unread = g_new0 (HfRoot, 1);
  roots->unread->path = g_strdup (path);
  roots->unread->why = g_strdup (why);
  roots->unread->standing = HF_ROOT_UNREADABLE;
}

/**
 * hf_root_problem_describe:
 * @problem: of a root
 *
 * Returns: (transfer full): what it means, for people
 */
char *
hf_root_problem_describe (const HfRootProblem *problem)
{
  return g_strdup_printf (
      problem->unread ? _ ("Root %s may keep anything until it can be read or is removed: %s")
                      : _ ("Root %s protects nothing: %s"),
      problem->path, problem->why);
}

/* What is no file, or far too large. */
static gboolean
is_no_root (const GError *failed)
{
  return hf_error_is (failed, HF_ERROR_UNSAFE) || errno == ELOOP || errno == ENOTDIR
         || errno == ENXIO;
}

static void
note_file (HfRoot *root, const struct stat *st)
{
  root->inode = st->st_ino;
  root->changed = st->st_ctim;
}

/* The number of an inode may be used again at once, and a second is long. */
static gboolean
is_same_file (const HfRoot *root, const struct stat *st)
{
  return root->inode == st->st_ino && root->changed.tv_sec == st->st_ctim.tv_sec
         && root->changed.tv_nsec == st->st_ctim.tv_nsec;
}

static gboolean
load_root (HfRoots *roots, int space_fd, const char *space, const char *name, GError **error)
{
  struct stat st;
  g_autoptr (GError) failed = NULL;
  g_autofree char *path = g_strconcat (space, "/", name, NULL);
  g_autofree char *valid = hf_root_path_parse (path, &failed);
  if (valid == NULL)
    {
      (void)add_problem (roots, path, failed->message);
      return TRUE;
    }
  /* First: of one that is replaced between the two, what is noted is about none that is there. */
  if (fstatat (space_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    memset (&st, 0, sizeof st);
  g_autoptr (GBytes) bytes = hf_file_read (space_fd, name, ROOT_SIZE, &failed);
  if (bytes == NULL && errno == ENOENT)
    return TRUE; /* removed meanwhile */
  if (bytes == NULL && hf_errno_is_shortage (errno))
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  if (bytes == NULL && !is_no_root (failed))
    {
      add_unread (roots, path, failed->message);
      return TRUE;
    }
  HfRoot *root = bytes == NULL ? NULL : hf_root_parse (path, bytes, &failed);
  if (root == NULL)
    (void)add_problem (roots, path, failed->message);
  else
    {
      note_file (root, &st);
      g_ptr_array_add (roots->all, root);
    }
  return TRUE;
}

typedef gboolean (*Load) (HfRoots *roots, int dfd, const char *parent, const char *name,
                          GError **error);

/* Names that begin with a dot are nobody's: files that are being written. */
static gboolean
load_directory (HfRoots *roots, DIR *dir, const char *name, Load load, GError **error)
{
  for (;;)
    {
      const struct dirent *entry;
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      if (entry->d_name[0] != '.' && !load (roots, dirfd (dir), name, entry->d_name, error))
        return FALSE;
    }
}

static gboolean
load_namespace (HfRoots *roots, int roots_fd, const char *parent, const char *name, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (DIR) dir = hf_dir_open (roots_fd, name, &failed);
  if (dir != NULL)
    return load_directory (roots, dir, name, load_root, error);
  if (errno == ENOTDIR || errno == ELOOP)
    (void)add_problem (roots, name, _ ("it is not a directory"));
  if (errno == ENOTDIR || errno == ELOOP || errno == ENOENT)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

static int
compare_roots (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(HfRoot *const *)a)->path, (*(HfRoot *const *)b)->path);
}

/* In a dry run those that a real one would have removed by now. */
static void
leave_out_gone (HfInstallation *installation, HfRoots *roots)
{
  for (guint i = hf_ledger_is_dry (installation->ledger) ? roots->all->len : 0; i-- > 0;)
    {
      struct stat st;
      const HfRoot *root = roots->all->pdata[i];
      g_autofree char *file = g_strconcat (HF_ROOTS_DIR "/", root->path, NULL);
      if (hf_ledger_stat (installation->ledger, installation->root_fd, file, &st) != 0)
        g_ptr_array_remove_index (roots->all, i);
    }
}

/**
 * hf_roots_load:
 * @installation: an installation
 *
 * Reads the files of all roots, and looks at no link.
 *
 * Locks: none; see above for what makes the answer good for a sweeper.
 *
 * Returns: (transfer full): the roots, or %NULL with @error set if it cannot be told what they keep
 */
HfRoots *
hf_roots_load (HfInstallation *installation, GError **error)
{
  g_autoptr (HfRoots) roots = g_new0 (HfRoots, 1);
  roots->all = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_root_free);
  roots->problems = g_ptr_array_new_with_free_func ((GDestroyNotify)problem_free);
  roots->by_deployment = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (DIR) dir = hf_dir_open (installation->root_fd, HF_ROOTS_DIR, error);
  if (dir == NULL || !load_directory (roots, dir, NULL, load_namespace, error))
    return NULL;
  leave_out_gone (installation, roots);
  g_ptr_array_sort (roots->all, compare_roots);
  for (guint i = roots->all->len; i-- > 0;)
    {
      HfRoot *root = roots->all->pdata[i];
      (void)g_hash_table_insert (roots->by_deployment, root->deployment, root);
    }
  return g_steal_pointer (&roots);
}

/**
 * hf_roots_find:
 * @roots: roots
 * @deployment: the name of a deployment, COMMIT.SERIAL
 *
 * Returns: (transfer none) (nullable): a root that keeps it, or may; one that ended counts until it is dropped
 */
const HfRoot *
hf_roots_find (const HfRoots *roots, const char *deployment)
{
  const HfRoot *root = g_hash_table_lookup (roots->by_deployment, deployment);
  return root != NULL ? root : roots->unread;
}

/**
 * hf_roots_check_links:
 * @installation: an installation
 * @roots: its roots, the standing of which is set
 *
 * Locks: none; see hf_root_links_look() for how long it may take.
 */
void
hf_roots_check_links (HfInstallation *installation, HfRoots *roots)
{
  hf_root_links_look (installation, roots->all);
}

/**
 * hf_roots_any_ended:
 * @roots: roots, after hf_roots_check_links()
 *
 * Returns: whether one of them is to be dropped
 */
gboolean
hf_roots_any_ended (const HfRoots *roots)
{
  for (guint i = 0; i < roots->all->len; i++)
    if (((const HfRoot *)roots->all->pdata[i])->standing == HF_ROOT_ENDED)
      return TRUE;
  return FALSE;
}

/* The file appears whole, by a rename.  A crash before it leaves a name that begins with a dot, which the
 * next one replaces, or a directory with nothing else, and the mark. */
static gboolean
write_root (HfInstallation *installation, const HfRoot *root, guint flags, GError **error)
{
  g_autofree char *space = g_path_get_dirname (root->path);
  g_autofree char *directory = g_strconcat (HF_ROOTS_DIR "/", space, NULL);
  const char *name = strrchr (root->path, '/') + 1;
  gsize length;
  g_autofree char *data = hf_root_to_data (root, &length);
  if (!hf_mkdir (installation->root_fd, directory, HF_MODE_DIR, error))
    return FALSE;
  hf_autofd int fd = hf_open_dir (installation->root_fd, directory, error);
  if (fd < 0)
    return FALSE;
  (void)unlinkat (fd, HF_ROOT_FILE_NEW, 0);
  if (!hf_file_write_new (fd, HF_ROOT_FILE_NEW, data, length, 0644, error))
    return FALSE;
  if (renameat2 (fd, HF_ROOT_FILE_NEW, fd, name, flags) != 0)
    {
      int errsv = errno;
      (void)unlinkat (fd, HF_ROOT_FILE_NEW, 0);
      errno = errsv;
      return hf_throw_errno (error, "Cannot create %s/%s/%s", installation->path, HF_ROOTS_DIR,
                             root->path);
    }
  return hf_fd_sync (fd, error) && hf_dir_sync (installation->root_fd, HF_ROOTS_DIR, error);
}

static gboolean
check_free (HfInstallation *installation, const char *path, GError **error)
{
  struct stat st;
  g_autofree char *file = g_strconcat (HF_ROOTS_DIR "/", path, NULL);
  if (fstatat (installation->root_fd, file, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || hf_throw_errno (error, "Cannot look at %s", file);
  return hf_throw (error, HF_ERROR_FAILED,
                   "There is a root %s already: remove it first, or take another name", path);
}

/**
 * hf_roots_prune:
 * @installation: an installation
 *
 * Removes the namespace of roots without one, if there is no root in it, and a file that a crash left there.
 * Those of other programs are theirs.
 *
 * Locks: needs `lock`, so that nobody is about to put something there.
 *
 * Returns: whether it is done; the mark has to stay if not
 */
gboolean
hf_roots_prune (HfInstallation *installation)
{
  (void)hf_ledger_unlink (installation->ledger, installation->root_fd,
                          HF_ROOTS_DIR "/" HF_ROOTS_OWN "/" HF_ROOT_FILE_NEW, 0);
  if (hf_ledger_unlink (installation->ledger, installation->root_fd, HF_ROOTS_DIR "/" HF_ROOTS_OWN,
                        AT_REMOVEDIR)
      != 0)
    return errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST;
  /* On disk before the mark is cleared, after which nobody looks for it any more; btrfs syncs no more than
   * it is asked to. */
  return hf_ledger_is_dry (installation->ledger)
         || hf_dir_sync (installation->root_fd, HF_ROOTS_DIR, NULL);
}

/**
 * hf_root_add:
 * @installation: an installation
 * @path: NAMESPACE/NAME
 * @ref: a deployed ref; what is deployed for it now is kept
 * @link: (nullable): a symlink to make, with which the root stands and falls
 *
 * Locks: holds the deployment's `.ref` shared until the root is on disk; takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if @ref is not deployed, or another error
 */
gboolean
hf_root_add (HfInstallation *installation, const char *path, const HfRef *ref, const char *link,
             GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_autoptr (HfLease) lease = hf_lease_acquire (installation, ref, error);
  if (lease == NULL || !hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || !check_free (installation, path, error))
    return FALSE;
  g_autoptr (HfRoot) root = hf_root_new (path, ref, lease->name);
  g_autofree char *target = hf_lease_path (installation, lease);
  gboolean pending;
  return (link == NULL || hf_root_link_make (root, link, target, error))
         && hf_change_begin (installation, &pending, error)
         && write_root (installation, root, RENAME_NOREPLACE, error)
         && hf_change_end (installation, pending, error);
}

/**
 * hf_roots_move:
 * @installation: an installation
 * @from: the name of a deployment that another takes the place of
 * @to: that one's name
 *
 * Has the roots of the one keep the other.  One with a link stays as it is: its link, which is not ours to
 * change, leads to the former.
 *
 * Locks: needs `lock`; @to is not out of service.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_roots_move (HfInstallation *installation, const char *from, const char *to, GError **error)
{
  g_autoptr (HfRoots) roots = hf_roots_load (installation, error);
  for (guint i = 0; roots != NULL && i < roots->all->len; i++)
    {
      HfRoot *root = roots->all->pdata[i];
      if (root->link != NULL || strcmp (root->deployment, from) != 0)
        continue;
      g_free (root->deployment);
      root->deployment = g_strdup (to);
      if (!write_root (installation, root, 0, error))
        return FALSE;
    }
  return roots != NULL;
}

static gboolean
add_leaving (GPtrArray *leaving, const HfRef *ref, int branch_fd, const char *active,
             const HfRetention *retention, GError **error)
{
  g_autoptr (GPtrArray) names = hf_previous_leaving (branch_fd, active, retention, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    g_ptr_array_add (leaving, g_build_filename (HF_DEPLOY_DIR, ref->full, names->pdata[i], NULL));
  return names != NULL;
}

/* What the root kept beside the active deployment may be more than is kept without it. */
static gboolean
retain_branch (HfInstallation *installation, const HfRef *ref, GPtrArray *leaving,
               gboolean *pending, GError **error)
{
  g_auto (HfRetention) retention = { 0 };
  g_autofree char *active = NULL;
  gboolean in_place;
  if (!hf_active_read (installation, ref, &active, error))
    return FALSE;
  hf_autofd int branch_fd
      = hf_open_beneath (installation->deploy_fd, ref->full, O_PATH | O_DIRECTORY, 0);
  if (active == NULL)
    return TRUE;
  if (branch_fd < 0)
    return hf_throw_errno (error, "Cannot open %s of %s", ref->full, installation->path);
  if (!hf_retention_load (installation, &retention, error))
    return FALSE;
  if (leaving != NULL)
    return add_leaving (leaving, ref, branch_fd, active, &retention, error);
  if (!hf_previous_retain (installation, ref, branch_fd, active, &retention, &in_place, error))
    return FALSE;
  *pending |= in_place;
  return TRUE;
}

/* A crash after the unlink leaves the mark, and settling has less kept. */
static gboolean
drop (HfInstallation *installation, const char *path, const HfRef *ref, GPtrArray *leaving,
      GError **error)
{
  gboolean pending = FALSE, dry = leaving != NULL;
  g_autofree char *file = g_strconcat (HF_ROOTS_DIR "/", path, NULL);
  g_autofree char *directory = g_path_get_dirname (file);
  if (!dry && !hf_change_begin (installation, &pending, error))
    return FALSE;
  if (hf_ledger_unlink (installation->ledger, installation->root_fd, file, 0) != 0
      && errno != ENOENT)
    return hf_throw_errno (error, "Cannot remove %s/%s", installation->path, file);
  if (!dry && !hf_dir_sync (installation->root_fd, directory, error))
    return FALSE;
  pending |= !hf_roots_prune (installation);
  /* Of one that made no sense nobody knows what it kept. */
  if (ref == NULL)
    return hf_settle (installation, error);
  return retain_branch (installation, ref, leaving, &pending, error)
         && (dry || hf_change_end (installation, pending, error));
}

/* %NULL without an error if the file is no root. */
static gboolean
load_one (HfInstallation *installation, const char *path, HfRoot **out, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autofree char *file = g_strconcat (HF_ROOTS_DIR "/", path, NULL);
  struct stat st;
  *out = NULL;
  if (fstatat (installation->root_fd, file, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || errno == ENOTDIR
               ? hf_throw (error, HF_ERROR_NOT_FOUND,
                           "There is no root %s in %s: `holdfast root list` shows them", path,
                           installation->path)
               : hf_throw_errno (error, "Cannot look at %s", file);
  g_autoptr (GBytes) bytes = hf_file_read (installation->root_fd, file, ROOT_SIZE, &failed);
  if (bytes == NULL && hf_errno_is_shortage (errno))
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  *out = bytes == NULL ? NULL : hf_root_parse (path, bytes, NULL);
  return TRUE;
}

/**
 * hf_root_remove:
 * @installation: an installation
 * @path: NAMESPACE/NAME
 *
 * Removes a root, whether it makes sense or not.  Its link, if it has one, is left to whoever it is.
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if there is none, or another error
 */
gboolean
hf_root_remove (HfInstallation *installation, const char *path, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_autoptr (HfRoot) root = NULL;
  return hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
         && load_one (installation, path, &root, error)
         && drop (installation, path, root != NULL ? root->ref : NULL, NULL, error);
}

/**
 * hf_roots_drop_ended:
 * @installation: an installation
 * @roots: its roots, after hf_roots_check_links()
 * @leaving: (nullable) (element-type utf8): for a dry run: nothing is changed, and the paths of the deployments
 *   that would leave service are added
 *
 * Removes those that ended, unless they were made anew meanwhile.
 *
 * Locks: takes `lock` for each, except in a dry run.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_roots_drop_ended (HfInstallation *installation, HfRoots *roots, GPtrArray *leaving,
                     GError **error)
{
  for (guint i = 0; i < roots->all->len; i++)
    {
      const HfRoot *ended = roots->all->pdata[i];
      g_auto (HfLock) lock = HF_LOCK_INIT;
      struct stat st;
      if (ended->standing != HF_ROOT_ENDED)
        continue;
      if (leaving == NULL && !hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
        return FALSE;
      g_autofree char *file = g_strconcat (HF_ROOTS_DIR "/", ended->path, NULL);
      if (fstatat (installation->root_fd, file, &st, AT_SYMLINK_NOFOLLOW) != 0)
        {
          if (errno == ENOENT || errno == ENOTDIR)
            continue;
          return hf_throw_errno (error, "Cannot look at %s", file);
        }
      if (is_same_file (ended, &st)
          && !drop (installation, ended->path, ended->ref, leaving, error))
        return FALSE;
    }
  return TRUE;
}
