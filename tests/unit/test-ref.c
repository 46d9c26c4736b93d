/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The grammar of refs and of the patterns that people type.  What parses is safe as a path.
 */
#include "core/ref.h"

#include "base/error.h"

#include <string.h>

#define A25  "aaaaaaaaaaaaaaaaaaaaaaaaa"
#define A250 A25 A25 A25 A25 A25 A25 A25 A25 A25 A25

static const char *const valid[] = {
  "app/org.test.App/x86_64/stable",
  "runtime/org.test.Platform/aarch64/23.08",
  "app/org.test.App-Beta/x86_64/master",
  "app/_a._b._c/x86_64/_1",
  "app/a.b.c.d.e/i386/a-b.c_d",
  "app/a.b." A250 "a/x/1",          /* 255 bytes */
  "app/a.b.c/x86_64/" A250 "aaaaa", /* 255 bytes */
  "app/a.b.c/x86_64/1..2",
};

static const char *const invalid[] = {
  "",
  "/",
  "///",
  "app",
  "app/org.test.App",
  "app/org.test.App/x86_64",
  "app/org.test.App/x86_64/",
  "app/org.test.App//stable",
  "app//x86_64/stable",
  "/org.test.App/x86_64/stable",
  "app/org.test.App/x86_64/stable/",
  "app/org.test.App/x86_64/stable/more",
  "/app/org.test.App/x86_64/stable",
  "App/org.test.App/x86_64/stable",
  "extension/org.test.App/x86_64/stable",
  "../org.test.App/x86_64/stable",
  "app/../x86_64/stable",
  "app/./x86_64/stable",
  "app/.../x86_64/stable",
  "app/org.test.App/../stable",
  "app/org.test.App/./stable",
  "app/org.test.App/x86_64/..",
  "app/org.test.App/x86_64/.",
  "app/org.test.App/x86_64/.hidden",
  "app/org.test.App/x86_64/-option",
  "app/org.test/x86_64/stable",
  "app/App/x86_64/stable",
  "app/org..App/x86_64/stable",
  "app/.org.test.App/x86_64/stable",
  "app/org.test.App./x86_64/stable",
  "app/org.test.1App/x86_64/stable",
  "app/org.te-st.App/x86_64/stable",
  "app/org.test.-App/x86_64/stable",
  "app/org.test.A pp/x86_64/stable",
  "app/org.test.App\n/x86_64/stable",
  "app/org.test.Äpp/x86_64/stable",
  "app/org.test.App/x86-64/stable",
  "app/org.test.App/x86_64/sta ble",
  "app/org.test.App/x86_64/sta\tble",
  "app/a.b." A250 "aa/x/1",
  "app/a.b.c/" A250 "aaaaaa/1",
  "app/a.b.c/x86_64/" A250 "aaaaaa",
};

static void
test_valid (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (valid); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (HfRef) ref = hf_ref_parse (valid[i], &error);
      g_assert_no_error (error);
      g_assert_cmpstr (ref->full, ==, valid[i]);
    }
}

static void
test_invalid (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (invalid); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (HfRef) ref = hf_ref_parse (invalid[i], &error);
      if (ref != NULL)
        g_test_message ("'%s' was taken for a ref", invalid[i]);
      g_assert_null (ref);
      g_assert_error (error, HF_ERROR, HF_ERROR_USAGE);
      g_assert_nonnull (strstr (error->message, invalid[i]));
    }
}

static void
test_components (void)
{
  g_autoptr (HfRef) ref = hf_ref_parse ("app/org.test.App/x86_64/stable", NULL);
  g_autoptr (HfRef) copy = hf_ref_copy (ref);
  g_autoptr (HfRef) later = hf_ref_parse ("runtime/org.test.App/x86_64/stable", NULL);
  g_assert_cmpstr (copy->kind, ==, "app");
  g_assert_cmpstr (copy->id, ==, "org.test.App");
  g_assert_cmpstr (copy->arch, ==, "x86_64");
  g_assert_cmpstr (copy->branch, ==, "stable");
  g_assert_cmpstr (copy->full, ==, ref->full);
  g_assert_cmpint (hf_ref_compare (ref, copy), ==, 0);
  g_assert_cmpint (hf_ref_compare (ref, later), <, 0);
  g_assert_true (hf_ref_is_app (ref));
  g_assert_false (hf_ref_is_app (later));
}

typedef struct
{
  const char *text;
  gboolean matches; /* app/org.test.App/x86_64/stable */
  gboolean resembles;
} Pattern;

static const Pattern patterns[] = {
  { "org.test.App", TRUE, FALSE },
  { "app/org.test.App", TRUE, FALSE },
  { "org.test.App/", TRUE, FALSE },
  { "org.test.App//", TRUE, FALSE },
  { "org.test.App//stable", TRUE, FALSE },
  { "org.test.App/x86_64", TRUE, FALSE },
  { "org.test.App/x86_64/", TRUE, FALSE },
  { "app/org.test.App//stable", TRUE, FALSE },
  { "app/org.test.App/x86_64/stable", TRUE, FALSE },
  { "runtime/org.test.App", FALSE, FALSE },
  { "org.test.App//beta", FALSE, FALSE },
  { "org.test.App/aarch64", FALSE, FALSE },
  { "org.test.app", FALSE, FALSE },
  { "org.test", FALSE, FALSE },
  { "App", FALSE, TRUE },
  { "app", FALSE, TRUE },
  { "APP//stable", FALSE, TRUE },
  { "app/app", FALSE, TRUE },
  { "runtime/app", FALSE, FALSE },
  { "App//beta", FALSE, FALSE },
  { "Ap", FALSE, FALSE },
};

static void
test_patterns (void)
{
  g_autoptr (HfRef) ref = hf_ref_parse ("app/org.test.App/x86_64/stable", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (patterns); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (HfRefPattern) pattern = hf_ref_pattern_parse (patterns[i].text, &error);
      g_test_message ("%s", patterns[i].text);
      g_assert_no_error (error);
      g_assert_cmpint (hf_ref_pattern_matches (pattern, ref), ==, patterns[i].matches);
      g_assert_cmpint (hf_ref_pattern_resembles (pattern, ref), ==, patterns[i].resembles);
    }
}

static const char *const invalid_patterns[] = {
  "",
  "/",
  "//",
  "//stable",
  "app/",
  "app//",
  "app//beta",
  ".",
  "..",
  "../x",
  "org.test.App/..",
  "org.test.App//..",
  "org.test.App/x86_64/stable/more",
  "app/org.test.App/x86_64/stable/more",
  "-x",
  ".x",
  "a b",
  "org.test.App//-x",
  "org.test.App/x-y",
  A250 "aaaaaa",
};

static void
test_invalid_patterns (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (invalid_patterns); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (HfRefPattern) pattern = hf_ref_pattern_parse (invalid_patterns[i], &error);
      g_test_message ("'%s'", invalid_patterns[i]);
      g_assert_null (pattern);
      g_assert_error (error, HF_ERROR, HF_ERROR_USAGE);
    }
}

static void
test_commits (void)
{
  g_autofree char *good = g_strnfill (64, 'f');
  g_autofree char *longer = g_strnfill (65, 'f');
  g_autofree char *shorter = g_strnfill (63, 'f');
  g_autofree char *upper = g_strnfill (64, 'F');
  g_assert_true (hf_commit_is_valid (good));
  g_assert_false (hf_commit_is_valid (longer));
  g_assert_false (hf_commit_is_valid (shorter));
  g_assert_false (hf_commit_is_valid (upper));
  g_assert_false (hf_commit_is_valid (""));
  good[63] = '/';
  g_assert_false (hf_commit_is_valid (good));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ref/every ref of the grammar is read and written back", test_valid);
  g_test_add_func ("/ref/what could leave a directory or is no ref is refused", test_invalid);
  g_test_add_func ("/ref/a ref is its components", test_components);
  g_test_add_func ("/ref/a pattern matches by every component that it gives", test_patterns);
  g_test_add_func ("/ref/a malformed pattern is refused", test_invalid_patterns);
  g_test_add_func ("/ref/a commit is 64 lower-case hexadecimal digits", test_commits);
  return g_test_run ();
}
