/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is written for a remote: a group of the repository's configuration, which is what counts and is replaced
 * in one step, and a key ring beside it, which is there before that and goes after it.  So at every instant a
 * remote is there with its keys or is not there.  libostree writes them the other way round, leaves temporary
 * files where it is cut short, and would add keys to whatever ring it finds.
 */
#include "remote-config.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/layout.h"
#include "core/settle.h"
#include "scratch.h"
#include "source.h"

#include <errno.h>
#include <unistd.h>

#define RING_SIZE (16 * 1024 * 1024) /* bytes; far more than any ring has */

static gboolean
import_keys (OstreeRepo *repo, const HfRemoteSpec *spec, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GFile) file = g_file_new_for_commandline_arg (spec->gpg_import);
  g_autoptr (GFileInputStream) stream = g_file_read (file, NULL, &failed);
  guint imported = 0;
  if (stream == NULL
      || !ostree_repo_remote_gpg_import (repo, spec->name, G_INPUT_STREAM (stream), NULL, &imported,
                                         NULL, &failed))
    return hf_throw (error, HF_ERROR_FAILED, "Cannot import keys from %s: %s", spec->gpg_import,
                     failed->message);
  if (imported == 0)
    return hf_throw (error, HF_ERROR_UNTRUSTED,
                     "%s holds no public key that could be imported: export one with"
                     " `gpg --export KEY`",
                     spec->gpg_import);
  return TRUE;
}

/**
 * hf_remote_ring_make:
 * @store: the installation's store
 * @spec: a remote with keys
 * @url: its URL
 *
 * Returns: (transfer full): a key ring of its keys and no others, or %NULL with %HF_ERROR_UNTRUSTED if there are
 *   none, or another error
 */
GBytes *
hf_remote_ring_make (HfStore *store, const HfRemoteSpec *spec, const char *url, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (HfScratch) scratch = hf_scratch_create_temporary (store, error);
  if (scratch == NULL)
    return NULL;
  if (!ostree_repo_remote_add (scratch->repo, spec->name, url, NULL, NULL, &failed))
    {
      (void)hf_throw_ostree (error, failed, "Cannot import keys from %s", spec->gpg_import);
      return NULL;
    }
  g_autofree char *ring = g_strconcat (scratch->name, "/", spec->name, HF_KEYRING_SUFFIX, NULL);
  return import_keys (scratch->repo, spec, error)
             ? hf_file_read (scratch->parent_fd, ring, RING_SIZE, error)
             : NULL;
}

static char *
group_of (const char *name)
{
  return g_strdup_printf (HF_REPO_REMOTE_GROUP, name);
}

static gboolean
write_config (HfStore *store, GKeyFile *config, GError **error)
{
  gsize length;
  g_autofree char *data = g_key_file_to_data (config, &length, NULL);
  return hf_file_replace (store->repo_fd, HF_REPO_CONFIG_NEW, HF_REPO_CONFIG, data, length, 0644,
                          error);
}

static gboolean
write_ring (HfStore *store, const char *name, GBytes *ring, GError **error)
{
  gsize length;
  const char *data = g_bytes_get_data (ring, &length);
  g_autofree char *file = g_strconcat (name, HF_KEYRING_SUFFIX, NULL);
  return hf_file_replace (store->repo_fd, HF_KEYRING_NEW, file, data, length, 0644, error);
}

/**
 * hf_remote_config_add:
 * @store: the installation's store, its configuration loaded under `lock`
 * @spec: a remote that is not there yet
 * @url: its URL
 * @ring: (nullable): its keys, or %NULL if nothing is verified
 *
 * A crash before the configuration is replaced leaves a ring of no remote, and the mark.
 *
 * Locks: needs `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_remote_config_add (HfStore *store, const HfRemoteSpec *spec, const char *url, GBytes *ring,
                      GError **error)
{
  gboolean pending, network = !hf_source_is_local (url);
  g_autoptr (GKeyFile) config = ostree_repo_copy_config (store->repo);
  g_autofree char *group = group_of (spec->name);
  g_key_file_set_string (config, group, "url", url);
  g_key_file_set_boolean (config, group, "gpg-verify", ring != NULL);
  /* Without a signed summary a server could hide updates and offer old commits for ever. */
  g_key_file_set_boolean (config, group, "gpg-verify-summary", ring != NULL && network);
  return hf_change_begin (store->installation, &pending, error)
         && (ring == NULL || write_ring (store, spec->name, ring, error))
         && write_config (store, config, error)
         && hf_change_end (store->installation, pending, error);
}

/**
 * hf_remote_config_delete:
 * @store: the installation's store, its configuration loaded under `lock`
 * @name: a remote
 *
 * A crash after the configuration was replaced leaves a ring of no remote, and the mark.
 *
 * Locks: needs `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_remote_config_delete (HfStore *store, const char *name, GError **error)
{
  gboolean pending;
  g_autoptr (GKeyFile) config = ostree_repo_copy_config (store->repo);
  g_autofree char *group = group_of (name);
  g_autofree char *ring = g_strconcat (name, HF_KEYRING_SUFFIX, NULL);
  (void)g_key_file_remove_group (config, group, NULL);
  if (!hf_change_begin (store->installation, &pending, error)
      || !write_config (store, config, error))
    return FALSE;
  if (unlinkat (store->repo_fd, ring, 0) != 0 && errno != ENOENT)
    return hf_throw_at (error, "Cannot delete %s", store->repo_fd, ring);
  return hf_dir_sync (store->repo_fd, ".", error)
         && hf_change_end (store->installation, pending, error);
}
