/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Restore: the exchange of a removal, made backwards.  The deployment's `.ref` is locked shared meanwhile, so
 * that no sweeper begins with it; one that came first has it, and then there is nothing to bring back.
 *
 * With what is to be active comes what was kept beside it for rollback.  Nothing records what one removal took:
 * what is kept of a ref is the last so many that were in service (DESIGN section 8), and so those come back,
 * whichever removal took them.  All of them are moved first, and `active` is set last: that is the one step
 * before which nothing is restored, and after which everything is.
 */
#include "restore.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/ofd-lock.h"
#include "branch.h"
#include "exports.h"
#include "layout.h"
#include "lock.h"
#include "previous.h"
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

/* What left service last comes first: of one removal, that is what was active.  The time of removal is only asked
 * where that says nothing, as who settles a restore that was cut short removes everything again, in any order. */
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
  if (left->left.tv_sec != right->left.tv_sec)
    return left->left.tv_sec > right->left.tv_sec ? -1 : 1;
  if (left->left.tv_nsec != right->left.tv_nsec)
    return left->left.tv_nsec > right->left.tv_nsec ? -1 : 1;
  if (left->restorable->removed != right->restorable->removed)
    return left->restorable->removed > right->restorable->removed ? -1 : 1;
  return strcmp (right->restorable->path_name, left->restorable->path_name);
}

/* What there is in removed/. */
typedef struct
{
  GArray *found;     /* owned; of Found */
  GPtrArray *unread; /* owned; of names */
} Listing;

static void
listing_clear (Listing *listing)
{
  g_clear_pointer (&listing->found, g_array_unref);
  g_clear_pointer (&listing->unread, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Listing, listing_clear)

/* What is not there, or no directory, is no entry. */
static void
note_unread (Listing *listing, const char *name, int errsv)
{
  if (errsv != ENOENT && errsv != ENOTDIR && errsv != ELOOP)
    g_ptr_array_add (listing->unread, g_strdup (name));
}

/* Passes over what cannot be brought back, also since it is damaged: that is a sweep's to report.  A shortage of
 * our own is no reason: what is passed over needs no runtime. */
static gboolean
add_restorable (HfInstallation *installation, const char *name, Listing *listing, GError **error)
{
  struct stat st;
  g_autoptr (GError) failed = NULL;
  if (hf_removed_name_deployment (name) == NULL)
    return TRUE;
  hf_autofd int fd = hf_open_beneath (installation->removed_fd, name, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 && hf_errno_is_shortage (errno))
    return hf_throw_at (error, "Cannot open %s", installation->removed_fd, name);
  if (fd < 0 || fstatat (fd, HF_DEPLOYMENT_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
    {
      note_unread (listing, name, errno);
      return TRUE;
    }
  if ((st.st_mode & 07777) != HF_STATE_SETTLED)
    return TRUE;
  errno = 0;
  g_autoptr (HfDeploymentInfo) info = hf_deployment_read (fd, &failed);
  if (info == NULL && hf_errno_is_shortage (errno))
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  if (info == NULL)
    {
      if (!hf_error_is (failed, HF_ERROR_DAMAGED))
        note_unread (listing, name, errno);
      return TRUE;
    }
  Found one = { g_new0 (HfRestorable, 1), st.st_mtim };
  one.restorable->ref = hf_ref_copy (info->ref);
  one.restorable->path_name = g_strdup (name);
  one.restorable->commit = g_strdup (info->commit);
  one.restorable->runtime = info->runtime == NULL ? NULL : hf_ref_parse (info->runtime, NULL);
  one.restorable->removed = hf_removed_name_time (name);
  g_array_append_val (listing->found, one);
  return TRUE;
}

/**
 * hf_restorable_list:
 * @installation: an installation
 * @out_unread: (out) (optional) (transfer full) (element-type utf8): the names in removed/ of what cannot be looked
 *   at, and is in none of these
 *
 * Locks: none; a sweep may begin with any of them.
 *
 * Returns: (transfer full) (element-type HfRestorable): what can be brought back, what left service last
 *   first, or %NULL with @error set
 */
GPtrArray *
hf_restorable_list (HfInstallation *installation, GPtrArray **out_unread, GError **error)
{
  g_auto (Listing) listing
      = { g_array_new (FALSE, FALSE, sizeof (Found)), g_ptr_array_new_with_free_func (g_free) };
  g_autoptr (DIR) dir = hf_dir_open (installation->root_fd, HF_REMOVED_DIR, error);
  const struct dirent *entry;
  g_array_set_clear_func (listing.found, found_clear);
  if (dir == NULL)
    return NULL;
  do
    if (!hf_dir_next (dir, &entry, error)
        || (entry != NULL && !add_restorable (installation, entry->d_name, &listing, error)))
      return NULL;
  while (entry != NULL);
  g_array_sort (listing.found, compare_found);
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_restorable_free);
  for (guint i = 0; i < listing.found->len; i++)
    g_ptr_array_add (list, g_steal_pointer (&g_array_index (listing.found, Found, i).restorable));
  if (out_unread != NULL)
    *out_unread = g_steal_pointer (&listing.unread);
  return g_steal_pointer (&list);
}

/**
 * hf_restorable_check_read:
 * @installation: an installation
 * @ref: what is to be restored
 * @unread: (element-type utf8): from hf_restorable_list()
 *
 * The link that forwards from deploy/ tells whose it is.
 *
 * Returns: %FALSE with @error set if one of these is of @ref: it may be what was active, or was kept beside it
 */
gboolean
hf_restorable_check_read (HfInstallation *installation, const HfRef *ref, const GPtrArray *unread,
                          GError **error)
{
  for (guint i = 0; i < unread->len; i++)
    {
      const char *name = unread->pdata[i];
      struct stat st;
      g_autofree char *path = g_build_filename (ref->full, hf_removed_name_deployment (name), NULL);
      if (fstatat (installation->deploy_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0
          && S_ISLNK (st.st_mode))
        return hf_throw (error, HF_ERROR_FAILED,
                         "Cannot read %s/%s, which was %s, too: say with --to what is to come back",
                         HF_REMOVED_DIR, name, ref->full);
    }
  return TRUE;
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
 * with its directory.  A crash leaves a deployment that nothing names, and the mark: whoever settles removes
 * it again. */
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
  return TRUE;
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
  return info != NULL && hf_runtime_check (installation, info, error);
}

/**
 * hf_restorable_previous:
 * @list: (element-type HfRestorable): from hf_restorable_list()
 * @chosen: one of them
 * @retention: what is kept
 *
 * Returns: (transfer container) (element-type HfRestorable): what is to be kept for rollback if @chosen comes
 *   back, the one that left service last first; owned by @list
 */
GPtrArray *
hf_restorable_previous (const GPtrArray *list, const HfRestorable *chosen,
                        const HfRetention *retention)
{
  GPtrArray *previous = g_ptr_array_new ();
  guint64 left = retention->most;
  for (guint i = 0; i < list->len; i++)
    {
      const HfRestorable *one = list->pdata[i];
      if (hf_ref_compare (one->ref, chosen->ref) == 0
          && strcmp (one->path_name, chosen->path_name) != 0
          && hf_retention_keeps (retention, hf_removed_name_deployment (one->path_name), &left))
        g_ptr_array_add (previous, (gpointer)one);
    }
  return previous;
}

/* What is being brought back at once. */
typedef struct
{
  HfInstallation *installation; /* not owned */
  const HfRestorable *chosen;   /* not owned; what is to be active */
  GPtrArray *list;              /* owned; of HfRestorable */
  GPtrArray *previous;          /* owned; of those of them that are kept for rollback */
  GPtrArray *commits;           /* owned; of strings; of those that came back */
  gboolean despite;             /* what cannot be read is no obstacle */
  gboolean pending;
} Restoring;

static void
restoring_clear (Restoring *restoring)
{
  g_clear_pointer (&restoring->previous, g_ptr_array_unref);
  g_clear_pointer (&restoring->list, g_ptr_array_unref);
  g_clear_pointer (&restoring->commits, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Restoring, restoring_clear)

/* A configuration that makes no sense must not keep anybody from a restore: then more comes back than is to
 * be kept, and the mark stays, as in hf_settle(). */
static gboolean
find_previous (Restoring *restoring, GError **error)
{
  g_auto (HfRetention) retention = { 0 };
  restoring->commits = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) unread = NULL;
  restoring->list = hf_restorable_list (restoring->installation, &unread, error);
  if (restoring->list == NULL
      || (!restoring->despite
          && !hf_restorable_check_read (restoring->installation, restoring->chosen->ref, unread,
                                        error)))
    return FALSE;
  if (!hf_retention_load (restoring->installation, &retention, NULL))
    {
      retention.most = G_MAXUINT64;
      restoring->pending = TRUE;
    }
  restoring->previous = hf_restorable_previous (restoring->list, restoring->chosen, &retention);
  return TRUE;
}

/* What a sweep has, and what would not start as its runtime has gone, stays where it is.  In service under
 * `lock` no sweeper asks for it, so that it need not be held to the end like what is chosen. */
static gboolean
bring_previous_back (Restoring *restoring, const HfRestorable *previous, int branch_fd,
                     GError **error)
{
  g_auto (Held) held = { -1, -1 };
  g_autoptr (GError) failed = NULL;
  if (hold (restoring->installation, previous, &held, &failed)
      && check_runtime (restoring->installation, &held, &failed))
    {
      g_ptr_array_add (restoring->commits, g_strdup (previous->commit));
      return move_back (restoring->installation, previous, branch_fd, error);
    }
  if (hf_error_is (failed, HF_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

/* A crash before the last step leaves deployments without an `active`, and the mark: whoever settles removes them
 * again, and they can be restored as before.  After it, only the mark is left. */
static gboolean
bring_back (Restoring *restoring, GError **error)
{
  HfInstallation *installation = restoring->installation;
  const HfRestorable *chosen = restoring->chosen;
  hf_autofd int branch_fd = hf_branch_make (installation, chosen->ref, error);
  if (branch_fd < 0 || !move_back (installation, chosen, branch_fd, error))
    return FALSE;
  for (guint i = 0; i < restoring->previous->len; i++)
    if (!bring_previous_back (restoring, restoring->previous->pdata[i], branch_fd, error))
      return FALSE;
  return hf_dir_sync (branch_fd, ".", error)
         && hf_dir_sync (installation->root_fd, HF_REMOVED_DIR, error)
         && hf_branch_sync (installation, chosen->ref, error)
         && hf_active_set (branch_fd, hf_removed_name_deployment (chosen->path_name), error);
}

/**
 * hf_restore:
 * @installation: an installation
 * @restorable: what to bring back; its ref is not deployed
 * @despite: whether it comes back though something else that was removed of its ref cannot be read
 * @out_previous: (out) (optional) (transfer full) (element-type utf8): the commits of what came back with it, for
 *   rollback, the one that left service last first
 *
 * Puts it into service again, and keeps beside it what is to be kept of what was in service before.  Who held
 * any of it meanwhile holds it still.
 *
 * Locks: takes `lock`, and under it the entries' `.ref`, shared, without waiting.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if its deletion began or its runtime is not there, or another
 *   error
 */
gboolean
hf_restore (HfInstallation *installation, const HfRestorable *restorable, gboolean despite,
            GPtrArray **out_previous, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_auto (Held) held = { -1, -1 };
  g_auto (Restoring) restoring
      = { .installation = installation, .chosen = restorable, .despite = despite };
  gboolean pending;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_change_begin (installation, &pending, error))
    return FALSE;
  if (!check_absent (installation, restorable->ref, error)
      || !hold (installation, restorable, &held, error)
      || !check_runtime (installation, &held, error) || !find_previous (&restoring, error))
    {
      g_autoptr (GError) ignored = NULL; /* the mark stays: the next one settles */
      (void)!hf_change_end (installation, pending, &ignored);
      return FALSE;
    }
  if (!bring_back (&restoring, error))
    return FALSE;
  pending |= restoring.pending || !hf_exports_offer (installation, restorable->ref);
  if (!hf_change_end (installation, pending, error))
    return FALSE;
  if (out_previous != NULL)
    *out_previous = g_steal_pointer (&restoring.commits);
  return TRUE;
}
