/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast update: replaces what is deployed by what its remote has now.
 */
#include "base/interrupt.h"
#include "base/language.h"
#include "core/active.h"
#include "core/config.h"
#include "core/layout.h"
#include "core/patterns.h"
#include "core/ref-glob.h"
#include "core/rollback.h"
#include "install-notify.h"
#include "libexec.h"
#include "options.h"
#include "output.h"
#include "places.h"
#include "progress.h"

#include <errno.h>
#include <string.h>

static gboolean
is_local (const HfDeployed *deployed)
{
  return strcmp (deployed->info->origin, HF_ORIGIN_LOCAL) == 0;
}

static GPtrArray *
find_named (HfProgram *program, HfInstallation *installation, char **names, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_deployed_free);
  for (; *names != NULL; names++)
    {
      g_autoptr (HfDeployed) one = hf_program_find_own (program, installation, *names, error);
      if (one == NULL)
        return NULL;
      if (is_local (one))
        {
          (void)hf_throw (error, HF_ERROR_NOT_FOUND,
                          "%s came from a directory or tarball: install it again from there",
                          one->ref->full);
          return NULL;
        }
      if (!hf_mask_check (installation, one->ref, error))
        return NULL;
      g_ptr_array_add (found, g_steal_pointer (&one));
    }
  return g_steal_pointer (&found);
}

/* What a person chose to keep as it is: said, so that nobody waits for an update in vain. */
static gboolean
is_left (HfInstallation *installation, const HfConfig *config, const HfDeployed *deployed)
{
  if (hf_ref_glob_find (config->masked, deployed->ref) != NULL)
    hf_output_change ("Masked %s", deployed->ref, NULL);
  else if (hf_active_is_held (installation, deployed->ref))
    hf_output_change ("Held by a rollback %s", deployed->ref, deployed->info->commit);
  else
    return FALSE;
  return TRUE;
}

static GPtrArray *
find_all (HfInstallation *installation, const HfConfig *config, GError **error)
{
  g_autoptr (GPtrArray) list = hf_program_list (installation, error);
  if (list == NULL)
    return NULL;
  for (guint i = list->len; i-- > 0;)
    if (is_local (list->pdata[i]) || is_left (installation, config, list->pdata[i]))
      g_ptr_array_remove_index (list, i);
  return g_steal_pointer (&list);
}

/* Whoever names a ref wants what the remote has, from now on: also where it has that already. */
static gboolean
end_hold (const HfInstallContext *context, const HfDeployed *deployed, gboolean *out_ended,
          GError **error)
{
  if (!hf_rollback_end (context->store->installation, deployed->ref, deployed->name, out_ended,
                        error))
    return FALSE;
  if (*out_ended)
    hf_output_change ("No longer held %s", deployed->ref, deployed->info->commit);
  return TRUE;
}

static gboolean
update_one (const HfInstallContext *context, const HfDeployed *deployed, HfInstallKind kind,
            gboolean *out_changed, GError **error)
{
  GError *local = NULL;
  if (hf_install_remote (context, deployed->info->origin, deployed->ref, kind, out_changed, &local))
    {
      if (kind == HF_INSTALL_UPDATE && !*out_changed)
        return end_hold (context, deployed, out_changed, error);
      /* By a rollback that came after find_all(). */
      if (kind == HF_INSTALL_UPDATE_UNLESS_HELD && !*out_changed
          && hf_active_is_held (context->store->installation, deployed->ref))
        hf_output_change ("Held by a rollback %s", deployed->ref, NULL);
      return TRUE;
    }
  g_autofree char *not_done = g_strdup_printf (_ ("%s was not updated"), deployed->ref->full);
  return hf_install_failed (not_done, local, error);
}

/* Goes on past what fails, but not past a signal. */
static gboolean
update_each (const HfInstallContext *context, const GPtrArray *list, HfInstallKind kind,
             GError **error)
{
  guint failed = 0;
  guint unchanged = 0;
  int code = HF_ERROR_FAILED;
  for (guint i = 0; i < list->len; i++)
    {
      gboolean changed = FALSE;
      g_autoptr (GError) local = NULL;
      if (update_one (context, list->pdata[i], kind, &changed, &local))
        {
          unchanged += changed ? 0 : 1;
          continue;
        }
      if (list->len == 1 || hf_interrupt_signal () != 0)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      g_prefix_error (&local, "%s: ", ((const HfDeployed *)list->pdata[i])->ref->full);
      hf_output_error (local);
      if (failed++ == 0 && local->domain == HF_ERROR)
        code = local->code;
    }
  if (failed > 0)
    return hf_throw (
        error, code,
        ngettext ("%u of %u could not be updated", "%u of %u could not be updated", failed), failed,
        list->len);
  if (unchanged == list->len)
    hf_output_line ("Nothing to update");
  return TRUE;
}

/* What is updated, in each installation. */
typedef struct
{
  char **names; /* not owned; none: everything */
  gboolean several;
  GCancellable *cancellable; /* not owned */
} Request;

static gboolean
update_installation (HfProgram *program, HfInstallation *installation, gpointer data,
                     GError **error)
{
  const Request *request = data;
  gboolean named = request->names[0] != NULL;
  /* Said once, and not of each image. */
  if (installation != NULL && !hf_installation_is_changeable (installation) && errno == EACCES)
    return hf_throw_no_permission (installation, error);
  g_autoptr (HfConfig) config
      = installation == NULL ? hf_config_new_default () : hf_config_load (installation, error);
  if (config == NULL)
    return FALSE;
  if (request->several && installation != NULL)
    hf_output_heading (installation);
  HfInstallKind kind = named ? HF_INSTALL_UPDATE : HF_INSTALL_UPDATE_UNLESS_HELD;
  g_autoptr (GPtrArray) list = named ? find_named (program, installation, request->names, error)
                                     : find_all (installation, config, error);
  if (list == NULL)
    return FALSE;
  if (installation == NULL)
    return request->several || update_each (NULL, list, kind, error);
  g_autofree char *holdfast = hf_libexec_holdfast (error);
  if (holdfast == NULL)
    return FALSE;
  g_autoptr (HfStore) store = hf_store_open (installation, HF_OPEN_EXISTING, error);
  if (store == NULL)
    return FALSE;
  g_autoptr (HfProgress) progress = hf_progress_line_new (program);
  const HfInstallContext context
      = hf_install_context (store, holdfast, progress, request->cancellable);
  gboolean done = update_each (&context, list, kind, error);
  program->stopped = hf_interrupt_signal () != 0;
  return done;
}

/**
 * hf_command_update:
 *
 * Locks: see hf_install_remote().
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_update (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  const HfSyntax syntax = {
    .description
    = N_ ("Without REF, updates everything that came from a remote, but for what is masked or\n"
          "was rolled back; for root, who chooses none, in all installations of the system's.\n"),
    .max_arguments = -1,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  g_autoptr (GPtrArray) places = hf_places_own (program);
  if (argc > 1) /* what is named is looked for in one installation only */
    g_ptr_array_set_size (places, 1);
  program->changes = TRUE;
  program->changed_all = places->len > 1;
  Request request = { .names = argv + 1,
                      .several = places->len > 1,
                      .cancellable = hf_interrupt_watch (HF_INSTALL_INTERRUPTED) };
  return hf_places_visit (program, places, update_installation, &request, error);
}
