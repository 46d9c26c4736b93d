/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taking a commit out of the repository.  It goes before any object that it reaches can (G4), so as
 * soon as the deletion of the last deployment that has it begins.
 */
#include "release.h"

#include "base/error.h"
#include "base/fd.h"
#include "commit-ref.h"
#include "core/layout.h"
#include "core/trash.h"
#include "object.h"

#include <errno.h>
#include <unistd.h>

/* Whether it is an entry that needs nothing any more: its deletion began, or it is what an import
 * left that failed or died, as none is at work while the repository's lock is held. */
static gboolean
needs_nothing (const HfTrashEntry *entry, int entry_fd)
{
  HfDeploymentState state;
  if (hf_ledger_has_begun (entry->installation->ledger, entry_fd))
    return TRUE;
  return hf_deployment_get_state (entry_fd, &state, NULL)
         && (state == HF_STATE_DELETING || state == HF_STATE_PRUNED
             || (state == HF_STATE_ABSENT && entry->staging));
}

/* Whether @dfd, an entry, has a pin of the commit whose stored inode is @stored. */
static gboolean
is_pinned_by (int dfd, const char *commit, const struct stat *stored)
{
  HfObjectPath pin;
  struct stat pinned;
  hf_object_pin_name (pin, commit, HF_SUFFIX_COMMIT);
  g_autofree char *path = g_strconcat (HF_PINS_DIR "/", pin, NULL);
  return fstatat (dfd, path, &pinned, AT_SYMLINK_NOFOLLOW) == 0
         && hf_stat_same_file (&pinned, stored);
}

/* Counts the links of a stored commit that need nothing: the repository's, and the pins of entries
 * that need nothing any more. */
static gboolean
count_idle (HfStore *store, const char *commit, const struct stat *stored, nlink_t *out,
            GError **error)
{
  g_autoptr (GPtrArray) entries = hf_trash_list (store->installation, error);
  if (entries == NULL)
    return FALSE;
  *out = 1;
  for (guint i = 0; i < entries->len; i++)
    {
      const HfTrashEntry *entry = entries->pdata[i];
      hf_autofd int fd
          = hf_open_beneath (store->installation->root_fd, entry->path, O_PATH | O_DIRECTORY, 0);
      if (fd >= 0 && is_pinned_by (fd, commit, stored) && needs_nothing (entry, fd))
        ++*out;
    }
  return TRUE;
}

/* Whether nothing needs a stored commit whose inode is @stored.  The repository's lock keeps new
 * links away; but what a dead import left is swept without it, and a pin that goes after the links
 * were counted and before it was looked for would make the commit look needed. */
static gboolean
is_needed_by_none (HfStore *store, const char *commit, const char *loose, struct stat *stored,
                   gboolean *out, GError **error)
{
  nlink_t idle, links;
  HfLedger *ledger = store->installation->ledger;
  do
    {
      links = stored->st_nlink;
      if (!count_idle (store, commit, stored, &idle, error))
        return FALSE;
      if (hf_ledger_stat (ledger, store->objects_fd, loose, stored) != 0)
        return hf_throw_at (error, "Cannot look at commit %s", store->objects_fd, loose);
    }
  while (stored->st_nlink != links);
  *out = links == idle;
  return TRUE;
}

/**
 * hf_release_commit:
 * @store: the installation's store
 * @entry_fd: an entry whose deletion began
 * @commit: its commit
 * @report: what is unlinked is added to it
 * @out_released: (out): whether it is not stored any more
 *
 * Takes @commit out, unless something needs it.  The entry's pin is one of its links; with others
 * the last entry that begins to be deleted takes it out, whichever of them is pruned first.
 *
 * Locks: needs `prune-lock` and the repository's, exclusively, under which links are known to count.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_release_commit (HfStore *store, int entry_fd, const char *commit, HfSweepReport *report,
                   gboolean *out_released, GError **error)
{
  HfObjectPath loose;
  struct stat stored;
  *out_released = FALSE;
  hf_object_loose_path (loose, commit, HF_SUFFIX_COMMIT);
  HfLedger *ledger = store->installation->ledger;
  if (hf_ledger_stat (ledger, store->objects_fd, loose, &stored) != 0)
    {
      *out_released = errno == ENOENT;
      return *out_released
             || hf_throw_at (error, "Cannot look at commit %s", store->objects_fd, loose);
    }
  gboolean unneeded = stored.st_nlink == 2 && is_pinned_by (entry_fd, commit, &stored);
  if (!unneeded && !is_needed_by_none (store, commit, loose, &stored, &unneeded, error))
    return FALSE;
  if (!unneeded)
    return TRUE;
  if (!hf_commit_ref_remove (store, commit, error))
    return FALSE;
  if (hf_ledger_unlink_known (ledger, store->objects_fd, loose, &stored) != 0)
    return hf_throw_at (error, "Cannot unlink commit %s", store->objects_fd, loose);
  *out_released = TRUE;
  report->objects++;
  const char digits[] = { commit[0], commit[1], '\0' };
  return (hf_ledger_is_dry (ledger) || hf_dir_sync (store->objects_fd, digits, error))
         && hf_object_dir_remove (store->objects_fd, digits, ledger, error);
}

/**
 * hf_release_dying:
 * @store: the installation's store
 * @report: what is unlinked is added to it
 *
 * Takes out the commits of all entries whose deletion began, held or not: of one that began while
 * links did not count, the commit is still there.
 *
 * Locks: as hf_release_commit().
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_release_dying (HfStore *store, HfSweepReport *report, GError **error)
{
  g_autoptr (GPtrArray) entries = hf_trash_list (store->installation, error);
  for (guint i = 0; entries != NULL && i < entries->len; i++)
    {
      const HfTrashEntry *entry = entries->pdata[i];
      HfDeploymentState state;
      gboolean released;
      hf_autofd int fd
          = hf_open_beneath (store->installation->root_fd, entry->path, O_RDONLY | O_DIRECTORY, 0);
      if (fd < 0 || !hf_deployment_get_state (fd, &state, NULL) || state != HF_STATE_DELETING)
        continue;
      /* One that cannot be read is damaged, and says so when it is swept itself. */
      g_autoptr (HfDeploymentInfo) info = hf_deployment_read (fd, NULL);
      if (info != NULL && !hf_release_commit (store, fd, info->commit, report, &released, error))
        return FALSE;
    }
  return entries != NULL;
}
