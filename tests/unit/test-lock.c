/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The installation's permanent locks: whom each keeps out and when it is given up.
 */
#include "core/lock.h"

#include "base/ofd-lock.h"
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REPO_LOCK HF_REPO_DIR "/" HF_REPO_LOCK

static void
take (Fixture *fixture, HfLockKind kind, HfLock *lock)
{
  g_autoptr (GError) error = NULL;
  (void)!hf_lock_take (fixture->installation, kind, lock, &error);
  g_assert_no_error (error);
}

static void
test_exclusive (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    HfLockKind kind;
    const char *path;
  } kinds[] = { { HF_LOCK_PRUNE, HF_PRUNE_LOCK_FILE },
                { HF_LOCK_REPO_PRUNE, REPO_LOCK },
                { HF_LOCK_CHANGE, HF_LOCK_FILE } };
  int root = fixture->installation->root_fd;
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (HfLock) lock = HF_LOCK_INIT;
      hf_autofd int reader = openat (root, kinds[i].path, O_RDONLY | O_CLOEXEC);
      take (fixture, kinds[i].kind, &lock);
      g_assert_false (hf_ofd_lock (reader, HF_OFD_SHARED, HF_OFD_TRY));
      hf_lock_release (&lock);
      g_assert_cmpint (lock.fd, ==, -1);
      g_assert_true (hf_ofd_lock (reader, HF_OFD_SHARED, HF_OFD_TRY));
    }
}

static void
test_import (Fixture *fixture, gconstpointer data)
{
  g_auto (HfLock) one = HF_LOCK_INIT;
  g_auto (HfLock) two = HF_LOCK_INIT;
  take (fixture, HF_LOCK_REPO_IMPORT, &one);
  take (fixture, HF_LOCK_REPO_IMPORT, &two);
  g_assert_true (is_locked (fixture->installation->root_fd, REPO_LOCK));
  hf_lock_release (&one);
  g_assert_true (is_locked (fixture->installation->root_fd, REPO_LOCK));
  hf_lock_release (&two);
  g_assert_false (is_locked (fixture->installation->root_fd, REPO_LOCK));
}

static void
test_independent (Fixture *fixture, gconstpointer data)
{
  g_auto (HfLock) prune = HF_LOCK_INIT;
  g_auto (HfLock) repo = HF_LOCK_INIT;
  g_auto (HfLock) change = HF_LOCK_INIT;
  take (fixture, HF_LOCK_PRUNE, &prune);
  take (fixture, HF_LOCK_REPO_PRUNE, &repo);
  take (fixture, HF_LOCK_CHANGE, &change);
  g_assert_true (is_locked (fixture->installation->root_fd, HF_LOCK_FILE));
}

static void
stay (gpointer data)
{
}

static void
test_inherited (Fixture *fixture, gconstpointer data)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  take (fixture, HF_LOCK_CHANGE, &lock);
  pid_t child = child_start (stay, NULL);
  hf_lock_release (&lock);
  g_assert_false (is_locked (fixture->installation->root_fd, HF_LOCK_FILE));
  child_kill (child);
}

static void
take_and_stay (gpointer data)
{
  HfLock lock = HF_LOCK_INIT;
  take (data, HF_LOCK_CHANGE, &lock);
}

static void
test_killed (Fixture *fixture, gconstpointer data)
{
  pid_t child = child_start (take_and_stay, fixture);
  g_assert_true (is_locked (fixture->installation->root_fd, HF_LOCK_FILE));
  child_kill (child);
  g_auto (HfLock) lock = HF_LOCK_INIT;
  take (fixture, HF_LOCK_CHANGE, &lock);
}

/* Whether anybody waits for a lock on the file: proc_locks(5) marks the waiting with "->". */
static gboolean
is_waited_for (ino_t inode)
{
  g_autofree char *locks = NULL;
  g_autofree char *suffix = g_strdup_printf (":%" G_GUINT64_FORMAT " 0 EOF", (guint64)inode);
  g_assert_true (g_file_get_contents ("/proc/locks", &locks, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (locks, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    if (strstr (*line, "->") != NULL && g_str_has_suffix (*line, suffix))
      return TRUE;
  return FALSE;
}

static void
take_the_named (gpointer data)
{
  Fixture *fixture = data;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  struct stat held, named;
  take (fixture, HF_LOCK_CHANGE, &lock);
  g_assert_no_errno (fstat (lock.fd, &held));
  g_assert_no_errno (fstatat (fixture->installation->root_fd, HF_LOCK_FILE, &named, 0));
  g_assert_true (hf_stat_same_file (&held, &named));
}

static void
test_replaced (Fixture *fixture, gconstpointer data)
{
  int root = fixture->installation->root_fd;
  hf_autofd int old = openat (root, HF_LOCK_FILE, O_RDWR | O_CLOEXEC);
  struct stat st;
  g_assert_no_errno (fstat (old, &st));
  g_assert_true (hf_ofd_lock (old, HF_OFD_EXCLUSIVE, HF_OFD_TRY));
  pid_t child = fork ();
  g_assert_no_errno (child);
  if (child == 0)
    {
      take_the_named (fixture);
      _exit (0);
    }
  while (!is_waited_for (st.st_ino))
    g_thread_yield ();
  put_file (root, "copy", "", HF_MODE_LOCK);
  g_assert_no_errno (renameat (root, "copy", root, HF_LOCK_FILE));
  hf_ofd_unlock (old);
  child_wait (child);
}

static void
test_missing (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_assert_no_errno (unlinkat (fixture->installation->root_fd, HF_LOCK_FILE, 0));
  g_assert_false (hf_lock_take (fixture->installation, HF_LOCK_CHANGE, &lock, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
  g_assert_cmpint (lock.fd, ==, -1);
  g_assert_false (exists (fixture->installation->root_fd, HF_LOCK_FILE));
}

static void
take_without_right (gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GError) error = NULL;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_assert_false (hf_lock_take (fixture->installation, HF_LOCK_CHANGE, &lock, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "No permission"));
  g_assert_nonnull (strstr (error->message, fixture->installation->path));
}

static void
test_permission (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("only it may become somebody else"))
    return;
  run_unprivileged (take_without_right, fixture);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/lock/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("an exclusive lock is alone until it is released", test_exclusive);
  ADD ("imports share the repository and keep a prune out", test_import);
  ADD ("the three locks do not stand in each other's way", test_independent);
  ADD ("a release counts though a child has the descriptor", test_inherited);
  ADD ("a killed holder gives its lock up", test_killed);
  ADD ("a lock file that was replaced meanwhile is not the lock", test_replaced);
  ADD ("a missing lock file is an error and no lock", test_missing);
  ADD ("who may not change the installation is told so", test_permission);
  return g_test_run ();
}
