/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every deployment that there is: those of deploy/ and those of removed/.  Takes no lock; what is damaged is
 * passed over, a sweep and `repair` tell of it.
 */
#include "inventory.h"

#include "base/error.h"
#include "base/fd.h"
#include "branch.h"
#include "holders.h"
#include "layout.h"
#include "trash.h"

#include <errno.h>
#include <string.h>

typedef struct
{
  HfInstallation *installation;
  GPtrArray *found;   /* of HfDeployed */
  HfHolders *holders; /* owned; or NULL if the kernel's list cannot be read */
} Listing;

/* By a look that changes nothing: a lock, even a short one, could refuse a launch. */
static gboolean
is_in_use (Listing *listing, int dir_fd)
{
  hf_autofd int fd = hf_open_beneath (dir_fd, HF_REF_FILE, O_RDONLY | O_NONBLOCK, 0);
  if (fd < 0)
    return FALSE;
  if (listing->holders == NULL)
    listing->holders = hf_holders_read (NULL);
  return hf_holders_is_held (listing->holders, fd);
}

static void
add (Listing *listing, const char *path, const char *name, HfStanding standing)
{
  HfDeploymentState state;
  hf_autofd int fd
      = hf_open_beneath (listing->installation->root_fd, path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 || !hf_deployment_get_state (fd, &state, NULL))
    return;
  g_autoptr (HfDeploymentInfo) info = hf_deployment_read (fd, NULL);
  if (info == NULL)
    return;
  if (!hf_state_in_service (state))
    standing = state == HF_STATE_RETIRED ? HF_STANDING_REMOVED : HF_STANDING_DELETING;
  HfDeployed *deployed = g_new0 (HfDeployed, 1);
  deployed->ref = hf_ref_copy (info->ref);
  deployed->name = g_strdup (name);
  deployed->path = g_strdup (path);
  deployed->standing = standing;
  deployed->in_use = is_in_use (listing, fd);
  deployed->info = g_steal_pointer (&info);
  g_ptr_array_add (listing->found, deployed);
}

static gboolean
add_branch (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  Listing *listing = data;
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = names->pdata[i];
      g_autofree char *path = g_strconcat (HF_DEPLOY_DIR "/", ref->full, "/", name, NULL);
      add (listing, path, name,
           g_strcmp0 (name, active) == 0 ? HF_STANDING_ACTIVE : HF_STANDING_PREVIOUS);
    }
  return names != NULL;
}

static gboolean
add_removed (Listing *listing, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (DIR) dir = hf_dir_open (listing->installation->root_fd, HF_REMOVED_DIR, &failed);
  /* Nobody but the owner lists removed/. */
  if (dir == NULL && errno == EACCES)
    return TRUE;
  for (const struct dirent *entry = NULL; dir != NULL && failed == NULL;)
    {
      if (!hf_dir_next (dir, &entry, &failed) || entry == NULL)
        break;
      const char *name = hf_removed_name_deployment (entry->d_name);
      g_autofree char *path = g_strconcat (HF_REMOVED_DIR "/", entry->d_name, NULL);
      if (name != NULL)
        add (listing, path, name, HF_STANDING_REMOVED);
    }
  if (failed == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

/* By ref; the active one first, then what was in service last. */
static int
compare (gconstpointer a, gconstpointer b)
{
  const HfDeployed *left = *(HfDeployed *const *)a;
  const HfDeployed *right = *(HfDeployed *const *)b;
  int order = hf_ref_compare (left->ref, right->ref);
  if (order == 0)
    order = (int)left->standing - (int)right->standing;
  return order != 0 ? order : strcmp (strrchr (right->name, '.'), strrchr (left->name, '.'));
}

/**
 * hf_inventory_list:
 * @installation: an installation
 *
 * Locks: none; a deployment that moves meanwhile may be listed twice or not at all.
 *
 * Returns: (transfer full) (element-type HfDeployed): every deployment that is complete, by ref, or %NULL
 *   with @error set
 */
GPtrArray *
hf_inventory_list (HfInstallation *installation, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_deployed_free);
  Listing listing = { installation, found, NULL };
  gboolean done = hf_branches_visit (installation, add_branch, &listing, error)
                  && add_removed (&listing, error);
  hf_holders_free (listing.holders);
  if (!done)
    return NULL;
  g_ptr_array_sort (found, compare);
  return g_steal_pointer (&found);
}
