/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Waiting until a file is free of locks, for several files at once.  The kernel tells nobody that a lock
 * was given up, other than by granting it to whoever waits; so for each file a process of its own waits,
 * which can be killed at any moment, and its end can be polled for.
 */
#pragma once

#include <glib.h>
#include <poll.h>

int hf_lock_wait_start (int fd);
int hf_lock_wait_poll (struct pollfd *polled, guint n, gint64 deadline);
gboolean hf_lock_wait_end (int pid_fd) G_GNUC_WARN_UNUSED_RESULT;
