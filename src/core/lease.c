/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taking a lease.  There is no window between resolving a ref and holding it: the lock is taken
 * first and what it locked is verified after, through the same directory descriptor.  Whoever
 * removes and sweeps meanwhile either finds the lock held and leaves the deployment, or was first,
 * and then the verification fails and the ref is resolved again.
 */
#include "lease.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/ofd-lock.h"
#include "base/test-hook.h"
#include "deployment.h"
#include "layout.h"

#include <errno.h>

/* Each try that fails saw another removal or update complete; nobody makes that many in a row. */
#define RETRIES 64

/**
 * hf_lease_free:
 * @lease: (nullable) (transfer full): a lease
 *
 * Closes its descriptors.  The lock goes with the last copy of `lock_fd`, which may be elsewhere.
 */
void
hf_lease_free (HfLease *lease)
{
  if (lease == NULL)
    return;
  hf_ref_free (lease->ref);
  hf_deployment_info_free (lease->info);
  g_free (lease->name);
  hf_fd_clear (&lease->dir_fd);
  hf_fd_clear (&lease->lock_fd);
  g_free (lease);
}

static gboolean
is_in_service (int dir_fd)
{
  HfDeploymentState state;
  return hf_deployment_get_state (dir_fd, &state, NULL) && hf_state_in_service (state);
}

/* Whether the file that we locked is still the deployment's `.ref`, and the deployment one that may
 * be run: in service, or moved to removed/ a moment ago with its deletion not begun, in which case
 * the lock now keeps it. */
static gboolean
verify (const HfLease *lease)
{
  struct stat held, named;
  return fstat (lease->lock_fd, &held) == 0 && held.st_nlink > 0
         && fstatat (lease->dir_fd, HF_REF_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0
         && hf_stat_same_file (&held, &named) && is_in_service (lease->dir_fd);
}

/* Refused, and `active` named it still after that, and it is in service: whoever has it is a sweep that waited
 * for it while it was out of service, and is about to give it up.  Any other refusal means that it has left
 * service by now, and is not waited for. */
static gboolean
lock (HfLease *lease, char **refused, GError **error)
{
  HfOfdWait wait = HF_OFD_TRY;
  if (g_strcmp0 (*refused, lease->name) == 0 && is_in_service (lease->dir_fd))
    {
      HF_TEST_HOOK ("lease-waits");
      wait = HF_OFD_WAIT;
    }
  if (hf_ofd_lock (lease->lock_fd, HF_OFD_SHARED, wait))
    return TRUE;
  if (!hf_ofd_refused (errno))
    return hf_throw_errno (error, "Cannot lock %s of %s", HF_REF_FILE, lease->ref->full);
  g_free (*refused);
  *refused = g_strdup (lease->name);
  return FALSE;
}

/* Returns FALSE without an error where somebody was faster. */
static gboolean
try_acquire (HfInstallation *installation, HfLease *lease, char **refused, GError **error)
{
  g_autofree char *path = g_strconcat (lease->ref->full, "/", lease->name, NULL);
  lease->dir_fd = hf_open_beneath (installation->deploy_fd, path, O_PATH | O_DIRECTORY, 0);
  if (lease->dir_fd < 0)
    /* ELOOP, ENOTDIR: a forwarding link has taken its place. */
    return errno != ENOENT && errno != ELOOP && errno != ENOTDIR
           && hf_throw_errno (error, "Cannot open %s of %s", path, installation->path);
  lease->lock_fd = hf_open_beneath (lease->dir_fd, HF_REF_FILE, O_RDONLY | O_NONBLOCK, 0);
  if (lease->lock_fd < 0 && errno == ENOENT)
    return is_in_service (lease->dir_fd)
           && hf_throw (error, HF_ERROR_DAMAGED, "%s of %s has no %s: install it again", path,
                        installation->path, HF_REF_FILE);
  if (lease->lock_fd < 0)
    return hf_throw_errno (error, "Cannot open %s/%s of %s", path, HF_REF_FILE, installation->path);
  struct stat st;
  if (fstat (lease->lock_fd, &st) != 0 || !S_ISREG (st.st_mode))
    return hf_throw (error, HF_ERROR_DAMAGED, "%s/%s of %s is not a regular file", path,
                     HF_REF_FILE, installation->path);
  HF_TEST_HOOK ("lease-opened");
  return lock (lease, refused, error) && verify (lease)
         && (lease->info = hf_deployment_read (lease->dir_fd, error)) != NULL;
}

/**
 * hf_lease_acquire:
 * @installation: an installation
 * @ref: a ref
 *
 * Locks: none.  Waits at most for a sweep that had waited for what was then restored, and that for the
 * end of a process only.
 *
 * Returns: (transfer full): a lease on what is deployed for @ref, or %NULL with %HF_ERROR_NOT_FOUND
 *   if it is not installed, or another error
 */
HfLease *
hf_lease_acquire (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_autofree char *refused = NULL;
  for (guint tries = 0; tries < RETRIES; tries++)
    {
      g_autoptr (HfLease) lease = g_new0 (HfLease, 1);
      lease->dir_fd = lease->lock_fd = -1;
      lease->ref = hf_ref_copy (ref);
      if (!hf_active_read (installation, ref, &lease->name, error))
        return NULL;
      if (lease->name == NULL)
        break;
      g_autoptr (GError) failed = NULL;
      if (try_acquire (installation, lease, &refused, &failed))
        return g_steal_pointer (&lease);
      if (failed != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&failed));
          return NULL;
        }
    }
  (void)hf_throw (error, HF_ERROR_NOT_FOUND, "%s is not installed in %s", ref->full,
                  installation->path);
  return NULL;
}

/**
 * hf_lease_path:
 * @installation: the installation that it is of
 * @lease: a lease
 *
 * Returns: (transfer full): the absolute path of the deployment; if it is removed, a symlink there
 *   forwards to it
 */
char *
hf_lease_path (const HfInstallation *installation, const HfLease *lease)
{
  return g_build_filename (installation->path, HF_DEPLOY_DIR, lease->ref->full, lease->name, NULL);
}
