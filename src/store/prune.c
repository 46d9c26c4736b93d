/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reclaiming backing objects for a sweep: the choice between the two ways.
 */
#include "prune.h"

#include "base/error.h"
#include "base/fd.h"
#include "commit-ref.h"
#include "core/layout.h"
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

/* See HfSweepStore.  If the stored commit's only other link is our pin, no other deployment has it;
 * if there are more links, or none that could be counted, the prune decides, commits first too. */
static gboolean
release_commit (gpointer data, const HfSweepTarget *target, HfSweepReport *report, GError **error)
{
  HfStore *store = data;
  HfObjectPath loose;
  struct stat stored;
  const char *reason;
  const char *commit = target->info->commit;
  HfSweepTarget *const targets[] = { (HfSweepTarget *)target };
  if (!hf_links_count (store, targets, 1, &reason, error))
    return FALSE;
  hf_object_loose_path (loose, commit, HF_SUFFIX_COMMIT);
  if (reason != NULL || fstatat (store->objects_fd, loose, &stored, AT_SYMLINK_NOFOLLOW) != 0
      || stored.st_nlink != 2)
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
