/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Examining a deployment: the walk.  It goes through the commit with all processors, a directory at a time, by what
 * the pins or the repository say of it; nothing that has a wrong checksum is believed.  A file that is
 * the stored object's own inode needs no other look than that object's.
 *
 * It takes no lock, so it can meet an object that is just being replaced: whoever acts on what was found
 * looks again.
 */
#include "examine-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "base/work-queue.h"
#include "core/layout.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

/* A directory of the image, there or not. */
typedef struct
{
  char *path;     /* owned; below the deployment */
  char *contents; /* owned; a dirtree */
  char *meta;     /* owned; a dirmeta */
} Directory;

static void
directory_free (Directory *directory)
{
  g_free (directory->path);
  g_free (directory->contents);
  g_free (directory->meta);
  g_free (directory);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Directory, directory_free)

static void
bad_object_free (HfBadObject *bad)
{
  g_free (bad->checksum);
  g_free (bad->source);
  g_free (bad);
}

/**
 * hf_damage_free:
 * @damage: (transfer full): a damage
 */
void
hf_damage_free (HfDamage *damage)
{
  g_free (damage->place);
  g_free (damage->cause);
  g_free (damage);
}

/**
 * hf_damage_add:
 * @damages: (element-type HfDamage): where to add it
 * @place: what is damaged, below the deployment
 * @cause: what is wrong with it; a predicate, translated here
 */
void
hf_damage_add (GPtrArray *damages, const char *place, const char *cause)
{
  HfDamage *damage = g_new0 (HfDamage, 1);
  damage->place = g_strdup (place);
  damage->cause = g_strdup (hf_text (cause));
  g_ptr_array_add (damages, damage);
}

/**
 * hf_bad_objects_new:
 *
 * Returns: (transfer full) (element-type utf8 HfBadObject): an empty table
 */
GHashTable *
hf_bad_objects_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify)bad_object_free);
}

/* Loads metadata from wherever it is whole; NULL without an error if it is nowhere. */
static gboolean
load (HfExamine *examine, OstreeObjectType type, const char *checksum, GVariant **out,
      GError **error)
{
  const char *suffix = hf_object_suffix (type);
  HfVerdict stored;
  gboolean pinned;
  HfObjectPath loose;
  *out = NULL;
  if (!hf_examine_pin (examine, checksum, suffix, &stored, &pinned, error))
    return FALSE;
  if (pinned)
    {
      *out = hf_pin_load (examine->pins_fd, type, checksum, error);
      return *out != NULL;
    }
  if (stored.health != HF_OBJECT_WHOLE)
    return TRUE;
  hf_object_loose_path (loose, checksum, suffix);
  g_autoptr (GBytes) bytes
      = hf_file_read (examine->out->store->objects_fd, loose, OSTREE_MAX_METADATA_SIZE, error);
  *out = bytes == NULL ? NULL : hf_object_parse (type, checksum, bytes, error);
  return *out != NULL;
}

static gboolean
examine_files (HfExamine *examine, GVariant *tree, int dfd, const char *path, GHashTable *names,
               GError **error)
{
  g_autoptr (GVariant) files = g_variant_get_child_value (tree, 0);
  gsize n = g_variant_n_children (files);
  for (gsize i = 0; i < n; i++)
    {
      const char *name;
      g_autoptr (GVariant) checksum_v = NULL;
      g_variant_get_child (files, i, "(&s@ay)", &name, &checksum_v);
      g_autofree char *checksum = hf_checksum_from_variant (checksum_v);
      g_autofree char *place = g_strconcat (path, "/", name, NULL);
      g_hash_table_add (names, g_strdup (name));
      if (g_cancellable_set_error_if_cancelled (examine->cancellable, error)
          || !hf_examine_file (examine, dfd, name, place, checksum, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
push_directories (HfExamine *examine, HfWorkQueue *queue, GVariant *tree, int dfd, const char *path,
                  GHashTable *names, GError **error)
{
  g_autoptr (GVariant) dirs = g_variant_get_child_value (tree, 1);
  gsize n = g_variant_n_children (dirs);
  for (gsize i = 0; i < n; i++)
    {
      const char *name;
      struct stat st;
      g_autoptr (GVariant) contents = NULL;
      g_autoptr (GVariant) meta = NULL;
      g_variant_get_child (dirs, i, "(&s@ay@ay)", &name, &contents, &meta);
      Directory *directory = g_new0 (Directory, 1);
      directory->path = g_strconcat (path, "/", name, NULL);
      directory->contents = hf_checksum_from_variant (contents);
      directory->meta = hf_checksum_from_variant (meta);
      g_hash_table_add (names, g_strdup (name));
      if (dfd >= 0 && fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        hf_examine_add_damage (examine, directory->path, "is missing");
      else if (dfd >= 0 && !S_ISDIR (st.st_mode))
        hf_examine_add_damage (examine, directory->path, "is no directory");
      hf_work_queue_push (queue, directory);
    }
  return TRUE;
}

static gboolean
find_strangers (HfExamine *examine, int dfd, const char *path, GHashTable *names, GError **error)
{
  g_autoptr (DIR) dir = hf_dir_open (dfd, ".", error);
  const struct dirent *entry;
  if (dir == NULL)
    return FALSE;
  for (;;)
    {
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      if (g_hash_table_contains (names, entry->d_name))
        continue;
      g_autofree char *place = g_strconcat (path, "/", entry->d_name, NULL);
      hf_examine_add_damage (examine, place, "does not belong to the image");
    }
}

static gboolean
examine_mode (HfExamine *examine, const Directory *directory, int dfd, GError **error)
{
  g_autoptr (GVariant) meta = NULL;
  struct stat st;
  guint32 mode;
  if (!load (examine, OSTREE_OBJECT_TYPE_DIR_META, directory->meta, &meta, error))
    return FALSE;
  if (meta == NULL || dfd < 0)
    return TRUE;
  if (fstat (dfd, &st) != 0)
    return hf_throw_at (error, "Cannot look at %s", dfd, ".");
  g_variant_get_child (meta, 2, "u", &mode);
  mode = GUINT32_FROM_BE (mode) & 0775;
  if ((st.st_mode & 07777) == mode)
    return TRUE;
  g_autofree char *cause
      = g_strdup_printf (_ ("has mode %04o in place of %04o"), st.st_mode & 07777, mode);
  hf_examine_add_damage (examine, directory->path, cause);
  return TRUE;
}

/* A directory that is not there is gone through all the same: what of it is stored decides whether it
 * has to be fetched. */
static gboolean
examine_directory (HfWorkQueue *queue, gpointer task, gpointer data, GError **error)
{
  HfExamine *examine = data;
  g_autoptr (Directory) directory = task;
  g_autoptr (GVariant) tree = NULL;
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  hf_autofd int dfd = -1;
  if (examine->out->dir_fd >= 0)
    dfd = hf_open_beneath (examine->out->dir_fd, directory->path, O_RDONLY | O_DIRECTORY, 0);
  if (dfd < 0 && examine->out->dir_fd >= 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
    return hf_throw_at (error, "Cannot open directory %s", examine->out->dir_fd, directory->path);
  if (!examine_mode (examine, directory, dfd, error)
      || !load (examine, OSTREE_OBJECT_TYPE_DIR_TREE, directory->contents, &tree, error))
    return FALSE;
  /* What is below cannot be told; that the dirtree is nowhere was noted. */
  if (tree == NULL)
    hf_examine_cannot_tell (examine);
  if (tree == NULL)
    return TRUE;
  return examine_files (examine, tree, dfd, directory->path, names, error)
         && push_directories (examine, queue, tree, dfd, directory->path, names, error)
         && (dfd < 0 || find_strangers (examine, dfd, directory->path, names, error));
}

static gboolean
examine_tree (HfExamine *examine, GVariant *commit, GError **error)
{
  struct stat st;
  g_autoptr (GVariant) contents = g_variant_get_child_value (commit, 6);
  g_autoptr (GVariant) meta = g_variant_get_child_value (commit, 7);
  Directory *root = g_new0 (Directory, 1);
  root->path = g_strdup (HF_TREE_DIR);
  root->contents = hf_checksum_from_variant (contents);
  root->meta = hf_checksum_from_variant (meta);
  if (examine->out->dir_fd >= 0
      && (fstatat (examine->out->dir_fd, HF_TREE_DIR, &st, AT_SYMLINK_NOFOLLOW) != 0
          || !S_ISDIR (st.st_mode)))
    hf_examine_add_damage (examine, HF_TREE_DIR, "is missing");
  GPtrArray *first = g_ptr_array_new_with_free_func ((GDestroyNotify)directory_free);
  g_ptr_array_add (first, root);
  return hf_work_queue_run (first, HF_WORK_NORMAL, examine_directory, examine, error);
}

/**
 * hf_examine:
 * @examination: what to look at, and where to put what is found
 *
 * Locks: none needed; the caller's shared lock on the deployment's `.ref` keeps it from going.
 *
 * Returns: %FALSE with @error set if it cannot be told
 */
gboolean
hf_examine (HfExamination *examination, GCancellable *cancellable, GError **error)
{
  g_auto (HfExamine) examine = { 0 };
  g_autoptr (GVariant) commit = NULL;
  HfVerdict stored;
  gboolean pinned;
  if (!hf_examine_begin (&examine, examination, cancellable, error)
      || !load (&examine, OSTREE_OBJECT_TYPE_COMMIT, examination->commit, &commit, error)
      || !hf_examine_pin (&examine, examination->commit, HF_SUFFIX_COMMIT_META, &stored, &pinned,
                          error))
    return FALSE;
  examination->unknown = commit == NULL;
  if (commit == NULL)
    return TRUE;
  if (!examine_tree (&examine, commit, error))
    return FALSE;
  examination->unknown = examine.unknown;
  hf_examine_strange_pins (&examine);
  return TRUE;
}
