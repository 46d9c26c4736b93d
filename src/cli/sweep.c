/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast sweep: frees what is out of service and not in use.  Where there is nothing to do,
 * holdfast finds that out by itself, without libostree and without a write; else holdfast-store
 * does it.
 */
#include "core/sweep.h"
#include "options.h"
#include "sweep-report.h"

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
  const HfSyntax syntax = {
    .description = "Exits with 4 if something had to be left since it is in use, and with 5 if "
                   "something is damaged.\n",
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  g_autoptr (HfInstallation) installation = NULL;
  gboolean needed = FALSE;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  if (installation != NULL && !hf_sweep_needed (installation, &needed, error))
    return FALSE;

  g_autoptr (HfSweepReport) report = hf_sweep_report_new ();
  if (needed && program->reclaim == NULL)
    return hf_store_exec (program, error);
  if (needed && !program->reclaim (installation, report, error))
    return FALSE;
  hf_sweep_report_print (report, program->json);
  return hf_sweep_report_check (report, error);
}
