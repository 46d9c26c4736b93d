/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reclaiming backing objects for a sweep: the choice between the two ways.
 */
#include "prune.h"

#include "base/error.h"
#include "base/fd.h"
#include "commit-ref.h"
#include "core/layout.h"
#include "core/trash.h"
#include "links-count.h"
#include "object.h"
#include "prune-fast.h"
#include "prune-full.h"

#include <errno.h>
#include <unistd.h>

/* See HfSweepStore. */
static gboolean
choose (gpointer data, HfSweepTarget *const *targets, gsize n_targets, const char **out_reason,
        GError **error)
{
  return hf_links_count (data, targets, n_targets, out_reason, error);
}

/* See HfSweepStore. */
static gboolean
prune_by_links (gpointer data, const HfSweepTarget *target, HfSweepReport *report, GError **error)
{
  return hf_prune_fast (data, target, report, error);
}

/* See HfSweepStore. */
static gboolean
prune_by_marks (gpointer data, HfSweepTarget *const *targets, gsize n_targets,
                HfSweepReport *report, GError **error)
{
  return hf_prune_full (data, targets, n_targets, report, error);
}

/* Whether it is an entry that needs nothing any more: its deletion began, or it is what an import
 * left that failed or died, as none is at work while the repository's lock is held. */
static gboolean
needs_nothing (const HfTrashEntry *entry)
{
  HfDeploymentState state;
  hf_autofd int fd
      = hf_open_beneath (entry->installation->root_fd, entry->path, O_PATH | O_DIRECTORY, 0);
  return fd >= 0 && hf_deployment_get_state (fd, &state, NULL)
         && (state == HF_STATE_DELETING || state == HF_STATE_PRUNED
             || (state == HF_STATE_ABSENT && entry->staging));
}

/* Counts the links of a stored commit that need nothing: the repository's, and the pins of entries
 * that need nothing any more. */
static gboolean
count_idle (HfStore *store, const char *commit, const struct stat *stored, nlink_t *out,
            GError **error)
{
  HfObjectPath pin;
  g_autoptr (GPtrArray) entries = hf_trash_list (store->installation, error);
  if (entries == NULL)
    return FALSE;
  *out = 1;
  hf_object_pin_name (pin, commit, HF_SUFFIX_COMMIT);
  for (guint i = 0; i < entries->len; i++)
    {
      const HfTrashEntry *entry = entries->pdata[i];
      g_autofree char *path = g_strconcat (entry->path, "/" HF_PINS_DIR "/", pin, NULL);
      struct stat pinned;
      if (fstatat (store->installation->root_fd, path, &pinned, AT_SYMLINK_NOFOLLOW) == 0
          && hf_stat_same_file (&pinned, stored) && needs_nothing (entry))
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
  do
    {
      links = stored->st_nlink;
      if (!count_idle (store, commit, stored, &idle, error))
        return FALSE;
      if (fstatat (store->objects_fd, loose, stored, AT_SYMLINK_NOFOLLOW) != 0)
        return hf_throw_errno (error, "Cannot look at commit %s", commit);
    }
  while (stored->st_nlink != links);
  *out = links == idle;
  return TRUE;
}

/* See HfSweepStore.  The commit goes before any of its objects can.  Our pin is one of its links;
 * with others, the last entry that begins to be deleted takes it out, whichever of them is pruned
 * first.  Where links could not be counted the prune decides, commits first too. */
static gboolean
release_commit (gpointer data, const HfSweepTarget *target, HfSweepReport *report, GError **error)
{
  HfStore *store = data;
  HfObjectPath loose;
  struct stat stored;
  const char *reason;
  gboolean unneeded;
  const char *commit = target->info->commit;
  HfSweepTarget *const targets[] = { (HfSweepTarget *)target };
  if (!hf_links_count (store, targets, 1, &reason, error))
    return FALSE;
  hf_object_loose_path (loose, commit, HF_SUFFIX_COMMIT);
  if (reason != NULL || fstatat (store->objects_fd, loose, &stored, AT_SYMLINK_NOFOLLOW) != 0)
    return TRUE;
  unneeded = stored.st_nlink == 2;
  if (!unneeded && !is_needed_by_none (store, commit, loose, &stored, &unneeded, error))
    return FALSE;
  if (!unneeded)
    return TRUE;
  if (!hf_commit_ref_remove (store, commit, error))
    return FALSE;
  if (unlinkat (store->objects_fd, loose, 0) != 0)
    return hf_throw_errno (error, "Cannot unlink commit %s", commit);
  report->objects++;
  report->bytes += (guint64)stored.st_blocks * 512;
  const char digits[] = { commit[0], commit[1], '\0' };
  if (!hf_dir_sync (store->objects_fd, digits, error))
    return FALSE;
  (void)unlinkat (store->objects_fd, digits, AT_REMOVEDIR); /* if it is empty now */
  return TRUE;
}

/**
 * hf_store_for_sweep:
 * @store: the installation's store; it outlives the result
 *
 * Returns: what a sweep needs of it
 */
HfSweepStore
hf_store_for_sweep (HfStore *store)
{
  return (HfSweepStore){ .release_commit = release_commit,
                         .choose = choose,
                         .prune_by_links = prune_by_links,
                         .prune_by_marks = prune_by_marks,
                         .store = store };
}
