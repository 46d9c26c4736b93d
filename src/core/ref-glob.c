/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patterns of refs with wildcards, component by component.
 */
#include "ref-glob.h"

#include <string.h>

#define COMPONENTS 4
#define LONGEST    1024

/* Fills in the components that are there, and "*" for the others. */
static gboolean
split (const char *glob, GStrv parts, const char *out[COMPONENTS])
{
  guint length = g_strv_length (parts);
  gboolean kind
      = length == COMPONENTS
        || (length > 1 && (strcmp (parts[0], "app") == 0 || strcmp (parts[0], "runtime") == 0));
  guint first = kind ? 0 : 1;
  for (guint i = 0; i < COMPONENTS; i++)
    out[i] = i >= first && i - first < length && *parts[i - first] != '\0' ? parts[i - first] : "*";
  return length > 0 && first + length <= COMPONENTS && *glob != '\0';
}

/**
 * hf_ref_glob_is_valid:
 * @glob: any text
 *
 * Returns: whether it can match a ref
 */
gboolean
hf_ref_glob_is_valid (const char *glob)
{
  const char *components[COMPONENTS];
  g_auto (GStrv) parts = g_strsplit (glob, "/", COMPONENTS + 1);
  gsize length = strlen (glob);
  return length <= LONGEST
         && strspn (glob, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-.*?/") == length
         && split (glob, parts, components);
}

/**
 * hf_ref_glob_matches:
 * @glob: a valid pattern
 * @ref: a ref
 *
 * Returns: whether @ref matches
 */
gboolean
hf_ref_glob_matches (const char *glob, const HfRef *ref)
{
  const char *components[COMPONENTS];
  const char *const have[COMPONENTS] = { ref->kind, ref->id, ref->arch, ref->branch };
  g_auto (GStrv) parts = g_strsplit (glob, "/", COMPONENTS + 1);
  gboolean matches = split (glob, parts, components);
  for (guint i = 0; matches && i < COMPONENTS; i++)
    matches = g_pattern_match_simple (components[i], have[i]);
  return matches;
}

/**
 * hf_ref_glob_find:
 * @globs: (array zero-terminated=1): valid patterns
 * @ref: a ref
 *
 * Returns: (transfer none) (nullable): the first of them that matches
 */
const char *
hf_ref_glob_find (char **globs, const HfRef *ref)
{
  for (; *globs != NULL; globs++)
    if (hf_ref_glob_matches (*globs, ref))
      return *globs;
  return NULL;
}
