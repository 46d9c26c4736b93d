/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sweeper: deletes every entry that is out of service and that nothing holds, then has the
 * store prune the objects that only those needed.  It knows no libostree; the store's part comes as
 * a table of functions.
 */
#pragma once

#include "base/progress.h"
#include "deployment.h"
#include "installation.h"
#include "keep.h"
#include "trash.h"

typedef enum
{
  HF_SWEEP_SWEPT,   /* gone */
  HF_SWEEP_HELD,    /* somebody holds its `.ref` */
  HF_SWEEP_DAMAGED, /* a person is needed; `reason` says why */
  HF_SWEEP_KEPT,    /* `root` keeps it, or it is spared until `until` */
} HfSweepOutcome;

typedef struct
{
  char *path;             /* owned; below the installation */
  HfDeploymentInfo *info; /* owned; %NULL if it was never complete */
  HfSweepOutcome outcome;
  GPtrArray *holders; /* owned; of HfHolder, for a held entry; may be empty */
  char *reason;       /* owned; for a damaged entry */
  char *root;         /* owned; NAMESPACE/NAME, or %NULL */
  gint64 until;       /* seconds since 1970; without a root */
} HfSweepEntry;

typedef struct HfPressure HfPressure;

typedef struct
{
  GPtrArray *entries;  /* owned; of HfSweepEntry */
  gboolean dry_run;    /* asked for: nothing is changed, and all of this is what would be done */
  guint64 objects;     /* unlinked from the repository */
  guint64 bytes;       /* freed on the disk, by all that was deleted */
  guint64 inodes;      /* freed, by all that was deleted */
  gboolean full;       /* whether the full prune is asked for, and afterwards whether it was used */
  const char *reason;  /* not owned; why the full prune was used, if it was not asked for */
  gboolean now;        /* asked for: nothing is spared that was removed lately */
  GPtrArray *warnings; /* owned; of strings: what is wrong with roots */
  guint held, damaged, swept, kept, bad_roots;
  HfProgress *progress; /* not owned; or %NULL */
  HfPressure
      *pressure; /* owned; what was given up for want of room, or %NULL if there was enough */
} HfSweepReport;

HfSweepReport *hf_sweep_report_new (void);
void hf_sweep_report_clear (HfSweepReport *report);
HfSweepEntry *hf_sweep_report_add (HfSweepReport *report, HfTrashEntry *entry,
                                   HfSweepOutcome outcome);
void hf_sweep_report_swept (HfSweepReport *report, HfTrashEntry *entry);
void hf_sweep_report_damaged (HfSweepReport *report, HfTrashEntry *entry, const GError *why);
void hf_sweep_report_kept (HfSweepReport *report, HfTrashEntry *entry, const HfKeepReason *reason);
void hf_sweep_report_carry_over (HfSweepReport *report, HfSweepReport *earlier);
void hf_sweep_report_free (HfSweepReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfSweepReport, hf_sweep_report_free)

/* An entry that the sweeper has locked exclusively and whose deletion began. */
typedef struct
{
  const char *path;             /* below the installation */
  int dir_fd;                   /* its directory */
  const HfDeploymentInfo *info; /* what it was */
} HfSweepTarget;

/* What the store does for a sweep.  All of it runs under `prune-lock`. */
typedef struct
{
  /* Takes a commit out of the repository unless another deployment has it, and tells whether it is out
   * by now.  Called with the repository locked for pruning. */
  gboolean (*release_commit) (gpointer store, const HfSweepTarget *target, HfSweepReport *report,
                              gboolean *out_released, GError **error);
  /* Tells why link counts do not say what is needed, or %NULL if they do, and then makes sure that
   * no commit is stored of an entry whose deletion began. */
  gboolean (*choose) (gpointer store, HfSweepTarget *const *targets, gsize n_targets,
                      HfSweepReport *report, const char **out_reason, GError **error);
  /* Unlink the objects that nothing but the targets needs, taking the repository's lock in batches:
   * by link counts, where every other entry's links count; or by what all the others are found to
   * need.  The former may fail where the latter does not. */
  gboolean (*prune_by_links) (gpointer store, const HfSweepTarget *target, HfSweepReport *report,
                              GError **error);
  gboolean (*prune_by_marks) (gpointer store, HfSweepTarget *const *targets, gsize n_targets,
                              HfSweepReport *report, GError **error);
  gpointer store;
} HfSweepStore;

gboolean hf_sweep_needed (HfInstallation *installation, HfSweepReport *report, gboolean *out,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_sweep_all (HfInstallation *installation, const HfSweepStore *store,
                       HfSweepReport *report, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_sweep_entry (HfInstallation *installation, HfTrashEntry *entry,
                         const HfSweepStore *store, HfSweepReport *report,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_sweep_staging (HfInstallation *installation, const char *name,
                           const HfSweepStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
