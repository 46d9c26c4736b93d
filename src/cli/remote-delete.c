/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast remote-delete: forgets a remote.  What was installed from it stays.
 */
#include "base/language.h"
#include "options.h"
#include "output.h"
#include "store/remotes.h"

/**
 * hf_command_remote_delete:
 *
 * Locks: see hf_remote_delete().
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_remote_delete (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  const HfSyntax syntax = {
    .description = N_ ("What was installed from it stays, and is not updated any more.\n"),
    .min_arguments = 1,
    .max_arguments = 1,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  if (installation == NULL)
    return hf_throw (error, HF_ERROR_NOT_FOUND, "There is no remote %s", argv[1]);
  g_autoptr (HfStore) store = hf_store_open (installation, HF_OPEN_EXISTING, error);
  if (store == NULL || !hf_remote_delete (store, argv[1], error))
    return FALSE;
  hf_output_line ("Deleted remote %s", argv[1]);
  return TRUE;
}
