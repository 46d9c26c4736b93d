/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Getting one object into the entry: linked from the repository if it is stored there, else from
 * where this import already placed it, else moved out of the entry's own fetch/, else read from a
 * foreign repository.  Content goes into tree/ as a link; what is better copied there (empty files,
 * symlinks, files that their owner may not read) and all metadata is kept by a pin.
 */
#include "import-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/**
 * hf_cannot_link:
 * @errsv: why linkat(2) failed
 *
 * Returns: whether the file system cannot link here, or not once more, so that a copy stands in, and
 *   the prune is told
 */
gboolean
hf_cannot_link (int errsv)
{
  return errsv == EMLINK || errsv == EXDEV || errsv == EPERM;
}

/**
 * hf_import_trusts:
 * @import: an import
 * @name: an object, CHECKSUM.SUFFIX
 * @stored: what the repository has under this name
 *
 * A repair gives a table of what is stored and was found to be corrupt, a #HfCorruptFile for each
 * name.  It counts only as long as the same file is there: somebody else may have mended it.
 *
 * Returns: whether what is stored may be linked
 */
gboolean
hf_import_trusts (const HfImport *import, const char *name, const struct stat *stored)
{
  const HfCorruptFile *corrupt = import->params.distrusted == NULL
                                     ? NULL
                                     : g_hash_table_lookup (import->params.distrusted, name);
  return corrupt == NULL || corrupt->device != stored->st_dev || corrupt->inode != stored->st_ino;
}

/* Whether a relative link climbs out of the image on its way; what is left of it is a matter of the
 * sandbox, as an absolute link is.  @depth is that of the directory that the link is in. */
static gboolean
climbs_out (const char *target, guint depth)
{
  gint64 level = depth;
  if (target[0] == '/')
    return FALSE;
  for (const char *at = target; *at != '\0';)
    {
      gsize length = strcspn (at, "/");
      if (length == 2 && strncmp (at, "..", 2) == 0)
        level--;
      else if (length > 0 && !(length == 1 && at[0] == '.'))
        level++;
      if (level < 0)
        return TRUE;
      at += length + strspn (at + length, "/");
    }
  return FALSE;
}

static gboolean
copy_symlink (HfImport *import, int from_dfd, const char *from, const HfImportPlace *place,
              GError **error)
{
  g_autofree char *target = hf_link_read (from_dfd, from);
  if (target == NULL)
    return hf_throw_errno (error, "Cannot read symlink %s", from);
  if (climbs_out (target, place->depth))
    return hf_throw (error, HF_ERROR_UNSAFE, "%s: symlink %s leads out of the image, to %s",
                     import->ref->full, place->path, target);
  if (place->depth == 0 && strcmp (place->name, HF_METADATA_FILE) == 0)
    return hf_throw (error, HF_ERROR_UNSAFE, "%s: '%s' of the image is a symlink",
                     import->ref->full, place->name);
  if (symlinkat (target, place->dfd, place->name) != 0)
    return hf_throw_errno (error, "Cannot create symlink %s", place->path);
  return TRUE;
}

static gboolean
is_linkable (const struct stat *st)
{
  return S_ISREG (st->st_mode) && st->st_size > 0 && (st->st_mode & S_IRUSR) != 0;
}

/* Pins content that tree/ itself does not link, and puts a copy there. */
static gboolean
pin_and_copy (HfImport *import, const char *checksum, int dfd, const char *path,
              const struct stat *st, const HfImportPlace *place, GError **error)
{
  HfObjectPath pin;
  hf_object_pin_name (pin, checksum, HF_SUFFIX_FILE);
  if (linkat (dfd, path, import->pins_fd, pin, 0) != 0 && errno != EEXIST)
    {
      if (!hf_cannot_link (errno))
        return hf_throw_errno (error, "Cannot link %s/%s", HF_PINS_DIR, pin);
      hf_import_note_copies (import);
    }
  return S_ISLNK (st->st_mode)
             ? copy_symlink (import, dfd, path, place, error)
             : hf_object_copy (dfd, path, place->dfd, place->name, S_IRUSR, error);
}

/* Puts an object that is there, stored or placed by us, into the tree.  @out_linked tells whether
 * the tree now has a link to it. */
static gboolean
put_from (HfImport *import, const char *checksum, int dfd, const char *path, const struct stat *st,
          const HfImportPlace *place, gboolean *out_linked, GError **error)
{
  *out_linked = FALSE;
  if (S_ISREG (st->st_mode))
    hf_import_add_size (import, (guint64)st->st_size);
  if (!is_linkable (st))
    return pin_and_copy (import, checksum, dfd, path, st, place, error);
  if (linkat (dfd, path, place->dfd, place->name, 0) == 0)
    {
      *out_linked = TRUE;
      return TRUE;
    }
  if (!hf_cannot_link (errno))
    return hf_throw_errno (error, "Cannot link %s", place->path);
  hf_import_note_copies (import);
  return hf_object_copy (dfd, path, place->dfd, place->name, 0, error);
}

/* libostree has just verified what it pulled; only what an image may not have is left to check. */
static gboolean
check_fetched (HfImport *import, const struct stat *st, const HfImportPlace *place, GError **error)
{
  if (S_ISLNK (st->st_mode) || (S_ISREG (st->st_mode) && (st->st_mode & 07777 & ~0775) == 0))
    return TRUE;
  return hf_throw (error, HF_ERROR_UNSAFE, "%s: %s has mode %06o, which no image may have",
                   import->ref->full, place->path, st->st_mode);
}

static gboolean
take_fetched (HfImport *import, const char *loose, const char *name, const struct stat *st,
              const HfImportPlace *place, gboolean *out_pinned, GError **error)
{
  if (!check_fetched (import, st, place, error))
    return FALSE;
  *out_pinned = !is_linkable (st) || st->st_nlink != 1;
  if (*out_pinned)
    {
      if (renameat (import->fetch_objects_fd, loose, import->pins_fd, name) != 0)
        return hf_throw_errno (error, "Cannot move %s/%s into place", HF_PINS_DIR, name);
      return TRUE;
    }
  if (renameat (import->fetch_objects_fd, loose, place->dfd, place->name) != 0)
    return hf_throw_errno (error, "Cannot move %s into place", place->path);
  hf_import_add_size (import, (guint64)st->st_size);
  return TRUE;
}

/* Gets an object that the repository does not have, to @place or into pins/. */
static gboolean
take_new (HfImport *import, const char *checksum, const char *loose, const char *name,
          const HfImportPlace *place, gboolean *out_pinned, GError **error)
{
  struct stat st;
  if (import->fetch_objects_fd >= 0
      && fstatat (import->fetch_objects_fd, loose, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return take_fetched (import, loose, name, &st, place, out_pinned, error);
  if (import->params.foreign != NULL)
    return hf_foreign_file (import, checksum, place, out_pinned, error);
  return hf_throw (error, HF_ERROR_CHANGED, "%s: the object of %s is missing", import->ref->full,
                   place->path);
}

/* Puts an object into the tree that this import has got already. */
static gboolean
put_again (HfImport *import, HfClaim *claim, const char *checksum, const HfImportPlace *place,
           GError **error)
{
  int entry_fd = import->params.staging->dir_fd;
  struct stat st;
  gboolean linked;
  if (fstatat (entry_fd, claim->place, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return hf_throw_errno (error, "Cannot look at %s", claim->place);
  if (!put_from (import, checksum, entry_fd, claim->place, &st, place, &linked, error))
    return FALSE;
  if (linked)
    hf_import_claim_add_place (import, claim, place->path);
  return TRUE;
}

/**
 * hf_import_file:
 * @import: an import
 * @checksum: a content object
 * @place: the name in the tree that it is to have
 *
 * Called from several threads.
 *
 * Locks: needs the repository's, shared.
 *
 * Returns: %FALSE with @error set; %HF_ERROR_CHANGED if the object is nowhere
 */
gboolean
hf_import_file (HfImport *import, const char *checksum, const HfImportPlace *place, GError **error)
{
  HfObjectPath loose, name;
  struct stat st;
  gboolean linked, ours, pinned = FALSE;
  int objects_fd = import->params.store->objects_fd;
  hf_object_loose_path (loose, checksum, HF_SUFFIX_FILE);
  hf_object_pin_name (name, checksum, HF_SUFFIX_FILE);
  if (fstatat (objects_fd, loose, &st, AT_SYMLINK_NOFOLLOW) == 0
      && hf_import_trusts (import, name, &st))
    return put_from (import, checksum, objects_fd, loose, &st, place, &linked, error);
  HfClaim *claim = hf_import_claim (import, name, &ours);
  if (!ours)
    return put_again (import, claim, checksum, place, error);
  if (!take_new (import, checksum, loose, name, place, &pinned, error))
    {
      hf_import_claim_failed (import, claim);
      return FALSE;
    }
  g_autofree char *pin = pinned ? g_strconcat (HF_PINS_DIR "/", name, NULL) : NULL;
  hf_import_claim_done (import, claim, pinned ? pin : place->path);
  return !pinned || put_again (import, claim, checksum, place, error);
}

static gboolean
is_distrusted (HfImport *import, int objects_fd, const char *loose, const char *name)
{
  struct stat st;
  return import->params.distrusted != NULL
         && fstatat (objects_fd, loose, &st, AT_SYMLINK_NOFOLLOW) == 0
         && !hf_import_trusts (import, name, &st);
}

/* Links, moves or copies one metadata object into pins/; @out_new tells whether the repository does
 * not have it, @out_found whether anybody has. */
static gboolean
take_metadata (HfImport *import, OstreeObjectType type, const char *checksum, const char *pin,
               gboolean *out_found, gboolean *out_new, GError **error)
{
  HfObjectPath loose;
  int objects_fd = import->params.store->objects_fd;
  hf_object_loose_path (loose, checksum, hf_object_suffix (type));
  *out_found = TRUE;
  *out_new = FALSE;
  if (!is_distrusted (import, objects_fd, loose, pin))
    {
      if (linkat (objects_fd, loose, import->pins_fd, pin, 0) == 0)
        return TRUE;
      if (hf_cannot_link (errno))
        {
          hf_import_note_copies (import);
          return hf_object_copy (objects_fd, loose, import->pins_fd, pin, 0, error);
        }
      if (errno != ENOENT)
        return hf_throw_errno (error, "Cannot link %s/%s", HF_PINS_DIR, pin);
    }
  *out_new = TRUE;
  if (import->fetch_objects_fd >= 0
      && renameat (import->fetch_objects_fd, loose, import->pins_fd, pin) == 0)
    return TRUE;
  *out_found = FALSE;
  return import->params.foreign == NULL
         || hf_foreign_pin (import, type, checksum, out_found, error);
}

/**
 * hf_import_pin:
 * @import: an import
 * @type: a type of metadata
 * @checksum: the object
 *
 * Pins a metadata object.  A commit's detached metadata may be missing.  Called from several
 * threads.
 *
 * Locks: needs the repository's, shared.
 *
 * Returns: %FALSE with @error set; %HF_ERROR_CHANGED if the object is nowhere
 */
gboolean
hf_import_pin (HfImport *import, OstreeObjectType type, const char *checksum, GError **error)
{
  HfObjectPath pin;
  gboolean ours, found = FALSE, new = FALSE;
  hf_object_pin_name (pin, checksum, hf_object_suffix (type));
  HfClaim *claim = hf_import_claim (import, pin, &ours);
  if (!ours)
    return TRUE;
  gboolean taken = take_metadata (import, type, checksum, pin, &found, &new, error);
  if (taken && !found && type != OSTREE_OBJECT_TYPE_COMMIT_META)
    taken = hf_throw (error, HF_ERROR_CHANGED, "%s: object %s is missing", import->ref->full, pin);
  if (!taken)
    {
      hf_import_claim_failed (import, claim);
      return FALSE;
    }
  g_autofree char *place = g_strconcat (HF_PINS_DIR "/", pin, NULL);
  hf_import_claim_done (import, claim, found && new ? place : NULL);
  return TRUE;
}
