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
#include <string.h>

typedef struct
{
  const char *path;
  HfOfdMode mode;
} LockFile;

static const LockFile locks[] = {
  [HF_LOCK_PRUNE] = { HF_PRUNE_LOCK_FILE, HF_OFD_EXCLUSIVE },
  [HF_LOCK_REPO_IMPORT] = { HF_REPO_DIR "/" HF_REPO_LOCK, HF_OFD_SHARED },
  [HF_LOCK_REPO_PRUNE] = { HF_REPO_DIR "/" HF_REPO_LOCK, HF_OFD_EXCLUSIVE },
  [HF_LOCK_CHANGE] = { HF_LOCK_FILE, HF_OFD_EXCLUSIVE },
};

/* Who waits for the repository. */
static const LockFile import_turn = { HF_TURN_LOCK_FILE, HF_OFD_SHARED };
static const LockFile prune_turn = { HF_TURN_LOCK_FILE, HF_OFD_EXCLUSIVE };

/* Lock files are permanent, but an administrator may have put one back from a copy while we waited:
 * then we hold a lock on a file that nobody else will look at. */
static gboolean
still_named (int root_fd, const char *path, int fd)
{
  struct stat held, named;
  return fstat (fd, &held) == 0 && fstatat (root_fd, path, &named, AT_SYMLINK_NOFOLLOW) == 0
         && hf_stat_same_file (&held, &named);
}

/* Nothing is wrong with a turn-lock that is made anew: it is about who comes first, and not about
 * what is safe. */
static gboolean
take (HfInstallation *installation, const LockFile *file, HfLock *out, GError **error)
{
  const char *path = file->path;
  gboolean is_turn = strcmp (path, HF_TURN_LOCK_FILE) == 0;
  for (;;)
    {
      hf_autofd int fd = hf_open_beneath (installation->root_fd, path,
                                          O_RDWR | O_NONBLOCK | (is_turn ? O_CREAT : 0),
                                          is_turn ? HF_MODE_LOCK : 0);
      if (fd < 0 && errno == EROFS)
        return hf_throw_errno (error, "Cannot change %s", installation->path);
      if (fd < 0 && (errno == EACCES || errno == EPERM))
        return hf_throw_no_permission (installation, error);
      if (fd < 0)
        return hf_throw_errno (error, "Cannot open %s/%s", installation->path, path);
      if (!hf_ofd_lock (fd, file->mode, HF_OFD_WAIT))
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
 * The kernel wakes an import that waits for the repository when a pruner gives that up, but on a busy
 * machine the pruner would have it again before the import had run.  So an import holds turn-lock,
 * shared, while it waits, and a pruner waits first until nobody does.
 *
 * Returns: %FALSE with @error set if the lock file cannot be opened: no permission, usually
 */
gboolean
hf_lock_take (HfInstallation *installation, HfLockKind kind, HfLock *out, GError **error)
{
  g_auto (HfLock) turn = HF_LOCK_INIT;
  if (kind == HF_LOCK_REPO_IMPORT && !take (installation, &import_turn, &turn, error))
    return FALSE;
  if (kind == HF_LOCK_REPO_PRUNE)
    {
      if (!take (installation, &prune_turn, &turn, error))
        return FALSE;
      hf_lock_release (&turn);
    }
  return take (installation, &locks[kind], out, error);
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
