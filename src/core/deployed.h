/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is deployed, as deploy/ says it: a ref is deployed if its branch directory has an `active`
 * link that names a deployment in service.  Reads only, takes no lock, and retries where somebody
 * changes things underneath.
 */
#pragma once

#include "deployment.h"
#include "installation.h"

typedef struct
{
  HfRef *ref;             /* owned */
  char *name;             /* owned; COMMIT.SERIAL */
  HfDeploymentInfo *info; /* owned */
} HfDeployed;

void hf_deployed_free (HfDeployed *deployed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfDeployed, hf_deployed_free)

gboolean hf_active_read (HfInstallation *installation, const HfRef *ref, char **out,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

GPtrArray *hf_deployed_list (HfInstallation *installation, GError **error);
GPtrArray *hf_deployed_match (HfInstallation *installation, const HfRefPattern *pattern,
                              GError **error);
HfDeployed *hf_deployed_find (HfInstallation *installation, const char *text, const char *branch,
                              GError **error);
HfDeployed *hf_deployed_get (HfInstallation *installation, const HfRef *ref, GError **error);
