/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Refs and parts of refs, as a person or a remote gives them.  What is taken for a ref is a relative
 * path of four plain components: it names directories.
 */
#include "core/ref.h"

#include "fuzz.h"

#include <string.h>

static void
check_component (const char *component)
{
  g_assert_true (component[0] != '\0' && component[0] != '.');
  g_assert_null (strchr (component, '/'));
  g_assert_cmpuint (strlen (component), <=, 255);
}

static void
check_ref (const HfRef *ref, const char *text)
{
  g_assert_cmpstr (ref->full, ==, text);
  g_assert_true (strcmp (ref->kind, "app") == 0 || strcmp (ref->kind, "runtime") == 0);
  check_component (ref->id);
  check_component (ref->arch);
  check_component (ref->branch);
  g_autoptr (HfRef) same = hf_ref_new (ref->kind, ref->id, ref->arch, ref->branch);
  g_assert_cmpint (hf_ref_compare (ref, same), ==, 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *)data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = hf_ref_parse (text, &error);
  g_assert_true ((ref == NULL) == (error != NULL));
  if (ref != NULL)
    check_ref (ref, text);
  g_autoptr (HfRefPattern) pattern = hf_ref_pattern_parse (text, NULL);
  if (ref != NULL && pattern != NULL)
    g_assert_true (hf_ref_pattern_matches (pattern, ref));
  return 0;
}
