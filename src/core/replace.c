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
#include "layout.h"
#include "lock.h"
#include "retire.h"
#include "roots.h"
#include "settle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* @old is a directory here, or gone with `active` still naming it. */
static gboolean
check_still_there (int branch_fd, const HfRef *ref, const char *old, gboolean *out_active,
                   gboolean *out_present, GError **error)
{
  struct stat st;
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  *out_active = g_strcmp0 (active, old) == 0;
  *out_present = fstatat (branch_fd, old, &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (!*out_present && errno != ENOENT)
    return hf_throw_errno (error, "Cannot look at %s of %s", old, ref->full);
  if ((*out_present && S_ISDIR (st.st_mode)) || (!*out_present && *out_active))
    return TRUE;
  return hf_throw (error, HF_ERROR_CHANGED, "%s was changed by somebody else meanwhile", ref->full);
}

/* What else depends on the name or the record of @old: whether a rollback holds it, what roots name it,
 * and since when it is out of service, by the time of its record.  A crash before this loses the hold. */
static gboolean
take_over (HfStaging *staging, int branch_fd, const char *old, const char *name, GError **error)
{
  struct stat st;
  g_autofree char *record = g_strconcat (old, "/" HF_DEPLOYMENT_FILE, NULL);
  if (fstatat (branch_fd, record, &st, AT_SYMLINK_NOFOLLOW) == 0)
    {
      const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, st.st_mtim };
      (void)utimensat (staging->dir_fd, HF_DEPLOYMENT_FILE, times, AT_SYMLINK_NOFOLLOW);
    }
  g_autofree char *held = hf_link_read (branch_fd, HF_HELD_LINK);
  return (g_strcmp0 (held, old) != 0
          || (hf_held_announce (branch_fd, name, error)
              && hf_held_drop_stale (branch_fd, name, NULL, error)))
         && hf_roots_move (staging->installation, old, name, error);
}

static gboolean
exchange (HfStaging *staging, const HfDeploymentInfo *info, int branch_fd, const char *old,
          gboolean *pending, GError **error)
{
  HfInstallation *installation = staging->installation;
  gboolean active, present, in_place = FALSE;
  g_autofree char *name = hf_deployment_name (info->commit, staging->name);
  if (!check_still_there (branch_fd, info->ref, old, &active, &present, error))
    return FALSE;
  if (renameat (installation->staging_fd, staging->name, branch_fd, name) != 0)
    return hf_throw_errno (error, "Cannot move the new deployment into %s", HF_DEPLOY_DIR);
  /* A crash here leaves a deployment that nothing names, COMPLETE and not SETTLED: whoever finds the
   * mark removes it, and the damaged one is in service as before. */
  if (!hf_dir_sync (branch_fd, ".", error)
      || !hf_dir_sync (installation->root_fd, HF_STAGING_DIR, error)
      || (active && !hf_active_set (branch_fd, name, error)))
    return FALSE;
  /* A crash here, or before the damaged one is moved, leaves both: the damaged one counts as an earlier
   * deployment then, which is kept or goes like any other, and which the next repair mends, too. */
  if (!hf_deployment_set_state (staging->dir_fd, HF_STATE_SETTLED, error)
      || !take_over (staging, branch_fd, old, name, error))
    return FALSE;
  if (present
      && !hf_retire_deployment (installation, info->ref, branch_fd, old, NULL, &in_place, error))
    return FALSE;
  *pending |= in_place;
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
  gboolean marked, pending = FALSE;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_unsettled_is_marked (installation, &marked, error))
    return FALSE;
  hf_autofd int branch_fd
      = hf_open_beneath (installation->deploy_fd, info->ref->full, O_PATH | O_DIRECTORY, 0);
  if (branch_fd < 0 && errno == ENOENT)
    return hf_throw (error, HF_ERROR_CHANGED, "%s was removed meanwhile", info->ref->full);
  if (branch_fd < 0)
    return hf_throw_errno (error, "Cannot open %s", info->ref->full);
  if (!marked && !hf_change_begin (installation, &pending, error))
    return FALSE;
  g_autoptr (GError) failed = NULL;
  if (!exchange (staging, info, branch_fd, old, &pending, &failed)
      && !hf_error_is (failed, HF_ERROR_CHANGED))
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  gboolean ended
      = marked ? hf_settle (installation, error) : hf_change_end (installation, pending, error);
  if (!ended || failed == NULL)
    return ended;
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}
