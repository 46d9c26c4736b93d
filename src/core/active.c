/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `active` and `held`.  Each names one component, a deployment of its own branch directory; anything else
 * in it is ignored or refused, and neither is ever followed by the kernel.
 */
#include "active.h"

#include "base/error.h"
#include "base/fd.h"
#include "deployment.h"
#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/**
 * hf_active_read:
 * @installation: an installation
 * @ref: a ref
 * @out: (out) (transfer full) (nullable): the name of its active deployment, or %NULL if there is
 *   none
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: %FALSE with @error set if `active` could not be read or is no link of ours
 */
gboolean
hf_active_read (HfInstallation *installation, const HfRef *ref, char **out, GError **error)
{
  *out = NULL;
  hf_autofd int branch_fd
      = hf_open_beneath (installation->deploy_fd, ref->full, O_PATH | O_DIRECTORY, 0);
  if (branch_fd < 0)
    return errno == ENOENT
           || hf_throw_errno (error, "Cannot open %s of %s", ref->full, installation->path);
  g_autofree char *target = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  if (target == NULL)
    return errno == ENOENT
           || hf_throw_errno (error, "Cannot read %s/%s of %s", ref->full, HF_ACTIVE_LINK,
                              installation->path);
  if (!hf_deployment_name_parse (target, NULL, NULL))
    return hf_throw (error, HF_ERROR_DAMAGED, "%s/%s of %s does not name a deployment", ref->full,
                     HF_ACTIVE_LINK, installation->path);
  *out = g_steal_pointer (&target);
  return TRUE;
}

/* A crash before the rename leaves the temporary name, which the next one replaces, or settling. */
static gboolean
replace_link (int branch_fd, const char *link, const char *temporary, const char *name,
              GError **error)
{
  (void)unlinkat (branch_fd, temporary, 0);
  if (symlinkat (name, branch_fd, temporary) != 0
      || renameat (branch_fd, temporary, branch_fd, link) != 0)
    return hf_throw_at (error, "Cannot set", branch_fd, link);
  return hf_dir_sync (branch_fd, ".", error);
}

/**
 * hf_active_set:
 * @branch_fd: a branch directory
 * @name: a deployment in it
 *
 * The one step that changes what is deployed.  Durable when this returns.
 *
 * Locks: needs `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_active_set (int branch_fd, const char *name, GError **error)
{
  return replace_link (branch_fd, HF_ACTIVE_LINK, HF_ACTIVE_LINK_NEW, name, error);
}

/**
 * hf_held_set:
 * @branch_fd: a branch directory
 * @name: the deployment in it that a rollback is about to make active
 *
 * It counts only while `active` names the same, so that a crash before the rollback changes nothing.
 *
 * Locks: needs `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_held_set (int branch_fd, const char *name, GError **error)
{
  return replace_link (branch_fd, HF_HELD_LINK, HF_HELD_LINK_NEW, name, error);
}

/**
 * hf_active_is_held:
 * @installation: an installation
 * @ref: a ref
 *
 * Returns: whether a rollback chose what is deployed, so that only an update that names @ref replaces it
 */
gboolean
hf_active_is_held (HfInstallation *installation, const HfRef *ref)
{
  hf_autofd int branch_fd
      = hf_open_beneath (installation->deploy_fd, ref->full, O_PATH | O_DIRECTORY, 0);
  if (branch_fd < 0)
    return FALSE;
  g_autofree char *held = hf_link_read (branch_fd, HF_HELD_LINK);
  g_autofree char *active = held == NULL ? NULL : hf_link_read (branch_fd, HF_ACTIVE_LINK);
  return active != NULL && g_str_equal (held, active);
}

/**
 * hf_held_drop_stale:
 * @branch_fd: a branch directory
 * @active: (nullable): the name of its active deployment
 * @ledger: (nullable): where to count what is freed, or %NULL
 *
 * Removes a `held` that names another, which means nothing any more.
 *
 * Locks: needs `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_held_drop_stale (int branch_fd, const char *active, HfLedger *ledger, GError **error)
{
  (void)hf_ledger_unlink (ledger, branch_fd, HF_HELD_LINK_NEW, 0);
  g_autofree char *held = hf_link_read (branch_fd, HF_HELD_LINK);
  if (held == NULL || g_strcmp0 (held, active) == 0)
    return held != NULL || errno == ENOENT
           || hf_throw_at (error, "Cannot read", branch_fd, HF_HELD_LINK);
  return hf_ledger_unlink (ledger, branch_fd, HF_HELD_LINK, 0) == 0
         || hf_throw_at (error, "Cannot remove", branch_fd, HF_HELD_LINK);
}
