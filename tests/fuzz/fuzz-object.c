/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Metadata objects of a foreign repository: commits, dirtrees and dirmetas.  What is taken for a
 * dirtree has only names that stay in their directory, and checksums of the right length.
 */
#include "store/object.h"

#include "fuzz.h"

#include <string.h>

static void
check_name (const char *name)
{
  g_assert_true (name[0] != '\0' && strcmp (name, ".") != 0 && strcmp (name, "..") != 0);
  g_assert_null (strchr (name, '/'));
}

static void
check_checksum (GVariant *ay)
{
  g_autofree char *checksum = hf_checksum_from_variant (ay);
  g_assert_cmpuint (strlen (checksum), ==, 2 * HF_CHECKSUM_BYTES);
}

static void
check_dirtree (GVariant *tree)
{
  g_autoptr (GVariant) files = g_variant_get_child_value (tree, 0);
  g_autoptr (GVariant) dirs = g_variant_get_child_value (tree, 1);
  for (gsize i = 0; i < g_variant_n_children (files); i++)
    {
      const char *name;
      g_autoptr (GVariant) checksum = NULL;
      g_variant_get_child (files, i, "(&s@ay)", &name, &checksum);
      check_name (name);
      check_checksum (checksum);
    }
  for (gsize i = 0; i < g_variant_n_children (dirs); i++)
    {
      const char *name;
      g_autoptr (GVariant) contents = NULL;
      g_autoptr (GVariant) meta = NULL;
      g_variant_get_child (dirs, i, "(&s@ay@ay)", &name, &contents, &meta);
      check_name (name);
      check_checksum (contents);
      check_checksum (meta);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const OstreeObjectType types[]
      = { OSTREE_OBJECT_TYPE_COMMIT, OSTREE_OBJECT_TYPE_DIR_TREE, OSTREE_OBJECT_TYPE_DIR_META };
  /* GVariant wants its data aligned, as a file that was read is. */
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) object = hf_object_parse (types[i], "fuzz", bytes, &error);
      g_assert_true ((object == NULL) == (error != NULL));
      if (object != NULL && types[i] == OSTREE_OBJECT_TYPE_DIR_TREE)
        check_dirtree (object);
    }
  return 0;
}
