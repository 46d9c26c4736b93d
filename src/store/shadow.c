/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A repository whose objects/ consists of symlinks to the directories of the installation's, but for
 * those directories that have a distrusted object in them.  libostree knows no way to fetch what it
 * finds stored, and taking corrupt objects out of the store first would leave them missing if they
 * cannot be had.  What it costs is one in 256 of the image's objects fetched for each of them.
 * Nothing is ever written through it: it is only the parent of a repository that is written.
 */
#include "shadow.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/layout.h"
#include "object.h"
#include "scratch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/**
 * hf_shadow_free:
 * @shadow: (nullable) (transfer full): a shadow
 */
void
hf_shadow_free (HfShadow *shadow)
{
  if (shadow == NULL)
    return;
  hf_fd_clear (&shadow->dir_fd);
  g_free (shadow);
}

static gboolean
has_distrusted (GHashTable *distrusted, const char *digits)
{
  GHashTableIter iter;
  gpointer name;
  g_hash_table_iter_init (&iter, distrusted);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    if (g_str_has_prefix (name, digits))
      return TRUE;
  return FALSE;
}

static gboolean
link_directories (const HfShadow *shadow, HfStore *store, GHashTable *distrusted, GError **error)
{
  hf_autofd int objects_fd = hf_open_dir (shadow->dir_fd, HF_OBJECTS_DIR, error);
  if (objects_fd < 0)
    return FALSE;
  for (guint i = 0; i < 256; i++)
    {
      char digits[3];
      (void)snprintf (digits, sizeof digits, "%02x", i);
      g_autofree char *target = g_strdup_printf ("/proc/self/fd/%d/%s", store->objects_fd, digits);
      if (!has_distrusted (distrusted, digits) && symlinkat (target, objects_fd, digits) != 0)
        return hf_throw_at (error, "Cannot create symlink %s", objects_fd, digits);
    }
  return TRUE;
}

static gboolean
copy_keyrings (const HfShadow *shadow, HfStore *store, GError **error)
{
  g_autoptr (DIR) dir = hf_dir_open (store->repo_fd, ".", error);
  const struct dirent *entry;
  if (dir == NULL)
    return FALSE;
  for (;;)
    {
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      if (g_str_has_suffix (entry->d_name, HF_KEYRING_SUFFIX)
          && !hf_object_copy (store->repo_fd, entry->d_name, shadow->dir_fd, entry->d_name, 0,
                              error))
        return FALSE;
    }
}

/**
 * hf_shadow_create:
 * @store: the installation's store; it outlives the shadow
 * @entry_fd: the entry that it is for
 * @distrusted: (element-type utf8 gpointer): the objects that it is not to have, CHECKSUM.SUFFIX
 *
 * It has the remotes and their keys, as it stands in for the repository that has them.
 *
 * Returns: (transfer full): a new shadow, or %NULL with @error set
 */
HfShadow *
hf_shadow_create (HfStore *store, int entry_fd, GHashTable *distrusted, GError **error)
{
  g_autoptr (HfShadow) shadow = g_new0 (HfShadow, 1);
  g_autoptr (GError) failed = NULL;
  g_autoptr (GKeyFile) config = ostree_repo_copy_config (store->repo);
  shadow->dir_fd = -1;
  g_autoptr (OstreeRepo) repo = ostree_repo_create_at (
      entry_fd, HF_SHADOW_DIR, OSTREE_REPO_MODE_BARE_USER_ONLY, NULL, NULL, &failed);
  if (repo == NULL || !ostree_repo_write_config (repo, config, &failed))
    {
      (void)hf_throw_ostree (error, failed, "Cannot create a private repository");
      return NULL;
    }
  shadow->dir_fd = hf_open_dir (entry_fd, HF_SHADOW_DIR, error);
  if (shadow->dir_fd < 0 || !link_directories (shadow, store, distrusted, error)
      || !copy_keyrings (shadow, store, error))
    return NULL;
  return g_steal_pointer (&shadow);
}
