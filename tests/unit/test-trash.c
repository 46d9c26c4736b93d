/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entries: whoever holds one by any kind of lock keeps it, and nothing but the lock itself is ever
 * taken for "free".
 */
#include "core/trash.h"

#include "base/ofd-lock.h"
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct
{
  Fixture base;
  HfInstallation *installation; /* not owned */
  char *path;                   /* owned; an entry of removed/ */
  int dir_fd;
} Trash;

static void
set_up (Trash *trash, gconstpointer data)
{
  fixture_set_up (&trash->base, data);
  trash->installation = trash->base.installation;
  trash->path = removed (trash->installation, APP, 'a');
  trash->dir_fd = open_dir_at (trash->installation->root_fd, trash->path);
}

static void
tear_down (Trash *trash, gconstpointer data)
{
  g_free (trash->path);
  hf_fd_clear (&trash->dir_fd);
  fixture_tear_down (&trash->base, data);
}

static HfTrashOutcome
try_lock (Trash *trash, char **out_reason)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfTrashEntry) entry = entry_at (trash->installation, trash->path);
  HfTrashOutcome outcome = hf_trash_entry_lock (entry, &error);
  g_assert_cmpint (error != NULL, ==, outcome == HF_TRASH_DAMAGED);
  g_assert_cmpint (entry->ref_fd >= 0, ==,
                   outcome == HF_TRASH_LOCKED || outcome == HF_TRASH_HELD || entry->ref_fd >= 0);
  if (out_reason != NULL && error != NULL)
    *out_reason = g_strdup (error->message);
  return outcome;
}

static void
assert_damaged (Trash *trash, const char *why)
{
  g_autofree char *reason = NULL;
  g_assert_cmpint (try_lock (trash, &reason), ==, HF_TRASH_DAMAGED);
  g_assert_nonnull (strstr (reason, why));
}

static int
open_ref (Trash *trash, int flags)
{
  int fd = openat (trash->dir_fd, HF_REF_FILE, flags | O_CLOEXEC);
  g_assert_no_errno (fd);
  return fd;
}

static void
test_free (Trash *trash, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfTrashEntry) entry = entry_at (trash->installation, trash->path);
  g_assert_cmpint (hf_trash_entry_lock (entry, &error), ==, HF_TRASH_LOCKED);
  g_assert_no_error (error);
  g_assert_cmpuint (entry->state, ==, HF_STATE_SETTLED);
  g_assert_cmpstr (entry->info->ref->full, ==, APP);
  g_assert_true (is_locked (trash->dir_fd, HF_REF_FILE));
  hf_autofd int fd = open_ref (trash, O_RDONLY);
  g_assert_cmpint (flock (fd, LOCK_SH | LOCK_NB), ==, -1);
  g_clear_pointer (&entry, hf_trash_entry_free);
  g_assert_no_errno (flock (fd, LOCK_SH | LOCK_NB));
  g_assert_false (is_locked (trash->dir_fd, HF_REF_FILE));
}

static void
test_flock (Trash *trash, gconstpointer data)
{
  hf_autofd int fd = open_ref (trash, O_RDONLY);
  g_assert_no_errno (flock (fd, LOCK_SH));
  g_assert_cmpint (try_lock (trash, NULL), ==, HF_TRASH_HELD);
  g_assert_no_errno (flock (fd, LOCK_EX));
  g_assert_cmpint (try_lock (trash, NULL), ==, HF_TRASH_HELD);
  g_assert_no_errno (flock (fd, LOCK_UN));
  g_assert_cmpint (try_lock (trash, NULL), ==, HF_TRASH_LOCKED);
}

static void
take_posix (gpointer data)
{
  lock_posix_shared (((Trash *)data)->dir_fd, HF_REF_FILE);
}

static void
test_posix (Trash *trash, gconstpointer data)
{
  pid_t child = child_start (take_posix, trash);
  g_assert_cmpint (try_lock (trash, NULL), ==, HF_TRASH_HELD);
  child_kill (child);
  g_assert_cmpint (try_lock (trash, NULL), ==, HF_TRASH_LOCKED);
}

static void
test_ofd (Trash *trash, gconstpointer data)
{
  hf_autofd int fd = open_ref (trash, O_RDONLY);
  g_assert_true (hf_ofd_lock (fd, HF_OFD_SHARED, HF_OFD_TRY));
  g_autoptr (HfTrashEntry) entry = entry_at (trash->installation, trash->path);
  g_assert_cmpint (hf_trash_entry_lock (entry, NULL), ==, HF_TRASH_HELD);
  g_assert_cmpint (entry->ref_fd, >=, 0);
  g_assert_cmpstr (entry->info->ref->full, ==, APP);
  g_clear_pointer (&entry, hf_trash_entry_free);
  hf_ofd_unlock (fd);
  g_assert_cmpint (try_lock (trash, NULL), ==, HF_TRASH_LOCKED);
}

static void
test_sweeper (Trash *trash, gconstpointer data)
{
  g_autoptr (HfTrashEntry) mine = entry_at (trash->installation, trash->path);
  g_assert_cmpint (hf_trash_entry_lock (mine, NULL), ==, HF_TRASH_LOCKED);
  g_assert_cmpint (try_lock (trash, NULL), ==, HF_TRASH_GONE);
  g_assert_cmpint (flock (mine->ref_fd, LOCK_UN), ==, 0);
  g_assert_cmpint (try_lock (trash, NULL), ==, HF_TRASH_GONE);
}

static void
test_bad_ref (Trash *trash, gconstpointer kind)
{
  g_assert_no_errno (unlinkat (trash->dir_fd, HF_REF_FILE, 0));
  if (strcmp (kind, "directory") == 0)
    put_dir (trash->dir_fd, HF_REF_FILE, 0755);
  else if (strcmp (kind, "fifo") == 0)
    g_assert_no_errno (mkfifoat (trash->dir_fd, HF_REF_FILE, HF_MODE_REF));
  else if (strcmp (kind, "symlink") == 0)
    g_assert_no_errno (symlinkat (HF_DEPLOYMENT_FILE, trash->dir_fd, HF_REF_FILE));
  assert_damaged (trash, HF_REF_FILE);
  g_assert_true (exists (trash->dir_fd, HF_TREE_DIR "/" HF_METADATA_FILE));
}

/* It says nothing about the entry if this process is short of descriptors. */
static void
lock_with_few (gpointer data)
{
  Trash *trash = data;
  struct rlimit limit;
  int last = -1, fd;
  HfTrashOutcome outcome = HF_TRASH_EXHAUSTED;
  g_autoptr (HfTrashEntry) listed = entry_at (trash->installation, trash->path);
  g_assert_no_errno (getrlimit (RLIMIT_NOFILE, &limit));
  limit.rlim_cur = 64;
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &limit));
  while ((fd = dup (trash->dir_fd)) >= 0)
    last = fd;
  while (outcome == HF_TRASH_EXHAUSTED)
    {
      g_autoptr (GError) error = NULL;
      outcome = hf_trash_entry_lock (listed, &error);
      g_assert_cmpint (error != NULL, ==, outcome == HF_TRASH_EXHAUSTED);
      hf_fd_clear (&listed->dir_fd);
      hf_fd_clear (&listed->ref_fd);
      g_assert_no_errno (close (last--));
    }
  g_assert_cmpint (outcome, ==, HF_TRASH_LOCKED);
}

static void
test_few_descriptors (Trash *trash, gconstpointer data)
{
  run_child (lock_with_few, trash);
}

static void
test_empty (Trash *trash, gconstpointer data)
{
  put_dir (trash->installation->removed_fd, "empty", 0755);
  g_free (trash->path);
  trash->path = g_strdup (HF_REMOVED_DIR "/empty");
  g_assert_cmpint (try_lock (trash, NULL), ==, HF_TRASH_GONE);
  g_assert_false (exists (trash->installation->root_fd, trash->path));
}

static void
test_symlink (Trash *trash, gconstpointer data)
{
  g_free (trash->path);
  trash->path = g_strdup (HF_REMOVED_DIR "/link");
  g_assert_no_errno (symlinkat ("../" HF_REPO_DIR, trash->installation->root_fd, trash->path));
  g_assert_cmpint (try_lock (trash, NULL), ==, HF_TRASH_GONE);
  g_assert_false (exists (trash->installation->root_fd, trash->path));
  g_assert_true (exists (trash->installation->root_fd, HF_REPO_DIR "/" HF_REPO_LOCK));
}

static void
test_file (Trash *trash, gconstpointer data)
{
  g_free (trash->path);
  trash->path = g_strdup (HF_REMOVED_DIR "/file");
  put_file (trash->installation->root_fd, trash->path, "x", 0644);
  assert_damaged (trash, "not a directory");
  g_assert_true (exists (trash->installation->root_fd, trash->path));
}

static void
test_bad_state (Trash *trash, gconstpointer data)
{
  g_assert_no_errno (fchmodat (trash->dir_fd, HF_DEPLOYMENT_FILE, 0666, 0));
  assert_damaged (trash, HF_DEPLOYMENT_FILE);
  g_assert_no_errno (unlinkat (trash->dir_fd, HF_DEPLOYMENT_FILE, 0));
  put_file (trash->dir_fd, HF_DEPLOYMENT_FILE, "rubbish", 0644);
  assert_damaged (trash, HF_DEPLOYMENT_FILE);
}

static void
find_unreadable (gpointer data)
{
  const Fixture *fixture = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *root = g_build_filename (fixture->dir, "own", NULL);
  g_autoptr (HfInstallation) installation = hf_installation_open (root, HF_OPEN_OR_CREATE, &error);
  g_assert_no_error (error);
  g_autofree char *path = removed (installation, APP, 'b');
  g_autofree char *ref = g_strconcat (path, "/" HF_REF_FILE, NULL);
  g_assert_no_errno (fchmodat (installation->root_fd, ref, 0, 0));
  g_autoptr (HfTrashEntry) entry = entry_at (installation, path);
  g_assert_cmpint (hf_trash_entry_lock (entry, &error), ==, HF_TRASH_DAMAGED);
  g_assert_nonnull (strstr (error->message, HF_REF_FILE));
  g_assert_true (exists (entry->dir_fd, HF_TREE_DIR "/" HF_METADATA_FILE));
}

static void
test_unreadable (Trash *trash, gconstpointer data)
{
  if (geteuid () == 0)
    g_assert_no_errno (fchown (trash->base.dir_fd, 65534, 65534));
  run_unprivileged (find_unreadable, &trash->base);
}

static void
test_gone (Trash *trash, gconstpointer data)
{
  int root = trash->installation->root_fd;
  g_autoptr (HfTrashEntry) entry = entry_at (trash->installation, trash->path);
  g_assert_no_errno (renameat (root, trash->path, root, HF_REMOVED_DIR "/elsewhere"));
  g_assert_cmpint (hf_trash_entry_lock (entry, NULL), ==, HF_TRASH_GONE);
}

static void
test_back_in_service (Trash *trash, gconstpointer data)
{
  g_autofree char *path = deploy_orphan (trash->installation, OTHER, 'b', HF_STATE_RETIRED);
  set_mark (trash->installation);
  g_autoptr (HfTrashEntry) entry = entry_at (trash->installation, path);
  g_assert_true (entry->in_place);
  fall_to (trash->installation, path, HF_STATE_SETTLED);
  g_assert_cmpint (hf_trash_entry_lock (entry, NULL), ==, HF_TRASH_GONE);
}

static void
test_list (Trash *trash, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeploymentInfo) info = info_of (OTHER, 'b', NULL);
  g_autofree char *in_service = deploy (trash->installation, RUNTIME, 'c');
  g_autoptr (HfStaging) staging = stage (trash->installation, info);
  g_autofree char *retired = deploy_orphan (trash->installation, OTHER, 'd', HF_STATE_RETIRED);
  g_autoptr (GPtrArray) unmarked = hf_trash_list (trash->installation, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (unmarked->len, ==, 2);
  set_mark (trash->installation);
  g_autoptr (GPtrArray) marked = hf_trash_list (trash->installation, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (marked->len, ==, 3);
  const HfTrashEntry *first = marked->pdata[0], *second = marked->pdata[1],
                     *third = marked->pdata[2];
  g_assert_cmpstr (first->path, ==, retired);
  g_assert_true (first->in_place && !first->staging);
  g_assert_cmpstr (second->path, ==, trash->path);
  g_assert_true (!second->in_place && !second->staging);
  g_assert_cmpstr (third->name, ==, staging->name);
  g_assert_true (third->staging && !third->in_place);
}

static void
test_any (Trash *trash, gconstpointer data)
{
  gboolean gone, staging;
  g_assert_true (hf_trash_any (trash->installation, &gone, &staging, NULL));
  g_assert_true (gone && !staging);
  put_dir (trash->installation->staging_fd, "x", 0755);
  g_assert_true (hf_trash_any (trash->installation, &gone, &staging, NULL));
  g_assert_true (gone && staging);
}

static void
test_delete (Trash *trash, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  HfInstallation *installation = trash->installation;
  put_dir (trash->dir_fd, HF_FETCH_DIR, 0755);
  put_file (trash->dir_fd, HF_FETCH_DIR "/object", "x", 0644);
  put_file (trash->dir_fd, HF_DEPLOYMENT_FILE_NEW, "x", 0644);
  g_autoptr (HfTrashEntry) entry = entry_at (installation, trash->path);
  g_assert_cmpint (hf_trash_entry_lock (entry, NULL), ==, HF_TRASH_LOCKED);
  g_assert_false (hf_trash_entry_may_be_pruned (entry));
  (void)!hf_trash_entry_delete_tree (entry, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count_names (installation->root_fd, trash->path), ==, 3);
  g_assert_true (exists (trash->dir_fd, HF_REF_FILE));
  g_assert_true (exists (trash->dir_fd, HF_DEPLOYMENT_FILE));
  g_assert_cmpuint (count_names (trash->dir_fd, HF_PINS_DIR), ==, 1);
  g_assert_true (exists (installation->deploy_fd, APP));
  fall_to (installation, trash->path, HF_STATE_PRUNED);
  g_assert_true (hf_trash_entry_may_be_pruned (entry));
  (void)!hf_trash_entry_delete_rest (entry, &error);
  g_assert_no_error (error);
  g_assert_false (exists (installation->root_fd, trash->path));
  g_assert_false (exists (installation->deploy_fd, "app/org.test.App"));
}

#define ADD(promise, data, function)                                                               \
  g_test_add ("/trash/" promise, Trash, data, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("what nobody holds is locked both ways until it is let go", NULL, test_free);
  ADD ("a flock keeps it", NULL, test_flock);
  ADD ("a POSIX lock of another process keeps it", NULL, test_posix);
  ADD ("an OFD lock of another description keeps it", NULL, test_ofd);
  ADD ("another sweeper is left alone", NULL, test_sweeper);
  ADD ("a missing ref file is damage", "", test_bad_ref);
  ADD ("a ref file that is a directory is damage", "directory", test_bad_ref);
  ADD ("a ref file that is a fifo is damage", "fifo", test_bad_ref);
  ADD ("a ref file that is a symlink is damage", "symlink", test_bad_ref);
  ADD ("a ref file that cannot be opened is damage", NULL, test_unreadable);
  ADD ("a shortage of descriptors says nothing about it", NULL, test_few_descriptors);
  ADD ("an empty entry without a ref file just goes", NULL, test_empty);
  ADD ("a symlink goes and what it leads to stays", NULL, test_symlink);
  ADD ("a file is damage and stays", NULL, test_file);
  ADD ("a deployment file that makes no sense is damage", NULL, test_bad_state);
  ADD ("an entry whose name leads elsewhere has gone", NULL, test_gone);
  ADD ("what is back in service in place is no entry", NULL, test_back_in_service);
  ADD ("in place only what the mark announces is listed", NULL, test_list);
  ADD ("what there is to look at is told", NULL, test_any);
  ADD ("the tree goes first and the pins and the lock last", NULL, test_delete);
  return g_test_run ();
}
