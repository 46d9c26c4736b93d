/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which runtimes are unused.  What names a runtime needs it: whatever is deployed, what is kept beside that
 * for rollback, and what a root keeps in removed/ for restore.  What is only spared in removed/ does not: its
 * runtime, removed later, is spared longer, and restore brings both back.
 *
 * Who holds one is told by a look and not by a lock, since it is in service, and a lock could refuse a launch.
 * That is good enough, as nothing is deleted because of it: if a launch comes after the look, its runtime goes
 * out of service under it and stays on disk as long as it runs.
 */
#include "unused.h"

#include "base/error.h"
#include "base/fd.h"
#include "config.h"
#include "holders.h"
#include "layout.h"
#include "ref-glob.h"
#include "restore.h"
#include "roots.h"
#include "runtime.h"

#include <errno.h>

typedef struct
{
  HfInstallation *installation;
  HfConfig *config;     /* owned */
  HfRoots *roots;       /* owned */
  GPtrArray *all;       /* owned; of HfDeployed: everything in service */
  GPtrArray *removed;   /* owned; of HfRestorable */
  GPtrArray *elsewhere; /* owned; of HfDependent: what other installations have on these runtimes */
  GHashTable *needed;   /* owned; the full refs that something names, of those three */
  HfHolders *snapshot;  /* owned; read when first needed */
} Look;

static void
look_clear (Look *look)
{
  hf_config_free (look->config);
  hf_roots_free (look->roots);
  g_clear_pointer (&look->all, g_ptr_array_unref);
  g_clear_pointer (&look->removed, g_ptr_array_unref);
  g_clear_pointer (&look->elsewhere, g_ptr_array_unref);
  g_clear_pointer (&look->needed, g_hash_table_unref);
  hf_holders_free (look->snapshot);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Look, look_clear)

static gboolean
look_init (Look *look, HfInstallation *installation, GError **error)
{
  look->installation = installation;
  look->needed = g_hash_table_new (g_str_hash, g_str_equal);
  return (look->elsewhere = hf_runtime_dependents (installation, error)) != NULL
         && (look->config = hf_config_load (installation, error)) != NULL
         && (look->roots = hf_roots_load (installation, error)) != NULL
         && (look->all = hf_deployed_list_in_service (installation, error)) != NULL
         && (look->removed = hf_restorable_list (installation, NULL, error)) != NULL;
}

static void
collect_needed (Look *look)
{
  for (guint i = 0; i < look->all->len; i++)
    {
      const HfDeployed *one = look->all->pdata[i];
      /* Many a runtime names itself. */
      if (one->info->runtime != NULL && g_strcmp0 (one->info->runtime, one->ref->full) != 0)
        g_hash_table_add (look->needed, one->info->runtime);
    }
  for (guint i = 0; i < look->removed->len; i++)
    {
      const HfRestorable *one = look->removed->pdata[i];
      const char *deployment = hf_removed_name_deployment (one->path_name);
      if (one->runtime != NULL && hf_roots_find (look->roots, deployment) != NULL)
        g_hash_table_add (look->needed, one->runtime->full);
    }
  for (guint i = 0; i < look->elsewhere->len; i++)
    g_hash_table_add (look->needed,
                      ((const HfDependent *)look->elsewhere->pdata[i])->deployed->info->runtime);
}

static gboolean
is_rooted (const Look *look, const HfRef *ref)
{
  for (guint i = 0; i < look->all->len; i++)
    {
      const HfDeployed *one = look->all->pdata[i];
      if (hf_ref_compare (one->ref, ref) == 0 && hf_roots_find (look->roots, one->name) != NULL)
        return TRUE;
    }
  return FALSE;
}

/* Whoever runs from an earlier deployment of it counts, too: they would go together. */
static gboolean
is_held (Look *look, const HfRef *ref, gboolean *out, GError **error)
{
  *out = FALSE;
  for (guint i = 0; i < look->all->len && !*out; i++)
    {
      const HfDeployed *one = look->all->pdata[i];
      if (hf_ref_compare (one->ref, ref) != 0)
        continue;
      g_autofree char *path = g_strconcat (one->path, "/" HF_REF_FILE, NULL);
      hf_autofd int fd
          = hf_open_beneath (look->installation->root_fd, path, O_RDONLY | O_NONBLOCK, 0);
      if (fd < 0 && errno == ENOENT)
        continue; /* nobody holds what has none */
      if (fd < 0)
        return hf_throw_errno (error, "Cannot open %s of %s", path, look->installation->path);
      if (look->snapshot == NULL)
        look->snapshot = hf_holders_read (NULL);
      *out = hf_holders_is_held (look->snapshot, fd);
    }
  return TRUE;
}

/**
 * hf_unused_list:
 * @installation: an installation
 *
 * What is in this installation counts, and what the system's others have that would find its runtime nowhere
 * else.  An application of a user's own, which runs on a runtime of this one, is not seen unless it is
 * running: then the runtime is listed with `in_use` set, and is not to go.
 *
 * Locks: none; under `lock` the answer stays true, but for what is held.
 *
 * Returns: (transfer full) (element-type HfDeployed): the active deployments of runtimes that nothing needs,
 *   sorted by ref, or %NULL with %HF_ERROR_DAMAGED if it cannot be told what another installation needs, or
 *   another error
 */
GPtrArray *
hf_unused_list (HfInstallation *installation, GError **error)
{
  g_auto (Look) look = { 0 };
  g_autoptr (GPtrArray) chosen = g_ptr_array_new (); /* still owned by look.all */
  if (!look_init (&look, installation, error))
    return NULL;
  collect_needed (&look);
  for (guint i = 0; i < look.all->len; i++)
    {
      HfDeployed *one = look.all->pdata[i];
      if (one->standing != HF_STANDING_ACTIVE || hf_ref_is_app (one->ref)
          || g_hash_table_contains (look.needed, one->ref->full) || is_rooted (&look, one->ref)
          || hf_ref_glob_find (look.config->pinned, one->ref) != NULL)
        continue;
      if (!is_held (&look, one->ref, &one->in_use, error))
        return NULL;
      g_ptr_array_add (chosen, one);
    }
  GPtrArray *unused = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_deployed_free);
  for (guint i = 0; i < chosen->len; i++)
    {
      guint index;
      if (g_ptr_array_find (look.all, chosen->pdata[i], &index))
        g_ptr_array_add (unused, g_ptr_array_steal_index (look.all, index));
    }
  return unused;
}

/**
 * hf_unused_check:
 * @installation: an installation
 * @ref: a deployed ref
 *
 * Locks: needs `lock`, for the answer to stay true.
 *
 * Returns: %FALSE with %HF_ERROR_IN_USE if it is no unused runtime, or is held, %HF_ERROR_NOT_FOUND if it is
 *   not deployed, or another error
 */
gboolean
hf_unused_check (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_autoptr (GPtrArray) unused = hf_unused_list (installation, error);
  if (unused == NULL)
    return FALSE;
  for (guint i = 0; i < unused->len; i++)
    {
      const HfDeployed *one = unused->pdata[i];
      if (hf_ref_compare (one->ref, ref) == 0)
        return !one->in_use || hf_throw (error, HF_ERROR_IN_USE, "%s is in use", ref->full);
    }
  g_autoptr (HfDeployed) deployed = hf_deployed_get (installation, ref, error);
  return deployed != NULL && hf_throw (error, HF_ERROR_IN_USE, "%s is needed by now", ref->full);
}
