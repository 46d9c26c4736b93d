/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opening the installation's repository.  It is of mode bare-user-only, so that what it stores can
 * be linked into deployments as it is, and never belongs to anybody but the installation's owner.
 */
#include "store.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/layout.h"
#include "core/lock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/**
 * hf_store_free:
 * @store: (nullable) (transfer full): a store
 */
void
hf_store_free (HfStore *store)
{
  if (store == NULL)
    return;
  g_clear_object (&store->repo);
  hf_fd_clear (&store->repo_fd);
  hf_fd_clear (&store->objects_fd);
  g_free (store);
}

/* libostree puts nothing on disk when it creates a repository.  A power cut could leave `objects`, by
 * which it knows that there is one, beside a configuration of zeros, and nothing would work any more.
 * But it takes a configuration that is there, so one is there first, and whole. */
static gboolean
write_config (int repo_fd, GError **error)
{
  static const char contents[] = "[core]\nrepo_version=1\nmode=bare-user-only\n";
  struct stat st;
  if (fstatat (repo_fd, HF_REPO_CONFIG, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return TRUE;
  return hf_file_replace (repo_fd, HF_REPO_CONFIG_NEW, HF_REPO_CONFIG, contents, strlen (contents),
                          0644, error);
}

/* A crash before `objects` is there leaves what the next one carries on with. */
static OstreeRepo *
create (HfInstallation *installation, GError **error)
{
  g_autoptr (GError) failed = NULL;
  hf_autofd int repo_fd = hf_open_dir (installation->root_fd, HF_REPO_DIR, error);
  if (repo_fd < 0 || !write_config (repo_fd, error))
    return NULL;
  g_autoptr (OstreeRepo) repo = ostree_repo_create_at (
      installation->root_fd, HF_REPO_DIR, OSTREE_REPO_MODE_BARE_USER_ONLY, NULL, NULL, &failed);
  if (repo == NULL)
    (void)hf_throw (error, HF_ERROR_FAILED, "Cannot create the repository of %s: %s",
                    installation->path, failed->message);
  else if (syncfs (repo_fd) != 0)
    (void)hf_throw_errno (error, "Cannot write the repository of %s to disk", installation->path);
  else
    return g_steal_pointer (&repo);
  return NULL;
}

/* Under `lock`, so that of two that find no repository only one creates it. */
static OstreeRepo *
open_or_create (HfInstallation *installation, HfOpenMode mode, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  OstreeRepo *repo = ostree_repo_open_at (installation->root_fd, HF_REPO_DIR, NULL, &failed);
  if (repo == NULL && mode == HF_OPEN_OR_CREATE
      && g_error_matches (failed, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    {
      g_clear_error (&failed);
      if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
        return NULL;
      repo = ostree_repo_open_at (installation->root_fd, HF_REPO_DIR, NULL, &failed);
      if (repo == NULL && g_error_matches (failed, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return create (installation, error);
    }
  if (repo == NULL)
    (void)hf_throw (error,
                    g_error_matches (failed, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) ? HF_ERROR_NOT_FOUND
                                                                               : HF_ERROR_FAILED,
                    "Cannot open the repository of %s: %s", installation->path, failed->message);
  return repo;
}

/**
 * hf_store_open:
 * @installation: an installation; it outlives the store
 * @mode: whether to create the repository if there is none
 *
 * Locks: takes `lock` to create the repository.
 *
 * Returns: (transfer full): the store, or %NULL with @error set
 */
HfStore *
hf_store_open (HfInstallation *installation, HfOpenMode mode, GError **error)
{
  g_autoptr (HfStore) store = g_new0 (HfStore, 1);
  store->installation = installation;
  store->repo_fd = store->objects_fd = -1;
  store->repo = open_or_create (installation, mode, error);
  if (store->repo == NULL)
    return NULL;
  if (ostree_repo_get_mode (store->repo) != OSTREE_REPO_MODE_BARE_USER_ONLY)
    {
      (void)hf_throw (error, HF_ERROR_FORMAT, "The repository of %s is not of mode bare-user-only",
                      installation->path);
      return NULL;
    }
  store->repo_fd = hf_open_dir (installation->root_fd, HF_REPO_DIR, error);
  if (store->repo_fd < 0)
    return NULL;
  store->objects_fd = hf_open_dir (store->repo_fd, HF_OBJECTS_DIR, error);
  return store->objects_fd < 0 ? NULL : g_steal_pointer (&store);
}
