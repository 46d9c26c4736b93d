/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which installation a command works on, and which others it takes into account.  An installation that the
 * machine knows and that does not exist yet is empty; one that was given by its path must exist, unless the command
 * creates it.
 */
#include "places.h"

#include "base/fd.h"
#include "launch/triggers.h"
#include "output.h"

#include <string.h>

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

/* What is wrong with another installation is its own affair, but for what may be needed there: so it is added to
 * @unread, if that is not %NULL. */
static GPtrArray *
open_others (HfProgram *program, const HfInstallation *installation, gboolean users,
             GPtrArray *unread)
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
        {
          g_debug ("%s is not looked at: %s", place->path, failed->message);
          if (unread != NULL)
            g_ptr_array_add (unread, g_strdup (failed->message));
        }
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
  return open_others (program, installation, TRUE, NULL);
}

static gboolean
is_users (const HfInstallation *installation)
{
  return g_strcmp0 (installation->name, HF_NAME_USER) == 0;
}

/**
 * hf_program_share:
 * @program: the program
 * @installation: an installation that may be changed
 *
 * Has it share runtimes with those of the system's: what is decided about them, to install, to uninstall and
 * to give up, takes these into account.  Nothing of the system's runs on what is a user's own, so that what is wrong
 * there is no obstacle to him.
 */
void
hf_program_share (HfProgram *program, HfInstallation *installation)
{
  installation->unread = g_ptr_array_new_with_free_func (g_free);
  installation->others = open_others (program, installation, FALSE,
                                      is_users (installation) ? NULL : installation->unread);
}

/**
 * hf_program_open_place:
 * @program: the program
 * @place: a place that it looks at
 * @mode: whether to create the installation where it does not exist
 * @out: (out) (transfer full) (nullable): the installation; %NULL if it is not there, and was not given by its path
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_program_open_place (HfProgram *program, const HfPlace *place, HfOpenMode mode,
                       HfInstallation **out, GError **error)
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
  if (!hf_program_open_place (program, place, mode, out, error))
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
      if (!hf_program_open_place (program, place, HF_OPEN_EXISTING, &installation, &failed))
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

/**
 * hf_program_refresh:
 * @program: the program, whose command has come to its end, one way or the other
 *
 * Has caches of what is exported made anew, if the command or a crash before it has made them wrong.
 *
 * Locks: see hf_triggers_run().
 */
void
hf_program_refresh (HfProgram *program)
{
  if (!program->changes)
    return;
  g_autoptr (GPtrArray) places = hf_places_changed (program);
  for (guint i = 0; i < places->len; i++)
    {
      g_autoptr (HfInstallation) installation
          = hf_place_open (places->pdata[i], HF_OPEN_EXISTING, NULL);
      if (installation != NULL)
        hf_triggers_run (installation);
    }
}
