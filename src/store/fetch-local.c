/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Making an image of a directory or tarball of one's own, in an entry's private repository.  What
 * has `metadata` and `files/` is taken as it is; anything else becomes the `files/` of an image
 * that needs no runtime.
 */
#include "fetch.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/layout.h"
#include "core/metadata.h"
#include "tarball.h"

#include <string.h>
#include <unistd.h>

typedef struct
{
  HfScratch *fetch;
  const HfRef *ref;
  const char *source;
  HfProgress *progress; /* or NULL */
  GCancellable *cancellable;
  OstreeRepoCommitModifier *modifier; /* owned */
  GError *refused;                    /* owned; the first thing that no image may have */
} LocalCommit;

static void
local_commit_clear (LocalCommit *local)
{
  g_clear_pointer (&local->modifier, ostree_repo_commit_modifier_unref);
  g_clear_error (&local->refused);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (LocalCommit, local_commit_clear)

/* Sees every file before it is committed.  Canonical permissions would quietly drop what makes a
 * file dangerous, and so change a program without a word: it is refused instead. */
static OstreeRepoCommitFilterResult
refuse_unsafe (OstreeRepo *repo, const char *path, GFileInfo *info, gpointer data)
{
  LocalCommit *local = data;
  guint32 mode = g_file_info_get_attribute_uint32 (info, "unix::mode");
  GError **error = local->refused == NULL ? &local->refused : NULL;
  if (S_ISREG (mode) && (mode & 07000) != 0)
    (void)hf_throw (error, HF_ERROR_UNSAFE,
                    "%s: %s has mode %04o: no file of an image may be setuid, setgid or sticky",
                    local->source, path, mode & 07777);
  else if (S_ISDIR (mode) && (mode & 0500) != 0500)
    (void)hf_throw (error, HF_ERROR_UNSAFE,
                    "%s: directory %s has mode %04o: its owner could not enter it", local->source,
                    path, mode & 07777);
  else if (!S_ISREG (mode) && !S_ISDIR (mode) && !S_ISLNK (mode))
    (void)hf_throw (error, HF_ERROR_UNSAFE, "%s: %s is neither a file, a directory nor a symlink",
                    local->source, path);
  else
    {
      hf_progress_add (local->progress, 1,
                       g_file_info_get_attribute_uint64 (info, G_FILE_ATTRIBUTE_STANDARD_SIZE));
      return OSTREE_REPO_COMMIT_FILTER_ALLOW;
    }
  return OSTREE_REPO_COMMIT_FILTER_SKIP;
}

static gboolean
read_tarball (LocalCommit *local, OstreeMutableTree *tree, GError **error)
{
  g_autoptr (GError) failed = NULL;
  OstreeRepoImportArchiveOptions options = { .autocreate_parents = TRUE };
  if (!hf_tarball_check (local->source, local->progress, error))
    return FALSE;
  hf_autoarchive struct archive *archive = hf_tarball_open (local->source, error);
  if (archive == NULL)
    return FALSE;
  hf_progress_begin (local->progress, "Reading", 0);
  if (ostree_repo_import_archive_to_mtree (local->fetch->repo, &options, archive, tree,
                                           local->modifier, local->cancellable, &failed))
    return TRUE;
  return hf_throw_ostree (error, failed, "Cannot read tarball %s", local->source);
}

static gboolean
read_directory (LocalCommit *local, OstreeMutableTree *tree, GError **error)
{
  g_autoptr (GError) failed = NULL;
  hf_progress_begin (local->progress, "Reading", 0);
  if (ostree_repo_write_dfd_to_mtree (local->fetch->repo, AT_FDCWD, local->source, tree,
                                      local->modifier, local->cancellable, &failed))
    return TRUE;
  return hf_throw_ostree (error, failed, "Cannot read directory %s", local->source);
}

/* Nothing is believed of what is read: refused files fail the whole, not only themselves. */
static gboolean
read_source (LocalCommit *local, OstreeMutableTree *tree, GError **error)
{
  gboolean read = g_file_test (local->source, G_FILE_TEST_IS_DIR)
                      ? read_directory (local, tree, error)
                      : read_tarball (local, tree, error);
  if (local->refused == NULL)
    return read;
  g_clear_error (error);
  g_propagate_error (error, g_steal_pointer (&local->refused));
  return FALSE;
}

/* A `files` that is no directory makes a bad image, not the contents of one: import refuses it. */
static gboolean
is_image (OstreeMutableTree *tree)
{
  GHashTable *files = ostree_mutable_tree_get_files (tree);
  return g_hash_table_contains (files, HF_METADATA_FILE)
         && (g_hash_table_contains (ostree_mutable_tree_get_subdirs (tree), HF_FILES_DIR)
             || g_hash_table_contains (files, HF_FILES_DIR));
}

/* The root of an image has the permissions of any directory. */
static gboolean
set_root_meta (LocalCommit *local, OstreeMutableTree *tree, GError **error)
{
  g_autoptr (GFileInfo) info = g_file_info_new ();
  g_autofree guchar *checksum = NULL;
  g_file_info_set_attribute_uint32 (info, "unix::uid", 0);
  g_file_info_set_attribute_uint32 (info, "unix::gid", 0);
  g_file_info_set_attribute_uint32 (info, "unix::mode", S_IFDIR | 0755);
  g_autoptr (GVariant) meta = g_variant_ref_sink (ostree_create_directory_metadata (info, NULL));
  if (!ostree_repo_write_metadata (local->fetch->repo, OSTREE_OBJECT_TYPE_DIR_META, NULL, meta,
                                   &checksum, local->cancellable, error))
    return FALSE;
  g_autofree char *text = ostree_checksum_from_bytes (checksum);
  ostree_mutable_tree_set_metadata_checksum (tree, text);
  return TRUE;
}

static gboolean
wrap_files (LocalCommit *local, OstreeMutableTree *files, OstreeMutableTree **out, GError **error)
{
  g_autoptr (OstreeMutableTree) root = ostree_mutable_tree_new ();
  g_autoptr (OstreeMutableTree) child = NULL;
  g_autoptr (GFile) written = NULL;
  if (ostree_mutable_tree_get_metadata_checksum (files) == NULL
      && !set_root_meta (local, files, error))
    return FALSE;
  if (!ostree_repo_write_mtree (local->fetch->repo, files, &written, local->cancellable, error)
      || !set_root_meta (local, root, error)
      || !ostree_mutable_tree_ensure_dir (root, HF_FILES_DIR, &child, error))
    return FALSE;
  ostree_mutable_tree_set_metadata_checksum (child,
                                             ostree_mutable_tree_get_metadata_checksum (files));
  if (!ostree_mutable_tree_fill_empty_from_dirtree (
          child, local->fetch->repo, ostree_mutable_tree_get_contents_checksum (files),
          ostree_mutable_tree_get_metadata_checksum (files)))
    return hf_throw (error, HF_ERROR_FAILED, "Cannot read back what was committed of %s",
                     local->source);
  *out = g_steal_pointer (&root);
  return TRUE;
}

/* Returns the keyfile that the image brings, or a new one. */
static GKeyFile *
load_metadata (LocalCommit *local, OstreeMutableTree *tree, GError **error)
{
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  const char *checksum
      = g_hash_table_lookup (ostree_mutable_tree_get_files (tree), HF_METADATA_FILE);
  if (checksum == NULL)
    {
      g_key_file_set_string (keyfile, hf_ref_is_app (local->ref) ? "Application" : "Runtime",
                             "name", local->ref->id);
      return g_steal_pointer (&keyfile);
    }
  g_autoptr (GInputStream) stream = NULL;
  g_autoptr (GFileInfo) info = NULL;
  if (!ostree_repo_load_file (local->fetch->repo, checksum, &stream, &info, NULL,
                              local->cancellable, error))
    return NULL;
  if (stream == NULL || g_file_info_get_size (info) > HF_METADATA_LIMIT)
    {
      (void)hf_throw (error, HF_ERROR_UNSAFE, "%s: '%s' of the image is too large or not a file",
                      local->source, HF_METADATA_FILE);
      return NULL;
    }
  gsize size = (gsize)g_file_info_get_size (info), length;
  g_autofree char *text = g_malloc (size + 1);
  g_autoptr (GError) failed = NULL;
  if (!g_input_stream_read_all (stream, text, size, &length, local->cancellable, error))
    return NULL;
  if (!g_key_file_load_from_data (keyfile, text, length, G_KEY_FILE_KEEP_COMMENTS, &failed))
    {
      (void)hf_throw (error, HF_ERROR_UNSAFE, "%s: '%s' of the image is not a keyfile: %s",
                      local->source, HF_METADATA_FILE, failed->message);
      return NULL;
    }
  return g_steal_pointer (&keyfile);
}

/* Returns the final text of `metadata`, with @command set in it. */
static char *
write_metadata (LocalCommit *local, OstreeMutableTree *tree, const char *command, GError **error)
{
  g_autoptr (GKeyFile) keyfile = load_metadata (local, tree, error);
  gsize length;
  if (keyfile == NULL)
    return NULL;
  if (command != NULL)
    g_key_file_set_string (keyfile, hf_ref_is_app (local->ref) ? "Application" : "Runtime",
                           "command", command);
  g_autofree char *text = g_key_file_to_data (keyfile, &length, NULL);
  g_autofree char *checksum
      = ostree_repo_write_regfile_inline (local->fetch->repo, NULL, 0, 0, S_IFREG | 0644, NULL,
                                          (const guint8 *)text, length, local->cancellable, error);
  if (checksum == NULL
      || !ostree_mutable_tree_replace_file (tree, HF_METADATA_FILE, checksum, error))
    return NULL;
  return g_steal_pointer (&text);
}

static char *
write_commit (LocalCommit *local, OstreeMutableTree *tree, const char *metadata, GError **error)
{
  g_autoptr (GFile) root = NULL;
  g_autofree char *checksum = NULL;
  const char *refs[] = { local->ref->full, NULL };
  g_autoptr (GVariantDict) dict = g_variant_dict_new (NULL);
  g_variant_dict_insert (dict, "xa.ref", "s", local->ref->full);
  g_variant_dict_insert (dict, "xa.metadata", "s", metadata);
  g_variant_dict_insert (dict, OSTREE_COMMIT_META_KEY_REF_BINDING, "^as", refs);
  g_autoptr (GVariant) variant = g_variant_ref_sink (g_variant_dict_end (dict));
  if (!ostree_repo_write_mtree (local->fetch->repo, tree, &root, local->cancellable, error)
      || !ostree_repo_write_commit (local->fetch->repo, NULL, local->ref->full, NULL, variant,
                                    OSTREE_REPO_FILE (root), &checksum, local->cancellable, error))
    return NULL;
  return g_steal_pointer (&checksum);
}

static char *
commit_in_transaction (LocalCommit *local, const char *command, GError **error)
{
  g_autoptr (OstreeMutableTree) read = ostree_mutable_tree_new ();
  g_autoptr (OstreeMutableTree) image = NULL;
  if (!read_source (local, read, error))
    return NULL;
  if (is_image (read))
    image = g_object_ref (read);
  else if (!wrap_files (local, read, &image, error))
    return NULL;
  if (ostree_mutable_tree_get_metadata_checksum (image) == NULL
      && !set_root_meta (local, image, error))
    return NULL;
  g_autofree char *metadata = write_metadata (local, image, command, error);
  return metadata == NULL ? NULL : write_commit (local, image, metadata, error);
}

/**
 * hf_fetch_directory_or_tarball:
 * @fetch: an entry's private repository
 * @source: a path
 * @ref: what the image is to be
 * @command: (nullable): what it runs by default
 * @progress: (nullable): where to tell how far it is
 *
 * Returns: (transfer full): the commit, or %NULL with %HF_ERROR_UNSAFE if @source has what no image
 * may have, or another error
 */
char *
hf_fetch_directory_or_tarball (HfScratch *fetch, const char *source, const HfRef *ref,
                               const char *command, HfProgress *progress, GCancellable *cancellable,
                               GError **error)
{
  g_auto (LocalCommit) local = {
    .fetch = fetch, .ref = ref, .source = source, .progress = progress, .cancellable = cancellable
  };
  g_autoptr (GError) failed = NULL;
  local.modifier
      = ostree_repo_commit_modifier_new (OSTREE_REPO_COMMIT_MODIFIER_FLAGS_CANONICAL_PERMISSIONS
                                             | OSTREE_REPO_COMMIT_MODIFIER_FLAGS_SKIP_XATTRS,
                                         refuse_unsafe, &local, NULL);
  g_autofree char *commit = NULL;
  if (ostree_repo_prepare_transaction (fetch->repo, NULL, cancellable, &failed))
    commit = commit_in_transaction (&local, command, &failed);
  if (commit != NULL && ostree_repo_commit_transaction (fetch->repo, NULL, cancellable, &failed))
    return g_steal_pointer (&commit);
  (void)ostree_repo_abort_transaction (fetch->repo, NULL, NULL);
  (void)hf_throw_ostree (error, failed, "Cannot make an image of %s", source);
  return NULL;
}
