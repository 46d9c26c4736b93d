/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Modes and owners of files whose meaning depends on them: lock files, above all.
 */
#include "repair-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"

#include <errno.h>
#include <unistd.h>

static gboolean
set (int dfd, const char *name, const struct stat *st, const struct stat *parent, mode_t wanted,
     GError **error)
{
  if ((st->st_uid != parent->st_uid
       && fchownat (dfd, name, parent->st_uid, parent->st_gid, AT_SYMLINK_NOFOLLOW) != 0)
      || fchmodat (dfd, name, wanted, 0) != 0)
    return hf_throw_errno (error, "Cannot set the mode of %s", name);
  return TRUE;
}

/**
 * hf_repair_mode:
 * @repair: a repair
 * @dfd: a directory
 * @name: a regular file or directory in it
 * @thing: the same, below the installation
 * @wanted: the permissions that it must have
 *
 * Gives it these, and the owner of the directory that it is in.  Descriptors that are open stay what
 * they are, and so do locks: nobody who holds something rightly loses it.
 */
void
hf_repair_mode (HfRepair *repair, int dfd, const char *name, const char *thing, mode_t wanted)
{
  struct stat st, parent;
  if (fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISLNK (st.st_mode)
      || fstatat (dfd, "", &parent, AT_EMPTY_PATH) != 0
      || ((st.st_mode & 07777) == wanted && st.st_uid == parent.st_uid))
    return;
  g_autofree char *cause
      = (st.st_mode & 07777) != wanted
            ? g_strdup_printf (_ ("has mode %04o"), st.st_mode & 07777)
            : g_strdup_printf (_ ("belongs to user %u"), (unsigned int)st.st_uid);
  g_autofree char *mending
      = g_strdup_printf (_ ("gets mode %04o and the installation's owner"), wanted);
  HfFinding *finding = hf_repair_find (repair, thing, cause, mending);
  if (repair->options.dry_run)
    return;
  g_autoptr (GError) failed = NULL;
  (void)!set (dfd, name, &st, &parent, wanted, &failed);
  hf_finding_settle (finding, failed);
}
