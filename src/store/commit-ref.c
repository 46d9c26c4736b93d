/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writing and removing the refs `deploy/COMMIT`.
 */
#include "commit-ref.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/layout.h"
#include "object.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DIRECTORY HF_REPO_REFS "/" HF_REPO_DEPLOY_REFS

/* What is left in the entry where the repository is on another mount, goes with the entry. */
static gboolean
place (int entry_fd, int refs_fd, const char *commit, GError **error)
{
  if (renameat (entry_fd, commit, refs_fd, commit) == 0)
    return TRUE;
  if (errno != EXDEV)
    return hf_throw_errno (error, "Cannot create ref %s/%s", DIRECTORY, commit);
  if (!hf_object_copy_across (entry_fd, commit, refs_fd, commit, error))
    return FALSE;
  (void)unlinkat (entry_fd, commit, 0);
  return TRUE;
}

/**
 * hf_commit_ref_write:
 * @store: the installation's store
 * @entry_fd: an entry of staging/, in which the ref is prepared: it appears whole, and libostree,
 * which takes every file for a ref, never sees a part of it
 * @commit: a commit that the store has
 *
 * Locks: needs the repository's, and the entry's.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_commit_ref_write (HfStore *store, int entry_fd, const char *commit, GError **error)
{
  g_autofree char *contents = g_strconcat (commit, "\n", NULL);
  if (!hf_mkdir (store->repo_fd, DIRECTORY, HF_MODE_DIR, error)
      || !hf_file_write_new (entry_fd, commit, contents, strlen (contents), 0644, error))
    return FALSE;
  hf_autofd int dfd = hf_open_dir (store->repo_fd, DIRECTORY, error);
  if (dfd < 0)
    return FALSE;
  return place (entry_fd, dfd, commit, error) && hf_fd_sync (dfd, error);
}

/**
 * hf_commit_ref_remove:
 * @store: the installation's store
 * @commit: a commit that is about to go
 *
 * The ref is gone from disk when this returns: where a crash can bring one of two directories back
 * without the other, as on btrfs, libostree would stumble over a ref that leads to nothing.
 *
 * Locks: needs the repository's, exclusively.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_commit_ref_remove (HfStore *store, const char *commit, GError **error)
{
  HfLedger *ledger = store->installation->ledger;
  hf_autofd int dfd = hf_open_beneath (store->repo_fd, DIRECTORY, O_RDONLY | O_DIRECTORY, 0);
  if (dfd < 0)
    return errno == ENOENT || hf_throw_at (error, "Cannot open %s", store->repo_fd, DIRECTORY);
  if (hf_ledger_unlink (ledger, dfd, commit, 0) != 0 && errno != ENOENT)
    return hf_throw_errno (error, "Cannot remove ref %s/%s", DIRECTORY, commit);
  if (!hf_ledger_is_dry (ledger) && !hf_fd_sync (dfd, error))
    return FALSE;
  /* If it is empty now. */
  (void)hf_ledger_unlink (ledger, store->repo_fd, DIRECTORY, AT_REMOVEDIR);
  return TRUE;
}
