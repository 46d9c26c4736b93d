/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a sweep leaves.  Only what can still be brought back is kept: once its deletion began, an entry goes
 * on to its end whatever names it.
 */
#include "keep.h"

#include "base/fd.h"
#include "base/language.h"

/**
 * hf_keep_load:
 * @installation: an installation
 * @now: whether nothing is spared for having been removed lately
 *
 * Locks: none; looks at the links of indirect roots, see hf_root_links_look().
 *
 * Returns: (transfer full): what is kept, or %NULL with @error set if that cannot be told, so that nothing
 *   may go
 */
HfKeep *
hf_keep_load (HfInstallation *installation, gboolean now, GError **error)
{
  g_autoptr (HfKeep) keep = g_new0 (HfKeep, 1);
  keep->installation = installation;
  keep->now = now;
  keep->config = hf_config_load (installation, error);
  if (keep->config == NULL || !hf_keep_refresh (keep, error))
    return NULL;
  hf_roots_check_links (installation, keep->roots);
  return g_steal_pointer (&keep);
}

/**
 * hf_keep_free:
 * @keep: (nullable) (transfer full): what is kept
 */
void
hf_keep_free (HfKeep *keep)
{
  if (keep == NULL)
    return;
  hf_config_free (keep->config);
  hf_roots_free (keep->roots);
  g_free (keep);
}

/**
 * hf_keep_refresh:
 * @keep: what is kept
 *
 * Reads the roots anew; with an entry's `.ref` locked exclusively, what they say of it stays true.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_keep_refresh (HfKeep *keep, GError **error)
{
  HfRoots *roots = hf_roots_load (keep->installation, error);
  if (roots == NULL)
    return FALSE;
  hf_roots_free (keep->roots);
  keep->roots = roots;
  return TRUE;
}

/* The name that it had in deploy/, and has there still if it lies out of service in place. */
static const char *
deployment_of (const HfTrashEntry *entry)
{
  return entry->in_place ? entry->name : hf_removed_name_deployment (entry->name);
}

static gboolean
is_restorable (HfDeploymentState state)
{
  return state == HF_STATE_SETTLED || state == HF_STATE_RETIRED;
}

/**
 * hf_keep_rooted:
 * @keep: what is kept
 * @entry: a locked entry
 * @out: (out): the root
 *
 * Returns: whether a root keeps it
 */
gboolean
hf_keep_rooted (const HfKeep *keep, const HfTrashEntry *entry, HfKeepReason *out)
{
  const char *deployment = entry->staging ? NULL : deployment_of (entry);
  const HfRoot *root = deployment == NULL || !is_restorable (entry->state)
                           ? NULL
                           : hf_roots_find (keep->roots, deployment);
  if (root == NULL)
    return FALSE;
  *out = (HfKeepReason){ .root = root->path };
  return TRUE;
}

/* A clock that went back makes it longer, never shorter. */
static gboolean
is_spared (const HfKeep *keep, const HfTrashEntry *entry, HfKeepReason *out)
{
  gint64 removed
      = entry->leaving ? g_get_real_time () / G_USEC_PER_SEC : hf_removed_name_time (entry->name);
  if (keep->now || entry->staging || (entry->in_place && !entry->leaving) || removed < 0
      || entry->state != HF_STATE_SETTLED)
    return FALSE;
  gint64 until;
  if (__builtin_add_overflow (removed, (gint64)keep->config->keep_removed, &until))
    until = G_MAXINT64;
  *out = (HfKeepReason){ .until = until };
  return keep->config->keep_removed > 0 && g_get_real_time () / G_USEC_PER_SEC < until;
}

/**
 * hf_keep_keeps:
 * @keep: what is kept
 * @entry: an entry, not yet locked; its `state` and `info` are set if it is kept
 * @out: (out): why
 *
 * Returns: whether a sweep leaves it without trying its lock
 */
gboolean
hf_keep_keeps (const HfKeep *keep, HfTrashEntry *entry, HfKeepReason *out)
{
  if (entry->staging
      || (keep->roots->all->len == 0 && (keep->now || keep->config->keep_removed == 0)))
    return FALSE;
  hf_autofd int fd
      = hf_open_beneath (entry->installation->root_fd, entry->path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 || !hf_deployment_get_state (fd, &entry->state, NULL)
      || (!hf_keep_rooted (keep, entry, out) && !is_spared (keep, entry, out)))
    return FALSE;
  entry->info = hf_deployment_read (fd, NULL);
  return TRUE;
}

/**
 * hf_keep_warn:
 * @keep: what is kept
 * @warnings: (element-type utf8): what is wrong with roots is added to it
 *
 * Returns: how many roots protect nothing since they make no sense
 */
guint
hf_keep_warn (const HfKeep *keep, GPtrArray *warnings)
{
  const HfRoots *roots = keep->roots;
  for (guint i = 0; i < roots->problems->len; i++)
    g_ptr_array_add (warnings, hf_root_problem_describe (roots->problems->pdata[i]));
  for (guint i = 0; i < roots->all->len; i++)
    {
      const HfRoot *root = roots->all->pdata[i];
      if (root->standing == HF_ROOT_UNREADABLE)
        g_ptr_array_add (warnings, g_strdup_printf (_ ("Root %s goes on protecting: %s"),
                                                    root->path, root->why));
    }
  return roots->problems->len;
}
