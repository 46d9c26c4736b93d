/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast hold: keeps a deployment while a command runs, without a root and without rights.  The command
 * inherits the locked `.ref`; the lock goes with the last process that has it.
 */
#include "base/language.h"
#include "core/lease.h"
#include "options.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "HOLDFAST_DEPLOYMENT"

/* Not `/usr/bin/env`'s statuses: what is missing here is told by our own. */
static gboolean
exec_holding (HfLease *lease, char **command, GError **error)
{
  if (fcntl (lease->lock_fd, F_SETFD, 0) != 0)
    return hf_throw_errno (error, "Cannot pass the lock on");
  (void)execvp (command[0], command);
  if (errno == ENOENT)
    return hf_throw (error, HF_ERROR_NOT_FOUND, "There is no command %s", command[0]);
  return hf_throw_errno (error, "Cannot run %s", command[0]);
}

/**
 * hf_command_hold:
 *
 * Locks: takes a lease, which the command keeps.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_hold (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  const HfSyntax syntax = {
    .description
    = N_ ("The command finds the deployment's directory in $HOLDFAST_DEPLOYMENT.  Its files\n"
          "stay until the command and all that it started have ended.\n"),
    .min_arguments = 2,
    .max_arguments = -1,
    .strict = TRUE,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  char **command = argv + 2;
  if (strcmp (*command, "--") == 0)
    command++;
  if (*command == NULL)
    return hf_throw (error, HF_ERROR_USAGE, "hold needs a COMMAND: see holdfast hold --help");
  g_auto (HfFound) found = { NULL };
  if (!hf_program_find (program, argv[1], NULL, &found, error))
    return FALSE;
  g_autoptr (HfLease) lease = hf_lease_acquire (found.installation, found.deployed->ref, error);
  if (lease == NULL || !hf_output_finish (error))
    return FALSE;
  /* Not what was found first: the lease is on what is deployed now. */
  g_autofree char *path = hf_lease_path (found.installation, lease);
  g_setenv (VARIABLE, path, TRUE);
  return exec_holding (lease, command, error);
}
