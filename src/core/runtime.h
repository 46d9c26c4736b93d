/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where an application's runtime may be: in its own installation, or in one of the system's, which share
 * theirs with everybody.  What is said of another installation is true when it is said: its `lock` is
 * not ours to hold, and an ordinary user cannot take it.  So an application can lose its runtime to an uninstall
 * elsewhere, and is then refused by the launch, which holds what it finds.
 */
#pragma once

#include "deployed.h"

/* An application of another installation. */
typedef struct
{
  HfInstallation *where; /* not owned */
  HfDeployed *deployed;  /* owned */
} HfDependent;

gboolean hf_runtime_find (HfInstallation *installation, const HfRef *runtime,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_runtime_check (HfInstallation *installation, const HfDeploymentInfo *app,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
GPtrArray *hf_runtime_dependents (HfInstallation *installation, GError **error);
