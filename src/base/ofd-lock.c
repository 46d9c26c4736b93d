/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Open-file-description record locks on whole files.  Whether something may be done is only ever
 * told by having the lock: an answer to a question would be stale before it could be used.
 */
#include "ofd-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int
set_lock (int fd, int command, short type)
{
  struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
  int result;
  do
    result = fcntl (fd, command, &lock);
  while (result != 0 && errno == EINTR);
  return result;
}

/**
 * hf_ofd_lock:
 * @fd: a file, readable for a shared and writable for an exclusive lock
 * @mode: shared or exclusive
 * @wait: whether to wait in the kernel for it
 *
 * The lock belongs to the open file description: it lasts until the last descriptor of it, in
 * whatever process or socket, is closed, or until hf_ofd_unlock().
 *
 * Returns: whether the lock is held; if not, `errno` is set, and hf_ofd_refused() tells "held by
 *   somebody else" from failure
 */
gboolean
hf_ofd_lock (int fd, HfOfdMode mode, HfOfdWait wait)
{
  short type = mode == HF_OFD_SHARED ? F_RDLCK : F_WRLCK;
  return set_lock (fd, wait == HF_OFD_WAIT ? F_OFD_SETLKW : F_OFD_SETLK, type) == 0;
}

/**
 * hf_ofd_unlock:
 * @fd: a file
 *
 * Gives the lock up now, even if a forked child still has the descriptor.  `errno` is preserved.
 */
void
hf_ofd_unlock (int fd)
{
  int saved = errno;
  (void)set_lock (fd, F_OFD_SETLK, F_UNLCK);
  errno = saved;
}

/**
 * hf_ofd_refused:
 * @errsv: `errno` after a lock was not had without waiting
 *
 * Returns: whether it means that somebody else holds a conflicting lock.  fcntl(2) allows both
 *   EAGAIN and EACCES for that; flock(2) says EWOULDBLOCK, the same number as EAGAIN.
 */
gboolean
hf_ofd_refused (int errsv)
{
  return errsv == EAGAIN || errsv == EACCES;
}

/**
 * hf_ofd_held_exclusively:
 * @fd: a file whose lock was just refused
 *
 * Tells a sweeper from a user of the file, for a report.  Nothing may be done because of it.
 * `errno` is preserved.
 *
 * Returns: whether somebody holds an exclusive record lock
 */
gboolean
hf_ofd_held_exclusively (int fd)
{
  int saved = errno;
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
  gboolean exclusive = fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
  errno = saved;
  return exclusive;
}

/**
 * hf_ofd_is_locked:
 * @fd: a file
 *
 * For people to look at.  Nothing may be done because of it.
 *
 * Returns: whether somebody else holds a record lock of any kind
 */
gboolean
hf_ofd_is_locked (int fd)
{
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
  return fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
