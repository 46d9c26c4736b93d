/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rollback.  Nothing moves: the deployment that is chosen lies in the branch directory already, and the one
 * that is left stays there, so that a second rollback undoes the first.
 */
#include "rollback.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "exports.h"
#include "layout.h"
#include "lock.h"
#include "previous.h"
#include "runtime.h"
#include "settle.h"

/* A runtime that has gone would make it an application that cannot start. */
static gboolean
check_runtime (HfInstallation *installation, int branch_fd, const char *name, GError **error)
{
  hf_autofd int fd = hf_open_beneath (branch_fd, name, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    return hf_throw_at (error, "Cannot open %s", branch_fd, name);
  g_autoptr (HfDeploymentInfo) info = hf_deployment_read (fd, error);
  return info != NULL && hf_runtime_check (installation, info, error);
}

/* The hold is announced first: it counts once `active` names the same, so that a crash in between changes
 * nothing, and none leaves a rollback that the next update would undo.  What is held already may only be
 * announced: on btrfs, a power cut can lose the mark, and what followed then is not settled. */
static gboolean
flip (int branch_fd, const char *from, const char *to, GError **error)
{
  hf_previous_leave (branch_fd, from);
  return hf_held_drop_stale (branch_fd, from, NULL, error)
         && hf_held_announce (branch_fd, to, error) && hf_active_set (branch_fd, to, error)
         && hf_held_drop_stale (branch_fd, to, NULL, error);
}

/* What was kept by a root beside the number that is to be kept is active now, and does not count; and what
 * is left counts.  Done here, as who settles would do it at any time.  A configuration that makes no sense
 * must not keep anybody from going back: the mark stays then, as in hf_settle(). */
static gboolean
retain (HfInstallation *installation, const HfRef *ref, int branch_fd, const char *active,
        gboolean *pending, GError **error)
{
  g_auto (HfRetention) retention = { 0 };
  gboolean in_place = TRUE;
  if (hf_retention_load (installation, &retention, NULL)
      && !hf_previous_retain (installation, ref, branch_fd, active, &retention, &in_place, error))
    return FALSE;
  *pending |= in_place;
  return TRUE;
}

/* What is flipped from where to where. */
typedef struct
{
  int branch_fd;
  char *active;    /* owned */
  GPtrArray *list; /* owned; of HfPrevious */
} Branch;

static void
branch_clear (Branch *branch)
{
  hf_fd_clear (&branch->branch_fd);
  g_clear_pointer (&branch->active, g_free);
  g_clear_pointer (&branch->list, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Branch, branch_clear)

static const HfPrevious *
choose (HfInstallation *installation, const HfRef *ref, const char *to, Branch *branch,
        GError **error)
{
  if (!hf_active_read (installation, ref, &branch->active, error))
    return NULL;
  if (branch->active == NULL)
    {
      (void)hf_throw (error, HF_ERROR_NOT_FOUND, "it is not installed in %s", installation->path);
      return NULL;
    }
  branch->branch_fd = hf_open_beneath (installation->deploy_fd, ref->full, O_PATH | O_DIRECTORY, 0);
  if (branch->branch_fd < 0)
    {
      (void)hf_throw_errno (error, "Cannot open %s", ref->full);
      return NULL;
    }
  branch->list = hf_previous_list (branch->branch_fd, branch->active, error);
  const HfPrevious *chosen
      = branch->list == NULL ? NULL : hf_previous_find (branch->list, to, error);
  return chosen != NULL && check_runtime (installation, branch->branch_fd, chosen->name, error)
             ? chosen
             : NULL;
}

/**
 * hf_rollback:
 * @installation: an installation
 * @ref: a deployed ref
 * @to: (nullable): which of its earlier deployments, as hf_previous_find() takes it
 * @out_commit: (out) (transfer full): the commit that is now deployed
 *
 * Also holds the ref there: until an update names it, none replaces it.  What is left becomes a previous one,
 * as far as those are kept.
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if @ref is not deployed or there is no such deployment, or
 *   another error; @ref is deployed as before then
 */
gboolean
hf_rollback (HfInstallation *installation, const HfRef *ref, const char *to, char **out_commit,
             GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_auto (Branch) branch = { .branch_fd = -1 };
  gboolean pending;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_change_begin (installation, &pending, error))
    return FALSE;
  const HfPrevious *chosen = choose (installation, ref, to, &branch, error);
  if (chosen == NULL)
    {
      g_autoptr (GError) ignored = NULL; /* the mark stays: the next one settles */
      g_prefix_error (error, "%s: ", ref->full);
      (void)!hf_change_end (installation, pending, &ignored);
      return FALSE;
    }
  (void)hf_deployment_name_parse (chosen->name, out_commit, NULL);
  pending |= !hf_exports_withdraw (installation, ref, chosen->name);
  if (!flip (branch.branch_fd, branch.active, chosen->name, error)
      || !retain (installation, ref, branch.branch_fd, chosen->name, &pending, error))
    return FALSE;
  pending |= !hf_exports_offer (installation, ref);
  return hf_change_end (installation, pending, error);
}

/* One unlink: a crash before it leaves the hold, and after it there is none. */
static gboolean
drop_hold (int branch_fd, GError **error)
{
  return hf_held_drop_stale (branch_fd, NULL, NULL, error) && hf_dir_sync (branch_fd, ".", error);
}

/**
 * hf_rollback_end:
 * @installation: an installation
 * @ref: a deployed ref
 * @name: what is active of it, as far as the caller knows
 * @out_ended: (out): whether it was held, and is no longer
 *
 * Ends the hold of a rollback, and leaves what is deployed: any update may replace it again.  If something else is
 * active by now, nothing is done: that may be another rollback's.
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_rollback_end (HfInstallation *installation, const HfRef *ref, const char *name,
                 gboolean *out_ended, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_autofree char *active = NULL;
  gboolean pending;
  *out_ended = FALSE;
  if (!hf_active_is_held (installation, ref))
    return TRUE; /* and nothing is written */
  /* A rollback that was cut short is settled first, and may have been one to something else. */
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_change_begin (installation, &pending, error)
      || !hf_active_read (installation, ref, &active, error))
    return FALSE;
  if (g_strcmp0 (active, name) == 0 && hf_active_is_held (installation, ref))
    {
      hf_autofd int branch_fd
          = hf_open_beneath (installation->deploy_fd, ref->full, O_PATH | O_DIRECTORY, 0);
      if (branch_fd < 0)
        return hf_throw_errno (error, "Cannot open %s", ref->full);
      if (!drop_hold (branch_fd, error))
        return FALSE;
      *out_ended = TRUE;
    }
  return hf_change_end (installation, pending, error);
}
