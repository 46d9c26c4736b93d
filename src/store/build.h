/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One attempt at building a deployment: an entry of staging/ from its birth to its publication, and
 * its end if anything fails.
 */
#pragma once

#include "core/deployment.h"
#include "core/staging.h"
#include "install.h"
#include "scratch.h"

typedef struct
{
  const HfInstallContext *context; /* not owned */
  const HfRef *ref;                /* not owned */
  const char *origin;              /* not owned */
  char *expected_active;  /* owned; what the ref was deployed as at the beginning, or %NULL */
  gboolean unless_held;   /* a rollback that holds the ref keeps it as it is */
  HfStaging *staging;     /* owned */
  HfScratch *fetch;       /* owned; or %NULL */
  OstreeRepo *foreign;    /* owned; or %NULL */
  HfDeploymentInfo *info; /* owned; once imported */

  /* For a repair, which builds the same image anew. */
  GHashTable *distrusted; /* not owned; see hf_import_trusts(); or %NULL */
  const char
      *replaces; /* not owned; the name of the deployment in whose place it comes, or %NULL */
  gint64 time;   /* when that was deployed, or 0 for now */
} HfBuild;

HfBuild *hf_build_begin (const HfInstallContext *context, const HfRef *ref, const char *origin,
                         GError **error);
gboolean hf_build_open_fetch (HfBuild *build, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_build_import (HfBuild *build, const char *commit,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_build_publish (HfBuild *build, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_build_end (HfBuild *build);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfBuild, hf_build_end)

/* install.c: as an install does it. */
gboolean hf_install_again (HfBuild *build, const char *commit,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
