/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a file that names installations says.  See holdfast-installations(5).
 */
#include "named.h"

#include "base/error.h"
#include "base/language.h"
#include "layout.h"

#include <string.h>

#define GROUP_BEGIN "Installation \""
#define GROUP_END   "\""
#define NAME_LENGTH 64

static void
named_free (HfNamed *named)
{
  g_free (named->name);
  g_free (named->path);
  g_free (named->display_name);
  g_free (named->source);
  g_free (named);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfNamed, named_free)

/**
 * hf_named_list_new:
 *
 * Returns: (transfer full): no named installation
 */
HfNamedList *
hf_named_list_new (void)
{
  HfNamedList *list = g_new0 (HfNamedList, 1);
  list->all = g_ptr_array_new_with_free_func ((GDestroyNotify)named_free);
  list->problems = g_ptr_array_new_with_free_func (g_free);
  return list;
}

/**
 * hf_named_list_free:
 * @list: (nullable) (transfer full): a list
 */
void
hf_named_list_free (HfNamedList *list)
{
  if (list == NULL)
    return;
  g_ptr_array_unref (list->all);
  g_ptr_array_unref (list->problems);
  g_free (list);
}

/**
 * hf_named_list_add_problem:
 * @list: a list
 * @format: what is passed over, and why; it is translated here
 */
void
hf_named_list_add_problem (HfNamedList *list, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_ptr_array_add (list->problems, g_strdup_vprintf (hf_text (format), args));
  va_end (args);
}

/**
 * hf_named_check_name:
 * @name: what somebody takes for the name of an installation
 *
 * Returns: %FALSE with %HF_ERROR_USAGE if no installation can have it
 */
gboolean
hf_named_check_name (const char *name, GError **error)
{
  static const char rest[] = G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_-.";
  gsize length = strlen (name);
  if (g_ascii_isalnum (name[0]) && length <= NAME_LENGTH && strspn (name, rest) == length)
    return TRUE;
  return hf_throw (
      error, HF_ERROR_USAGE,
      "'%s' is no name of an installation: it has letters and digits of ASCII, and -, _"
      " and . between them, %d at most",
      name, NAME_LENGTH);
}

/* NAME of [Installation "NAME"]. */
static char *
name_of_group (const char *group, GError **error)
{
  gsize length = strlen (group), begin = strlen (GROUP_BEGIN), end = strlen (GROUP_END);
  if (!g_str_has_prefix (group, GROUP_BEGIN) || !g_str_has_suffix (group, GROUP_END)
      || length < begin + end)
    {
      (void)hf_throw (error, HF_ERROR_USAGE, "it is not [Installation \"NAME\"]");
      return NULL;
    }
  g_autofree char *name = g_strndup (group + begin, length - begin - end);
  if (!hf_named_check_name (name, error))
    return NULL;
  if (strcmp (name, HF_NAME_USER) == 0 || strcmp (name, HF_NAME_SYSTEM) == 0)
    {
      (void)hf_throw (error, HF_ERROR_USAGE, "that name is taken");
      return NULL;
    }
  return g_steal_pointer (&name);
}

static gboolean
is_printable (const char *text)
{
  for (; *text != '\0'; text = g_utf8_next_char (text))
    if (g_unichar_iscntrl (g_utf8_get_char (text)))
      return FALSE;
  return TRUE;
}

static gboolean
take_value (HfNamed *named, const char *key, const char *value, GError **error)
{
  if (*value == '\0' || !is_printable (value))
    return hf_throw (error, HF_ERROR_USAGE, "%s is empty or has control characters", key);
  if ((strcmp (key, "path") == 0 && named->path != NULL)
      || (strcmp (key, "display-name") == 0 && named->display_name != NULL))
    return hf_throw (error, HF_ERROR_USAGE, "%s is there twice", key);
  if (strcmp (key, "path") == 0)
    {
      if (!g_path_is_absolute (value))
        return hf_throw (error, HF_ERROR_USAGE, "path is '%s', which does not begin with a slash",
                         value);
      named->path = g_canonicalize_filename (value, NULL);
      return strcmp (named->path, "/") != 0
             || hf_throw (error, HF_ERROR_USAGE, "path cannot be the root directory");
    }
  if (strcmp (key, "display-name") == 0)
    {
      named->display_name = g_strdup (value);
      return TRUE;
    }
  if (strcmp (key, "priority") != 0)
    return hf_throw (error, HF_ERROR_USAGE,
                     "'%s' is no key: there are path, display-name and priority", key);
  return g_ascii_string_to_signed (value, 10, G_MININT32, G_MAXINT32, &named->priority, NULL)
         || hf_throw (error, HF_ERROR_USAGE, "priority is '%s', which is no number", value);
}

static HfNamed *
read_group (GKeyFile *keyfile, const char *group, GError **error)
{
  g_autoptr (HfNamed) named = g_new0 (HfNamed, 1);
  g_auto (GStrv) keys = g_key_file_get_keys (keyfile, group, NULL, NULL);
  named->name = name_of_group (group, error);
  if (named->name == NULL)
    return NULL;
  for (char **key = keys; key != NULL && *key != NULL; key++)
    {
      g_autoptr (GError) failed = NULL;
      g_autofree char *value = g_key_file_get_string (keyfile, group, *key, &failed);
      if (failed != NULL) /* GLib may return the part before a bad escape as well */
        {
          (void)hf_throw (error, HF_ERROR_USAGE, "%s: %s", *key, failed->message);
          return NULL;
        }
      if (!take_value (named, *key, value, error))
        return NULL;
    }
  if (named->path == NULL)
    {
      (void)hf_throw (error, HF_ERROR_USAGE, "it has no path");
      return NULL;
    }
  return g_steal_pointer (&named);
}

static gboolean
is_within (const char *path, const char *directory)
{
  gsize length = strlen (directory);
  return strncmp (path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static gboolean
overlap (const char *a, const char *b)
{
  return is_within (a, b) || is_within (b, a);
}

/* One directory is one installation, and no part of another. */
static gboolean
check_apart (const HfNamedList *list, const HfNamed *named, GError **error)
{
  if (overlap (named->path, HF_SYSTEM_INSTALLATION))
    return hf_throw (error, HF_ERROR_USAGE, "%s and the system's installation, %s, overlap",
                     named->path, HF_SYSTEM_INSTALLATION);
  for (guint i = 0; i < list->all->len; i++)
    {
      const HfNamed *other = list->all->pdata[i];
      if (strcmp (other->name, named->name) == 0)
        return hf_throw (error, HF_ERROR_USAGE, "%s has that name already", other->source);
      if (overlap (named->path, other->path))
        return hf_throw (error, HF_ERROR_USAGE, "%s and %s of installation %s overlap", named->path,
                         other->path, other->name);
    }
  return TRUE;
}

/**
 * hf_named_list_parse:
 * @list: what is named in @bytes is added to it, and so is what is wrong there
 * @source: where @bytes are from
 * @bytes: the contents of a file
 *
 * What an earlier file has named stays.
 */
void
hf_named_list_parse (HfNamedList *list, const char *source, GBytes *bytes)
{
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  g_autoptr (GError) failed = NULL;
  if (g_bytes_get_size (bytes) > 0
      && !g_key_file_load_from_bytes (keyfile, bytes, G_KEY_FILE_NONE, &failed))
    {
      hf_named_list_add_problem (list, "%s is passed over: it is not a keyfile: %s", source,
                                 failed->message);
      return;
    }
  g_auto (GStrv) groups = g_key_file_get_groups (keyfile, NULL);
  for (char **group = groups; *group != NULL; group++)
    {
      g_autoptr (GError) why = NULL;
      g_autoptr (HfNamed) named = read_group (keyfile, *group, &why);
      if (named == NULL || !check_apart (list, named, &why))
        {
          hf_named_list_add_problem (list, "[%s] of %s is passed over: %s", *group, source,
                                     why->message);
          continue;
        }
      named->source = g_strdup (source);
      g_ptr_array_add (list->all, g_steal_pointer (&named));
    }
}

static int
compare_named (gconstpointer a, gconstpointer b)
{
  const HfNamed *left = *(HfNamed *const *)a;
  const HfNamed *right = *(HfNamed *const *)b;
  if (left->priority != right->priority)
    return left->priority > right->priority ? -1 : 1;
  return strcmp (left->name, right->name);
}

/**
 * hf_named_list_sort:
 * @list: a list
 *
 * Puts the installations into the order in which they are looked through.
 */
void
hf_named_list_sort (HfNamedList *list)
{
  g_ptr_array_sort (list->all, compare_named);
}

/**
 * hf_named_list_find:
 * @list: a list
 * @name: a name
 *
 * Returns: (transfer none) (nullable): the installation of that name
 */
const HfNamed *
hf_named_list_find (const HfNamedList *list, const char *name)
{
  for (guint i = 0; i < list->all->len; i++)
    if (strcmp (((const HfNamed *)list->all->pdata[i])->name, name) == 0)
      return list->all->pdata[i];
  return NULL;
}
