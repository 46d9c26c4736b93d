/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patterns of refs: what is left out matches anything, and a wildcard never more than one component.
 */
#include "core/ref-glob.h"

#include "support.h"

static void
test_matches (void)
{
  static const struct
  {
    const char *glob;
    gboolean app, runtime;
  } cases[] = {
    { "org.test.App", TRUE, FALSE },
    { "org.test.*", TRUE, TRUE },
    { "app/*", TRUE, FALSE },
    { "app/", TRUE, FALSE },
    { "*//stable", TRUE, FALSE },
    { "org.test.App/x86_64", TRUE, FALSE },
    { "org.test.App/", TRUE, FALSE },
    { "app/org.test.App/x86_64/stable", TRUE, FALSE },
    { "*/*/*/*", TRUE, TRUE },
    { "*/*", TRUE, TRUE },
    { "r*/*/*/*", FALSE, TRUE },
    { "runtime/org.test.Platform//?", FALSE, TRUE },
    { "*//?table", TRUE, FALSE },
    { "org.test", FALSE, FALSE },
    { "org.test.App.Extra", FALSE, FALSE },
    { "rg.test.App", FALSE, FALSE },
    { "org.test.App*x86_64*stable", FALSE, FALSE },
    { "app/org.test.App/aarch64/stable", FALSE, FALSE },
    { "org.test.App//beta", FALSE, FALSE },
  };
  g_autoptr (HfRef) app = ref_of (APP);
  g_autoptr (HfRef) runtime = ref_of (RUNTIME);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s", cases[i].glob);
      g_assert_true (hf_ref_glob_is_valid (cases[i].glob));
      g_assert_cmpint (hf_ref_glob_matches (cases[i].glob, app), ==, cases[i].app);
      g_assert_cmpint (hf_ref_glob_matches (cases[i].glob, runtime), ==, cases[i].runtime);
    }
}

static void
test_invalid (void)
{
  static const char *const globs[]
      = { "", "a/b/c/d/e", "app/b/c/d/e", "a;b", "a b", "a[b]", "a\n", "\xc3\xa4" };
  for (gsize i = 0; i < G_N_ELEMENTS (globs); i++)
    g_assert_false (hf_ref_glob_is_valid (globs[i]));
  g_autofree char *longest = g_strnfill (1024, 'a');
  g_autofree char *longer = g_strnfill (1025, 'a');
  g_assert_true (hf_ref_glob_is_valid (longest));
  g_assert_false (hf_ref_glob_is_valid (longer));
}

static void
test_find (void)
{
  char *globs[] = { (char *)"org.other", (char *)"*//stable", (char *)"org.test.App", NULL };
  char *none[] = { NULL };
  g_autoptr (HfRef) app = ref_of (APP);
  g_autoptr (HfRef) runtime = ref_of (RUNTIME);
  g_assert_cmpstr (hf_ref_glob_find (globs, app), ==, "*//stable");
  g_assert_cmpstr (hf_ref_glob_find (globs, runtime), ==, NULL);
  g_assert_cmpstr (hf_ref_glob_find (none, app), ==, NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ref-glob/components match one by one", test_matches);
  g_test_add_func ("/ref-glob/what can match no ref is refused", test_invalid);
  g_test_add_func ("/ref-glob/the first that matches is found", test_find);
  return g_test_run ();
}
