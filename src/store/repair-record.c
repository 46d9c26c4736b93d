/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The record of an entry that has none that makes sense.  A sweep needs to know from it what commit
 * the entry had and where a link forwards to it; both can be told from elsewhere.
 */
#include "repair-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/layout.h"

#include <string.h>

/* The only commit that the pins name. */
static char *
find_commit (int dir_fd)
{
  g_autoptr (DIR) dir = hf_dir_open (dir_fd, HF_PINS_DIR, NULL);
  const struct dirent *entry = NULL;
  g_autofree char *commit = NULL;
  while (dir != NULL && hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      if (!g_str_has_suffix (entry->d_name, "." HF_SUFFIX_COMMIT))
        continue;
      if (commit != NULL)
        return NULL;
      commit = g_strndup (entry->d_name, strcspn (entry->d_name, "."));
    }
  return commit != NULL && hf_commit_is_valid (commit) ? g_steal_pointer (&commit) : NULL;
}

typedef struct
{
  const char *name;   /* what the link in deploy/ is called */
  const char *target; /* and where it leads */
  HfRef *found;
} Forwarding;

static gboolean
find_forwarding (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  Forwarding *forwarding = data;
  g_autofree char *target = hf_link_read (branch_fd, forwarding->name);
  if (g_strcmp0 (target, forwarding->target) == 0 && forwarding->found == NULL)
    forwarding->found = hf_ref_copy (ref);
  return TRUE;
}

/* What the commit says that it is for: as hf_commit_verify_binding() looks at it. */
static HfRef *
bound_ref (int dir_fd, const char *commit)
{
  hf_autofd int pins_fd = hf_open_beneath (dir_fd, HF_PINS_DIR, O_RDONLY | O_DIRECTORY, 0);
  g_autoptr (GVariant) variant
      = pins_fd < 0 ? NULL : hf_pin_load (pins_fd, OSTREE_OBJECT_TYPE_COMMIT, commit, NULL);
  if (variant == NULL)
    return NULL;
  g_autoptr (GVariant) metadata = g_variant_get_child_value (variant, 0);
  const char *single = NULL;
  g_autofree const char **bound = NULL;
  if (g_variant_lookup (metadata, "xa.ref", "&s", &single))
    return hf_ref_parse (single, NULL);
  if (g_variant_lookup (metadata, OSTREE_COMMIT_META_KEY_REF_BINDING, "^a&s", &bound)
      && bound[0] != NULL)
    return hf_ref_parse (bound[0], NULL);
  return NULL;
}

/**
 * hf_record_recover:
 * @repair: a repair
 * @dir_fd: an entry
 * @name: its name in staging/ or removed/
 *
 * Locks: needs `lock`, so that no link moves meanwhile.
 *
 * Returns: (transfer full): what a sweep needs to know of it, or %NULL with @error set
 */
HfDeploymentInfo *
hf_record_recover (HfRepair *repair, int dir_fd, const char *name, GError **error)
{
  g_autoptr (HfDeploymentInfo) info = g_new0 (HfDeploymentInfo, 1);
  const char *deployment = hf_removed_name_deployment (name);
  if (deployment != NULL)
    {
      g_autofree char *target = hf_forwarding_target (name);
      Forwarding forwarding = { deployment, target, NULL };
      if (!hf_branches_visit (repair->store->installation, find_forwarding, &forwarding, error))
        return NULL;
      info->ref = forwarding.found;
      (void)hf_deployment_name_parse (deployment, &info->commit, NULL);
    }
  else
    info->commit = find_commit (dir_fd);
  if (info->commit != NULL && info->ref == NULL)
    info->ref = bound_ref (dir_fd, info->commit);
  if (info->ref == NULL)
    {
      (void)hf_throw (error, HF_ERROR_DAMAGED, "Nothing tells what %s was", name);
      return NULL;
    }
  info->origin = g_strdup ("unknown");
  return g_steal_pointer (&info);
}
