/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pulling from the network.  Everything happens in the entry's private repository and without the
 * installation's repository lock, however long it takes; a pull that fails leaves its debris in the
 * entry, and goes with it.
 */
#include "fetch.h"

#include "base/error.h"

/* libostree's default of five makes an unreachable host take minutes. */
#define NETWORK_RETRIES 2

static gboolean
pull (HfScratch *fetch, const HfRemote *remote, const HfRef *ref, const char *commit,
      OstreeRepoPullFlags flags, OstreeAsyncProgress *progress, GCancellable *cancellable,
      GError **error)
{
  g_autoptr (GError) failed = NULL;
  const char *refs[] = { ref->full, NULL };
  const char *commits[] = { commit, NULL };
  g_autoptr (GVariantDict) options = g_variant_dict_new (NULL);
  g_variant_dict_insert (options, "flags", "i", (gint32)flags);
  g_variant_dict_insert (options, "depth", "i", 0);
  g_variant_dict_insert (options, "n-network-retries", "u", NETWORK_RETRIES);
  g_variant_dict_insert (options, "refs", "^as", refs);
  g_variant_dict_insert (options, "override-commit-ids", "^as", commits);
  g_autoptr (GVariant) variant = g_variant_ref_sink (g_variant_dict_end (options));
  if (ostree_repo_pull_with_options (fetch->repo, remote->name, variant, progress, cancellable,
                                     &failed))
    return TRUE;
  return hf_throw_ostree (error, failed, "Cannot fetch %s from remote %s", ref->full, remote->name);
}

/**
 * hf_fetch_commit:
 * @fetch: an entry's private repository
 * @remote: a remote behind a URL
 * @ref: a ref of it
 * @commit: the commit that it has
 *
 * Fetches the commit object alone, and verifies its signature: enough to know what else is needed.
 *
 * Returns: %FALSE with %HF_ERROR_UNTRUSTED for a bad signature, or another error
 */
gboolean
hf_fetch_commit (HfScratch *fetch, const HfRemote *remote, const HfRef *ref, const char *commit,
                 GCancellable *cancellable, GError **error)
{
  return pull (fetch, remote, ref, commit, OSTREE_REPO_PULL_FLAGS_COMMIT_ONLY, NULL, cancellable,
               error);
}

/* Called by libostree in the thread that pulls.  It finds what there is on the way. */
static void
tell (OstreeAsyncProgress *told, gpointer progress)
{
  guint fetched = 0, requested = 0;
  guint64 bytes = 0;
  ostree_async_progress_get (told, "fetched", "u", &fetched, "requested", "u", &requested,
                             "bytes-transferred", "t", &bytes, NULL);
  hf_progress_set (progress, fetched, requested, bytes);
}

/**
 * hf_fetch_all:
 * @fetch: an entry's private repository, after hf_fetch_commit()
 * @remote: a remote behind a URL
 * @ref: a ref of it
 * @commit: the commit that it has
 * @again: whether the commit was fetched before, and something that was stored then has gone since
 * @progress: (nullable): where to tell how far it is
 *
 * Fetches whatever of the commit the installation does not have.
 *
 * Returns: %FALSE with %HF_ERROR_UNTRUSTED if something is not what its name says, or another error
 */
gboolean
hf_fetch_all (HfScratch *fetch, const HfRemote *remote, const HfRef *ref, const char *commit,
              gboolean again, HfProgress *progress, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failed = NULL;
  /* A commit that is not partial is taken to be complete, and not scanned. */
  if (again && !ostree_repo_mark_commit_partial (fetch->repo, commit, TRUE, &failed))
    return hf_throw_ostree (error, failed, "Cannot fetch %s again", ref->full);
  g_autoptr (OstreeAsyncProgress) told = progress != NULL ? ostree_async_progress_new () : NULL;
  hf_progress_begin (progress, "Fetching", 0);
  if (told != NULL)
    g_signal_connect (told, "changed", G_CALLBACK (tell), progress);
  gboolean pulled = pull (fetch, remote, ref, commit, OSTREE_REPO_PULL_FLAGS_BAREUSERONLY_FILES,
                          told, cancellable, error);
  /* Else what it has queued to tell would come after it is freed. */
  if (told != NULL)
    ostree_async_progress_finish (told);
  return pulled;
}
