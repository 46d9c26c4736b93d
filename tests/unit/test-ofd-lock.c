/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Open-file-description locks: whom they keep out, and how long they last.
 */
#include "base/ofd-lock.h"

#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct
{
  Fixture base;
  int first, second; /* two descriptions of one file */
} Locks;

static int
open_file (const Locks *locks, int flags)
{
  int fd = openat (locks->base.dir_fd, "file", flags | O_CLOEXEC);
  g_assert_no_errno (fd);
  return fd;
}

static void
set_up (Locks *locks, gconstpointer data)
{
  fixture_set_up_empty (&locks->base, data);
  put_file (locks->base.dir_fd, "file", "", 0644);
  locks->first = open_file (locks, O_RDWR);
  locks->second = open_file (locks, O_RDWR);
}

static void
tear_down (Locks *locks, gconstpointer data)
{
  hf_fd_clear (&locks->first);
  hf_fd_clear (&locks->second);
  fixture_tear_down (&locks->base, data);
}

static void
assert_refused (int fd, HfOfdMode mode)
{
  g_assert_false (hf_ofd_lock (fd, mode, HF_OFD_TRY));
  g_assert_true (hf_ofd_refused (errno));
}

static void
test_conflicts (Locks *locks, gconstpointer data)
{
  g_assert_true (hf_ofd_lock (locks->first, HF_OFD_SHARED, HF_OFD_TRY));
  g_assert_true (hf_ofd_lock (locks->second, HF_OFD_SHARED, HF_OFD_TRY));
  assert_refused (locks->first, HF_OFD_EXCLUSIVE);
  hf_ofd_unlock (locks->second);
  g_assert_true (hf_ofd_lock (locks->first, HF_OFD_EXCLUSIVE, HF_OFD_TRY));
  assert_refused (locks->second, HF_OFD_SHARED);
  assert_refused (locks->second, HF_OFD_EXCLUSIVE);
}

static void
test_copies (Locks *locks, gconstpointer data)
{
  g_assert_true (hf_ofd_lock (locks->first, HF_OFD_SHARED, HF_OFD_TRY));
  hf_autofd int copy = fcntl (locks->first, F_DUPFD_CLOEXEC, 0);
  hf_fd_clear (&locks->first);
  /* Closing another description of the file: an F_SETLK lock would go with it. */
  hf_autofd int other = open_file (locks, O_RDWR);
  hf_fd_clear (&other);
  assert_refused (locks->second, HF_OFD_EXCLUSIVE);
  hf_fd_clear (&copy);
  g_assert_true (hf_ofd_lock (locks->second, HF_OFD_EXCLUSIVE, HF_OFD_TRY));
}

static void
stay (gpointer data)
{
}

static void
test_unlock (Locks *locks, gconstpointer data)
{
  g_assert_true (hf_ofd_lock (locks->first, HF_OFD_EXCLUSIVE, HF_OFD_TRY));
  pid_t child = child_start (stay, NULL);
  errno = EDOM;
  hf_ofd_unlock (locks->first);
  g_assert_cmpint (errno, ==, EDOM);
  g_assert_true (hf_ofd_lock (locks->second, HF_OFD_EXCLUSIVE, HF_OFD_TRY));
  child_kill (child);
}

static void
take_posix (gpointer data)
{
  lock_posix_shared (((Locks *)data)->base.dir_fd, "file");
}

static void
test_posix (Locks *locks, gconstpointer data)
{
  pid_t child = child_start (take_posix, locks);
  assert_refused (locks->first, HF_OFD_EXCLUSIVE);
  g_assert_false (hf_ofd_held_exclusively (locks->first));
  g_assert_true (hf_ofd_lock (locks->first, HF_OFD_SHARED, HF_OFD_TRY));
  hf_ofd_unlock (locks->first);
  child_kill (child);
  g_assert_true (hf_ofd_lock (locks->first, HF_OFD_EXCLUSIVE, HF_OFD_TRY));
}

static void
test_permission (Locks *locks, gconstpointer data)
{
  hf_autofd int reader = open_file (locks, O_RDONLY);
  g_assert_false (hf_ofd_lock (reader, HF_OFD_EXCLUSIVE, HF_OFD_TRY));
  g_assert_false (hf_ofd_refused (errno));
  g_assert_true (hf_ofd_lock (reader, HF_OFD_SHARED, HF_OFD_TRY));
}

static void
test_held_exclusively (Locks *locks, gconstpointer data)
{
  g_assert_false (hf_ofd_held_exclusively (locks->second));
  g_assert_true (hf_ofd_lock (locks->first, HF_OFD_SHARED, HF_OFD_TRY));
  errno = EAGAIN;
  g_assert_false (hf_ofd_held_exclusively (locks->second));
  g_assert_true (hf_ofd_lock (locks->first, HF_OFD_EXCLUSIVE, HF_OFD_TRY));
  g_assert_true (hf_ofd_held_exclusively (locks->second));
  g_assert_cmpint (errno, ==, EAGAIN);
}

typedef struct
{
  Locks *locks;
  int ready; /* written to before it waits */
} Waiter;

static void
wait_for_lock (gpointer data)
{
  const Waiter *waiter = data;
  char text[16] = "";
  hf_autofd int fd = open_file (waiter->locks, O_RDWR);
  assert_refused (fd, HF_OFD_EXCLUSIVE);
  g_assert_cmpint (write (waiter->ready, "", 1), ==, 1);
  g_assert_true (hf_ofd_lock (fd, HF_OFD_EXCLUSIVE, HF_OFD_WAIT));
  g_assert_cmpint (pread (fd, text, sizeof text - 1, 0), ==, 4);
  g_assert_cmpstr (text, ==, "done");
}

static void
test_wait (Locks *locks, gconstpointer data)
{
  int pipe_fds[2];
  char byte;
  g_assert_no_errno (pipe2 (pipe_fds, O_CLOEXEC));
  Waiter waiter = { locks, pipe_fds[1] };
  g_assert_true (hf_ofd_lock (locks->first, HF_OFD_EXCLUSIVE, HF_OFD_TRY));
  pid_t child = fork ();
  g_assert_no_errno (child);
  if (child == 0)
    {
      wait_for_lock (&waiter);
      _exit (0);
    }
  g_assert_cmpint (read (pipe_fds[0], &byte, 1), ==, 1);
  g_assert_cmpint (pwrite (locks->first, "done", 4, 0), ==, 4);
  hf_ofd_unlock (locks->first);
  child_wait (child);
  hf_fd_clear (&pipe_fds[0]);
  hf_fd_clear (&pipe_fds[1]);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/ofd-lock/" promise, Locks, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("readers share and a writer is alone", test_conflicts);
  ADD ("a lock lasts until its last copy is closed and no other close ends it", test_copies);
  ADD ("an unlock frees the file though a child has the descriptor", test_unlock);
  ADD ("a POSIX lock of another process keeps a writer out", test_posix);
  ADD ("who may only read cannot keep others out", test_permission);
  ADD ("an exclusive holder is told from shared ones", test_held_exclusively);
  ADD ("a waiter gets the lock when it is given up and not before", test_wait);
  return g_test_run ();
}
