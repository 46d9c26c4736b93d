/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A deployment being built, staging/NAME.  Born under `lock` with its `.ref` locked shared, so that
 * no sweeper ever sees it unlocked.
 */
#pragma once

#include "installation.h"

typedef struct
{
  HfInstallation *installation; /* not owned */
  char *name;                   /* owned */
  int dir_fd;
  int lock_fd; /* its `.ref`, locked shared until this is freed or the process ends */
} HfStaging;

HfStaging *hf_staging_create (HfInstallation *installation, GError **error);
void hf_staging_unlock (HfStaging *self);
void hf_staging_free (HfStaging *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfStaging, hf_staging_free)
