/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A copy has other inodes, and may have lost the links between them: then the deployments that were copied
 * are nothing that a link count could tell of, also not to a sweep of one that came later and is linked.  So
 * the repository's lock file, which is permanent and never written, has as its time the number of its own
 * inode.  A copy has that time, or a new one, and another inode.  A time, unlike contents, costs no room on a
 * full disk.  Who changes it by hand has the next sweep look at everything, and set it again.
 */
#include "repo-identity.h"

#include "base/error.h"
#include "layout.h"

#include <fcntl.h>
#include <sys/stat.h>

/* The inode's birth tells a copy that got the same number on another file system. */
static gboolean
look (int repo_fd, struct timespec *out_is, struct timespec *out_must, GError **error)
{
  struct statx st;
  if (statx (repo_fd, HF_REPO_LOCK, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_MTIME | STATX_BTIME, &st)
      != 0)
    return hf_throw_errno (error, "Cannot look at %s/%s", HF_REPO_DIR, HF_REPO_LOCK);
  *out_is = (struct timespec){ st.stx_mtime.tv_sec, st.stx_mtime.tv_nsec };
  *out_must = (struct timespec){ (time_t)(st.stx_ino & G_MAXINT32), 0 };
  if ((st.stx_mask & STATX_BTIME) != 0)
    out_must->tv_nsec = st.stx_btime.tv_nsec;
  return TRUE;
}

/**
 * hf_repo_is_original:
 * @repo_fd: the repository
 * @out: (out): whether the mark is there that hf_repo_set_original() has set
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_repo_is_original (int repo_fd, gboolean *out, GError **error)
{
  struct timespec is = { 0 }, must = { 0 };
  if (!look (repo_fd, &is, &must, error))
    return FALSE;
  *out = is.tv_sec == must.tv_sec && is.tv_nsec == must.tv_nsec;
  return TRUE;
}

/**
 * hf_repo_set_original:
 * @repo_fd: the repository
 *
 * A crash before it is on disk has a sweep look at everything once more.
 *
 * Locks: needs the repository's, exclusively, since before a look at every deployment that found each linked
 * to it; or that there is none yet.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_repo_set_original (int repo_fd, GError **error)
{
  struct timespec is = { 0 }, must = { 0 };
  if (!look (repo_fd, &is, &must, error))
    return FALSE;
  const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, must };
  return utimensat (repo_fd, HF_REPO_LOCK, times, AT_SYMLINK_NOFOLLOW) == 0
         || hf_throw_errno (error, "Cannot set the time of %s/%s", HF_REPO_DIR, HF_REPO_LOCK);
}
