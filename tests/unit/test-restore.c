/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bringing back what was removed: whole, or not at all.
 */
#include "core/restore.h"

#include "base/ofd-lock.h"
#include "core/lease.h"
#include "sweeping.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static GPtrArray *
list (HfInstallation *installation)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *found = hf_restorable_list (installation, &error);
  g_assert_no_error (error);
  return found;
}

static const char *
commit_at (const GPtrArray *found, guint i)
{
  return ((const HfRestorable *)found->pdata[i])->commit;
}

/* The only one that there is. */
static void
restore (HfInstallation *installation)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) found = list (installation);
  g_assert_cmpuint (found->len, ==, 1);
  (void)!hf_restore (installation, found->pdata[0], &error);
  g_assert_no_error (error);
}

/* Everything is as it was but for what can be found of it in removed/. */
static void
assert_refused (HfInstallation *installation, const HfRestorable *one, int code)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *before = active_of (installation, APP);
  g_assert_false (hf_restore (installation, one, &error));
  g_assert_error (error, HF_ERROR, code);
  g_autofree char *after = active_of (installation, APP);
  g_assert_cmpstr (before, ==, after);
  g_assert_false (is_marked (installation));
}

static void
test_back (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autofree char *name = deploy (installation, APP, 'a');
  g_autofree char *path = deployed_path (APP, name);
  uninstall (installation, APP);
  g_assert_null (active_of (installation, APP));
  restore (installation);
  g_autofree char *active = active_of (installation, APP);
  g_assert_cmpstr (active, ==, name);
  g_assert_cmpuint (state_at (installation, path), ==, HF_STATE_SETTLED);
  g_autofree char *file = g_strconcat (path, "/" HF_TREE_DIR "/" HF_FILES_DIR "/hello", NULL);
  g_assert_true (exists (installation->root_fd, file));
  g_assert_false (is_marked (installation));
  /* What leads back from removed/ goes with the next sweep, and nothing else. */
  sweep_counts (sweeping, 0, 0, 0);
  assert_clean (sweeping);
  g_assert_true (exists (installation->root_fd, file));
}

/* The directories of its ref had gone with it, and the link that forwards. */
static void
test_without_forwarding (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autofree char *name = deploy (installation, APP, 'a');
  g_autofree char *path = deployed_path (APP, name);
  uninstall (installation, APP);
  g_assert_no_errno (unlinkat (installation->root_fd, path, 0));
  for (char *slash = strrchr (path, '/'); slash != strchr (path, '/'); slash = strrchr (path, '/'))
    {
      *slash = '\0';
      g_assert_no_errno (unlinkat (installation->root_fd, path, AT_REMOVEDIR));
    }
  restore (installation);
  g_autofree char *active = active_of (installation, APP);
  g_assert_cmpstr (active, ==, name);
  sweep_counts (sweeping, 0, 0, 0);
  assert_clean (sweeping);
}

static void
test_order (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  configure (installation, "keep-previous=1");
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy (installation, APP, 'b');
  uninstall (installation, APP);
  g_autofree char *begun = removed (installation, OTHER, 'c');
  fall_to (installation, begun, HF_STATE_DELETING);
  put_dir (installation->root_fd, HF_REMOVED_DIR "/strange", 0755);
  put_file (installation->root_fd, HF_REMOVED_DIR "/file", "x", 0644);
  g_autoptr (GPtrArray) found = list (installation);
  g_assert_cmpuint (found->len, ==, 2);
  /* Of one removal, what was active comes first. */
  g_assert_true (g_str_has_prefix (b, commit_at (found, 0)));
  g_assert_true (g_str_has_prefix (a, commit_at (found, 1)));
  const HfRestorable *one = found->pdata[0];
  g_assert_cmpstr (one->ref->full, ==, APP);
  g_assert_cmpint (one->removed, ==, hf_removed_name_time (one->path_name));
  g_assert_null (one->runtime);
  g_assert_no_errno (unlinkat (installation->root_fd, HF_REMOVED_DIR "/file", 0));
}

static void
test_installed (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autofree char *path = removed (installation, APP, 'a');
  g_autoptr (GPtrArray) found = list (installation);
  g_autofree char *name = deploy (installation, APP, 'b');
  assert_refused (installation, found->pdata[0], HF_ERROR_FAILED);
  g_assert_true (exists (installation->root_fd, path));
}

static void
test_runtime (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autofree char *runtime = deploy (installation, RUNTIME, 'a');
  g_autofree char *app = deploy_needing (installation, APP, 'b', RUNTIME);
  uninstall (installation, APP);
  uninstall (installation, RUNTIME);
  g_autoptr (GPtrArray) found = list (installation);
  g_assert_cmpuint (found->len, ==, 2);
  guint which = strcmp (((HfRestorable *)found->pdata[0])->ref->full, APP) == 0 ? 0 : 1;
  g_assert_cmpstr (((HfRestorable *)found->pdata[which])->runtime->full, ==, RUNTIME);
  assert_refused (installation, found->pdata[which], HF_ERROR_NOT_FOUND);
  g_autoptr (GError) error = NULL;
  (void)!(hf_restore (installation, found->pdata[1 - which], &error)
          && hf_restore (installation, found->pdata[which], &error));
  g_assert_no_error (error);
  g_autofree char *active = active_of (installation, APP);
  g_assert_cmpstr (active, ==, app);
}

/* Who uses it goes on: his lock and ours are of one kind. */
static void
test_in_use (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autofree char *name = deploy (installation, APP, 'a');
  g_autoptr (HfLease) lease = hf_lease_acquire (installation, ref, &error);
  g_assert_no_error (error);
  uninstall (installation, APP);
  restore (installation);
  g_autofree char *path = deployed_path (APP, name);
  hf_autofd int dir_fd = open_dir_at (installation->root_fd, path);
  g_assert_true (is_locked (dir_fd, HF_REF_FILE));
  g_clear_pointer (&lease, hf_lease_free);
  g_assert_false (is_locked (dir_fd, HF_REF_FILE));
}

/* Whoever came first has it: a sweeper that has locked it, has begun with it, or is done. */
static void
test_swept (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autofree char *path = removed (installation, APP, 'a');
  g_autoptr (GPtrArray) found = list (installation);
  {
    g_autoptr (HfTrashEntry) entry = entry_at (installation, path);
    g_assert_cmpint (hf_trash_entry_lock (entry, NULL), ==, HF_TRASH_LOCKED);
    assert_refused (installation, found->pdata[0], HF_ERROR_NOT_FOUND);
  }
  fall_to (installation, path, HF_STATE_DELETING);
  assert_refused (installation, found->pdata[0], HF_ERROR_NOT_FOUND);
  sweep_counts (sweeping, 1, 0, 0);
  assert_refused (installation, found->pdata[0], HF_ERROR_NOT_FOUND);
  assert_clean (sweeping);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/restore/" promise, Sweeping, NULL, sweeping_set_up, function, sweeping_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("what was removed is in service again", test_back);
  ADD ("nothing of its ref needs to be there any more", test_without_forwarding);
  ADD ("what left service last comes first, and what is being deleted not at all", test_order);
  ADD ("what is installed is not replaced", test_installed);
  ADD ("an application comes back after its runtime", test_runtime);
  ADD ("whoever uses it goes on", test_in_use);
  ADD ("what a sweeper has is not taken from him", test_swept);
  return g_test_run ();
}
