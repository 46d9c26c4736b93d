/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The installation's permanent locks.  They wait in the kernel, without a timeout: every holder
 * keeps them for a bounded piece of work only, and a crash gives them up.
 */
#include "lock.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/ofd-lock.h"
#include "layout.h"

#include <errno.h>

static const struct
{
  const char *path;
  HfOfdMode mode;
} locks[] = {
  [HF_LOCK_PRUNE] = { HF_PRUNE_LOCK_FILE, HF_OFD_EXCLUSIVE },
  [HF_LOCK_TURN_IMPORT] = { HF_TURN_LOCK_FILE, HF_OFD_SHARED },
  [HF_LOCK_TURN_PRUNE] = { HF_TURN_LOCK_FILE, HF_OFD_EXCLUSIVE },
  [HF_LOCK_REPO_IMPORT] = { HF_REPO_DIR "/" HF_REPO_LOCK, HF_OFD_SHARED },
  [HF_LOCK_REPO_PRUNE] = { HF_REPO_DIR "/" HF_REPO_LOCK, HF_OFD_EXCLUSIVE },
  [HF_LOCK_CHANGE] = { HF_LOCK_FILE, HF_OFD_EXCLUSIVE },
};

/* Lock files are permanent, but an administrator may have put one back from a copy while we waited:
 * then we hold a lock on a file that nobody else will look at. */
static gboolean
still_named (int root_fd, const char *path, int fd)
{
  struct stat held, named;
  return fstat (fd, &held) == 0 && fstatat (root_fd, path, &named, AT_SYMLINK_NOFOLLOW) == 0
         && hf_stat_same_file (&held, &named);
}

static gboolean
take (HfInstallation *installation, HfLockKind kind, HfLock *out, GError **error)
{
  const char *path = locks[kind].path;
  for (;;)
    {
      hf_autofd int fd = hf_open_beneath (installation->root_fd, path, O_RDWR | O_NONBLOCK, 0);
      if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
        return hf_throw_no_permission (installation, error);
      if (fd < 0)
        return hf_throw_errno (error, "Cannot open %s/%s", installation->path, path);
      if (!hf_ofd_lock (fd, locks[kind].mode, HF_OFD_WAIT))
        return hf_throw_errno (error, "Cannot lock %s/%s", installation->path, path);
      if (still_named (installation->root_fd, path, fd))
        {
          out->fd = hf_fd_steal (&fd);
          return TRUE;
        }
    }
}

/**
 * hf_lock_take:
 * @installation: an installation
 * @kind: which lock, and how
 * @out: (out): the lock, %HF_LOCK_INIT before
 *
 * Waits until the lock is had.  The caller holds no lock of a later kind, and no `.ref` is being
 * waited for.
 *
 * An import that waits for the repository says so meanwhile, by the turn lock: the kernel wakes it
 * when a pruner gives the repository up, but on a busy machine the pruner would have it again before
 * the import had run.  The pruner asks for the turn in between, and so an import waits for one batch.
 *
 * Returns: %FALSE with @error set if the lock file cannot be opened: no permission, usually
 */
gboolean
hf_lock_take (HfInstallation *installation, HfLockKind kind, HfLock *out, GError **error)
{
  g_auto (HfLock) turn = HF_LOCK_INIT;
  return (kind != HF_LOCK_REPO_IMPORT || take (installation, HF_LOCK_TURN_IMPORT, &turn, error))
         && take (installation, kind, out, error);
}

/**
 * hf_lock_release:
 * @lock: a lock, held or not
 *
 * Unlocks explicitly before closing: a forked child may still have the descriptor.
 */
void
hf_lock_release (HfLock *lock)
{
  if (lock->fd < 0)
    return;
  hf_ofd_unlock (lock->fd);
  hf_fd_clear (&lock->fd);
}
