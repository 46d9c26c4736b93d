/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast's other parts: holdfast-store, the same program with libostree, and the JSON module.
 * holdfast itself links neither's libraries, since loading them takes longer than most commands do.
 */
#include "libexec.h"

#include <unistd.h>

#define STORE_PROGRAM "holdfast-store"

/* The path of @name, in one of two places as seen from the running executable: where it is installed, or beside
 * it, as a build leaves it.  So a tree that was moved works. */
static char *
find_part (const char *name, const char *installed, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", &local);
  if (self == NULL)
    {
      (void)hf_throw (error, HF_ERROR_FAILED, "Cannot find %s, for /proc is not mounted: %s", name,
                      local->message);
      return NULL;
    }
  g_autofree char *directory = g_path_get_dirname (self);
  const char *places[] = { installed, "." };
  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_autofree char *relative = g_build_filename (places[i], name, NULL);
      g_autofree char *path = g_canonicalize_filename (relative, directory);
      if (access (path, F_OK) == 0)
        return g_steal_pointer (&path);
    }
  (void)hf_throw (error, HF_ERROR_FAILED, "%s is missing: holdfast is not completely installed",
                  name);
  return NULL;
}

/**
 * hf_libexec_path:
 * @name: a part of holdfast
 *
 * Returns: (transfer full): its path, or %NULL with @error set
 */
char *
hf_libexec_path (const char *name, GError **error)
{
  return find_part (name, HF_LIBEXEC_DIR, error);
}

/**
 * hf_libexec_holdfast:
 *
 * Returns: (transfer full): the path of holdfast, for holdfast-store, or %NULL with @error set
 */
char *
hf_libexec_holdfast (GError **error)
{
  return find_part ("holdfast", HF_BIN_DIR, error);
}

/**
 * hf_store_exec:
 * @program: the program
 *
 * Replaces this process by holdfast-store, called with the same arguments.
 *
 * Returns: %FALSE with @error set; does not return on success
 */
gboolean
hf_store_exec (HfProgram *program, GError **error)
{
  g_autofree char *path = hf_libexec_path (STORE_PROGRAM, error);
  if (path == NULL)
    return FALSE;
  (void)execv (path, program->argv);
  return hf_throw_errno (error, "Cannot run %s", path);
}
