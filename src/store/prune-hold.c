/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Holding the repository's lock while objects are unlinked: in short batches, so that no install
 * waits for more than one of them.  The lock is the whole process's.  A thread decides and unlinks
 * only while it has a share in the hold, and the lock is given up only when every other thread that
 * has one waits for that.
 */
#include "prune-hold.h"

#include "base/error.h"
#include "base/fd.h"
#include "commit-ref.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define BATCH_USEC 50000 /* longest hold of the repository's lock */
#define PAUSE_MSEC 1     /* between two, for those who do not say that they wait */
#define CLOCK_STEP 32    /* objects between two looks at the clock */

static gboolean
take (HfPruneHold *hold, GError **error)
{
  if (!hf_lock_take (hold->store->installation, HF_LOCK_REPO_PRUNE, &hold->lock, error))
    return FALSE;
  hold->since = g_get_monotonic_time ();
  return TRUE;
}

/**
 * hf_prune_hold_begin:
 * @hold: (out caller-allocates): a hold; to be ended, also on failure
 * @store: the installation's store
 * @report: what is unlinked is added to it
 * @retaken: (nullable): called each time that the lock was given up for a moment and is held again:
 *   what was decided before and not done is void; a failure ends the hold
 * @data: for @retaken
 *
 * Locks: takes the repository's, exclusively; `prune-lock` is held.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_prune_hold_begin (HfPruneHold *hold, HfStore *store, HfSweepReport *report,
                     HfPruneRetaken retaken, gpointer data, GError **error)
{
  *hold = (HfPruneHold){
    .store = store, .report = report, .retaken = retaken, .data = data, .lock = HF_LOCK_INIT
  };
  (void)pthread_mutex_init (&hold->mutex, NULL);
  (void)pthread_cond_init (&hold->changed, NULL);
  return take (hold, error);
}

/**
 * hf_prune_hold_finish:
 * @hold: a hold whose work is done; afterwards the lock is given up
 *
 * Removes the directories of objects/ that were left empty, which an import makes anew, and none is
 * at work while the lock is held.  Then, without it, makes all that was unlinked durable, before the
 * entry that tells of it goes.  A crash in between leaves empty directories; the next sweep of the
 * same entry finds none of its objects, and comes here with the same ones.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_prune_hold_finish (HfPruneHold *hold, GError **error)
{
  static const char hex[] = "0123456789abcdef";
  int objects_fd = hold->store->objects_fd;
  HfLedger *ledger = hold->store->installation->ledger;
  for (guint i = 0; i < G_N_ELEMENTS (hold->touched); i++)
    {
      const char digits[] = { hex[i / 16], hex[i % 16], '\0' };
      if (hold->touched[i] && !hf_object_dir_remove (objects_fd, digits, ledger, error))
        return FALSE;
    }
  hf_lock_release (&hold->lock);
  if (hf_ledger_is_dry (ledger))
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (hold->touched); i++)
    {
      const char digits[] = { hex[i / 16], hex[i % 16], '\0' };
      g_autoptr (GError) failed = NULL;
      if (!hold->touched[i] || hf_dir_sync (objects_fd, digits, &failed) || errno == ENOENT)
        continue;
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  return hf_dir_sync (objects_fd, ".", error);
}

/**
 * hf_prune_hold_end:
 * @hold: a hold that nobody has a share in, or zeroes
 *
 * Gives the repository's lock up.
 */
void
hf_prune_hold_end (HfPruneHold *hold)
{
  if (hold->store == NULL)
    return;
  hf_lock_release (&hold->lock);
  g_clear_error (&hold->error);
  (void)pthread_cond_destroy (&hold->changed);
  (void)pthread_mutex_destroy (&hold->mutex);
  hold->store = NULL;
}

/**
 * hf_prune_share_begin:
 * @share: (out caller-allocates): the calling thread's share
 * @hold: a hold
 *
 * From here on the thread may decide and unlink.
 */
void
hf_prune_share_begin (HfPruneShare *share, HfPruneHold *hold)
{
  *share = (HfPruneShare){ .hold = hold };
  (void)pthread_mutex_lock (&hold->mutex);
  while (hold->pausing)
    (void)pthread_cond_wait (&hold->changed, &hold->mutex);
  hold->sharing++;
  (void)pthread_mutex_unlock (&hold->mutex);
}

/* Another thread is about to give the lock up.  Under the mutex. */
static void
wait_for_pause (HfPruneHold *hold)
{
  hold->sharing--;
  (void)pthread_cond_broadcast (&hold->changed);
  while (hold->pausing)
    (void)pthread_cond_wait (&hold->changed, &hold->mutex);
  hold->sharing++;
}

/* Under the mutex, which keeps the others where they wait. */
static void
pause_hold (HfPruneHold *hold)
{
  hold->pausing = TRUE;
  while (hold->sharing > 1)
    (void)pthread_cond_wait (&hold->changed, &hold->mutex);
  hf_lock_release (&hold->lock);
  (void)poll (NULL, 0, PAUSE_MSEC);
  if (hold->error == NULL && take (hold, &hold->error) && hold->retaken != NULL)
    (void)!hold->retaken (hold->data, &hold->error);
  hold->pausing = FALSE;
  (void)pthread_cond_broadcast (&hold->changed);
}

/**
 * hf_prune_share_breathe:
 * @share: a share
 *
 * Called before each decision: lets imports in between when the lock was held long enough.
 *
 * Returns: %FALSE with @error set if the lock was not had again, or what had to be done again
 *   failed, in whatever thread
 */
gboolean
hf_prune_share_breathe (HfPruneShare *share, GError **error)
{
  HfPruneHold *hold = share->hold;
  if (share->steps++ % CLOCK_STEP != 0)
    return TRUE;
  (void)pthread_mutex_lock (&hold->mutex);
  if (hold->pausing)
    wait_for_pause (hold);
  else if (g_get_monotonic_time () - hold->since >= BATCH_USEC)
    pause_hold (hold);
  gboolean failed = hold->error != NULL;
  if (failed && error != NULL)
    *error = g_error_copy (hold->error);
  (void)pthread_mutex_unlock (&hold->mutex);
  return !failed;
}

/**
 * hf_prune_share_touch:
 * @share: a share
 * @checksum: an object that is not stored, or only the first two of its digits
 *
 * Notes its directory for hf_prune_hold_finish().  Whoever is to unlink an object and does not find
 * it has to: a sweep that was cut short may have unlinked it and not come to the rest.
 */
void
hf_prune_share_touch (HfPruneShare *share, const char *checksum)
{
  share->touched[g_ascii_xdigit_value (checksum[0]) * 16 + g_ascii_xdigit_value (checksum[1])]
      = TRUE;
}

/**
 * hf_prune_share_unlink:
 * @share: the share in which it was decided
 * @checksum: an object
 * @suffix: its type
 * @st: its inode
 *
 * Unlinks one object and, if it is a commit, its ref before it.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_prune_share_unlink (HfPruneShare *share, const char *checksum, const char *suffix,
                       const struct stat *st, GError **error)
{
  HfObjectPath loose;
  HfStore *store = share->hold->store;
  hf_object_loose_path (loose, checksum, suffix);
  if (strcmp (suffix, HF_SUFFIX_COMMIT) == 0 && !hf_commit_ref_remove (store, checksum, error))
    return FALSE;
  if (hf_ledger_unlink_known (store->installation->ledger, store->objects_fd, loose, st) != 0)
    return errno == ENOENT
           || hf_throw_at (error, "Cannot unlink object %s", store->objects_fd, loose);
  hf_prune_share_touch (share, checksum);
  share->objects++;
  return TRUE;
}

/**
 * hf_prune_share_end:
 * @share: a share, or zeroes
 *
 * Gives it up, and adds what was unlinked to the hold's report.
 */
void
hf_prune_share_end (HfPruneShare *share)
{
  HfPruneHold *hold = share->hold;
  if (hold == NULL)
    return;
  (void)pthread_mutex_lock (&hold->mutex);
  hold->sharing--;
  hold->report->objects += share->objects;
  for (guint i = 0; i < G_N_ELEMENTS (share->touched); i++)
    hold->touched[i] |= share->touched[i];
  (void)pthread_cond_broadcast (&hold->changed);
  (void)pthread_mutex_unlock (&hold->mutex);
  share->hold = NULL;
}
