/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Restore: the exchange of a removal, made backwards.  The deployment's `.ref` is locked shared meanwhile, so
 * that no sweeper begins with it; one that came first has it, and then there is nothing to bring back.
 */
#include "restore.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "base/ofd-lock.h"
#include "branch.h"
#include "exports.h"
#include "layout.h"
#include "lock.h"
#include "runtime.h"
#include "settle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/**
 * hf_restorable_free:
 * @restorable: (nullable) (transfer full): something that can be brought back
 */
void
hf_restorable_free (HfRestorable *restorable)
{
  if (restorable == NULL)
    return;
  hf_ref_free (restorable->ref);
  hf_ref_free (restorable->runtime);
  g_free (restorable->path_name);
  g_free (restorable->commit);
  g_free (restorable);
}

/* What left service last comes first: of one removal, that is what was active. */
typedef struct
{
  HfRestorable *restorable;
  struct timespec left;
} Found;

static void
found_clear (gpointer data)
{
  hf_restorable_free (((Found *)data)->restorable);
}

static int
compare_found (gconstpointer a, gconstpointer b)
{
  const Found *left = a, *right = b;
  if (left->restorable->removed != right->restorable->removed)
    return left->restorable->removed > right->restorable->removed ? -1 : 1;
  if (left->left.tv_sec != right->left.tv_sec)
    return left->left.tv_sec > right->left.tv_sec ? -1 : 1;
  if (left->left.tv_nsec != right->left.tv_nsec)
    return left->left.tv_nsec > right->left.tv_nsec ? -1 : 1;
  return strcmp (right->restorable->path_name, left->restorable->path_name);
}

/* Passes over what cannot be brought back, also since it is damaged: that is a sweep's to report.  A shortage of
 * our own is no reason: what is passed over needs no runtime. */
static gboolean
add_restorable (HfInstallation *installation, const char *name, GArray *found, GError **error)
{
  struct stat st;
  g_autoptr (GError) failed = NULL;
  if (hf_removed_name_deployment (name) == NULL)
    return TRUE;
  hf_autofd int fd = hf_open_beneath (installation->removed_fd, name, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    return !hf_errno_is_shortage (errno)
           || hf_throw_at (error, "Cannot open %s", installation->removed_fd, name);
  if (fstatat (fd, HF_DEPLOYMENT_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0
      || (st.st_mode & 07777) != HF_STATE_SETTLED)
    return TRUE;
  errno = 0;
  g_autoptr (HfDeploymentInfo) info = hf_deployment_read (fd, &failed);
  if (info == NULL && hf_errno_is_shortage (errno))
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  if (info == NULL)
    return TRUE;
  Found one = { g_new0 (HfRestorable, 1), st.st_mtim };
  one.restorable->ref = hf_ref_copy (info->ref);
  one.restorable->path_name = g_strdup (name);
  one.restorable->commit = g_strdup (info->commit);
  one.restorable->runtime = info->runtime == NULL ? NULL : hf_ref_parse (info->runtime, NULL);
  one.restorable->removed = hf_removed_name_time (name);
  g_array_append_val (found, one);
  return TRUE;
}

/**
 * hf_restorable_list:
 * @installation: an installation
 *
 * Locks: none; a sweep may begin with any of them.
 *
 * Returns: (transfer full) (element-type HfRestorable): what can be brought back, what left service last
 *   first, or %NULL with @error set
 */
GPtrArray *
hf_restorable_list (HfInstallation *installation, GError **error)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (Found));
  g_autoptr (DIR) dir = hf_dir_open (installation->root_fd, HF_REMOVED_DIR, error);
  const struct dirent *entry;
  if (dir == NULL)
    return NULL;
  g_array_set_clear_func (found, found_clear);
  do
    if (!hf_dir_next (dir, &entry, error)
        || (entry != NULL && !add_restorable (installation, entry->d_name, found, error)))
      return NULL;
  while (entry != NULL);
  g_array_sort (found, compare_found);
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_restorable_free);
  for (guint i = 0; i < found->len; i++)
    g_ptr_array_add (list, g_steal_pointer (&g_array_index (found, Found, i).restorable));
  return g_steal_pointer (&list);
}

/* An entry of removed/ that we hold. */
typedef struct
{
  int dir_fd;
  int ref_fd;
} Held;

static void
held_clear (Held *held)
{
  if (held->ref_fd >= 0)
    hf_ofd_unlock (held->ref_fd);
  hf_fd_clear (&held->ref_fd);
  hf_fd_clear (&held->dir_fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Held, held_clear)

/* Under `lock`, so that the name cannot lead elsewhere afterwards; a sweeper that has deleted the entry
 * meanwhile left us a `.ref` without a link. */
static gboolean
hold (HfInstallation *installation, const HfRestorable *restorable, Held *held, GError **error)
{
  HfDeploymentState state;
  struct stat st;
  const char *name = restorable->path_name;
  held->dir_fd = hf_open_beneath (installation->removed_fd, name, O_PATH | O_DIRECTORY, 0);
  if (held->dir_fd >= 0)
    held->ref_fd = hf_open_beneath (held->dir_fd, HF_REF_FILE, O_RDONLY | O_NONBLOCK, 0);
  if (held->ref_fd < 0 && errno != ENOENT && errno != ELOOP && errno != ENOTDIR)
    return hf_throw_errno (error, "Cannot open %s/%s", HF_REMOVED_DIR, name);
  gboolean locked = held->ref_fd >= 0 && hf_ofd_lock (held->ref_fd, HF_OFD_SHARED, HF_OFD_TRY);
  if (held->ref_fd >= 0 && !locked && !hf_ofd_refused (errno))
    return hf_throw_errno (error, "Cannot lock %s/%s/%s", HF_REMOVED_DIR, name, HF_REF_FILE);
  if (!locked || fstat (held->ref_fd, &st) != 0 || st.st_nlink == 0
      || !hf_deployment_get_state (held->dir_fd, &state, NULL) || state != HF_STATE_SETTLED)
    return hf_throw (error, HF_ERROR_NOT_FOUND,
                     "%s cannot be brought back: a sweep has begun to delete it. Install it again",
                     restorable->ref->full);
  return TRUE;
}

/* Whoever resolved the path in removed/ a moment ago, bubblewrap above all, still arrives; the next sweep
 * unlinks this.  It is a courtesy: without it such a launch fails, and harms nothing. */
static void
lead_back (HfInstallation *installation, const HfRestorable *restorable, const char *deployment)
{
  g_autofree char *target
      = g_build_filename ("..", HF_DEPLOY_DIR, restorable->ref->full, deployment, NULL);
  g_autofree char *temporary = g_strconcat (".", restorable->path_name, NULL);
  if (symlinkat (target, installation->removed_fd, temporary) == 0
      && renameat (installation->removed_fd, temporary, installation->removed_fd,
                   restorable->path_name)
             != 0)
    (void)unlinkat (installation->removed_fd, temporary, 0);
}

/* Its old name forwards to it, unless the file system knows no exchange of names, or that name has gone
 * with its directory. */
static gboolean
move_back (HfInstallation *installation, const HfRestorable *restorable, int branch_fd,
           GError **error)
{
  const char *entry = restorable->path_name;
  const char *name = hf_removed_name_deployment (entry);
  int removed_fd = installation->removed_fd;
  if (renameat2 (removed_fd, entry, branch_fd, name, RENAME_EXCHANGE) == 0)
    lead_back (installation, restorable, name);
  else if ((errno != ENOENT && errno != EINVAL && errno != ENOSYS)
           || renameat (removed_fd, entry, branch_fd, name) != 0)
    return hf_throw_errno (error, "Cannot move %s back", restorable->ref->full);
  /* A crash leaves a deployment that nothing names, and the mark: whoever settles removes it again. */
  return hf_dir_sync (branch_fd, ".", error)
         && hf_dir_sync (installation->root_fd, HF_REMOVED_DIR, error);
}

static gboolean
check_absent (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_autofree char *active = NULL;
  return hf_active_read (installation, ref, &active, error)
         && (active == NULL
             || hf_throw (error, HF_ERROR_FAILED,
                          "%s is installed: `holdfast rollback` changes to what it was before, and"
                          " `holdfast uninstall` makes room for what was removed",
                          ref->full));
}

static gboolean
check_runtime (HfInstallation *installation, const Held *held, GError **error)
{
  g_autoptr (HfDeploymentInfo) info = hf_deployment_read (held->dir_fd, error);
  if (info == NULL || info->runtime == NULL)
    return info != NULL;
  g_autoptr (HfRef) runtime = hf_ref_parse (info->runtime, error);
  gboolean found = runtime != NULL && hf_runtime_find (installation, runtime, error);
  if (!found)
    g_prefix_error (error, _ ("%s needs a runtime: "), info->ref->full);
  return found;
}

static gboolean
bring_back (HfInstallation *installation, const HfRestorable *restorable, GError **error)
{
  const char *name = hf_removed_name_deployment (restorable->path_name);
  hf_autofd int branch_fd = hf_branch_make (installation, restorable->ref, error);
  return branch_fd >= 0 && move_back (installation, restorable, branch_fd, error)
         && hf_branch_sync (installation, restorable->ref, error)
         && hf_active_set (branch_fd, name, error);
}

/**
 * hf_restore:
 * @installation: an installation
 * @restorable: what to bring back; its ref is not deployed
 *
 * Puts it into service again.  Who held it meanwhile holds it still.
 *
 * Locks: takes `lock`, and under it the entry's `.ref`, shared, without waiting.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if its deletion began or its runtime is not there, or another
 *   error
 */
gboolean
hf_restore (HfInstallation *installation, const HfRestorable *restorable, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_auto (Held) held = { -1, -1 };
  gboolean pending;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_change_begin (installation, &pending, error))
    return FALSE;
  if (!check_absent (installation, restorable->ref, error)
      || !hold (installation, restorable, &held, error)
      || !check_runtime (installation, &held, error))
    {
      g_autoptr (GError) ignored = NULL; /* the mark stays: the next one settles */
      (void)!hf_change_end (installation, pending, &ignored);
      return FALSE;
    }
  if (!bring_back (installation, restorable, error))
    return FALSE;
  pending |= !hf_exports_offer (installation, restorable->ref);
  return hf_change_end (installation, pending, error);
}
