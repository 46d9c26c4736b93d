/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reclaiming backing objects for a sweep: the choice between the two ways.
 */
#include "prune.h"

#include "core/lock.h"
#include "links-count.h"
#include "prune-fast.h"
#include "prune-full.h"
#include "release.h"

/* See HfSweepStore.  Entries whose deletion began while links did not tell still have their commits
 * in the repository: those go before a prune by links takes what they reach. */
static gboolean
choose (gpointer data, HfSweepTarget *const *targets, gsize n_targets, HfSweepReport *report,
        const char **out_reason, GError **error)
{
  HfStore *store = data;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  hf_progress_begin (report->progress, "Freeing objects", 0);
  return hf_lock_take (store->installation, HF_LOCK_REPO_PRUNE, &lock, error)
         && hf_links_count (store, targets, n_targets, out_reason, error)
         && (*out_reason != NULL || hf_release_dying (store, report, error));
}

/* See HfSweepStore. */
static gboolean
prune_by_links (gpointer data, const HfSweepTarget *target, HfSweepReport *report, GError **error)
{
  return hf_prune_fast (data, target, report, error);
}

/* See HfSweepStore. */
static gboolean
prune_by_marks (gpointer data, HfSweepTarget *const *targets, gsize n_targets,
                HfSweepReport *report, GError **error)
{
  return hf_prune_full (data, targets, n_targets, report, error);
}

/* See HfSweepStore.  Where links cannot be counted the prune decides, commits first too. */
static gboolean
release_commit (gpointer data, const HfSweepTarget *target, HfSweepReport *report,
                gboolean *out_released, GError **error)
{
  const char *reason;
  *out_released = FALSE;
  HfSweepTarget *const targets[] = { (HfSweepTarget *)target };
  return hf_links_count (data, targets, 1, &reason, error)
         && (reason != NULL
             || hf_release_commit (data, target->dir_fd, target->info->commit, report, out_released,
                                   error));
}

/**
 * hf_store_for_sweep:
 * @store: the installation's store; it outlives the result
 *
 * Returns: what a sweep needs of it
 */
HfSweepStore
hf_store_for_sweep (HfStore *store)
{
  return (HfSweepStore){ .release_commit = release_commit,
                         .choose = choose,
                         .prune_by_links = prune_by_links,
                         .prune_by_marks = prune_by_marks,
                         .store = store };
}
