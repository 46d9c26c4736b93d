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
 * hf_active_look:
 * @branch_fd: a branch directory
 * @out: (out) (transfer full) (nullable): the name of its active deployment, or %NULL if there is none
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: %FALSE with %HF_ERROR_DAMAGED if `active` is not what we make, which no crash leaves, or another
 *   error
 */
gboolean
hf_active_look (int branch_fd, char **out, GError **error)
{
  *out = NULL;
  g_autofree char *target = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  if (target == NULL && errno != EINVAL)
    return errno == ENOENT || hf_throw_errno (error, "Cannot read it");
  if (target == NULL || !hf_deployment_name_parse (target, NULL, NULL))
    return hf_throw (error, HF_ERROR_DAMAGED,
                     "it is no link to a deployment: `holdfast repair` makes it one");
  *out = g_steal_pointer (&target);
  return TRUE;
}

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
  g_autoptr (GError) failed = NULL;
  g_autofree char *target = NULL;
  hf_autofd int branch_fd
      = hf_open_beneath (installation->deploy_fd, ref->full, O_PATH | O_DIRECTORY, 0);
  if (branch_fd < 0)
    return errno == ENOENT
           || hf_throw_errno (error, "Cannot open %s of %s", ref->full, installation->path);
  if (!hf_active_look (branch_fd, &target, &failed))
    {
      g_propagate_prefixed_error (error, g_steal_pointer (&failed), "%s/%s of %s: ", ref->full,
                                  HF_ACTIVE_LINK, installation->path);
      return FALSE;
    }
  *out = g_steal_pointer (&target);
  return TRUE;
}

static gboolean
make_link (int branch_fd, const char *link, const char *name, GError **error)
{
  (void)unlinkat (branch_fd, link, 0);
  return symlinkat (name, branch_fd, link) == 0
         || hf_throw_at (error, "Cannot create %s", branch_fd, link);
}

static gboolean
rename_link (int branch_fd, const char *temporary, const char *link, GError **error)
{
  if (renameat (branch_fd, temporary, branch_fd, link) != 0)
    return hf_throw_at (error, "Cannot set %s", branch_fd, link);
  return hf_dir_sync (branch_fd, ".", error);
}

/**
 * hf_active_set:
 * @branch_fd: a branch directory
 * @name: a deployment in it
 *
 * The one step that changes what is deployed.  Durable when this returns.  A crash before it leaves the
 * temporary name, which the next one replaces, or settling removes.
 *
 * Locks: needs `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_active_set (int branch_fd, const char *name, GError **error)
{
  return make_link (branch_fd, HF_ACTIVE_LINK_NEW, name, error)
         && rename_link (branch_fd, HF_ACTIVE_LINK_NEW, HF_ACTIVE_LINK, error);
}

/**
 * hf_held_announce:
 * @branch_fd: a branch directory
 * @name: the deployment in it that a rollback is about to make active
 *
 * It counts only while `active` names the same, and beside the hold that there is: what is active now may be
 * held, too, by the rollback before.  A crash before the flip so changes nothing, and none after it loses
 * the hold; hf_held_drop_stale() leaves the one that counts.
 *
 * Locks: needs `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_held_announce (int branch_fd, const char *name, GError **error)
{
  return make_link (branch_fd, HF_HELD_LINK_NEW, name, error)
         && hf_dir_sync (branch_fd, ".", error);
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
  /* In this order, as the former becomes the latter. */
  g_autofree char *announced = hf_link_read (branch_fd, HF_HELD_LINK_NEW);
  g_autofree char *held = hf_link_read (branch_fd, HF_HELD_LINK);
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  return active != NULL && (g_strcmp0 (announced, active) == 0 || g_strcmp0 (held, active) == 0);
}

/**
 * hf_held_drop_stale:
 * @branch_fd: a branch directory
 * @active: (nullable): the name of its active deployment
 * @ledger: (nullable): where to count what is freed, or %NULL
 *
 * Has `held` name @active if a rollback announced that, and else removes one that names another, which means
 * nothing any more.
 *
 * Locks: needs `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_held_drop_stale (int branch_fd, const char *active, HfLedger *ledger, GError **error)
{
  g_autofree char *announced = hf_link_read (branch_fd, HF_HELD_LINK_NEW);
  if (announced != NULL && g_strcmp0 (announced, active) == 0)
    {
      /* What is renamed over is freed, too, and to be told.  A crash here leaves the one that counts. */
      (void)hf_ledger_unlink (ledger, branch_fd, HF_HELD_LINK, 0);
      return hf_ledger_is_dry (ledger)
             || rename_link (branch_fd, HF_HELD_LINK_NEW, HF_HELD_LINK, error);
    }
  (void)hf_ledger_unlink (ledger, branch_fd, HF_HELD_LINK_NEW, 0);
  g_autofree char *held = hf_link_read (branch_fd, HF_HELD_LINK);
  if (held == NULL || g_strcmp0 (held, active) == 0)
    return held != NULL || errno == ENOENT
           || hf_throw_at (error, "Cannot read %s", branch_fd, HF_HELD_LINK);
  return hf_ledger_unlink (ledger, branch_fd, HF_HELD_LINK, 0) == 0
         || hf_throw_at (error, "Cannot remove %s", branch_fd, HF_HELD_LINK);
}
