/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading objects out of a repository on this machine that is not ours.  It is only ever read: each
 * object is copied, its checksum verified over what was copied, and checked for what no image may
 * have.  libostree's own local pull would hard-link its objects, and ours would then be its.
 */
#include "import-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "core/layout.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ARCHIVED_SUFFIX "filez"
#define BUFFER_SIZE     (32 * 1024)   /* bytes, on the stack */
#define SMALL_OBJECT    (1024 * 1024) /* bytes that are read at once */

/* A foreign content object, opened. */
typedef struct
{
  GInputStream *stream; /* owned; what its checksum is of: a header, then the contents */
  gsize header;         /* bytes of the header */
  mode_t mode;
  guint64 size;
  char *target; /* owned; of a symlink */
} ForeignFile;

static void
foreign_file_clear (ForeignFile *file)
{
  g_clear_object (&file->stream);
  g_clear_pointer (&file->target, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ForeignFile, foreign_file_clear)

static gboolean
throw_damaged (HfImport *import, const char *checksum, const char *path, const char *why,
               GError **error)
{
  return hf_throw (error, HF_ERROR_UNTRUSTED,
                   "%s: object %.12s (%s) is damaged in its repository: %s", import->ref->full,
                   checksum, path, hf_text (why));
}

/* Takes only what a repository of mode bare-user-only can store as it is. */
static gboolean
check_canonical (HfImport *import, GFileInfo *info, GVariant *xattrs, const char *path,
                 GError **error)
{
  guint32 uid = g_file_info_get_attribute_uint32 (info, "unix::uid");
  guint32 gid = g_file_info_get_attribute_uint32 (info, "unix::gid");
  guint32 mode = g_file_info_get_attribute_uint32 (info, "unix::mode");
  if (!S_ISREG (mode) && !S_ISLNK (mode))
    return hf_throw (error, HF_ERROR_UNSAFE, "%s: %s is neither a file nor a symlink",
                     import->ref->full, path);
  if (S_ISREG (mode) && (mode & 07777 & ~0775) != 0)
    return hf_throw (error, HF_ERROR_UNSAFE,
                     "%s: %s has mode %04o: no file of an image may be setuid, setgid, sticky or"
                     " writable by everybody",
                     import->ref->full, path, mode & 07777);
  if (uid != 0 || gid != 0 || (xattrs != NULL && g_variant_n_children (xattrs) > 0))
    return hf_throw (error, HF_ERROR_UNSAFE,
                     "%s: %s has an owner or extended attributes: images must have canonical"
                     " permissions, as `flatpak build-export` makes them",
                     import->ref->full, path);
  return TRUE;
}

/* An archive repository's object, if it is small: read at once, and parsed by libostree from
 * memory. libostree's own reader polls the file before each of its small reads, which takes longer
 * than all the rest. */
static GBytes *
read_small_archived (HfImport *import, const char *checksum)
{
  OstreeRepo *foreign = import->params.foreign;
  HfObjectPath loose;
  if (ostree_repo_get_mode (foreign) != OSTREE_REPO_MODE_ARCHIVE)
    return NULL;
  hf_object_loose_path (loose, checksum, ARCHIVED_SUFFIX);
  g_autofree char *path = g_strconcat (HF_OBJECTS_DIR "/", loose, NULL);
  return hf_file_read (ostree_repo_get_dfd (foreign), path, SMALL_OBJECT, NULL);
}

static gboolean
load_foreign (HfImport *import, const char *checksum, GInputStream **contents, GFileInfo **info,
              GVariant **xattrs, GError **error)
{
  g_autoptr (GBytes) archived = read_small_archived (import, checksum);
  if (archived == NULL)
    return ostree_repo_load_file (import->params.foreign, checksum, contents, info, xattrs,
                                  import->params.cancellable, error);
  g_autoptr (GInputStream) stream = g_memory_input_stream_new_from_bytes (archived);
  return ostree_content_stream_parse (TRUE, stream, g_bytes_get_size (archived), FALSE, contents,
                                      info, xattrs, import->params.cancellable, error);
}

static gboolean
open_foreign (HfImport *import, const char *checksum, const char *path, ForeignFile *out,
              GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GInputStream) contents = NULL;
  g_autoptr (GFileInfo) info = NULL;
  g_autoptr (GVariant) xattrs = NULL;
  guint64 length;
  gboolean archived = ostree_repo_get_mode (import->params.foreign) == OSTREE_REPO_MODE_ARCHIVE;
  if (!hf_object_is_plain (import->params.foreign, checksum,
                           archived ? ARCHIVED_SUFFIX : HF_SUFFIX_FILE))
    return throw_damaged (import, checksum, path, N_ ("it is no file"), error);
  if (!load_foreign (import, checksum, &contents, &info, &xattrs, &failed))
    return throw_damaged (import, checksum, path, failed->message, error);
  if (!check_canonical (import, info, xattrs, path, error))
    return FALSE;
  if (!ostree_raw_file_to_content_stream (contents, info, xattrs, &out->stream, &length,
                                          import->params.cancellable, &failed))
    return throw_damaged (import, checksum, path, failed->message, error);
  out->mode = g_file_info_get_attribute_uint32 (info, "unix::mode");
  out->size = S_ISREG (out->mode) ? (guint64)g_file_info_get_size (info) : 0;
  out->header = (gsize)(length - out->size);
  out->target = g_strdup (g_file_info_get_symlink_target (info));
  return TRUE;
}

/* Copies the contents to @fd, or nowhere if it is -1, and verifies the checksum over all of it. */
static gboolean
copy_and_verify (HfImport *import, ForeignFile *file, const char *checksum, const char *path,
                 int fd, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GChecksum) hash = g_checksum_new (G_CHECKSUM_SHA256);
  guchar buffer[BUFFER_SIZE];
  gsize header = file->header;
  for (;;)
    {
      gssize got = g_input_stream_read (file->stream, buffer, BUFFER_SIZE,
                                        import->params.cancellable, &failed);
      if (got < 0 && g_error_matches (failed, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&failed));
          return FALSE;
        }
      if (got < 0)
        return throw_damaged (import, checksum, path, failed->message, error);
      if (got == 0)
        break;
      g_checksum_update (hash, buffer, got);
      gsize skip = MIN (header, (gsize)got);
      header -= skip;
      if (fd >= 0 && !hf_fd_write_all (fd, buffer + skip, (gsize)got - skip))
        return hf_throw_errno (error, "Cannot write %s", path);
    }
  if (strcmp (g_checksum_get_string (hash), checksum) != 0)
    return throw_damaged (import, checksum, path, N_ ("its checksum is wrong"), error);
  return TRUE;
}

static gboolean
create_regular (HfImport *import, ForeignFile *file, const char *checksum, int dfd,
                const char *name, const char *path, GError **error)
{
  static const struct timespec times[2] = { { 0, UTIME_OMIT }, { 0, 0 } };
  hf_autofd int fd = hf_open_beneath (dfd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (fd < 0)
    return hf_throw_errno (error, "Cannot create %s", path);
  if (!copy_and_verify (import, file, checksum, path, fd, error))
    return FALSE;
  if (fchmod (fd, file->mode & 07777) != 0 || futimens (fd, times) != 0)
    return hf_throw_errno (error, "Cannot set the mode of %s", path);
  return TRUE;
}

static gboolean
create_pin (HfImport *import, ForeignFile *file, const char *checksum, const char *pin,
            const char *path, GError **error)
{
  if (S_ISREG (file->mode))
    return create_regular (import, file, checksum, import->pins_fd, pin, path, error);
  if (!copy_and_verify (import, file, checksum, path, -1, error))
    return FALSE;
  if (symlinkat (file->target, import->pins_fd, pin) != 0)
    return hf_throw_errno (error, "Cannot create symlink %s", path);
  return TRUE;
}

/**
 * hf_foreign_file:
 * @import: an import from a foreign repository
 * @checksum: a content object that neither the repository nor this import has
 * @place: the name in the tree that it is to have
 * @out_pinned: (out): whether it was created in pins/, and the tree is to have a copy; else it is
 * at
 *   @place
 *
 * Returns: %FALSE with %HF_ERROR_UNTRUSTED if the object is not what its name says,
 *   %HF_ERROR_UNSAFE if no image may have it, or another error
 */
gboolean
hf_foreign_file (HfImport *import, const char *checksum, const HfImportPlace *place,
                 gboolean *out_pinned, GError **error)
{
  g_auto (ForeignFile) file = { 0 };
  HfObjectPath name;
  hf_object_pin_name (name, checksum, HF_SUFFIX_FILE);
  if (!open_foreign (import, checksum, place->path, &file, error))
    return FALSE;
  *out_pinned = !S_ISREG (file.mode) || file.size == 0 || (file.mode & S_IRUSR) == 0;
  if (*out_pinned)
    return create_pin (import, &file, checksum, name, place->path, error);
  hf_import_add_size (import, file.size);
  return create_regular (import, &file, checksum, place->dfd, place->name, place->path, error);
}

static gboolean
load_metadata (HfImport *import, OstreeObjectType type, const char *checksum, GBytes **out,
               GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GVariant) variant = NULL;
  OstreeRepo *foreign = import->params.foreign;
  gboolean detached = type == OSTREE_OBJECT_TYPE_COMMIT_META;
  if (!hf_object_is_plain (foreign, checksum, hf_object_suffix (type)))
    return throw_damaged (import, checksum, hf_object_suffix (type), N_ ("it is no file"), error);
  gboolean loaded
      = detached
            ? ostree_repo_read_commit_detached_metadata (foreign, checksum, &variant, NULL, &failed)
            : ostree_repo_load_variant (foreign, type, checksum, &variant, &failed);
  if (!loaded)
    return throw_damaged (import, checksum, hf_object_suffix (type), failed->message, error);
  *out = variant == NULL ? NULL : g_variant_get_data_as_bytes (variant);
  if (detached)
    return TRUE;
  g_autofree char *actual = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, *out);
  if (strcmp (actual, checksum) != 0)
    return throw_damaged (import, checksum, hf_object_suffix (type), N_ ("its checksum is wrong"),
                          error);
  return TRUE;
}

/**
 * hf_foreign_pin:
 * @import: an import from a foreign repository
 * @type: a type of metadata
 * @checksum: an object that the repository does not have
 * @out_found: (out): whether there is such an object; a commit need not have detached metadata
 *
 * Returns: %FALSE with %HF_ERROR_UNTRUSTED if the object is not what its name says, or another
 * error
 */
gboolean
hf_foreign_pin (HfImport *import, OstreeObjectType type, const char *checksum, gboolean *out_found,
                GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  HfObjectPath pin;
  hf_object_pin_name (pin, checksum, hf_object_suffix (type));
  if (!load_metadata (import, type, checksum, &bytes, error))
    return FALSE;
  *out_found = bytes != NULL;
  if (bytes == NULL)
    return TRUE;
  hf_autofd int fd = hf_open_beneath (import->pins_fd, pin, O_WRONLY | O_CREAT | O_EXCL, 0600);
  gsize length;
  const void *data = g_bytes_get_data (bytes, &length);
  if (fd < 0 || !hf_fd_write_all (fd, data, length) || fchmod (fd, 0644) != 0)
    return hf_throw_errno (error, "Cannot write %s/%s", HF_PINS_DIR, pin);
  return TRUE;
}
