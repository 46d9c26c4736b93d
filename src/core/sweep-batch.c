/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is done to a batch of locked entries: steps 2 to 5 of DESIGN section 5.  A crash at any point leaves an
 * entry that a later sweep takes from there.
 */
#include "sweep-private.h"

#include "base/error.h"
#include "base/language.h"
#include "base/test-hook.h"
#include "lock.h"

#include <string.h>

static gboolean
fall_to_deleting (HfSweepRun *sweep, HfTrashEntry *entry, GError **error)
{
  if (sweep->leaving != NULL)
    {
      hf_ledger_begin (sweep->ledger, entry->dir_fd);
      entry->state = HF_STATE_DELETING;
    }
  else if (entry->state != HF_STATE_DELETING
           && hf_deployment_set_state (entry->dir_fd, HF_STATE_DELETING, error))
    entry->state = HF_STATE_DELETING;
  return entry->state == HF_STATE_DELETING;
}

/* Step 2: from here on the entry cannot be brought back, and its commit does not promise that its
 * objects are there (G4).  A crash between the two leaves the state, and the next sweep does it
 * again.
 *
 * A full btrfs can refuse a change of mode, too, until something has been deleted.  What is retired in
 * place cannot be brought back anyway: if its commit is out, the mode may wait until its tree has gone.
 * A crash meanwhile leaves it retired, with its pins, and its commit out; the next sweep does it again. */
static gboolean
begin_deletion (HfSweepRun *sweep, HfTrashEntry *entry, GError **error)
{
  g_auto (HfLock) prune_lock = HF_LOCK_INIT;
  g_auto (HfLock) repo_lock = HF_LOCK_INIT;
  g_autoptr (GError) no_room = NULL;
  gboolean released = FALSE;
  if (!hf_lock_take (sweep->installation, HF_LOCK_PRUNE, &prune_lock, error)
      || !hf_lock_take (sweep->installation, HF_LOCK_REPO_PRUNE, &repo_lock, error))
    return FALSE;
  gboolean fallen = fall_to_deleting (sweep, entry, &no_room);
  HfSweepTarget target = { entry->path, entry->dir_fd, entry->info };
  if ((fallen || (entry->state == HF_STATE_RETIRED && hf_error_is (no_room, HF_ERROR_NO_SPACE)))
      && !sweep->store->release_commit (sweep->store->store, &target, sweep->report, &released,
                                        error))
    return FALSE;
  if (fallen || released)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&no_room));
  return FALSE;
}

/**
 * hf_sweep_delete_trees:
 * @sweep: a sweep with a batch of locked entries
 *
 * Steps 2 and 3.  What cannot be deleted stays, pins and all, and leaves the batch.  What finds no room
 * for its change of state is tried once more, when the trees of the others have gone.
 *
 * Locks: takes `prune-lock` and the repository, for each entry and a moment.
 */
void
hf_sweep_delete_trees (HfSweepRun *sweep)
{
  GDestroyNotify destroy = (GDestroyNotify)hf_trash_entry_free;
  g_autoptr (GPtrArray) deleted = g_ptr_array_new_with_free_func (destroy);
  g_autoptr (GPtrArray) stuck = g_ptr_array_new_with_free_func (destroy);
  HF_TEST_HOOK ("batch-locked");
  hf_progress_begin (sweep->report->progress, "Deleting", 0);
  for (guint round = 0; round < 2; round++)
    for (guint i = sweep->batch->len; i-- > 0;)
      {
        HfTrashEntry *entry = sweep->batch->pdata[i];
        g_autoptr (GError) failed = NULL;
        gboolean gone = begin_deletion (sweep, entry, &failed)
                        && hf_trash_entry_delete_tree (entry, &failed)
                        && fall_to_deleting (sweep, entry, &failed);
        if (!gone && round == 0 && hf_error_is (failed, HF_ERROR_NO_SPACE))
          continue;
        if (!gone)
          hf_sweep_report_damaged (sweep->report, entry, failed);
        g_ptr_array_insert (gone ? deleted : stuck, 0, g_ptr_array_steal_index (sweep->batch, i));
      }
  g_ptr_array_extend_and_steal (sweep->batch, g_steal_pointer (&deleted));
}

static gboolean
is_reported (const HfSweepRun *sweep, const HfTrashEntry *entry)
{
  for (guint i = 0; i < sweep->report->entries->len; i++)
    if (strcmp (((HfSweepEntry *)sweep->report->entries->pdata[i])->path, entry->path) == 0)
      return TRUE;
  return FALSE;
}

/* Entries whose sweeper crashed after the prune.  Their pins are the last links to objects that have
 * gone from the repository, or come anew: they go before anything is decided by links.  @out_reason
 * is set if one has to stay, whoever holds it. */
static gboolean
finish_pruned (HfSweepRun *sweep, const char **out_reason, GError **error)
{
  g_autoptr (GPtrArray) entries = hf_trash_list (sweep->installation, error);
  if (entries == NULL)
    return FALSE;
  for (guint i = 0; i < entries->len; i++)
    {
      HfTrashEntry *entry = entries->pdata[i];
      g_autoptr (GError) failed = NULL;
      if (!hf_trash_entry_may_be_pruned (entry))
        continue;
      HfTrashOutcome outcome = hf_trash_entry_lock (entry, &failed);
      if (outcome == HF_TRASH_EXHAUSTED)
        {
          g_propagate_prefixed_error (error, g_steal_pointer (&failed), "%s: ", entry->path);
          return FALSE;
        }
      if (outcome == HF_TRASH_LOCKED && entry->state != HF_STATE_PRUNED)
        continue;
      if (outcome == HF_TRASH_LOCKED && hf_trash_entry_delete_rest (entry, &failed))
        {
          hf_sweep_report_swept (sweep->report, entry);
          continue;
        }
      *out_reason = N_ ("an entry that was pruned is held, and its links still count");
      if (failed != NULL && !is_reported (sweep, entry))
        hf_sweep_report_damaged (sweep->report, entry, failed);
    }
  return TRUE;
}

/* Step 5: what a crash leaves here, finish_pruned() finds. */
static void
finish_entry (HfSweepRun *sweep, HfTrashEntry *entry)
{
  g_autoptr (GError) failed = NULL;
  if ((sweep->leaving != NULL || hf_deployment_set_state (entry->dir_fd, HF_STATE_PRUNED, &failed))
      && hf_trash_entry_delete_rest (entry, &failed))
    hf_sweep_report_swept (sweep->report, entry);
  else
    hf_sweep_report_damaged (sweep->report, entry, failed);
}

typedef struct
{
  HfSweepTarget *targets;   /* owned */
  HfSweepTarget **pointers; /* owned */
  guint n;
} Targets;

static void
targets_clear (Targets *targets)
{
  g_free (targets->targets);
  g_free (targets->pointers);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Targets, targets_clear)

static void
targets_init (Targets *targets, const GPtrArray *batch)
{
  targets->n = batch->len;
  targets->targets = g_new0 (HfSweepTarget, batch->len);
  targets->pointers = g_new0 (HfSweepTarget *, batch->len);
  for (guint i = 0; i < batch->len; i++)
    {
      const HfTrashEntry *entry = batch->pdata[i];
      targets->targets[i] = (HfSweepTarget){ entry->path, entry->dir_fd, entry->info };
      targets->pointers[i] = &targets->targets[i];
    }
}

static gboolean
prune_by_marks (HfSweepRun *sweep, const Targets *targets, guint first, const char *reason,
                GError **error)
{
  const HfSweepStore *store = sweep->store;
  if (!store->prune_by_marks (store->store, targets->pointers + first, targets->n - first,
                              sweep->report, error))
    return FALSE;
  sweep->report->full = TRUE;
  sweep->report->reason = reason;
  return TRUE;
}

/* One after the other: until an entry's pins are dropped they would keep what it shares with the
 * next.  Where links turn out not to tell, for one entry or for all, the rest is pruned by marks; and
 * if those cannot be had either, only the entry that needs them stays (G5). */
static void
prune_each_by_links (HfSweepRun *sweep, const Targets *targets)
{
  const HfSweepStore *store = sweep->store;
  gboolean pruned = FALSE;
  for (guint i = 0; i < targets->n; i++)
    {
      HfTrashEntry *entry = sweep->batch->pdata[i];
      g_autoptr (GError) by_links = NULL;
      g_autoptr (GError) by_marks = NULL;
      if (!pruned
          && !store->prune_by_links (store->store, targets->pointers[i], sweep->report, &by_links))
        {
          pruned = prune_by_marks (sweep, targets, i, N_ ("links do not tell what an entry needs"),
                                   &by_marks);
          if (!pruned)
            {
              hf_sweep_report_damaged (sweep->report, entry, by_marks);
              continue;
            }
        }
      finish_entry (sweep, entry);
    }
}

static gboolean
prune_batch (HfSweepRun *sweep, const char *reason, GError **error)
{
  g_auto (Targets) targets = { 0 };
  const HfSweepStore *store = sweep->store;
  targets_init (&targets, sweep->batch);
  if (reason == NULL
      && !store->choose (store->store, targets.pointers, targets.n, sweep->report, &reason, error))
    return FALSE;
  if (!sweep->full && reason == NULL)
    {
      prune_each_by_links (sweep, &targets);
      return TRUE;
    }
  if (!prune_by_marks (sweep, &targets, 0, reason, error))
    return FALSE;
  for (guint i = 0; i < targets.n; i++)
    finish_entry (sweep, sweep->batch->pdata[i]);
  return TRUE;
}

/**
 * hf_sweep_prune_and_finish:
 * @sweep: a sweep whose batch has lost its trees
 *
 * Steps 4 and 5, by one pruner at a time from the first decision to the last pin dropped.
 *
 * Locks: takes `prune-lock`, and the repository in batches.
 *
 * Returns: %FALSE with @error set if it could not go on
 */
gboolean
hf_sweep_prune_and_finish (HfSweepRun *sweep, GError **error)
{
  g_auto (HfLock) prune_lock = HF_LOCK_INIT;
  const char *reason = NULL;
  if (!hf_lock_take (sweep->installation, HF_LOCK_PRUNE, &prune_lock, error)
      || !finish_pruned (sweep, &reason, error))
    return FALSE;
  return (sweep->batch->len == 0 && !sweep->full) || prune_batch (sweep, reason, error);
}
