/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast uninstall: takes images out of service.  Running instances keep what they use; the next
 * sweep frees the rest.
 */
#include "base/language.h"
#include "base/test-hook.h"
#include "core/branch.h"
#include "core/history.h"
#include "core/patterns.h"
#include "core/remove.h"
#include "core/unused.h"
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
find_all (HfProgram *program, HfInstallation *installation, char **names, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_deployed_free);
  for (; *names != NULL; names++)
    {
      g_autoptr (GError) failed = NULL;
      g_autoptr (HfDeployed) one = hf_program_find_own (program, installation, *names, &failed);
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
  g_autoptr (GPtrArray) refs = g_ptr_array_new ();
  for (guint i = 0; i < going->len; i++)
    g_ptr_array_add (refs, ((const HfDeployed *)going->pdata[i])->ref);
  return refs->len == 0 || hf_remove_check (installation, refs, error);
}

static void
show (const GPtrArray *going)
{
  g_autoptr (HfTable) table = hf_table_new ();
  hf_table_add_column (table, "Ref");
  hf_table_add_column (table, "Size");
  for (guint i = 0; i < going->len; i++)
    {
      const HfDeployed *deployed = going->pdata[i];
      hf_table_add_cell (table, deployed->ref->full);
      hf_table_take_cell (table, hf_output_size (deployed->info->installed_size));
    }
  hf_table_print (table);
}

/* A script is not asked: it cannot answer. */
static gboolean
confirm (const GPtrArray *going)
{
  if (isatty (STDIN_FILENO) != 1 || !hf_output_is_terminal ())
    return TRUE;
  show (going);
  fprintf (stdout, "%s", _ ("Uninstall all of these? [y/N] "));
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
      hf_output_change ("Uninstalled %s", deployed->ref,
                        deployed->info != NULL ? deployed->info->commit : NULL);
      if (hf_pin_drop (installation, deployed->ref))
        hf_output_change ("Unpinned %s", deployed->ref, NULL);
    }
  return TRUE;
}

/* What somebody runs on is not unused, whatever installed it there; and it is said, since nothing else here
 * tells why it stays. */
static void
leave_held (GPtrArray *unused)
{
  for (guint i = unused->len; i-- > 0;)
    {
      const HfDeployed *deployed = unused->pdata[i];
      if (!deployed->in_use)
        continue;
      hf_output_change ("In use %s", deployed->ref, deployed->info->commit);
      g_ptr_array_remove_index (unused, i);
    }
}

static gboolean
remove_unused (HfInstallation *installation, gboolean assume_yes, GError **error)
{
  g_autoptr (GPtrArray) unused
      = installation == NULL ? g_ptr_array_new () : hf_unused_list (installation, error);
  if (unused == NULL)
    return FALSE;
  leave_held (unused);
  if (unused->len == 0)
    {
      hf_output_line ("Nothing is unused");
      return TRUE;
    }
  if (!assume_yes && !confirm (unused))
    return TRUE;
  HF_TEST_HOOK ("unused-listed");
  for (guint i = 0; i < unused->len; i++)
    {
      const HfDeployed *deployed = unused->pdata[i];
      g_autoptr (GError) failed = NULL;
      if (hf_remove_unused (installation, deployed->ref, &failed))
        {
          record (installation, deployed);
          hf_output_change ("Uninstalled %s", deployed->ref, deployed->info->commit);
        }
      else if (hf_error_is (failed, HF_ERROR_IN_USE))
        hf_output_line ("Left %s", failed->message);
      else if (!hf_error_is (failed, HF_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&failed));
          return FALSE;
        }
    }
  return TRUE;
}

typedef struct
{
  gboolean all, unused, assume_yes, force;
} Choice;

static gboolean
check_arguments (int argc, const Choice *choice, GError **error)
{
  if (choice->all && choice->unused)
    return hf_throw (error, HF_ERROR_USAGE, "--all and --unused exclude each other");
  if ((choice->all || choice->unused) && argc > 1)
    return hf_throw (error, HF_ERROR_USAGE, "With %s there can be no REF",
                     choice->all ? "--all" : "--unused");
  if (choice->unused && choice->force)
    return hf_throw (error, HF_ERROR_USAGE, "--force-remove is not for what is unused");
  if (!choice->all && !choice->unused && argc < 2)
    return hf_throw (error, HF_ERROR_USAGE,
                     "uninstall needs a REF, --all or --unused: see holdfast uninstall --help");
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
  Choice choice = { 0 };
  const GOptionEntry entries[] = {
    { "all", 0, 0, G_OPTION_ARG_NONE, &choice.all, N_ ("Uninstall everything"), NULL },
    { "unused", 0, 0, G_OPTION_ARG_NONE, &choice.unused,
      N_ ("Uninstall runtimes that nothing needs"), NULL },
    { "assumeyes", 'y', 0, G_OPTION_ARG_NONE, &choice.assume_yes, N_ ("Do not ask"), NULL },
    { "force-remove", 0, 0, G_OPTION_ARG_NONE, &choice.force,
      N_ ("Uninstall runtimes that applications need"), NULL },
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .description
    = N_ ("Running instances go on.  A sweep in the background frees the space when the last one\n"
          "has ended, unless auto-sweep=no: see holdfast config.\n"),
    .max_arguments = -1,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error)
      || !check_arguments (argc, &choice, error))
    return FALSE;

  g_autoptr (HfInstallation) installation = NULL;
  program->changes = TRUE;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  if (choice.unused)
    return remove_unused (installation, choice.assume_yes, error);
  g_autoptr (GPtrArray) going = choice.all ? hf_program_list (installation, error)
                                           : find_all (program, installation, argv + 1, error);
  if (going == NULL || (!choice.force && !check_runtimes (installation, going, error)))
    return FALSE;
  if (going->len == 0 || (choice.all && !choice.assume_yes && !confirm (going)))
    return TRUE;
  if (!remove_kind (installation, going, TRUE, choice.force, error)
      || !remove_kind (installation, going, FALSE, choice.force, error))
    return FALSE;
  return TRUE;
}
