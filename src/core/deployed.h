/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is deployed, as deploy/ says it: a ref is deployed if its branch directory has an `active`
 * link that names a deployment in service.  Reads only, takes no lock, and retries where somebody
 * changes things underneath.
 */
#pragma once

#include "deployment.h"
#include "installation.h"

typedef enum
{
  HF_STANDING_ACTIVE,   /* what runs if its ref is run */
  HF_STANDING_PREVIOUS, /* kept beside that, for rollback */
  HF_STANDING_REMOVED,  /* out of service; it can be restored, unless it lies there in place */
  HF_STANDING_DELETING, /* its deletion began */
} HfStanding;

typedef struct
{
  HfRef *ref;             /* owned */
  char *name;             /* owned; COMMIT.SERIAL */
  char *path;             /* owned; of its directory, below the installation */
  HfDeploymentInfo *info; /* owned */
  HfStanding standing;
  gboolean in_use; /* only hf_inventory_list() and hf_unused_list() look */
} HfDeployed;

void hf_deployed_free (HfDeployed *deployed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfDeployed, hf_deployed_free)

GPtrArray *hf_deployed_list (HfInstallation *installation, GError **error);
GPtrArray *hf_deployed_list_in_service (HfInstallation *installation, GError **error);
GPtrArray *hf_deployed_match (HfInstallation *installation, const HfRefPattern *pattern,
                              GError **error);
HfDeployed *hf_deployed_find (HfInstallation *installation, const char *text, const char *branch,
                              GError **error);
HfDeployed *hf_deployed_get (HfInstallation *installation, const HfRef *ref, GError **error);
