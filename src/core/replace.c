/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Replacing one deployment by another.  hf_publish() would take the damaged one for a previous
 * version that is worth keeping, and drop a good one for it; here exactly the one that is named goes
 * out of service, by the ordinary exchange, and whoever runs from it keeps every file.
 */
#include "replace.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "branch.h"
#include "exports.h"
#include "layout.h"
#include "lock.h"
#include "retire.h"
#include "roots.h"
#include "settle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One deployment that comes in the place of another. */
typedef struct
{
  HfStaging *staging;
  const HfDeploymentInfo *info;
  int branch_fd;
  const char *old;
  char *name;       /* owned; the new one's */
  gboolean active;  /* whether `active` names the old one */
  gboolean present; /* whether that is there */
  gboolean works;   /* whether settling would take it for one in service */
  gboolean held;    /* whether a rollback holds it */
  gboolean begun;   /* whether the mark was set by us */
  gboolean pending; /* for hf_change_end() */
} Replacement;

static void
replacement_clear (Replacement *replacement)
{
  hf_fd_clear (&replacement->branch_fd);
  g_free (replacement->name);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Replacement, replacement_clear)

/* The old one is a directory here, or gone with `active` still naming it. */
static gboolean
look_at_old (Replacement *replacement, GError **error)
{
  struct stat st;
  const char *old = replacement->old;
  int branch_fd = replacement->branch_fd;
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  g_autofree char *held = hf_link_read (branch_fd, HF_HELD_LINK);
  replacement->active = g_strcmp0 (active, old) == 0;
  /* A link that is missing may only wait for its own repair, as this does. */
  replacement->held = (replacement->active || active == NULL) && g_strcmp0 (held, old) == 0;
  replacement->works = hf_branch_in_service (branch_fd, old);
  replacement->present = fstatat (branch_fd, old, &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (!replacement->present && errno != ENOENT)
    return hf_throw_errno (error, "Cannot look at %s of %s", old, replacement->info->ref->full);
  if (replacement->present ? S_ISDIR (st.st_mode) : replacement->active)
    return TRUE;
  return hf_throw (error, HF_ERROR_CHANGED, "%s was changed by somebody else meanwhile",
                   replacement->info->ref->full);
}

/* Since when it is out of service is told by the time of its record. */
static void
take_time (const Replacement *replacement)
{
  struct stat st;
  g_autofree char *record = g_strconcat (replacement->old, "/" HF_DEPLOYMENT_FILE, NULL);
  if (fstatat (replacement->branch_fd, record, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return;
  const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, st.st_mtim };
  (void)utimensat (replacement->staging->dir_fd, HF_DEPLOYMENT_FILE, times, AT_SYMLINK_NOFOLLOW);
}

static gboolean
set_mark (Replacement *replacement, GError **error)
{
  gboolean marked;
  HfInstallation *installation = replacement->staging->installation;
  if (!hf_unsettled_is_marked (installation, &marked, error))
    return FALSE;
  if (marked)
    return TRUE;
  replacement->begun = TRUE;
  return hf_change_begin (installation, &replacement->pending, error);
}

/* A crash before the flip leaves a deployment that nothing names, COMPLETE and not SETTLED: whoever finds the
 * mark removes it, and the damaged one is in service as before.  But one that does not look as if it were would
 * be taken for one that nobody wants, and the ref be uninstalled: then the mark is set after the flip, and a
 * crash before that leaves the new one, and the hold that comes with it, to the next repair. */
static gboolean
put_into_service (Replacement *replacement, GError **error)
{
  int branch_fd = replacement->branch_fd;
  HfInstallation *installation = replacement->staging->installation;
  if (replacement->works && !set_mark (replacement, error))
    return FALSE;
  if (replacement->held && !hf_held_announce (branch_fd, replacement->name, error))
    return FALSE;
  if (renameat (installation->staging_fd, replacement->staging->name, branch_fd, replacement->name)
      != 0)
    return hf_throw_errno (error, "Cannot move the new deployment into %s", HF_DEPLOY_DIR);
  if (!hf_dir_sync (branch_fd, ".", error)
      || !hf_dir_sync (installation->root_fd, HF_STAGING_DIR, error))
    return FALSE;
  /* Only with the mark: else the names are looked at as a whole, after the flip. */
  if (replacement->active && replacement->works)
    (void)!hf_exports_withdraw (installation, replacement->info->ref, replacement->name);
  return (!replacement->active || hf_active_set (branch_fd, replacement->name, error))
         && set_mark (replacement, error);
}

/* A crash here leaves both: the damaged one counts as an earlier deployment then, which is kept or goes like
 * any other, and which the next repair mends, too. */
static gboolean
take_over (Replacement *replacement, GError **error)
{
  gboolean in_place = FALSE;
  HfStaging *staging = replacement->staging;
  HfInstallation *installation = staging->installation;
  int branch_fd = replacement->branch_fd;
  if (!hf_deployment_set_state (staging->dir_fd, HF_STATE_SETTLED, error))
    return FALSE;
  take_time (replacement);
  if ((replacement->held && !hf_held_drop_stale (branch_fd, replacement->name, NULL, error))
      || !hf_roots_move (installation, replacement->old, replacement->name, error)
      || (replacement->present
          && !hf_retire_deployment (installation, replacement->info->ref, branch_fd,
                                    replacement->old, NULL, &in_place, error)))
    return FALSE;
  replacement->pending |= in_place;
  replacement->pending |= !hf_exports_settle (installation);
  return TRUE;
}

/**
 * hf_replace:
 * @staging: an entry whose deployment is %HF_STATE_COMPLETE
 * @info: what it is
 * @old: the name of the deployment in whose place it comes; it may have gone while `active` still
 *   names it
 *
 * Puts the deployment into service as what @old was, and takes @old out of it.
 *
 * What a crash left is not settled before, as settling would uninstall a ref whose active deployment
 * does not look as if it were in service, which may be the very damage; it is settled after.
 *
 * Locks: takes `lock`; needs the entry's own, which is kept.
 *
 * Returns: %FALSE with %HF_ERROR_CHANGED if @old was removed or replaced meanwhile, or another error;
 *   the entry is then still in staging/, or a sweeper's
 */
gboolean
hf_replace (HfStaging *staging, const HfDeploymentInfo *info, const char *old, GError **error)
{
  HfInstallation *installation = staging->installation;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_auto (Replacement) replacement
      = { .staging = staging, .info = info, .branch_fd = -1, .old = old };
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return FALSE;
  replacement.name = hf_deployment_name (info->commit, staging->name);
  replacement.branch_fd
      = hf_open_beneath (installation->deploy_fd, info->ref->full, O_PATH | O_DIRECTORY, 0);
  if (replacement.branch_fd < 0 && errno == ENOENT)
    return hf_throw (error, HF_ERROR_CHANGED, "%s was removed meanwhile", info->ref->full);
  if (replacement.branch_fd < 0)
    return hf_throw_errno (error, "Cannot open %s", info->ref->full);
  return look_at_old (&replacement, error) && put_into_service (&replacement, error)
         && take_over (&replacement, error)
         && (replacement.begun ? hf_change_end (installation, replacement.pending, error)
                               : hf_settle (installation, error));
}
