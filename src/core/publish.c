/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Putting a complete deployment into service.  The one step that counts is the rename of `active`;
 * before it the ref is deployed as it was, after it as the new image, and nothing is in between.
 */
#include "publish.h"

#include "base/error.h"
#include "base/fd.h"
#include "deployed.h"
#include "layout.h"
#include "lock.h"
#include "retire.h"
#include "settle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gboolean
check_still_wanted (HfInstallation *installation, const HfDeploymentInfo *info,
                    const char *expected_active, GError **error)
{
  g_autofree char *active = NULL;
  if (!hf_active_read (installation, info->ref, &active, error))
    return FALSE;
  if (g_strcmp0 (active, expected_active) != 0)
    return hf_throw (error, HF_ERROR_CHANGED, "%s was changed by somebody else meanwhile",
                     info->ref->full);
  if (info->runtime == NULL)
    return TRUE;
  g_autoptr (HfRef) runtime = hf_ref_parse (info->runtime, error);
  g_autoptr (HfDeployed) deployed
      = runtime == NULL ? NULL : hf_deployed_get (installation, runtime, error);
  return deployed != NULL;
}

/* A crash here leaves empty directories; whoever finds the mark removes them. */
static gboolean
make_branch (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_autofree char *path = g_strdup (ref->full);
  for (char *slash = strchr (path, '/'); slash != NULL; slash = strchr (slash + 1, '/'))
    {
      *slash = '\0';
      if (!hf_mkdir (installation->deploy_fd, path, HF_MODE_DIR, error))
        return FALSE;
      *slash = '/';
    }
  return hf_mkdir (installation->deploy_fd, path, HF_MODE_DIR, error);
}

/* New directories are durable once their parents are. */
static gboolean
sync_branch (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_autofree char *path = g_strdup (ref->full);
  for (char *slash = strrchr (path, '/'); slash != NULL; slash = strrchr (path, '/'))
    {
      *slash = '\0';
      if (!hf_dir_sync (installation->deploy_fd, path, error))
        return FALSE;
    }
  return hf_dir_sync (installation->root_fd, HF_DEPLOY_DIR, error);
}

static gboolean
flip_active (int branch_fd, const char *name, GError **error)
{
  (void)unlinkat (branch_fd, HF_ACTIVE_LINK_NEW, 0);
  if (symlinkat (name, branch_fd, HF_ACTIVE_LINK_NEW) != 0
      || renameat (branch_fd, HF_ACTIVE_LINK_NEW, branch_fd, HF_ACTIVE_LINK) != 0)
    return hf_throw_errno (error, "Cannot set %s", HF_ACTIVE_LINK);
  return hf_dir_sync (branch_fd, ".", error);
}

static gboolean
put_into_service (HfStaging *staging, const HfDeploymentInfo *info, const char *name,
                  gboolean *pending, GError **error)
{
  HfInstallation *installation = staging->installation;
  if (!make_branch (installation, info->ref, error))
    return FALSE;
  hf_autofd int branch_fd
      = hf_open_beneath (installation->deploy_fd, info->ref->full, O_PATH | O_DIRECTORY, 0);
  if (branch_fd < 0)
    return hf_throw_errno (error, "Cannot open %s", info->ref->full);
  if (renameat (installation->staging_fd, staging->name, branch_fd, name) != 0)
    return hf_throw_errno (error, "Cannot move the new deployment into %s", HF_DEPLOY_DIR);
  /* A crash here leaves a deployment that `active` does not name, COMPLETE and not SETTLED: whoever
   * finds the mark removes it. */
  if (!hf_dir_sync (branch_fd, ".", error) || !sync_branch (installation, info->ref, error)
      || !hf_dir_sync (installation->root_fd, HF_STAGING_DIR, error)
      || !flip_active (branch_fd, name, error))
    return FALSE;
  /* In service from here on.  A crash leaves the state or the former deployment behind: the mark.
   */
  gboolean in_place = FALSE;
  if (!hf_deployment_set_state (staging->dir_fd, HF_STATE_SETTLED, error)
      || !hf_retire_others (installation, info->ref, branch_fd, name, &in_place, error))
    return FALSE;
  *pending |= in_place;
  return TRUE;
}

/**
 * hf_publish:
 * @staging: an entry whose deployment is %HF_STATE_COMPLETE
 * @info: what it is
 * @expected_active: (nullable): the name of the deployment that @staging was built to replace
 *
 * Puts the deployment into service and takes those before it out of it.
 *
 * Locks: takes `lock`; needs the entry's own, which is kept.
 *
 * Returns: %FALSE with %HF_ERROR_CHANGED if another deployment is active than expected,
 *   %HF_ERROR_NOT_FOUND if the runtime has gone, or another error; the entry is then still in
 *   staging/, or a sweeper's
 */
gboolean
hf_publish (HfStaging *staging, const HfDeploymentInfo *info, const char *expected_active,
            GError **error)
{
  HfInstallation *installation = staging->installation;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  gboolean pending;
  g_autofree char *name = hf_deployment_name (info->commit, staging->name);
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_change_begin (installation, &pending, error))
    return FALSE;
  if (!check_still_wanted (installation, info, expected_active, error))
    {
      g_autoptr (GError) ignored = NULL; /* the mark stays: the next one settles */
      (void)!hf_change_end (installation, pending, &ignored);
      return FALSE;
    }
  return put_into_service (staging, info, name, &pending, error)
         && hf_change_end (installation, pending, error);
}
