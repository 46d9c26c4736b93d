/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast restore: brings back what was uninstalled and not swept yet, with what was kept for rollback, and with
 * the runtimes that they need where those went, too.
 */
#include "core/restore.h"
#include "base/language.h"
#include "core/active.h"
#include "core/history.h"
#include "core/patterns.h"
#include "core/runtime.h"
#include "core/settle.h"
#include "options.h"
#include "output.h"

#include <string.h>

/* The first that fits is what left service last. */
static const HfRestorable *
choose (const GPtrArray *list, const HfRefPattern *pattern, const char *to, const char *text,
        GError **error)
{
  for (guint pass = 0; pass < 2; pass++)
    for (guint i = 0; i < list->len; i++)
      {
        const HfRestorable *one = list->pdata[i];
        gboolean fits = pass == 0 ? hf_ref_pattern_matches (pattern, one->ref)
                                  : hf_ref_pattern_resembles (pattern, one->ref);
        const char *name = hf_removed_name_deployment (one->path_name);
        if (fits && (to == NULL || hf_deployment_name_is_meant (name, to)))
          return one;
      }
  if (to != NULL)
    (void)hf_throw (
        error, HF_ERROR_NOT_FOUND,
        "Nothing of %s with commit or serial %s can be brought back: `holdfast list --all`"
        " shows what was removed, `holdfast install` gets it anew",
        text, to);
  else
    (void)hf_throw (
        error, HF_ERROR_NOT_FOUND,
        "Nothing of %s can be brought back: `holdfast list --all` shows what was removed,"
        " `holdfast install` gets it anew",
        text);
  return NULL;
}

static gboolean
bring_back (HfInstallation *installation, const HfRestorable *one, gboolean despite, GError **error)
{
  g_autoptr (GPtrArray) previous = NULL;
  if (!hf_restore (installation, one, despite, &previous, error))
    return FALSE;
  hf_output_change ("Restored %s", one->ref, one->commit);
  for (guint i = 0; i < previous->len; i++)
    hf_output_change ("Restored for rollback %s", one->ref, previous->pdata[i]);
  const HfHistoryEvent event
      = { .kind = HF_HISTORY_RESTORE, .ref = one->ref->full, .commit = one->commit };
  hf_history_record (installation, &event);
  return TRUE;
}

/* A runtime that is missing and lies in the trash comes first. */
static gboolean
restore_runtime (HfInstallation *installation, const GPtrArray *list, const HfRestorable *app,
                 GError **error)
{
  if (app->runtime == NULL || hf_runtime_find (installation, app->runtime, NULL))
    return TRUE;
  for (guint i = 0; i < list->len; i++)
    {
      const HfRestorable *one = list->pdata[i];
      if (hf_ref_compare (one->ref, app->runtime) != 0)
        continue;
      return bring_back (installation, one, FALSE, error);
    }
  return TRUE; /* hf_restore() says that it is missing */
}

/* Those of what is kept for rollback: what cannot have one stays in the trash, and what was asked for comes back
 * without it. */
static void
restore_runtimes_of_previous (HfInstallation *installation, const GPtrArray *list,
                              const HfRestorable *app)
{
  g_auto (HfRetention) retention = { 0 };
  if (!hf_retention_load (installation, &retention, NULL))
    return;
  g_autoptr (GPtrArray) previous = hf_restorable_previous (list, app, &retention);
  for (guint i = 0; i < previous->len; i++)
    {
      g_autoptr (GError) failed = NULL;
      if (!restore_runtime (installation, list, previous->pdata[i], &failed))
        g_debug ("%s", failed->message);
    }
}

static gboolean
is_installed (HfInstallation *installation, const HfRef *ref)
{
  g_autofree char *active = NULL;
  return hf_active_read (installation, ref, &active, NULL) && active != NULL;
}

static gboolean
bring_all_back (HfInstallation *installation, const GPtrArray *list, const HfRestorable *chosen,
                gboolean despite, GError **error)
{
  if (!is_installed (installation, chosen->ref)) /* else hf_restore() refuses it */
    {
      if (!restore_runtime (installation, list, chosen, error))
        return FALSE;
      restore_runtimes_of_previous (installation, list, chosen);
    }
  /* A configuration that makes no sense must not keep anybody from a restore. */
  gboolean pinned;
  (void)!hf_pin_named (installation, chosen->ref, &pinned, NULL);
  gboolean done = bring_back (installation, chosen, despite, error);
  if (pinned && done)
    hf_output_pinned (chosen->ref);
  else if (pinned)
    (void)hf_pin_drop (installation, chosen->ref);
  return done;
}

static gboolean
restore_one (HfInstallation *installation, const char *text, const char *to, GError **error)
{
  g_autoptr (HfRefPattern) pattern = hf_ref_pattern_parse (text, error);
  if (pattern == NULL)
    return FALSE;
  g_autoptr (GPtrArray) unread = NULL;
  g_autoptr (GPtrArray) list = installation == NULL
                                   ? g_ptr_array_new ()
                                   : hf_restorable_list (installation, &unread, error);
  const HfRestorable *chosen = list == NULL ? NULL : choose (list, pattern, to, text, error);
  return chosen != NULL
         && (to != NULL || hf_restorable_check_read (installation, chosen->ref, unread, error))
         && bring_all_back (installation, list, chosen, to != NULL, error);
}

/**
 * hf_command_restore:
 *
 * Locks: see hf_restore().
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_restore (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_autofree char *to = NULL;
  const GOptionEntry entries[] = {
    { "to", 0, 0, G_OPTION_ARG_STRING, &to, N_ ("Bring back this one, and not the last"),
      "COMMIT|SERIAL" },
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .description
    = N_ ("Whether it is still running or not, and with what was kept for rollback.  Once a\n"
          "sweep has begun to delete it, it is too late.\n"),
    .min_arguments = 1,
    .max_arguments = -1,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  if (to != NULL && argc > 2)
    return hf_throw (error, HF_ERROR_USAGE, "With --to there can be one REF only");
  g_autoptr (HfInstallation) installation = NULL;
  program->changes = TRUE;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  /* One that was cut short has left it beside neither what is deployed nor what was removed. */
  if (installation != NULL && !hf_settle_if_marked (installation, error))
    return FALSE;
  for (int i = 1; i < argc; i++)
    if (!restore_one (installation, argv[i], to, error))
      return FALSE;
  return TRUE;
}
