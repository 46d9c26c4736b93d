/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast sweep: frees what is out of service and not in use.  Where there is nothing to do,
 * holdfast finds that out by itself, without libostree and without a write; else holdfast-store
 * does it.
 */
#include "core/sweep.h"
#include "core/history.h"
#include "libexec.h"
#include "options.h"
#include "progress.h"
#include "sweep-report.h"

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

/**
 * hf_command_sweep:
 *
 * Locks: none by itself; see hf_sweep_all().
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_sweep (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  gboolean full = FALSE;
  gboolean now = FALSE;
  gboolean dry_run = FALSE;
  const GOptionEntry entries[] = {
    { "full", 0, 0, G_OPTION_ARG_NONE, &full, "Look at the whole repository for what nothing needs",
      NULL },
    { "dry-run", 0, 0, G_OPTION_ARG_NONE, &dry_run, "Change nothing: tell what would be freed",
      NULL },
    { "now", 0, 0, G_OPTION_ARG_NONE, &now, "Do not spare what was removed lately", NULL },
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .description
    = "With less free than min-free, gives up what is only kept: see holdfast config.\n"
      "Exits with 4 if something had to be left since it is in use, with 5 if\n"
      "something is damaged, and with 7 if there is still less than min-free.\n",
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  g_autoptr (HfInstallation) installation = NULL;
  g_autoptr (HfSweepReport) report = hf_sweep_report_new ();
  gboolean needed = full;
  report->now = now;
  report->dry_run = dry_run;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  if (installation != NULL && !full && !hf_sweep_needed (installation, report, &needed, error))
    return FALSE;

  needed &= installation != NULL;
  if (needed && program->reclaim == NULL)
    return hf_store_exec (program, error);
  g_autoptr (HfProgress) progress = hf_progress_line_new (program);
  report->full = full;
  report->progress = dry_run ? NULL : progress;
  /* Also what could not be carried to its end is told. */
  g_autoptr (GError) failed = NULL;
  gboolean done = !needed || program->reclaim (installation, report, &failed);
  if (needed && !dry_run)
    record (installation, report);
  if (!hf_sweep_report_print (report, program->json, error))
    return FALSE;
  if (done)
    return hf_sweep_report_check (report, error);
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}
