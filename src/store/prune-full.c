/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The full prune, for where link counts do not tell: one stream over objects/ that unlinks what is
 * not marked, commits first.  Whatever it decides, it decides and does in one hold of the
 * repository's lock, by marks that were brought up to date in that hold.
 */
#include "prune-full.h"

#include "base/error.h"
#include "base/fd.h"
#include "links-count.h"
#include "marks.h"
#include "object.h"
#include "prune-hold.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  HfPruneShare share;
  HfMarks *marks; /* not owned */
} FullPrune;

static gboolean
is_commit_type (const char *suffix)
{
  return strcmp (suffix, HF_SUFFIX_COMMIT) == 0 || strcmp (suffix, HF_SUFFIX_COMMIT_META) == 0;
}

static gboolean
is_known_type (const char *suffix)
{
  return is_commit_type (suffix) || strcmp (suffix, HF_SUFFIX_FILE) == 0
         || strcmp (suffix, HF_SUFFIX_DIR_TREE) == 0 || strcmp (suffix, HF_SUFFIX_DIR_META) == 0;
}

/* See HfPruneRetaken. */
static gboolean
refresh (gpointer data, GError **error)
{
  return hf_marks_refresh (data, error);
}

static gboolean
decide (FullPrune *prune, int dfd, const char *digits, const char *name, gboolean commits,
        gboolean *any, GError **error)
{
  guint8 bytes[HF_CHECKSUM_BYTES];
  const char *suffix;
  struct stat st;
  if (!hf_object_name_parse (name, digits, bytes, &suffix) || !is_known_type (suffix)
      || is_commit_type (suffix) != commits || hf_marks_contain (prune->marks, bytes))
    return TRUE;
  HfLedger *ledger = prune->share.hold->store->installation->ledger;
  if (hf_ledger_stat (ledger, dfd, name, &st) != 0)
    return errno == ENOENT || hf_throw_at (error, "Cannot look at object %s", dfd, name);
  *any = TRUE;
  g_autofree char *checksum = g_strdup_printf ("%s%.*s", digits, HF_CHECKSUM_BYTES * 2 - 2, name);
  return hf_prune_share_unlink (&prune->share, checksum, suffix, &st, error);
}

static gboolean
prune_directory (FullPrune *prune, const char *digits, gboolean commits, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (DIR) dir = hf_dir_open (prune->share.hold->store->objects_fd, digits, &failed);
  gboolean any = FALSE;
  if (dir == NULL && errno == ENOENT)
    return TRUE;
  if (dir == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  for (;;)
    {
      const struct dirent *entry;
      if (!hf_dir_next (dir, &entry, error) || !hf_prune_share_breathe (&prune->share, error))
        return FALSE;
      if (entry == NULL)
        break;
      if (!decide (prune, dirfd (dir), digits, entry->d_name, commits, &any, error))
        return FALSE;
    }
  if (!commits)
    hf_prune_share_touch (&prune->share, digits);
  /* Commits are gone from disk before anything that they reach is (G4). */
  return !any || !commits || hf_ledger_is_dry (prune->share.hold->store->installation->ledger)
         || hf_fd_sync (dirfd (dir), error);
}

static gboolean
prune_pass (FullPrune *prune, gboolean commits, GError **error)
{
  for (guint i = 0; i < 256; i++)
    {
      char digits[3];
      (void)snprintf (digits, sizeof digits, "%02x", i);
      if (!prune_directory (prune, digits, commits, error))
        return FALSE;
    }
  return TRUE;
}

/**
 * hf_prune_full:
 * @store: the installation's store
 * @targets: entries that need nothing any more
 * @n_targets: how many
 * @report: what was done is added to it
 *
 * Unlinks every object that no other deployment, entry or foreign ref reaches.  A crash anywhere
 * leaves entries whose deletion began, and the next sweep does this again.
 *
 * Locks: needs `prune-lock`; takes the repository's, exclusively, in batches.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_prune_full (HfStore *store, HfSweepTarget *const *targets, gsize n_targets,
               HfSweepReport *report, GError **error)
{
  g_autoptr (HfMarks) marks = hf_marks_new (store, targets, n_targets);
  g_auto (HfPruneHold) hold = { 0 };
  if (!hf_prune_hold_begin (&hold, store, report, refresh, marks, error)
      || !hf_marks_refresh (marks, error))
    return FALSE;
  FullPrune prune = { .marks = marks };
  hf_prune_share_begin (&prune.share, &hold);
  gboolean done = prune_pass (&prune, TRUE, error) && prune_pass (&prune, FALSE, error);
  hf_prune_share_end (&prune.share);
  gboolean dry = hf_ledger_is_dry (store->installation->ledger);
  return done && (dry || hf_marks_any_copies (marks) || hf_links_count_again (store, error))
         && hf_prune_hold_finish (&hold, error);
}
