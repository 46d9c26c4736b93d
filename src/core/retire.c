/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taking deployments out of service, one atomic exchange each.  Everything here runs under `lock`,
 * with the unsettled mark set.  The deployment and a symlink that forwards to its new place change
 * places in one step, so that its old path never stops resolving: bubblewrap 0.8 mounts by path, late
 * in its start-up.
 */
#include "retire.h"

#include "base/error.h"
#include "base/fd.h"
#include "branch.h"
#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where the directory cannot be moved, its mode alone takes it out of service.  The caller leaves
 * the unsettled mark set, by which a sweeper finds it. */
static gboolean
retire_in_place (int branch_fd, const char *name, GError **error)
{
  hf_autofd int fd = hf_open_beneath (branch_fd, name, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    return hf_throw_errno (error, "Cannot open %s", name);
  return hf_deployment_set_state (fd, HF_STATE_RETIRED, error);
}

/* EXDEV: a lower layer of overlayfs, or another file system; EBUSY: a mount point; the others: the
 * directory entry in removed/ found no room. */
static gboolean
cannot_move (int errsv)
{
  return errsv == EXDEV || errsv == EBUSY || errsv == ENOSPC || errsv == EDQUOT;
}

/* Makes the symlink that is to change places with a deployment.  Within one second there may be one of that
 * name already, which a crash or a restore left: under `lock` it is nobody's. */
static int
prepare_forwarding (HfInstallation *installation, const char *entry)
{
  struct stat st;
  g_autofree char *target = hf_forwarding_target (entry);
  if (symlinkat (target, installation->removed_fd, entry) == 0)
    return 0;
  if (errno != EEXIST || fstatat (installation->removed_fd, entry, &st, AT_SYMLINK_NOFOLLOW) != 0
      || !S_ISLNK (st.st_mode)
      || hf_ledger_unlink (installation->ledger, installation->removed_fd, entry, 0) != 0)
    return -1;
  return symlinkat (target, installation->removed_fd, entry);
}

/* Moves a deployment, and tells by `errno` why it could not.  A crash before the exchange leaves a
 * symlink in removed/ that forwards to itself: a sweep unlinks it. */
static int
exchange (HfInstallation *installation, int branch_fd, const char *name, const char *entry)
{
  if (prepare_forwarding (installation, entry) != 0)
    return -1;
  if (renameat2 (branch_fd, name, installation->removed_fd, entry, RENAME_EXCHANGE) == 0)
    {
      hf_ledger_made (installation->ledger, branch_fd, name);
      return 0;
    }
  int errsv = errno;
  (void)unlinkat (installation->removed_fd, entry, 0);
  errno = errsv;
  /* NFS knows no rename flags: the old path stops resolving there. */
  return errsv == EINVAL || errsv == ENOSYS
             ? renameat (branch_fd, name, installation->removed_fd, entry)
             : -1;
}

/**
 * hf_retire_deployment:
 * @installation: an installation
 * @ref: the ref that it was deployed for
 * @branch_fd: its branch directory
 * @name: its name there
 * @out_entry: (out) (optional) (transfer full) (nullable): its name in removed/, unless it stayed where it was
 * @out_in_place: (out): whether it stayed where it was, out of service by its state
 *
 * Takes one deployment out of service.  The cost does not depend on its size.
 *
 * Locks: needs `lock` and the unsettled mark.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_retire_deployment (HfInstallation *installation, const HfRef *ref, int branch_fd,
                      const char *name, char **out_entry, gboolean *out_in_place, GError **error)
{
  g_autofree char *entry = hf_removed_name (name);
  *out_in_place = FALSE;
  if (exchange (installation, branch_fd, name, entry) == 0)
    {
      /* One after the other.  A crash in between brings back either the state before the exchange or
       * the one after it, as it is one step; and the mark has whoever comes next look. */
      if (!hf_dir_sync (installation->root_fd, HF_REMOVED_DIR, error)
          || !hf_dir_sync (branch_fd, ".", error))
        return FALSE;
      if (out_entry != NULL)
        *out_entry = g_steal_pointer (&entry);
      return TRUE;
    }
  if (!cannot_move (errno))
    return hf_throw_errno (error, "Cannot move %s of %s to %s", name, ref->full, HF_REMOVED_DIR);
  *out_in_place = TRUE;
  return retire_in_place (branch_fd, name, error);
}

/* Whether a deployment lies out of service in place, or is what is left of one whose sweep was cut
 * short.  What has lost its `deployment` in another way has a tree, and goes like anything else. */
static gboolean
is_retired (int branch_fd, const char *name)
{
  struct stat st;
  HfDeploymentState state;
  hf_autofd int fd = hf_open_beneath (branch_fd, name, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 || !hf_deployment_get_state (fd, &state, NULL) || hf_state_in_service (state))
    return FALSE;
  return state != HF_STATE_ABSENT
         || (fstatat (fd, HF_TREE_DIR, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT);
}

/**
 * hf_retire_list:
 * @branch_fd: a branch directory
 * @keep: (nullable) (element-type utf8 utf8): a set of the names of those to leave alone
 * @out_in_place: (out): whether one of the others lies out of service in place
 *
 * Such a one stays as it is: a sweeper may be at it, by its path, and its state only falls.
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: (transfer full) (element-type utf8): the names of the others that are to be taken out of service,
 *   or %NULL with @error set
 */
GPtrArray *
hf_retire_list (int branch_fd, GHashTable *keep, gboolean *out_in_place, GError **error)
{
  *out_in_place = FALSE;
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  for (guint i = names == NULL ? 0 : names->len; i-- > 0;)
    {
      const char *name = names->pdata[i];
      struct stat st;
      gboolean goes = keep == NULL || !g_hash_table_contains (keep, name);
      if (goes && fstatat (branch_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        {
          if (errno != ENOENT)
            {
              (void)hf_throw_errno (error, "Cannot look at %s", name);
              return NULL;
            }
          goes = FALSE; /* a sweeper has removed the empty directory that a crash had left */
        }
      goes = goes && S_ISDIR (st.st_mode);
      if (goes && is_retired (branch_fd, name))
        {
          *out_in_place = TRUE;
          goes = FALSE;
        }
      if (!goes)
        g_ptr_array_remove_index (names, i);
    }
  return g_steal_pointer (&names);
}

/**
 * hf_retire_others:
 * @installation: an installation
 * @ref: a ref
 * @branch_fd: its branch directory
 * @keep: (nullable) (element-type utf8 utf8): a set of the names of those to leave alone
 * @out_in_place: (out): whether one of them stayed where it was
 *
 * Takes every deployment of @ref but those of @keep out of service; see hf_retire_list().
 *
 * Locks: needs `lock` and the unsettled mark.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_retire_others (HfInstallation *installation, const HfRef *ref, int branch_fd, GHashTable *keep,
                  gboolean *out_in_place, GError **error)
{
  g_autoptr (GPtrArray) names = hf_retire_list (branch_fd, keep, out_in_place, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      gboolean in_place;
      if (!hf_retire_deployment (installation, ref, branch_fd, names->pdata[i], NULL, &in_place,
                                 error))
        return FALSE;
      *out_in_place |= in_place;
    }
  return names != NULL;
}
