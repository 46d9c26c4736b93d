/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bringing back what was removed: whole, or not at all.
 */
#include "core/restore.h"

#include "base/fd.h"
#include "base/ofd-lock.h"
#include "core/lease.h"
#include "sweeping.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static GPtrArray *
list (HfInstallation *installation)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *found = hf_restorable_list (installation, NULL, &error);
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
  (void)!hf_restore (installation, found->pdata[0], FALSE, NULL, &error);
  g_assert_no_error (error);
}

/* Everything is as it was but for what can be found of it in removed/. */
static void
assert_refused (HfInstallation *installation, const HfRestorable *one, int code)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *before = active_of (installation, APP);
  g_assert_false (hf_restore (installation, one, FALSE, NULL, &error));
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
  (void)!(hf_restore (installation, found->pdata[1 - which], FALSE, NULL, &error)
          && hf_restore (installation, found->pdata[which], FALSE, NULL, &error));
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

/* When it left service, for tests that do not wait for a clock. */
static void
left_at (HfInstallation *installation, const char *path, gint64 seconds)
{
  const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = seconds } };
  g_autofree char *file = g_strconcat (path, "/" HF_DEPLOYMENT_FILE, NULL);
  g_assert_no_errno (utimensat (installation->root_fd, file, times, 0));
}

/* The path in removed/ of the deployment whose commit is so many times @digit. */
static char *
entry_of (HfInstallation *installation, char digit)
{
  g_autoptr (GPtrArray) found = list (installation);
  for (guint i = 0; i < found->len; i++)
    if (commit_at (found, i)[0] == digit)
      return g_build_filename (HF_REMOVED_DIR, ((HfRestorable *)found->pdata[i])->path_name, NULL);
  return NULL;
}

/* Four deployments were in service, of which the last was active, and one removal took what is to be kept. */
static void
remove_four (HfInstallation *installation)
{
  configure (installation, "keep-previous=3");
  for (char digit = 'a'; digit <= 'd'; digit++)
    {
      g_autofree char *name = deploy (installation, APP, digit);
    }
  uninstall (installation, APP);
  for (char digit = 'a'; digit <= 'd'; digit++)
    {
      g_autofree char *path = entry_of (installation, digit);
      left_at (installation, path, digit);
    }
}

/* What `@first` is the commit of comes back, and @expected, the digits of the commits, is what is kept beside it. */
static void
restore_with_previous (HfInstallation *installation, char first, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) found = list (installation);
  g_autoptr (GPtrArray) previous = NULL;
  guint which = 0;
  while (commit_at (found, which)[0] != first)
    which++;
  (void)!hf_restore (installation, found->pdata[which], FALSE, &previous, &error);
  g_assert_no_error (error);
  g_autoptr (GString) digits = g_string_new (NULL);
  for (guint i = 0; i < previous->len; i++)
    g_string_append_c (digits, *(const char *)previous->pdata[i]);
  g_assert_cmpstr (digits->str, ==, expected);
  g_autofree char *active = active_of (installation, APP);
  g_assert_cmpint (active[0], ==, first);
  hf_autofd int branch_fd = open_dir_at (installation->deploy_fd, APP);
  g_autoptr (GPtrArray) kept = hf_previous_list (branch_fd, active, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (kept->len, ==, strlen (expected));
  for (guint i = 0; i < kept->len; i++)
    g_assert_cmpint (((HfPrevious *)kept->pdata[i])->name[0], ==, expected[i]);
}

static void
test_previous (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  remove_four (installation);
  restore_with_previous (installation, 'd', "cba");
  g_assert_false (is_marked (installation));
  sweep_counts (sweeping, 0, 0, 0);
  assert_clean (sweeping);
}

/* As if there had been a rollback to it. */
static void
test_previous_of_an_earlier_one (Sweeping *sweeping, gconstpointer data)
{
  remove_four (sweeping->installation);
  restore_with_previous (sweeping->installation, 'b', "dca");
}

static void
test_as_many_as_are_kept (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  remove_four (installation);
  configure (installation, "keep-previous=1");
  g_autofree char *path = entry_of (installation, 'a');
  g_autofree char *root = g_strdup_printf ("[Root]\nref=" APP "\nkeeps=%s\n",
                                           hf_removed_name_deployment (strrchr (path, '/') + 1));
  put_dir (installation->root_fd, HF_ROOTS_DIR "/local", 0755);
  put_file (installation->root_fd, HF_ROOTS_DIR "/local/mine", root, 0644);
  /* A root keeps besides the number. */
  restore_with_previous (installation, 'd', "ca");
  g_assert_false (is_marked (installation));
  sweep_counts (sweeping, 1, 0, 0);
}

static void
test_none_is_kept (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  remove_four (installation);
  configure (installation, "keep-previous=0");
  restore_with_previous (installation, 'd', "");
  sweep_counts (sweeping, 3, 0, 0);
  assert_clean (sweeping);
}

/* Then nothing tells how many are kept: nothing may be given up, and whoever settles can tell by then. */
static void
test_bad_configuration (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  remove_four (installation);
  configure (installation, "keep-previous=many");
  restore_with_previous (installation, 'd', "cba");
  g_assert_true (is_marked (installation));
  configure (installation, "keep-previous=1");
  sweep_counts (sweeping, 2, 0, 0);
  assert_clean (sweeping);
}

/* Of what is kept, one is a sweeper's and one's runtime has gone. */
static void
test_previous_that_cannot_be (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  configure (installation, "keep-previous=3");
  g_autofree char *runtime = deploy (installation, RUNTIME, 'f');
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy_needing (installation, APP, 'b', RUNTIME);
  g_autofree char *c = deploy (installation, APP, 'c');
  g_autofree char *d = deploy (installation, APP, 'd');
  uninstall (installation, APP);
  uninstall (installation, RUNTIME);
  g_autofree char *path = entry_of (installation, 'c');
  {
    g_autoptr (HfTrashEntry) entry = entry_at (installation, path);
    g_assert_cmpint (hf_trash_entry_lock (entry, NULL), ==, HF_TRASH_LOCKED);
    restore_with_previous (installation, 'd', "a");
  }
  g_assert_false (is_marked (installation));
  sweep_counts (sweeping, 3, 0, 0);
  assert_clean (sweeping);
}

/* Whose it is the link that forwards tells: it may be what was active. */
static void
test_unread (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) unread = NULL;
  g_autoptr (HfRef) app = ref_of (APP);
  g_autoptr (HfRef) other = ref_of (OTHER);
  remove_four (installation);
  g_autofree char *path = entry_of (installation, 'd');
  g_autoptr (GPtrArray) found = hf_restorable_list (installation, &unread, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (unread->len, ==, 0);
  g_ptr_array_add (unread, g_strdup (strrchr (path, '/') + 1));
  (void)!hf_restorable_check_read (installation, other, unread, &error);
  g_assert_no_error (error);
  g_assert_false (hf_restorable_check_read (installation, app, unread, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
}

/* It died before it set `active`: whoever settles removes all of it again, in whatever order and at whatever
 * time, and it is restored as before. */
static void
test_cut_short (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  remove_four (installation);
  restore_with_previous (installation, 'd', "cba");
  hf_autofd int branch_fd = open_dir_at (installation->deploy_fd, APP);
  g_assert_no_errno (unlinkat (branch_fd, HF_ACTIVE_LINK, 0));
  set_mark (installation);
  settle (installation);
  g_assert_null (active_of (installation, APP));
  g_autofree char *path = entry_of (installation, 'a');
  g_autofree char *later = g_strdup_printf (HF_REMOVED_DIR "/999999999999.%s",
                                            hf_removed_name_deployment (strrchr (path, '/') + 1));
  g_assert_no_errno (renameat (installation->root_fd, path, installation->root_fd, later));
  g_autoptr (GPtrArray) found = list (installation);
  g_assert_cmpuint (found->len, ==, 4);
  g_assert_cmpint (commit_at (found, 0)[0], ==, 'd');
  restore_with_previous (installation, 'd', "cba");
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
  ADD ("what was kept for rollback comes back, too", test_previous);
  ADD ("also beside an earlier one", test_previous_of_an_earlier_one);
  ADD ("as many as are to be kept, and what roots name", test_as_many_as_are_kept);
  ADD ("or none", test_none_is_kept);
  ADD ("all where nothing tells how many", test_bad_configuration);
  ADD ("what of it cannot come back keeps the rest from nothing", test_previous_that_cannot_be);
  ADD ("what cannot be read is told from what is another ref's", test_unread);
  ADD ("a restore that was cut short can be made again", test_cut_short);
  ADD ("what is installed is not replaced", test_installed);
  ADD ("an application comes back after its runtime", test_runtime);
  ADD ("whoever uses it goes on", test_in_use);
  ADD ("what a sweeper has is not taken from him", test_swept);
  return g_test_run ();
}
