/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walking commits for their marks.  A deployment's own pins have all of its metadata; a foreign
 * ref's is in the repository.  What cannot be read is an error: a prune that does not know what
 * something needs must not go on.
 */
#include "marks-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "core/layout.h"
#include "object.h"

#include <errno.h>
#include <string.h>

static gboolean
mark_variant (HfMarks *marks, GVariant *tuple, gsize index, char **out_checksum, GError **error)
{
  g_autoptr (GVariant) ay = g_variant_get_child_value (tuple, index);
  gsize length;
  const guint8 *bytes = g_variant_get_fixed_array (ay, &length, 1);
  if (length != HF_CHECKSUM_BYTES)
    return hf_throw (error, HF_ERROR_DAMAGED,
                     ngettext ("an object names another by %lu byte",
                               "an object names another by %lu bytes", length),
                     (gulong)length);
  hf_name_set_add (&marks->names, bytes);
  if (out_checksum != NULL)
    *out_checksum = hf_checksum_from_variant (ay);
  return TRUE;
}

/* From the pins or, where they do not have it, from the repository. */
static GVariant *
load (HfMarks *marks, int pins_fd, OstreeObjectType type, const char *checksum, GError **error)
{
  g_autoptr (GError) failed = NULL;
  GVariant *variant = pins_fd < 0 ? NULL : hf_pin_load (pins_fd, type, checksum, &failed);
  if (variant != NULL)
    return variant;
  HfObjectPath loose;
  hf_object_loose_path (loose, checksum, hf_object_suffix (type));
  g_autoptr (GBytes) bytes
      = hf_file_read (marks->store->objects_fd, loose, OSTREE_MAX_METADATA_SIZE, error);
  return bytes == NULL ? NULL : hf_object_parse (type, checksum, bytes, error);
}

/* Returns whether @checksum is met for the first time. */
static gboolean
first_visit (HfMarks *marks, const char *checksum)
{
  guint8 *bytes = g_malloc (HF_CHECKSUM_BYTES);
  hf_checksum_to_bytes (checksum, bytes);
  g_autoptr (GBytes) key = g_bytes_new_take (bytes, HF_CHECKSUM_BYTES);
  return g_hash_table_add (marks->trees, g_steal_pointer (&key));
}

static gboolean
mark_files (HfMarks *marks, GVariant *tree, GError **error)
{
  g_autoptr (GVariant) files = g_variant_get_child_value (tree, 0);
  gsize n = g_variant_n_children (files);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) file = g_variant_get_child_value (files, i);
      if (!mark_variant (marks, file, 1, NULL, error))
        return FALSE;
    }
  return TRUE;
}

/* Adds the subdirectories of @tree that are met for the first time to @queue. */
static gboolean
mark_subdirectories (HfMarks *marks, GVariant *tree, GPtrArray *queue, GError **error)
{
  g_autoptr (GVariant) dirs = g_variant_get_child_value (tree, 1);
  gsize n = g_variant_n_children (dirs);
  for (gsize i = 0; i < n; i++)
    {
      g_autofree char *checksum = NULL;
      g_autoptr (GVariant) dir = g_variant_get_child_value (dirs, i);
      if (!mark_variant (marks, dir, 1, &checksum, error)
          || !mark_variant (marks, dir, 2, NULL, error))
        return FALSE;
      if (first_visit (marks, checksum))
        g_ptr_array_add (queue, g_steal_pointer (&checksum));
    }
  return TRUE;
}

static gboolean
walk_trees (HfMarks *marks, int pins_fd, GPtrArray *queue, GError **error)
{
  while (queue->len > 0)
    {
      g_autofree char *checksum = g_ptr_array_steal_index_fast (queue, queue->len - 1);
      g_autoptr (GVariant) tree
          = load (marks, pins_fd, OSTREE_OBJECT_TYPE_DIR_TREE, checksum, error);
      if (tree == NULL || !mark_files (marks, tree, error)
          || !mark_subdirectories (marks, tree, queue, error))
        return FALSE;
    }
  return TRUE;
}

/**
 * hf_marks_walk:
 * @marks: marks
 * @pins_fd: pins/ of the deployment, or -1
 * @commit: its commit
 *
 * Marks everything that a commit reaches.
 *
 * Returns: %FALSE with @error set if some of its metadata cannot be read
 */
gboolean
hf_marks_walk (HfMarks *marks, int pins_fd, const char *commit, GError **error)
{
  g_autoptr (GPtrArray) queue = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *contents = NULL;
  guint8 name[HF_CHECKSUM_BYTES];
  if (!first_visit (marks, commit))
    return TRUE;
  g_autoptr (GVariant) variant = load (marks, pins_fd, OSTREE_OBJECT_TYPE_COMMIT, commit, error);
  if (variant == NULL)
    return FALSE;
  hf_checksum_to_bytes (commit, name);
  hf_name_set_add (&marks->names, name);
  if (!mark_variant (marks, variant, 6, &contents, error)
      || !mark_variant (marks, variant, 7, NULL, error))
    return FALSE;
  if (first_visit (marks, contents))
    g_ptr_array_add (queue, g_steal_pointer (&contents));
  return walk_trees (marks, pins_fd, queue, error);
}

static gboolean
is_stored (HfMarks *marks, const char *commit, gboolean *out, GError **error)
{
  HfObjectPath loose;
  struct stat st;
  hf_object_loose_path (loose, commit, HF_SUFFIX_COMMIT);
  *out = fstatat (marks->store->objects_fd, loose, &st, AT_SYMLINK_NOFOLLOW) == 0;
  return *out || errno == ENOENT || hf_throw_errno (error, "Cannot look at commit %s", commit);
}

/* A foreign ref's history, as far as it is there. */
static gboolean
walk_history (HfMarks *marks, const char *tip, GError **error)
{
  g_autofree char *at = g_strdup (tip);
  while (at != NULL)
    {
      gboolean stored;
      if (!is_stored (marks, at, &stored, error))
        return FALSE;
      if (!stored)
        break;
      if (!hf_marks_walk (marks, -1, at, error))
        return FALSE;
      g_autoptr (GVariant) variant = load (marks, -1, OSTREE_OBJECT_TYPE_COMMIT, at, error);
      if (variant == NULL)
        return FALSE;
      g_free (at);
      at = ostree_commit_get_parent (variant);
    }
  return TRUE;
}

/**
 * hf_marks_walk_foreign:
 * @marks: marks
 *
 * Marks what refs reach that somebody else made in the repository, and their history as far as it
 * is there.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_marks_walk_foreign (HfMarks *marks, GError **error)
{
  g_autoptr (GHashTable) refs = NULL;
  if (!ostree_repo_list_refs (marks->store->repo, NULL, &refs, NULL, error))
    return FALSE;
  GHashTableIter iter;
  gpointer ref, commit;
  g_hash_table_iter_init (&iter, refs);
  while (g_hash_table_iter_next (&iter, &ref, &commit))
    {
      if (!g_str_has_prefix (ref, HF_REPO_DEPLOY_REFS "/") && !walk_history (marks, commit, error))
        return FALSE;
    }
  return TRUE;
}
