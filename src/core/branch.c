/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Branch directories, deploy/KIND/ID/ARCH/BRANCH: finding them, what lies in them, and removing them
 * when they are empty.  Readers take no lock and skip what has gone meanwhile; no symlink is followed.
 */
#include "branch.h"

#include "base/error.h"
#include "base/fd.h"
#include "deployment.h"
#include "layout.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char *const kinds[] = { "app", "runtime" };

typedef struct
{
  HfBranchVisit visit;
  gpointer data;
} Visit;

/* Lists @parent/@name; a directory that is not there, or no directory, is empty. */
static gboolean
open_listing (int parent_fd, const char *name, DIR **out, GError **error)
{
  g_autoptr (GError) failed = NULL;
  *out = hf_dir_open (parent_fd, name, &failed);
  if (*out == NULL && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  return TRUE;
}

static gboolean
visit_branch (const Visit *visit, const char *prefix, int parent_fd, const char *branch,
              GError **error)
{
  g_autofree char *full = g_strconcat (prefix, "/", branch, NULL);
  g_autoptr (HfRef) ref = hf_ref_parse (full, NULL);
  hf_autofd int fd
      = ref == NULL ? -1 : hf_open_beneath (parent_fd, branch, O_PATH | O_DIRECTORY, 0);
  if (fd >= 0)
    return visit->visit (ref, fd, visit->data, error);
  return ref == NULL || errno == ENOENT || errno == ENOTDIR || errno == ELOOP
         || hf_throw_errno (error, "Cannot open %s", full);
}

/* Goes down @levels more directories below @prefix before it meets branches. */
static gboolean
visit_below (const Visit *visit, const char *prefix, int parent_fd, const char *name, guint levels,
             GError **error)
{
  g_autoptr (DIR) dir = NULL;
  if (!open_listing (parent_fd, name, &dir, error))
    return FALSE;
  while (dir != NULL)
    {
      const struct dirent *entry;
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        break;
      if (levels == 0)
        {
          if (!visit_branch (visit, prefix, dirfd (dir), entry->d_name, error))
            return FALSE;
          continue;
        }
      g_autofree char *path = g_strconcat (prefix, "/", entry->d_name, NULL);
      if (!visit_below (visit, path, dirfd (dir), entry->d_name, levels - 1, error))
        return FALSE;
    }
  return TRUE;
}

/**
 * hf_branches_visit_id:
 * @installation: an installation
 * @id: an ID
 * @visit: what to do with each branch directory of @id
 * @data: for @visit
 *
 * Like hf_branches_visit(), without a look at anything else that is deployed.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_branches_visit_id (HfInstallation *installation, const char *id, HfBranchVisit visit,
                      gpointer data, GError **error)
{
  const Visit all = { visit, data };
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *path = g_strconcat (kinds[i], "/", id, NULL);
      if (!visit_below (&all, path, installation->deploy_fd, path, 1, error))
        return FALSE;
    }
  return TRUE;
}

/**
 * hf_branches_visit:
 * @installation: an installation
 * @visit: what to do with each branch directory; a failure of it ends the visit
 * @data: for @visit
 *
 * Visits every branch directory of deploy/, also those in which nothing is active.  What appears or
 * goes meanwhile may or may not be visited.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_branches_visit (HfInstallation *installation, HfBranchVisit visit, gpointer data, GError **error)
{
  const Visit all = { visit, data };
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (!visit_below (&all, kinds[i], installation->deploy_fd, kinds[i], 2, error))
      return FALSE;
  return TRUE;
}

/* From deploy/KIND/ID/ARCH/BRANCH/ to the installation's root. */
#define TO_ROOT "../../../../../"

/**
 * hf_forwarding_target:
 * @removed_name: a name in removed/
 *
 * Returns: (transfer full): the target of a symlink in a branch directory that forwards there
 */
char *
hf_forwarding_target (const char *removed_name)
{
  return g_strconcat (TO_ROOT HF_REMOVED_DIR "/", removed_name, NULL);
}

/**
 * hf_branch_make:
 * @installation: an installation
 * @ref: a ref
 *
 * Makes its branch directory and those above it, as far as they are missing.  A crash leaves empty
 * directories; whoever finds the mark removes them.
 *
 * Locks: needs `lock` and the unsettled mark.
 *
 * Returns: (transfer full): the branch directory, O_PATH, or -1 with @error set
 */
int
hf_branch_make (HfInstallation *installation, const HfRef *ref, GError **error)
{
  return hf_make_dirs (installation->deploy_fd, ref->full, HF_MODE_DIR, error);
}

/**
 * hf_branch_sync:
 * @installation: an installation
 * @ref: a ref
 *
 * Makes the branch directory itself durable: new directories are once their parents are.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_branch_sync (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_autofree char *path = g_strdup (ref->full);
  for (char *slash = strrchr (path, '/'); slash != NULL; slash = strrchr (path, '/'))
    {
      *slash = '\0';
      if (!hf_dir_sync (installation->deploy_fd, path, error))
        return FALSE;
    }
  return hf_dir_sync (installation->root_fd, HF_DEPLOY_DIR, error);
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

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
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
  g_ptr_array_sort (names, compare_names);
  return g_steal_pointer (&names);
}

/**
 * hf_branch_in_service:
 * @branch_fd: a branch directory
 * @name: a deployment's name
 *
 * Returns: whether there is such a deployment, and its state is one in which it may be run
 */
gboolean
hf_branch_in_service (int branch_fd, const char *name)
{
  HfDeploymentState state;
  hf_autofd int fd = hf_open_beneath (branch_fd, name, O_PATH | O_DIRECTORY, 0);
  return fd >= 0 && hf_deployment_get_state (fd, &state, NULL) && hf_state_in_service (state);
}

/**
 * hf_branch_prune:
 * @installation: an installation
 * @ref: a ref
 *
 * Removes its branch directory, and those above it, as far as they are empty.  A crash leaves some of
 * them; whoever does it again goes on above what has gone.
 *
 * Locks: needs `lock`, so that nobody is about to put something there.
 *
 * Returns: %FALSE with @error set if an empty one stays: nothing would tell of it later
 */
gboolean
hf_branch_prune (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_autofree char *path = g_strdup (ref->full);
  while (hf_ledger_unlink (installation->ledger, installation->deploy_fd, path, AT_REMOVEDIR) == 0
         || errno == ENOENT)
    {
      char *slash = strrchr (path, '/');
      if (slash == NULL)
        return TRUE;
      *slash = '\0';
    }
  /* EBUSY: somebody has mounted something there. */
  return errno == ENOTEMPTY || errno == EEXIST || errno == EBUSY
         || hf_throw_at (error, "Cannot remove empty directory %s", installation->deploy_fd, path);
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
gboolean
hf_forwarding_drop (HfInstallation *installation, const HfRef *ref, const char *removed_name,
                    GError **error)
{
  const char *name = hf_removed_name_deployment (removed_name);
  hf_autofd int branch_fd
      = hf_open_beneath (installation->deploy_fd, ref->full, O_PATH | O_DIRECTORY, 0);
  if (name == NULL)
    return TRUE;
  if (branch_fd < 0 && errno == ENOENT)
    return hf_branch_prune (installation, ref, error);
  if (branch_fd < 0)
    return hf_throw_errno (error, "Cannot open %s", ref->full);
  g_autofree char *target = hf_link_read (branch_fd, name);
  g_autofree char *expected = hf_forwarding_target (removed_name);
  if (target == NULL && errno != ENOENT && errno != EINVAL)
    return hf_throw_errno (error, "Cannot read symlink %s of %s", name, ref->full);
  if (g_strcmp0 (target, expected) == 0
      && hf_ledger_unlink (installation->ledger, branch_fd, name, 0) != 0 && errno != ENOENT)
    return hf_throw_errno (error, "Cannot remove symlink %s of %s", name, ref->full);
  return hf_branch_prune (installation, ref, error);
}

/* Removes the empty directories @levels below @path, and those that this leaves empty. */
static void
prune_below (HfLedger *ledger, int parent_fd, const char *name, guint levels)
{
  g_autoptr (DIR) dir = hf_dir_open (parent_fd, name, NULL);
  const struct dirent *entry = NULL;
  while (dir != NULL && hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      if (levels > 0)
        prune_below (ledger, dirfd (dir), entry->d_name, levels - 1);
      (void)hf_ledger_unlink (ledger, dirfd (dir), entry->d_name, AT_REMOVEDIR);
    }
}

/**
 * hf_branches_prune:
 * @installation: an installation
 *
 * Removes every empty branch directory, and those above it, as far as they are empty.
 *
 * Locks: needs `lock`, so that nobody is about to put something there.
 */
void
hf_branches_prune (HfInstallation *installation)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      prune_below (installation->ledger, installation->deploy_fd, kinds[i], 2);
      (void)hf_ledger_unlink (installation->ledger, installation->deploy_fd, kinds[i],
                              AT_REMOVEDIR);
    }
}
