/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The `metadata` of an image, which nobody has vouched for.  What comes out of it ends up on
 * bubblewrap's command line and in the environment.
 */
#include "core/metadata.h"

#include "fuzz.h"

#include <string.h>

static void
check (const HfMetadata *metadata)
{
  g_assert_nonnull (metadata->environment);
  for (char **variable = metadata->environment; *variable != NULL; variable++)
    {
      const char *equals = strchr (*variable, '=');
      g_assert_true (equals != NULL && equals != *variable);
    }
  if (metadata->runtime != NULL)
    g_assert_cmpstr (metadata->runtime->kind, ==, "runtime");
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const char *const refs[]
      = { "app/org.test.App/x86_64/stable", "runtime/org.test.Platform/x86_64/1" };
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  for (gsize i = 0; i < G_N_ELEMENTS (refs); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (HfRef) ref = hf_ref_parse (refs[i], NULL);
      g_autoptr (HfMetadata) metadata = hf_metadata_parse (bytes, ref, &error);
      g_assert_true ((metadata == NULL) == (error != NULL));
      if (metadata != NULL)
        check (metadata);
    }
  return 0;
}
