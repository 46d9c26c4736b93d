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
 */
#include "prune-fast.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/layout.h"
#include "object.h"
#include "prune-hold.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  HfPruneHold hold;
  int pins_fd;         /* owned */
  GHashTable *visited; /* owned; checksums of dirtrees */
  GPtrArray *queue;    /* owned; of dirtrees whose children are still to be decided */
} FastPrune;

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
  g_clear_pointer (&prune->queue, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FastPrune, fast_prune_clear)

/* An entry without `deployment` that has links to what is stored is an import that failed or died: it
 * needs nothing, and what it links looks needed.  None is at work while the lock is held. */
static gboolean
check_links_tell (FastPrune *prune, GError **error)
{
  HfInstallation *installation = prune->hold.store->installation;
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
      struct stat st;
      g_autofree char *deployment = g_strconcat (entry->d_name, "/" HF_DEPLOYMENT_FILE, NULL);
      g_autofree char *pins = g_strconcat (entry->d_name, "/" HF_PINS_DIR, NULL);
      if (fstatat (dirfd (dir), deployment, &st, AT_SYMLINK_NOFOLLOW) != 0
          && fstatat (dirfd (dir), pins, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return hf_throw (error, HF_ERROR_CHANGED, "%s/%s has links that count and mean nothing",
                         HF_STAGING_DIR, entry->d_name);
    }
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
decide (FastPrune *prune, const char *checksum, const char *suffix, Decision *out, GError **error)
{
  HfObjectPath loose;
  struct stat st;
  gboolean released;
  *out = OBJECT_GONE;
  if (!hf_prune_hold_breathe (&prune->hold, &released, error)
      || (released && !check_links_tell (prune, error)))
    return FALSE;
  hf_object_loose_path (loose, checksum, suffix);
  if (fstatat (prune->hold.store->objects_fd, loose, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || hf_throw_errno (error, "Cannot look at object %s", loose);
  /* Only where our pin would make the difference is it looked for. */
  if (st.st_nlink > 2 || (st.st_nlink == 2 && !is_own_pin (prune, checksum, suffix, &st)))
    {
      *out = OBJECT_KEPT;
      return TRUE;
    }
  return hf_prune_unlink (&prune->hold, checksum, suffix, &st, error);
}

static gboolean
decide_tree (FastPrune *prune, const char *checksum, GError **error)
{
  Decision decision;
  if (g_hash_table_contains (prune->visited, checksum))
    return TRUE;
  char *key = g_strdup (checksum);
  g_hash_table_add (prune->visited, key);
  if (!decide (prune, checksum, HF_SUFFIX_DIR_TREE, &decision, error))
    return FALSE;
  if (decision == OBJECT_GONE)
    g_ptr_array_add (prune->queue, key);
  return TRUE;
}

static gboolean
decide_files (FastPrune *prune, GVariant *tree, GError **error)
{
  g_autoptr (GVariant) files = g_variant_get_child_value (tree, 0);
  gsize n = g_variant_n_children (files);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) ay = NULL;
      Decision decision;
      g_variant_get_child (files, i, "(&s@ay)", NULL, &ay);
      g_autofree char *checksum = hf_checksum_from_variant (ay);
      if (!decide (prune, checksum, HF_SUFFIX_FILE, &decision, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
decide_directories (FastPrune *prune, GVariant *tree, GError **error)
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
      if (!decide_tree (prune, contents, error)
          || !decide (prune, meta, HF_SUFFIX_DIR_META, &decision, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
walk (FastPrune *prune, GError **error)
{
  while (prune->queue->len > 0)
    {
      const char *checksum = g_ptr_array_steal_index_fast (prune->queue, prune->queue->len - 1);
      g_autoptr (GVariant) tree
          = hf_pin_load (prune->pins_fd, OSTREE_OBJECT_TYPE_DIR_TREE, checksum, error);
      if (tree == NULL || !decide_files (prune, tree, error)
          || !decide_directories (prune, tree, error))
        return FALSE;
    }
  return TRUE;
}

/* The commit and what describes it go first, and are gone from disk before anything below is (G4).
 */
static gboolean
decide_commit (FastPrune *prune, const char *commit, Decision *out, GError **error)
{
  const char digits[] = { commit[0], commit[1], '\0' };
  Decision ignored;
  if (!decide (prune, commit, HF_SUFFIX_COMMIT, out, error) || *out == OBJECT_KEPT)
    return *out == OBJECT_KEPT;
  if (!decide (prune, commit, HF_SUFFIX_COMMIT_META, &ignored, error))
    return FALSE;
  g_autoptr (GError) failed = NULL;
  if (hf_dir_sync (prune->hold.store->objects_fd, digits, &failed) || errno == ENOENT)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
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
  g_auto (FastPrune) prune = { .hold = { .lock = HF_LOCK_INIT }, .pins_fd = -1 };
  const char *commit = target->info->commit;
  Decision decision;
  prune.pins_fd = hf_open_dir (target->dir_fd, HF_PINS_DIR, error);
  prune.visited = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  prune.queue = g_ptr_array_new ();
  if (prune.pins_fd < 0 || !hf_prune_hold_begin (&prune.hold, store, report, error)
      || !check_links_tell (&prune, error) || !decide_commit (&prune, commit, &decision, error))
    return FALSE;
  if (decision == OBJECT_KEPT)
    return TRUE;
  g_autoptr (GVariant) variant
      = hf_pin_load (prune.pins_fd, OSTREE_OBJECT_TYPE_COMMIT, commit, error);
  if (variant == NULL)
    return FALSE;
  g_autoptr (GVariant) contents_v = g_variant_get_child_value (variant, 6);
  g_autoptr (GVariant) meta_v = g_variant_get_child_value (variant, 7);
  g_autofree char *contents = hf_checksum_from_variant (contents_v);
  g_autofree char *meta = hf_checksum_from_variant (meta_v);
  return decide_tree (&prune, contents, error)
         && decide (&prune, meta, HF_SUFFIX_DIR_META, &decision, error) && walk (&prune, error)
         && hf_prune_hold_finish (&prune.hold, error);
}
