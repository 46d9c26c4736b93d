/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names and metadata of backing objects.  See ostree's repository format: an object lies in
 * objects/, in a directory named by the first two digits of its checksum.
 */
#include "object.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

/* libostree's own limit for metadata. */
#define METADATA_LIMIT OSTREE_MAX_METADATA_SIZE

/**
 * hf_object_loose_path:
 * @out: (out caller-allocates): the path of an object below objects/
 * @checksum: its checksum
 * @suffix: its type, as in file names
 */
void
hf_object_loose_path (HfObjectPath out, const char *checksum, const char *suffix)
{
  (void)snprintf (out, HF_OBJECT_PATH_SIZE, "%.2s/%s.%s", checksum, checksum + 2, suffix);
}

/**
 * hf_object_pin_name:
 * @out: (out caller-allocates): the name of an object's pin
 * @checksum: its checksum
 * @suffix: its type, as in file names
 */
void
hf_object_pin_name (HfObjectPath out, const char *checksum, const char *suffix)
{
  (void)snprintf (out, HF_OBJECT_PATH_SIZE, "%s.%s", checksum, suffix);
}

/**
 * hf_object_suffix:
 * @type: a type of object
 *
 * Returns: (transfer none): what its file name ends with, in a bare repository
 */
const char *
hf_object_suffix (OstreeObjectType type)
{
  return ostree_object_type_to_string (type);
}

/**
 * hf_checksum_to_bytes:
 * @checksum: a valid checksum
 * @out: (out caller-allocates): its 32 bytes
 */
void
hf_checksum_to_bytes (const char *checksum, guint8 *out)
{
  for (gsize i = 0; i < HF_CHECKSUM_BYTES; i++)
    out[i] = (guint8)(g_ascii_xdigit_value (checksum[2 * i]) << 4
                      | g_ascii_xdigit_value (checksum[2 * i + 1]));
}

/**
 * hf_object_is_plain:
 * @repo: any repository
 * @checksum: an object
 * @suffix: its type, as in file names there
 *
 * Said before libostree opens it, which would wait for ever for who writes into a pipe.
 *
 * Returns: whether it is a file, or not there; of content, a symlink will do, too
 */
gboolean
hf_object_is_plain (OstreeRepo *repo, const char *checksum, const char *suffix)
{
  struct stat st;
  HfObjectPath loose;
  hf_object_loose_path (loose, checksum, suffix);
  g_autofree char *path = g_strconcat (HF_OBJECTS_DIR "/", loose, NULL);
  return fstatat (ostree_repo_get_dfd (repo), path, &st, AT_SYMLINK_NOFOLLOW) != 0
         || S_ISREG (st.st_mode) || (S_ISLNK (st.st_mode) && strcmp (suffix, HF_SUFFIX_FILE) == 0);
}

/**
 * hf_object_name_parse:
 * @name: a file name in objects/@prefix or, with an empty @prefix, in pins/
 * @prefix: the digits that come before it
 * @out_checksum: (out caller-allocates): 32 bytes
 * @out_suffix: (out) (transfer none): the type, a part of @name
 *
 * Returns: whether it is the name of an object
 */
gboolean
hf_object_name_parse (const char *name, const char *prefix, guint8 *out_checksum,
                      const char **out_suffix)
{
  static const char digits[] = "0123456789abcdef";
  gsize have = strlen (prefix), rest = HF_OBJECT_NAME_BYTES - have;
  if (strspn (prefix, digits) != have || strspn (name, digits) != rest || name[rest] != '.')
    return FALSE;
  char checksum[HF_OBJECT_NAME_BYTES + 1];
  (void)snprintf (checksum, sizeof checksum, "%s%.*s", prefix, (int)rest, name);
  hf_checksum_to_bytes (checksum, out_checksum);
  *out_suffix = name + rest + 1;
  return TRUE;
}

/**
 * hf_object_parse:
 * @type: a type of metadata
 * @checksum: the object's name, for the error
 * @bytes: its contents
 *
 * Nothing is believed of @bytes: they are checked to be a normal form of the type's structure, with
 * file names that cannot leave a directory.
 *
 * Returns: (transfer full): the object, or %NULL with %HF_ERROR_UNTRUSTED
 */
GVariant *
hf_object_parse (OstreeObjectType type, const char *checksum, GBytes *bytes, GError **error)
{
  g_autoptr (GError) failed = NULL;
  const GVariantType *shape = ostree_metadata_variant_type (type);
  g_autoptr (GVariant) variant
      = g_variant_ref_sink (g_variant_new_from_bytes (shape, bytes, FALSE));
  gboolean valid = g_variant_is_normal_form (variant);
  if (valid && type == OSTREE_OBJECT_TYPE_DIR_TREE)
    valid = ostree_validate_structureof_dirtree (variant, &failed);
  else if (valid && type == OSTREE_OBJECT_TYPE_DIR_META)
    valid = ostree_validate_structureof_dirmeta (variant, &failed);
  else if (valid)
    valid = ostree_validate_structureof_commit (variant, &failed);
  if (valid)
    return g_steal_pointer (&variant);
  if (failed != NULL)
    (void)hf_throw (error, HF_ERROR_UNTRUSTED, "Object %s.%s is malformed: %s", checksum,
                    hf_object_suffix (type), failed->message);
  else
    (void)hf_throw (error, HF_ERROR_UNTRUSTED, "Object %s.%s is malformed", checksum,
                    hf_object_suffix (type));
  return NULL;
}

/**
 * hf_pin_load:
 * @pins_fd: pins/ of a deployment
 * @type: a type of metadata
 * @checksum: the object
 *
 * Returns: (transfer full): the object, or %NULL with @error set; `errno` tells ENOENT apart
 */
GVariant *
hf_pin_load (int pins_fd, OstreeObjectType type, const char *checksum, GError **error)
{
  HfObjectPath name;
  hf_object_pin_name (name, checksum, hf_object_suffix (type));
  g_autoptr (GBytes) bytes = hf_file_read (pins_fd, name, METADATA_LIMIT, error);
  return bytes == NULL ? NULL : hf_object_parse (type, checksum, bytes, error);
}

/**
 * hf_checksum_from_variant:
 * @ay: a byte array of a validated object
 *
 * Returns: (transfer full): the checksum that it holds, in hexadecimal digits
 */
char *
hf_checksum_from_variant (GVariant *ay)
{
  return ostree_checksum_from_bytes_v (ay);
}

/* Contents and mode, and the time that all files of an image have. */
static gboolean
copy_contents (int in, int out, mode_t mode_or, GError **error)
{
  static const struct timespec times[2] = { { 0, UTIME_OMIT }, { 0, 0 } };
  struct stat st;
  if (fstat (in, &st) != 0)
    return hf_throw_at (error, "Cannot read %s", in, ".");
  for (off_t left = st.st_size; left > 0;)
    {
      ssize_t done = sendfile (out, in, NULL, (size_t)left);
      if (done < 0 && errno == EINTR)
        continue;
      if (done <= 0)
        return hf_throw_at (error, "Cannot write %s", out, ".");
      left -= done;
    }
  if (fchmod (out, (st.st_mode & 07777) | mode_or) != 0 || futimens (out, times) != 0)
    return hf_throw_at (error, "Cannot set the mode of %s", out, ".");
  return TRUE;
}

/**
 * hf_object_dir_remove:
 * @objects_fd: objects/
 * @digits: one of its directories
 * @ledger: (nullable): where to count what is freed, or %NULL
 *
 * Removes it if it is empty.
 *
 * Locks: needs the repository's, exclusively: an import makes it anew.
 *
 * Returns: %FALSE with @error set if an empty one stays
 */
gboolean
hf_object_dir_remove (int objects_fd, const char *digits, HfLedger *ledger, GError **error)
{
  return hf_ledger_unlink (ledger, objects_fd, digits, AT_REMOVEDIR) == 0 || errno == ENOTEMPTY
         || errno == EEXIST || errno == ENOENT || errno == EBUSY
         || hf_throw_at (error, "Cannot remove empty directory %s", objects_fd, digits);
}

/**
 * hf_object_copy:
 * @from_dfd: a directory
 * @from: a regular file below it
 * @to_dfd: another
 * @to: a name there that does not exist
 * @mode_or: what to add to the mode
 *
 * Copies contents and mode, and gives the copy the time that all files of an image have.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_object_copy (int from_dfd, const char *from, int to_dfd, const char *to, mode_t mode_or,
                GError **error)
{
  hf_autofd int in = hf_open_beneath (from_dfd, from, O_RDONLY | O_NONBLOCK, 0);
  if (in < 0)
    return hf_throw_at (error, "Cannot read %s", from_dfd, from);
  hf_autofd int out = hf_open_beneath (to_dfd, to, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (out < 0)
    return hf_throw_at (error, "Cannot create %s", to_dfd, to);
  return copy_contents (in, out, mode_or, error);
}

/**
 * hf_object_copy_across:
 * @from_dfd: a directory
 * @from: a regular file below it
 * @to_dfd: another, on whatever mount; its file system has files without a name (O_TMPFILE)
 * @to: a name below that one
 *
 * What hf_object_copy() does, for a place that others look at: the copy is complete and on disk before
 * it has its name, and a crash until then leaves nothing.  If the name is there already, that is
 * success.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_object_copy_across (int from_dfd, const char *from, int to_dfd, const char *to, GError **error)
{
  hf_autofd int in = hf_open_beneath (from_dfd, from, O_RDONLY | O_NONBLOCK, 0);
  if (in < 0)
    return hf_throw_at (error, "Cannot read %s", from_dfd, from);
  hf_autofd int out = hf_open_beneath (to_dfd, ".", O_TMPFILE | O_WRONLY, 0600);
  if (out < 0 && errno == EOPNOTSUPP)
    return hf_throw (
        error, HF_ERROR_FAILED,
        "Cannot create %s: it is on another mount than the deployments, whose file system"
        " does not support O_TMPFILE",
        to);
  if (out < 0)
    return hf_throw_at (error, "Cannot create %s", to_dfd, to);
  if (!copy_contents (in, out, 0, error) || !hf_fd_sync (out, error))
    return FALSE;
  g_autofree char *nameless = g_strdup_printf ("/proc/self/fd/%d", out);
  return linkat (AT_FDCWD, nameless, to_dfd, to, AT_SYMLINK_FOLLOW) == 0 || errno == EEXIST
         || hf_throw_at (error, "Cannot create %s", to_dfd, to);
}

static gboolean
visit_directory (int objects_fd, const char *digits, HfObjectVisit visit, gpointer data,
                 GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (DIR) dir = hf_dir_open (objects_fd, digits, &failed);
  const struct dirent *entry;
  if (dir == NULL && errno == ENOENT)
    return TRUE;
  if (dir == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  for (;;)
    {
      guint8 checksum[HF_CHECKSUM_BYTES];
      const char *suffix;
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      if (hf_object_name_parse (entry->d_name, digits, checksum, &suffix)
          && !visit (checksum, suffix, data, error))
        return FALSE;
    }
}

/**
 * hf_objects_visit:
 * @objects_fd: objects/ of the repository
 * @visit: called for each object that is stored
 * @data: for @visit
 *
 * Locks: none; what is stored and deleted meanwhile is met or not.
 *
 * Returns: %FALSE with @error set if it cannot be listed, or by @visit
 */
gboolean
hf_objects_visit (int objects_fd, HfObjectVisit visit, gpointer data, GError **error)
{
  for (guint i = 0; i < 256; i++)
    {
      char digits[3];
      (void)g_snprintf (digits, sizeof digits, "%02x", i);
      if (!visit_directory (objects_fd, digits, visit, data, error))
        return FALSE;
    }
  return TRUE;
}
