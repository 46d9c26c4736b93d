/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the parts of a repair share.  Each part finds, says and mends one kind of thing, in that
 * order, by the same code whether it is to mend or only to look.
 */
#pragma once

#include "core/branch.h"
#include "core/deployment.h"
#include "core/sweep.h"
#include "examine.h"
#include "repair.h"

struct HfRepair
{
  HfRepairOptions options;
  GPtrArray *findings; /* owned; of HfFinding */
  GPtrArray *only;     /* owned; of HfRef, to look at no other; or %NULL */
  HfStore *store;      /* not owned; %NULL while the skeleton is looked at */
  HfVerify *verify;    /* owned */
  gboolean settle;     /* what was found is settled as after a crash */
  GPtrArray *debris;   /* owned; of HfFinding, not owned: what that puts right */
  HfRef *lost;         /* owned; what is deployed, does not look so and cannot be mended; or NULL */
  gboolean sweep;      /* what was found or done leaves something to sweep */
  gboolean full;       /* and something that only a full sweep finds */
  HfSweepReport *swept; /* owned; what that sweep did; or %NULL */
};

gboolean hf_repair_any_left (const HfRepair *repair);
HfFinding *hf_repair_find (HfRepair *repair, const char *thing, const char *cause,
                           const char *mending);
HfFinding *hf_repair_find_left (HfRepair *repair, const char *thing, const char *cause,
                                const char *advice);
void hf_repair_note (HfRepair *repair, const char *thing, const char *cause, const char *advice);
void hf_finding_settle (HfFinding *finding, const GError *failed);

/* repair-active.c */
gboolean hf_repair_active (HfRepair *repair, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_repair_wants (const HfRepair *repair, const HfRef *ref);

/* repair-deployment.c */
gboolean hf_repair_deployments (HfRepair *repair, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* repair-subject.c: a deployment that is looked at */
typedef struct
{
  HfRef *ref;             /* owned */
  char *name;             /* owned; COMMIT.SERIAL */
  char *path;             /* owned; below the root */
  char *commit;           /* owned */
  char *origin;           /* owned; as recorded, or as it must be guessed */
  HfDeploymentInfo *info; /* owned; or %NULL if there is no usable record */
  int dir_fd;             /* owned; -1 if it is not there */
  int ref_fd;             /* owned; its `.ref`, locked shared, or -1 */
  GPtrArray *damages;     /* owned; of HfDamage */
  GHashTable *needs;      /* owned; a set of HfBadObject */
  gboolean unknown;       /* whether it may need more, see HfExamination */
  GPtrArray *findings;    /* owned; of HfFinding, not owned */
} HfSubject;

void hf_subject_free (HfSubject *subject);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfSubject, hf_subject_free)
GPtrArray *hf_subjects_list (HfRepair *repair, GError **error);
gboolean hf_subject_examine (HfSubject *subject, HfRepair *repair, GHashTable *bad,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_subject_lacks (const HfSubject *subject);
char *hf_subject_obstacle (const HfSubject *subject, const HfRepair *repair);

/* repair-object.c */
gboolean hf_repair_objects (HfRepair *repair, GHashTable *bad, const GPtrArray *subjects,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* repair-mode.c */
void hf_repair_mode (HfRepair *repair, int dfd, const char *name, const char *thing, mode_t wanted);

/* repair-entry.c */
gboolean hf_repair_entries (HfRepair *repair, GError **error) G_GNUC_WARN_UNUSED_RESULT;

gboolean hf_repair_entry (HfRepair *repair, const char *path,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* repair-record.c */
HfDeploymentInfo *hf_record_recover (HfRepair *repair, int dir_fd, const char *name,
                                     GError **error);

/* repair-debris.c */
gboolean hf_repair_debris (HfRepair *repair, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* repair-exports.c */
gboolean hf_repair_exports (HfRepair *repair, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* repair-store.c */
gboolean hf_repair_store (HfRepair *repair, GError **error) G_GNUC_WARN_UNUSED_RESULT;
