/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which installation a command works on, and where it finds a ref.  An installation that the machine knows
 * and that does not exist yet is empty; one that was given by its path must exist, unless the command
 * creates it.
 */
#include "places.h"

#include "base/fd.h"
#include "output.h"

#include <string.h>
#include <unistd.h>

/**
 * hf_program_command:
 * @program: the program
 * @name: any text
 *
 * Returns: (transfer none) (nullable): the command of that name or alias
 */
const HfCommand *
hf_program_command (const HfProgram *program, const char *name)
{
  for (gsize i = 0; i < program->n_commands; i++)
    {
      const HfCommand *command = &program->commands[i];
      if (strcmp (name, command->name) == 0 || g_strcmp0 (name, command->alias) == 0)
        return command;
    }
  return NULL;
}

/**
 * hf_program_clear:
 * @program: what to free the contents of
 */
void
hf_program_clear (HfProgram *program)
{
  g_clear_pointer (&program->installation_path, g_free);
  g_clear_pointer (&program->installation_name, g_free);
  g_clear_pointer (&program->named, hf_named_list_free);
}

/**
 * hf_program_warn:
 * @program: the program
 *
 * Tells what is wrong with the files that name installations, if they were looked at.
 */
void
hf_program_warn (const HfProgram *program)
{
  for (guint i = 0; program->named != NULL && i < program->named->problems->len; i++)
    hf_output_warning (program->named->problems->pdata[i]);
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
  g_autoptr (HfPlace) place = hf_place_at (program, 0);
  return g_steal_pointer (&place->path);
}

/* Not by the path: that may lead through symlinks. */
static gboolean
is_same (const HfPlace *place, const HfInstallation *installation)
{
  struct stat there, here;
  return stat (place->path, &there) == 0 && fstat (installation->root_fd, &here) == 0
         && hf_stat_same_file (&there, &here);
}

/* One that was given by its path, and that the machine does not know, is by itself. */
static gboolean
is_known (const GPtrArray *places, const HfInstallation *installation)
{
  for (guint i = 0; i < places->len; i++)
    if (is_same (places->pdata[i], installation))
      return TRUE;
  return FALSE;
}

/* What is wrong with another installation is its own affair. */
static GPtrArray *
open_others (HfProgram *program, const HfInstallation *installation, gboolean users)
{
  g_autoptr (GPtrArray) places = hf_places_all (program);
  GPtrArray *others = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_installation_free);
  if (!is_known (places, installation))
    return others;
  for (guint i = 0; i < places->len; i++)
    {
      const HfPlace *place = places->pdata[i];
      g_autoptr (GError) failed = NULL;
      if (is_same (place, installation) || (!users && strcmp (place->name, HF_NAME_USER) == 0))
        continue;
      HfInstallation *other = hf_place_open (place, HF_OPEN_EXISTING, &failed);
      if (other != NULL)
        g_ptr_array_add (others, other);
      else if (!hf_error_is (failed, HF_ERROR_NOT_FOUND))
        g_debug ("%s is not looked at: %s", place->path, failed->message);
    }
  return others;
}

/**
 * hf_program_open_others:
 * @program: the program
 * @installation: an installation
 *
 * Returns: (transfer full) (element-type HfInstallation): all others that there are, where an application's
 *   runtime may be, too; none, if @installation was given by its path and is not known otherwise
 */
GPtrArray *
hf_program_open_others (HfProgram *program, const HfInstallation *installation)
{
  return open_others (program, installation, TRUE);
}

/**
 * hf_program_share:
 * @program: the program
 * @installation: an installation that may be changed
 *
 * Has it share runtimes with those of the system's: what is decided about them, to install, to uninstall and
 * to give up, takes these into account.
 */
void
hf_program_share (HfProgram *program, HfInstallation *installation)
{
  installation->others = open_others (program, installation, FALSE);
}

/* One that the machine knows and that does not exist is %NULL, and no error. */
static gboolean
open_place (HfProgram *program, const HfPlace *place, HfOpenMode mode, HfInstallation **out,
            GError **error)
{
  g_autoptr (GError) failed = NULL;
  *out = hf_place_open (place, mode, &failed);
  if (*out != NULL || (program->scope != HF_SCOPE_PATH && hf_error_is (failed, HF_ERROR_NOT_FOUND)))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

/**
 * hf_program_open:
 * @program: the program
 * @mode: whether to create the installation where it does not exist
 * @out: (out) (transfer full) (nullable): the installation that the user chose; %NULL if it is not there
 *
 * Returns: %FALSE with @error set on failure, %HF_ERROR_NOT_FOUND if the path given with
 *   --installation does not exist
 */
gboolean
hf_program_open (HfProgram *program, HfOpenMode mode, HfInstallation **out, GError **error)
{
  g_autoptr (HfPlace) place = hf_place_at (program, 0);
  if (!open_place (program, place, mode, out, error))
    return FALSE;
  if (*out != NULL)
    hf_program_share (program, *out);
  return TRUE;
}

/**
 * hf_program_open_all:
 * @program: the program
 *
 * Opens the installation that was chosen, or, if none was, all.  One of several that cannot be opened is told
 * of and passed over.
 *
 * Returns: (transfer full) (element-type HfInstallation): those that exist, or %NULL with @error set if it is
 *   the chosen or default one that cannot be opened
 */
GPtrArray *
hf_program_open_all (HfProgram *program, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_installation_free);
  for (guint i = 0;; i++)
    {
      g_autoptr (HfPlace) place = hf_place_at (program, i);
      HfInstallation *installation = NULL;
      g_autoptr (GError) failed = NULL;
      if (place == NULL)
        break;
      if (!open_place (program, place, HF_OPEN_EXISTING, &installation, &failed))
        {
          if (i > 0)
            {
              hf_output_warning (failed->message);
              continue;
            }
          g_propagate_error (error, g_steal_pointer (&failed));
          return NULL;
        }
      if (installation != NULL)
        g_ptr_array_add (all, installation);
    }
  return g_steal_pointer (&all);
}

/* --- Finding ---------------------------------------------------------------------------------------- */

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
    (void)hf_throw (error, HF_ERROR_NOT_FOUND,
                    "%s is not installed in %s, but in %s: choose that with %s%s", text, here,
                    place->path, option, owned ? "" : ", as its owner (sudo)");
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
      if (open_place (program, place, HF_OPEN_EXISTING, &installation, &failed))
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
  return hf_throw (error, HF_ERROR_NOT_FOUND,
                   "%s%s%s is not installed: `holdfast list` shows what is", text,
                   branch != NULL ? ", branch " : "", branch != NULL ? branch : "");
}
