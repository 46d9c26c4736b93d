/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Putting a complete deployment into service.  The one step that counts is the rename of `active`;
 * before it the ref is deployed as it was, after it as the new image, and nothing is in between.
 */
#include "publish.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "branch.h"
#include "exports.h"
#include "layout.h"
#include "lock.h"
#include "previous.h"
#include "runtime.h"
#include "settle.h"

#include <stdio.h>

/* A hold counts only if it is looked at here, under `lock`: somebody may have gone back while the image
 * was fetched, and even to the very deployment that was active before. */
static gboolean
check_still_wanted (HfInstallation *installation, const HfDeploymentInfo *info,
                    const char *expected_active, gboolean unless_held, GError **error)
{
  g_autofree char *active = NULL;
  if (!hf_active_read (installation, info->ref, &active, error))
    return FALSE;
  if (g_strcmp0 (active, expected_active) != 0
      || (unless_held && hf_active_is_held (installation, info->ref)))
    return hf_throw (error, HF_ERROR_CHANGED, "%s was changed by somebody else meanwhile",
                     info->ref->full);
  if (info->runtime == NULL)
    return TRUE;
  g_autoptr (HfRef) runtime = hf_ref_parse (info->runtime, error);
  return runtime != NULL && hf_runtime_find (installation, runtime, error);
}

/* What is to be published, and what it replaces. */
typedef struct
{
  HfStaging *staging;
  const HfDeploymentInfo *info;
  const char *replaced; /* the name of the active deployment, or %NULL */
  HfRetention retention;
} Publication;

static gboolean
put_into_service (const Publication *publication, const char *name, gboolean *pending,
                  GError **error)
{
  HfStaging *staging = publication->staging;
  HfInstallation *installation = staging->installation;
  const HfRef *ref = publication->info->ref;
  hf_autofd int branch_fd = hf_branch_make (installation, ref, error);
  if (branch_fd < 0)
    return FALSE;
  if (renameat (installation->staging_fd, staging->name, branch_fd, name) != 0)
    return hf_throw_errno (error, "Cannot move the new deployment into %s", HF_DEPLOY_DIR);
  /* A crash here leaves a deployment that `active` does not name, COMPLETE and not SETTLED: whoever
   * finds the mark removes it. */
  if (!hf_dir_sync (branch_fd, ".", error) || !hf_branch_sync (installation, ref, error)
      || !hf_dir_sync (installation->root_fd, HF_STAGING_DIR, error))
    return FALSE;
  if (publication->replaced != NULL)
    hf_previous_leave (branch_fd, publication->replaced);
  *pending |= !hf_exports_withdraw (installation, ref, name);
  if (!hf_active_set (branch_fd, name, error))
    return FALSE;
  /* In service from here on.  A crash leaves the state, a hold that means nothing any more, or more than
   * is to be kept: the mark. */
  gboolean in_place = FALSE;
  if (!hf_deployment_set_state (staging->dir_fd, HF_STATE_SETTLED, error)
      || !hf_held_drop_stale (branch_fd, name, NULL, error)
      || !hf_previous_retain (installation, ref, branch_fd, name, &publication->retention,
                              &in_place, error))
    return FALSE;
  *pending |= in_place;
  *pending |= !hf_exports_offer (installation, ref);
  return TRUE;
}

/**
 * hf_publish:
 * @staging: an entry whose deployment is %HF_STATE_COMPLETE
 * @info: what it is
 * @expected_active: (nullable): the name of the deployment that @staging was built to replace
 * @unless_held: whether a rollback that holds the ref keeps it as it is
 *
 * Puts the deployment into service; the one before it becomes a previous one, as far as those are kept.
 *
 * Locks: takes `lock`; needs the entry's own, which is kept.
 *
 * Returns: %FALSE with %HF_ERROR_CHANGED if another deployment is active than expected, or it is held,
 *   %HF_ERROR_NOT_FOUND if the runtime has gone, or another error; the entry is then still in
 *   staging/, or a sweeper's
 */
gboolean
hf_publish (HfStaging *staging, const HfDeploymentInfo *info, const char *expected_active,
            gboolean unless_held, GError **error)
{
  HfInstallation *installation = staging->installation;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_auto (HfRetention) retention = { 0 };
  gboolean pending;
  g_autofree char *name = hf_deployment_name (info->commit, staging->name);
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_retention_load (installation, &retention, error)
      || !hf_change_begin (installation, &pending, error))
    return FALSE;
  if (!check_still_wanted (installation, info, expected_active, unless_held, error))
    {
      g_autoptr (GError) ignored = NULL; /* the mark stays: the next one settles */
      (void)!hf_change_end (installation, pending, &ignored);
      return FALSE;
    }
  const Publication publication = { staging, info, expected_active, retention };
  return put_into_service (&publication, name, &pending, error)
         && hf_change_end (installation, pending, error);
}
