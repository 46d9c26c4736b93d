/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runtimes that installations share.
 */
#include "runtime.h"

#include "base/error.h"

static gboolean
is_deployed (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_autoptr (HfDeployed) deployed = hf_deployed_get (installation, ref, error);
  return deployed != NULL;
}

/* What is wrong with another installation is its own affair. */
static gboolean
others_have (HfInstallation *installation, const HfRef *ref)
{
  for (guint i = 0; installation->others != NULL && i < installation->others->len; i++)
    if (is_deployed (installation->others->pdata[i], ref, NULL))
      return TRUE;
  return FALSE;
}

/**
 * hf_runtime_find:
 * @installation: where an application is or is to be
 * @runtime: what it needs
 *
 * Locks: none; under `lock` the answer stays true if it is in @installation itself.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if @runtime is neither there nor in another installation that
 *   shares with it, or another error
 */
gboolean
hf_runtime_find (HfInstallation *installation, const HfRef *runtime, GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (is_deployed (installation, runtime, &failed))
    return TRUE;
  if (hf_error_is (failed, HF_ERROR_NOT_FOUND) && others_have (installation, runtime))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

/**
 * hf_runtime_check:
 * @installation: where an application is to be in service
 * @app: its record
 *
 * Locks: as hf_runtime_find().
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if what it needs is not there, or another error
 */
gboolean
hf_runtime_check (HfInstallation *installation, const HfDeploymentInfo *app, GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (app->runtime == NULL)
    return TRUE;
  g_autoptr (HfRef) runtime = hf_ref_parse (app->runtime, error);
  if (runtime == NULL)
    return FALSE;
  if (hf_runtime_find (installation, runtime, &failed))
    return TRUE;
  if (hf_error_is (failed, HF_ERROR_NOT_FOUND))
    return hf_throw (error, HF_ERROR_NOT_FOUND,
                     "%s needs %s, which is not installed: try `holdfast install %s`",
                     app->ref->full, runtime->full, runtime->full);
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

static void
dependent_free (gpointer data)
{
  hf_deployed_free (((HfDependent *)data)->deployed);
  g_free (data);
}

/* Whether nobody but @installation has the runtime that @app names, as far as can be told. */
static gboolean
depends (HfInstallation *installation, const HfDeployed *app)
{
  g_autoptr (HfRef) runtime
      = app->info->runtime == NULL ? NULL : hf_ref_parse (app->info->runtime, NULL);
  if (runtime == NULL || hf_ref_compare (runtime, app->ref) == 0)
    return FALSE;
  g_autoptr (GError) failed = NULL;
  return (is_deployed (installation, runtime, &failed) || !hf_error_is (failed, HF_ERROR_NOT_FOUND))
         && !others_have (installation, runtime);
}

static gboolean
throw_untold (const char *what, GError **error)
{
  return hf_throw (error, HF_ERROR_DAMAGED, "Cannot tell which runtimes are needed elsewhere: %s",
                   what);
}

static gboolean
add_dependents (HfInstallation *installation, HfInstallation *other, GPtrArray *found,
                GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GPtrArray) all = hf_deployed_list_in_service (other, &failed);
  if (all == NULL)
    return throw_untold (failed->message, error);
  for (guint i = all->len; i-- > 0;)
    {
      if (!depends (installation, all->pdata[i]))
        continue;
      HfDependent *dependent = g_new0 (HfDependent, 1);
      dependent->where = other;
      dependent->deployed = g_ptr_array_steal_index (all, i);
      g_ptr_array_add (found, dependent);
    }
  return TRUE;
}

/**
 * hf_runtime_dependents:
 * @installation: an installation
 *
 * Of installations that are users' own nothing can be known here.  One of the system's that cannot be read, as it
 * is damaged or of a newer format or we are short of something, may need any runtime.
 *
 * Locks: none.
 *
 * Returns: (transfer full) (element-type HfDependent): what the other installations have in service, active or
 *   kept for rollback, and what only finds its runtime in this one; or %NULL with %HF_ERROR_DAMAGED if one of
 *   them cannot be read
 */
GPtrArray *
hf_runtime_dependents (HfInstallation *installation, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (dependent_free);
  if (installation->unread != NULL && installation->unread->len > 0)
    {
      (void)throw_untold (installation->unread->pdata[0], error);
      return NULL;
    }
  for (guint i = 0; installation->others != NULL && i < installation->others->len; i++)
    if (!add_dependents (installation, installation->others->pdata[i], found, error))
      return NULL;
  return g_steal_pointer (&found);
}
