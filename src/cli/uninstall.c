/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast uninstall: takes images out of service.  Running instances keep what they use; the next
 * sweep frees the rest.
 */
#include "core/branch.h"
#include "core/history.h"
#include "core/remove.h"
#include "options.h"
#include "output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gboolean
contains_ref (const GPtrArray *list, const char *full)
{
  for (guint i = 0; i < list->len; i++)
    if (strcmp (((const HfDeployed *)list->pdata[i])->ref->full, full) == 0)
      return TRUE;
  return FALSE;
}

/* A damaged deployment is not found as one, but named in full it can be removed like any other. */
static HfDeployed *
name_anyway (HfInstallation *installation, const char *name)
{
  g_autoptr (HfRef) ref = hf_ref_parse (name, NULL);
  if (ref == NULL || installation == NULL || !hf_branch_exists (installation, ref))
    return NULL;
  HfDeployed *deployed = g_new0 (HfDeployed, 1);
  deployed->ref = g_steal_pointer (&ref);
  return deployed;
}

static GPtrArray *
find_all (HfInstallation *installation, char **names, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_deployed_free);
  for (; *names != NULL; names++)
    {
      g_autoptr (GError) failed = NULL;
      g_autoptr (HfDeployed) one = hf_program_find_in (installation, *names, NULL, &failed);
      if (one == NULL)
        one = name_anyway (installation, *names);
      if (one == NULL)
        {
          g_propagate_error (error, g_steal_pointer (&failed));
          return NULL;
        }
      if (!contains_ref (found, one->ref->full))
        g_ptr_array_add (found, g_steal_pointer (&one));
    }
  return g_steal_pointer (&found);
}

/* Refuses to take a runtime away from an application that stays. */
static gboolean
check_runtimes (HfInstallation *installation, const GPtrArray *going, GError **error)
{
  gboolean any = FALSE;
  for (guint i = 0; i < going->len && !any; i++)
    any = !hf_ref_is_app (((const HfDeployed *)going->pdata[i])->ref);
  if (!any)
    return TRUE;
  g_autoptr (GPtrArray) all = hf_program_list (installation, error);
  if (all == NULL)
    return FALSE;
  for (guint i = 0; i < all->len; i++)
    {
      const HfDeployed *app = all->pdata[i];
      const char *runtime = app->info->runtime;
      if (runtime != NULL && contains_ref (going, runtime) && !contains_ref (going, app->ref->full))
        return hf_throw (error, HF_ERROR_IN_USE,
                         "%s needs %s: uninstall it too, or give --force-remove", app->ref->full,
                         runtime);
    }
  return TRUE;
}

/* A script is not asked: it cannot answer. */
static gboolean
confirm (const GPtrArray *going)
{
  if (isatty (STDIN_FILENO) != 1 || !hf_output_is_terminal ())
    return TRUE;
  g_autoptr (HfTable) table = hf_table_new ();
  hf_table_add_column (table, "");
  for (guint i = 0; i < going->len; i++)
    hf_table_add_cell (table, ((const HfDeployed *)going->pdata[i])->ref->full);
  hf_table_print (table);
  fprintf (stdout, "Uninstall all of these? [y/N] ");
  fflush (stdout);
  char answer[16];
  return fgets (answer, sizeof answer, stdin) != NULL && g_ascii_tolower (answer[0]) == 'y';
}

static void
record (HfInstallation *installation, const HfDeployed *deployed)
{
  HfHistoryEvent event = { .kind = HF_HISTORY_UNINSTALL, .ref = deployed->ref->full };
  if (deployed->info != NULL)
    {
      event.commit = deployed->info->commit;
      event.origin = deployed->info->origin;
      event.bytes = deployed->info->installed_size;
    }
  hf_history_record (installation, &event);
}

/* Applications before runtimes, so that being cut short leaves no application without its runtime.
 */
static gboolean
remove_kind (HfInstallation *installation, const GPtrArray *going, gboolean apps, gboolean force,
             GError **error)
{
  for (guint i = 0; i < going->len; i++)
    {
      const HfDeployed *deployed = going->pdata[i];
      if (hf_ref_is_app (deployed->ref) != apps)
        continue;
      if (!hf_remove_ref (installation, deployed->ref, force, error))
        return FALSE;
      record (installation, deployed);
      hf_output_change ("Uninstalled", deployed->ref,
                        deployed->info != NULL ? deployed->info->commit : NULL);
    }
  return TRUE;
}

static gboolean
check_arguments (int argc, gboolean all, GError **error)
{
  if (all && argc > 1)
    return hf_throw (error, HF_ERROR_USAGE, "With --all there can be no REF");
  if (!all && argc < 2)
    return hf_throw (error, HF_ERROR_USAGE,
                     "uninstall needs a REF or --all: see holdfast uninstall --help");
  return TRUE;
}

/**
 * hf_command_uninstall:
 *
 * Everything is looked up before anything is removed, so that a mistake in one ref changes nothing.
 *
 * Locks: takes `lock` for each ref.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_uninstall (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  gboolean all = FALSE;
  gboolean assume_yes = FALSE;
  gboolean force = FALSE;
  const GOptionEntry entries[] = {
    { "all", 0, 0, G_OPTION_ARG_NONE, &all, "Uninstall everything", NULL },
    { "assumeyes", 'y', 0, G_OPTION_ARG_NONE, &assume_yes, "Do not ask", NULL },
    { "force-remove", 0, 0, G_OPTION_ARG_NONE, &force, "Uninstall runtimes that applications need",
      NULL },
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .description = "Running instances go on.  holdfast sweep frees the space.\n",
    .max_arguments = -1,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error)
      || !check_arguments (argc, all, error))
    return FALSE;

  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  g_autoptr (GPtrArray) going
      = all ? hf_program_list (installation, error) : find_all (installation, argv + 1, error);
  if (going == NULL || (!force && !check_runtimes (installation, going, error)))
    return FALSE;
  if (going->len == 0 || (all && !assume_yes && !confirm (going)))
    return TRUE;
  if (!remove_kind (installation, going, TRUE, force, error)
      || !remove_kind (installation, going, FALSE, force, error))
    return FALSE;
  if (hf_output_is_terminal ())
    hf_output_line ("The next holdfast sweep frees the space.");
  return TRUE;
}
