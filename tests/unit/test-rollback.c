/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rollback: which deployment is chosen, and that one which cannot be leaves everything as it was.  What becomes of
 * the hold and of what is kept stands in test-previous.c.
 */
#include "core/rollback.h"

#include "core/active.h"
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
roll_back (HfInstallation *installation, const char *to, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autofree char *commit = NULL;
  (void)!hf_rollback (installation, ref, to, &commit, &error);
  g_assert_no_error (error);
  g_autofree char *active = active_of (installation, APP);
  g_assert_cmpstr (active, ==, expected);
  g_assert_true (g_str_has_prefix (expected, commit));
}

static void
assert_refused (HfInstallation *installation, const char *to, const char *why)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autofree char *commit = NULL;
  g_autofree char *before = active_of (installation, APP);
  g_assert_false (hf_rollback (installation, ref, to, &commit, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, why));
  g_assert_true (g_str_has_prefix (error->message, APP ": "));
  g_assert_null (commit);
  g_autofree char *after = active_of (installation, APP);
  g_assert_cmpstr (before, ==, after);
  g_assert_false (hf_active_is_held (installation, ref));
  g_assert_false (is_marked (installation));
}

static void
test_to (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=5");
  g_autofree char *first = deploy (installation, APP, 'a');
  g_autofree char *second = deploy (installation, APP, 'b');
  g_autofree char *third = deploy (installation, APP, 'c');
  roll_back (installation, "aaaaaaaa", first);
  roll_back (installation, strrchr (second, '.') + 1, second);
  roll_back (installation, third, third);
}

/* What left service last is what one goes back to: so a second one undoes the first. */
static void
test_twice (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=1");
  g_autofree char *first = deploy (installation, APP, 'a');
  g_autofree char *second = deploy (installation, APP, 'b');
  roll_back (installation, NULL, first);
  roll_back (installation, NULL, second);
  roll_back (installation, NULL, first);
}

static void
test_refused (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=1");
  assert_refused (installation, NULL, "not installed");
  g_autofree char *first = deploy (installation, APP, 'a');
  assert_refused (installation, NULL, "no earlier deployment");
  g_autofree char *second = deploy (installation, APP, 'b');
  assert_refused (installation, "cccccccc", "cccccccc");
  assert_refused (installation, "bbbbbbbb", "bbbbbbbb");
  g_autofree char *path = removed (installation, APP, 'c');
  assert_refused (installation, NULL, "not installed");
}

/* The earlier one would not start. */
static void
test_runtime (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (HfRef) runtime = ref_of (RUNTIME);
  configure (installation, "keep-previous=1");
  g_autofree char *needed = deploy (installation, RUNTIME, 'a');
  g_autofree char *first = deploy_needing (installation, APP, 'b', RUNTIME);
  g_autofree char *second = deploy (installation, APP, 'c');
  g_autofree char *branch = g_strconcat (HF_DEPLOY_DIR "/" RUNTIME "/" HF_ACTIVE_LINK, NULL);
  g_assert_no_errno (unlinkat (installation->root_fd, branch, 0));
  assert_refused (installation, NULL, "needs " RUNTIME ", which is not installed: try");
  g_assert_no_errno (symlinkat (needed, installation->root_fd, branch));
  roll_back (installation, NULL, first);
}

static void
end (HfInstallation *installation, const char *name, gboolean ends)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  gboolean ended;
  g_autofree char *before = active_of (installation, APP);
  (void)!hf_rollback_end (installation, ref, name, &ended, &error);
  g_assert_no_error (error);
  g_assert_cmpint (ended, ==, ends);
  g_autofree char *after = active_of (installation, APP);
  g_assert_cmpstr (before, ==, after);
  g_assert_false (is_marked (installation));
}

static void
test_end (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (HfRef) ref = ref_of (APP);
  configure (installation, "keep-previous=1");
  g_autofree char *first = deploy (installation, APP, 'a');
  end (installation, first, FALSE);
  g_autofree char *second = deploy (installation, APP, 'b');
  roll_back (installation, NULL, first);
  end (installation, second, FALSE); /* what was active before a rollback that came since */
  g_assert_true (hf_active_is_held (installation, ref));
  end (installation, first, TRUE);
  g_assert_false (hf_active_is_held (installation, ref));
  end (installation, first, FALSE);
  roll_back (installation, NULL, second);
  g_assert_true (hf_active_is_held (installation, ref));
}

/* As a power cut can leave it: announced, active, and no mark that says so.  Then another rollback fails. */
static void
test_announced (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autoptr (GError) error = NULL;
  g_autofree char *commit = NULL;
  configure (installation, "keep-previous=1");
  g_autofree char *first = deploy (installation, APP, 'a');
  g_autofree char *second = deploy (installation, APP, 'b');
  roll_back (installation, NULL, first);
  hf_autofd int branch_fd = open_dir_at (installation->deploy_fd, APP);
  g_assert_no_errno (renameat (branch_fd, HF_HELD_LINK, branch_fd, HF_HELD_LINK_NEW));
  g_assert_true (hf_active_is_held (installation, ref));
  g_assert_no_errno (mkdirat (branch_fd, HF_ACTIVE_LINK_NEW, 0755));
  g_assert_false (hf_rollback (installation, ref, NULL, &commit, &error));
  g_assert_true (hf_active_is_held (installation, ref));
  g_assert_no_errno (unlinkat (branch_fd, HF_ACTIVE_LINK_NEW, AT_REMOVEDIR));
  roll_back (installation, NULL, second);
  g_assert_true (hf_active_is_held (installation, ref));
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/rollback/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("the one that is named is chosen, by commit, serial or both", test_to);
  ADD ("a second one undoes the first", test_twice);
  ADD ("without a way back everything stays", test_refused);
  ADD ("its hold ends where it is, and only that", test_end);
  ADD ("nothing that lacks its runtime is gone back to", test_runtime);
  ADD ("a hold that is only announced outlasts a rollback that fails", test_announced);
  return g_test_run ();
}
