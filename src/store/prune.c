/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reclaiming backing objects for a sweep: the choice between the two ways, and what they share.
 */
#include "prune.h"

#include "base/error.h"
#include "base/fd.h"
#include "commit-ref.h"
#include "core/layout.h"
#include "links-count.h"
#include "prune-private.h"

#include <errno.h>
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
  *out_released = ++hold->steps % CLOCK_STEP == 0
                  && g_get_monotonic_time () - hold->since >= BATCH_USEC;
  if (!*out_released)
    return TRUE;
  hf_lock_release (&hold->lock);
  (void)poll (NULL, 0, PAUSE_MSEC);
  return take (hold, error);
}

/**
 * hf_prune_hold_end:
 * @hold: a hold
 *
 * Removes the directories of objects/ that were left empty, and gives the repository's lock up.  An
 * import makes such a directory anew; none is at work while the lock is held.
 */
void
hf_prune_hold_end (HfPruneHold *hold)
{
  for (guint i = 0; hold->lock.fd >= 0 && i < G_N_ELEMENTS (hold->touched); i++)
    {
      static const char hex[] = "0123456789abcdef";
      const char digits[] = { hex[i / 16], hex[i % 16], '\0' };
      if (hold->touched[i])
        (void)unlinkat (hold->store->objects_fd, digits, AT_REMOVEDIR);
    }
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
  if (strcmp (suffix, HF_SUFFIX_COMMIT) == 0 && !hf_commit_ref_remove (hold->store, checksum, error))
    return FALSE;
  if (unlinkat (hold->store->objects_fd, loose, 0) != 0)
    return errno == ENOENT || hf_throw_errno (error, "Cannot unlink object %s", loose);
  hold->touched[g_ascii_xdigit_value (checksum[0]) * 16 + g_ascii_xdigit_value (checksum[1])] = TRUE;
  hold->report->objects++;
  hold->report->bytes += (guint64)st->st_blocks * 512;
  return TRUE;
}

/* See HfSweepStore. */
static gboolean
choose (gpointer data, HfSweepTarget *const *targets, gsize n_targets, const char **out_reason,
        GError **error)
{
  return hf_links_count (data, targets, n_targets, out_reason, error);
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

/* See HfSweepStore.  If the stored commit's only other link is our pin, no other deployment has it;
 * if there are more links, or none that could be counted, the prune decides, commits first too. */
static gboolean
release_commit (gpointer data, const HfSweepTarget *target, GError **error)
{
  HfStore *store = data;
  HfObjectPath pin, loose;
  struct stat pinned, stored;
  const char *reason;
  const char *commit = target->info->commit;
  HfSweepTarget *const targets[] = { (HfSweepTarget *)target };
  if (!hf_links_count (store, targets, 1, &reason, error))
    return FALSE;
  if (reason != NULL)
    return TRUE;
  hf_object_pin_name (pin, commit, HF_SUFFIX_COMMIT);
  hf_object_loose_path (loose, commit, HF_SUFFIX_COMMIT);
  g_autofree char *path = g_strconcat (HF_PINS_DIR "/", pin, NULL);
  if (fstatat (target->dir_fd, path, &pinned, AT_SYMLINK_NOFOLLOW) != 0
      || fstatat (store->objects_fd, loose, &stored, AT_SYMLINK_NOFOLLOW) != 0
      || !hf_stat_same_file (&pinned, &stored) || stored.st_nlink != 2)
    return TRUE;
  if (!hf_commit_ref_remove (store, commit, error))
    return FALSE;
  if (unlinkat (store->objects_fd, loose, 0) != 0 && errno != ENOENT)
    return hf_throw_errno (error, "Cannot unlink commit %s", commit);
  const char digits[] = { commit[0], commit[1], '\0' };
  return hf_dir_sync (store->objects_fd, digits, error);
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
