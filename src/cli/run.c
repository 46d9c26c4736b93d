/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast run: starts an instance.  Options end at the ref: whatever follows is the instance's
 * own.
 */
#include "launch/launch.h"
#include "options.h"

/**
 * hf_command_run:
 *
 * Locks: takes leases, which the instance keeps.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_run (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_autofree char *command = NULL;
  g_autofree char *branch = NULL;
  const GOptionEntry entries[] = {
    { "command", 0, 0, G_OPTION_ARG_FILENAME, &command, "Run COMMAND instead of the image's own",
      "COMMAND" },
    { "branch", 0, 0, G_OPTION_ARG_STRING, &branch, "Run this branch", "BRANCH" },
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .description = "Everything after REF is passed on.  The exit status is the instance's.\n",
    .min_arguments = 1,
    .max_arguments = -1,
    .strict = TRUE,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  g_auto (HfFound) found = { NULL };
  if (!hf_program_find (program, argv[1], branch, &found, error))
    return FALSE;
  const HfLaunch launch = {
    .installation = found.installation,
    .runtime_installation = found.other,
    .ref = found.deployed->ref,
    .command = command,
    .args = (const char *const *)argv + 2,
  };
  return hf_launch (&launch, status, error);
}
