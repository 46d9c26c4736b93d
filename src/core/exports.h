/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * exports/ of an installation: the names by which the desktop and the shell find what is deployed.
 *
 *     exports/share/applications/ID.desktop -> ../../owners/ID/export/share/applications/ID.desktop
 *     exports/share/icons/.../ID.png        -> ../../.../owners/ID/tree/export/share/icons/.../ID.png
 *     exports/owners/ID                     -> ../../deploy/app/ID/ARCH/BRANCH/active
 *
 * So what a name leads to changes with `active`, at once with all others, and only the set of names needs
 * work of its own.  That is done by those who change `active`, in the same hold of `lock` and within the
 * unsettled mark; what a crash leaves is settled with all the rest.
 *
 * Nothing here fails what it is a part of: what cannot be done is said, and left to settling by the mark.
 */
#pragma once

#include "export-name.h"
#include "installation.h"
#include "ref.h"

gboolean hf_exports_withdraw (HfInstallation *installation, const HfRef *ref,
                              const char *next) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_exports_offer (HfInstallation *installation,
                           const HfRef *ref) G_GNUC_WARN_UNUSED_RESULT;
char **hf_exports_of (HfInstallation *installation, const HfRef *ref);

/* exports-settle.c */

typedef struct
{
  char *path;        /* owned; below the installation */
  const char *cause; /* what is wrong with it */
  char *target;      /* owned; what it must lead to, or %NULL if it must go */
  gboolean foreign;  /* it is somebody else's, in the place of one of ours, and stays */
} HfExportDifference;

GPtrArray *hf_exports_differences (HfInstallation *installation, GError **error);
gboolean hf_exports_settle (HfInstallation *installation) G_GNUC_WARN_UNUSED_RESULT;
