/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Handing a command over to holdfast-store, the same program with libostree.  holdfast itself links
 * none of it, since loading it takes longer than most commands do.
 */
#include "command.h"

#include <errno.h>
#include <unistd.h>

/**
 * hf_store_exec:
 * @program: the program
 *
 * Replaces this process by holdfast-store, called with the same arguments.  It is found from where
 * the running executable lies, so that a tree that was moved works: at its installed place, else
 * beside holdfast, as a build leaves it.
 *
 * Returns: %FALSE with @error set; does not return on success
 */
gboolean
hf_store_exec (HfProgram *program, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", &local);
  if (self == NULL)
    return hf_throw (error, HF_ERROR_FAILED,
                     "Cannot find holdfast-store, for /proc is not mounted: %s", local->message);
  g_autofree char *directory = g_path_get_dirname (self);
  g_autofree char *installed = g_canonicalize_filename (HF_STORE_PROGRAM, directory);
  g_autofree char *beside = g_build_filename (directory, "holdfast-store", NULL);

  (void)execv (installed, program->argv);
  if (errno == ENOENT)
    {
      (void)execv (beside, program->argv);
      if (errno == ENOENT)
        return hf_throw (error, HF_ERROR_FAILED,
                         "%s is missing: holdfast is not completely installed", installed);
    }
  return hf_throw_errno (error, "Cannot run holdfast-store, %s", installed);
}
