/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast rollback: puts an earlier deployment of a ref into service again.
 */
#include "core/rollback.h"
#include "base/language.h"
#include "core/history.h"
#include "options.h"
#include "output.h"

/**
 * hf_command_rollback:
 *
 * Locks: takes `lock`.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_rollback (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_autofree char *to = NULL;
  g_autofree char *commit = NULL;
  const GOptionEntry entries[] = {
    { "to", 0, 0, G_OPTION_ARG_STRING, &to, N_ ("Go back to this one, and not to the last"),
      "COMMIT|SERIAL" },
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .description = N_ ("Needs no network.  The ref stays there until an update names it; a second\n"
                       "rollback undoes the first.  holdfast list --all shows what there is.\n"),
    .min_arguments = 1,
    .max_arguments = 1,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  g_autoptr (HfInstallation) installation = NULL;
  program->changes = TRUE;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  g_autoptr (HfDeployed) deployed = hf_program_find_own (program, installation, argv[1], error);
  if (deployed == NULL || !hf_rollback (installation, deployed->ref, to, &commit, error))
    return FALSE;
  hf_output_change ("Rolled back %s", deployed->ref, commit);
  const HfHistoryEvent event = { .kind = HF_HISTORY_ROLLBACK,
                                 .ref = deployed->ref->full,
                                 .commit = commit,
                                 .previous = deployed->info->commit };
  hf_history_record (installation, &event);
  return TRUE;
}
