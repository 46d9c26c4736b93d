/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finding and mending what is outside the protocol: what a failing disk, a person or a restored
 * backup did to an installation.  What a crash leaves is no business of it: any next command goes on
 * from there.
 */
#pragma once

#include "base/progress.h"
#include "core/sweep.h"
#include "store.h"

typedef enum
{
  HF_FINDING_PLANNED, /* not mended yet, or only looked for */
  HF_FINDING_MENDED,
  HF_FINDING_LEFT,  /* a person is needed */
  HF_FINDING_NOTED, /* nothing of ours, and no harm: only said */
} HfFindingOutcome;

typedef struct
{
  char *thing;   /* owned; below the installation */
  char *cause;   /* owned; what is wrong with it */
  char *mending; /* owned; what will be done, or what a person can do */
  HfFindingOutcome outcome;
  char *reason; /* owned; why it could not be mended as planned, or %NULL */
} HfFinding;

/* Called with each finding, before anything is done about it. */
typedef void (*HfRepairFound) (const HfFinding *finding, gpointer data);

typedef struct
{
  gboolean dry_run;
  const char *program; /* not owned; see HfInstallContext */
  HfRepairFound found; /* or %NULL */
  gpointer data;
  HfProgress *progress;      /* not owned; or %NULL */
  GCancellable *cancellable; /* not owned; or %NULL */
} HfRepairOptions;

typedef struct HfRepair HfRepair;

HfRepair *hf_repair_new (const HfRepairOptions *options);
void hf_repair_free (HfRepair *repair);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfRepair, hf_repair_free)

gboolean hf_repair_skeleton (HfRepair *repair, const char *path,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_repair_installation (HfRepair *repair, HfStore *store,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_repair_limit (HfRepair *repair, GPtrArray *only);
const GPtrArray *hf_repair_findings (const HfRepair *repair);
const HfSweepReport *hf_repair_swept (const HfRepair *repair);
