/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Holding the repository's lock while objects are unlinked: in short batches, so that no install
 * waits for more than one of them.
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
#define PAUSE_MSEC 1     /* between two, so that an import gets it */
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
 * @hold: (out): a hold
 * @store: the installation's store
 * @report: what is unlinked is added to it
 *
 * Locks: takes the repository's, exclusively; `prune-lock` is held.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_prune_hold_begin (HfPruneHold *hold, HfStore *store, HfSweepReport *report, GError **error)
{
  hold->store = store;
  hold->report = report;
  hold->steps = 0;
  return take (hold, error);
}

/**
 * hf_prune_hold_breathe:
 * @hold: a hold
 * @out_released: (out): whether the lock was given up for a moment, so that what was decided before
 *   and not done is void
 *
 * Called before each decision: lets imports in between when the lock was held long enough.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_prune_hold_breathe (HfPruneHold *hold, gboolean *out_released, GError **error)
{
  *out_released
      = ++hold->steps % CLOCK_STEP == 0 && g_get_monotonic_time () - hold->since >= BATCH_USEC;
  if (!*out_released)
    return TRUE;
  hf_lock_release (&hold->lock);
  (void)poll (NULL, 0, PAUSE_MSEC);
  return take (hold, error);
}

/**
 * hf_prune_hold_finish:
 * @hold: a hold whose work is done
 *
 * Makes what was unlinked durable, before the entry that tells of it goes, and removes the
 * directories of objects/ that were left empty: an import makes such a directory anew, and none is
 * at work while the lock is held.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_prune_hold_finish (HfPruneHold *hold, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (hold->touched); i++)
    {
      static const char hex[] = "0123456789abcdef";
      const char digits[] = { hex[i / 16], hex[i % 16], '\0' };
      if (!hold->touched[i])
        continue;
      if (!hf_dir_sync (hold->store->objects_fd, digits, error))
        return FALSE;
      (void)unlinkat (hold->store->objects_fd, digits, AT_REMOVEDIR);
    }
  return TRUE;
}

/**
 * hf_prune_hold_end:
 * @hold: a hold
 *
 * Gives the repository's lock up.
 */
void
hf_prune_hold_end (HfPruneHold *hold)
{
  hf_lock_release (&hold->lock);
}

/**
 * hf_prune_unlink:
 * @hold: a hold, in which it was decided
 * @checksum: an object
 * @suffix: its type
 * @st: its inode
 *
 * Unlinks one object and, if it is a commit, its ref before it.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_prune_unlink (HfPruneHold *hold, const char *checksum, const char *suffix, const struct stat *st,
                 GError **error)
{
  HfObjectPath loose;
  hf_object_loose_path (loose, checksum, suffix);
  if (strcmp (suffix, HF_SUFFIX_COMMIT) == 0
      && !hf_commit_ref_remove (hold->store, checksum, error))
    return FALSE;
  if (unlinkat (hold->store->objects_fd, loose, 0) != 0)
    return errno == ENOENT || hf_throw_errno (error, "Cannot unlink object %s", loose);
  hold->touched[g_ascii_xdigit_value (checksum[0]) * 16 + g_ascii_xdigit_value (checksum[1])]
      = TRUE;
  hold->report->objects++;
  hold->report->bytes += (guint64)st->st_blocks * 512;
  return TRUE;
}
