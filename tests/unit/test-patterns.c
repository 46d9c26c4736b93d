/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Masks refuse, and pins come and go with what was named.
 */
#include "core/patterns.h"

#include "core/config.h"
#include "support.h"

#include <string.h>

#define SHORT "org.test.*//1"

static char *
pins (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfConfig) config = hf_config_load (fixture->installation, &error);
  g_assert_no_error (error);
  return g_strjoinv (";", config->pinned);
}

static gboolean
pin (Fixture *fixture, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (text);
  gboolean pinned;
  (void)!hf_pin_named (fixture->installation, ref, &pinned, &error);
  g_assert_no_error (error);
  return pinned;
}

static gboolean
drop (Fixture *fixture, const char *text)
{
  g_autoptr (HfRef) ref = ref_of (text);
  return hf_pin_drop (fixture->installation, ref);
}

static void
assert_pins (Fixture *fixture, const char *expected)
{
  g_autofree char *found = pins (fixture);
  g_assert_cmpstr (found, ==, expected);
}

static void
test_pin (Fixture *fixture, gconstpointer data)
{
  g_assert_true (pin (fixture, RUNTIME));
  assert_pins (fixture, RUNTIME);
  g_assert_false (pin (fixture, RUNTIME));
  g_assert_false (pin (fixture, APP));
  assert_pins (fixture, RUNTIME);
  g_assert_false (drop (fixture, APP));
  g_assert_true (drop (fixture, RUNTIME));
  g_assert_false (drop (fixture, RUNTIME));
  assert_pins (fixture, "");
  gboolean is_default;
  g_autofree char *configured = hf_config_get (fixture->installation, "pinned", &is_default, NULL);
  g_assert_true (is_default);
}

/* Somebody's own pattern says more than that one ref, and is his to take off. */
static void
test_pattern (Fixture *fixture, gconstpointer data)
{
  configure (fixture->installation, "pinned=" SHORT);
  g_assert_false (pin (fixture, RUNTIME));
  g_assert_false (drop (fixture, RUNTIME));
  assert_pins (fixture, SHORT);
}

static void
test_bad_configuration (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (RUNTIME);
  gboolean pinned = TRUE;
  configure (fixture->installation, "pinned=a b");
  g_assert_false (hf_pin_named (fixture->installation, ref, &pinned, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_USAGE);
  g_assert_false (pinned);
  g_assert_false (hf_pin_drop (fixture->installation, ref));
  g_clear_error (&error);
  g_assert_false (hf_mask_check (fixture->installation, ref, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_USAGE);
}

static void
test_mask (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) masked = ref_of (RUNTIME);
  g_autoptr (HfRef) other = ref_of (APP);
  configure (fixture->installation, "masked=org.test.None;org.test.Plat*");
  (void)!hf_mask_check (fixture->installation, other, &error);
  g_assert_no_error (error);
  g_assert_false (hf_mask_check (fixture->installation, masked, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, RUNTIME " is masked"));
  g_assert_nonnull (strstr (error->message, "mask --remove 'org.test.Plat*'"));
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/patterns/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("a runtime that is named is pinned until it goes, and an application never", test_pin);
  ADD ("what a pattern pins already gets no other pin", test_pattern);
  ADD ("a configuration that makes no sense pins nothing and installs nothing",
       test_bad_configuration);
  ADD ("a mask is named, with the way out", test_mask);
  return g_test_run ();
}
