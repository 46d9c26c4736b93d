/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which installations there are, and in which order they are looked through.  The files that name some are
 * read when that is first asked for: most commands find what they want before.
 */
#include "places.h"

#include "base/language.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/**
 * hf_place_free:
 * @place: (nullable) (transfer full): a place
 */
void
hf_place_free (HfPlace *place)
{
  if (place == NULL)
    return;
  g_free (place->name);
  g_free (place->path);
  g_free (place);
}

static HfPlace *
place_new (const char *name, char *path, const HfNamed *named)
{
  HfPlace *place = g_new0 (HfPlace, 1);
  place->name = g_strdup (name);
  place->path = path;
  place->named = named;
  return place;
}

static HfPlace *
default_place (gboolean system)
{
  return place_new (system ? HF_NAME_SYSTEM : HF_NAME_USER, hf_installation_default_path (system),
                    NULL);
}

static HfPlace *
named_place (const HfNamed *named)
{
  return place_new (named->name, g_strdup (named->path), named);
}

/**
 * hf_place_option:
 * @place: a place
 *
 * Returns: (transfer full): the option that chooses it, for people to type
 */
char *
hf_place_option (const HfPlace *place)
{
  if (place->name != NULL && place->named == NULL)
    return g_strconcat ("--", place->name, NULL);
  return g_strconcat ("--installation=", place->name != NULL ? place->name : place->path, NULL);
}

static gboolean
is_root (void)
{
  return geteuid () == 0;
}

/* Before anything is made: what would not be trusted afterwards is not begun. */
static gboolean
check_creation (const HfPlace *place, GError **error)
{
  struct stat st;
  if (stat (place->path, &st) == 0)
    return hf_named_check_owner (place->named, &st, error);
  return is_root () || errno != ENOENT || hf_throw_no_creation (place->path, error);
}

static gboolean
check_opened (const HfPlace *place, const HfInstallation *installation, GError **error)
{
  struct stat st;
  if (fstat (installation->root_fd, &st) != 0)
    return hf_throw_errno (error, "Cannot look at %s", place->path);
  return hf_named_check_owner (place->named, &st, error);
}

/**
 * hf_place_open:
 * @place: a place
 * @mode: whether to create the installation where it does not exist
 *
 * Returns: (transfer full): the installation, or %NULL with @error set as by hf_installation_open(), or with
 *   %HF_ERROR_UNTRUSTED if it is named and not the system's alone
 */
HfInstallation *
hf_place_open (const HfPlace *place, HfOpenMode mode, GError **error)
{
  g_debug ("Opening installation %s", place->path);
  if (place->named != NULL && mode == HF_OPEN_OR_CREATE && !check_creation (place, error))
    return NULL;
  g_autoptr (HfInstallation) installation = hf_installation_open (place->path, mode, error);
  if (installation == NULL || (place->named != NULL && !check_opened (place, installation, error)))
    return NULL;
  installation->name = g_strdup (place->name);
  return g_steal_pointer (&installation);
}

/**
 * hf_program_named:
 * @program: the program
 *
 * Returns: (transfer none): the named installations.  What is wrong with them is told when the command ends.
 */
const HfNamedList *
hf_program_named (HfProgram *program)
{
  if (program->named == NULL)
    program->named = hf_named_list_load (HF_SYSCONF_DIR);
  return program->named;
}

/**
 * hf_program_check_named:
 * @program: the program
 *
 * Returns: %FALSE with %HF_ERROR_DAMAGED if something was passed over that may name an installation
 */
gboolean
hf_program_check_named (HfProgram *program, GError **error)
{
  const GPtrArray *problems = hf_program_named (program)->problems;
  return problems->len == 0
         || hf_throw (
             error, HF_ERROR_DAMAGED,
             ngettext ("%u of what should name installations was passed over: see the warnings",
                       "%u of what should name installations were passed over: see the warnings",
                       problems->len),
             problems->len);
}

/**
 * hf_program_resolve_name:
 * @program: the program; if its installation was chosen by name, its path is filled in
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if there is none of that name
 */
gboolean
hf_program_resolve_name (HfProgram *program, GError **error)
{
  if (program->scope != HF_SCOPE_NAMED || program->installation_path != NULL)
    return TRUE;
  const HfNamed *named
      = hf_named_list_find (hf_program_named (program), program->installation_name);
  if (named == NULL)
    return hf_throw (error, HF_ERROR_NOT_FOUND,
                     "There is no installation called %s: `holdfast installations` lists them;"
                     " a path has a slash in it, as ./%s",
                     program->installation_name, program->installation_name);
  program->installation_path = g_strdup (named->path);
  return TRUE;
}

/* The one that is worked on if none is chosen comes first, then the other of the user's and the
 * system's. */
static HfPlace *
known_at (HfProgram *program, guint index)
{
  if (index < 2)
    return default_place (is_root () == (index == 0));
  const HfNamedList *list = hf_program_named (program);
  return index - 2 < list->all->len ? named_place (list->all->pdata[index - 2]) : NULL;
}

static HfPlace *
chosen_place (HfProgram *program)
{
  switch (program->scope)
    {
    case HF_SCOPE_USER:
      return default_place (FALSE);
    case HF_SCOPE_SYSTEM:
      return default_place (TRUE);
    case HF_SCOPE_NAMED:
      return named_place (
          hf_named_list_find (hf_program_named (program), program->installation_name));
    case HF_SCOPE_PATH:
      return place_new (NULL, g_strdup (program->installation_path), NULL);
    case HF_SCOPE_DEFAULT:
    default:
      return known_at (program, 0);
    }
}

/**
 * hf_place_at:
 * @program: the program
 * @index: a number from 0
 *
 * Returns: (transfer full) (nullable): the place to look at in that order, or %NULL past the last: the
 *   installation that was chosen and no other, or, if none was, the default one first and then all
 */
HfPlace *
hf_place_at (HfProgram *program, guint index)
{
  if (program->scope == HF_SCOPE_DEFAULT)
    return known_at (program, index);
  return index == 0 ? chosen_place (program) : NULL;
}

/**
 * hf_places_all:
 * @program: the program
 *
 * Returns: (transfer full) (element-type HfPlace): every installation that there may be, in the order in which
 *   they are looked through, whichever was chosen
 */
GPtrArray *
hf_places_all (HfProgram *program)
{
  GPtrArray *places = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_place_free);
  HfPlace *place;
  while ((place = known_at (program, places->len)) != NULL)
    g_ptr_array_add (places, place);
  return places;
}

/**
 * hf_places_own:
 * @program: the program
 *
 * Returns: (transfer full) (element-type HfPlace): what somebody who chooses no installation may change as a
 *   whole: root all of the system's, the named ones among them, and everybody else his own
 */
GPtrArray *
hf_places_own (HfProgram *program)
{
  GPtrArray *places = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_place_free);
  g_ptr_array_add (places, hf_place_at (program, 0));
  if (program->scope != HF_SCOPE_DEFAULT || !is_root ())
    return places;
  HfPlace *place;
  for (guint i = 2; (place = known_at (program, i)) != NULL; i++)
    g_ptr_array_add (places, place);
  return places;
}

/**
 * hf_places_changed:
 * @program: the program, whose command has ended, well or not
 *
 * Returns: (transfer full) (element-type HfPlace): what that may have changed; nothing, if it was chosen by a
 *   name that there is not
 */
GPtrArray *
hf_places_changed (HfProgram *program)
{
  if (!hf_program_resolve_name (program, NULL))
    return g_ptr_array_new ();
  GPtrArray *places = hf_places_own (program);
  if (!program->changed_all)
    g_ptr_array_set_size (places, 1);
  return places;
}
