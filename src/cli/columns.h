/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The columns that --columns chooses from.  Each command has a table of its own, of elements that
 * begin with a column's name.
 */
#pragma once

#include <glib.h>

typedef struct
{
  const void *first; /* not owned; the table: each element begins with a `const char *name` */
  gsize size;        /* of an element */
  gsize n;
} HfColumns;

#define HF_COLUMNS(table)                                                                          \
  {                                                                                                \
    (table), sizeof (table)[0], G_N_ELEMENTS (table)                                               \
  }

GStrv hf_columns_names (const HfColumns *columns);
char *hf_columns_help (const HfColumns *columns, const char *by_default);
GPtrArray *hf_columns_choose (const HfColumns *columns, const char *text, GError **error);
