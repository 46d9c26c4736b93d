/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Choosing columns by their names.
 */
#include "columns.h"

#include "base/error.h"
#include "base/language.h"

#include <string.h>

static gpointer
column_at (const HfColumns *columns, gsize i)
{
  return (char *)columns->first + i * columns->size;
}

static const char *
name_at (const HfColumns *columns, gsize i)
{
  return *(const char *const *)column_at (columns, i);
}

/**
 * hf_columns_names:
 * @columns: what there is
 *
 * Returns: (transfer full): the names
 */
GStrv
hf_columns_names (const HfColumns *columns)
{
  GStrv names = g_new0 (char *, columns->n + 1);
  for (gsize i = 0; i < columns->n; i++)
    names[i] = g_strdup (name_at (columns, i));
  return names;
}

static char *
known_columns (const HfColumns *columns)
{
  g_auto (GStrv) names = hf_columns_names (columns);
  return g_strjoinv (", ", names);
}

/**
 * hf_columns_help:
 * @columns: what there is
 * @by_default: what is shown without --columns
 *
 * Returns: (transfer full): what a command's help says of them
 */
char *
hf_columns_help (const HfColumns *columns, const char *by_default)
{
  g_autofree char *known = known_columns (columns);
  return g_strdup_printf (_ ("Columns: %s\nUnless told otherwise: %s\n"), known, by_default);
}

static gpointer
find_column (const HfColumns *columns, const char *name, GError **error)
{
  for (gsize i = 0; i < columns->n; i++)
    if (strcmp (name_at (columns, i), name) == 0)
      return column_at (columns, i);
  g_autofree char *known = known_columns (columns);
  (void)hf_throw (error, HF_ERROR_USAGE, "'%s' is not a column: there are %s", name, known);
  return NULL;
}

/**
 * hf_columns_choose:
 * @columns: what there is
 * @text: names, with commas between them
 *
 * Returns: (transfer container): the elements of those names, in their order, or %NULL with
 *   %HF_ERROR_USAGE
 */
GPtrArray *
hf_columns_choose (const HfColumns *columns, const char *text, GError **error)
{
  g_autoptr (GPtrArray) chosen = g_ptr_array_new ();
  /* g_strsplit() takes an empty string for no name at all. */
  g_auto (GStrv) names = g_strsplit (*text != '\0' ? text : ",", ",", -1);
  for (char **name = names; *name != NULL; name++)
    {
      gpointer column = find_column (columns, *name, error);
      if (column == NULL)
        return NULL;
      g_ptr_array_add (chosen, column);
    }
  return g_steal_pointer (&chosen);
}
