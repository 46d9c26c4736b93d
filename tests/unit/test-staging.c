/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Deployments being built: no sweeper takes one from a living builder, and none outlives its
 * builder for long.
 */
#include "core/staging.h"

#include "base/ofd-lock.h"
#include "core/trash.h"
#include "support.h"

#include <unistd.h>

static HfStaging *
create (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  HfStaging *staging = hf_staging_create (fixture->installation, &error);
  g_assert_no_error (error);
  return staging;
}

static void
test_create (Fixture *fixture, gconstpointer data)
{
  mode_t mask = umask (077);
  g_autoptr (HfStaging) one = create (fixture);
  (void)umask (mask);
  g_autoptr (HfStaging) two = create (fixture);
  g_assert_cmpstr (one->name, !=, two->name);
  g_assert_cmpuint (mode_at (fixture->installation->staging_fd, one->name), ==, HF_MODE_DIR);
  g_assert_cmpuint (mode_at (one->dir_fd, HF_REF_FILE), ==, HF_MODE_REF);
  g_assert_cmpuint (count_names (one->dir_fd, "."), ==, 1);
  g_assert_false (is_locked (fixture->installation->root_fd, HF_LOCK_FILE));
}

static void
test_locked (Fixture *fixture, gconstpointer data)
{
  g_autoptr (HfStaging) staging = create (fixture);
  g_assert_true (is_locked (staging->dir_fd, HF_REF_FILE));
  hf_autofd int fd = openat (staging->dir_fd, HF_REF_FILE, O_RDONLY | O_CLOEXEC);
  g_assert_true (hf_ofd_lock (fd, HF_OFD_SHARED, HF_OFD_TRY));
}

static void
stay (gpointer data)
{
}

static void
test_unlock (Fixture *fixture, gconstpointer data)
{
  g_autoptr (HfStaging) staging = create (fixture);
  pid_t child = child_start (stay, NULL);
  hf_staging_unlock (staging);
  hf_staging_unlock (staging);
  g_assert_false (is_locked (staging->dir_fd, HF_REF_FILE));
  child_kill (child);
}

static void
test_builder_at_work (Fixture *fixture, gconstpointer data)
{
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', NULL);
  g_autoptr (HfStaging) begun = create (fixture);
  g_autoptr (HfStaging) complete = stage (fixture->installation, info);
  g_autoptr (FakeStore) store = fake_store_new (fixture->installation);
  g_autoptr (HfSweepReport) report = sweep (fixture->installation, store);
  g_assert_cmpuint (report->entries->len, ==, 0);
  g_assert_cmpuint (report->held, ==, 0);
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_STAGING_DIR), ==, 2);
  g_assert_true (exists (complete->dir_fd, HF_TREE_DIR "/" HF_METADATA_FILE));
}

static void
build_and_die (gpointer data)
{
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', NULL);
  HfStaging *complete = stage (((Fixture *)data)->installation, info);
  HfStaging *begun = create (data);
  put_dir (begun->dir_fd, HF_FETCH_DIR, HF_MODE_DIR);
  put_file (begun->dir_fd, HF_FETCH_DIR "/half", "x", 0600);
  g_assert_true (is_locked (complete->dir_fd, HF_REF_FILE));
  _exit (0);
}

static void
test_builder_died (Fixture *fixture, gconstpointer data)
{
  run_child (build_and_die, fixture);
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_STAGING_DIR), ==, 2);
  g_autoptr (FakeStore) store = fake_store_new (fixture->installation);
  g_autoptr (HfSweepReport) report = sweep (fixture->installation, store);
  g_assert_cmpuint (report->swept, ==, 2);
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_STAGING_DIR), ==, 0);
  /* Only what was complete may have put anything into the repository. */
  g_assert_cmpuint (store->calls->len, ==, 2);
}

static void
test_just_born (Fixture *fixture, gconstpointer data)
{
  put_dir (fixture->installation->staging_fd, SERIAL, HF_MODE_DIR);
  g_autoptr (FakeStore) store = fake_store_new (fixture->installation);
  g_autoptr (HfSweepReport) report = sweep (fixture->installation, store);
  g_assert_cmpuint (report->entries->len, ==, 0);
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_STAGING_DIR), ==, 0);
}

static void
fail_without_right (gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (hf_staging_create (((Fixture *)data)->installation, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
}

static void
test_permission (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("only it may become somebody else"))
    return;
  run_unprivileged (fail_without_right, fixture);
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_STAGING_DIR), ==, 0);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/staging/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("a new entry is its own and has its modes whatever the umask", test_create);
  ADD ("it is born locked and others may share it", test_locked);
  ADD ("its lock goes when it is given up though a child has the descriptor", test_unlock);
  ADD ("a sweep leaves what a builder is at and does not call it held", test_builder_at_work);
  ADD ("a sweep takes what a dead builder left", test_builder_died);
  ADD ("a sweep removes an entry that died before its lock was born", test_just_born);
  ADD ("who may not change the installation leaves nothing", test_permission);
  return g_test_run ();
}
