/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * deploy/: its deployments, and what goes with the last of them: `active`, forwarding links, and the
 * directories above, as far as they are then empty.
 */
#include "usage-private.h"

#include "base/fd.h"
#include "branch.h"
#include "layout.h"

#include <errno.h>
#include <string.h>

#define LEVELS 4 /* KIND/ID/ARCH/BRANCH */

/* A directory of deploy/, down to branch directories. */
typedef struct Node Node;
struct Node
{
  Node *parent; /* not owned; NULL for KIND */
  HfUsageDirectory directory;
};

/* A forwarding link: it goes with the entry that it leads to. */
typedef struct
{
  char *path; /* owned; the entry's, below the installation */
  guint64 bytes;
} Forward;

typedef struct
{
  Node *node;       /* not owned; its directory */
  guint32 row;      /* the active deployment, else any other in it, else %HF_USAGE_REST */
  guint64 bytes;    /* of `active` and of what else has no other owner */
  GArray *forwards; /* owned; of Forward */
} Branch;

static void
forward_clear (Forward *forward)
{
  g_free (forward->path);
}

static void
branch_free (Branch *branch)
{
  g_array_unref (branch->forwards);
  g_free (branch);
}

/**
 * hf_usage_deploy_init:
 * @deploy: (out): what is to be filled
 * @reading: where deployments are counted
 */
void
hf_usage_deploy_init (HfUsageDeploy *deploy, HfUsageReading *reading)
{
  deploy->reading = reading;
  deploy->nodes = g_ptr_array_new_with_free_func (g_free);
  deploy->branches = g_ptr_array_new_with_free_func ((GDestroyNotify)branch_free);
}

/**
 * hf_usage_deploy_clear:
 * @deploy: what to free the contents of
 */
void
hf_usage_deploy_clear (HfUsageDeploy *deploy)
{
  g_ptr_array_unref (deploy->nodes);
  g_ptr_array_unref (deploy->branches);
}

/* Anything that is no name of ours, with all that is in it. */
static void
note_stranger (HfUsageReading *reading, int dfd, const char *name, const char *path,
               const struct stat *st)
{
  hf_usage_note (reading, HF_USAGE_REST, st);
  hf_autofd int fd
      = S_ISDIR (st->st_mode) ? hf_open_beneath (dfd, name, O_PATH | O_DIRECTORY, 0) : -1;
  if (fd >= 0)
    hf_usage_walk (reading, HF_USAGE_REST, fd, path, NULL);
}

static void
add_forward (Branch *branch, int dfd, const char *name, const struct stat *st)
{
  g_autofree char *target = hf_link_read (dfd, name);
  const char *slash = target != NULL ? strrchr (target, '/') : NULL;
  if (slash == NULL)
    {
      branch->bytes += hf_usage_bytes (st);
      return;
    }
  const Forward forward = { g_strconcat (HF_REMOVED_DIR, slash, NULL), hf_usage_bytes (st) };
  g_array_append_val (branch->forwards, forward);
}

static void
add_deployment (HfUsageDeploy *deploy, Branch *branch, int dfd, const char *name, const char *path,
                const HfRef *ref, gboolean active)
{
  HfDeploymentState state;
  hf_autofd int fd = hf_open_beneath (dfd, name, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    {
      hf_usage_note_unread (deploy->reading, path, NULL);
      return;
    }
  gboolean in_service = hf_deployment_get_state (fd, &state, NULL) && hf_state_in_service (state);
  guint32 row = deploy->reading->usage->rows->len;
  HfUsageState shown = !in_service ? HF_USAGE_REMOVED
                       : active    ? HF_USAGE_ACTIVE
                                   : HF_USAGE_PREVIOUS;
  if (hf_usage_add_row (deploy->reading, path, fd, ref, shown)
      && (active || branch->row == HF_USAGE_REST))
    branch->row = row;
}

static void
read_branch (HfUsageDeploy *deploy, DIR *dir, const HfRef *ref, const char *path, Node *node)
{
  const struct dirent *entry;
  g_autofree char *active = hf_link_read (dirfd (dir), HF_ACTIVE_LINK);
  Branch *branch = g_new0 (Branch, 1);
  branch->node = node;
  branch->row = HF_USAGE_REST;
  branch->forwards = g_array_new (FALSE, FALSE, sizeof (Forward));
  g_array_set_clear_func (branch->forwards, (GDestroyNotify)forward_clear);
  g_ptr_array_add (deploy->branches, branch);
  while (hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      struct stat st;
      const char *name = entry->d_name;
      gboolean deployment = hf_deployment_name_parse (name, NULL, NULL);
      g_autofree char *full = g_strconcat (path, "/", name, NULL);
      if (fstatat (dirfd (dir), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        hf_usage_note_unread (deploy->reading, full, NULL);
      else if (deployment && S_ISDIR (st.st_mode))
        add_deployment (deploy, branch, dirfd (dir), name, full, ref,
                        g_strcmp0 (name, active) == 0);
      else if (deployment && S_ISLNK (st.st_mode))
        add_forward (branch, dirfd (dir), name, &st);
      else if (S_ISLNK (st.st_mode))
        branch->bytes += hf_usage_bytes (&st);
      else
        note_stranger (deploy->reading, dirfd (dir), name, full, &st);
    }
}

static void read_level (HfUsageDeploy *deploy, int parent_fd, const char *name, const char *path,
                        guint level, Node *node);

/* Goes into a directory that has a name like ours, @level of them below deploy/. */
static void
read_name (HfUsageDeploy *deploy, int dfd, const char *name, const char *path, guint level,
           Node *parent)
{
  struct stat st;
  g_autofree char *full = g_strconcat (path, "/", name, NULL);
  if (fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    {
      hf_usage_note_unread (deploy->reading, full, NULL);
      return;
    }
  if (!S_ISDIR (st.st_mode))
    {
      note_stranger (deploy->reading, dfd, name, full, &st);
      return;
    }
  Node *node = g_new0 (Node, 1);
  node->parent = parent;
  node->directory.bytes = hf_usage_bytes (&st);
  g_ptr_array_add (deploy->nodes, node);
  read_level (deploy, dfd, name, full, level, node);
}

static void
read_level (HfUsageDeploy *deploy, int parent_fd, const char *name, const char *path, guint level,
            Node *node)
{
  g_autoptr (DIR) dir = hf_dir_open (parent_fd, name, NULL);
  const struct dirent *entry;
  if (dir == NULL)
    {
      hf_usage_note_unread (deploy->reading, path, NULL);
      return;
    }
  if (level < LEVELS)
    {
      while (hf_dir_next (dir, &entry, NULL) && entry != NULL)
        read_name (deploy, dirfd (dir), entry->d_name, path, level + 1, node);
      return;
    }
  g_autoptr (HfRef) ref = hf_ref_parse (path + strlen (HF_DEPLOY_DIR "/"), NULL);
  if (ref != NULL)
    read_branch (deploy, dir, ref, path, node);
  else
    hf_usage_walk (deploy->reading, HF_USAGE_REST, dirfd (dir), path, NULL);
}

/**
 * hf_usage_deploy_read:
 * @deploy: what to fill
 *
 * Adds a row for every deployment in deploy/.
 */
void
hf_usage_deploy_read (HfUsageDeploy *deploy)
{
  HfInstallation *installation = deploy->reading->installation;
  struct stat st;
  if (fstat (installation->deploy_fd, &st) == 0)
    hf_usage_note (deploy->reading, HF_USAGE_REST, &st);
  read_level (deploy, installation->deploy_fd, ".", HF_DEPLOY_DIR, 0, NULL);
}

/* Who makes a branch directory go: the active deployment, for nothing of the ref stays without it,
 * or the entries that are still forwarded to. */
static HfUsageOwner
branch_owner (const HfUsageDeploy *deploy, const Branch *branch, GHashTable *rows)
{
  HfUsageDirectory all = { 0 };
  for (guint i = 0; branch->row == HF_USAGE_REST && i < branch->forwards->len; i++)
    {
      gpointer row;
      if (!g_hash_table_lookup_extended (rows, g_array_index (branch->forwards, Forward, i).path,
                                         NULL, &row))
        continue;
      HfUsageOwner owner = hf_usage_row_owner (deploy->reading, GPOINTER_TO_UINT (row));
      hf_usage_directory_add (&all, &owner);
    }
  return all.any ? all.owner : hf_usage_row_owner (deploy->reading, branch->row);
}

static void
charge_branch (HfUsageDeploy *deploy, Branch *branch, GHashTable *rows)
{
  const HfUsageOwner owner = branch_owner (deploy, branch, rows);
  hf_usage_charge (deploy->reading, &owner, branch->bytes);
  for (guint i = 0; i < branch->forwards->len; i++)
    {
      const Forward *forward = &g_array_index (branch->forwards, Forward, i);
      gpointer row;
      gboolean known = g_hash_table_lookup_extended (rows, forward->path, NULL, &row);
      HfUsageOwner entry
          = known ? hf_usage_row_owner (deploy->reading, GPOINTER_TO_UINT (row)) : owner;
      hf_usage_charge (deploy->reading, &entry, forward->bytes);
    }
  for (Node *node = branch->node; node != NULL; node = node->parent)
    hf_usage_directory_add (&node->directory, &owner);
}

/**
 * hf_usage_deploy_charge:
 * @deploy: what was read
 *
 * Counts what is in deploy/ besides deployments, once all rows are there.
 */
void
hf_usage_deploy_charge (HfUsageDeploy *deploy)
{
  const GPtrArray *all = deploy->reading->usage->rows;
  g_autoptr (GHashTable) rows = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < all->len; i++)
    g_hash_table_insert (rows, ((HfUsageRow *)all->pdata[i])->path, GUINT_TO_POINTER (i));
  for (guint i = 0; i < deploy->branches->len; i++)
    charge_branch (deploy, deploy->branches->pdata[i], rows);
  for (guint i = 0; i < deploy->nodes->len; i++)
    {
      HfUsageDirectory *directory = &((Node *)deploy->nodes->pdata[i])->directory;
      const HfUsageOwner nobody = hf_usage_row_owner (deploy->reading, HF_USAGE_REST);
      hf_usage_charge (deploy->reading, directory->any ? &directory->owner : &nobody,
                       directory->bytes);
    }
}
