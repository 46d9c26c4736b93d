/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A deployment's export/.  It is made while the deployment is built, so that it is there, whole and on disk,
 * before anything can lead to it, and it never changes.  Icons and the like are not in it, only their names:
 * they are linked to where the image has them.
 */
#include "export.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/tree-walk.h"
#include "export-image.h"
#include "installation.h"
#include "layout.h"

#include <errno.h>
#include <string.h>

#define MANIFEST       HF_EXPORT_DIR "/" HF_EXPORT_MANIFEST
#define MANIFEST_LIMIT (4 * 1024 * 1024) /* bytes; more than the limits of names allow */

/**
 * hf_export_scope:
 * @installation_path: where an installation is
 *
 * The user's is named by its path if XDG_DATA_HOME says where it is: what starts the program later may
 * not have that.
 *
 * Returns: (transfer full): the option that has holdfast work on it
 */
char *
hf_export_scope (const char *installation_path)
{
  g_autofree char *user
      = g_build_filename (g_get_home_dir (), ".local", "share", HF_USER_INSTALLATION, NULL);
  if (strcmp (installation_path, HF_SYSTEM_INSTALLATION) == 0)
    return g_strdup ("--system");
  if (strcmp (installation_path, user) == 0)
    return g_strdup ("--user");
  return g_strconcat ("--installation=", installation_path, NULL);
}

static mode_t
mode_of (const HfExportFile *file)
{
  return hf_export_name_kind (file->path) == HF_EXPORT_WRAPPER ? 0755 : 0644;
}

/* Durable with all the rest of the deployment. */
static gboolean
write_file (int dir_fd, const char *path, const char *data, gsize length, mode_t mode,
            GError **error)
{
  const char *slash = strrchr (path, '/');
  g_autofree char *dir = g_strndup (path, (gsize)(slash - path));
  hf_autofd int parent_fd = hf_make_dirs (dir_fd, dir, HF_MODE_DIR, error);
  if (parent_fd < 0)
    return FALSE;
  hf_autofd int fd = hf_open_beneath (parent_fd, slash + 1, O_WRONLY | O_CREAT | O_EXCL, 0600);
  return (fd >= 0 && hf_fd_write_all (fd, data, length) && fchmod (fd, mode) == 0)
         || hf_throw_at (error, "Cannot write %s", dir_fd, path);
}

static char *
manifest_of (const GPtrArray *files)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < files->len; i++)
    g_string_append_printf (text, "%s\n", ((const HfExportFile *)files->pdata[i])->path);
  return g_string_free (text, FALSE);
}

static GPtrArray *
read_files (int dir_fd, const HfExportTarget *target, GPtrArray *refused, GError **error)
{
  hf_autofd int tree_fd = hf_open_dir (dir_fd, HF_TREE_DIR, error);
  return tree_fd < 0 ? NULL : hf_export_files (tree_fd, target, refused, error);
}

/**
 * hf_export_build:
 * @dir_fd: a deployment being built, its image laid out
 * @target: the image, as it is started
 * @refused: (element-type utf8): what is not exported, and why, is added to it
 *
 * Makes its export/, if there is anything to export.  Nothing is durable when this returns.
 *
 * Locks: needs the `.ref` of the deployment, which is in staging/.
 *
 * Returns: %FALSE with @error set if it cannot be read or written; what the image must not export is no
 *   error
 */
gboolean
hf_export_build (int dir_fd, const HfExportTarget *target, GPtrArray *refused, GError **error)
{
  g_autoptr (GPtrArray) files = read_files (dir_fd, target, refused, error);
  for (guint i = 0; files != NULL && i < files->len; i++)
    {
      const HfExportFile *file = files->pdata[i];
      g_autofree char *path = g_strconcat (HF_EXPORT_DIR "/", file->path, NULL);
      if (file->contents != NULL
          && !write_file (dir_fd, path, g_bytes_get_data (file->contents, NULL),
                          g_bytes_get_size (file->contents), mode_of (file), error))
        return FALSE;
    }
  if (files == NULL || files->len == 0)
    return files != NULL;
  g_autofree char *manifest = manifest_of (files);
  return write_file (dir_fd, MANIFEST, manifest, strlen (manifest), 0644, error);
}

typedef struct
{
  int dir_fd;
  HfExportDamaged damaged;
  gpointer data;
  GHashTable *known; /* owned; paths of files below the deployment */
} Examination;

static void
examine_file (Examination *examination, const char *path, const char *data, gsize length,
              mode_t mode)
{
  struct stat st;
  g_autoptr (GError) failed = NULL;
  g_autoptr (GBytes) bytes = hf_file_read (examination->dir_fd, path, length, &failed);
  g_hash_table_add (examination->known, g_strdup (path));
  if (bytes == NULL && errno == ENOENT)
    examination->damaged (path, "is missing", examination->data);
  else if (bytes == NULL || g_bytes_get_size (bytes) != length
           || memcmp (g_bytes_get_data (bytes, NULL), data, length) != 0)
    examination->damaged (path, "is not what is exported of the image", examination->data);
  else if (fstatat (examination->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0
           && (st.st_mode & 07777) != mode)
    examination->damaged (path, "has another mode than it was given", examination->data);
}

static gboolean
find_stranger (const HfTreeWalk *walk, int dfd, const char *name, ino_t inode, gpointer data)
{
  Examination *examination = data;
  struct stat st;
  g_autofree char *path = hf_tree_walk_path (walk, name);
  if (fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR (st.st_mode)
      && !g_hash_table_contains (examination->known, path))
    examination->damaged (path, "does not belong to what is exported", examination->data);
  return TRUE;
}

/**
 * hf_export_examine:
 * @dir_fd: a deployment
 * @target: the image, as it is started
 * @damaged: called with what is not as hf_export_build() would make it
 * @data: for @damaged
 *
 * Locks: none needed; the caller's lock on the deployment's `.ref` keeps it from going.
 *
 * Returns: %FALSE with @error set if it cannot be told
 */
gboolean
hf_export_examine (int dir_fd, const HfExportTarget *target, HfExportDamaged damaged, gpointer data,
                   GError **error)
{
  g_autoptr (GPtrArray) refused = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) files = read_files (dir_fd, target, refused, error);
  g_autoptr (GHashTable) known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Examination examination = { dir_fd, damaged, data, known };
  if (files == NULL)
    return FALSE;
  if (files->len > 0 && !hf_export_exists (dir_fd))
    {
      damaged (HF_EXPORT_DIR, "is missing", data);
      return TRUE;
    }
  for (guint i = 0; i < files->len; i++)
    {
      const HfExportFile *file = files->pdata[i];
      g_autofree char *path = g_strconcat (HF_EXPORT_DIR "/", file->path, NULL);
      if (file->contents != NULL)
        examine_file (&examination, path, g_bytes_get_data (file->contents, NULL),
                      g_bytes_get_size (file->contents), mode_of (file));
    }
  g_autofree char *manifest = manifest_of (files);
  if (files->len > 0)
    examine_file (&examination, MANIFEST, manifest, strlen (manifest), 0644);
  return hf_tree_walk (dir_fd, HF_EXPORT_DIR, find_stranger, &examination, error);
}

/**
 * hf_export_exists:
 * @dir_fd: a deployment
 *
 * Returns: whether it exports anything
 */
gboolean
hf_export_exists (int dir_fd)
{
  struct stat st;
  return fstatat (dir_fd, MANIFEST, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Nobody but us writes it, but it leads to names that others act on. */
static gboolean
is_name_of (const char *path, const char *id)
{
  g_autofree char *stem = hf_export_name_stem (path);
  return stem != NULL && hf_export_name_belongs (stem, id);
}

/**
 * hf_export_names:
 * @dir_fd: a deployment
 * @id: its ID
 *
 * Returns: (transfer full): the paths of what it exports, sorted, none if it has no export/, or %NULL with
 *   %HF_ERROR_DAMAGED if the list of them makes no sense, or an errno error
 */
char **
hf_export_names (int dir_fd, const char *id, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GBytes) bytes = hf_file_read (dir_fd, MANIFEST, MANIFEST_LIMIT, &failed);
  if (bytes == NULL && errno == ENOENT)
    return g_new0 (char *, 1);
  if (bytes == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return NULL;
    }
  gsize length;
  const char *data = g_bytes_get_data (bytes, &length);
  g_autofree char *text = g_strndup (data, length);
  g_auto (GStrv) names = g_strsplit (text, "\n", -1);
  guint last = g_strv_length (names);
  /* It ends with a newline. */
  if (last > 0 && names[last - 1][0] == '\0')
    g_clear_pointer (&names[--last], g_free);
  for (guint i = 0; i < last; i++)
    if (!is_name_of (names[i], id) || (i > 0 && strcmp (names[i - 1], names[i]) >= 0))
      {
        (void)hf_throw (error, HF_ERROR_DAMAGED, "its %s names what it cannot export", MANIFEST);
        return NULL;
      }
  return g_steal_pointer (&names);
}
