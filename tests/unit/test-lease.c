/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Leases: once one is had nothing of the deployment goes, and none is ever had on what is dying.
 * The windows are held open by the hook between opening a `.ref` and locking it.
 */
#include "core/lease.h"

#include "base/ofd-lock.h"
#include "core/remove.h"
#include "support.h"

#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static HfLease *
acquire (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  HfLease *lease = hf_lease_acquire (fixture->installation, ref, &error);
  g_assert_no_error (error);
  return lease;
}

static void
assert_refused (Fixture *fixture, HfErrorCode code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  g_assert_null (hf_lease_acquire (fixture->installation, ref, &error));
  g_assert_error (error, HF_ERROR, (int)code);
  g_assert_nonnull (strstr (error->message, APP));
}

static void
remove_app (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  (void)!hf_remove_ref (fixture->installation, ref, FALSE, &error);
  g_assert_no_error (error);
}

static HfSweepOutcome
sweep_one (Fixture *fixture)
{
  g_autoptr (FakeStore) store = fake_store_new (fixture->installation);
  g_autoptr (HfSweepReport) report = sweep (fixture->installation, store);
  g_assert_cmpuint (report->entries->len, ==, 1);
  return ((HfSweepEntry *)report->entries->pdata[0])->outcome;
}

static void
test_acquire (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autoptr (HfLease) one = acquire (fixture);
  g_autoptr (HfLease) two = acquire (fixture);
  g_assert_cmpstr (one->name, ==, name);
  g_assert_cmpstr (one->info->ref->full, ==, APP);
  g_assert_true (exists (one->dir_fd, HF_TREE_DIR));
  g_assert_true (is_locked (one->dir_fd, HF_REF_FILE));
}

static void
test_keeps (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autoptr (HfLease) lease = acquire (fixture);
  remove_app (fixture);
  g_assert_cmpint (sweep_one (fixture), ==, HF_SWEEP_HELD);
  g_assert_true (exists (lease->dir_fd, HF_TREE_DIR "/" HF_FILES_DIR "/hello"));
  /* A copy of the descriptor keeps it too, as the launcher's message to bubblewrap does. */
  hf_autofd int copy = fcntl (lease->lock_fd, F_DUPFD_CLOEXEC, 0);
  g_clear_pointer (&lease, hf_lease_free);
  g_assert_cmpint (sweep_one (fixture), ==, HF_SWEEP_HELD);
  hf_fd_clear (&copy);
  g_assert_cmpint (sweep_one (fixture), ==, HF_SWEEP_SWEPT);
}

static void
test_update (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old = deploy (fixture->installation, APP, 'a');
  g_autoptr (HfLease) before = acquire (fixture);
  g_autofree char *new = deploy (fixture->installation, APP, 'b');
  g_autoptr (HfLease) after = acquire (fixture);
  g_assert_cmpstr (before->name, ==, old);
  g_assert_cmpstr (after->name, ==, new);
  g_assert_cmpint (sweep_one (fixture), ==, HF_SWEEP_HELD);
  g_assert_true (exists (before->dir_fd, HF_TREE_DIR "/" HF_METADATA_FILE));
}

static void
test_not_installed (Fixture *fixture, gconstpointer data)
{
  assert_refused (fixture, HF_ERROR_NOT_FOUND);
  g_autofree char *path = removed (fixture->installation, APP, 'a');
  assert_refused (fixture, HF_ERROR_NOT_FOUND);
}

static char *
ref_path (const char *name)
{
  return g_strconcat (HF_DEPLOY_DIR "/" APP "/", name, "/" HF_REF_FILE, NULL);
}

/* Somebody has the `.ref` exclusively, as only a sweeper does: no lease, and no waiting. */
static void
test_never_waits (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autofree char *path = ref_path (name);
  hf_autofd int fd = openat (fixture->installation->root_fd, path, O_RDWR | O_CLOEXEC);
  g_autofree char *place = deployed_path (APP, name);
  fall_to (fixture->installation, place, HF_STATE_RETIRED);
  g_assert_true (hf_ofd_lock (fd, HF_OFD_EXCLUSIVE, HF_OFD_TRY));
  assert_refused (fixture, HF_ERROR_NOT_FOUND);
}

static void
test_dying (Fixture *fixture, gconstpointer data)
{
  static const HfDeploymentState states[]
      = { HF_STATE_RETIRED, HF_STATE_DELETING, HF_STATE_PRUNED };
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autofree char *path = deployed_path (APP, name);
  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    {
      fall_to (fixture->installation, path, states[i]);
      assert_refused (fixture, HF_ERROR_NOT_FOUND);
    }
  hf_autofd int fd = open_dir_at (fixture->installation->root_fd, path);
  g_assert_no_errno (unlinkat (fd, HF_DEPLOYMENT_FILE, 0));
  assert_refused (fixture, HF_ERROR_NOT_FOUND);
}

static void
test_no_ref (Fixture *fixture, gconstpointer kind)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autofree char *path = ref_path (name);
  int root = fixture->installation->root_fd;
  g_assert_no_errno (unlinkat (root, path, 0));
  if (g_strcmp0 (kind, "directory") == 0)
    put_dir (root, path, 0755);
  else if (g_strcmp0 (kind, "fifo") == 0)
    g_assert_no_errno (mkfifoat (root, path, HF_MODE_REF));
  else if (g_strcmp0 (kind, "symlink") == 0)
    g_assert_no_errno (symlinkat (HF_DEPLOYMENT_FILE, root, path));
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autoptr (HfLease) lease = hf_lease_acquire (fixture->installation, ref, &error);
  g_assert_null (lease);
  g_assert_nonnull (error);
}

/* --- In the window ---------------------------------------------------------------------------- */

#ifdef HF_TEST_HOOKS
/* Exits with the digit of the commit that it got a lease on, or 1 if the ref is not installed. */
static void G_GNUC_NORETURN
launch (Fixture *fixture, const char *point)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  g_setenv ("HOLDFAST_TEST_STOP", point, TRUE);
  g_autoptr (HfLease) lease = hf_lease_acquire (fixture->installation, ref, &error);
  if (lease == NULL)
    {
      g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
      _exit (1);
    }
  g_assert_true (exists (lease->dir_fd, HF_TREE_DIR "/" HF_FILES_DIR "/hello"));
  g_assert_true (is_locked (lease->dir_fd, HF_REF_FILE));
  _exit (lease->info->commit[0]);
}

static pid_t
launch_up_to (Fixture *fixture, const char *point)
{
  int status;
  pid_t pid = fork ();
  g_assert_no_errno (pid);
  if (pid == 0)
    launch (fixture, point);
  g_assert_cmpint (waitpid (pid, &status, WUNTRACED), ==, pid);
  g_assert_true (WIFSTOPPED (status));
  return pid;
}

static int
launch_go_on (pid_t pid)
{
  int status;
  g_assert_no_errno (kill (pid, SIGCONT));
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

static void
test_window_swept (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  pid_t pid = launch_up_to (fixture, "lease-opened");
  remove_app (fixture);
  g_assert_cmpint (sweep_one (fixture), ==, HF_SWEEP_SWEPT);
  g_assert_cmpint (launch_go_on (pid), ==, 1);
}

static void
test_window_updated (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old = deploy (fixture->installation, APP, 'a');
  pid_t pid = launch_up_to (fixture, "lease-opened");
  g_autofree char *new = deploy (fixture->installation, APP, 'b');
  g_assert_cmpint (sweep_one (fixture), ==, HF_SWEEP_SWEPT);
  g_assert_cmpint (launch_go_on (pid), ==, 'b');
}

static void
test_window_removed (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  pid_t pid = launch_up_to (fixture, "lease-opened");
  remove_app (fixture);
  /* Not swept yet: the lock that comes now keeps it. */
  g_assert_cmpint (launch_go_on (pid), ==, 'a');
}

static void
test_window_deleting (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  pid_t pid = launch_up_to (fixture, "lease-opened");
  remove_app (fixture);
  g_autofree char *gone = only_name (fixture->installation->root_fd, HF_REMOVED_DIR);
  g_autofree char *path = g_strconcat (HF_REMOVED_DIR "/", gone, NULL);
  /* A sweeper that crashed has given its lock up again. */
  fall_to (fixture->installation, path, HF_STATE_DELETING);
  g_assert_cmpint (launch_go_on (pid), ==, 1);
}

static void
test_waiter (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autofree char *path = ref_path (name);
  hf_autofd int fd = openat (fixture->installation->root_fd, path, O_RDWR | O_CLOEXEC);
  /* As a sweep that waits, for a moment, where what it waited for has been restored. */
  g_assert_true (hf_ofd_lock (fd, HF_OFD_EXCLUSIVE, HF_OFD_TRY));
  pid_t pid = launch_up_to (fixture, "lease-waits");
  hf_ofd_unlock (fd);
  g_assert_cmpint (launch_go_on (pid), ==, 'a');
}
#else
static void
test_window (Fixture *fixture, gconstpointer data)
{
  g_test_skip ("needs test-hooks: this build has none");
}
#  define test_window_swept    test_window
#  define test_window_updated  test_window
#  define test_window_removed  test_window
#  define test_window_deleting test_window
#  define test_waiter          test_window
#endif

#define ADD(promise, data, function)                                                               \
  g_test_add ("/lease/" promise, Fixture, data, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("what is deployed can be held by many", NULL, test_acquire);
  ADD ("while it is held nothing goes and once it is not all goes", NULL, test_keeps);
  ADD ("an update leaves the old image to who holds it", NULL, test_update);
  ADD ("what is not installed cannot be held", NULL, test_not_installed);
  ADD ("a sweeper that deletes is never waited for", NULL, test_never_waits);
  ADD ("a sweeper that has just waited is waited for by a launch", NULL, test_waiter);
  ADD ("what is out of service is never held", NULL, test_dying);
  ADD ("a ref file that is missing is no lock", NULL, test_no_ref);
  ADD ("a ref file that is a symlink is no lock", "symlink", test_no_ref);
  ADD ("a ref removed and swept between open and lock is not installed", NULL, test_window_swept);
  ADD ("a ref updated and swept between open and lock is resolved again", NULL,
       test_window_updated);
  ADD ("a ref removed between open and lock runs from where it was moved", NULL,
       test_window_removed);
  ADD ("a deployment whose deletion began is not run though nobody holds it", NULL,
       test_window_deleting);
  ADD ("a ref file that is a directory is no lock", "directory", test_no_ref);
  ADD ("a ref file that is a fifo is no lock", "fifo", test_no_ref);
  return g_test_run ();
}
