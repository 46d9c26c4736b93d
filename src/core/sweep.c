/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sweeper.  Entries are locked without waiting, so that one that is held never delays another,
 * and a bad one is reported and passed over (G5).  Those that are ours go through the steps of
 * DESIGN section 5 in batches, so that a prune that has to look at the whole repository is paid
 * once for many of them.
 */
#include "sweep-private.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/lock-wait.h"
#include "base/test-hook.h"
#include "branch.h"
#include "holders.h"
#include "keep.h"
#include "layout.h"
#include "lock.h"
#include "pressure.h"
#include "settle.h"
#include "trash.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

/* A prune by marks is paid once a batch, and each entry of it has two descriptors open. */
#define BATCH             100
#define ENTRY_DESCRIPTORS 2

#define PATIENCE          (30 * G_USEC_PER_SEC) /* with another sweeper */

/* An entry of staging/ that is held is an install at work, not something in use. */
static void
report_held (HfSweepRun *sweep, HfTrashEntry *entry)
{
  if (entry->staging)
    return;
  int ref_fd = entry->ref_fd;
  HfSweepEntry *line = hf_sweep_report_add (sweep->report, entry, HF_SWEEP_HELD);
  sweep->report->held++;
  if (sweep->holders == NULL)
    sweep->holders = hf_holders_read (NULL);
  g_autoptr (GPtrArray) found
      = sweep->holders == NULL ? NULL : hf_holders_of (sweep->holders, ref_fd, NULL);
  if (found == NULL)
    return;
  g_ptr_array_unref (line->holders);
  line->holders = g_steal_pointer (&found);
}

/* A root may have been made since the entries were looked at; now that they are locked, none can. */
static gboolean
leave_rooted (HfSweepRun *sweep, GError **error)
{
  if (sweep->keep == NULL || sweep->batch->len == 0)
    return TRUE;
  if (!hf_keep_refresh (sweep->keep, error))
    return FALSE;
  for (guint i = sweep->batch->len; i-- > 0;)
    {
      HfTrashEntry *entry = sweep->batch->pdata[i];
      HfKeepReason reason;
      if (!hf_keep_rooted (sweep->keep, entry, &reason))
        continue;
      hf_sweep_report_kept (sweep->report, entry, &reason);
      g_ptr_array_remove_index (sweep->batch, i);
    }
  return TRUE;
}

static gboolean
flush (HfSweepRun *sweep, GError **error)
{
  if (!leave_rooted (sweep, error))
    {
      g_ptr_array_set_size (sweep->batch, 0);
      return FALSE;
    }
  hf_sweep_delete_trees (sweep);
  gboolean done = hf_sweep_prune_and_finish (sweep, error);
  g_ptr_array_set_size (sweep->batch, 0);
  return done;
}

/* Puts @entry into the batch, or deals with it here. */
static gboolean
take_entry (HfSweepRun *sweep, HfTrashEntry *taken, GError **error)
{
  g_autoptr (HfTrashEntry) entry = taken;
  g_autoptr (GError) failed = NULL;
  HfKeepReason reason;
  if (sweep->keep != NULL && hf_keep_keeps (sweep->keep, entry, &reason))
    {
      hf_sweep_report_kept (sweep->report, entry, &reason);
      return TRUE;
    }
  HF_TEST_HOOK ("entry-looked-at");
  switch (entry->ref_fd >= 0 ? HF_TRASH_LOCKED : hf_trash_entry_lock (entry, &failed))
    {
    case HF_TRASH_EXHAUSTED:
      g_propagate_prefixed_error (error, g_steal_pointer (&failed), "%s: ", entry->path);
      return FALSE;
    case HF_TRASH_GONE:
      if (entry->busy && !entry->staging)
        g_ptr_array_add (sweep->others, g_steal_pointer (&entry));
      break;
    case HF_TRASH_HELD:
      report_held (sweep, entry);
      break;
    case HF_TRASH_DAMAGED:
      hf_sweep_report_damaged (sweep->report, entry, failed);
      break;
    case HF_TRASH_LOCKED:
      if (entry->state == HF_STATE_PRUNED)
        break; /* finish_pruned() does those, under `prune-lock` */
      if (entry->state != HF_STATE_ABSENT)
        g_ptr_array_add (sweep->batch, g_steal_pointer (&entry));
      else if (hf_trash_entry_delete_tree (entry, &failed)
               && hf_trash_entry_delete_rest (entry, &failed))
        hf_sweep_report_swept (sweep->report, entry);
      else
        hf_sweep_report_damaged (sweep->report, entry, failed);
      break;
    default:
      g_assert_not_reached ();
    }
  return TRUE;
}

static gboolean
settle_if_marked (HfSweepRun *sweep, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  gboolean marked;
  if (!hf_lock_take (sweep->installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_unsettled_is_marked (sweep->installation, &marked, error))
    return FALSE;
  if (!marked)
    return TRUE;
  return sweep->leaving != NULL ? hf_settle_look (sweep->installation, sweep->leaving, error)
                                : hf_settle (sweep->installation, error);
}

/* Settling has passed it over: it stays, with the mark, until somebody has mended it. */
static gboolean
report_active (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  HfSweepRun *sweep = data;
  g_autofree char *active = NULL;
  g_autoptr (GError) failed = NULL;
  if (hf_active_look (branch_fd, &active, &failed) || !hf_error_is (failed, HF_ERROR_DAMAGED))
    return TRUE;
  g_autofree char *path = g_strconcat (HF_DEPLOY_DIR "/", ref->full, "/" HF_ACTIVE_LINK, NULL);
  g_autoptr (HfTrashEntry) entry = hf_trash_entry_new_at (sweep->installation, path);
  hf_sweep_report_damaged (sweep->report, entry, failed);
  return TRUE;
}

static gboolean
report_unsettled (HfSweepRun *sweep, GError **error)
{
  gboolean marked;
  return hf_unsettled_is_marked (sweep->installation, &marked, error)
         && (!marked || hf_branches_visit (sweep->installation, report_active, sweep, error));
}

static gboolean
is_listed (const GPtrArray *entries, const char *path)
{
  for (guint i = 0; i < entries->len; i++)
    if (strcmp (((const HfTrashEntry *)entries->pdata[i])->path, path) == 0)
      return TRUE;
  return FALSE;
}

/* What is out of service, or would be by now. */
static GPtrArray *
list_entries (HfSweepRun *sweep, GError **error)
{
  g_autoptr (GPtrArray) entries = hf_trash_list (sweep->installation, error);
  for (guint i = 0; entries != NULL && sweep->leaving != NULL && i < sweep->leaving->len; i++)
    {
      const char *path = sweep->leaving->pdata[i];
      if (!is_listed (entries, path))
        g_ptr_array_add (entries, hf_trash_entry_new_leaving (sweep->installation, path));
    }
  return g_steal_pointer (&entries);
}

/* What lay out of service in place has gone: nothing to settle is left, but what it has left empty. */
static gboolean
settle_rest (HfSweepRun *sweep, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  gboolean marked;
  if (sweep->leaving == NULL)
    return settle_if_marked (sweep, error);
  if (!hf_lock_take (sweep->installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_unsettled_is_marked (sweep->installation, &marked, error))
    return FALSE;
  if (marked)
    hf_branches_prune (sweep->installation);
  return TRUE;
}

static gboolean
sweep_entries (HfSweepRun *sweep, GPtrArray *entries, GError **error)
{
  while (entries->len > 0)
    {
      if (!take_entry (sweep, g_ptr_array_steal_index (entries, 0), error)
          || (sweep->batch->len >= sweep->most && !flush (sweep, error)))
        return FALSE;
    }
  return flush (sweep, error);
}

/* Until nobody has it, it has gone or @deadline has passed; the sweep that follows finds out which. */
static void
await_other (const HfTrashEntry *other, gint64 deadline)
{
  struct pollfd polled = { .fd = -1, .events = POLLIN };
  hf_autofd int fd = hf_open_beneath (other->dir_fd, HF_REF_FILE, O_RDWR | O_NONBLOCK, 0);
  if (fd >= 0)
    polled.fd = hf_lock_wait_start (fd);
  hf_fd_clear (&fd);
  if (polled.fd < 0)
    return;
  (void)hf_lock_wait_poll (&polled, 1, deadline);
  (void)!hf_lock_wait_end (polled.fd);
}

/* What another sweeper is at is not swept before that has come to its end: whoever asked for this sweep counts on
 * it.  If the other one was killed, what it left is taken here.  Nothing is held meanwhile.  But a sweeper may be
 * stopped, and anybody who may write a `.ref` can lock it as one does: after a while that is a holder like any
 * other. */
static gboolean
follow_others (HfSweepRun *sweep, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + (HF_TEST_FLAG ("EAGER") ? 0 : PATIENCE);
  g_autoptr (GPtrArray) others = g_steal_pointer (&sweep->others);
  g_autoptr (GPtrArray) entries
      = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_trash_entry_free);
  sweep->others = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_trash_entry_free);
  for (guint i = 0; i < others->len; i++)
    {
      HfTrashEntry *other = others->pdata[i];
      HF_TEST_HOOK ("other-awaited");
      await_other (other, deadline);
      HfTrashEntry *entry = hf_trash_entry_new_at (sweep->installation, other->path);
      entry->in_place = other->in_place;
      g_ptr_array_add (entries, entry);
    }
  sweep->full = FALSE; /* all was looked at already */
  gboolean done = sweep_entries (sweep, entries, error);
  for (guint i = 0; i < sweep->others->len; i++)
    report_held (sweep, sweep->others->pdata[i]);
  return done;
}

/* Half of the descriptors that we may have are for the rest of the work. */
static guint
most_entries (void)
{
  struct rlimit limit;
  if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return 1;
  return (guint)CLAMP (limit.rlim_cur / (2 * ENTRY_DESCRIPTORS), 1, BATCH);
}

static void
sweep_init (HfSweepRun *sweep, HfInstallation *installation, const HfSweepStore *store,
            HfSweepReport *report)
{
  *sweep = (HfSweepRun){
    .installation = installation, .store = store, .report = report, .full = report->full
  };
  report->full = FALSE;
  sweep->most = most_entries ();
  sweep->batch = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_trash_entry_free);
  sweep->others = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_trash_entry_free);
}

static void
sweep_clear (HfSweepRun *sweep)
{
  g_ptr_array_unref (sweep->batch);
  g_ptr_array_unref (sweep->others);
  hf_holders_free (sweep->holders);
  hf_keep_free (sweep->keep);
  g_clear_pointer (&sweep->leaving, g_ptr_array_unref);
}

static void
use_ledger (HfSweepRun *sweep, HfLedger *ledger)
{
  sweep->ledger = sweep->installation->ledger = ledger;
  if (hf_ledger_is_dry (ledger))
    sweep->leaving = g_ptr_array_new_with_free_func (g_free);
}

static void
end_ledger (HfSweepRun *sweep)
{
  hf_ledger_get (sweep->ledger, &sweep->report->bytes, &sweep->report->inodes);
  hf_ledger_free (sweep->ledger);
  sweep->installation->ledger = NULL;
}

/**
 * hf_sweep_needed:
 * @installation: an installation
 * @report: what is kept is added to it, if there is nothing else
 * @out: (out): whether there is anything for a sweep to do
 *
 * Writes nothing, takes no lock and does not look into deploy/.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_sweep_needed (HfInstallation *installation, HfSweepReport *report, gboolean *out, GError **error)
{
  gboolean marked, removed, staging;
  *out = TRUE;
  if (!hf_unsettled_is_marked (installation, &marked, error)
      || !hf_trash_any (installation, &removed, &staging, error))
    return FALSE;
  if (marked || staging)
    return TRUE;
  g_autoptr (HfKeep) keep = hf_keep_load (installation, report->now, error);
  if (keep == NULL)
    return FALSE;
  if (hf_roots_any_ended (keep->roots) || hf_pressure_is_on (installation, keep->config))
    return TRUE;
  g_autoptr (GPtrArray) entries = removed ? hf_trash_list (installation, error) : NULL;
  if (removed && entries == NULL)
    return FALSE;
  for (guint i = 0; removed && i < entries->len; i++)
    {
      HfKeepReason reason;
      if (!hf_keep_keeps (keep, entries->pdata[i], &reason))
        {
          hf_sweep_report_clear (report);
          return TRUE;
        }
      hf_sweep_report_kept (report, entries->pdata[i], &reason);
    }
  report->bad_roots = hf_keep_warn (keep, report->warnings);
  *out = FALSE;
  return TRUE;
}

/* Roots first: what one kept may go in this sweep. */
static gboolean
prepare (HfSweepRun *sweep, GError **error)
{
  sweep->keep = hf_keep_load (sweep->installation, sweep->report->now, error);
  if (sweep->keep == NULL)
    return FALSE;
  sweep->report->bad_roots = hf_keep_warn (sweep->keep, sweep->report->warnings);
  return hf_roots_drop_ended (sweep->installation, sweep->keep->roots, sweep->leaving, error)
         && hf_keep_refresh (sweep->keep, error) && settle_if_marked (sweep, error)
         && report_unsettled (sweep, error);
}

/**
 * hf_sweep_all:
 * @installation: an installation
 * @store: the store's part
 * @report: what was done is added to it, also on failure
 *
 * Deletes every entry that nothing holds, and the objects that only those needed, or waits for a while until another
 * sweeper that is at one has done so; then gives up what is only
 * kept, if there is too little room.  If @report asks for a dry run, it goes the same way with a ledger in which things go and on disk stay.  Then what
 * only a try can tell counts as done: a file that is immutable would keep its entry.
 *
 * Locks: takes all of them, each for a short piece of work.
 *
 * Returns: %FALSE with @error set if the sweep could not go on; entries that are held or damaged
 * are no error, they are in @report
 */
gboolean
hf_sweep_all (HfInstallation *installation, const HfSweepStore *store, HfSweepReport *report,
              GError **error)
{
  HfSweepRun sweep;
  sweep_init (&sweep, installation, store, report);
  use_ledger (&sweep, hf_ledger_new (report->dry_run, report->progress));
  gboolean prepared = prepare (&sweep, error);
  g_autoptr (GPtrArray) entries = prepared ? list_entries (&sweep, error) : NULL;
  gboolean done = entries != NULL && sweep_entries (&sweep, entries, error)
                  && (sweep.others->len == 0 || follow_others (&sweep, error))
                  && hf_pressure_relieve (installation, store, report, error)
                  && settle_rest (&sweep, error);
  end_ledger (&sweep);
  sweep_clear (&sweep);
  return done;
}

/**
 * hf_sweep_entry:
 * @installation: an installation
 * @entry: (transfer full): an entry, locked or not
 * @store: the store's part
 * @report: what was done is added to it
 *
 * Sweeps one entry, whatever keeps it; in a sweep of all, as a part of that.
 *
 * Locks: as hf_sweep_all().
 *
 * Returns: %FALSE with @error set if the sweep could not go on
 */
gboolean
hf_sweep_entry (HfInstallation *installation, HfTrashEntry *entry, const HfSweepStore *store,
                HfSweepReport *report, GError **error)
{
  HfSweepRun sweep;
  sweep_init (&sweep, installation, store, report);
  use_ledger (&sweep, installation->ledger);
  gboolean done
      = take_entry (&sweep, entry, error) && (sweep.batch->len == 0 || flush (&sweep, error));
  sweep_clear (&sweep);
  return done;
}
