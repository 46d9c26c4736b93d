/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Putting a deployment into service: whole, only over what it was built to replace, and with
 * nothing left half done.
 */
#include "core/publish.h"

#include "core/active.h"
#include "core/deployed.h"
#include "core/remove.h"
#include "core/rollback.h"
#include "support.h"

#include <string.h>
#include <unistd.h>

static void
assert_in_service_but_for (Fixture *fixture, const char *name, guint staged)
{
  g_autofree char *active = active_of (fixture->installation, APP);
  g_autofree char *path = deployed_path (APP, name);
  g_assert_cmpstr (active, ==, name);
  g_assert_cmpuint (state_at (fixture->installation, path), ==, HF_STATE_SETTLED);
  g_assert_false (is_marked (fixture->installation));
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_STAGING_DIR), ==, staged);
}

static void
assert_in_service (Fixture *fixture, const char *name)
{
  assert_in_service_but_for (fixture, name, 0);
}

static void
test_first (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', NULL);
  g_autoptr (HfStaging) staging = stage (fixture->installation, info);
  g_autofree char *name = hf_deployment_name (info->commit, staging->name);
  (void)!hf_publish (staging, info, NULL, FALSE, &error);
  g_assert_no_error (error);
  assert_in_service (fixture, name);
  g_assert_true (is_locked (staging->dir_fd, HF_REF_FILE));
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_REMOVED_DIR), ==, 0);
}

static void
test_replace (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old = deploy (fixture->installation, APP, 'a');
  g_autofree char *new = deploy (fixture->installation, APP, 'b');
  assert_in_service (fixture, new);
  g_autofree char *gone = only_name (fixture->installation->root_fd, HF_REMOVED_DIR);
  g_assert_cmpstr (hf_removed_name_deployment (gone), ==, old);
  g_autofree char *entry = g_strconcat (HF_REMOVED_DIR "/", gone, NULL);
  g_assert_cmpuint (state_at (fixture->installation, entry), ==, HF_STATE_SETTLED);
  /* Its old path still leads to it. */
  g_autofree char *path = deployed_path (APP, old);
  g_autofree char *inside = g_strconcat (path, "/" HF_TREE_DIR "/" HF_METADATA_FILE, NULL);
  g_assert_no_errno (faccessat (fixture->installation->root_fd, inside, R_OK, 0));
}

/* The entry is as it was, and so is everything else. */
static void
assert_refused (Fixture *fixture, char digit, const char *runtime, const char *expected_active,
                HfErrorCode code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeploymentInfo) info = info_of (APP, digit, runtime);
  g_autoptr (HfStaging) staging = stage (fixture->installation, info);
  g_autofree char *before = active_of (fixture->installation, APP);
  g_assert_false (hf_publish (staging, info, expected_active, FALSE, &error));
  g_assert_error (error, HF_ERROR, (int)code);
  g_autofree char *after = active_of (fixture->installation, APP);
  g_assert_cmpstr (after, ==, before);
  g_assert_true (exists (fixture->installation->staging_fd, staging->name));
  g_assert_cmpuint (mode_at (staging->dir_fd, HF_DEPLOYMENT_FILE), ==, HF_STATE_COMPLETE);
  g_assert_false (is_marked (fixture->installation));
  g_assert_false (is_locked (fixture->installation->root_fd, HF_LOCK_FILE));
}

static void
test_changed (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old = deploy (fixture->installation, APP, 'a');
  g_autofree char *now = deploy (fixture->installation, APP, 'b');
  assert_refused (fixture, 'c', NULL, old, HF_ERROR_CHANGED);
  assert_refused (fixture, 'c', NULL, NULL, HF_ERROR_CHANGED);
}

/* Also if by now it is the deployment again that was to be replaced. */
static void
test_rolled_back (Fixture *fixture, gconstpointer data)
{
  g_autoptr (HfRef) ref = ref_of (APP);
  configure (fixture->installation, "keep-previous=1");
  g_autofree char *old = deploy (fixture->installation, APP, 'a');
  g_autofree char *new = deploy (fixture->installation, APP, 'b');
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *commit = NULL;
      (void)!hf_rollback (fixture->installation, ref, NULL, &commit, &error);
      g_assert_no_error (error);
    }
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'c', NULL);
  g_autoptr (HfStaging) staging = stage (fixture->installation, info);
  g_assert_false (hf_publish (staging, info, new, TRUE, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_CHANGED);
  assert_in_service_but_for (fixture, new, 1);
  g_clear_error (&error);
  (void)!hf_publish (staging, info, new, FALSE, &error);
  g_assert_no_error (error);
  g_assert_false (hf_active_is_held (fixture->installation, ref));
}

static void
test_uninstalled (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = removed (fixture->installation, APP, 'a');
  const char *name = hf_removed_name_deployment (strrchr (path, '/') + 1);
  assert_refused (fixture, 'b', NULL, name, HF_ERROR_CHANGED);
  g_autofree char *active = active_of (fixture->installation, APP);
  g_assert_null (active);
}

static void
test_runtime (Fixture *fixture, gconstpointer data)
{
  assert_refused (fixture, 'a', RUNTIME, NULL, HF_ERROR_NOT_FOUND);
  g_assert_false (exists (fixture->installation->deploy_fd, APP));

  g_autofree char *runtime = deploy (fixture->installation, RUNTIME, 'f');
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', RUNTIME);
  g_autoptr (HfStaging) staging = stage (fixture->installation, info);
  (void)!hf_publish (staging, info, NULL, FALSE, &error);
  g_assert_no_error (error);
}

static void
test_same_commit (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old = deploy (fixture->installation, APP, 'a');
  g_autofree char *new = deploy (fixture->installation, APP, 'a');
  g_assert_cmpstr (old, !=, new);
  assert_in_service (fixture, new);
}

/* What a crash of an earlier publication left in the branch. */
static void
test_after_crash (Fixture *fixture, gconstpointer data)
{
  g_autofree char *orphan = deploy_orphan (fixture->installation, APP, 'e', HF_STATE_COMPLETE);
  set_mark (fixture->installation);
  hf_autofd int branch_fd = open_dir_at (fixture->installation->deploy_fd, APP);
  g_assert_no_errno (symlinkat ("nowhere", branch_fd, HF_ACTIVE_LINK_NEW));
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autofree char *gone = only_name (fixture->installation->root_fd, HF_REMOVED_DIR);
  g_assert_cmpstr (hf_removed_name_deployment (gone), ==, strrchr (orphan, '/') + 1);
  assert_in_service (fixture, name);
  hf_fd_clear (&branch_fd);
  branch_fd = open_dir_at (fixture->installation->deploy_fd, APP);
  g_assert_false (exists (branch_fd, HF_ACTIVE_LINK_NEW));
}

static void
test_pending_mark (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = deploy_orphan (fixture->installation, OTHER, 'e', HF_STATE_RETIRED);
  set_mark (fixture->installation);
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_assert_true (is_marked (fixture->installation));
  g_assert_cmpuint (state_at (fixture->installation, path), ==, HF_STATE_RETIRED);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/publish/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("a first deployment is in service and still its builder's to hold", test_first);
  ADD ("the replaced deployment is in removed and its old path leads there", test_replace);
  ADD ("another active than expected is left", test_changed);
  ADD ("what a rollback holds is left unless the ref is named", test_rolled_back);
  ADD ("what was uninstalled meanwhile does not come back", test_uninstalled);
  ADD ("a missing runtime is told and nothing is published", test_runtime);
  ADD ("the same commit is another deployment", test_same_commit);
  ADD ("what a crash left is settled first", test_after_crash);
  ADD ("the mark of what waits for a sweep in place stays", test_pending_mark);
  return g_test_run ();
}
