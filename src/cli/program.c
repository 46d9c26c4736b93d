/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which installation a command works on, and where it finds a ref.  A default installation that
 * does not exist yet is empty; one that was named by its path must exist, unless the command
 * creates it.
 */
#include "command.h"

#include <unistd.h>

static gboolean
system_first (HfProgram *program)
{
  if (program->scope == HF_SCOPE_DEFAULT)
    return geteuid () == 0;
  return program->scope == HF_SCOPE_SYSTEM;
}

/* An absent default installation is %NULL, and no error. */
static gboolean
open_default (gboolean system, HfOpenMode mode, HfInstallation **out, GError **error)
{
  g_autofree char *path = hf_installation_default_path (system);
  g_autoptr (GError) local = NULL;
  g_debug ("Opening installation %s", path);
  *out = hf_installation_open (path, mode, &local);
  if (*out != NULL || hf_error_is (local, HF_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/**
 * hf_program_path:
 * @program: the program
 *
 * Returns: (transfer full): where the installation is, or would be, that the user chose
 */
char *
hf_program_path (HfProgram *program)
{
  return program->scope == HF_SCOPE_PATH ? g_strdup (program->installation_path)
                                         : hf_installation_default_path (system_first (program));
}

/**
 * hf_program_open:
 * @program: the program
 * @mode: whether to create the installation where it does not exist
 * @out: (out) (transfer full) (nullable): the installation that the user chose; %NULL if it is a
 *   default one that does not exist
 *
 * Returns: %FALSE with @error set on failure, %HF_ERROR_NOT_FOUND if the path given with
 *   --installation does not exist
 */
gboolean
hf_program_open (HfProgram *program, HfOpenMode mode, HfInstallation **out, GError **error)
{
  if (program->scope != HF_SCOPE_PATH)
    return open_default (system_first (program), mode, out, error);
  g_debug ("Opening installation %s", program->installation_path);
  *out = hf_installation_open (program->installation_path, mode, error);
  return *out != NULL;
}

/**
 * hf_program_find_in:
 * @installation: (nullable): where to look, or %NULL for an installation that does not exist
 * @text: a ref or a part of one
 * @branch: (nullable): its branch
 *
 * Returns: (transfer full): what is deployed, or %NULL with @error set as by hf_deployed_find()
 */
HfDeployed *
hf_program_find_in (HfInstallation *installation, const char *text, const char *branch,
                    GError **error)
{
  if (installation != NULL)
    return hf_deployed_find (installation, text, branch, error);
  /* Also then a malformed ref is the user's first mistake. */
  g_autoptr (HfRef) pattern = hf_ref_pattern_parse (text, error);
  if (pattern != NULL)
    (void)hf_throw (error, HF_ERROR_NOT_FOUND, "%s is not installed", text);
  return NULL;
}

/**
 * hf_program_list:
 * @installation: (nullable): where to look, or %NULL for an installation that does not exist
 *
 * Returns: (transfer full) (element-type HfDeployed): what is deployed, or %NULL with @error set
 */
GPtrArray *
hf_program_list (HfInstallation *installation, GError **error)
{
  if (installation == NULL)
    return g_ptr_array_new ();
  return hf_deployed_list (installation, error);
}

/**
 * hf_found_clear:
 * @found: what to free the contents of
 */
void
hf_found_clear (HfFound *found)
{
  g_clear_pointer (&found->deployed, hf_deployed_free);
  g_clear_pointer (&found->installation, hf_installation_free);
  g_clear_pointer (&found->other, hf_installation_free);
}

static gboolean
try_find (HfInstallation *installation, const char *text, const char *branch, HfFound *out,
          GError **error)
{
  out->deployed = hf_program_find_in (installation, text, branch, error);
  return out->deployed != NULL;
}

/* The installation that was not chosen.  Its state is its own affair: whatever is wrong with it
 * counts only if what is looked for was not found in the chosen one. */
static HfInstallation *
open_other (HfProgram *program, GError **error)
{
  HfInstallation *other = NULL;
  if (program->scope == HF_SCOPE_PATH)
    return NULL;
  return open_default (!system_first (program), HF_OPEN_EXISTING, &other, error) ? other : NULL;
}

/**
 * hf_program_find:
 * @program: the program
 * @text: a ref or a part of one
 * @branch: (nullable): its branch
 * @out: (out): what was found, and where; zeroed by the caller
 *
 * Looks in the installation that was chosen; if none was, in the default one and then in the other
 * one of the user's and the system's.
 *
 * Returns: %FALSE with @error set, %HF_ERROR_NOT_FOUND if it is in neither
 */
gboolean
hf_program_find (HfProgram *program, const char *text, const char *branch, HfFound *out,
                 GError **error)
{
  g_autoptr (HfInstallation) chosen = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &chosen, error))
    return FALSE;
  g_autoptr (GError) other_error = NULL;
  g_autoptr (HfInstallation) other = open_other (program, &other_error);

  g_autoptr (GError) local = NULL;
  if (try_find (chosen, text, branch, out, &local))
    {
      out->installation = g_steal_pointer (&chosen);
      out->other = g_steal_pointer (&other);
      return TRUE;
    }
  if (program->scope == HF_SCOPE_DEFAULT && hf_error_is (local, HF_ERROR_NOT_FOUND))
    {
      if (other_error != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&other_error));
          return FALSE;
        }
      g_autoptr (GError) elsewhere = NULL;
      if (other != NULL && try_find (other, text, branch, out, &elsewhere))
        {
          out->installation = g_steal_pointer (&other);
          out->other = g_steal_pointer (&chosen);
          return TRUE;
        }
      if (elsewhere != NULL && !hf_error_is (elsewhere, HF_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&elsewhere));
          return FALSE;
        }
    }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}
