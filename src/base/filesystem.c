/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The list of the file systems that are what they look like.
 */
#include "filesystem.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#ifndef XFS_SUPER_MAGIC
#  define XFS_SUPER_MAGIC 0x58465342
#endif

/**
 * hf_filesystem_is_plain:
 * @fd: anything on it
 *
 * Returns: whether link counts and the numbers of inodes are its own, and stay: overlayfs breaks
 *   links when it copies a file up, NFS and FUSE may remember what was
 */
gboolean
hf_filesystem_is_plain (int fd)
{
  static const guint64 plain[]
      = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, F2FS_SUPER_MAGIC };
  struct statfs fs;
  if (fstatfs (fd, &fs) != 0)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (plain); i++)
    if ((guint64)fs.f_type == plain[i])
      return TRUE;
  return FALSE;
}
