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
  HfPruneHold hold;
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

static gboolean
breathe (FullPrune *prune, GError **error)
{
  gboolean released;
  return hf_prune_hold_breathe (&prune->hold, &released, error)
         && (!released || hf_marks_refresh (prune->marks, error));
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
  if (fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || hf_throw_errno (error, "Cannot look at object %s%s", digits, name);
  *any = TRUE;
  g_autofree char *checksum = g_strdup_printf ("%s%.*s", digits, HF_CHECKSUM_BYTES * 2 - 2, name);
  return hf_prune_unlink (&prune->hold, checksum, suffix, &st, error);
}

static gboolean
prune_directory (FullPrune *prune, const char *digits, gboolean commits, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (DIR) dir = hf_dir_open (prune->hold.store->objects_fd, digits, &failed);
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
      if (!hf_dir_next (dir, &entry, error) || !breathe (prune, error))
        return FALSE;
      if (entry == NULL)
        break;
      if (!decide (prune, dirfd (dir), digits, entry->d_name, commits, &any, error))
        return FALSE;
    }
  /* Commits are gone from disk before anything that they reach is (G4). */
  return !any || !commits || hf_fd_sync (dirfd (dir), digits, error);
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
  FullPrune prune = { .hold = { .lock = HF_LOCK_INIT }, .marks = marks };
  gboolean done = hf_prune_hold_begin (&prune.hold, store, report, error)
                  && hf_marks_refresh (marks, error) && prune_pass (&prune, TRUE, error)
                  && prune_pass (&prune, FALSE, error)
                  && (hf_marks_any_copies (marks) || hf_links_count_again (store, error))
                  && hf_prune_hold_finish (&prune.hold, error);
  hf_prune_hold_end (&prune.hold);
  return done;
}
