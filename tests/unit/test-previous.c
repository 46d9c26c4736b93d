/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is kept beside the active deployment, and going back to it.
 */
#include "core/previous.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/active.h"
#include "core/rollback.h"
#include "support.h"

#include <unistd.h>

static int
branch_of (Fixture *fixture)
{
  return open_dir_at (fixture->installation->deploy_fd, APP);
}

/* When it left service, for tests that do not wait for a clock. */
static void
left_at (Fixture *fixture, const char *name, gint64 seconds)
{
  const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = seconds } };
  hf_autofd int branch_fd = branch_of (fixture);
  g_autofree char *path = g_strconcat (name, "/" HF_DEPLOYMENT_FILE, NULL);
  g_assert_no_errno (utimensat (branch_fd, path, times, 0));
}

static gboolean
is_kept (Fixture *fixture, const char *name)
{
  hf_autofd int branch_fd = branch_of (fixture);
  struct stat st;
  return fstatat (branch_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode);
}

static void
test_most (Fixture *fixture, gconstpointer data)
{
  configure (fixture->installation, "keep-previous=2");
  g_autofree char *first = deploy (fixture->installation, APP, 'a');
  g_autofree char *second = deploy (fixture->installation, APP, 'b');
  g_autofree char *third = deploy (fixture->installation, APP, 'c');
  left_at (fixture, first, 30);
  left_at (fixture, second, 20);
  g_autofree char *fourth = deploy (fixture->installation, APP, 'd');
  g_assert_true (is_kept (fixture, first));
  g_assert_false (is_kept (fixture, second));
  g_assert_true (is_kept (fixture, third));
  g_assert_true (is_kept (fixture, fourth));
}

static void
test_order (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  configure (fixture->installation, "keep-previous=5");
  g_autofree char *first = deploy (fixture->installation, APP, 'a');
  g_autofree char *second = deploy (fixture->installation, APP, 'b');
  g_autofree char *third = deploy (fixture->installation, APP, 'c');
  left_at (fixture, first, 30);
  left_at (fixture, second, 20);
  hf_autofd int branch_fd = branch_of (fixture);
  g_autoptr (GPtrArray) list = hf_previous_list (branch_fd, third, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (list->len, ==, 2);
  g_assert_cmpstr (((HfPrevious *)list->pdata[0])->name, ==, first);
  g_assert_true (hf_previous_find (list, "bbbb", &error) == list->pdata[1]);
  g_assert_null (hf_previous_find (list, "bbb", &error));
  g_assert_true (hf_error_is (error, HF_ERROR_NOT_FOUND));
}

/* An installer that died before it flipped `active` is no way back. */
static void
test_never_in_service (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  configure (fixture->installation, "keep-previous=5");
  g_autofree char *first = deploy (fixture->installation, APP, 'a');
  g_autofree char *orphan = deploy_orphan (fixture->installation, APP, 'b', HF_STATE_COMPLETE);
  hf_autofd int branch_fd = branch_of (fixture);
  g_autoptr (GPtrArray) list = hf_previous_list (branch_fd, first, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (list->len, ==, 0);
  set_mark (fixture->installation);
  settle (fixture->installation);
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_REMOVED_DIR), ==, 1);
}

static void
test_settling (Fixture *fixture, gconstpointer data)
{
  configure (fixture->installation, "keep-previous=1");
  g_autofree char *first = deploy (fixture->installation, APP, 'a');
  g_autofree char *second = deploy (fixture->installation, APP, 'b');
  set_mark (fixture->installation);
  settle (fixture->installation);
  g_assert_true (is_kept (fixture, first));
  configure (fixture->installation, "keep-previous=0");
  set_mark (fixture->installation);
  settle (fixture->installation);
  g_assert_false (is_kept (fixture, first));
  g_assert_true (is_kept (fixture, second));
  g_assert_false (is_marked (fixture->installation));
}

/* What may be kept is not given up, and whoever comes later does it. */
static void
test_settling_without_configuration (Fixture *fixture, gconstpointer data)
{
  configure (fixture->installation, "keep-previous=1");
  g_autofree char *first = deploy (fixture->installation, APP, 'a');
  g_autofree char *second = deploy (fixture->installation, APP, 'b');
  configure (fixture->installation, "keep-previous=soon");
  set_mark (fixture->installation);
  settle (fixture->installation);
  g_assert_true (is_kept (fixture, first));
  g_assert_true (is_kept (fixture, second));
  g_assert_true (is_marked (fixture->installation));
}

static void
test_rollback (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *commit = NULL;
  configure (fixture->installation, "keep-previous=1");
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autofree char *first = deploy (fixture->installation, APP, 'a');
  g_autofree char *second = deploy (fixture->installation, APP, 'b');
  g_assert_false (hf_active_is_held (fixture->installation, ref));
  (void)!hf_rollback (fixture->installation, ref, NULL, &commit, &error);
  g_assert_no_error (error);
  g_autofree char *active = active_of (fixture->installation, APP);
  g_assert_cmpstr (active, ==, first);
  g_assert_true (g_str_has_prefix (first, commit));
  g_assert_true (hf_active_is_held (fixture->installation, ref));
  g_assert_true (is_kept (fixture, second));
  g_assert_false (is_marked (fixture->installation));
  g_autofree char *third = deploy (fixture->installation, APP, 'c');
  g_assert_false (hf_active_is_held (fixture->installation, ref));
  g_assert_true (is_kept (fixture, first));
  g_assert_false (is_kept (fixture, second));
}

/* As a crash between the hold and the flip leaves it. */
static void
test_half_a_rollback (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  configure (fixture->installation, "keep-previous=1");
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autofree char *first = deploy (fixture->installation, APP, 'a');
  g_autofree char *second = deploy (fixture->installation, APP, 'b');
  hf_autofd int branch_fd = branch_of (fixture);
  set_mark (fixture->installation);
  (void)!hf_held_announce (branch_fd, first, &error);
  g_assert_no_error (error);
  g_assert_false (hf_active_is_held (fixture->installation, ref));
  settle (fixture->installation);
  struct stat st;
  g_assert_cmpint (fstatat (branch_fd, HF_HELD_LINK, &st, AT_SYMLINK_NOFOLLOW), !=, 0);
  g_assert_cmpint (fstatat (branch_fd, HF_HELD_LINK_NEW, &st, AT_SYMLINK_NOFOLLOW), !=, 0);
  g_assert_true (is_kept (fixture, first));
}

/* The same where a rollback has chosen what is active, and then right after the flip. */
static void
test_half_a_second_rollback (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *commit = NULL;
  configure (fixture->installation, "keep-previous=1");
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autofree char *first = deploy (fixture->installation, APP, 'a');
  g_autofree char *second = deploy (fixture->installation, APP, 'b');
  (void)!hf_rollback (fixture->installation, ref, NULL, &commit, &error);
  g_assert_no_error (error);
  hf_autofd int branch_fd = branch_of (fixture);
  for (guint flipped = 0; flipped < 2; flipped++)
    {
      set_mark (fixture->installation);
      (void)!(hf_held_announce (branch_fd, second, &error)
              && (flipped == 0 || hf_active_set (branch_fd, second, &error)));
      g_assert_no_error (error);
      g_assert_true (hf_active_is_held (fixture->installation, ref));
      settle (fixture->installation);
      g_assert_true (hf_active_is_held (fixture->installation, ref));
      g_assert_true (is_kept (fixture, flipped == 0 ? second : first));
    }
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/previous/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("those that were in service last are kept", test_most);
  ADD ("the one that left service last comes first", test_order);
  ADD ("what never was in service is not kept", test_never_in_service);
  ADD ("settling keeps what is to be kept and no more", test_settling);
  ADD ("settling gives nothing up where it cannot tell", test_settling_without_configuration);
  ADD ("a rollback flips and holds until something else is published", test_rollback);
  ADD ("half a rollback is none", test_half_a_rollback);
  ADD ("half a rollback loses no hold of another", test_half_a_second_rollback);
  return g_test_run ();
}
