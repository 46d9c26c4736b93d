/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bundle.  A queued SCM_RIGHTS message keeps the open file descriptions in it, and with them
 * their locks, until the receiving end is closed for the last time (unix(7)).  So the sandbox's
 * first process holds every lock of its launch for as long as it lives, without knowing, and the
 * app has none of the descriptors.
 */
#include "bundle.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define MOST_FDS 8 /* an instance uses an app and its runtime; far below the kernel's 253 */

/**
 * hf_bundle_new:
 * @fds: descriptors; they stay open and the caller's
 * @n_fds: how many, at most 8
 * @out: (out): the receiving end, the caller's to close; -1 if this user has as many descriptors in
 *   flight as RLIMIT_NOFILE allows (ETOOMANYREFS), so that somebody must stay and keep @fds open
 *
 * Returns: %FALSE with @error set on any other failure
 */
gboolean
hf_bundle_new (const int *fds, gsize n_fds, int *out, GError **error)
{
  int ends[2];
  g_return_val_if_fail (n_fds > 0 && n_fds <= MOST_FDS, FALSE);
  *out = -1;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return hf_throw_errno (error, "Cannot create a socket pair");
  hf_autofd int receiving = ends[0];
  hf_autofd int sending = ends[1];

  union
  {
    char bytes[CMSG_SPACE (MOST_FDS * sizeof (int))];
    struct cmsghdr aligned;
  } control = { 0 };
  char byte = 0; /* ancillary data travels with at least one byte */
  struct iovec payload = { .iov_base = &byte, .iov_len = 1 };
  struct msghdr message = { .msg_iov = &payload,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = CMSG_SPACE (n_fds * sizeof (int)) };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (n_fds * sizeof (int));
  memcpy (CMSG_DATA (header), fds, n_fds * sizeof (int));

  ssize_t sent;
  do
    sent = sendmsg (sending, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0)
    return errno == ETOOMANYREFS || hf_throw_errno (error, "Cannot keep the locks of the launch");
  *out = hf_fd_steal (&receiving);
  return TRUE;
}
