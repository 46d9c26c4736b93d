/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who holds a `.ref`, as far as the kernel tells: /proc/locks names the holder of a POSIX lock
 * (bubblewrap's --lock-file) and of a flock, and nobody for an open-file-description lock.  Only
 * ever used to tell people; whether something is held, the lock itself says.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef enum
{
  HF_KERNEL_LOCK_POSIX,
  HF_KERNEL_LOCK_FLOCK,
  HF_KERNEL_LOCK_OFD,
} HfKernelLockKind;

/* A file as /proc/locks identifies it.  The device is the superblock's, which on btrfs is another
 * than stat(2) gives. */
typedef struct
{
  dev_t device;
  guint64 inode;
} HfLockedFile;

typedef struct
{
  HfKernelLockKind kind;
  gboolean exclusive;
  gint64 pid; /* in our pid namespace; 0 or less if the kernel names nobody */
  HfLockedFile file;
} HfKernelLock;

typedef struct
{
  GArray *locks;   /* owned; of HfKernelLock, granted ones only: a snapshot of /proc/locks */
  char *mounts;    /* owned; /proc/self/mountinfo, or %NULL until needed */
  GArray *openers; /* owned; who has any `.ref` open with a lock on it, or %NULL until needed */
} HfHolders;

typedef struct
{
  gint64 pid;    /* in our pid namespace */
  guint64 start; /* of the process, not of its lock, which nobody knows; seconds since 1970 */
  guint uid;
  char *command;             /* owned; the short name of the process */
  gboolean first_of_sandbox; /* it is process 1 of a pid namespace below ours */
} HfHolder;

HfHolders *hf_holders_read (GError **error);
void hf_holders_free (HfHolders *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfHolders, hf_holders_free)

gboolean hf_holders_identify (HfHolders *self, int fd, HfLockedFile *out,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_holders_is_held (HfHolders *self, int ref_fd);
GPtrArray *hf_holders_of (HfHolders *self, int ref_fd, GError **error);

HfHolder *hf_holder_read (gint64 pid);
void hf_holder_free (HfHolder *holder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfHolder, hf_holder_free)
