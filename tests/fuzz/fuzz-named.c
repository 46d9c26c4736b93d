/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A file that names installations.  What comes out of it is where root's sweep goes, and whose images everybody
 * runs.
 */
#include "core/named.h"

#include "base/error.h"

#include "fuzz.h"

#include <string.h>

static void
check_named (const HfNamedList *list, const HfNamed *named)
{
  g_autofree char *canonical = g_canonicalize_filename (named->path, NULL);
  g_assert_true (hf_named_check_name (named->name, NULL));
  g_assert_true (strchr (named->name, '/') == NULL);
  g_assert_cmpstr (named->name, !=, HF_NAME_USER);
  g_assert_cmpstr (named->name, !=, HF_NAME_SYSTEM);
  g_assert_true (g_path_is_absolute (named->path));
  g_assert_cmpstr (named->path, ==, canonical);
  g_assert_cmpstr (named->path, !=, "/");
  g_assert_true (hf_named_list_find (list, named->name) == named);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (HfNamedList) list = hf_named_list_new ();
  hf_named_list_parse (list, "first", bytes);
  guint named = list->all->len;
  for (guint i = 0; i < named; i++)
    check_named (list, list->all->pdata[i]);
  /* A second file of the same contents adds nothing, and is told of. */
  guint problems = list->problems->len;
  hf_named_list_parse (list, "second", bytes);
  g_assert_cmpuint (list->all->len, ==, named);
  g_assert_cmpuint (list->problems->len, ==, 2 * problems + named);
  hf_named_list_sort (list);
  return 0;
}
