/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Remotes.  They are ordinary ostree remotes, so that ostree's own tools see them; the key ring of
 * each lies beside the configuration.
 */
#include "remotes.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/layout.h"
#include "core/lock.h"
#include "remote-config.h"
#include "scratch.h"
#include "source.h"

#include <string.h>
#include <unistd.h>

/**
 * hf_remote_free:
 * @remote: (nullable) (transfer full): a remote
 */
void
hf_remote_free (HfRemote *remote)
{
  if (remote == NULL)
    return;
  g_free (remote->name);
  g_free (remote->url);
  g_free (remote);
}

/**
 * hf_remote_ref_free:
 * @ref: (nullable) (transfer full): a ref of a remote
 */
void
hf_remote_ref_free (HfRemoteRef *ref)
{
  if (ref == NULL)
    return;
  hf_ref_free (ref->ref);
  g_free (ref->commit);
  g_free (ref);
}

static gboolean
is_network (const char *location)
{
  return g_str_has_prefix (location, "http://") || g_str_has_prefix (location, "https://");
}

static gboolean
check_name (const char *name, GError **error)
{
  gsize length = strlen (name);
  if (length == 0 || length > 100 || !g_ascii_isalnum (name[0])
      || strcmp (name, HF_ORIGIN_LOCAL) == 0
      || strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-.") != length)
    return hf_throw (error, HF_ERROR_USAGE,
                     "'%s' cannot name a remote: use letters, digits, '-', '_' and '.',"
                     " and not '%s'",
                     name, HF_ORIGIN_LOCAL);
  return TRUE;
}

/* Returns the URL of @location; a path must lead to a repository now. */
static char *
check_location (const char *location, GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (is_network (location))
    return g_strdup (location);
  if (strstr (location, "://") != NULL && !g_str_has_prefix (location, "file://"))
    {
      (void)hf_throw (error, HF_ERROR_USAGE,
                      "%s: a remote is a path or an http or https URL of an ostree repository",
                      location);
      return NULL;
    }
  g_autofree char *path = g_str_has_prefix (location, "file://")
                              ? g_filename_from_uri (location, NULL, &failed)
                              : g_canonicalize_filename (location, NULL);
  g_autofree char *url = path == NULL ? NULL : g_filename_to_uri (path, NULL, &failed);
  if (url == NULL)
    {
      (void)hf_throw (error, HF_ERROR_USAGE, "%s: %s", location, failed->message);
      return NULL;
    }
  g_autoptr (OstreeRepo) repo = hf_source_open_local (url, NULL, error);
  return repo == NULL ? NULL : g_steal_pointer (&url);
}

static gboolean
exists (HfStore *store, const char *name)
{
  guint n;
  g_auto (GStrv) names = ostree_repo_remote_list (store->repo, &n);
  return names != NULL && g_strv_contains ((const char *const *)names, name);
}

static gboolean
reload (HfStore *store, GError **error)
{
  g_autoptr (GError) failed = NULL;
  return ostree_repo_reload_config (store->repo, NULL, &failed)
         || hf_throw_ostree (error, failed, "Cannot read the configuration of the repository of %s",
                             store->installation->path);
}

static gboolean
check_spec (const HfRemoteSpec *spec, GError **error)
{
  if (spec->no_verify && spec->gpg_import != NULL)
    return hf_throw (error, HF_ERROR_USAGE,
                     "--no-verify and --gpg-import exclude each other: with keys, signatures are"
                     " verified");
  if (!spec->no_verify && spec->gpg_import == NULL)
    return hf_throw (error, HF_ERROR_UNTRUSTED,
                     "Remote %s has no key to verify its images by: give --gpg-import=FILE, or"
                     " --no-verify to trust whoever controls %s",
                     spec->name, spec->location);
  return TRUE;
}

static gboolean
throw_exists (const HfRemoteSpec *spec, GError **error)
{
  return spec->if_not_exists
         || hf_throw (error, HF_ERROR_FAILED,
                      "There is a remote %s already: delete it first, or use --if-not-exists",
                      spec->name);
}

/**
 * hf_remote_add:
 * @store: the installation's store
 * @spec: what to add
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_USAGE for a bad name or location, %HF_ERROR_UNTRUSTED if nothing
 *   says how its images are to be verified, or another error
 */
gboolean
hf_remote_add (HfStore *store, const HfRemoteSpec *spec, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_autoptr (GBytes) ring = NULL;
  if (!check_name (spec->name, error))
    return FALSE;
  if (exists (store, spec->name))
    return throw_exists (spec, error);
  g_autofree char *url = check_spec (spec, error) ? check_location (spec->location, error) : NULL;
  if (url == NULL)
    return FALSE;
  if (spec->gpg_import != NULL && (ring = hf_remote_ring_make (store, spec, url, error)) == NULL)
    return FALSE;
  if (!hf_lock_take (store->installation, HF_LOCK_CHANGE, &lock, error) || !reload (store, error))
    return FALSE;
  /* Somebody may have been faster. */
  return exists (store, spec->name) ? throw_exists (spec, error)
                                    : hf_remote_config_add (store, spec, url, ring, error);
}

/**
 * hf_remote_delete:
 * @store: the installation's store
 * @name: a remote
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if there is none, or another error
 */
gboolean
hf_remote_delete (HfStore *store, const char *name, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  if (!hf_lock_take (store->installation, HF_LOCK_CHANGE, &lock, error) || !reload (store, error))
    return FALSE;
  g_autoptr (HfRemote) remote = hf_remote_get (store, name, error);
  return remote != NULL && hf_remote_config_delete (store, name, error);
}

/**
 * hf_remote_get:
 * @store: the installation's store
 * @name: a remote
 *
 * Returns: (transfer full): the remote, or %NULL with %HF_ERROR_NOT_FOUND if there is none
 */
HfRemote *
hf_remote_get (HfStore *store, const char *name, GError **error)
{
  g_autoptr (HfRemote) remote = g_new0 (HfRemote, 1);
  remote->name = g_strdup (name);
  if (!exists (store, name) || !ostree_repo_remote_get_url (store->repo, name, &remote->url, NULL))
    {
      (void)hf_throw (error, HF_ERROR_NOT_FOUND,
                      "There is no remote %s: `holdfast remotes` lists them,"
                      " `holdfast remote-add` adds one",
                      name);
      return NULL;
    }
  if (!ostree_repo_remote_get_gpg_verify (store->repo, name, &remote->verify, error))
    return NULL;
  return g_steal_pointer (&remote);
}

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/**
 * hf_remote_list:
 * @store: the installation's store
 *
 * Returns: (transfer full) (element-type HfRemote): its remotes, by name, or %NULL with @error set
 */
GPtrArray *
hf_remote_list (HfStore *store, GError **error)
{
  g_autoptr (GPtrArray) remotes = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_remote_free);
  guint n = 0;
  g_auto (GStrv) names = ostree_repo_remote_list (store->repo, &n);
  if (n > 1)
    qsort (names, n, sizeof *names, compare_names);
  for (guint i = 0; i < n; i++)
    {
      HfRemote *remote = hf_remote_get (store, names[i], error);
      if (remote == NULL)
        return NULL;
      g_ptr_array_add (remotes, remote);
    }
  return g_steal_pointer (&remotes);
}

static int
compare_refs (gconstpointer a, gconstpointer b)
{
  return hf_ref_compare ((*(HfRemoteRef *const *)a)->ref, (*(HfRemoteRef *const *)b)->ref);
}

static GPtrArray *
list_refs (HfStore *store, const HfRemote *remote, GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) refs = hf_source_list_refs (store, remote, cancellable, error);
  if (refs == NULL)
    return NULL;
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_remote_ref_free);
  GHashTableIter iter;
  gpointer ref, commit;
  g_hash_table_iter_init (&iter, refs);
  while (g_hash_table_iter_next (&iter, &ref, &commit))
    {
      HfRemoteRef *item = g_new0 (HfRemoteRef, 1);
      item->ref = hf_ref_parse (ref, NULL);
      item->commit = g_strdup (commit);
      g_ptr_array_add (list, item);
    }
  g_ptr_array_sort (list, compare_refs);
  return list;
}

/**
 * hf_remote_refs:
 * @store: the installation's store
 * @name: a remote
 *
 * Returns: (transfer full) (element-type HfRemoteRef): what the remote offers, by ref, or %NULL
 * with
 *   @error set
 */
GPtrArray *
hf_remote_refs (HfStore *store, const char *name, GCancellable *cancellable, GError **error)
{
  g_autoptr (HfRemote) remote = hf_remote_get (store, name, error);
  return remote == NULL ? NULL : list_refs (store, remote, cancellable, error);
}

/* Adds to @out what @remote has for @pattern: exact matches or, with none of those, what it
 * resembles. */
static void
match_refs (GPtrArray *refs, const HfRefPattern *pattern,
            gboolean (*accept) (const HfRefPattern *, const HfRef *), GPtrArray *out)
{
  for (guint i = 0; i < refs->len; i++)
    {
      HfRemoteRef *item = refs->pdata[i];
      gboolean native = strcmp (item->ref->arch, hf_ref_default_arch ()) == 0;
      if (accept (pattern, item->ref) && (native || pattern->arch != NULL))
        g_ptr_array_add (out, hf_ref_copy (item->ref));
    }
}

/* An application is meant rather than a runtime of the same name. */
static void
prefer_apps (GPtrArray *refs)
{
  guint apps = 0;
  for (guint i = 0; i < refs->len; i++)
    apps += hf_ref_is_app (refs->pdata[i]) ? 1 : 0;
  for (guint i = refs->len; apps > 0 && i-- > 0;)
    if (!hf_ref_is_app (refs->pdata[i]))
      g_ptr_array_remove_index (refs, i);
}

static gboolean
find_in (HfStore *store, const HfRemote *remote, const HfRefPattern *pattern, HfRef **out,
         GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) refs = list_refs (store, remote, cancellable, error);
  if (refs == NULL)
    return FALSE;
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_ref_free);
  match_refs (refs, pattern, hf_ref_pattern_matches, found);
  if (found->len == 0)
    match_refs (refs, pattern, hf_ref_pattern_resembles, found);
  prefer_apps (found);
  if (found->len > 1)
    return hf_throw (error, HF_ERROR_USAGE, "Remote %s has %s and %s: give more of the ref",
                     remote->name, ((HfRef *)found->pdata[0])->full,
                     ((HfRef *)found->pdata[1])->full);
  *out = found->len == 1 ? g_ptr_array_steal_index (found, 0) : NULL;
  return TRUE;
}

static gboolean
find_in_all (HfStore *store, const HfRefPattern *pattern, HfRemote **out_remote, HfRef **out_ref,
             GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) remotes = hf_remote_list (store, error);
  g_autoptr (GError) unreachable = NULL;
  if (remotes == NULL)
    return FALSE;
  for (guint i = 0; i < remotes->len; i++)
    {
      HfRemote *remote = remotes->pdata[i];
      g_autoptr (HfRef) ref = NULL;
      g_autoptr (GError) failed = NULL;
      if (!find_in (store, remote, pattern, &ref, cancellable, &failed))
        {
          if (hf_error_is (failed, HF_ERROR_USAGE))
            {
              g_propagate_error (error, g_steal_pointer (&failed));
              return FALSE;
            }
          /* Another remote may have it; if none has, this one is the reason to give. */
          if (unreachable == NULL)
            unreachable = g_steal_pointer (&failed);
          continue;
        }
      if (ref == NULL)
        continue;
      if (*out_remote != NULL)
        return hf_throw (error, HF_ERROR_USAGE,
                         "%s is in remotes %s and %s: say which, as in `holdfast install %s %s`",
                         ref->full, (*out_remote)->name, remote->name, remote->name, ref->full);
      *out_remote = hf_remote_get (store, remote->name, error);
      *out_ref = g_steal_pointer (&ref);
      if (*out_remote == NULL)
        return FALSE;
    }
  if (*out_remote == NULL && unreachable != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&unreachable));
      return FALSE;
    }
  return TRUE;
}

static gboolean
throw_nothing (const char *remote, const HfRefPattern *pattern, GError **error)
{
  g_autofree char *wanted = pattern->branch != NULL
                                ? g_strconcat (pattern->id, "//", pattern->branch, NULL)
                                : g_strdup (pattern->id);
  if (remote == NULL)
    return hf_throw (error, HF_ERROR_NOT_FOUND, "No remote has anything called %s", wanted);
  return hf_throw (error, HF_ERROR_NOT_FOUND, "Remote %s has nothing called %s", remote, wanted);
}

/**
 * hf_remote_find:
 * @store: the installation's store
 * @name: (nullable): the remote to look in, or %NULL for all
 * @pattern: what is looked for
 * @out_remote: (out) (transfer full): the remote that has it
 * @out_ref: (out) (transfer full): the ref that is meant
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if none has it, %HF_ERROR_USAGE if several refs or
 * remotes may be meant, or another error
 */
gboolean
hf_remote_find (HfStore *store, const char *name, const HfRefPattern *pattern,
                HfRemote **out_remote, HfRef **out_ref, GCancellable *cancellable, GError **error)
{
  g_autoptr (HfRemote) remote = NULL;
  g_autoptr (HfRef) ref = NULL;
  if (name != NULL)
    {
      remote = hf_remote_get (store, name, error);
      if (remote == NULL || !find_in (store, remote, pattern, &ref, cancellable, error))
        return FALSE;
    }
  else if (!find_in_all (store, pattern, &remote, &ref, cancellable, error))
    return FALSE;
  if (ref == NULL)
    return throw_nothing (name, pattern, error);
  *out_remote = g_steal_pointer (&remote);
  *out_ref = g_steal_pointer (&ref);
  return TRUE;
}
