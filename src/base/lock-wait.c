/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thread would not do: one that waits for a lock cannot be called back from there without a signal
 * that may come just before it waits.
 */
#include "lock-wait.h"

#include "ofd-lock.h"

#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Only what is safe between a fork and an exec, since another thread may have had any lock of the C library
 * at that moment.  Whoever holds the file by flock(2) is waited for first, and let go at once: meanwhile
 * others may hold it so.  The end of the process gives up both. */
static void G_NORETURN
wait_here (int fd, pid_t parent)
{
  int result;
  (void)prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != parent)
    _exit (EXIT_FAILURE);
  do
    result = flock (fd, LOCK_EX);
  while (result != 0 && errno == EINTR);
  if (result != 0 || flock (fd, LOCK_UN) != 0)
    _exit (EXIT_FAILURE);
  _exit (hf_ofd_lock (fd, HF_OFD_EXCLUSIVE, HF_OFD_WAIT) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/**
 * hf_lock_wait_start:
 * @fd: a file, writable, opened for this alone and closed by the caller as soon as this returns
 *
 * Has a process wait until nobody has a lock on the file, of either kind.  While it waits it delays
 * nobody: the kernel grants a shared lock whoever waits for an exclusive one.  Then it has the file locked
 * for the moment that its end takes, and whoever would have it meanwhile is refused.
 *
 * Returns: a pidfd that can be polled for the end of the wait, for hf_lock_wait_end(); or -1 with `errno`
 *   set
 */
int
hf_lock_wait_start (int fd)
{
  pid_t parent = getpid ();
  pid_t pid = fork ();
  if (pid < 0)
    return -1;
  if (pid == 0)
    wait_here (fd, parent);
  int pid_fd = pidfd_open (pid, 0);
  if (pid_fd < 0)
    {
      int saved = errno;
      (void)kill (pid, SIGKILL);
      (void)waitpid (pid, NULL, 0);
      errno = saved;
    }
  return pid_fd;
}

/* Milliseconds as poll(2) has them, rounded up so that the deadline has passed afterwards. */
static int
remaining (gint64 deadline)
{
  if (deadline < 0)
    return -1;
  gint64 left = (deadline - g_get_monotonic_time () + 999) / 1000;
  return (int)CLAMP (left, 0, G_MAXINT);
}

/**
 * hf_lock_wait_poll:
 * @polled: (array length=n): pidfds from hf_lock_wait_start(), and whatever else is waited for
 * @n: how many they are
 * @deadline: in microseconds of g_get_monotonic_time(), or -1 to wait as long as it takes
 *
 * Returns: how many of them are ready, as poll(2) does: 0 if @deadline has passed, -1 with `errno` set on
 *   failure
 */
int
hf_lock_wait_poll (struct pollfd *polled, guint n, gint64 deadline)
{
  int ready;
  do
    ready = poll (polled, n, remaining (deadline));
  while (ready < 0 && errno == EINTR);
  return ready;
}

/**
 * hf_lock_wait_end:
 * @pid_fd: from hf_lock_wait_start()
 *
 * Ends the wait, also if it is not over, and closes @pid_fd.
 *
 * Returns: %FALSE if the file cannot be waited for; not if this call cut the wait short
 */
gboolean
hf_lock_wait_end (int pid_fd)
{
  siginfo_t info = { 0 };
  (void)pidfd_send_signal (pid_fd, SIGKILL, NULL, 0);
  while (waitid (P_PIDFD, (id_t)pid_fd, &info, WEXITED) != 0 && errno == EINTR)
    ;
  (void)close (pid_fd);
  return info.si_code != CLD_EXITED || info.si_status == EXIT_SUCCESS;
}
