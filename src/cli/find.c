/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where a command finds a ref: in the installation that was chosen, or in whichever has it.
 */
#include "places.h"

#include "base/language.h"

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

/* Where else it is, if no installation was chosen. */
static HfPlace *
find_elsewhere (HfProgram *program, const char *text, gboolean *out_owned)
{
  for (guint i = 1;; i++)
    {
      g_autoptr (HfPlace) place = hf_place_at (program, i);
      if (place == NULL)
        return NULL;
      g_autoptr (HfInstallation) installation = hf_place_open (place, HF_OPEN_EXISTING, NULL);
      g_autoptr (HfDeployed) deployed
          = installation == NULL ? NULL : hf_deployed_find (installation, text, NULL, NULL);
      if (deployed == NULL)
        continue;
      *out_owned = hf_installation_is_changeable (installation);
      return g_steal_pointer (&place);
    }
}

/**
 * hf_program_find_own:
 * @program: the program
 * @installation: (nullable): the installation that is to be changed
 * @text: a ref or a part of one
 *
 * What is to be changed is only looked for in the installation that was chosen, or in the default one.  If it is
 * somewhere else, the error tells how to choose that.
 *
 * Returns: (transfer full): what is deployed there, or %NULL with @error set as by hf_deployed_find()
 */
HfDeployed *
hf_program_find_own (HfProgram *program, HfInstallation *installation, const char *text,
                     GError **error)
{
  g_autoptr (GError) failed = NULL;
  HfDeployed *deployed = hf_program_find_in (installation, text, NULL, &failed);
  if (deployed != NULL)
    return deployed;
  gboolean owned = FALSE;
  g_autoptr (HfPlace) place
      = hf_error_is (failed, HF_ERROR_NOT_FOUND) ? find_elsewhere (program, text, &owned) : NULL;
  g_autofree char *here = hf_program_path (program);
  g_autofree char *option = place == NULL ? NULL : hf_place_option (place);
  if (place == NULL)
    g_propagate_error (error, g_steal_pointer (&failed));
  else
    (void)hf_throw (
        error, HF_ERROR_NOT_FOUND,
        owned
            ? N_ ("%s is not installed in %s, but in %s: choose that with %s")
            : N_ ("%s is not installed in %s, but in %s: choose that with %s, as its owner (sudo)"),
        text, here, place->path, option);
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
}

/* Keeps the error that tells most: the first that is not about something that is just not there, else the
 * first. */
static void
keep_error (GError **kept, GError *failed)
{
  if (*kept == NULL
      || (hf_error_is (*kept, HF_ERROR_NOT_FOUND) && !hf_error_is (failed, HF_ERROR_NOT_FOUND)))
    {
      g_clear_error (kept);
      *kept = failed;
    }
  else
    g_error_free (failed);
}

/**
 * hf_program_find:
 * @program: the program
 * @text: a ref or a part of one
 * @branch: (nullable): its branch
 * @out: (out): what was found, and where; zeroed by the caller
 *
 * Looks in the installation that was chosen; if none was, in the default one and then in all others.
 *
 * Returns: %FALSE with @error set, %HF_ERROR_NOT_FOUND if it is in none of them
 */
gboolean
hf_program_find (HfProgram *program, const char *text, const char *branch, HfFound *out,
                 GError **error)
{
  GError *kept = NULL;
  for (guint i = 0;; i++)
    {
      g_autoptr (HfPlace) place = hf_place_at (program, i);
      g_autoptr (HfInstallation) installation = NULL;
      GError *failed = NULL;
      if (place == NULL)
        break;
      if (hf_program_open_place (program, place, HF_OPEN_EXISTING, &installation, &failed))
        out->deployed = hf_program_find_in (installation, text, branch, &failed);
      if (out->deployed != NULL)
        {
          out->installation = g_steal_pointer (&installation);
          g_clear_error (&kept);
          return TRUE;
        }
      /* What is wrong in the installation that is looked at first must not be hidden by another. */
      gboolean ends = i == 0 && !hf_error_is (failed, HF_ERROR_NOT_FOUND);
      keep_error (&kept, failed);
      if (ends)
        break;
    }
  if (program->scope != HF_SCOPE_DEFAULT || !hf_error_is (kept, HF_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, kept);
      return FALSE;
    }
  g_error_free (kept);
  if (branch != NULL)
    return hf_throw (error, HF_ERROR_NOT_FOUND,
                     "%s, branch %s is not installed: `holdfast list` shows what is", text, branch);
  return hf_throw (error, HF_ERROR_NOT_FOUND, "%s is not installed: `holdfast list` shows what is",
                   text);
}
