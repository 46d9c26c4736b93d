/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The error domain: what callers branch on, and that nothing is lost on the way.
 */
#include "base/error.h"

#include <errno.h>
#include <string.h>

static void
test_throw (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (hf_throw (&error, HF_ERROR_UNSAFE, "%s has %d heads", "it", 2));
  g_assert_error (error, HF_ERROR, HF_ERROR_UNSAFE);
  g_assert_cmpstr (error->message, ==, "it has 2 heads");
}

static void
test_errno_message (void)
{
  g_autoptr (GError) error = NULL;
  errno = ENOTDIR;
  g_assert_false (hf_throw_errno (&error, "Cannot open %s", "a/b"));
  g_assert_cmpint (errno, ==, ENOTDIR);
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
  g_autofree char *expected = g_strdup_printf ("Cannot open a/b: %s", g_strerror (ENOTDIR));
  g_assert_cmpstr (error->message, ==, expected);
}

static void
test_errno_full (gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  errno = GPOINTER_TO_INT (data);
  g_assert_false (hf_throw_errno (&error, "Cannot write"));
  g_assert_error (error, HF_ERROR, HF_ERROR_NO_SPACE);
}

static void
test_domain (void)
{
  g_assert_cmpstr (g_quark_to_string (HF_ERROR), ==, "hf-error-quark");
}

static void
test_null (void)
{
  g_assert_false (hf_throw (NULL, HF_ERROR_FAILED, "nobody hears it"));
  errno = EIO;
  g_assert_false (hf_throw_errno (NULL, "nobody hears it"));
  g_assert_cmpint (errno, ==, EIO);
}

static void
test_is (void)
{
  g_autoptr (GError) ours = NULL;
  g_autoptr (GError) foreign
      = g_error_new_literal (G_FILE_ERROR, HF_ERROR_IN_USE, "the same number, another domain");
  (void)hf_throw (&ours, HF_ERROR_IN_USE, "held");
  g_assert_true (hf_error_is (ours, HF_ERROR_IN_USE));
  g_assert_false (hf_error_is (ours, HF_ERROR_DAMAGED));
  g_assert_false (hf_error_is (foreign, HF_ERROR_IN_USE));
  g_assert_false (hf_error_is (NULL, HF_ERROR_FAILED));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/an error carries its code and its message", test_throw);
  g_test_add_func ("/error/a failed call is named with its cause and errno survives",
                   test_errno_message);
  g_test_add_data_func ("/error/a full disk is told apart", GINT_TO_POINTER (ENOSPC),
                        test_errno_full);
  g_test_add_data_func ("/error/an exhausted quota is told apart", GINT_TO_POINTER (EDQUOT),
                        test_errno_full);
  g_test_add_func ("/error/nobody has to listen", test_null);
  g_test_add_func ("/error/a code of another domain is not ours", test_is);
  g_test_add_func ("/error/the domain has its name", test_domain);
  return g_test_run ();
}
