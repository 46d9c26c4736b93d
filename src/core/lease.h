/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A lease: the shared lock on the `.ref` of a deployment that was in service when it was taken.
 * While it is held, no file of the deployment goes (G1).  Launchers take leases.
 */
#pragma once

#include "deployment.h"
#include "installation.h"

typedef struct
{
  HfRef *ref;             /* owned */
  char *name;             /* owned; COMMIT.SERIAL */
  HfDeploymentInfo *info; /* owned */
  int dir_fd;             /* the deployment's directory, O_PATH; valid wherever it is moved */
  int lock_fd;            /* its `.ref`, locked shared; the lock lasts as long as any copy of it */
} HfLease;

HfLease *hf_lease_acquire (HfInstallation *installation, const HfRef *ref, GError **error);
void hf_lease_free (HfLease *lease);
char *hf_lease_path (const HfInstallation *installation, const HfLease *lease);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfLease, hf_lease_free)
