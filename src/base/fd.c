/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files by directory descriptor.  Opening goes through openat2(2), so that no symlink, `..` or
 * magic link inside an installation can lead out of it, whoever planted it.
 */
#include "fd.h"

#include "error.h"
#include "language.h"

#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/**
 * hf_fd_clear:
 * @fd: (inout): a descriptor; -1 afterwards
 *
 * Closes @fd if it is open.  `errno` is preserved, so that it can run as a cleanup on the way out
 * of a failed call.
 */
void
hf_fd_clear (int *fd)
{
  int saved = errno;
  if (*fd >= 0)
    (void)close (*fd);
  *fd = -1;
  errno = saved;
}

/**
 * hf_fd_steal:
 * @fd: (inout): a descriptor; -1 afterwards
 *
 * Returns: the descriptor, now the caller's to close
 */
int
hf_fd_steal (int *fd)
{
  int taken = *fd;
  *fd = -1;
  return taken;
}

#define OPEN_TRIES 256

static int
open_resolved (int dfd, const char *path, int flags, mode_t mode, guint64 resolve)
{
  struct open_how how = { .flags = (guint64)(flags | O_CLOEXEC), .resolve = resolve };
  if (flags & (O_CREAT | O_TMPFILE))
    how.mode = mode;
  int fd = -1;
  /* EAGAIN: a rename raced with the resolution of `..`, and the kernel asks to try again; or there is
   * a lease on the file, which O_NONBLOCK does not wait for. */
  for (guint tries = 0; tries < OPEN_TRIES; tries++)
    {
      fd = (int)syscall (SYS_openat2, dfd, path, &how, sizeof how);
      if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
        break;
    }
  return fd;
}

/**
 * hf_open_beneath:
 * @dfd: a directory
 * @path: a path below it, of one or more components
 * @flags: as for open(2); O_CLOEXEC is added
 * @mode: for O_CREAT
 *
 * Opens without following any symlink and without leaving @dfd.
 * See openat2(2), RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS.
 *
 * Returns: a descriptor, or -1 with `errno` set (ELOOP where a symlink was met)
 */
int
hf_open_beneath (int dfd, const char *path, int flags, mode_t mode)
{
  return open_resolved (dfd, path, flags, mode,
                        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

/**
 * hf_open_same_mount:
 * @dfd: a directory
 * @path: a path below it, or `..`
 * @flags: as for open(2); O_CLOEXEC is added
 *
 * Like hf_open_beneath(), and refuses to enter another mount: only RESOLVE_NO_XDEV sees a bind
 * mount of the same file system, which has the same `st_dev`.
 *
 * Returns: a descriptor, or -1 with `errno` set (EXDEV where a mount was met)
 */
int
hf_open_same_mount (int dfd, const char *path, int flags)
{
  return open_resolved (dfd, path, flags, 0,
                        RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

/**
 * hf_throw_at:
 * @error: where to put the error, or %NULL
 * @message: what cannot be done, with %s for the name; it is translated here
 * @dfd: a directory
 * @path: what it was tried on, below it; "." for @dfd itself
 *
 * As hf_throw_errno(), with a name that says where the thing is.  `errno` is preserved.
 *
 * Returns: %FALSE always
 */
gboolean
hf_throw_at (GError **error, const char *message, int dfd, const char *path)
{
  int saved = errno;
  char link[64];
  (void)g_snprintf (link, sizeof link, "/proc/self/fd/%d", dfd);
  g_autofree char *where = hf_link_read (AT_FDCWD, link);
  gboolean itself = strcmp (path, ".") == 0;
  g_autofree char *name = where == NULL || path[0] == '/' ? g_strdup (path)
                          : itself                        ? g_strdup (where)
                                                          : g_strconcat (where, "/", path, NULL);
  g_autofree char *text = hf_text_about (message, name);
  errno = saved;
  return hf_throw_errno (error, "%s", text);
}

/**
 * hf_open_dir:
 * @dfd: a directory
 * @path: a directory below it
 *
 * Returns: a readable directory descriptor, or -1 with @error set
 */
int
hf_open_dir (int dfd, const char *path, GError **error)
{
  int fd = hf_open_beneath (dfd, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
  if (fd < 0)
    (void)hf_throw_at (error, "Cannot open directory %s", dfd, path);
  return fd;
}

/**
 * hf_dir_open:
 * @dfd: a directory
 * @path: a directory below it, or "." for @dfd itself
 *
 * Returns: (transfer full): a stream for hf_dir_next(), or %NULL with @error set; `errno` is kept
 */
DIR *
hf_dir_open (int dfd, const char *path, GError **error)
{
  hf_autofd int fd = hf_open_dir (dfd, path, error);
  if (fd < 0)
    return NULL;
  DIR *dir = fdopendir (fd);
  if (dir == NULL)
    {
      (void)hf_throw_at (error, "Cannot list directory %s", dfd, path);
      return NULL;
    }
  (void)hf_fd_steal (&fd);
  return dir;
}

/**
 * hf_dir_next:
 * @dir: a stream from hf_dir_open()
 * @out: (out) (transfer none): the next entry other than `.` and `..`, or %NULL at the end
 *
 * Returns: %FALSE with @error set if the directory could not be read to its end
 */
gboolean
hf_dir_next (DIR *dir, const struct dirent **out, GError **error)
{
  for (;;)
    {
      errno = 0;
      const struct dirent *entry = readdir (dir);
      if (entry == NULL && errno != 0)
        return hf_throw_at (error, "Cannot list directory %s", dirfd (dir), ".");
      if (entry != NULL && (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0))
        continue;
      *out = entry;
      return TRUE;
    }
}

/**
 * hf_fd_sync:
 * @fd: a file or directory
 *
 * Returns: %FALSE with @error set if fsync(2) failed
 */
gboolean
hf_fd_sync (int fd, GError **error)
{
  return fsync (fd) == 0 || hf_throw_at (error, "Cannot sync %s", fd, ".");
}

/**
 * hf_dir_sync:
 * @dfd: a directory
 * @path: a directory below it, or "." for @dfd itself
 *
 * Makes the names in a directory durable.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_dir_sync (int dfd, const char *path, GError **error)
{
  hf_autofd int fd = hf_open_dir (dfd, path, error);
  return fd >= 0 && hf_fd_sync (fd, error);
}

/**
 * hf_mkdir:
 * @dfd: a directory
 * @path: the directory to make; every component but the last exists
 * @mode: its exact mode, whatever the umask
 *
 * A directory that is there already is left as it is.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_mkdir (int dfd, const char *path, mode_t mode, GError **error)
{
  if (mkdirat (dfd, path, mode) != 0)
    return errno == EEXIST || hf_throw_at (error, "Cannot create directory %s", dfd, path);
  if (fchmodat (dfd, path, mode, 0) != 0)
    return hf_throw_at (error, "Cannot set the mode of %s", dfd, path);
  return TRUE;
}

/**
 * hf_make_dirs:
 * @dfd: a directory
 * @path: a path below it
 * @mode: the exact mode of what is made, whatever the umask
 *
 * Makes all directories of @path that are missing, without following a symlink.
 *
 * Returns: a descriptor of @path, O_PATH, or -1 with @error set
 */
int
hf_make_dirs (int dfd, const char *path, mode_t mode, GError **error)
{
  g_autofree char *part = g_strdup (path);
  for (char *slash = strchr (part, '/');; slash = strchr (slash + 1, '/'))
    {
      if (slash != NULL)
        *slash = '\0';
      /* What is there already may be a symlink, below which mkdir(2) would go. */
      if (!hf_mkdir (dfd, part, mode, error))
        return -1;
      int fd = hf_open_beneath (dfd, part, O_PATH | O_DIRECTORY, 0);
      if (fd < 0)
        (void)hf_throw_at (error, "Cannot open directory %s", dfd, part);
      if (fd < 0 || slash == NULL)
        return fd;
      (void)close (fd);
      *slash = '/';
    }
}

/**
 * hf_file_read:
 * @dfd: a directory
 * @path: a regular file below it
 * @limit: the most bytes that it may have
 *
 * Returns: (transfer full): the contents, or %NULL with @error set; `errno` tells ENOENT apart, and
 *   a file that is too large raises %HF_ERROR_UNSAFE
 */
GBytes *
hf_file_read (int dfd, const char *path, gsize limit, GError **error)
{
  hf_autofd int fd = hf_open_beneath (dfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  struct stat st;
  if (fd < 0 || fstat (fd, &st) != 0)
    {
      (void)hf_throw_at (error, "Cannot open %s", dfd, path);
      return NULL;
    }
  if (!S_ISREG (st.st_mode))
    {
      errno = EINVAL;
      (void)hf_throw (error, HF_ERROR_UNSAFE, "%s is not a regular file", path);
      return NULL;
    }
  if (st.st_size < 0 || (guint64)st.st_size > limit)
    {
      errno = EFBIG;
      (void)hf_throw (error, HF_ERROR_UNSAFE,
                      ngettext ("%s has %lu byte, more than the %lu that it may have",
                                "%s has %lu bytes, more than the %lu that it may have",
                                (gulong)st.st_size),
                      path, (gulong)st.st_size, (gulong)limit);
      return NULL;
    }
  gsize have = 0, size = (gsize)st.st_size;
  g_autofree char *data = g_malloc (size + 1);
  while (have < size)
    {
      ssize_t got = read (fd, data + have, size - have);
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        {
          (void)hf_throw_at (error, "Cannot read %s", dfd, path);
          return NULL;
        }
      if (got == 0)
        break;
      have += (gsize)got;
    }
  data[have] = '\0';
  return g_bytes_new_take (g_steal_pointer (&data), have);
}

/**
 * hf_fd_write_all:
 * @fd: a file
 * @data: bytes
 * @length: how many
 *
 * Returns: whether all was written; `errno` is set if not
 */
gboolean
hf_fd_write_all (int fd, const void *data, gsize length)
{
  const char *at = data;
  while (length > 0)
    {
      ssize_t done = write (fd, at, length);
      if (done < 0 && errno == EINTR)
        continue;
      if (done < 0)
        return FALSE;
      at += done;
      length -= (gsize)done;
    }
  return TRUE;
}

/**
 * hf_file_write_new:
 * @dfd: a directory
 * @name: the file to create; it must not exist
 * @data: its contents
 * @length: of @data, in bytes
 * @mode: its exact mode
 *
 * The contents are on disk when this returns; the name is not until the directory is synced.  On
 * failure no file is left.
 *
 * Returns: %FALSE with @error set on failure; `errno` is EEXIST if @name was there
 */
gboolean
hf_file_write_new (int dfd, const char *name, const char *data, gsize length, mode_t mode,
                   GError **error)
{
  hf_autofd int fd = hf_open_beneath (dfd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (fd < 0)
    return hf_throw_at (error, "Cannot create %s", dfd, name);
  if (!hf_fd_write_all (fd, data, length) || fchmod (fd, mode) != 0 || fsync (fd) != 0)
    {
      (void)hf_throw_at (error, "Cannot write %s", dfd, name);
      (void)unlinkat (dfd, name, 0);
      return FALSE;
    }
  return TRUE;
}

/**
 * hf_file_replace:
 * @dfd: a directory
 * @temporary: a name that nobody else uses meanwhile; what a crash left there is replaced
 * @name: the file to write, whether it is there or not
 * @data: its contents
 * @length: of @data, in bytes
 * @mode: its exact mode
 *
 * A crash before the rename leaves @temporary, and after it the new contents.  They and the name are on disk
 * when this returns.
 *
 * Returns: %FALSE with @error set on failure; then only the last step, the wait for the disk, has not been made,
 *   or @name is as it was
 */
gboolean
hf_file_replace (int dfd, const char *temporary, const char *name, const char *data, gsize length,
                 mode_t mode, GError **error)
{
  (void)unlinkat (dfd, temporary, 0);
  if (!hf_file_write_new (dfd, temporary, data, length, mode, error))
    return FALSE;
  if (renameat (dfd, temporary, dfd, name) == 0)
    return hf_dir_sync (dfd, ".", error);
  (void)hf_throw_at (error, "Cannot replace %s", dfd, name);
  (void)unlinkat (dfd, temporary, 0);
  return FALSE;
}

/**
 * hf_link_read:
 * @dfd: a directory
 * @path: a symlink below it
 *
 * Returns: (transfer full): where it points, or %NULL with `errno` set (EINVAL: not a symlink)
 */
char *
hf_link_read (int dfd, const char *path)
{
  char target[PATH_MAX + 1];
  ssize_t length = readlinkat (dfd, path, target, sizeof target - 1);
  return length < 0 ? NULL : g_strndup (target, (gsize)length);
}

/**
 * hf_stat_same_file:
 * @a: one file
 * @b: another
 *
 * Returns: whether both are the same inode
 */
gboolean
hf_stat_same_file (const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}
