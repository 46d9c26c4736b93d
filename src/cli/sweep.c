/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast sweep: frees what is out of service and not in use.  Where there is nothing to do,
 * holdfast finds that out by itself, without libostree and without a write; else holdfast-store
 * does it.
 */
#include "core/sweep.h"
#include "base/language.h"
#include "core/history.h"
#include "core/sweep-wait.h"
#include "libexec.h"
#include "options.h"
#include "output.h"
#include "places.h"
#include "progress.h"
#include "sweep-report.h"

typedef struct
{
  gboolean full, now, dry_run, background, all;
  gboolean wait;
  gint64 deadline; /* of g_get_monotonic_time(), or -1; with @wait */
} Choice;

/* A document is begun and printed by who sweeps all that there is to sweep. */
typedef struct
{
  GVariantBuilder *json; /* not owned; inside a list of reports if there may be several, else inside
                            one; or %NULL for text */
  gboolean several;
  gboolean told; /* whether there was a report */
} Output;

typedef struct
{
  HfProgram *program;
  HfInstallation *installation;
  Choice choice; /* of this installation */
  Output *output;
  HfProgress *progress;
} Sweeping;

/* What is printed of one of several says of which.  @checked as for hf_sweep_report_print(). */
static void
tell (Sweeping *sweeping, const HfSweepReport *report, gboolean checked)
{
  const HfInstallation *installation = sweeping->installation;
  Output *output = sweeping->output;
  gboolean object = output->several && output->json != NULL;
  output->told = TRUE;
  if (object)
    {
      hf_json_begin_object (output->json);
      hf_json_add_string (output->json, "installation", hf_output_installation (installation));
      hf_json_add_string (output->json, "path", installation->path);
    }
  else if (output->several && (report->entries->len > 0 || report->inodes > 0))
    hf_output_heading (installation);
  hf_sweep_report_print (report, output->json, checked);
  if (object)
    hf_json_end_object (output->json);
}

/* What has freed nothing is no change. */
static void
record (HfInstallation *installation, const HfSweepReport *report)
{
  const HfHistoryEvent event = { .kind = HF_HISTORY_SWEEP,
                                 .bytes = report->bytes,
                                 .objects = report->objects,
                                 .deployments = report->swept };
  if (report->swept > 0 || report->objects > 0)
    hf_history_record (installation, &event);
}

static gboolean
sweep_once (Sweeping *sweeping, HfSweepReport *report, GError **error)
{
  Choice *choice = &sweeping->choice;
  report->now = choice->now;
  report->dry_run = choice->dry_run;
  report->full = choice->full;
  report->progress = choice->dry_run ? NULL : sweeping->progress;
  choice->full = FALSE; /* once is enough */
  gboolean done = sweeping->program->reclaim (sweeping->installation, report, error);
  if (!choice->dry_run)
    record (sweeping->installation, report);
  return done;
}

/* So that who waits sees for whom, and hears nothing of what is other people's affair. */
static gboolean
is_news (const HfSweepReport *report, const HfSweepReport *earlier)
{
  return earlier == NULL || report->swept > 0 || report->damaged > 0 || report->pressure != NULL
         || report->held != earlier->held;
}

/* Each sweep is told of as it was done; only a document is one, at the end. */
static gboolean
sweep_while_held (Sweeping *sweeping, HfSweepWait *wait, GError **error)
{
  gboolean json = sweeping->output->json != NULL;
  gint64 deadline = sweeping->choice.deadline;
  gboolean again = TRUE;
  g_autoptr (GError) failed = NULL;
  g_autoptr (HfSweepReport) report = NULL;
  while (again)
    {
      g_autoptr (HfSweepReport) earlier = g_steal_pointer (&report);
      report = hf_sweep_report_new ();
      again = FALSE;
      if (wait != NULL)
        hf_sweep_wait_begin (wait);
      gboolean done = sweep_once (sweeping, report, &failed);
      if (json && earlier != NULL)
        hf_sweep_report_carry_over (report, earlier);
      /* Also what could not be carried to its end is told. */
      if (!json && is_news (report, earlier))
        tell (sweeping, report, done && wait == NULL);
      if (done && wait != NULL)
        (void)!hf_sweep_wait (wait, report, deadline, &again, &failed);
    }
  if (json)
    tell (sweeping, report, TRUE);
  if (failed == NULL)
    return hf_sweep_report_check (report, error);
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

/* Another one that is at it sees what came, and this one is not needed.  It may have been about to end: so
 * each looks once more after it has given up its turn. */
static gboolean
sweep_in_background (Sweeping *sweeping, HfSweepWait *wait, GError **error)
{
  gboolean done = TRUE;
  gboolean again = TRUE;
  while (again && hf_sweep_wait_take_turn (wait))
    {
      g_clear_error (error);
      done = sweep_while_held (sweeping, wait, error);
      hf_sweep_wait_end_turn (wait);
      again = hf_sweep_wait_is_pending (wait);
    }
  return done;
}

static gboolean
parse_wait (const char *name, const char *value, gpointer data, GError **error)
{
  Choice *choice = data;
  guint64 seconds;
  choice->wait = TRUE;
  choice->deadline = -1;
  if (value == NULL)
    return TRUE;
  if (!g_ascii_string_to_unsigned (value, 10, 0, G_MAXINT32, &seconds, NULL))
    return hf_throw (error, HF_ERROR_USAGE, "--wait=%s is no number of seconds", value);
  choice->deadline = g_get_monotonic_time () + (gint64)seconds * G_USEC_PER_SEC;
  return TRUE;
}

static gboolean
parse (HfProgram *program, int *argc, char ***argv, Choice *choice, GError **error)
{
  const GOptionEntry entries[] = {
    { "full", 0, 0, G_OPTION_ARG_NONE, &choice->full,
      N_ ("Look at the whole repository for what nothing needs"), NULL },
    { "dry-run", 0, 0, G_OPTION_ARG_NONE, &choice->dry_run,
      N_ ("Change nothing: tell what would be freed"), NULL },
    { "now", 0, 0, G_OPTION_ARG_NONE, &choice->now, N_ ("Do not spare what was removed lately"),
      NULL },
    { "wait", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK, (gpointer)parse_wait,
      N_ ("Wait for what is in use, and free it the moment it is not"), "SECONDS" },
    { "all-installations", 0, 0, G_OPTION_ARG_NONE, &choice->all,
      N_ ("Sweep all installations of the system's, as root"), NULL },
    { "background", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &choice->background, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .data = choice,
    .description
    = N_ ("With less free than min-free, gives up what is only kept: see holdfast config.\n"
          "Exits with 4 if something had to be left since it is in use, with 5 if\n"
          "something is damaged, and with 7 if there is still less than min-free.\n"),
  };
  if (!hf_options_parse (program, &syntax, argc, argv, error))
    return FALSE;
  if (choice->wait && (choice->dry_run || choice->all))
    return hf_throw (error, HF_ERROR_USAGE, "--wait and --%s exclude each other",
                     choice->dry_run ? "dry-run" : "all-installations");
  return !choice->all || program->scope == HF_SCOPE_DEFAULT
         || hf_throw (error, HF_ERROR_USAGE,
                      "--all-installations goes without --user, --system and --installation");
}

static HfSweepReport *
idle_report_new (const Choice *choice)
{
  HfSweepReport *report = hf_sweep_report_new ();
  report->now = choice->now;
  report->dry_run = choice->dry_run;
  return report;
}

typedef struct
{
  Choice choice;
  Output output;
} Request;

static gboolean
sweep_installation (HfProgram *program, HfInstallation *installation, gpointer data, GError **error)
{
  Request *request = data;
  const Choice *choice = &request->choice;
  Sweeping sweeping = { program, installation, *choice, &request->output, NULL };
  g_autoptr (HfSweepReport) idle = idle_report_new (choice);
  gboolean needed = installation != NULL && choice->full;
  if (installation != NULL && !needed && !hf_sweep_needed (installation, idle, &needed, error))
    return FALSE;
  if (!needed)
    {
      if (installation != NULL || !request->output.several)
        tell (&sweeping, idle, TRUE);
      return hf_sweep_report_check (idle, error);
    }
  if (program->reclaim == NULL)
    return hf_store_exec (program, error);

  g_autoptr (HfProgress) progress = hf_progress_line_new (program);
  g_autoptr (HfSweepWait) wait = choice->wait ? hf_sweep_wait_new (installation, error) : NULL;
  if (choice->wait && wait == NULL)
    return FALSE;
  sweeping.progress = progress;
  return choice->background ? sweep_in_background (&sweeping, wait, error)
                            : sweep_while_held (&sweeping, wait, error);
}

/* Of several it is found out first whether holdfast-store has anything to do: it begins from the start, and
 * what is printed by then would be printed twice. */
static gboolean
any_needed (const GPtrArray *places, const Choice *choice)
{
  for (guint i = 0; i < places->len; i++)
    {
      g_autoptr (HfInstallation) installation
          = hf_place_open (places->pdata[i], HF_OPEN_EXISTING, NULL);
      g_autoptr (HfSweepReport) idle = idle_report_new (choice);
      gboolean needed = choice->full;
      if (installation != NULL
          && (needed || (hf_sweep_needed (installation, idle, &needed, NULL) && needed)))
        return TRUE;
    }
  return FALSE;
}

/* A file that is passed over may name one that nobody sweeps: that is for a person, like what is damaged. */
static gboolean
check_all (HfProgram *program, const GPtrArray *places, const GError *failed, GError **error)
{
  if (failed != NULL && !hf_error_is (failed, HF_ERROR_IN_USE)
      && !hf_error_is (failed, HF_ERROR_NO_SPACE))
    return TRUE;
  if (hf_program_check_named (program, error))
    return TRUE;
  if (failed != NULL && places->len == 1) /* of several, each was printed */
    hf_output_error (failed);
  return FALSE;
}

/**
 * hf_command_sweep:
 *
 * Locks: none by itself; see hf_sweep_all() and hf_sweep_wait().
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_sweep (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  Request request = { 0 };
  Output *output = &request.output;
  if (!parse (program, &argc, &argv, &request.choice, error))
    return FALSE;
  g_autoptr (GPtrArray) places = hf_places_own (program);
  program->changes = !request.choice.dry_run;
  program->changed_all = output->several = request.choice.all;
  if (!output->several)
    g_ptr_array_set_size (places, 1);
  else if (program->reclaim == NULL && any_needed (places, &request.choice))
    return hf_store_exec (program, error);
  g_autoptr (GVariantBuilder) builder = NULL;
  if (program->json)
    output->json = builder
        = g_variant_builder_new (output->several ? HF_JSON_LIST : HF_JSON_OBJECT);

  g_autoptr (GError) failed = NULL;
  gboolean done = hf_places_visit (program, places, sweep_installation, &request, &failed);
  if (builder != NULL && (output->told || output->several) && !hf_json_print (builder, error))
    return FALSE;
  if (output->several && !check_all (program, places, failed, error))
    return FALSE;
  if (!done)
    g_propagate_error (error, g_steal_pointer (&failed));
  return done;
}
