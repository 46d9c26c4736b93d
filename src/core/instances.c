/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Running instances.  An instance is the first process of a sandbox that holds a POSIX read lock on
 * the `.ref` of a deployment, which is what bubblewrap's --lock-file takes and gives up with the
 * sandbox.  The locks come first: without any, no deployment is looked at, and of the deployments
 * only those whose inode is locked are read.
 */
#include "instances.h"

#include "base/error.h"
#include "base/fd.h"
#include "branch.h"
#include "holders.h"
#include "layout.h"

#include <errno.h>
#include <string.h>

typedef struct
{
  HfInstallation *installation; /* not owned; the one that is looked at */
  HfHolders *holders;           /* not owned */
  GHashTable *inodes;           /* owned; guint64 set: inodes that a sandbox may hold */
  GHashTable *deployments;      /* owned; HfLockedFile → Found, of those found */
} Scan;

typedef struct
{
  HfDeploymentInfo *info;       /* owned */
  HfInstallation *installation; /* not owned */
} Found;

static void
found_free (gpointer data)
{
  hf_deployment_info_free (((Found *)data)->info);
  g_free (data);
}

static guint
locked_file_hash (gconstpointer key)
{
  const HfLockedFile *file = key;
  return g_int64_hash (&file->inode);
}

static gboolean
locked_file_equal (gconstpointer a, gconstpointer b)
{
  const HfLockedFile *x = a, *y = b;
  return x->device == y->device && x->inode == y->inode;
}

static gboolean
is_sandbox_lock (const HfKernelLock *lock)
{
  return lock->kind == HF_KERNEL_LOCK_POSIX && !lock->exclusive && lock->pid > 0;
}

static void
scan_clear (Scan *scan)
{
  g_clear_pointer (&scan->inodes, g_hash_table_unref);
  g_clear_pointer (&scan->deployments, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Scan, scan_clear)

static void
collect_inodes (Scan *scan)
{
  for (guint i = 0; i < scan->holders->locks->len; i++)
    {
      HfKernelLock *lock = &g_array_index (scan->holders->locks, HfKernelLock, i);
      if (is_sandbox_lock (lock))
        g_hash_table_add (scan->inodes, &lock->file.inode);
    }
}

/* Returns whether @name in @parent_fd is a deployment's own directory or gone; a symlink, or
 * anything else without a `.ref`, is not.  One that cannot be read harms only itself (G5). */
static gboolean
look_at (Scan *scan, int parent_fd, const char *name)
{
  g_autofree char *path = g_strconcat (name, "/", HF_REF_FILE, NULL);
  hf_autofd int ref_fd = hf_open_beneath (parent_fd, path, O_PATH, 0);
  if (ref_fd < 0)
    return errno != ELOOP;
  struct stat st;
  HfLockedFile file;
  if (fstat (ref_fd, &st) != 0)
    return TRUE;
  guint64 inode = st.st_ino;
  if (!g_hash_table_contains (scan->inodes, &inode)
      || !hf_holders_identify (scan->holders, ref_fd, &file, NULL)
      || g_hash_table_contains (scan->deployments, &file))
    return TRUE;
  hf_autofd int fd = hf_open_beneath (parent_fd, name, O_PATH | O_DIRECTORY, 0);
  const Found found = { fd < 0 ? NULL : hf_deployment_read (fd, NULL), scan->installation };
  if (found.info != NULL)
    g_hash_table_insert (scan->deployments, g_memdup2 (&file, sizeof file),
                         g_memdup2 (&found, sizeof found));
  return TRUE;
}

/* Where a removed deployment was, a symlink points into removed/.  Only its last component is
 * believed: everybody may look up a name there, while listing is for the owner. */
static void
look_behind (Scan *scan, int branch_fd, const char *name)
{
  g_autofree char *target = hf_link_read (branch_fd, name);
  const char *slash = target == NULL ? NULL : strrchr (target, '/');
  if (slash == NULL || slash[1] == '\0' || strcmp (slash, "/.") == 0 || strcmp (slash, "/..") == 0)
    return;
  (void)look_at (scan, scan->installation->removed_fd, slash + 1);
}

static gboolean
scan_branch (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (DIR) dir = hf_dir_open (branch_fd, ".", &failure);
  const struct dirent *entry = NULL;
  while (dir != NULL && hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      if (!hf_deployment_name_parse (entry->d_name, NULL, NULL))
        continue;
      if (entry->d_type == DT_LNK || !look_at (data, branch_fd, entry->d_name))
        look_behind (data, branch_fd, entry->d_name);
    }
  return TRUE;
}

/* Entries whose old place has no forwarding link any more; not everybody may list them. */
static void
scan_removed (Scan *scan)
{
  g_autoptr (DIR) dir = hf_dir_open (scan->installation->removed_fd, ".", NULL);
  const struct dirent *entry = NULL;
  while (dir != NULL && hf_dir_next (dir, &entry, NULL) && entry != NULL)
    if (entry->d_type != DT_LNK)
      (void)look_at (scan, scan->installation->removed_fd, entry->d_name);
}

static HfInstance *
instance_new (gint64 pid)
{
  g_autoptr (HfHolder) holder = hf_holder_read (pid);
  if (holder == NULL || !holder->first_of_sandbox)
    return NULL;
  HfInstance *instance = g_new0 (HfInstance, 1);
  instance->pid = pid;
  instance->start = holder->start;
  return instance;
}

static void
instance_take (HfInstance *instance, const Found *found)
{
  gboolean runtime = !hf_ref_is_app (found->info->ref);
  HfRef **ref = runtime ? &instance->runtime : &instance->ref;
  char **commit = runtime ? &instance->runtime_commit : &instance->commit;
  if (*ref != NULL)
    return;
  *ref = hf_ref_copy (found->info->ref);
  *commit = g_strdup (found->info->commit);
  *(runtime ? &instance->runtime_installation : &instance->installation) = found->installation;
}

static void
settle_lone_runtime (HfInstance *instance)
{
  if (instance->ref != NULL)
    return;
  instance->ref = g_steal_pointer (&instance->runtime);
  instance->commit = g_steal_pointer (&instance->runtime_commit);
  instance->installation = g_steal_pointer (&instance->runtime_installation);
}

/* Adds each sandbox to @instances once, with every deployment of @scan that it holds. */
static void
group_by_process (const Scan *scan, GPtrArray *instances)
{
  g_autoptr (GHashTable) by_pid = g_hash_table_new (g_int64_hash, g_int64_equal);
  for (guint i = 0; i < scan->holders->locks->len; i++)
    {
      HfKernelLock *lock = &g_array_index (scan->holders->locks, HfKernelLock, i);
      const Found *found = NULL;
      if (is_sandbox_lock (lock))
        found = g_hash_table_lookup (scan->deployments, &lock->file);
      if (found == NULL)
        continue;
      HfInstance *instance = g_hash_table_lookup (by_pid, &lock->pid);
      if (instance == NULL && (instance = instance_new (lock->pid)) != NULL)
        {
          g_ptr_array_add (instances, instance);
          g_hash_table_insert (by_pid, &instance->pid, instance);
        }
      if (instance != NULL)
        instance_take (instance, found);
    }
}

static gboolean
scan_installation (Scan *scan, HfInstallation *installation, GError **error)
{
  scan->installation = installation;
  if (!hf_branches_visit (installation, scan_branch, scan, error))
    return FALSE;
  scan_removed (scan);
  return TRUE;
}

/**
 * hf_instances_list:
 * @installations: (element-type HfInstallation): where images may be run from; they outlive the result
 *
 * Lists the sandboxes that run images of these installations, whoever started them, in no particular
 * order.  One that is just starting appears once bubblewrap has taken its locks.  Where an application runs on
 * the runtime of another installation, both have to be given, or it is listed as what is seen of it.
 *
 * Locks: none.
 *
 * Returns: (transfer full) (element-type HfInstance): the instances, or %NULL with @error set
 */
GPtrArray *
hf_instances_list (const GPtrArray *installations, GError **error)
{
  g_autoptr (HfHolders) holders = hf_holders_read (error);
  if (holders == NULL)
    return NULL;
  g_auto (Scan) scan = {
    .holders = holders,
    .inodes = g_hash_table_new (g_int64_hash, g_int64_equal),
    .deployments = g_hash_table_new_full (locked_file_hash, locked_file_equal, g_free, found_free),
  };
  collect_inodes (&scan);
  if (g_hash_table_size (scan.inodes) > 0)
    for (guint i = 0; i < installations->len; i++)
      if (!scan_installation (&scan, installations->pdata[i], error))
        return NULL;
  GPtrArray *instances = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_instance_free);
  group_by_process (&scan, instances);
  for (guint i = 0; i < instances->len; i++)
    settle_lone_runtime (instances->pdata[i]);
  return instances;
}

/**
 * hf_instance_free:
 * @instance: (nullable) (transfer full): an instance
 */
void
hf_instance_free (HfInstance *instance)
{
  if (instance == NULL)
    return;
  hf_ref_free (instance->ref);
  hf_ref_free (instance->runtime);
  g_free (instance->commit);
  g_free (instance->runtime_commit);
  g_free (instance);
}
