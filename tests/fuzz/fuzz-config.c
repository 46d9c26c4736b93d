/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `config`, which people write.  What comes out of it decides what a sweep may delete.
 */
#include "core/config.h"
#include "core/ref-glob.h"

#include "fuzz.h"

static void
check_patterns (char **patterns)
{
  g_autoptr (HfRef) ref = hf_ref_parse ("app/org.test.App/x86_64/stable", NULL);
  g_assert_nonnull (patterns);
  for (char **pattern = patterns; *pattern != NULL; pattern++)
    {
      g_assert_true (hf_ref_glob_is_valid (*pattern));
      (void)hf_ref_glob_matches (*pattern, ref);
    }
}

static void
check_amount (const HfAmount *amount)
{
  guint64 all = G_MAXUINT64;
  g_assert_true (!amount->percent || amount->value < 100);
  g_assert_cmpuint (hf_amount_of (amount, all), <=, all);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (HfConfig) config = hf_config_parse (bytes, &error);
  g_assert_true ((config == NULL) == (error != NULL));
  if (config == NULL)
    return 0;
  g_assert_cmpuint (config->keep_previous, <=, 1000);
  g_assert_cmpuint (config->keep_removed, <=, G_MAXINT64);
  check_amount (&config->min_free);
  check_amount (&config->max_free);
  check_amount (&config->min_free_inodes);
  check_amount (&config->max_free_inodes);
  check_patterns (config->masked);
  check_patterns (config->pinned);
  return 0;
}
