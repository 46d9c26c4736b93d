/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is deployed.  Readers take no lock: they read `active`, follow it, and when what it named
 * has gone meanwhile they read it again.  `active` names one component; anything else in it is
 * ignored, and no symlink but `active` itself is ever followed here.
 */
#include "deployed.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "branch.h"
#include "layout.h"

#include <errno.h>
#include <string.h>

/* A reader meets a change at most a few times in a row; past this something else is wrong. */
#define RETRIES 64

/**
 * hf_deployed_free:
 * @deployed: (nullable) (transfer full): a deployed ref
 */
void
hf_deployed_free (HfDeployed *deployed)
{
  if (deployed == NULL)
    return;
  hf_ref_free (deployed->ref);
  hf_deployment_info_free (deployed->info);
  g_free (deployed->name);
  g_free (deployed->path);
  g_free (deployed);
}

/* What is complete and not active is what an install that was cut short has left, or is just about to publish. */
static gboolean
stands (HfDeploymentState state, HfStanding standing)
{
  return standing == HF_STANDING_ACTIVE ? hf_state_in_service (state) : state == HF_STATE_SETTLED;
}

/* Returns NULL without an error where what is named is not there or in service, or not any more. */
static HfDeployed *
deployed_open (HfInstallation *installation, const HfRef *ref, const char *name,
               HfStanding standing, GError **error)
{
  g_autofree char *path = g_strconcat (ref->full, "/", name, NULL);
  hf_autofd int fd = hf_open_beneath (installation->deploy_fd, path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    {
      /* ELOOP, ENOTDIR: a forwarding link, so removed. */
      if (errno != ENOENT && errno != ELOOP && errno != ENOTDIR)
        (void)hf_throw_errno (error, "Cannot open %s of %s", path, installation->path);
      return NULL;
    }
  HfDeploymentState state;
  if (!hf_deployment_get_state (fd, &state, error))
    {
      g_prefix_error (error, _ ("%s of %s is damaged: "), path, installation->path);
      return NULL;
    }
  if (!stands (state, standing))
    return NULL;
  g_autoptr (GError) failed = NULL;
  g_autoptr (HfDeploymentInfo) info = hf_deployment_read (fd, &failed);
  if (info == NULL)
    {
      if (!hf_error_is (failed, HF_ERROR_NOT_FOUND))
        g_propagate_prefixed_error (error, g_steal_pointer (&failed), _ ("%s of %s is damaged: "),
                                    path, installation->path);
      return NULL;
    }
  HfDeployed *deployed = g_new0 (HfDeployed, 1);
  deployed->ref = hf_ref_copy (ref);
  deployed->name = g_strdup (name);
  deployed->path = g_strconcat (HF_DEPLOY_DIR "/", path, NULL);
  deployed->info = g_steal_pointer (&info);
  deployed->standing = standing;
  return deployed;
}

/**
 * hf_deployed_get:
 * @installation: an installation
 * @ref: a ref
 *
 * Returns: (transfer full): what is deployed for @ref, or %NULL with %HF_ERROR_NOT_FOUND if it is
 * not installed, or another error
 */
HfDeployed *
hf_deployed_get (HfInstallation *installation, const HfRef *ref, GError **error)
{
  for (guint tries = 0; tries < RETRIES; tries++)
    {
      g_autofree char *name = NULL;
      g_autoptr (GError) failed = NULL;
      if (!hf_active_read (installation, ref, &name, error))
        return NULL;
      if (name == NULL)
        break;
      HfDeployed *deployed = deployed_open (installation, ref, name, HF_STANDING_ACTIVE, &failed);
      if (deployed != NULL)
        return deployed;
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

typedef struct
{
  HfInstallation *installation;
  const HfRefPattern *pattern; /* or NULL for all */
  gboolean (*accept) (const HfRefPattern *pattern, const HfRef *ref);
  GPtrArray *found;
} Collect;

static gboolean
collect_branch (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  Collect *collect = data;
  if (collect->pattern != NULL && !collect->accept (collect->pattern, ref))
    return TRUE;
  g_autoptr (GError) failed = NULL;
  HfDeployed *deployed = hf_deployed_get (collect->installation, ref, &failed);
  if (deployed != NULL)
    g_ptr_array_add (collect->found, deployed);
  else if (!hf_error_is (failed, HF_ERROR_NOT_FOUND))
    /* One bad deployment harms only itself (G5): it is named, and the others are listed. */
    g_printerr ("holdfast: %s\n", failed->message);
  return TRUE;
}

static int
compare_deployed (gconstpointer a, gconstpointer b)
{
  return hf_ref_compare ((*(HfDeployed *const *)a)->ref, (*(HfDeployed *const *)b)->ref);
}

/**
 * hf_deployed_list:
 * @installation: an installation
 *
 * Returns: (transfer full) (element-type HfDeployed): everything deployed, sorted by ref, or %NULL
 *   with @error set
 */
GPtrArray *
hf_deployed_list (HfInstallation *installation, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_deployed_free);
  Collect collect = { installation, NULL, NULL, found };
  if (!hf_branches_visit (installation, collect_branch, &collect, error))
    return NULL;
  g_ptr_array_sort (found, compare_deployed);
  return g_steal_pointer (&found);
}

/* A shortage of our own must not make something look as if it were not there; what is damaged is no
 * reason to keep anything (G5), and is passed over. */
static gboolean
collect_in_service (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  Collect *collect = data;
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      g_autoptr (GError) failed = NULL;
      const char *name = names->pdata[i];
      HfStanding standing
          = g_strcmp0 (name, active) == 0 ? HF_STANDING_ACTIVE : HF_STANDING_PREVIOUS;
      HfDeployed *deployed = deployed_open (collect->installation, ref, name, standing, &failed);
      if (failed != NULL && !hf_error_is (failed, HF_ERROR_DAMAGED))
        {
          g_propagate_error (error, g_steal_pointer (&failed));
          return FALSE;
        }
      if (deployed != NULL)
        g_ptr_array_add (collect->found, deployed);
    }
  return names != NULL;
}

/**
 * hf_deployed_list_in_service:
 * @installation: an installation
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: (transfer full) (element-type HfDeployed): every deployment that is active or kept beside one
 *   that is, sorted by ref, but for what is damaged; or %NULL with @error set
 */
GPtrArray *
hf_deployed_list_in_service (HfInstallation *installation, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_deployed_free);
  Collect collect = { installation, NULL, NULL, found };
  if (!hf_branches_visit (installation, collect_in_service, &collect, error))
    return NULL;
  g_ptr_array_sort (found, compare_deployed);
  return g_steal_pointer (&found);
}

/**
 * hf_deployed_match:
 * @installation: an installation
 * @pattern: what is looked for
 *
 * A whole ID is looked up where it must be, without a look at anything else that is deployed; only
 * where it matches nothing are all refs compared with the part of an ID that it may be.
 *
 * Returns: (transfer full) (element-type HfDeployed): the deployed refs that match, sorted,
 * possibly none, or %NULL with @error set
 */
GPtrArray *
hf_deployed_match (HfInstallation *installation, const HfRefPattern *pattern, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_deployed_free);
  Collect collect = { installation, pattern, hf_ref_pattern_matches, found };
  if (!hf_branches_visit_id (installation, pattern->id, collect_branch, &collect, error))
    return NULL;
  collect.accept = hf_ref_pattern_resembles;
  if (found->len == 0 && !hf_branches_visit (installation, collect_branch, &collect, error))
    return NULL;
  g_ptr_array_sort (found, compare_deployed);
  return g_steal_pointer (&found);
}

/* Where several match, an application is meant rather than a runtime, and this machine's own
 * architecture rather than another. */
static void
keep_preferred (GPtrArray *found, gboolean (*preferred) (const HfRef *ref))
{
  guint wanted = 0;
  for (guint i = 0; i < found->len; i++)
    wanted += preferred (((HfDeployed *)found->pdata[i])->ref) ? 1 : 0;
  if (wanted == 0)
    return;
  for (guint i = found->len; i-- > 0;)
    if (!preferred (((HfDeployed *)found->pdata[i])->ref))
      g_ptr_array_remove_index (found, i);
}

static gboolean
is_native (const HfRef *ref)
{
  return strcmp (ref->arch, hf_ref_default_arch ()) == 0;
}

/**
 * hf_deployed_find:
 * @installation: an installation
 * @text: what a person typed for a ref
 * @branch: (nullable): the branch that is meant
 *
 * Returns: (transfer full): the one deployed ref that is meant, or %NULL with %HF_ERROR_NOT_FOUND,
 *   or %HF_ERROR_USAGE if it is malformed or several may be meant
 */
HfDeployed *
hf_deployed_find (HfInstallation *installation, const char *text, const char *branch,
                  GError **error)
{
  g_autoptr (HfRefPattern) typed = hf_ref_pattern_parse (text, error);
  if (typed == NULL)
    return NULL;
  g_autoptr (HfRefPattern) pattern
      = hf_ref_new (typed->kind, typed->id, typed->arch, branch != NULL ? branch : typed->branch);
  g_autoptr (GPtrArray) found = hf_deployed_match (installation, pattern, error);
  if (found == NULL)
    return NULL;
  if (found->len > 1)
    keep_preferred (found, hf_ref_is_app);
  if (found->len > 1)
    keep_preferred (found, is_native);
  if (found->len == 1)
    return g_ptr_array_steal_index (found, 0);
  if (found->len == 0 && branch != NULL)
    (void)hf_throw (error, HF_ERROR_NOT_FOUND,
                    "%s, branch %s is not installed in %s: `holdfast list` shows what is", text,
                    branch, installation->path);
  else if (found->len == 0)
    (void)hf_throw (error, HF_ERROR_NOT_FOUND,
                    "%s is not installed in %s: `holdfast list` shows what is", text,
                    installation->path);
  else
    (void)hf_throw (error, HF_ERROR_USAGE, "'%s' may be %s or %s: give more of the ref", text,
                    ((HfDeployed *)found->pdata[0])->ref->full,
                    ((HfDeployed *)found->pdata[1])->ref->full);
  return NULL;
}
