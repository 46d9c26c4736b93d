/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading other repositories: which refs they offer, and whether a commit is what it says.  A
 * commit is believed only if its bytes hash to its name, the remote's keys signed it (unless the
 * remote was added without verification), and it says of itself that it is for the ref that was
 * asked for.
 */
#include "source.h"

#include "base/error.h"
#include "base/language.h"
#include "object.h"
#include "scratch.h"

#include <fcntl.h>
#include <string.h>

/**
 * hf_source_is_local:
 * @url: of a remote
 *
 * Returns: whether it is a repository on this machine
 */
gboolean
hf_source_is_local (const char *url)
{
  return g_str_has_prefix (url, "file://");
}

/**
 * hf_source_open_local:
 * @url: a file:// URL
 *
 * Returns: (transfer full): the repository, or %NULL with @error set
 */
OstreeRepo *
hf_source_open_local (const char *url, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autofree char *path = g_filename_from_uri (url, NULL, &failed);
  OstreeRepo *repo
      = path == NULL ? NULL : ostree_repo_open_at (AT_FDCWD, path, cancellable, &failed);
  if (repo == NULL)
    (void)hf_throw_ostree (error, failed, "%s is not an ostree repository",
                           path != NULL ? path : url);
  return repo;
}

static gboolean
is_deployable (const char *ref)
{
  g_autoptr (HfRef) parsed = hf_ref_parse (ref, NULL);
  return parsed != NULL;
}

static GHashTable *
list_local (const HfRemote *remote, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (OstreeRepo) repo = hf_source_open_local (remote->url, cancellable, error);
  g_autoptr (GHashTable) refs = NULL;
  if (repo == NULL)
    return NULL;
  if (!ostree_repo_list_refs (repo, NULL, &refs, cancellable, &failed))
    {
      (void)hf_throw_ostree (error, failed, "Cannot list remote %s", remote->name);
      return NULL;
    }
  return g_steal_pointer (&refs);
}

/* libostree keeps what it fetches of a summary in the repository that it is asked in. */
static GHashTable *
list_network (HfStore *store, const HfRemote *remote, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GHashTable) refs = NULL;
  g_autoptr (HfScratch) scratch = hf_scratch_create_temporary (store, error);
  if (scratch == NULL)
    return NULL;
  if (!ostree_repo_remote_list_refs (scratch->repo, remote->name, &refs, cancellable, &failed))
    {
      (void)hf_throw_ostree (error, failed, "Cannot list remote %s at %s", remote->name,
                             remote->url);
      return NULL;
    }
  return g_steal_pointer (&refs);
}

/**
 * hf_source_list_refs:
 * @store: the installation's store
 * @remote: one of its remotes
 *
 * Returns: (transfer full) (element-type utf8 utf8): the refs that can be deployed and the commit
 * of each, or %NULL with @error set
 */
GHashTable *
hf_source_list_refs (HfStore *store, const HfRemote *remote, GCancellable *cancellable,
                     GError **error)
{
  g_autoptr (GHashTable) refs = hf_source_is_local (remote->url)
                                    ? list_local (remote, cancellable, error)
                                    : list_network (store, remote, cancellable, error);
  if (refs == NULL)
    return NULL;
  GHashTableIter iter;
  gpointer ref, commit;
  g_hash_table_iter_init (&iter, refs);
  while (g_hash_table_iter_next (&iter, &ref, &commit))
    if (!is_deployable (ref) || !hf_commit_is_valid (commit))
      g_hash_table_iter_remove (&iter);
  return g_steal_pointer (&refs);
}

/**
 * hf_commit_verify_signature:
 * @store: the installation's store, which has the keys
 * @remote: the remote that offers the commit
 * @commit: its bytes
 * @detached: (nullable): the metadata that holds its signatures
 * @ref: what it is for
 *
 * Returns: %FALSE with %HF_ERROR_UNTRUSTED unless a key of the remote signed the commit, or the
 *   remote was added without verification
 */
gboolean
hf_commit_verify_signature (HfStore *store, const HfRemote *remote, GBytes *commit,
                            GVariant *detached, const HfRef *ref, GError **error)
{
  if (!remote->verify)
    return TRUE;
  g_autoptr (GError) failed = NULL;
  g_autofree char *results = NULL;
  g_autoptr (GVariant) none = g_variant_ref_sink (g_variant_new ("a{sv}", NULL));
  g_autoptr (GBytes) metadata = g_variant_get_data_as_bytes (detached != NULL ? detached : none);
  if (ostree_repo_signature_verify_commit_data (store->repo, remote->name, commit, metadata, 0,
                                                &results, &failed))
    return TRUE;
  return hf_throw (error, HF_ERROR_UNTRUSTED,
                   "%s from remote %s is not signed by a key of that remote: %s", ref->full,
                   remote->name, failed->message);
}

/**
 * hf_commit_verify_binding:
 * @commit: a commit
 * @ref: what it was offered as
 * @required: whether a commit that names no ref is refused
 *
 * A signature says who made a commit, not for what: without this a remote could offer one program
 * under the name of another.
 *
 * Returns: %FALSE with %HF_ERROR_UNTRUSTED if the commit is for another ref
 */
gboolean
hf_commit_verify_binding (GVariant *commit, const HfRef *ref, gboolean required, GError **error)
{
  g_autoptr (GVariant) metadata = g_variant_get_child_value (commit, 0);
  const char *flatpak_ref = NULL;
  g_autofree const char **bound = NULL;
  gboolean has_flatpak = g_variant_lookup (metadata, "xa.ref", "&s", &flatpak_ref);
  gboolean has_bound
      = g_variant_lookup (metadata, OSTREE_COMMIT_META_KEY_REF_BINDING, "^a&s", &bound);
  if (has_flatpak && strcmp (flatpak_ref, ref->full) != 0)
    return hf_throw (error, HF_ERROR_UNTRUSTED,
                     "The commit offered as %s is for %s (its xa.ref says so)", ref->full,
                     flatpak_ref);
  if (has_bound && !g_strv_contains (bound, ref->full))
    return hf_throw (error, HF_ERROR_UNTRUSTED,
                     "The commit offered as %s is for %s (its ref binding says so)", ref->full,
                     bound[0] != NULL ? bound[0] : _ ("no ref at all"));
  if (required && !has_flatpak && !has_bound)
    return hf_throw (error, HF_ERROR_UNTRUSTED,
                     "The commit offered as %s does not say what it is for", ref->full);
  return TRUE;
}

static gboolean
hash_matches (GBytes *bytes, const char *checksum)
{
  g_autofree char *actual = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
  return strcmp (actual, checksum) == 0;
}

/**
 * hf_commit_load:
 * @repo: any repository
 * @checksum: a commit in it
 * @ref: what it was offered as
 * @out_bytes: (out) (transfer full): its bytes
 * @out_detached: (out) (transfer full) (nullable): its detached metadata
 *
 * Returns: (transfer full): the commit, its checksum verified, or %NULL with @error set
 */
GVariant *
hf_commit_load (OstreeRepo *repo, const char *checksum, const HfRef *ref, GBytes **out_bytes,
                GVariant **out_detached, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GVariant) commit = NULL;
  g_autoptr (GVariant) detached = NULL;
  if (!hf_object_is_plain (repo, checksum, HF_SUFFIX_COMMIT)
      || !hf_object_is_plain (repo, checksum, HF_SUFFIX_COMMIT_META))
    {
      (void)hf_throw (error, HF_ERROR_UNTRUSTED, "Commit %.12s of %s is damaged: it is no file",
                      checksum, ref->full);
      return NULL;
    }
  if (!ostree_repo_load_variant (repo, OSTREE_OBJECT_TYPE_COMMIT, checksum, &commit, &failed)
      || !ostree_repo_read_commit_detached_metadata (repo, checksum, &detached, NULL, &failed))
    {
      (void)hf_throw_ostree (error, failed, "Cannot read commit %.12s of %s", checksum, ref->full);
      return NULL;
    }
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (commit);
  if (!hash_matches (bytes, checksum))
    {
      (void)hf_throw (error, HF_ERROR_UNTRUSTED,
                      "Commit %.12s of %s is damaged: its checksum is wrong", checksum, ref->full);
      return NULL;
    }
  if (!ostree_validate_structureof_commit (commit, &failed))
    {
      (void)hf_throw (error, HF_ERROR_UNTRUSTED, "Commit %.12s of %s is malformed: %s", checksum,
                      ref->full, failed->message);
      return NULL;
    }
  *out_bytes = g_steal_pointer (&bytes);
  *out_detached = g_steal_pointer (&detached);
  return g_steal_pointer (&commit);
}
