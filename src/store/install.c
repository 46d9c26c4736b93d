/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Installing and updating.  An attempt that finds at its end that somebody else changed the ref, or
 * that an object it relied on was pruned, starts over: nothing is ever published on assumptions
 * that no longer hold.
 */
#include "install.h"

#include "base/error.h"
#include "base/language.h"
#include "build.h"
#include "core/active.h"
#include "core/deployed.h"
#include "core/layout.h"
#include "core/metadata.h"
#include "core/patterns.h"
#include "core/runtime.h"
#include "fetch.h"
#include "remotes.h"
#include "source.h"

#include <string.h>

/* Somebody who is faster has finished an install of the same ref each time. */
#define ATTEMPTS 8
/* Each time a sweep pruned something between fetch and import. */
#define FETCHES 4
/* Each time the runtime was uninstalled that was there a moment ago. */
#define PUBLICATIONS 4

/* One ref to be installed from one remote. */
typedef struct
{
  const HfInstallContext *context;
  HfRemote *remote; /* owned */
  const HfRef *ref;
  HfDeployed *deployed; /* owned; what it is deployed as now, or NULL */
  char *commit;         /* owned; what the remote has */
} Wanted;

static void
wanted_clear (Wanted *wanted)
{
  g_clear_pointer (&wanted->remote, hf_remote_free);
  g_clear_pointer (&wanted->deployed, hf_deployed_free);
  g_clear_pointer (&wanted->commit, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Wanted, wanted_clear)

static void
notify (const HfInstallContext *context, HfInstallStep step, const HfRef *ref, const char *commit)
{
  if (context->notify != NULL)
    context->notify (step, ref, commit, context->notify_data);
}

static gboolean
resolve (Wanted *wanted, GError **error)
{
  g_autoptr (GHashTable) refs = hf_source_list_refs (wanted->context->store, wanted->remote,
                                                     wanted->context->cancellable, error);
  if (refs == NULL)
    return FALSE;
  g_free (wanted->commit);
  wanted->commit = g_strdup (g_hash_table_lookup (refs, wanted->ref->full));
  if (wanted->commit == NULL)
    return hf_throw (error, HF_ERROR_NOT_FOUND, "Remote %s has no %s", wanted->remote->name,
                     wanted->ref->full);
  return TRUE;
}

static gboolean
look_up_deployed (Wanted *wanted, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_clear_pointer (&wanted->deployed, hf_deployed_free);
  wanted->deployed = hf_deployed_get (wanted->context->store->installation, wanted->ref, &failed);
  if (wanted->deployed != NULL || hf_error_is (failed, HF_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

/* A server that replays an old commit, signed and all, must not undo a security update. */
static gboolean
check_not_older (Wanted *wanted, GVariant *commit, GError **error)
{
  g_autoptr (GVariant) present = NULL;
  g_autoptr (GError) ignored = NULL;
  if (wanted->deployed == NULL
      || !ostree_repo_load_variant (wanted->context->store->repo, OSTREE_OBJECT_TYPE_COMMIT,
                                    wanted->deployed->info->commit, &present, &ignored)
      || ostree_commit_get_timestamp (commit) >= ostree_commit_get_timestamp (present))
    return TRUE;
  return hf_throw (error, HF_ERROR_UNTRUSTED,
                   "Remote %s offers a commit of %s that is older than what is installed:"
                   " uninstall it first if that is wanted",
                   wanted->remote->name, wanted->ref->full);
}

/* Verifies the commit, wherever it now is, and returns what it says of its own metadata. */
static gboolean
verify_commit (Wanted *wanted, OstreeRepo *repo, HfMetadata **out_metadata, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GVariant) detached = NULL;
  g_autoptr (GVariant) commit
      = hf_commit_load (repo, wanted->commit, wanted->ref, &bytes, &detached, error);
  if (commit == NULL
      || !hf_commit_verify_signature (wanted->context->store, wanted->remote, bytes, detached,
                                      wanted->ref, error)
      || !hf_commit_verify_binding (commit, wanted->ref, wanted->remote->verify, error)
      || !check_not_older (wanted, commit, error))
    return FALSE;
  g_autoptr (GVariant) metadata = g_variant_get_child_value (commit, 0);
  const char *text = NULL;
  if (!g_variant_lookup (metadata, "xa.metadata", "&s", &text))
    return TRUE;
  g_autoptr (GBytes) keyfile = g_bytes_new (text, strlen (text));
  *out_metadata = hf_metadata_parse (keyfile, wanted->ref, error);
  return *out_metadata != NULL;
}

/* One that the system has will do, too.  If not, the remote that the application comes from is asked
 * first, then all. */
static gboolean
install_runtime (Wanted *wanted, const HfRef *runtime, GError **error)
{
  HfStore *store = wanted->context->store;
  GCancellable *cancellable = wanted->context->cancellable;
  g_autoptr (HfRemote) remote = NULL;
  g_autoptr (HfRef) found = NULL;
  g_autoptr (GError) failed = NULL;
  gboolean changed;
  if (hf_runtime_find (store->installation, runtime, NULL))
    return TRUE;
  if (!hf_mask_check (store->installation, runtime, error))
    {
      g_prefix_error (error, _ ("%s needs a runtime: "), wanted->ref->full);
      return FALSE;
    }
  if (!hf_remote_find (store, wanted->remote->name, runtime, &remote, &found, cancellable, &failed))
    {
      g_clear_error (&failed);
      if (!hf_remote_find (store, NULL, runtime, &remote, &found, cancellable, &failed))
        {
          if (!hf_error_is (failed, HF_ERROR_NOT_FOUND))
            {
              g_propagate_error (error, g_steal_pointer (&failed));
              return FALSE;
            }
          return hf_throw (error, HF_ERROR_NOT_FOUND,
                           "%s needs %s, which is not installed and which no remote has:"
                           " add a remote that has it with `holdfast remote-add`",
                           wanted->ref->full, runtime->full);
        }
    }
  return hf_install_remote (wanted->context, remote->name, found, HF_INSTALL_NEW, &changed, error);
}

/* Fetches what is missing and imports it; a sweep may take something away in between. */
static gboolean
fetch_and_import (Wanted *wanted, HfBuild *build, GError **error)
{
  for (guint tries = 0;; tries++)
    {
      g_autoptr (GError) failed = NULL;
      /* A stored commit that lacks something is taken for complete, too. */
      if (build->fetch != NULL
          && !hf_fetch_all (build->fetch, wanted->remote, wanted->ref, wanted->commit,
                            tries > 0 || build->distrusted != NULL, wanted->context->progress,
                            wanted->context->cancellable, error))
        return FALSE;
      if (hf_build_import (build, wanted->commit, &failed))
        return TRUE;
      if (build->fetch != NULL && hf_error_is (failed, HF_ERROR_CHANGED) && tries + 1 < FETCHES)
        continue;
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
}

static gboolean
open_source (Wanted *wanted, HfBuild *build, OstreeRepo **out_repo, GError **error)
{
  GCancellable *cancellable = wanted->context->cancellable;
  if (hf_source_is_local (wanted->remote->url))
    {
      build->foreign = hf_source_open_local (wanted->remote->url, cancellable, error);
      if (build->foreign == NULL)
        return FALSE;
    }
  else if (!hf_build_open_fetch (build, error)
           || !hf_fetch_commit (build->fetch, wanted->remote, wanted->ref, wanted->commit,
                                cancellable, error))
    return FALSE;
  *out_repo = build->foreign != NULL ? build->foreign : build->fetch->repo;
  return TRUE;
}

/* Nothing needs the runtime until the application is published: who uninstalls what is unused, or a sweep
 * with too little room, may have taken it just before. */
static gboolean
publish_with_runtime (Wanted *wanted, HfBuild *build, GError **error)
{
  const char *text = build->info->runtime;
  g_autoptr (HfRef) runtime = text == NULL ? NULL : hf_ref_parse (text, error);
  if (text != NULL && runtime == NULL)
    return FALSE;
  for (guint tries = 0;; tries++)
    {
      g_autoptr (GError) failed = NULL;
      if (runtime != NULL && !install_runtime (wanted, runtime, error))
        return FALSE;
      if (hf_build_publish (build, &failed))
        return TRUE;
      if (hf_error_is (failed, HF_ERROR_NOT_FOUND) && tries + 1 < PUBLICATIONS)
        continue;
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
}

/* The runtime is there before the application, whether its commit or only its tree names it. */
static gboolean
install_attempt (Wanted *wanted, HfInstallKind kind, GError **error)
{
  OstreeRepo *repo;
  g_autoptr (HfMetadata) metadata = NULL;
  g_autoptr (HfBuild) build
      = hf_build_begin (wanted->context, wanted->ref, wanted->remote->name, error);
  if (build == NULL)
    return FALSE;
  build->unless_held = kind == HF_INSTALL_UPDATE_UNLESS_HELD;
  if (!open_source (wanted, build, &repo, error) || !verify_commit (wanted, repo, &metadata, error))
    return FALSE;
  if (metadata != NULL && metadata->runtime != NULL
      && !install_runtime (wanted, metadata->runtime, error))
    return FALSE;
  notify (wanted->context, wanted->deployed != NULL ? HF_UPDATE_BEGINS : HF_INSTALL_BEGINS,
          wanted->ref, wanted->commit);
  return fetch_and_import (wanted, build, error) && publish_with_runtime (wanted, build, error);
}

/* Whether there is nothing to do. */
static gboolean
is_satisfied (Wanted *wanted, HfInstallKind kind)
{
  return wanted->deployed != NULL
         && (kind == HF_INSTALL_NEW
             || g_strcmp0 (wanted->commit, wanted->deployed->info->commit) == 0);
}

static gboolean
prepare (Wanted *wanted, HfInstallKind kind, gboolean *out_satisfied, GError **error)
{
  if (!look_up_deployed (wanted, error))
    return FALSE;
  /* Each time, as somebody may have rolled it back while the last attempt was under way. */
  *out_satisfied = (kind == HF_INSTALL_NEW && wanted->deployed != NULL)
                   || (kind == HF_INSTALL_UPDATE_UNLESS_HELD
                       && hf_active_is_held (wanted->context->store->installation, wanted->ref));
  if (*out_satisfied)
    return TRUE;
  if (kind != HF_INSTALL_NEW && wanted->deployed == NULL)
    return hf_throw (error, HF_ERROR_NOT_FOUND, "%s is not installed in %s", wanted->ref->full,
                     wanted->context->store->installation->path);
  if (!resolve (wanted, error))
    return FALSE;
  *out_satisfied = is_satisfied (wanted, kind);
  return TRUE;
}

/**
 * hf_install_remote:
 * @context: of the install
 * @remote: the remote to install from
 * @ref: what to install
 * @kind: whether to install it or to update it
 * @out_changed: (out): whether anything was to be done for @ref itself
 *
 * Installs or updates @ref, and installs the runtime that it needs first.
 *
 * Locks: takes each of them, for a short piece of work; none is held while fetching.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND, %HF_ERROR_UNTRUSTED, %HF_ERROR_UNSAFE,
 *   %HF_ERROR_NO_SPACE, %G_IO_ERROR_CANCELLED or another error; the installation is then as it was,
 *   but for a runtime that was installed on the way
 */
gboolean
hf_install_remote (const HfInstallContext *context, const char *remote, const HfRef *ref,
                   HfInstallKind kind, gboolean *out_changed, GError **error)
{
  g_auto (Wanted) wanted = { .context = context, .ref = ref };
  *out_changed = FALSE;
  wanted.remote = hf_remote_get (context->store, remote, error);
  if (wanted.remote == NULL)
    return FALSE;
  for (guint tries = 0;; tries++)
    {
      g_autoptr (GError) failed = NULL;
      gboolean satisfied;
      if (!prepare (&wanted, kind, &satisfied, error))
        return FALSE;
      if (satisfied)
        return TRUE;
      if (install_attempt (&wanted, kind, &failed))
        break;
      if (!hf_error_is (failed, HF_ERROR_CHANGED) || tries + 1 >= ATTEMPTS)
        {
          g_propagate_error (error, g_steal_pointer (&failed));
          return FALSE;
        }
    }
  *out_changed = TRUE;
  notify (context, wanted.deployed != NULL ? HF_UPDATE_DONE : HF_INSTALL_DONE, ref, wanted.commit);
  return TRUE;
}

/**
 * hf_install_again:
 * @build: an attempt, whose origin is the remote to fetch from
 * @commit: what is or was deployed
 *
 * Fetches what the installation lacks of @commit, or has and distrusts, verified as in any install,
 * and imports it.
 *
 * Locks: takes the repository's, shared, not while fetching.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if there is no such remote any more, or with @error set as
 *   by hf_install_remote()
 */
gboolean
hf_install_again (HfBuild *build, const char *commit, GError **error)
{
  OstreeRepo *repo;
  g_autoptr (HfMetadata) metadata = NULL;
  g_auto (Wanted) wanted = { .context = build->context, .ref = build->ref };
  wanted.remote = hf_remote_get (build->context->store, build->origin, error);
  wanted.commit = g_strdup (commit);
  return wanted.remote != NULL && open_source (&wanted, build, &repo, error)
         && verify_commit (&wanted, repo, &metadata, error)
         && fetch_and_import (&wanted, build, error);
}

static gboolean
install_local_attempt (const HfInstallContext *context, const char *source, const HfRef *ref,
                       const char *command, char **out_commit, GError **error)
{
  g_autoptr (HfBuild) build = hf_build_begin (context, ref, HF_ORIGIN_LOCAL, error);
  if (build == NULL || !hf_build_open_fetch (build, error))
    return FALSE;
  g_autofree char *commit = hf_fetch_directory_or_tarball (
      build->fetch, source, ref, command, context->progress, context->cancellable, error);
  if (commit == NULL || !hf_build_import (build, commit, error))
    return FALSE;
  if (build->info->runtime != NULL)
    {
      g_autoptr (HfRef) runtime = hf_ref_parse (build->info->runtime, error);
      if (runtime == NULL)
        return FALSE;
      if (!hf_runtime_find (context->store->installation, runtime, NULL))
        return hf_throw (error, HF_ERROR_NOT_FOUND,
                         "%s needs %s, which is not installed: install it first", ref->full,
                         runtime->full);
    }
  if (!hf_build_publish (build, error))
    return FALSE;
  *out_commit = g_steal_pointer (&commit);
  return TRUE;
}

/**
 * hf_install_local:
 * @context: of the install
 * @source: a directory or tarball
 * @ref: what to install it as; what is deployed for it is replaced
 * @command: (nullable): what it runs by default
 *
 * Locks: as hf_install_remote().
 *
 * Returns: %FALSE with @error set as by hf_install_remote()
 */
gboolean
hf_install_local (const HfInstallContext *context, const char *source, const HfRef *ref,
                  const char *command, GError **error)
{
  g_autofree char *commit = NULL;
  notify (context, HF_INSTALL_BEGINS, ref, NULL);
  for (guint tries = 0;; tries++)
    {
      g_autoptr (GError) failed = NULL;
      if (install_local_attempt (context, source, ref, command, &commit, &failed))
        break;
      if (!hf_error_is (failed, HF_ERROR_CHANGED) || tries + 1 >= ATTEMPTS)
        {
          g_propagate_error (error, g_steal_pointer (&failed));
          return FALSE;
        }
    }
  notify (context, HF_INSTALL_DONE, ref, commit);
  return TRUE;
}
