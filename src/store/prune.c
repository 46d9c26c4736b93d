/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The full prune: one stream over objects/ that unlinks what is not marked, commits first.  It holds
 * the repository's lock in short batches only; whatever it decides, it decides and does in one hold,
 * by marks that were brought up to date in that hold.
 */
#include "prune.h"

#include "base/error.h"
#include "base/fd.h"
#include "commit-ref.h"
#include "core/layout.h"
#include "core/lock.h"
#include "marks.h"
#include "object.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH_USEC  50000 /* longest hold of the repository's lock */
#define PAUSE_MSEC  1     /* between two, so that an import gets it */
#define CLOCK_STEP  64    /* unlinked objects between two looks at the clock */
#define COMMIT_TYPE "commit"
#define META_TYPE   "commitmeta"

typedef struct
{
  HfStore *store;
  HfMarks *marks;
  HfSweepReport *report;
  HfLock lock;
  gint64 since; /* when the lock was had */
  guint steps;
} Prune;

static gboolean
is_commit_type (const char *suffix)
{
  return strcmp (suffix, COMMIT_TYPE) == 0 || strcmp (suffix, META_TYPE) == 0;
}

static gboolean
is_known_type (const char *suffix)
{
  return is_commit_type (suffix) || strcmp (suffix, "file") == 0 || strcmp (suffix, "dirtree") == 0
         || strcmp (suffix, "dirmeta") == 0;
}

static gboolean
begin_batch (Prune *prune, GError **error)
{
  if (!hf_lock_take (prune->store->installation, HF_LOCK_REPO_PRUNE, &prune->lock, error)
      || !hf_marks_refresh (prune->marks, error))
    return FALSE;
  prune->since = g_get_monotonic_time ();
  return TRUE;
}

/* Lets imports in between; the marks are refreshed before anything else is decided. */
static gboolean
breathe (Prune *prune, GError **error)
{
  if (++prune->steps % CLOCK_STEP != 0
      || g_get_monotonic_time () - prune->since < BATCH_USEC)
    return TRUE;
  hf_lock_release (&prune->lock);
  (void)poll (NULL, 0, PAUSE_MSEC);
  return begin_batch (prune, error);
}

static gboolean
unlink_object (Prune *prune, int dfd, const char *digits, const char *name, const char *suffix,
               GError **error)
{
  struct stat st;
  if (strcmp (suffix, COMMIT_TYPE) == 0)
    {
      char checksum[HF_OBJECT_NAME_BYTES + 1];
      (void)snprintf (checksum, sizeof checksum, "%s%.*s", digits, HF_OBJECT_NAME_BYTES - 2, name);
      if (!hf_commit_ref_remove (prune->store, checksum, error))
        return FALSE;
    }
  if (fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || unlinkat (dfd, name, 0) != 0)
    return errno == ENOENT || hf_throw_errno (error, "Cannot unlink object %s%s", digits, name);
  prune->report->objects++;
  prune->report->bytes += (guint64)st.st_blocks * 512;
  return TRUE;
}

static gboolean
prune_directory (Prune *prune, const char *digits, gboolean commits, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (DIR) dir = hf_dir_open (prune->store->objects_fd, digits, &failed);
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
      guint8 checksum[HF_CHECKSUM_BYTES];
      const char *suffix;
      if (!hf_dir_next (dir, &entry, error) || !breathe (prune, error))
        return FALSE;
      if (entry == NULL)
        break;
      if (!hf_object_name_parse (entry->d_name, digits, checksum, &suffix)
          || !is_known_type (suffix) || is_commit_type (suffix) != commits
          || hf_marks_contain (prune->marks, checksum))
        continue;
      if (!unlink_object (prune, dirfd (dir), digits, entry->d_name, suffix, error))
        return FALSE;
      any = TRUE;
    }
  /* Commits are gone from disk before anything that they reach is (G4). */
  return !any || !commits || hf_fd_sync (dirfd (dir), digits, error);
}

static gboolean
prune_pass (Prune *prune, gboolean commits, GError **error)
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

/* See HfSweepStore.  A crash anywhere leaves entries whose deletion began, and the next sweep does
 * this again. */
static gboolean
prune_full (gpointer data, HfSweepTarget *const *targets, gsize n_targets, HfSweepReport *report,
            GError **error)
{
  HfStore *store = data;
  g_autoptr (HfMarks) marks = hf_marks_new (store, targets, n_targets);
  Prune prune = { .store = store, .marks = marks, .report = report, .lock = HF_LOCK_INIT };
  report->full = TRUE;
  gboolean done = begin_batch (&prune, error) && prune_pass (&prune, TRUE, error)
                  && prune_pass (&prune, FALSE, error);
  hf_lock_release (&prune.lock);
  return done;
}

/* See HfSweepStore.  If the stored commit's only other link is our pin, no other deployment has it;
 * if there are more links, or none that could be counted, the prune decides, commits first too. */
static gboolean
release_commit (gpointer data, const HfSweepTarget *target, GError **error)
{
  HfStore *store = data;
  HfObjectPath pin, loose;
  struct stat pinned, stored;
  const char *commit = target->info->commit;
  hf_object_pin_name (pin, commit, COMMIT_TYPE);
  hf_object_loose_path (loose, commit, COMMIT_TYPE);
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
  return (HfSweepStore){ .release_commit = release_commit, .prune = prune_full, .store = store };
}
