/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The unsettled mark, and what a writer or sweeper does that finds it.  Everything here runs under
 * `lock`.  Settling is idempotent: a crash in it leaves the mark, and the next one starts over.
 */
#include "settle.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "branch.h"
#include "deployment.h"
#include "exports.h"
#include "keyring.h"
#include "layout.h"
#include "lock.h"
#include "previous.h"
#include "retire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static gboolean
set_mark (HfInstallation *installation, gboolean marked, GError **error)
{
  struct stat st;
  if (fstat (installation->deploy_fd, &st) != 0)
    return hf_throw_errno (error, "Cannot look at %s/%s", installation->path, HF_DEPLOY_DIR);
  mode_t old = st.st_mode & 07777;
  mode_t mode = marked ? old | HF_MODE_UNSETTLED : old & ~(mode_t)HF_MODE_UNSETTLED;
  if (mode == old)
    return TRUE;
  if (fchmodat (installation->root_fd, HF_DEPLOY_DIR, mode, 0) != 0)
    return hf_throw_errno (error, "Cannot set the mode of %s/%s", installation->path,
                           HF_DEPLOY_DIR);
  return hf_dir_sync (installation->root_fd, HF_DEPLOY_DIR, error);
}

/**
 * hf_unsettled_is_marked:
 * @installation: an installation
 * @out: (out): whether the mark is set
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_unsettled_is_marked (HfInstallation *installation, gboolean *out, GError **error)
{
  struct stat st;
  if (fstat (installation->deploy_fd, &st) != 0)
    return hf_throw_errno (error, "Cannot look at %s/%s", installation->path, HF_DEPLOY_DIR);
  *out = (st.st_mode & HF_MODE_UNSETTLED) != 0;
  return TRUE;
}

/**
 * hf_change_begin:
 * @installation: an installation
 * @out_pending: (out): for hf_change_end()
 *
 * Settles what a crash left, if anything, and sets the mark.
 *
 * Locks: needs `lock`, until after hf_change_end().
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_change_begin (HfInstallation *installation, gboolean *out_pending, GError **error)
{
  gboolean marked;
  if (!hf_unsettled_is_marked (installation, &marked, error)
      || (marked && !hf_settle (installation, error))
      || !hf_unsettled_is_marked (installation, out_pending, error))
    return FALSE;
  return set_mark (installation, TRUE, error);
}

/**
 * hf_change_end:
 * @installation: an installation
 * @pending: whether deployments are left that were taken out of service in place; a sweeper finds
 *   them by the mark, so it stays then
 *
 * Clears the mark after a change that was carried out whole.
 *
 * Locks: needs `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_change_end (HfInstallation *installation, gboolean pending, GError **error)
{
  return pending || set_mark (installation, FALSE, error);
}

/* A forwarding link whose entry has gone forwards nowhere. */
static gboolean
drop_dangling (HfInstallation *installation, int branch_fd, const char *name, GError **error)
{
  g_autofree char *target = hf_link_read (branch_fd, name);
  const char *entry = target == NULL ? NULL : strrchr (target, '/');
  struct stat st;
  if (entry == NULL || fstatat (installation->removed_fd, entry + 1, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return TRUE;
  return (errno == ENOENT && hf_ledger_unlink (installation->ledger, branch_fd, name, 0) == 0)
         || hf_throw_errno (error, "Cannot tell where %s forwards to", name);
}

typedef struct
{
  HfInstallation *installation;
  gboolean pending;
  gboolean retains; /* whether @retention is known */
  HfRetention retention;
  GPtrArray
      *leaving; /* not owned; in a dry run, where to put what would leave service, else %NULL */
} Settling;

/* Opens a deployment and reads its state.  What cannot be looked at is never taken for gone or out of
 * service: a shortage of descriptors must not uninstall anything.  @out_fd is -1 if there is no
 * directory of that name; a state that means nothing is HF_STATE_ABSENT: a sweep says so. */
static gboolean
look_at (int branch_fd, const char *name, int *out_fd, HfDeploymentState *out_state, GError **error)
{
  g_autoptr (GError) failed = NULL;
  *out_state = HF_STATE_ABSENT;
  *out_fd = hf_open_beneath (branch_fd, name, O_PATH | O_DIRECTORY, 0);
  if (*out_fd < 0)
    return errno == ENOENT || errno == ELOOP || errno == ENOTDIR
           || hf_throw_errno (error, "Cannot look at %s", name);
  if (hf_deployment_get_state (*out_fd, out_state, &failed)
      || hf_error_is (failed, HF_ERROR_DAMAGED))
    return TRUE;
  hf_fd_clear (out_fd);
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

static void
add_leaving (Settling *settling, const HfRef *ref, const char *name)
{
  g_ptr_array_add (settling->leaving, g_build_filename (HF_DEPLOY_DIR, ref->full, name, NULL));
}

/* What a deployment is that `active` does not name: an installer's that was killed before it flipped
 * `active`, or, where nothing is active, one that a removal cut short had still to move.  Both are removed.
 * Beside an active one, what was in service before is retention's. */
static gboolean
settle_other (Settling *settling, const HfRef *ref, int branch_fd, const char *name,
              const char *active, GError **error)
{
  hf_autofd int fd = -1;
  HfDeploymentState state;
  gboolean in_place = FALSE;
  if (!look_at (branch_fd, name, &fd, &state, error))
    return FALSE;
  if (fd < 0)
    return drop_dangling (settling->installation, branch_fd, name, error);
  if (!hf_state_in_service (state))
    {
      settling->pending = TRUE;
      return TRUE;
    }
  if (active != NULL && state == HF_STATE_SETTLED)
    return TRUE;
  if (settling->leaving != NULL)
    {
      add_leaving (settling, ref, name);
      return TRUE;
    }
  if (!hf_retire_deployment (settling->installation, ref, branch_fd, name, NULL, &in_place, error))
    return FALSE;
  settling->pending |= in_place;
  return TRUE;
}

/* `active` is kept if it names a deployment in service, whose publication it then completes. */
static gboolean
settle_active (Settling *settling, const HfRef *ref, int branch_fd, char **out_name, GError **error)
{
  *out_name = NULL;
  hf_autofd int fd = -1;
  HfDeploymentState state = HF_STATE_ABSENT;
  (void)hf_ledger_unlink (settling->installation->ledger, branch_fd, HF_ACTIVE_LINK_NEW, 0);
  g_autofree char *name = NULL;
  if (!hf_active_look (branch_fd, &name, error))
    return FALSE;
  if (name == NULL)
    return TRUE;
  if (!look_at (branch_fd, name, &fd, &state, error))
    return FALSE;
  if (fd >= 0 && hf_state_in_service (state))
    {
      *out_name = g_steal_pointer (&name);
      return state == HF_STATE_SETTLED || settling->leaving != NULL
             || hf_deployment_set_state (fd, HF_STATE_SETTLED, error);
    }
  /* It dangles, forwards, or names what was taken out of service in place: a removal was cut short
   * after its last deployment and before this. */
  if (hf_ledger_unlink (settling->installation->ledger, branch_fd, HF_ACTIVE_LINK, 0) != 0)
    return hf_throw_errno (error, "Cannot remove %s of %s", HF_ACTIVE_LINK, ref->full);
  return TRUE;
}

static gboolean
settle_previous (Settling *settling, const HfRef *ref, int branch_fd, const char *active,
                 GError **error)
{
  gboolean in_place;
  if (settling->leaving == NULL)
    {
      gboolean done = hf_previous_retain (settling->installation, ref, branch_fd, active,
                                          &settling->retention, &in_place, error);
      settling->pending |= in_place;
      return done;
    }
  g_autoptr (GPtrArray) names
      = hf_previous_leaving (branch_fd, active, &settling->retention, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    add_leaving (settling, ref, names->pdata[i]);
  return names != NULL;
}

static gboolean
settle_branch (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  Settling *settling = data;
  g_autofree char *active = NULL;
  g_autoptr (GError) failed = NULL;
  if (!settle_active (settling, ref, branch_fd, &active, &failed))
    {
      /* No crash has left it so, and nothing tells what is in service: all of it stays, and the mark until
       * somebody has mended it.  A sweep says so. */
      settling->pending |= hf_error_is (failed, HF_ERROR_DAMAGED);
      if (hf_error_is (failed, HF_ERROR_DAMAGED))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    if (g_strcmp0 (names->pdata[i], active) != 0
        && !settle_other (settling, ref, branch_fd, names->pdata[i], active, error))
      return FALSE;
  return (active == NULL || !settling->retains
          || settle_previous (settling, ref, branch_fd, active, error))
         && hf_held_drop_stale (branch_fd, active, settling->installation->ledger, error)
         && (settling->leaving != NULL || hf_dir_sync (branch_fd, ".", error));
}

/* What was being written beside the deployments.  %FALSE if some of it may be left. */
static gboolean
drop_temporary (HfInstallation *installation)
{
  (void)hf_ledger_unlink (installation->ledger, installation->root_fd, HF_CONFIG_FILE_NEW, 0);
  hf_keyrings_prune (installation);
  return hf_roots_prune (installation);
}

/**
 * hf_settle:
 * @installation: an installation whose mark is set
 *
 * Goes through deploy/ and completes or undoes what a crash cut short.  The mark is cleared, unless
 * deployments out of service in place wait for a sweep.
 *
 * Locks: needs `lock`.
 *
 * Returns: %FALSE with @error set on failure; the mark stays then
 */
gboolean
hf_settle (HfInstallation *installation, GError **error)
{
  Settling settling = { .installation = installation };
  /* A configuration that makes no sense must not keep anybody from removing something: then more stays
   * than is to be kept, and the mark with it. */
  settling.retains = hf_retention_load (installation, &settling.retention, NULL);
  settling.pending = !settling.retains;
  gboolean done = hf_branches_visit (installation, settle_branch, &settling, error);
  hf_retention_clear (&settling.retention);
  if (!done)
    return FALSE;
  settling.pending |= !hf_exports_settle (installation);
  hf_branches_prune (installation);
  settling.pending |= !drop_temporary (installation);
  return hf_change_end (installation, settling.pending, error);
}

/**
 * hf_settle_look:
 * @installation: an installation whose mark is set, and whose ledger is a dry run's
 * @leaving: (element-type utf8): the paths of the deployments that hf_settle() would take out of service are
 *   added to it, some maybe twice
 *
 * What hf_settle() does, without a change.  Empty directories are left to the end of the dry run, when the
 * ledger knows what else they would have lost.
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_settle_look (HfInstallation *installation, GPtrArray *leaving, GError **error)
{
  Settling settling = { .installation = installation, .leaving = leaving };
  settling.retains = hf_retention_load (installation, &settling.retention, NULL);
  gboolean done = hf_branches_visit (installation, settle_branch, &settling, error);
  hf_retention_clear (&settling.retention);
  (void)!hf_exports_settle (installation);
  (void)!drop_temporary (installation);
  return done;
}

/**
 * hf_settle_if_marked:
 * @installation: an installation
 *
 * Settles what a crash left, if anything.
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_settle_if_marked (HfInstallation *installation, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  gboolean marked;
  return hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
         && hf_unsettled_is_marked (installation, &marked, error)
         && (!marked || hf_settle (installation, error));
}
