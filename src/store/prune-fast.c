/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The fast prune.  Every object of a deployed commit has a link from the deployment, so a stored
 * object is needed if and only if something links it besides the repository and the entry that is
 * swept.  The entry's tree has gone by now, so all that it can still have is one pin: the *own*
 * link, which is discounted.
 *
 * It walks the swept commit from the entry's pins, which have its metadata whether the repository
 * still has or not.  An object that is not stored is where a crash was, or a pause in which it
 * went: the walk goes on below it.  An object that is needed is needed with all that it reaches:
 * the walk stops there.  Nothing here costs more than the image that goes (G7).
 *
 * All processors walk, over dirtrees.  Two threads may meet the same object: both decide alike, and
 * one finds it gone.
 */
#include "prune-fast.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "base/test-hook.h"
#include "base/work-queue.h"
#include "commit-ref.h"
#include "core/layout.h"
#include "links-count.h"
#include "object.h"
#include "prune-hold.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  HfPruneHold hold;
  int pins_fd;           /* owned */
  GHashTable *visited;   /* owned; checksums of dirtrees */
  pthread_mutex_t mutex; /* of @visited */
} FastPrune;

/* What one thread works with. */
typedef struct
{
  FastPrune *prune; /* not owned */
  HfPruneShare share;
  HfWorkQueue *queue; /* not owned; for dirtrees whose children are still to be decided */
} Walk;

typedef enum
{
  OBJECT_KEPT,
  OBJECT_GONE,
} Decision;

static void
fast_prune_clear (FastPrune *prune)
{
  hf_prune_hold_end (&prune->hold);
  hf_fd_clear (&prune->pins_fd);
  g_clear_pointer (&prune->visited, g_hash_table_unref);
  (void)pthread_mutex_destroy (&prune->mutex);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FastPrune, fast_prune_clear)

static gboolean
has_gone (HfLedger *ledger, int dfd, const char *name)
{
  struct stat st;
  return hf_ledger_is_dry (ledger) && hf_ledger_stat (ledger, dfd, name, &st) != 0;
}

/* An entry without `deployment` that has links to what is stored is an import that failed or died: it
 * needs nothing, and what it links looks needed.  None is at work while the lock is held. */
static gboolean
check_imports (HfInstallation *installation, GError **error)
{
  g_autoptr (DIR) dir = hf_dir_open (installation->root_fd, HF_STAGING_DIR, error);
  const struct dirent *entry;
  if (dir == NULL)
    return FALSE;
  for (;;)
    {
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      if (has_gone (installation->ledger, dirfd (dir), entry->d_name))
        continue;
      struct stat st;
      g_autofree char *deployment = g_strconcat (entry->d_name, "/" HF_DEPLOYMENT_FILE, NULL);
      g_autofree char *pins = g_strconcat (entry->d_name, "/" HF_PINS_DIR, NULL);
      if (fstatat (dirfd (dir), deployment, &st, AT_SYMLINK_NOFOLLOW) != 0
          && fstatat (dirfd (dir), pins, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return hf_throw (error, HF_ERROR_CHANGED, "%s/%s has links that count and mean nothing",
                         HF_STAGING_DIR, entry->d_name);
    }
}

/* Said in each hold of the lock, as an import may have come in between that could not link, or a ref
 * of somebody else. */
static gboolean
check_links_tell (gpointer data, GError **error)
{
  const FastPrune *prune = data;
  HfStore *store = prune->hold.store;
  const char *reason;
  if (!hf_links_count (store, NULL, 0, &reason, error)
      || !check_imports (store->installation, error))
    return FALSE;
  return reason == NULL || hf_throw (error, HF_ERROR_CHANGED, "%s", hf_text (reason));
}

static gboolean
is_own_pin (const FastPrune *prune, const char *checksum, const char *suffix,
            const struct stat *stored)
{
  HfObjectPath pin;
  struct stat st;
  hf_object_pin_name (pin, checksum, suffix);
  return fstatat (prune->pins_fd, pin, &st, AT_SYMLINK_NOFOLLOW) == 0
         && hf_stat_same_file (&st, stored);
}

/* The decision and the unlink are in one hold of the lock, so that no import can link the object in
 * between. */
static gboolean
decide (Walk *walk, const char *checksum, const char *suffix, Decision *out, GError **error)
{
  HfObjectPath loose;
  struct stat st;
  *out = OBJECT_GONE;
  if (!hf_prune_share_breathe (&walk->share, error))
    return FALSE;
  hf_object_loose_path (loose, checksum, suffix);
  const HfStore *store = walk->prune->hold.store;
  if (hf_ledger_stat (store->installation->ledger, store->objects_fd, loose, &st) != 0)
    {
      hf_prune_share_touch (&walk->share, checksum);
      return errno == ENOENT
             || hf_throw_at (error, "Cannot look at object %s", store->objects_fd, loose);
    }
  /* Only where our pin would make the difference is it looked for. */
  if (st.st_nlink > 2 || (st.st_nlink == 2 && !is_own_pin (walk->prune, checksum, suffix, &st)))
    {
      *out = OBJECT_KEPT;
      return TRUE;
    }
  return hf_prune_share_unlink (&walk->share, checksum, suffix, &st, error);
}

static gboolean
visit (FastPrune *prune, const char *checksum)
{
  (void)pthread_mutex_lock (&prune->mutex);
  gboolean first = g_hash_table_add (prune->visited, g_strdup (checksum));
  (void)pthread_mutex_unlock (&prune->mutex);
  return first;
}

static gboolean
decide_tree (Walk *walk, const char *checksum, GError **error)
{
  Decision decision;
  if (!visit (walk->prune, checksum))
    return TRUE;
  if (!decide (walk, checksum, HF_SUFFIX_DIR_TREE, &decision, error))
    return FALSE;
  if (decision == OBJECT_GONE)
    hf_work_queue_push (walk->queue, g_strdup (checksum));
  return TRUE;
}

static gboolean
decide_files (Walk *walk, GVariant *tree, GError **error)
{
  g_autoptr (GVariant) files = g_variant_get_child_value (tree, 0);
  gsize n = g_variant_n_children (files);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) ay = NULL;
      Decision decision;
      g_variant_get_child (files, i, "(&s@ay)", NULL, &ay);
      g_autofree char *checksum = hf_checksum_from_variant (ay);
      if (!decide (walk, checksum, HF_SUFFIX_FILE, &decision, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
decide_directories (Walk *walk, GVariant *tree, GError **error)
{
  g_autoptr (GVariant) dirs = g_variant_get_child_value (tree, 1);
  gsize n = g_variant_n_children (dirs);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) contents_v = NULL;
      g_autoptr (GVariant) meta_v = NULL;
      Decision decision;
      g_variant_get_child (dirs, i, "(&s@ay@ay)", NULL, &contents_v, &meta_v);
      g_autofree char *contents = hf_checksum_from_variant (contents_v);
      g_autofree char *meta = hf_checksum_from_variant (meta_v);
      if (!decide_tree (walk, contents, error)
          || !decide (walk, meta, HF_SUFFIX_DIR_META, &decision, error))
        return FALSE;
    }
  return TRUE;
}

/* Decides on what a dirtree that is not needed has in it. */
static gboolean
walk_tree (HfWorkQueue *queue, gpointer task, gpointer data, GError **error)
{
  FastPrune *prune = data;
  g_autofree char *checksum = task;
  g_autoptr (GVariant) tree
      = hf_pin_load (prune->pins_fd, OSTREE_OBJECT_TYPE_DIR_TREE, checksum, error);
  if (tree == NULL)
    return FALSE;
  Walk walk = { .prune = prune, .queue = queue };
  hf_prune_share_begin (&walk.share, &prune->hold);
  gboolean done = decide_files (&walk, tree, error) && decide_directories (&walk, tree, error);
  hf_prune_share_end (&walk.share);
  return done;
}

/* The commit and what describes it go first, and are gone from disk before anything below is (G4).
 */
static gboolean
decide_commit (Walk *walk, const char *commit, Decision *out, GError **error)
{
  const char digits[] = { commit[0], commit[1], '\0' };
  Decision ignored;
  if (!decide (walk, commit, HF_SUFFIX_COMMIT, out, error) || *out == OBJECT_KEPT)
    return *out == OBJECT_KEPT;
  /* Gone with the commit, unless a power cut brought it back alone. */
  if (!hf_commit_ref_remove (walk->prune->hold.store, commit, error))
    return FALSE;
  if (!decide (walk, commit, HF_SUFFIX_COMMIT_META, &ignored, error))
    return FALSE;
  g_autoptr (GError) failed = NULL;
  if (hf_ledger_is_dry (walk->prune->hold.store->installation->ledger)
      || hf_dir_sync (walk->prune->hold.store->objects_fd, digits, &failed) || errno == ENOENT)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

/* Decides on the commit and on what it names; the root, unless it is needed, is @out_root. */
static gboolean
decide_top (Walk *walk, const char *commit, char **out_root, GError **error)
{
  Decision decision;
  if (!decide_commit (walk, commit, &decision, error))
    return FALSE;
  if (decision == OBJECT_KEPT)
    return TRUE;
  g_autoptr (GVariant) variant
      = hf_pin_load (walk->prune->pins_fd, OSTREE_OBJECT_TYPE_COMMIT, commit, error);
  if (variant == NULL)
    return FALSE;
  g_autoptr (GVariant) contents_v = g_variant_get_child_value (variant, 6);
  g_autoptr (GVariant) meta_v = g_variant_get_child_value (variant, 7);
  g_autofree char *contents = hf_checksum_from_variant (contents_v);
  g_autofree char *meta = hf_checksum_from_variant (meta_v);
  if (!decide (walk, meta, HF_SUFFIX_DIR_META, &decision, error)
      || !decide (walk, contents, HF_SUFFIX_DIR_TREE, &decision, error))
    return FALSE;
  if (decision == OBJECT_GONE && visit (walk->prune, contents))
    *out_root = g_steal_pointer (&contents);
  return TRUE;
}

/**
 * hf_prune_fast:
 * @store: the installation's store
 * @target: an entry whose tree has gone
 * @report: what was done is added to it
 *
 * Unlinks the objects that only @target needed.  A crash anywhere leaves an entry whose deletion
 * began, and the next sweep walks it again.
 *
 * Locks: needs `prune-lock`, from here until the pins are dropped: to another pruner they would be
 * links that count.  Takes the repository's, exclusively, in batches.
 *
 * Returns: %FALSE with %HF_ERROR_CHANGED if links do not tell just now, or another error; the full
 *   prune may do better in any case
 */
gboolean
hf_prune_fast (HfStore *store, const HfSweepTarget *target, HfSweepReport *report, GError **error)
{
  g_auto (FastPrune) prune = { .pins_fd = -1, .mutex = PTHREAD_MUTEX_INITIALIZER };
  HF_TEST_HOOK ("links-chosen");
  prune.pins_fd = hf_open_dir (target->dir_fd, HF_PINS_DIR, error);
  prune.visited = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (prune.pins_fd < 0
      || !hf_prune_hold_begin (&prune.hold, store, report, check_links_tell, &prune, error)
      || !check_links_tell (&prune, error))
    return FALSE;
  Walk walk = { .prune = &prune };
  g_autofree char *root = NULL;
  hf_prune_share_begin (&walk.share, &prune.hold);
  gboolean decided = decide_top (&walk, target->info->commit, &root, error);
  hf_prune_share_end (&walk.share);
  if (!decided)
    return FALSE;
  GPtrArray *first = g_ptr_array_new_with_free_func (g_free);
  if (root != NULL)
    g_ptr_array_add (first, g_steal_pointer (&root));
  return hf_work_queue_run (first, HF_WORK_NORMAL, walk_tree, &prune, error)
         && hf_prune_hold_finish (&prune.hold, error);
}
