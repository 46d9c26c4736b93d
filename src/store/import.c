/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Import: the walk over a commit that lays out tree/ and pins/, and its end.  The rules of the
 * layout are those of `ostree checkout -U -H`, so that the result is the same.  A crash at any
 * point of the walk leaves an entry without `deployment`, on which nothing depends.
 */
#include "import.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/test-hook.h"
#include "base/work-queue.h"
#include "core/layout.h"
#include "import-private.h"
#include "links-count.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Real images have a tenth of this. */
#define MAX_DEPTH 200
#define MAX_PATH  4000
/* Files and directories.  A directory that is in another one twice, that in a third one twice, and so on, is a
 * few bytes to fetch and more than any disk can take. */
#define MAX_NAMES 4000000

/* A directory of the image, made and still empty. */
typedef struct
{
  char *path;     /* owned; below the entry */
  char *contents; /* owned; a dirtree */
  char *meta;     /* owned; a dirmeta */
  guint depth;    /* 0 for tree/ itself */
} Directory;

static Directory *
directory_new (const char *path, GVariant *contents, GVariant *meta, guint depth)
{
  Directory *directory = g_new0 (Directory, 1);
  directory->path = g_strdup (path);
  directory->contents = hf_checksum_from_variant (contents);
  directory->meta = hf_checksum_from_variant (meta);
  directory->depth = depth;
  return directory;
}

static void
directory_free (Directory *directory)
{
  g_free (directory->path);
  g_free (directory->contents);
  g_free (directory->meta);
  g_free (directory);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Directory, directory_free)

/**
 * hf_import_free:
 * @import: (nullable) (transfer full): an import
 *
 * Gives the repository's lock up.
 */
void
hf_import_free (HfImport *import)
{
  if (import == NULL)
    return;
  hf_lock_release (&import->repo_lock);
  hf_fd_clear (&import->tree_fd);
  hf_fd_clear (&import->pins_fd);
  hf_fd_clear (&import->fetch_objects_fd);
  hf_import_claims_clear (import);
  hf_ref_free (import->ref);
  g_free (import);
}

/* Under the repository's lock, and not before: a pins/ without `deployment` tells a pruner, who has that
 * lock exclusively, of an import that failed or died.  One that waits must not look like it. */
static gboolean
make_directories (HfImport *import, GError **error)
{
  int entry_fd = import->params.staging->dir_fd;
  if (!hf_mkdir (entry_fd, HF_TREE_DIR, 0700, error)
      || !hf_mkdir (entry_fd, HF_PINS_DIR, 0700, error))
    return FALSE;
  import->tree_fd = hf_open_dir (entry_fd, HF_TREE_DIR, error);
  if (import->tree_fd < 0)
    return FALSE;
  import->pins_fd = hf_open_dir (entry_fd, HF_PINS_DIR, error);
  if (import->pins_fd < 0)
    return FALSE;
  import->fetch_objects_fd
      = hf_open_beneath (entry_fd, HF_FETCH_DIR "/" HF_OBJECTS_DIR, O_RDONLY | O_DIRECTORY, 0);
  return import->fetch_objects_fd >= 0 || errno == ENOENT
         || hf_throw_at (error, "Cannot open %s", entry_fd, HF_FETCH_DIR);
}

/**
 * hf_import_new:
 * @params: what to import; everything in it outlives the import
 *
 * Locks: needs the entry's.
 *
 * Returns: (transfer full): an import into an entry without tree/ and pins/
 */
HfImport *
hf_import_new (const HfImportParams *params)
{
  HfImport *import = g_new0 (HfImport, 1);
  import->params = *params;
  import->ref = hf_ref_copy (params->ref);
  import->repo_lock = (HfLock)HF_LOCK_INIT;
  import->tree_fd = import->pins_fd = import->fetch_objects_fd = -1;
  hf_import_claims_init (import);
  return import;
}

/* A directory's mode, from its metadata object.  Only what a repository of this kind can store is
 * taken: an image with owners or extended attributes would not come out as its checksum says. */
static gboolean
load_directory_mode (HfImport *import, const char *checksum, const char *path, guint32 *out_mode,
                     GError **error)
{
  g_autoptr (GVariant) meta
      = hf_pin_load (import->pins_fd, OSTREE_OBJECT_TYPE_DIR_META, checksum, error);
  if (meta == NULL)
    return FALSE;
  guint32 uid, gid, mode;
  g_autoptr (GVariant) xattrs = NULL;
  g_variant_get (meta, "(uuu@a(ayay))", &uid, &gid, &mode, &xattrs);
  mode = GUINT32_FROM_BE (mode);
  if (uid != 0 || gid != 0 || g_variant_n_children (xattrs) > 0)
    return hf_throw (error, HF_ERROR_UNSAFE,
                     "%s: %s has an owner or extended attributes: images must have canonical"
                     " permissions, as `flatpak build-export` makes them",
                     import->ref->full, path);
  if ((mode & 0500) != 0500)
    return hf_throw (error, HF_ERROR_UNSAFE,
                     "%s: directory %s has mode %04o: its owner could not enter it",
                     import->ref->full, path, mode & 07777);
  *out_mode = mode & 0775;
  return TRUE;
}

/* Names at the top of an image that the host itself looks at, or that are ours. */
static gboolean
check_top_name (HfImport *import, const char *name, gboolean is_directory, GError **error)
{
  if (strcmp (name, HF_REF_FILE) == 0 || strcmp (name, HF_DEPLOYMENT_FILE) == 0)
    return hf_throw (error, HF_ERROR_UNSAFE, "%s: an image must not bring a '%s' of its own",
                     import->ref->full, name);
  gboolean must_be_directory
      = strcmp (name, HF_FILES_DIR) == 0 || strcmp (name, HF_EXPORT_DIR) == 0;
  if (must_be_directory && !is_directory)
    return hf_throw (error, HF_ERROR_UNSAFE, "%s: '%s' of the image is not a directory",
                     import->ref->full, name);
  if (is_directory && strcmp (name, HF_METADATA_FILE) == 0)
    return hf_throw (error, HF_ERROR_UNSAFE, "%s: '%s' of the image is not a file",
                     import->ref->full, name);
  return TRUE;
}

static gboolean
extend_path (HfImport *import, GString *path, const char *name, guint depth, GError **error)
{
  g_string_append_c (path, '/');
  g_string_append (path, name);
  if (depth > MAX_DEPTH || path->len > MAX_PATH)
    return hf_throw (error, HF_ERROR_UNSAFE,
                     "%s: directories are nested deeper than %d or have paths longer than %d bytes",
                     import->ref->full, MAX_DEPTH, MAX_PATH);
  return TRUE;
}

/* Before they are made, so that what is too much is not first tried. */
static gboolean
count_names (HfImport *import, GVariant *files, GVariant *dirs, GError **error)
{
  const int most = HF_TEST_FLAG ("FEW_NAMES") ? 100 : MAX_NAMES;
  gsize n = g_variant_n_children (files) + g_variant_n_children (dirs);
  return (n <= (gsize)most && g_atomic_int_add (&import->names, (int)n) <= most - (int)n)
         || hf_throw (error, HF_ERROR_UNSAFE,
                      "%s: the image has more than %d files and directories", import->ref->full,
                      most);
}

static gboolean
layout_files (HfImport *import, GVariant *files, int dfd, GString *path, guint depth,
              GError **error)
{
  gsize length = path->len, n = g_variant_n_children (files);
  for (gsize i = 0; i < n; i++)
    {
      const char *name;
      g_autoptr (GVariant) checksum_v = NULL;
      g_variant_get_child (files, i, "(&s@ay)", &name, &checksum_v);
      g_autofree char *checksum = hf_checksum_from_variant (checksum_v);
      if ((depth == 0 && !check_top_name (import, name, FALSE, error))
          || !extend_path (import, path, name, depth, error)
          || g_cancellable_set_error_if_cancelled (import->params.cancellable, error))
        return FALSE;
      HfImportPlace place = { dfd, name, path->str, depth };
      if (!hf_import_file (import, checksum, &place, error))
        return FALSE;
      g_string_truncate (path, length);
    }
  return TRUE;
}

/* Makes the subdirectories and leaves them to whatever thread comes by. */
static gboolean
layout_subdirectories (HfImport *import, HfWorkQueue *queue, GVariant *dirs, int dfd, GString *path,
                       guint depth, GError **error)
{
  gsize length = path->len, n = g_variant_n_children (dirs);
  for (gsize i = 0; i < n; i++)
    {
      const char *name;
      g_autoptr (GVariant) contents = NULL;
      g_autoptr (GVariant) meta = NULL;
      g_variant_get_child (dirs, i, "(&s@ay@ay)", &name, &contents, &meta);
      if ((depth == 0 && !check_top_name (import, name, TRUE, error))
          || !extend_path (import, path, name, depth, error))
        return FALSE;
      if (mkdirat (dfd, name, 0700) != 0)
        return hf_throw_errno (error, "Cannot create %s", path->str);
      hf_work_queue_push (queue, directory_new (path->str, contents, meta, depth + 1));
      g_string_truncate (path, length);
    }
  return TRUE;
}

/* Fills one directory, and gives it its mode and time last: both change, or forbid, what is done in
 * it.  What its subdirectories get later does not touch it. */
static gboolean
layout_directory (HfWorkQueue *queue, gpointer task, gpointer data, GError **error)
{
  HfImport *import = data;
  g_autoptr (Directory) directory = task;
  guint32 mode = 0;
  if (!hf_import_pin (import, OSTREE_OBJECT_TYPE_DIR_META, directory->meta, error)
      || !load_directory_mode (import, directory->meta, directory->path, &mode, error)
      || !hf_import_pin (import, OSTREE_OBJECT_TYPE_DIR_TREE, directory->contents, error))
    return FALSE;
  g_autoptr (GVariant) tree
      = hf_pin_load (import->pins_fd, OSTREE_OBJECT_TYPE_DIR_TREE, directory->contents, error);
  if (tree == NULL)
    return FALSE;
  hf_autofd int dfd = hf_open_dir (import->params.staging->dir_fd, directory->path, error);
  if (dfd < 0)
    return FALSE;
  g_autoptr (GString) path = g_string_new (directory->path);
  g_autoptr (GVariant) files = g_variant_get_child_value (tree, 0);
  g_autoptr (GVariant) dirs = g_variant_get_child_value (tree, 1);
  if (!count_names (import, files, dirs, error)
      || !layout_files (import, files, dfd, path, directory->depth, error)
      || !layout_subdirectories (import, queue, dirs, dfd, path, directory->depth, error))
    return FALSE;
  static const struct timespec times[2] = { { 0, UTIME_OMIT }, { 0, 0 } };
  if (fchmod (dfd, mode) != 0 || futimens (dfd, times) != 0)
    return hf_throw_at (error, "Cannot set the mode of %s", dfd, ".");
  return TRUE;
}

/**
 * hf_import_layout:
 * @import: an import
 * @commit: the commit to lay out
 *
 * Fills tree/ and pins/ of the entry, linking what is stored and creating what is not.
 *
 * Locks: takes the repository's, shared, until the import is freed or finished.
 *
 * Returns: %FALSE with @error set; %HF_ERROR_CHANGED if an object was to be found nowhere: it was
 *   stored when the image was fetched and pruned since, so it must be fetched now
 */
gboolean
hf_import_layout (HfImport *import, const char *commit, GError **error)
{
  if (!hf_lock_take (import->params.store->installation, HF_LOCK_REPO_IMPORT, &import->repo_lock,
                     error)
      || !make_directories (import, error)
      || !hf_import_pin (import, OSTREE_OBJECT_TYPE_COMMIT, commit, error))
    return FALSE;
  g_autoptr (GVariant) variant
      = hf_pin_load (import->pins_fd, OSTREE_OBJECT_TYPE_COMMIT, commit, error);
  if (variant == NULL)
    return FALSE;
  g_autoptr (GVariant) contents = g_variant_get_child_value (variant, 6);
  g_autoptr (GVariant) meta = g_variant_get_child_value (variant, 7);
  GPtrArray *first = g_ptr_array_new_with_free_func ((GDestroyNotify)directory_free);
  g_ptr_array_add (first, directory_new (HF_TREE_DIR, contents, meta, 0));
  if (!hf_import_pin (import, OSTREE_OBJECT_TYPE_COMMIT_META, commit, error))
    {
      g_ptr_array_unref (first);
      return FALSE;
    }
  hf_progress_begin (import->params.progress, "Laying out", 0);
  return hf_work_queue_run (first, HF_WORK_NORMAL, layout_directory, import, error);
}

static gboolean
sync_filesystem (HfImport *import, GError **error)
{
  if (syncfs (import->tree_fd) != 0)
    return hf_throw_errno (error, "Cannot write %s to disk", import->ref->full);
  return TRUE;
}

/**
 * hf_import_finish:
 * @import: an import, laid out
 * @info: what to record; `installed_size` and `copies` are filled in
 *
 * Makes the deployment complete and adds its new objects to the repository.  A crash before
 * `deployment` exists leaves nothing there; a crash after it leaves an entry that lists everything
 * that may have got there, and a sweep prunes by it.
 *
 * Locks: gives the repository's up, on success.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_import_finish (HfImport *import, HfDeploymentInfo *info, GError **error)
{
  info->installed_size = import->size;
  info->copies = import->copies;
  if (fchmod (import->pins_fd, HF_MODE_DIR) != 0)
    return hf_throw_at (error, "Cannot set the mode of %s", import->pins_fd, ".");
  if (!sync_filesystem (import, error)
      || (import->copies && !hf_links_count_no_more (import->params.store->installation, error))
      || !hf_deployment_write (import->params.staging->dir_fd, info, error)
      || !hf_import_link_all (import, info->commit, error))
    return FALSE;
  /* Linking may have met an object that takes no more links, or a repository on another mount. */
  if (import->copies && !info->copies)
    {
      info->copies = TRUE;
      if (!hf_deployment_write (import->params.staging->dir_fd, info, error))
        return FALSE;
    }
  if (!sync_filesystem (import, error))
    return FALSE;
  hf_lock_release (&import->repo_lock);
  return TRUE;
}
