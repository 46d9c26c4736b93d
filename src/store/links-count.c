/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether link counts tell what is needed.  That some deployment has a copy where it should have a
 * link is the business of every prune, not only of that deployment's own: the object that it copies
 * may have no other link left.  So besides the record in its `deployment` there is a mark on the
 * repository, the sticky bit of its directory, that costs nothing to look at.
 */
#include "links-count.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/filesystem.h"
#include "base/language.h"
#include "core/layout.h"
#include "core/repo-identity.h"
#include "object.h"

#include <errno.h>
#include <string.h>

/* What cannot be listed is never taken for empty: it may be all that keeps an object. */
static gboolean
has_entries (int dfd, const char *path, const char *except, gboolean *found, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (DIR) dir = hf_dir_open (dfd, path, &failed);
  const struct dirent *entry = NULL;
  if (dir == NULL && errno == ENOENT)
    return TRUE;
  if (dir == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  while (!*found)
    {
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        break;
      *found = g_strcmp0 (entry->d_name, except) != 0;
    }
  return TRUE;
}

/**
 * hf_links_foreign_refs:
 * @store: the installation's store
 * @out: (out): whether the repository has refs that are not ours, whose objects no deployment links
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_links_foreign_refs (HfStore *store, gboolean *out, GError **error)
{
  *out = FALSE;
  return has_entries (store->repo_fd, HF_REPO_REFS, HF_REPO_DEPLOY_REFS, out, error)
         && has_entries (store->repo_fd, HF_REPO_REMOTE_REFS, NULL, out, error)
         && has_entries (store->repo_fd, HF_REPO_MIRROR_REFS, NULL, out, error);
}

/**
 * hf_links_strange:
 * @store: the installation's store
 * @dir_fd: a deployment
 * @commit: its commit
 *
 * Returns: whether its pins are links to something, but not to what is stored, as in a copied installation
 */
gboolean
hf_links_strange (HfStore *store, int dir_fd, const char *commit)
{
  HfObjectPath pin, loose;
  struct stat pinned, stored;
  hf_object_pin_name (pin, commit, HF_SUFFIX_COMMIT);
  hf_object_loose_path (loose, commit, HF_SUFFIX_COMMIT);
  g_autofree char *path = g_strconcat (HF_PINS_DIR "/", pin, NULL);
  return hf_ledger_stat (store->installation->ledger, store->objects_fd, loose, &stored) == 0
         && (fstatat (dir_fd, path, &pinned, AT_SYMLINK_NOFOLLOW) != 0
             || !hf_stat_same_file (&pinned, &stored));
}

/**
 * hf_links_count:
 * @store: the installation's store
 * @targets: the entries being swept
 * @n_targets: how many
 * @out_reason: (out) (transfer none) (nullable): why link counts do not tell, or %NULL if they do
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_links_count (HfStore *store, HfSweepTarget *const *targets, gsize n_targets,
                const char **out_reason, GError **error)
{
  struct stat st;
  gboolean foreign = FALSE, original;
  *out_reason = NULL;
  if (fstat (store->repo_fd, &st) != 0)
    return hf_throw_errno (error, "Cannot look at %s", HF_REPO_DIR);
  if (!hf_links_foreign_refs (store, &foreign, error)
      || !hf_repo_is_original (store->repo_fd, &original, error))
    return FALSE;
  if (!hf_filesystem_is_plain (store->objects_fd))
    *out_reason = N_ ("the file system's link counts are not trusted");
  else if ((st.st_mode & HF_MODE_COPIES) != 0)
    *out_reason = N_ ("a deployment has copies in place of links");
  else if (foreign)
    *out_reason = N_ ("the repository has refs that are not holdfast's");
  for (gsize i = 0; i < n_targets && *out_reason == NULL; i++)
    if (hf_links_strange (store, targets[i]->dir_fd, targets[i]->info->commit))
      *out_reason
          = N_ ("a deployment is not linked to the repository: was the installation copied?");
  if (!original && *out_reason == NULL)
    *out_reason
        = N_ ("it is the first sweep of a repository that was copied, or is not known not to be");
  return TRUE;
}

static gboolean
set_mark (int root_fd, gboolean marked, GError **error)
{
  struct stat st;
  if (fstatat (root_fd, HF_REPO_DIR, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return hf_throw_errno (error, "Cannot look at %s", HF_REPO_DIR);
  mode_t old = st.st_mode & 07777;
  mode_t mode = marked ? old | HF_MODE_COPIES : old & ~(mode_t)HF_MODE_COPIES;
  if (mode == old)
    return TRUE;
  if (fchmodat (root_fd, HF_REPO_DIR, mode, 0) != 0)
    return hf_throw_errno (error, "Cannot set the mode of %s", HF_REPO_DIR);
  return hf_dir_sync (root_fd, HF_REPO_DIR, error);
}

/**
 * hf_links_count_no_more:
 * @installation: an installation
 *
 * Marks the repository: a deployment is about to be complete that has copies in place of links.
 *
 * Locks: needs the repository's, shared.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_links_count_no_more (HfInstallation *installation, GError **error)
{
  return set_mark (installation->root_fd, TRUE, error);
}

/**
 * hf_links_count_again:
 * @store: the installation's store
 *
 * Clears the mark, after a look at every deployment that found none with copies, and notes that the
 * repository is the one that they are linked to.
 *
 * Locks: needs the repository's, exclusively, since before that look.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_links_count_again (HfStore *store, GError **error)
{
  return set_mark (store->installation->root_fd, FALSE, error)
         && hf_repo_set_original (store->repo_fd, error);
}
