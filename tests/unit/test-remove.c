/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taking deployments out of service: at once, whatever the disk says, and with the old path leading
 * to where they went.
 */
#include "core/branch.h"
#include "core/remove.h"

#include "base/tree-delete.h"
#include "core/lease.h"
#include "core/publish.h"
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static void
remove_ref (HfInstallation *installation, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (text);
  (void)!hf_remove_ref (installation, ref, FALSE, &error);
  g_assert_no_error (error);
}

static void
test_forwards (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *name = deploy (installation, APP, 'a');
  g_autofree char *path = deployed_path (APP, name);
  struct stat before, through, moved;
  g_assert_no_errno (fstatat (installation->root_fd, path, &before, AT_SYMLINK_NOFOLLOW));
  remove_ref (installation, APP);
  g_autofree char *gone = only_name (installation->root_fd, HF_REMOVED_DIR);
  g_autofree char *entry = g_strconcat (HF_REMOVED_DIR "/", gone, NULL);
  g_assert_cmpstr (hf_removed_name_deployment (gone), ==, name);
  g_assert_no_errno (fstatat (installation->root_fd, entry, &moved, AT_SYMLINK_NOFOLLOW));
  g_assert_no_errno (fstatat (installation->root_fd, path, &through, 0));
  g_assert_true (hf_stat_same_file (&before, &moved));
  g_assert_true (hf_stat_same_file (&before, &through));
  g_autofree char *active = active_of (installation, APP);
  g_assert_null (active);
  g_assert_false (is_marked (installation));
  g_assert_cmpuint (state_at (installation, entry), ==, HF_STATE_SETTLED);
}

static void
test_not_installed (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = removed (fixture->installation, OTHER, 'a');
  const char *const refs[] = { APP, OTHER };
  for (gsize i = 0; i < G_N_ELEMENTS (refs); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (HfRef) ref = ref_of (refs[i]);
      g_assert_false (hf_remove_ref (fixture->installation, ref, FALSE, &error));
      g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
      g_assert_false (is_marked (fixture->installation));
    }
}

static void
test_all (Fixture *fixture, gconstpointer data)
{
  g_autofree char *orphan = deploy_orphan (fixture->installation, APP, 'a', HF_STATE_SETTLED);
  g_autofree char *name = deploy_orphan (fixture->installation, APP, 'b', HF_STATE_SETTLED);
  g_autofree char *other = deploy (fixture->installation, OTHER, 'c');
  hf_autofd int branch_fd = open_dir_at (fixture->installation->deploy_fd, APP);
  g_assert_no_errno (symlinkat (strrchr (name, '/') + 1, branch_fd, HF_ACTIVE_LINK));
  remove_ref (fixture->installation, APP);
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_REMOVED_DIR), ==, 2);
  g_autofree char *active = active_of (fixture->installation, OTHER);
  g_assert_cmpstr (active, ==, other);
}

static void
test_again (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = removed (fixture->installation, APP, 'a');
  g_autofree char *second = removed (fixture->installation, APP, 'a');
  g_assert_cmpstr (first, !=, second);
  g_assert_cmpuint (count_names (fixture->installation->deploy_fd, APP), ==, 2);
}

static void
test_swept (Fixture *fixture, gconstpointer data)
{
  g_autofree char *gone = removed (fixture->installation, APP, 'a');
  g_autoptr (FakeStore) store = fake_store_new (fixture->installation);
  g_autoptr (HfSweepReport) report = sweep (fixture->installation, store);
  g_assert_cmpuint (report->swept, ==, 1);
  g_assert_false (exists (fixture->installation->deploy_fd, "app/org.test.App"));
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_REMOVED_DIR), ==, 0);
}

/* What was published since somebody looked counts too: the check is under the same lock. */
static void
test_needed (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) runtime = ref_of (RUNTIME);
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', RUNTIME);
  g_autofree char *name = deploy (installation, RUNTIME, 'b');
  g_autoptr (HfStaging) staging = stage (installation, info);
  (void)!hf_publish (staging, info, NULL, FALSE, &error);
  g_assert_no_error (error);
  g_assert_false (hf_remove_ref (installation, runtime, FALSE, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_IN_USE);
  g_assert_nonnull (strstr (error->message, APP));
  g_assert_nonnull (strstr (error->message, RUNTIME));
  g_clear_error (&error);
  g_autofree char *active = active_of (installation, RUNTIME);
  g_assert_cmpstr (active, ==, name);
  g_assert_false (is_marked (installation));
  remove_ref (installation, APP);
  remove_ref (installation, RUNTIME);
  g_assert_cmpuint (count_names (installation->root_fd, HF_REMOVED_DIR), ==, 2);
}

static void
test_needed_and_forced (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) runtime = ref_of (RUNTIME);
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', RUNTIME);
  g_autofree char *name = deploy (fixture->installation, RUNTIME, 'b');
  g_autoptr (HfStaging) staging = stage (fixture->installation, info);
  (void)!hf_publish (staging, info, NULL, FALSE, &error);
  g_assert_no_error (error);
  (void)!hf_remove_ref (fixture->installation, runtime, TRUE, &error);
  g_assert_no_error (error);
  g_autofree char *active = active_of (fixture->installation, RUNTIME);
  g_assert_null (active);
}

/* As a removal leaves it that dies before its exchange; within the same second another takes the
 * same name. */
static void
test_left_link (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *name = deploy (installation, APP, 'a');
  for (guint i = 0; i < 5; i++)
    {
      /* Of this second and the next ones: the clock may go on meanwhile. */
      g_autofree char *entry = g_strdup_printf ("%012" G_GINT64_FORMAT ".%s",
                                                g_get_real_time () / G_USEC_PER_SEC + i, name);
      g_autofree char *target = hf_forwarding_target (entry);
      g_assert_no_errno (symlinkat (target, installation->removed_fd, entry));
    }
  set_mark (installation);
  remove_ref (installation, APP);
  g_autoptr (FakeStore) store = fake_store_new (installation);
  g_autoptr (HfSweepReport) report = sweep (installation, store);
  g_assert_cmpuint (report->swept, ==, 1);
  g_assert_cmpuint (report->damaged, ==, 0);
  g_assert_cmpuint (count_names (installation->root_fd, HF_REMOVED_DIR), ==, 0);
  g_assert_false (exists (installation->deploy_fd, "app"));
}

static void
test_forwarding_drop (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *gone = removed (installation, APP, 'a');
  const char *entry = strrchr (gone, '/') + 1;
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autofree char *link = deployed_path (APP, hf_removed_name_deployment (entry));
  g_assert_no_errno (unlinkat (installation->root_fd, link, 0));
  g_assert_no_errno (symlinkat ("elsewhere", installation->root_fd, link));
  g_assert_true (hf_forwarding_drop (installation, ref, entry, NULL));
  g_assert_true (exists (installation->root_fd, link));
}

/* --- Where the directory cannot be moved -------------------------------------------------------
 */

/* The deployment is out of service where it lies, a lease keeps it, and a sweep takes it after. */
static void
remove_in_place (HfInstallation *installation, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autofree char *path = deployed_path (APP, name);
  g_autoptr (HfLease) lease = hf_lease_acquire (installation, ref, &error);
  g_assert_no_error (error);
  remove_ref (installation, APP);
  g_assert_cmpuint (state_at (installation, path), ==, HF_STATE_RETIRED);
  g_assert_true (is_marked (installation));
  g_assert_null (hf_lease_acquire (installation, ref, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);

  g_autoptr (FakeStore) store = fake_store_new (installation);
  g_autoptr (HfSweepReport) held = sweep (installation, store);
  g_assert_cmpuint (held->held, ==, 1);
  g_assert_true (is_marked (installation));
  g_assert_true (exists (lease->dir_fd, HF_TREE_DIR "/" HF_METADATA_FILE));
  g_clear_pointer (&lease, hf_lease_free);

  g_autoptr (HfSweepReport) done = sweep (installation, store);
  g_assert_cmpuint (done->held + done->damaged, ==, 0);
  g_assert_cmpuint (done->swept, ==, 1);
  g_assert_false (exists (installation->deploy_fd, "app/org.test.App"));
  g_assert_false (is_marked (installation));
}

/* A sweeper is at it by its path, and then an update comes by, for which it could be moved. */
static void
test_retired_already (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = deploy_orphan (installation, APP, 'a', HF_STATE_RETIRED);
  set_mark (installation);
  g_autoptr (HfTrashEntry) entry = entry_at (installation, path);
  g_assert_cmpint (hf_trash_entry_lock (entry, &error), ==, HF_TRASH_LOCKED);
  fall_to (installation, path, HF_STATE_PRUNED);
  g_assert_true (hf_trash_entry_delete_tree (entry, NULL));
  g_autofree char *name = deploy (installation, APP, 'b');
  g_assert_true (is_marked (installation));
  g_assert_cmpuint (state_at (installation, path), ==, HF_STATE_PRUNED);
  g_assert_cmpuint (count_names (installation->root_fd, HF_REMOVED_DIR), ==, 0);
  (void)!hf_trash_entry_delete_rest (entry, &error);
  g_assert_no_error (error);
  settle (installation);
  g_assert_cmpuint (count_names (installation->deploy_fd, APP), ==, 2);
  g_assert_false (is_marked (installation));
}

/* The same, with a sweeper that died at the very end. */
static void
test_all_but_gone (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *path = deploy_orphan (installation, APP, 'a', HF_STATE_RETIRED);
  set_mark (installation);
  hf_autofd int fd = open_dir_at (installation->root_fd, path);
  g_assert_true (hf_tree_delete (fd, HF_TREE_DIR, NULL, NULL));
  g_assert_true (hf_tree_delete (fd, HF_PINS_DIR, NULL, NULL));
  g_assert_no_errno (unlinkat (fd, HF_DEPLOYMENT_FILE, 0));
  g_autofree char *name = deploy (installation, APP, 'b');
  g_autoptr (FakeStore) store = fake_store_new (installation);
  g_autoptr (HfSweepReport) report = sweep (installation, store);
  g_assert_cmpuint (report->swept, ==, 1);
  g_assert_cmpuint (count_names (installation->deploy_fd, APP), ==, 2);
  g_assert_false (is_marked (installation));
}

static HfInstallation *
open_installation (const char *path)
{
  g_autoptr (GError) error = NULL;
  HfInstallation *installation = hf_installation_open (path, HF_OPEN_OR_CREATE, &error);
  g_assert_no_error (error);
  return installation;
}

static void
remove_on_overlay (gpointer data)
{
  const Fixture *fixture = data;
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autofree char *top = g_build_filename (fixture->dir, "top", NULL);
  put_dir (fixture->dir_fd, "top", 0755);
  g_assert_no_errno (mount ("tmpfs", top, "tmpfs", 0, NULL));
  hf_autofd int top_fd = open (top, O_PATH | O_DIRECTORY | O_CLOEXEC);
  put_dir (top_fd, "upper", 0755);
  put_dir (top_fd, "work", 0755);
  put_dir (top_fd, "merged", 0755);
  g_autofree char *merged = g_build_filename (top, "merged", NULL);
  g_autofree char *options
      = g_strdup_printf ("lowerdir=%s,upperdir=%s/upper,workdir=%s/work,redirect_dir=off",
                         fixture->installation->path, top, top);
  g_assert_no_errno (mount ("overlay", merged, "overlay", 0, options));
  g_autoptr (HfInstallation) installation = open_installation (merged);
  remove_in_place (installation, name);
  g_assert_true (exists (fixture->installation->deploy_fd, APP));
}

static void
remove_on_full_disk (gpointer data)
{
  const Fixture *fixture = data;
  g_autofree char *small = g_build_filename (fixture->dir, "small", NULL);
  put_dir (fixture->dir_fd, "small", 0755);
  g_assert_no_errno (mount ("tmpfs", small, "tmpfs", 0, "nr_inodes=60,size=1m"));
  g_autofree char *path = g_build_filename (small, "holdfast", NULL);
  g_autoptr (HfInstallation) installation = open_installation (path);
  g_autofree char *name = deploy (installation, APP, 'a');
  hf_autofd int small_fd = open (small, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int result = 0;
  for (guint i = 0; result == 0; i++)
    {
      g_autofree char *filler = g_strdup_printf ("%u", i);
      result = mkdirat (small_fd, filler, 0755);
    }
  g_assert_cmpint (errno, ==, ENOSPC);
  remove_in_place (installation, name);
  g_assert_cmpuint (count_names (installation->root_fd, HF_REMOVED_DIR), ==, 0);
}

static void
remove_other_mount (gpointer data)
{
  const Fixture *fixture = data;
  g_autofree char *gone = g_build_filename (fixture->installation->path, HF_REMOVED_DIR, NULL);
  g_assert_no_errno (mount ("tmpfs", gone, "tmpfs", 0, NULL));
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autoptr (HfInstallation) installation = open_installation (fixture->installation->path);
  remove_in_place (installation, name);
}

static void
test_in_mounts (Fixture *fixture, gconstpointer body)
{
  if (skip_unless_root ("only it may mount"))
    return;
  run_in_mounts (((const struct { ChildBody body; } *)body)->body, fixture);
}

static const struct
{
  ChildBody body;
} on_overlay = { remove_on_overlay }, on_full_disk = { remove_on_full_disk },
  on_other_mount = { remove_other_mount };

#define ADD(promise, data, function)                                                               \
  g_test_add ("/remove/" promise, Fixture, data, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("a removed directory is moved whole and its old path leads to it", NULL, test_forwards);
  ADD ("what is not installed is not found and nothing is left unsettled", NULL,
       test_not_installed);
  ADD ("everything of the ref goes and nothing of another", NULL, test_all);
  ADD ("the same image can be removed any number of times", NULL, test_again);
  ADD ("a sweep after it leaves no trace of the ref", NULL, test_swept);
  ADD ("a runtime that an application needs stays and the application is named", NULL, test_needed);
  ADD ("unless it is forced", NULL, test_needed_and_forced);
  ADD ("a link that a crash left under the same name is no hindrance", NULL, test_left_link);
  ADD ("a forwarding link that is not the entry's stays", NULL, test_forwarding_drop);
  ADD ("what a sweeper deletes in place is left to it by an update", NULL, test_retired_already);
  ADD ("the rest of what was deleted in place is left to a sweep by an update", NULL,
       test_all_but_gone);
  ADD ("in a lower layer of an overlay it is retired in place and swept", &on_overlay,
       test_in_mounts);
  ADD ("on a full disk it is retired in place and swept", &on_full_disk, test_in_mounts);
  ADD ("with removed on another mount it is retired in place and swept", &on_other_mount,
       test_in_mounts);
  return g_test_run ();
}
