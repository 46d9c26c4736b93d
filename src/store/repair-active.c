/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What says what is deployed: `active`, and the state of what it names.
 *
 * With the unsettled mark set a crash may have left `active` as it is, and settling knows what to do
 * with it.  Without the mark no crash leaves `active` dangling, missing beside a deployment in
 * service, or naming what is none: somebody did that, and it is put right.  A state that means nothing
 * is put right in either case, as settling would take it for out of service.
 */
#include "repair-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "core/active.h"
#include "core/layout.h"
#include "core/lock.h"
#include "core/settle.h"
#include "core/trash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/**
 * hf_repair_wants:
 * @repair: a repair
 * @ref: a ref
 *
 * Returns: whether it is to be looked at
 */
gboolean
hf_repair_wants (const HfRepair *repair, const HfRef *ref)
{
  const GPtrArray *only = repair->only;
  for (guint i = 0; only != NULL && i < only->len; i++)
    if (hf_ref_compare (only->pdata[i], ref) == 0)
      return TRUE;
  return only == NULL;
}

/* The newest deployment in service: serials begin with the time. */
static char *
choose (int branch_fd, GError **error)
{
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  const char *best = NULL;
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = names->pdata[i];
      if (hf_branch_in_service (branch_fd, name)
          && (best == NULL || strcmp (strchr (name, '.'), strchr (best, '.')) > 0))
        best = name;
    }
  return g_strdup (best);
}

/* What is wrong with `active`, or NULL. */
static const char *
complaint (int branch_fd, const char *target, int errsv)
{
  struct stat st;
  if (target == NULL)
    return errsv == ENOENT ? N_ ("is missing") : errsv == EINVAL ? N_ ("is no symlink") : NULL;
  if (!hf_deployment_name_parse (target, NULL, NULL))
    return N_ ("does not name a deployment");
  return fstatat (branch_fd, target, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT
             ? N_ ("names a deployment that is not there")
             : NULL;
}

/* Without the mark: whoever found that before the flip would settle it, and take what nothing names for what
 * nobody wants.  A crash before the flip leaves it to the next repair. */
static gboolean
make_active (int branch_fd, const char *name, GError **error)
{
  hf_autofd int fd = hf_open_beneath (branch_fd, name, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    return hf_throw_at (error, "Cannot open %s", branch_fd, name);
  return hf_deployment_set_state (fd, HF_STATE_SETTLED, error)
         && hf_active_set (branch_fd, name, error)
         && hf_held_drop_stale (branch_fd, name, NULL, error);
}

/* The link and what is in its place change places in one step: with the mark set, whoever found neither would take
 * the ref for one that was being removed. */
static gboolean
replace_directory (int branch_fd, const char *name, GError **error)
{
  (void)unlinkat (branch_fd, HF_ACTIVE_LINK_NEW, 0);
  if (symlinkat (name, branch_fd, HF_ACTIVE_LINK_NEW) != 0
      || renameat2 (branch_fd, HF_ACTIVE_LINK_NEW, branch_fd, HF_ACTIVE_LINK, RENAME_EXCHANGE) != 0)
    return hf_throw_at (error, "Cannot replace %s", branch_fd, HF_ACTIVE_LINK);
  if (!hf_dir_sync (branch_fd, ".", error))
    return FALSE;
  return unlinkat (branch_fd, HF_ACTIVE_LINK_NEW, AT_REMOVEDIR) == 0
         || hf_throw_at (error, "Cannot remove %s", branch_fd, HF_ACTIVE_LINK_NEW);
}

static gboolean
is_empty (int branch_fd, const char *path)
{
  g_autoptr (DIR) dir = hf_dir_open (branch_fd, path, NULL);
  const struct dirent *entry = NULL;
  return dir != NULL && hf_dir_next (dir, &entry, NULL) && entry == NULL;
}

static gboolean
mend_link (HfRepair *repair, const HfRef *ref, int branch_fd, GError **error)
{
  struct stat st;
  errno = 0;
  g_autofree char *target = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  const char *cause = complaint (branch_fd, target, errno);
  if (cause == NULL)
    return TRUE;
  g_autoptr (GError) failed = NULL;
  g_autofree char *name = choose (branch_fd, &failed);
  if (failed != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  g_autofree char *thing = g_strconcat (HF_DEPLOY_DIR "/", ref->full, "/" HF_ACTIVE_LINK, NULL);
  gboolean directory
      = fstatat (branch_fd, HF_ACTIVE_LINK, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode);
  if (directory && !is_empty (branch_fd, HF_ACTIVE_LINK))
    {
      (void)hf_repair_find_left (repair, thing, N_ ("is a directory"),
                                 N_ ("move away what is in it; the next repair makes the link"));
      return TRUE;
    }
  if (name == NULL)
    {
      /* Nothing is deployed, and nothing is wrong with that; or what was is built again, as any
       * deployment that is damaged. */
      if (target == NULL ? errno == ENOENT : hf_deployment_name_parse (target, NULL, NULL))
        return TRUE;
      (void)hf_repair_find_left (
          repair, thing, cause,
          N_ ("uninstall it and install it again: no deployment of it is in service"));
      return TRUE;
    }
  g_autofree char *mending = g_strdup_printf (_ ("is made to name %s"), name);
  HfFinding *finding = hf_repair_find (repair, thing, cause, mending);
  if (repair->options.dry_run)
    return TRUE;
  (void)!((!directory || replace_directory (branch_fd, name, &failed))
          && make_active (branch_fd, name, &failed));
  hf_finding_settle (finding, failed);
  return TRUE;
}

/* A mode that somebody gave: the record is whole, and `active` names it, so it is in service.  That
 * its files are whole, too, is looked at afterwards, like those of any other. */
static void
mend_state (HfRepair *repair, const HfRef *ref, int branch_fd, const char *name)
{
  struct stat st;
  HfDeploymentState state;
  g_autoptr (GError) damaged = NULL;
  hf_autofd int fd = hf_open_beneath (branch_fd, name, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 || hf_deployment_get_state (fd, &state, &damaged)
      || !hf_error_is (damaged, HF_ERROR_DAMAGED)
      || fstatat (fd, HF_DEPLOYMENT_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG (st.st_mode))
    return;
  g_autofree char *thing
      = g_strconcat (HF_DEPLOY_DIR "/", ref->full, "/", name, "/" HF_DEPLOYMENT_FILE, NULL);
  g_autofree char *cause
      = g_strdup_printf (_ ("has mode %04o, which means nothing"), st.st_mode & 07777);
  HfFinding *finding = hf_repair_find (repair, thing, cause,
                                       N_ ("gets mode 0644, in service, as active names it"));
  if (repair->options.dry_run)
    return;
  g_autoptr (GError) failed = NULL;
  if (fchmodat (fd, HF_DEPLOYMENT_FILE, HF_STATE_SETTLED, 0) != 0)
    (void)hf_throw_errno (&failed, "Cannot set the mode of %s", HF_DEPLOYMENT_FILE);
  hf_finding_settle (finding, failed);
}

static gboolean
mend_branch (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  HfRepair *repair = data;
  gboolean marked;
  if (!hf_repair_wants (repair, ref))
    return TRUE;
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  if (active != NULL && hf_deployment_name_parse (active, NULL, NULL))
    mend_state (repair, ref, branch_fd, active);
  g_autoptr (GError) damaged = NULL;
  g_autofree char *name = NULL;
  if (!hf_unsettled_is_marked (repair->store->installation, &marked, error))
    return FALSE;
  gboolean settles
      = hf_active_look (branch_fd, &name, &damaged) || !hf_error_is (damaged, HF_ERROR_DAMAGED);
  return (marked && settles) || mend_link (repair, ref, branch_fd, error);
}

/* Deployments out of service in place keep the mark set until a sweep gets them. */
static gboolean
waits_for_sweep (HfInstallation *installation)
{
  g_autoptr (GPtrArray) entries = hf_trash_list (installation, NULL);
  for (guint i = 0; entries != NULL && i < entries->len; i++)
    if (((const HfTrashEntry *)entries->pdata[i])->in_place)
      return TRUE;
  return FALSE;
}

/**
 * hf_repair_active:
 * @repair: a repair
 *
 * Locks: takes `lock`; what it does there is a look at each branch directory, and what little there
 * is to mend.
 *
 * Returns: %FALSE with @error set if it cannot go on
 */
gboolean
hf_repair_active (HfRepair *repair, GError **error)
{
  HfInstallation *installation = repair->store->installation;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  gboolean marked;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_branches_visit (installation, mend_branch, repair, error)
      || !hf_unsettled_is_marked (installation, &marked, error))
    return FALSE;
  if (!marked || waits_for_sweep (installation))
    return TRUE;
  (void)hf_repair_find (repair, HF_DEPLOY_DIR, N_ ("is marked: a change was cut short"),
                        N_ ("is settled"));
  repair->settle = repair->sweep = TRUE;
  return TRUE;
}
