/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Uninstalling a ref: all of its deployments out of service, and then `active`.
 */
#include "remove.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "branch.h"
#include "deployed.h"
#include "exports.h"
#include "layout.h"
#include "lock.h"
#include "previous.h"
#include "retire.h"
#include "runtime.h"
#include "settle.h"
#include "unused.h"

#include <string.h>
#include <unistd.h>

/* The active deployment goes last and `active` after it: until then the ref is deployed as it was.
 * What is damaged goes like anything else, as far as it has a name of ours (G6). */
static gboolean
remove_branch (HfInstallation *installation, const HfRef *ref, int branch_fd, gboolean *pending,
               GError **error)
{
  gboolean in_place = FALSE;
  *pending |= !hf_exports_withdraw (installation, ref, NULL);
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  g_autoptr (GHashTable) last = g_hash_table_new (g_str_hash, g_str_equal);
  if (active != NULL)
    {
      g_hash_table_add (last, active);
      if (hf_deployment_name_parse (active, NULL, NULL))
        hf_previous_leave (branch_fd, active);
    }
  if (!hf_retire_others (installation, ref, branch_fd, last, &in_place, error))
    return FALSE;
  *pending |= in_place;
  if (!hf_retire_others (installation, ref, branch_fd, NULL, &in_place, error))
    return FALSE;
  *pending |= in_place;
  /* A crash here leaves `active` forwarding, or naming what is out of service: nobody runs that,
   * and whoever finds the mark unlinks it. */
  if (unlinkat (branch_fd, HF_ACTIVE_LINK, 0) != 0)
    return hf_throw_errno (error, "Cannot remove %s of %s", HF_ACTIVE_LINK, ref->full);
  return hf_held_drop_stale (branch_fd, NULL, NULL, error) && hf_dir_sync (branch_fd, ".", error)
         && hf_branch_prune (installation, ref, error);
}

/* Whether what is to go may go.  Under `lock`, as an application that needs it could be published, rooted or
 * rolled back at any other time. */
typedef gboolean (*Check) (HfInstallation *installation, const HfRef *ref, GError **error);

static gboolean
contains_ref (const GPtrArray *refs, const char *full)
{
  for (guint i = 0; i < refs->len; i++)
    if (strcmp (((const HfRef *)refs->pdata[i])->full, full) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
any_runtime (const GPtrArray *refs)
{
  for (guint i = 0; i < refs->len; i++)
    if (!hf_ref_is_app (refs->pdata[i]))
      return TRUE;
  return FALSE;
}

static gboolean
check_dependents (HfInstallation *installation, const GPtrArray *going, GError **error)
{
  g_autoptr (GPtrArray) dependents = hf_runtime_dependents (installation, error);
  if (dependents == NULL)
    {
      g_prefix_error (error, "%s: ", _ ("With --force-remove it goes all the same"));
      return FALSE;
    }
  for (guint i = 0; i < dependents->len; i++)
    {
      const HfDependent *one = dependents->pdata[i];
      const HfDeployed *app = one->deployed;
      if (contains_ref (going, app->info->runtime))
        return hf_throw (error, HF_ERROR_IN_USE,
                         "%s of %s needs %s: uninstall it there, or give --force-remove",
                         app->ref->full, one->where->path, app->info->runtime);
    }
  return TRUE;
}

/**
 * hf_remove_check:
 * @installation: an installation
 * @going: (element-type HfRef): what is to be uninstalled together
 *
 * What is kept for rollback counts like what is active: without its runtime there is no going back to it.
 * So does what another installation of the system's has that would find its runtime nowhere else.
 * Applications of users are not known.  Only a runtime costs a look at what else is deployed.
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: %FALSE with %HF_ERROR_IN_USE if something that stays needs one of them, %HF_ERROR_DAMAGED if that
 *   cannot be told of another installation, or another error
 */
gboolean
hf_remove_check (HfInstallation *installation, const GPtrArray *going, GError **error)
{
  if (!any_runtime (going))
    return TRUE;
  g_autoptr (GPtrArray) all = hf_deployed_list_in_service (installation, error);
  if (all == NULL)
    return FALSE;
  for (guint i = 0; i < all->len; i++)
    {
      const HfDeployed *one = all->pdata[i];
      const char *runtime = one->info->runtime;
      if (runtime != NULL && contains_ref (going, runtime) && !contains_ref (going, one->ref->full))
        return hf_throw (
            error, HF_ERROR_IN_USE,
            one->standing == HF_STANDING_ACTIVE
                ? N_ ("%s needs %s: uninstall it too, or give --force-remove")
                : N_ ("%s, as it is kept for rollback, needs %s: uninstall it too, or give"
                      " --force-remove"),
            one->ref->full, runtime);
    }
  return check_dependents (installation, going, error);
}

static gboolean
check_not_needed (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_autoptr (GPtrArray) going = g_ptr_array_new ();
  g_ptr_array_add (going, (gpointer)ref);
  return hf_remove_check (installation, going, error);
}

static gboolean
remove_ref (HfInstallation *installation, const HfRef *ref, Check check, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  gboolean pending;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || (check != NULL && !check (installation, ref, error))
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

/**
 * hf_remove_ref:
 * @installation: an installation
 * @ref: a ref
 * @force: whether a runtime may go that something in service needs
 *
 * Takes everything that is deployed for @ref out of service.  Returns at once, whether it is
 * running or not; a sweep deletes it when nothing holds it any more.
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if it is not installed, %HF_ERROR_IN_USE if it is needed,
 *   or another error
 */
gboolean
hf_remove_ref (HfInstallation *installation, const HfRef *ref, gboolean force, GError **error)
{
  return remove_ref (installation, ref, force ? NULL : check_not_needed, error);
}

/**
 * hf_remove_unused:
 * @installation: an installation
 * @ref: a runtime that hf_unused_list() has
 *
 * Like hf_remove_ref(), if it is still unused.
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_IN_USE if it is needed or held by now, %HF_ERROR_NOT_FOUND if it has gone, or
 *   another error
 */
gboolean
hf_remove_unused (HfInstallation *installation, const HfRef *ref, GError **error)
{
  return remove_ref (installation, ref, hf_unused_check, error);
}
