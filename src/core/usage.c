/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One look at all that an installation has.  It takes no lock: while something changes underneath,
 * the numbers are of a moment that never was, and nothing is counted twice.  Entries only ever move
 * from staging/ to deploy/ to removed/, so they are read in this order: one that moves meanwhile is
 * met again, and known by its directory, and never missed.
 */
#include "usage-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "layout.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

static void
row_free (HfUsageRow *row)
{
  g_free (row->path);
  hf_ref_free (row->ref);
  hf_deployment_info_free (row->info);
  g_free (row);
}

/**
 * hf_usage_new:
 *
 * Returns: (transfer full): of an installation that does not exist
 */
HfUsage *
hf_usage_new (void)
{
  HfUsage *usage = g_new0 (HfUsage, 1);
  usage->rows = g_ptr_array_new_with_free_func ((GDestroyNotify)row_free);
  usage->unread = g_ptr_array_new_with_free_func (g_free);
  return usage;
}

/**
 * hf_usage_free:
 * @usage: (nullable) (transfer full): what was read
 */
void
hf_usage_free (HfUsage *usage)
{
  if (usage == NULL)
    return;
  g_ptr_array_unref (usage->rows);
  g_ptr_array_unref (usage->unread);
  g_free (usage);
}

static gboolean
is_chosen (const HfUsageReading *reading, const HfRef *ref)
{
  for (guint i = 0; ref != NULL && reading->refs != NULL && i < reading->refs->len; i++)
    if (hf_ref_compare (ref, reading->refs->pdata[i]) == 0)
      return TRUE;
  return FALSE;
}

static void
note_commit (HfUsageReading *reading, guint32 row, const char *commit)
{
  const HfUsageOwner owner = hf_usage_row_owner (reading, row);
  HfUsageDirectory *all = g_hash_table_lookup (reading->commits, commit);
  if (all == NULL)
    {
      all = g_new0 (HfUsageDirectory, 1);
      g_hash_table_insert (reading->commits, g_strdup (commit), all);
    }
  hf_usage_directory_add (all, &owner);
}

/**
 * hf_usage_add_row:
 * @reading: where to add it
 * @path: a deployment or an entry, below the installation
 * @fd: its directory
 * @ref: (nullable): its ref, where its place tells
 * @state: what it is
 *
 * Adds a row, and all that it has.
 *
 * Returns: whether there is a new row; there is none for an entry that was met before
 */
gboolean
hf_usage_add_row (HfUsageReading *reading, const char *path, int fd, const HfRef *ref,
                  HfUsageState state)
{
  struct stat st;
  guint32 number = reading->usage->rows->len;
  if (fstat (fd, &st) != 0
      || !g_hash_table_add (reading->seen, g_memdup2 (&st.st_ino, sizeof st.st_ino)))
    return FALSE;
  HfUsageRow *row = g_new0 (HfUsageRow, 1);
  row->path = g_strdup (path);
  row->info = hf_deployment_read (fd, NULL);
  const HfRef *known = ref != NULL || row->info == NULL ? ref : row->info->ref;
  row->ref = known != NULL ? hf_ref_copy (known) : NULL;
  row->state = state;
  row->chosen = is_chosen (reading, row->ref);
  g_ptr_array_add (reading->usage->rows, row);
  if (row->info != NULL)
    note_commit (reading, number, row->info->commit);
  hf_usage_note (reading, number, &st);
  hf_usage_walk (reading, number, fd, path, NULL);
  return TRUE;
}

/* The entries of staging/ or removed/. */
static void
read_entries (HfUsageReading *reading, const char *directory, HfUsageState state)
{
  g_autoptr (DIR) dir = hf_dir_open (reading->installation->root_fd, directory, NULL);
  const struct dirent *entry;
  struct stat st;
  if (dir == NULL)
    hf_usage_note_unread (reading, directory, NULL);
  if (fstatat (reading->installation->root_fd, directory, &st, AT_SYMLINK_NOFOLLOW) == 0)
    hf_usage_note (reading, HF_USAGE_REST, &st);
  while (dir != NULL && hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      g_autofree char *path = g_strconcat (directory, "/", entry->d_name, NULL);
      hf_autofd int fd = hf_open_beneath (dirfd (dir), entry->d_name, O_PATH | O_DIRECTORY, 0);
      if (fd >= 0)
        (void)hf_usage_add_row (reading, path, fd, NULL, state);
      else if (fstatat (dirfd (dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        hf_usage_note (reading, HF_USAGE_REST, &st);
    }
}

/* Everything that has no reader of its own. */
static void
read_rest (HfUsageReading *reading)
{
  static const char *const skip[] = { HF_DEPLOY_DIR,
                                      HF_STAGING_DIR,
                                      HF_REMOVED_DIR,
                                      HF_REPO_DIR "/" HF_OBJECTS_DIR,
                                      HF_REPO_DIR "/" HF_REPO_REFS "/" HF_REPO_DEPLOY_REFS,
                                      NULL };
  struct stat st;
  if (fstat (reading->installation->root_fd, &st) == 0)
    hf_usage_note (reading, HF_USAGE_REST, &st);
  hf_usage_walk (reading, HF_USAGE_REST, reading->installation->root_fd, "", skip);
}

/* Tells of every inode with several links whose it is, now that all links have been met. */
static void
share_out (HfUsageReading *reading)
{
  HfUsage *usage = reading->usage;
  for (guint i = 0; i < reading->inodes.inodes->len; i++)
    {
      const HfUsageInode *inode = &g_array_index (reading->inodes.inodes, HfUsageInode, i);
      const HfUsageOwner owner = hf_usage_inode_owner (reading, inode);
      if (owner.row < HF_USAGE_MANY)
        ((HfUsageRow *)usage->rows->pdata[owner.row])->exclusive += inode->bytes;
      else if (owner.row == HF_USAGE_REST)
        usage->rest += inode->bytes;
      else
        usage->shared += inode->bytes;
      usage->chosen += owner.chosen ? inode->bytes : 0;
      usage->trash += owner.removed ? inode->bytes : 0;
    }
}

static void
add_up (HfUsage *usage)
{
  usage->total = usage->shared + usage->rest;
  for (guint i = 0; i < usage->rows->len; i++)
    usage->total += ((HfUsageRow *)usage->rows->pdata[i])->exclusive;
}

static int
compare_rows (gconstpointer a, gconstpointer b)
{
  const HfUsageRow *left = *(HfUsageRow *const *)a;
  const HfUsageRow *right = *(HfUsageRow *const *)b;
  int order = (left->ref == NULL) - (right->ref == NULL);
  if (order == 0 && left->ref != NULL)
    order = hf_ref_compare (left->ref, right->ref);
  if (order == 0)
    order = (int)left->state - (int)right->state;
  return order != 0 ? order : strcmp (left->path, right->path);
}

static gboolean
read_filesystem (HfUsageReading *reading, GError **error)
{
  struct statvfs fs;
  if (fstatvfs (reading->installation->root_fd, &fs) != 0)
    return hf_throw_errno (error, "Cannot look at the file system of %s",
                           reading->installation->path);
  reading->usage->available = (guint64)fs.f_bavail * fs.f_frsize;
  reading->usage->capacity = (guint64)fs.f_blocks * fs.f_frsize;
  return TRUE;
}

static void
read_all (HfUsageReading *reading)
{
  HfUsageDeploy deploy;
  hf_usage_deploy_init (&deploy, reading);
  read_entries (reading, HF_STAGING_DIR, HF_USAGE_STAGING);
  hf_usage_deploy_read (&deploy);
  read_entries (reading, HF_REMOVED_DIR, HF_USAGE_REMOVED);
  hf_usage_deploy_charge (&deploy);
  hf_usage_deploy_clear (&deploy);
  hf_usage_repo_read (reading);
  read_rest (reading);
  share_out (reading);
}

/**
 * hf_usage_read:
 * @installation: an installation
 * @refs: (nullable) (element-type HfRef): what is asked for
 *
 * Looks at every file of the installation.  What this user may not read is left out, and named.
 *
 * Locks: none.
 *
 * Returns: (transfer full): what takes how much space, or %NULL with @error set
 */
HfUsage *
hf_usage_read (HfInstallation *installation, const GPtrArray *refs, GError **error)
{
  g_autoptr (HfUsage) usage = hf_usage_new ();
  HfUsageReading reading = { .installation = installation, .usage = usage, .refs = refs };
  if (!read_filesystem (&reading, error))
    return NULL;
  hf_usage_inodes_init (&reading.inodes);
  reading.seen = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  reading.commits = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  read_all (&reading);
  g_hash_table_unref (reading.commits);
  g_hash_table_unref (reading.seen);
  hf_usage_inodes_clear (&reading.inodes);
  add_up (usage);
  g_ptr_array_sort (usage->rows, compare_rows);
  return g_steal_pointer (&usage);
}
