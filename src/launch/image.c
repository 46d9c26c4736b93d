/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opening the parts of an image.  Whoever made the image chose every name and type in it, so each
 * step is taken by descriptor, a symlink where a directory must be is refused, and of what lies at
 * the top only directories, symlinks and regular files are taken.
 */
#include "image.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "core/layout.h"

#include <errno.h>
#include <string.h>

/* What a merged-usr system has a link to below /. */
static const char *const program_dirs[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };

static void
entry_free (gpointer data)
{
  HfImageEntry *entry = data;
  g_free (entry->name);
  g_free (entry->target);
  hf_fd_clear (&entry->fd);
  g_free (entry);
}

/**
 * hf_image_entries_new:
 *
 * Returns: (transfer full) (element-type HfImageEntry): an empty list
 */
GPtrArray *
hf_image_entries_new (void)
{
  return g_ptr_array_new_with_free_func (entry_free);
}

/**
 * hf_image_entries_add:
 * @entries: a list
 * @name: one component
 * @target: (nullable): where it points, for a symlink
 * @fd: (transfer full): a descriptor to bind it by, or -1
 */
void
hf_image_entries_add (GPtrArray *entries, const char *name, const char *target, int fd)
{
  HfImageEntry *entry = g_new (HfImageEntry, 1);
  *entry = (HfImageEntry){ .name = g_strdup (name), .target = g_strdup (target), .fd = fd };
  g_ptr_array_add (entries, entry);
}

/**
 * hf_image_has:
 * @image: an image
 * @name: one component
 *
 * Returns: whether @name is among its entries
 */
gboolean
hf_image_has (const HfImage *image, const char *name)
{
  for (guint i = 0; i < image->entries->len; i++)
    if (strcmp (((const HfImageEntry *)image->entries->pdata[i])->name, name) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
open_dir (const HfLease *lease, int dfd, const char *path, int *out, GError **error)
{
  *out = hf_open_beneath (dfd, path, O_PATH | O_DIRECTORY, 0);
  if (*out >= 0)
    return TRUE;
  if (errno == ELOOP || errno == ENOTDIR)
    return hf_throw (error, HF_ERROR_UNSAFE, "%s of the image %s is not a directory", path,
                     lease->ref->full);
  if (errno == ENOENT)
    return hf_throw (error, HF_ERROR_DAMAGED,
                     "The image %s has no %s: nothing of it can be run; uninstall it",
                     lease->ref->full, path);
  return hf_throw_errno (error, "Cannot open %s of %s", path, lease->ref->full);
}

static gboolean
has_program_dir (int files_fd, const char *name)
{
  struct stat st;
  return fstatat (files_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0
         && (S_ISDIR (st.st_mode) || S_ISLNK (st.st_mode));
}

static gboolean
add_root_entry (HfImage *self, const HfLease *lease, const char *name, GError **error)
{
  struct stat st;
  if (fstatat (self->files_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return hf_throw_errno (error, "Cannot examine %s of %s", name, lease->ref->full);
  if (S_ISLNK (st.st_mode))
    {
      g_autofree char *target = hf_link_read (self->files_fd, name);
      if (target == NULL)
        return hf_throw_errno (error, "Cannot read the link %s of %s", name, lease->ref->full);
      hf_image_entries_add (self->entries, name, target, -1);
      return TRUE;
    }
  if (!S_ISDIR (st.st_mode) && !S_ISREG (st.st_mode))
    return hf_throw (error, HF_ERROR_UNSAFE,
                     "%s of the image %s is neither a file, a directory nor a link", name,
                     lease->ref->full);
  int fd = hf_open_beneath (self->files_fd, name, O_PATH, 0);
  if (fd < 0)
    return hf_throw_errno (error, "Cannot open %s of %s", name, lease->ref->full);
  hf_image_entries_add (self->entries, name, NULL, fd);
  return TRUE;
}

static gboolean
list_root (HfImage *self, const HfLease *lease, GError **error)
{
  g_autoptr (DIR) dir = hf_dir_open (self->files_fd, ".", error);
  const struct dirent *entry = NULL;
  while (dir != NULL && hf_dir_next (dir, &entry, error))
    {
      if (entry == NULL)
        return TRUE;
      if (!add_root_entry (self, lease, entry->d_name, error))
        return FALSE;
    }
  g_prefix_error (error, "%s: ", lease->ref->full);
  return FALSE;
}

static gboolean
list_etc (HfImage *self, const HfLease *lease, GError **error)
{
  g_autoptr (GError) failure = NULL;
  if (!open_dir (lease, self->files_fd, "etc", &self->etc_fd, &failure))
    {
      if (hf_error_is (failure, HF_ERROR_DAMAGED)) /* it has none */
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  g_autoptr (DIR) dir = hf_dir_open (self->etc_fd, ".", error);
  const struct dirent *entry = NULL;
  while (dir != NULL && hf_dir_next (dir, &entry, error))
    {
      if (entry == NULL)
        return TRUE;
      g_autofree char *target = NULL;
      if (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN)
        target = hf_link_read (self->etc_fd, entry->d_name);
      hf_image_entries_add (self->etc, entry->d_name, target, -1);
    }
  g_prefix_error (error, _ ("etc of %s: "), lease->ref->full);
  return FALSE;
}

/**
 * hf_image_open:
 * @lease: a lease on its deployment; need not outlive the image, only the lock must
 * @role: what it is to be in the sandbox
 *
 * Returns: (transfer full): the image, or %NULL with @error set: %HF_ERROR_UNSAFE where something
 * is of a type that it must not be, %HF_ERROR_DAMAGED where it has no files
 */
HfImage *
hf_image_open (const HfLease *lease, HfImageRole role, GError **error)
{
  g_autoptr (HfImage) self = g_new0 (HfImage, 1);
  self->role = role;
  self->ref_fd = self->files_fd = self->etc_fd = -1;
  self->entries = hf_image_entries_new ();
  self->etc = hf_image_entries_new ();
  self->ref_fd = hf_open_beneath (lease->dir_fd, HF_REF_FILE, O_PATH, 0);
  if (self->ref_fd < 0)
    {
      (void)hf_throw_errno (error, "Cannot open %s of %s", HF_REF_FILE, lease->ref->full);
      return NULL;
    }
  if (!open_dir (lease, lease->dir_fd, HF_TREE_DIR "/" HF_FILES_DIR, &self->files_fd, error)
      || (role == HF_IMAGE_ROOT && !list_root (self, lease, error))
      || (role != HF_IMAGE_APP && !list_etc (self, lease, error)))
    return NULL;
  for (gsize i = 0; role != HF_IMAGE_ROOT && i < G_N_ELEMENTS (program_dirs); i++)
    if (has_program_dir (self->files_fd, program_dirs[i]))
      hf_image_entries_add (self->entries, program_dirs[i], NULL, -1);
  return g_steal_pointer (&self);
}

/**
 * hf_image_free:
 * @image: (nullable) (transfer full): an image
 */
void
hf_image_free (HfImage *image)
{
  if (image == NULL)
    return;
  hf_fd_clear (&image->ref_fd);
  hf_fd_clear (&image->files_fd);
  hf_fd_clear (&image->etc_fd);
  g_ptr_array_unref (image->entries);
  g_ptr_array_unref (image->etc);
  g_free (image);
}
