/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taking deployments out of service.  Everything here runs under `lock`, with the unsettled mark
 * set.  The deployment and a symlink that forwards to its new place change places in one step, so
 * that its old path never stops resolving: bubblewrap 0.8 mounts by path, late in its start-up.
 */
#include "remove.h"

#include "base/error.h"
#include "base/fd.h"
#include "layout.h"
#include "lock.h"
#include "settle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* From deploy/KIND/ID/ARCH/BRANCH/ to the installation's root. */
#define TO_ROOT "../../../../../"

static char *
forwarding_target (const char *removed_name)
{
  return g_strconcat (TO_ROOT HF_REMOVED_DIR "/", removed_name, NULL);
}

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

static gboolean
move_to_removed (HfInstallation *installation, int branch_fd, const char *name, GError **error)
{
  g_autofree char *entry = hf_removed_name (name);
  g_autofree char *target = forwarding_target (entry);
  /* A crash here leaves a symlink in removed/ that forwards to itself: a sweep unlinks it. */
  if (symlinkat (target, installation->removed_fd, entry) != 0)
    return hf_throw_errno (error, "Cannot create %s/%s", HF_REMOVED_DIR, entry);
  if (renameat2 (branch_fd, name, installation->removed_fd, entry, RENAME_EXCHANGE) != 0)
    {
      int errsv = errno;
      (void)unlinkat (installation->removed_fd, entry, 0);
      /* NFS knows no rename flags: the old path stops resolving there. */
      if ((errsv != EINVAL && errsv != ENOSYS)
          || renameat (branch_fd, name, installation->removed_fd, entry) != 0)
        {
          errno = errsv != EINVAL && errsv != ENOSYS ? errsv : errno;
          return hf_throw_errno (error, "Cannot move %s to %s", name, HF_REMOVED_DIR);
        }
    }
  /* The two directories are synced one after the other.  A crash in between may bring the
   * deployment back in both places' terms, old or new; either is consistent, as the exchange is one
   * step of one journal, and the mark has whoever comes next look. */
  return hf_dir_sync (installation->root_fd, HF_REMOVED_DIR, error)
         && hf_dir_sync (branch_fd, ".", error);
}

/**
 * hf_remove_deployment:
 * @installation: an installation
 * @ref: the ref that it was deployed for
 * @branch_fd: its branch directory
 * @name: its name there
 * @out_in_place: (out): whether it stayed where it was, out of service by its state
 *
 * Takes one deployment out of service.  The cost does not depend on its size.
 *
 * Locks: needs `lock` and the unsettled mark.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_remove_deployment (HfInstallation *installation, const HfRef *ref, int branch_fd,
                      const char *name, gboolean *out_in_place, GError **error)
{
  g_autoptr (GError) failed = NULL;
  *out_in_place = FALSE;
  if (move_to_removed (installation, branch_fd, name, &failed))
    return TRUE;
  if (cannot_move (errno) && retire_in_place (branch_fd, name, error))
    {
      *out_in_place = TRUE;
      return TRUE;
    }
  if (error != NULL && *error != NULL)
    return FALSE;
  g_propagate_prefixed_error (error, g_steal_pointer (&failed), "Cannot remove %s: ", ref->full);
  return FALSE;
}

/**
 * hf_branch_deployments:
 * @branch_fd: a branch directory
 *
 * Returns: (transfer full) (element-type utf8): the names of deployments in it, forwarding links
 *   included, sorted, or %NULL with @error set
 */
GPtrArray *
hf_branch_deployments (int branch_fd, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (DIR) dir = hf_dir_open (branch_fd, ".", error);
  if (dir == NULL)
    return NULL;
  for (;;)
    {
      const struct dirent *entry;
      if (!hf_dir_next (dir, &entry, error))
        return NULL;
      if (entry == NULL)
        break;
      if (hf_deployment_name_parse (entry->d_name, NULL, NULL))
        g_ptr_array_add (names, g_strdup (entry->d_name));
    }
  g_ptr_array_sort (names, (GCompareFunc)(void (*) (void))g_strcmp0);
  return g_steal_pointer (&names);
}

/**
 * hf_remove_others:
 * @installation: an installation
 * @ref: a ref
 * @branch_fd: its branch directory
 * @keep: (nullable): the name of the deployment to leave alone
 * @out_in_place: (out): whether one of them stayed where it was
 *
 * Takes every deployment of @ref but @keep out of service.
 *
 * Locks: needs `lock` and the unsettled mark.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_remove_others (HfInstallation *installation, const HfRef *ref, int branch_fd, const char *keep,
                  gboolean *out_in_place, GError **error)
{
  *out_in_place = FALSE;
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = names->pdata[i];
      struct stat st;
      gboolean in_place = FALSE;
      if (g_strcmp0 (name, keep) == 0 || fstatat (branch_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0
          || !S_ISDIR (st.st_mode))
        continue;
      if (!hf_remove_deployment (installation, ref, branch_fd, name, &in_place, error))
        return FALSE;
      *out_in_place |= in_place;
    }
  return TRUE;
}

/**
 * hf_branch_prune:
 * @installation: an installation
 * @ref: a ref
 *
 * Removes its branch directory, and those above it, as far as they are empty.
 *
 * Locks: needs `lock`, so that nobody is about to put something there.
 */
void
hf_branch_prune (HfInstallation *installation, const HfRef *ref)
{
  g_autofree char *path = g_strdup (ref->full);
  char *slash;
  while ((slash = strrchr (path, '/')) != NULL)
    {
      if (unlinkat (installation->deploy_fd, path, AT_REMOVEDIR) != 0)
        return;
      *slash = '\0';
    }
}

/**
 * hf_forwarding_drop:
 * @installation: an installation
 * @ref: the ref of an entry that is about to go
 * @removed_name: its name in removed/
 *
 * Unlinks the symlink that forwards to the entry, if there is one, and the directories that it
 * leaves empty.
 *
 * Locks: needs `lock`.
 */
void
hf_forwarding_drop (HfInstallation *installation, const HfRef *ref, const char *removed_name)
{
  const char *name = hf_removed_name_deployment (removed_name);
  hf_autofd int branch_fd
      = hf_open_beneath (installation->deploy_fd, ref->full, O_PATH | O_DIRECTORY, 0);
  if (name == NULL || branch_fd < 0)
    return;
  g_autofree char *target = hf_link_read (branch_fd, name);
  g_autofree char *expected = forwarding_target (removed_name);
  if (g_strcmp0 (target, expected) == 0)
    (void)unlinkat (branch_fd, name, 0);
  hf_branch_prune (installation, ref);
}

/**
 * hf_branch_exists:
 * @installation: an installation
 * @ref: a ref
 *
 * Returns: whether there is something of @ref in deploy/ that is more than a forwarding link
 */
gboolean
hf_branch_exists (HfInstallation *installation, const HfRef *ref)
{
  struct stat st;
  g_autofree char *active = g_strconcat (ref->full, "/" HF_ACTIVE_LINK, NULL);
  return fstatat (installation->deploy_fd, active, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The active deployment goes last and `active` after it: until then the ref is deployed as it was.
 * What is damaged goes like anything else, as far as it has a name of ours (G6). */
static gboolean
remove_branch (HfInstallation *installation, const HfRef *ref, int branch_fd, gboolean *pending,
               GError **error)
{
  gboolean in_place = FALSE;
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  if (!hf_remove_others (installation, ref, branch_fd, active, &in_place, error))
    return FALSE;
  *pending |= in_place;
  if (!hf_remove_others (installation, ref, branch_fd, NULL, &in_place, error))
    return FALSE;
  *pending |= in_place;
  /* A crash here leaves `active` forwarding, or naming what is out of service: nobody runs that,
   * and whoever finds the mark unlinks it. */
  if (unlinkat (branch_fd, HF_ACTIVE_LINK, 0) != 0)
    return hf_throw_errno (error, "Cannot remove %s of %s", HF_ACTIVE_LINK, ref->full);
  if (!hf_dir_sync (branch_fd, ".", error))
    return FALSE;
  hf_branch_prune (installation, ref);
  return TRUE;
}

/**
 * hf_remove_ref:
 * @installation: an installation
 * @ref: a ref
 *
 * Takes everything that is deployed for @ref out of service.  Returns at once, whether it is
 * running or not; a sweep deletes it when nothing holds it any more.
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if it is not installed, or another error
 */
gboolean
hf_remove_ref (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  gboolean pending;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_change_begin (installation, &pending, error))
    return FALSE;
  if (!hf_branch_exists (installation, ref))
    return hf_change_end (installation, pending, error)
           && hf_throw (error, HF_ERROR_NOT_FOUND, "%s is not installed in %s", ref->full,
                        installation->path);
  hf_autofd int branch_fd
      = hf_open_beneath (installation->deploy_fd, ref->full, O_PATH | O_DIRECTORY, 0);
  if (branch_fd < 0)
    return hf_throw_errno (error, "Cannot open %s of %s", ref->full, installation->path);
  return remove_branch (installation, ref, branch_fd, &pending, error)
         && hf_change_end (installation, pending, error);
}
