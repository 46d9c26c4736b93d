/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Debris: names at the root and in deploy/ that no command has any use for.  What is ours by its name
 * and kind is removed, mostly by marking deploy/ as unsettled: settling and sweeping know what to do
 * with all that a crash can leave, and so with the same things that have got there in another way.  What
 * is not ours is only told.
 */
#include "repair-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "core/layout.h"
#include "core/lock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NOT_OURS N_ ("does not belong to holdfast")
#define LEAVE    N_ ("is left alone: move or delete it if it is of no use")

/* The name under which a creator prepares `format`, under `lock`, so that none is at it now. */
static void
drop_format (HfRepair *repair, const char *name)
{
  HfFinding *finding = hf_repair_find (
      repair, name, N_ ("was left by a creation of the installation"), N_ ("is deleted"));
  if (repair->options.dry_run)
    return;
  g_autoptr (GError) failed = NULL;
  if (unlinkat (repair->store->installation->root_fd, name, 0) != 0 && errno != ENOENT)
    (void)hf_throw_errno (&failed, "Cannot delete %s", name);
  hf_finding_settle (finding, failed);
}

static gboolean
is_part (const char *name)
{
  gsize n;
  const HfInstallationPart *parts = hf_installation_parts (&n);
  for (gsize i = 0; i < n; i++)
    if (strcmp (parts[i].name, name) == 0)
      return TRUE;
  static const char *const others[] = { HF_FORMAT_FILE, HF_CONFIG_FILE, HF_CONFIG_FILE_NEW,
                                        HF_HISTORY_FILE, HF_HISTORY_OLD_FILE };
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    if (strcmp (others[i], name) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
is_prepared_format (int root_fd, const char *name)
{
  struct stat st;
  return strcmp (name, HF_FORMAT_FILE_NEW) == 0
         && fstatat (root_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG (st.st_mode);
}

static gboolean
look_at_root (HfRepair *repair, GError **error)
{
  g_autoptr (DIR) dir = hf_dir_open (repair->store->installation->root_fd, ".", error);
  const struct dirent *entry;
  if (dir == NULL)
    return FALSE;
  for (;;)
    {
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      if (is_part (entry->d_name))
        continue;
      if (is_prepared_format (dirfd (dir), entry->d_name))
        drop_format (repair, entry->d_name);
      else
        hf_repair_note (repair, entry->d_name, NOT_OURS, LEAVE);
    }
}

static void
find_unsettled (HfRepair *repair, const char *path, const char *cause)
{
  g_ptr_array_add (repair->debris,
                   hf_repair_find (repair, path, cause, N_ ("is removed, as after a crash")));
  repair->settle = repair->sweep = TRUE;
}

/* A link that forwards to an entry which has gone. */
static void
look_at_link (HfRepair *repair, int branch_fd, const char *name, const char *path)
{
  struct stat st;
  g_autofree char *target = hf_link_read (branch_fd, name);
  const char *slash = target == NULL ? NULL : strrchr (target, '/');
  g_autofree char *ours = slash == NULL ? NULL : hf_forwarding_target (slash + 1);
  if (g_strcmp0 (ours, target) != 0 || ours == NULL)
    hf_repair_note (repair, path, NOT_OURS, LEAVE);
  else if (fstatat (repair->store->installation->removed_fd, slash + 1, &st, AT_SYMLINK_NOFOLLOW)
               != 0
           && errno == ENOENT)
    find_unsettled (repair, path, N_ ("forwards to what has gone"));
}

/* A deployment that `active` does not name. */
static gboolean
look_at_other (HfRepair *repair, int dir_fd, const char *path, GError **error)
{
  HfDeploymentState state;
  if (!hf_deployment_get_state (dir_fd, &state, NULL))
    {
      (void)hf_repair_find_left (
          repair, path, N_ ("is in no state that means something"),
          N_ ("make its 'deployment' 0644 to keep it, or 0444 to have it swept"));
      return TRUE;
    }
  if (state == HF_STATE_SETTLED)
    return TRUE;
  if (state == HF_STATE_COMPLETE)
    find_unsettled (repair, path, N_ ("was never put into service"));
  else
    find_unsettled (repair, path, N_ ("is out of service and was forgotten"));
  return hf_repair_entry (repair, path, error);
}

typedef struct
{
  HfRepair *repair;
  const char *path; /* of the branch directory, below the root */
  int branch_fd;
  const char *active;
} Branch;

static gboolean
look_at_branch_name (const Branch *branch, const char *name, GError **error)
{
  struct stat st;
  g_autofree char *path = g_strconcat (branch->path, "/", name, NULL);
  if (strcmp (name, HF_ACTIVE_LINK) == 0 || strcmp (name, HF_HELD_LINK) == 0
      || g_strcmp0 (name, branch->active) == 0
      || fstatat (branch->branch_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return TRUE;
  if ((strcmp (name, HF_ACTIVE_LINK_NEW) == 0 || strcmp (name, HF_HELD_LINK_NEW) == 0)
      && S_ISLNK (st.st_mode))
    find_unsettled (branch->repair, path, N_ ("was left by a change of what is active"));
  else if (!hf_deployment_name_parse (name, NULL, NULL)
           || (!S_ISDIR (st.st_mode) && !S_ISLNK (st.st_mode)))
    hf_repair_note (branch->repair, path, NOT_OURS, LEAVE);
  else if (S_ISLNK (st.st_mode))
    look_at_link (branch->repair, branch->branch_fd, name, path);
  else
    {
      hf_autofd int dir_fd = hf_open_beneath (branch->branch_fd, name, O_RDONLY | O_DIRECTORY, 0);
      return dir_fd < 0 || look_at_other (branch->repair, dir_fd, path, error);
    }
  return TRUE;
}

static gboolean
look_at_branch (HfRepair *repair, int branch_fd, const char *path, GError **error)
{
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  const Branch branch = { repair, path, branch_fd, active };
  g_autoptr (DIR) dir = hf_dir_open (branch_fd, ".", error);
  const struct dirent *entry;
  gboolean empty = TRUE;
  if (dir == NULL)
    return FALSE;
  for (;; empty = FALSE)
    {
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        break;
      if (!look_at_branch_name (&branch, entry->d_name, error))
        return FALSE;
    }
  if (empty)
    find_unsettled (repair, path, N_ ("is empty"));
  return TRUE;
}

/* Whether there may be a directory of this name at @level, 0 for deploy/ itself: its own path says. */
static gboolean
is_ours (const char *path, guint level)
{
  const char *below = path + strlen (HF_DEPLOY_DIR "/");
  if (level == 1)
    return strcmp (below, "app") == 0 || strcmp (below, "runtime") == 0;
  g_autofree char *full = g_strconcat (below, level < 3 ? "/x" : "", level < 4 ? "/x" : "", NULL);
  g_autoptr (HfRef) ref = hf_ref_parse (full, NULL);
  return ref != NULL;
}

static gboolean
look_below (HfRepair *repair, const char *path, guint level, GError **error)
{
  g_autoptr (DIR) dir = hf_dir_open (repair->store->installation->root_fd, path, error);
  const struct dirent *entry;
  gboolean empty = TRUE;
  if (dir == NULL)
    return FALSE;
  if (level == 4)
    return look_at_branch (repair, dirfd (dir), path, error);
  for (;; empty = FALSE)
    {
      struct stat st;
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        break;
      g_autofree char *child = g_strconcat (path, "/", entry->d_name, NULL);
      if (fstatat (dirfd (dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        continue;
      if (!S_ISDIR (st.st_mode) || !is_ours (child, level + 1))
        hf_repair_note (repair, child, NOT_OURS, LEAVE);
      else if (!look_below (repair, child, level + 1, error))
        return FALSE;
    }
  if (empty && level > 0)
    find_unsettled (repair, path, N_ ("is empty"));
  return TRUE;
}

/**
 * hf_repair_debris:
 * @repair: a repair
 *
 * Locks: takes `lock`, so that nothing is about to be renamed.
 *
 * Returns: %FALSE with @error set if it cannot go on
 */
gboolean
hf_repair_debris (HfRepair *repair, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  return hf_lock_take (repair->store->installation, HF_LOCK_CHANGE, &lock, error)
         && look_at_root (repair, error) && look_below (repair, HF_DEPLOY_DIR, 0, error);
}
