/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Previous deployments: which there are, and which of them are kept.
 */
#include "previous.h"

#include "base/error.h"
#include "base/fd.h"
#include "branch.h"
#include "config.h"
#include "layout.h"
#include "retire.h"

#include <errno.h>
#include <string.h>

static void
previous_free (HfPrevious *previous)
{
  g_free (previous->name);
  g_free (previous);
}

/* The one that left service last comes first. */
static int
compare_previous (gconstpointer a, gconstpointer b)
{
  const HfPrevious *left = *(HfPrevious *const *)a;
  const HfPrevious *right = *(HfPrevious *const *)b;
  if (left->left.tv_sec != right->left.tv_sec)
    return left->left.tv_sec > right->left.tv_sec ? -1 : 1;
  if (left->left.tv_nsec != right->left.tv_nsec)
    return left->left.tv_nsec > right->left.tv_nsec ? -1 : 1;
  const char *serial = strrchr (left->name, '.');
  return strcmp (strrchr (right->name, '.'), serial);
}

/* %NULL without an error if it is none: a forwarding link, gone, or out of service in place. */
static gboolean
look_at (int branch_fd, const char *name, HfPrevious **out, GError **error)
{
  struct stat st;
  *out = NULL;
  g_autofree char *path = g_strconcat (name, "/" HF_DEPLOYMENT_FILE, NULL);
  hf_autofd int fd = hf_open_beneath (branch_fd, path, O_PATH, 0);
  if (fd < 0 || fstat (fd, &st) != 0)
    return errno == ENOENT || errno == ELOOP || errno == ENOTDIR
           || hf_throw_at (error, "Cannot look at %s", branch_fd, path);
  if (!S_ISREG (st.st_mode) || (st.st_mode & 07777) != HF_STATE_SETTLED)
    return TRUE;
  *out = g_new0 (HfPrevious, 1);
  (*out)->name = g_strdup (name);
  (*out)->left = st.st_mtim;
  return TRUE;
}

/**
 * hf_previous_list:
 * @branch_fd: a branch directory
 * @active: (nullable): the name of its active deployment
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: (transfer full) (element-type HfPrevious): the deployments that were in service before, the
 *   one that left it last first, or %NULL with @error set
 */
GPtrArray *
hf_previous_list (int branch_fd, const char *active, GError **error)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func ((GDestroyNotify)previous_free);
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      HfPrevious *previous;
      if (g_strcmp0 (names->pdata[i], active) == 0)
        continue;
      if (!look_at (branch_fd, names->pdata[i], &previous, error))
        return NULL;
      if (previous != NULL)
        g_ptr_array_add (list, previous);
    }
  g_ptr_array_sort (list, compare_previous);
  return names == NULL ? NULL : g_steal_pointer (&list);
}

/**
 * hf_previous_find:
 * @list: from hf_previous_list()
 * @text: (nullable): a commit, the beginning of one of at least four digits, or a serial; %NULL for the
 *   one that left service last
 *
 * Returns: (transfer none): the one that is meant, the latest where several are, or %NULL with
 *   %HF_ERROR_NOT_FOUND
 */
HfPrevious *
hf_previous_find (const GPtrArray *list, const char *text, GError **error)
{
  for (guint i = 0; i < list->len; i++)
    {
      HfPrevious *previous = list->pdata[i];
      if (text == NULL || hf_deployment_name_is_meant (previous->name, text))
        return previous;
    }
  if (text == NULL)
    (void)hf_throw (error, HF_ERROR_NOT_FOUND, "there is no earlier deployment");
  else
    (void)hf_throw (error, HF_ERROR_NOT_FOUND,
                    "no earlier deployment has the commit or serial %s: `holdfast list --all`"
                    " shows what there is",
                    text);
  return NULL;
}

/**
 * hf_previous_leave:
 * @branch_fd: a branch directory
 * @name: the deployment of it that is about to leave service
 *
 * Notes the time.  Only the order in which deployments are given up depends on it, so that a failure
 * does not matter.
 *
 * Locks: needs `lock`.
 */
void
hf_previous_leave (int branch_fd, const char *name)
{
  const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } };
  hf_autofd int fd = hf_open_beneath (branch_fd, name, O_PATH | O_DIRECTORY, 0);
  if (fd >= 0)
    (void)utimensat (fd, HF_DEPLOYMENT_FILE, times, AT_SYMLINK_NOFOLLOW);
}

/**
 * hf_retention_clear:
 * @retention: what to free the contents of
 */
void
hf_retention_clear (HfRetention *retention)
{
  g_clear_pointer (&retention->roots, hf_roots_free);
}

/**
 * hf_retention_load:
 * @installation: an installation
 * @out: (out): what it keeps
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: %FALSE with @error set if the configuration or the roots cannot be read: nothing may be given
 *   up then
 */
gboolean
hf_retention_load (HfInstallation *installation, HfRetention *out, GError **error)
{
  g_autoptr (HfConfig) config = hf_config_load (installation, error);
  if (config == NULL)
    return FALSE;
  out->most = config->keep_previous;
  out->roots = hf_roots_load (installation, error);
  return out->roots != NULL;
}

/**
 * hf_retention_keeps:
 * @retention: what is kept; its roots may be %NULL where they cannot be told
 * @name: a deployment that was in service
 * @left: (inout): how many more are kept besides what roots name
 *
 * For one after the other, the one that left service last first.
 *
 * Returns: whether it is kept
 */
gboolean
hf_retention_keeps (const HfRetention *retention, const char *name, guint64 *left)
{
  if (retention->roots != NULL && hf_roots_find (retention->roots, name) != NULL)
    return TRUE;
  if (*left == 0)
    return FALSE;
  (*left)--;
  return TRUE;
}

/**
 * hf_previous_kept:
 * @branch_fd: a branch directory
 * @active: the name of its active deployment
 * @retention: what is kept
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: (transfer full) (element-type utf8 utf8): a set of the names of the deployments that stay in service, or %NULL
 *   with @error set
 */
GHashTable *
hf_previous_kept (int branch_fd, const char *active, const HfRetention *retention, GError **error)
{
  g_autoptr (GPtrArray) list = hf_previous_list (branch_fd, active, error);
  if (list == NULL)
    return NULL;
  GHashTable *kept = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  guint64 left = retention->most;
  g_hash_table_add (kept, g_strdup (active));
  for (guint i = 0; i < list->len; i++)
    {
      const HfPrevious *previous = list->pdata[i];
      if (hf_retention_keeps (retention, previous->name, &left))
        g_hash_table_add (kept, g_strdup (previous->name));
    }
  return kept;
}

/**
 * hf_previous_leaving:
 * @branch_fd: a branch directory
 * @active: the name of its active deployment
 * @retention: what is kept
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: (transfer full) (element-type utf8): the names of what hf_previous_retain() would take out of
 *   service, or %NULL with @error set
 */
GPtrArray *
hf_previous_leaving (int branch_fd, const char *active, const HfRetention *retention,
                     GError **error)
{
  gboolean in_place;
  g_autoptr (GHashTable) kept = hf_previous_kept (branch_fd, active, retention, error);
  return kept == NULL ? NULL : hf_retire_list (branch_fd, kept, &in_place, error);
}

/**
 * hf_previous_retain:
 * @installation: an installation
 * @ref: a ref
 * @branch_fd: its branch directory
 * @active: the name of its active deployment
 * @retention: what is kept
 * @out_in_place: (out): whether one that goes stayed where it was
 *
 * Takes out of service what is past the number to be kept, and what never was in service.  A crash leaves
 * some of it, and the mark; whoever settles does it again.
 *
 * Locks: needs `lock` and the unsettled mark.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_previous_retain (HfInstallation *installation, const HfRef *ref, int branch_fd,
                    const char *active, const HfRetention *retention, gboolean *out_in_place,
                    GError **error)
{
  *out_in_place = FALSE;
  g_autoptr (GHashTable) kept = hf_previous_kept (branch_fd, active, retention, error);
  return kept != NULL && hf_retire_others (installation, ref, branch_fd, kept, out_in_place, error);
}
