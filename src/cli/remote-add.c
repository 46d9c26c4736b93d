/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast remote-add: names a repository to install from.
 */
#include "base/language.h"
#include "options.h"
#include "output.h"
#include "store-options.h"
#include "store/remotes.h"

/* Whether the remote is there already, which --if-not-exists is content with. */
static gboolean
look_up (HfStore *store, const char *name, gboolean *out, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (HfRemote) remote = hf_remote_get (store, name, &local);
  *out = remote != NULL;
  if (remote != NULL || hf_error_is (local, HF_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/**
 * hf_command_remote_add:
 *
 * Locks: see hf_remote_add().
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_remote_add (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_autofree char *key = NULL;
  gboolean no_verify = FALSE;
  gboolean if_not_exists = FALSE;
  const GOptionEntry entries[] = {
    HF_REMOTE_ADD_OPTIONS (&key, &no_verify, &if_not_exists),
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .description = N_ ("LOCATION is a path or an http(s) URL of an ostree repository.\n"),
    .min_arguments = 2,
    .max_arguments = 2,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  if (key != NULL && no_verify)
    return hf_throw (error, HF_ERROR_USAGE,
                     "Only one of --gpg-import and --no-verify can be given");

  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_OR_CREATE, &installation, error))
    return FALSE;
  g_autoptr (HfStore) store = hf_store_open (installation, HF_OPEN_OR_CREATE, error);
  gboolean exists = FALSE;
  if (store == NULL || (if_not_exists && !look_up (store, argv[1], &exists, error)))
    return FALSE;
  if (exists)
    return TRUE;
  const HfRemoteSpec spec = {
    .name = argv[1],
    .location = argv[2],
    .gpg_import = key,
    .no_verify = no_verify,
    .if_not_exists = if_not_exists,
  };
  if (!hf_remote_add (store, &spec, error))
    return FALSE;
  hf_output_line ("Added remote %s", argv[1]);
  return TRUE;
}
