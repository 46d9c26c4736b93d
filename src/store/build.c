/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One attempt at building a deployment.  Whatever way it ends, hf_build_end() leaves nothing of an
 * attempt that was not published; if it does not get that far, a sweep does the same.
 */
#include "build.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "base/test-hook.h"
#include "base/tree-delete.h"
#include "core/active.h"
#include "core/export.h"
#include "core/history.h"
#include "core/layout.h"
#include "core/metadata.h"
#include "core/publish.h"
#include "core/replace.h"
#include "core/sweep.h"
#include "import.h"
#include "prune.h"

#include <errno.h>
#include <string.h>

/**
 * hf_build_begin:
 * @context: of the install
 * @ref: what is built
 * @origin: the remote that it comes from, or "local"
 *
 * Locks: takes `lock` for a moment.
 *
 * Returns: (transfer full): a new attempt, or %NULL with @error set
 */
HfBuild *
hf_build_begin (const HfInstallContext *context, const HfRef *ref, const char *origin,
                GError **error)
{
  g_autoptr (HfBuild) build = g_new0 (HfBuild, 1);
  build->context = context;
  build->ref = ref;
  build->origin = origin;
  if (!hf_active_read (context->store->installation, ref, &build->expected_active, error))
    return NULL;
  build->staging = hf_staging_create (context->store->installation, error);
  HF_TEST_HOOK ("build-begun");
  return build->staging == NULL ? NULL : g_steal_pointer (&build);
}

/**
 * hf_build_end:
 * @build: (nullable) (transfer full): an attempt
 *
 * Gives its locks up and, if it was not published, sweeps its entry.
 *
 * Locks: as a sweep; none is held by the caller.
 */
void
hf_build_end (HfBuild *build)
{
  if (build == NULL)
    return;
  HfStore *store = build->context->store;
  g_clear_pointer (&build->fetch, hf_scratch_free);
  g_clear_object (&build->foreign);
  if (build->staging != NULL)
    {
      g_autoptr (GError) failed = NULL;
      HfSweepStore sweep = hf_store_for_sweep (store);
      hf_staging_unlock (build->staging);
      /* Published entries are no longer there.  The error that ended the build is the one to tell.
       */
      if (!hf_sweep_staging (store->installation, build->staging->name, &sweep, &failed))
        g_info ("%s", failed->message);
    }
  g_clear_pointer (&build->staging, hf_staging_free);
  hf_deployment_info_free (build->info);
  g_free (build->expected_active);
  g_free (build);
}

/**
 * hf_build_open_fetch:
 * @build: an attempt
 *
 * Creates its private repository.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_build_open_fetch (HfBuild *build, GError **error)
{
  HfStore *store = build->context->store;
  int entry_fd = build->staging->dir_fd;
  build->fetch
      = build->distrusted == NULL
            ? hf_scratch_create (store, entry_fd, HF_FETCH_DIR, error)
            : hf_scratch_create_without (store, entry_fd, HF_FETCH_DIR, build->distrusted, error);
  return build->fetch != NULL;
}

/* The image's own `metadata` is what counts, whatever its commit said about it. */
static HfMetadata *
read_metadata (HfBuild *build, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GBytes) bytes = hf_file_read (build->staging->dir_fd, HF_TREE_DIR "/" HF_METADATA_FILE,
                                           HF_METADATA_LIMIT, &failed);
  if (bytes != NULL)
    return hf_metadata_parse (bytes, build->ref, error);
  (void)hf_throw (error, errno == ENOENT ? HF_ERROR_UNSAFE : (HfErrorCode)failed->code,
                  "%s: the image has no usable '%s': %s", build->ref->full, HF_METADATA_FILE,
                  failed->message);
  return NULL;
}

static gboolean
check_files (HfBuild *build, GError **error)
{
  struct stat st;
  if (fstatat (build->staging->dir_fd, HF_TREE_DIR "/" HF_FILES_DIR, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return hf_throw (error, HF_ERROR_UNSAFE, "%s: the image has no '%s'", build->ref->full,
                     HF_FILES_DIR);
  return TRUE;
}

/* What the image brings and must not have is told, and harms nothing else. */
static gboolean
make_export (HfBuild *build, const HfMetadata *metadata, GError **error)
{
  const HfInstallContext *context = build->context;
  g_autofree char *scope = hf_export_scope (context->store->installation->path);
  g_autoptr (GPtrArray) refused = g_ptr_array_new_with_free_func (g_free);
  const HfExportTarget target = { context->program, scope, build->ref, metadata->command };
  if (!hf_ref_is_app (build->ref))
    return TRUE;
  if (!hf_export_build (build->staging->dir_fd, &target, refused, error))
    return FALSE;
  for (guint i = 0; context->warn != NULL && i < refused->len; i++)
    {
      g_autofree char *text = g_strdup_printf (_ ("%s does not export %s"), build->ref->full,
                                               (const char *)refused->pdata[i]);
      context->warn (text, context->notify_data);
    }
  return TRUE;
}

static gboolean
describe (HfBuild *build, const char *commit, GError **error)
{
  g_autoptr (HfMetadata) metadata = read_metadata (build, error);
  if (metadata == NULL || !check_files (build, error) || !make_export (build, metadata, error))
    return FALSE;
  g_clear_pointer (&build->info, hf_deployment_info_free);
  build->info = g_new0 (HfDeploymentInfo, 1);
  build->info->ref = hf_ref_copy (build->ref);
  build->info->commit = g_strdup (commit);
  build->info->origin = g_strdup (build->origin);
  build->info->runtime = metadata->runtime == NULL ? NULL : g_strdup (metadata->runtime->full);
  build->info->time = build->time != 0 ? build->time : g_get_real_time () / G_USEC_PER_SEC;
  return TRUE;
}

/* What a former attempt laid out before it found an object missing. */
static gboolean
clear_layout (HfBuild *build, GError **error)
{
  int entry_fd = build->staging->dir_fd;
  return hf_tree_delete_at_once (entry_fd, HF_TREE_DIR, error)
         && hf_tree_delete_at_once (entry_fd, HF_EXPORT_DIR, error)
         && hf_tree_delete_at_once (entry_fd, HF_PINS_DIR, error);
}

/**
 * hf_build_import:
 * @build: an attempt whose image is fetched, or foreign
 * @commit: its commit
 *
 * Lays the image out and stores what is new of it.
 *
 * Locks: takes the repository's, shared.
 *
 * Returns: %FALSE with %HF_ERROR_CHANGED if an object must be fetched again, or another error
 */
gboolean
hf_build_import (HfBuild *build, const char *commit, GError **error)
{
  HfImportParams params = {
    .store = build->context->store,
    .staging = build->staging,
    .foreign = build->foreign,
    .ref = build->ref,
    .progress = build->context->progress,
    .distrusted = build->distrusted,
    .cancellable = build->context->cancellable,
  };
  if (!clear_layout (build, error))
    return FALSE;
  g_autoptr (HfImport) import = hf_import_new (&params);
  if (hf_import_layout (import, commit, error) && describe (build, commit, error)
      && hf_import_finish (import, build->info, error))
    return TRUE;
  /* While the repository's lock is still held: links of something that needs nothing would make a
   * prune think that what they lead to is needed.  With a record, the entry is swept by it. */
  HfDeploymentState state;
  if (!hf_deployment_get_state (build->staging->dir_fd, &state, NULL) || state != HF_STATE_ABSENT)
    return FALSE;
  g_autoptr (GError) ignored = NULL; /* the entry is swept in any case */
  (void)!clear_layout (build, &ignored);
  return FALSE;
}

static void
record (const HfBuild *build)
{
  g_autofree char *previous = NULL;
  if (build->expected_active != NULL)
    (void)hf_deployment_name_parse (build->expected_active, &previous, NULL);
  const HfHistoryEvent event = { .kind = previous != NULL ? HF_HISTORY_UPDATE : HF_HISTORY_INSTALL,
                                 .ref = build->info->ref->full,
                                 .commit = build->info->commit,
                                 .previous = previous,
                                 .origin = build->info->origin,
                                 .bytes = build->info->installed_size };
  hf_history_record (build->context->store->installation, &event);
}

/**
 * hf_build_publish:
 * @build: an attempt, imported
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_CHANGED if somebody else changed the ref meanwhile, %HF_ERROR_NOT_FOUND if
 * the runtime has gone, after which it can be tried again, or another error
 */
gboolean
hf_build_publish (HfBuild *build, GError **error)
{
  HF_TEST_HOOK ("publish-begun");
  g_clear_pointer (&build->fetch, hf_scratch_free);
  if (!hf_tree_delete (build->staging->dir_fd, HF_FETCH_DIR, NULL, error)
      || !hf_tree_delete (build->staging->dir_fd, HF_SHADOW_DIR, NULL, error)
      || g_cancellable_set_error_if_cancelled (build->context->cancellable, error))
    return FALSE;
  /* A repair changes nothing of what is installed. */
  if (build->replaces != NULL)
    return hf_replace (build->staging, build->info, build->replaces, error);
  if (!hf_publish (build->staging, build->info, build->expected_active, build->unless_held, error))
    return FALSE;
  record (build);
  return TRUE;
}
