/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Deleting a directory tree.  It never follows a symlink, never enters a mount, makes directories
 * writable where their mode forbids deletion, and goes on past what it cannot delete.  Files are
 * only unlinked, never changed: they may be links to files that others need.
 *
 * It needs a bounded number of descriptors however deep the tree is: those of the innermost levels
 * are kept, the others are closed on the way down and opened again through `..` on the way up,
 * where the inode tells whether it is the directory that we came from.
 */
#include "tree-delete.h"

#include "error.h"
#include "fd.h"
#include "tree-walk.h"
#include "work-queue.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Descriptors kept open.  Reopening costs three system calls a level, and no real tree is deeper.
 */
#define OPEN_LEVELS 64

/* Subtrees to share out among threads: enough to keep them busy, and no more than memory allows. */
#define ENOUGH_SUBTREES 64
#define MOST_SUBTREES   4096
#define SUBTREE_DEPTH   8

typedef struct
{
  char *name; /* owned; below the level above */
  DIR *dir;   /* owned; NULL while closed */
  struct stat st;
  gboolean failed;   /* something in it stays, so it stays too */
  GHashTable *stuck; /* owned; names of directories in it that stay; NULL while there are none */
} Level;

typedef struct
{
  int dfd;          /* where the tree is */
  HfLedger *ledger; /* not owned; or %NULL */
  GArray *levels;
  GError *first; /* owned; the first thing that went wrong */
} Deletion;

static void
level_clear (Level *level)
{
  g_clear_pointer (&level->name, g_free);
  g_clear_pointer (&level->dir, closedir);
  g_clear_pointer (&level->stuck, g_hash_table_unref);
}

static Level *
innermost (Deletion *deletion)
{
  return &g_array_index (deletion->levels, Level, deletion->levels->len - 1);
}

/* Where we are: the innermost directory that is open. */
static int
innermost_fd (const Deletion *deletion)
{
  for (guint i = deletion->levels->len; i-- > 0;)
    {
      const Level *level = &g_array_index (deletion->levels, Level, i);
      if (level->dir != NULL)
        return dirfd (level->dir);
    }
  return deletion->dfd;
}

/* Remembers the first failure, and that the innermost directory cannot go.  Reads `errno`. */
static void
note_failure (Deletion *deletion, const char *name)
{
  GError **error = deletion->first == NULL ? &deletion->first : NULL;
  if (errno == EXDEV)
    (void)hf_throw (error, HF_ERROR_DAMAGED, "%s is a mount point: unmount it, then sweep again",
                    name);
  else if (errno == EPERM)
    (void)hf_throw (error, HF_ERROR_DAMAGED,
                    "Cannot delete %s: not permitted; it may be immutable (see lsattr)", name);
  else
    (void)hf_throw_at (error, "Cannot delete %s", innermost_fd (deletion), name);
  if (deletion->levels->len > 0)
    innermost (deletion)->failed = TRUE;
}

/* By descriptor: a name could lead elsewhere by now.  fchmod(2) refuses an O_PATH descriptor. */
static gboolean
make_writable (int path_fd, mode_t mode)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", path_fd);
  return fchmodat (AT_FDCWD, path, mode | 0700, 0) == 0;
}

/* Opens a directory for listing and for deleting in it, whatever its mode. */
static DIR *
open_level (int dfd, const char *name, struct stat *st)
{
  /* The mount is refused here, before the mode of anything on it could be changed. */
  hf_autofd int path_fd = hf_open_same_mount (dfd, name, O_PATH | O_DIRECTORY);
  if (path_fd < 0 || fstat (path_fd, st) != 0)
    return NULL;
  if ((st->st_mode & 0700) != 0700 && !make_writable (path_fd, st->st_mode & 07777)
      && errno != EPERM)
    return NULL;
  hf_autofd int fd = hf_open_same_mount (path_fd, ".", O_RDONLY | O_DIRECTORY);
  DIR *dir = fd < 0 ? NULL : fdopendir (fd);
  if (dir != NULL)
    (void)hf_fd_steal (&fd);
  return dir;
}

static gboolean
enter (Deletion *deletion, int dfd, const char *name)
{
  Level level = { 0 };
  level.dir = open_level (dfd, name, &level.st);
  if (level.dir == NULL)
    return FALSE;
  level.name = g_strdup (name);
  g_array_append_val (deletion->levels, level);
  if (deletion->levels->len > OPEN_LEVELS)
    {
      Level *outer
          = &g_array_index (deletion->levels, Level, deletion->levels->len - 1 - OPEN_LEVELS);
      g_clear_pointer (&outer->dir, closedir);
    }
  return TRUE;
}

/* The level above the innermost one was closed on the way down: open it again, from the beginning,
 * which costs nothing as what was deleted is no longer listed. */
static gboolean
reopen_parent (Deletion *deletion, Level *parent, const Level *child)
{
  hf_autofd int fd = hf_open_same_mount (dirfd (child->dir), "..", O_RDONLY | O_DIRECTORY);
  struct stat st;
  if (fd < 0 || fstat (fd, &st) != 0)
    return FALSE;
  if (!hf_stat_same_file (&st, &parent->st))
    {
      errno = ESTALE;
      return FALSE;
    }
  parent->dir = fdopendir (fd);
  if (parent->dir == NULL)
    return FALSE;
  (void)hf_fd_steal (&fd);
  return TRUE;
}

/* A directory that stays is met again where the level that it is in is reopened: it must not be
 * entered for ever. */
static void
note_stuck (Deletion *deletion, char *name)
{
  Level *level = innermost (deletion);
  level->failed = TRUE;
  if (level->stuck == NULL)
    level->stuck = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_add (level->stuck, name);
}

/* Leaves the innermost directory and removes it from the one above. */
static gboolean
leave (Deletion *deletion)
{
  guint depth = deletion->levels->len;
  Level *level = innermost (deletion);
  Level *parent = depth > 1 ? level - 1 : NULL;
  if (parent != NULL && parent->dir == NULL && !reopen_parent (deletion, parent, level))
    return FALSE;
  int parent_fd = parent != NULL ? dirfd (parent->dir) : deletion->dfd;
  g_autofree char *name = g_steal_pointer (&level->name);
  gboolean failed = level->failed;
  struct stat st = level->st;
  g_array_set_size (deletion->levels, depth - 1);
  if (!failed && hf_ledger_unlink_known (deletion->ledger, parent_fd, name, &st) != 0
      && errno != ENOENT)
    {
      note_failure (deletion, name);
      failed = TRUE;
    }
  if (failed && parent != NULL)
    note_stuck (deletion, g_steal_pointer (&name));
  return TRUE;
}

/* Deletes one entry of the innermost directory, or enters it. */
static void
delete_entry (Deletion *deletion, const struct dirent *entry)
{
  Level *level = innermost (deletion);
  int dfd = dirfd (level->dir);
  if (level->stuck != NULL && g_hash_table_contains (level->stuck, entry->d_name))
    return;
  if (entry->d_type != DT_DIR)
    {
      if (hf_ledger_unlink_listed (deletion->ledger, dfd, entry) == 0 || errno == ENOENT)
        return;
      if (errno != EISDIR)
        {
          note_failure (deletion, entry->d_name);
          return;
        }
    }
  if (!enter (deletion, dfd, entry->d_name) && errno != ENOENT)
    note_failure (deletion, entry->d_name);
}

static void
delete_levels (Deletion *deletion)
{
  while (deletion->levels->len > 0)
    {
      const struct dirent *entry;
      g_autoptr (GError) failed = NULL;
      if (!hf_dir_next (innermost (deletion)->dir, &entry, &failed))
        note_failure (deletion, ".");
      else if (entry != NULL)
        {
          delete_entry (deletion, entry);
          continue;
        }
      if (!leave (deletion))
        {
          note_failure (deletion, ".");
          return;
        }
    }
}

static gboolean
delete_sequentially (int dfd, const char *name, HfLedger *ledger, GError **error)
{
  Deletion deletion
      = { .dfd = dfd, .ledger = ledger, .levels = g_array_new (FALSE, TRUE, sizeof (Level)) };
  g_array_set_clear_func (deletion.levels, (GDestroyNotify)level_clear);
  gboolean gone = hf_ledger_unlink (ledger, dfd, name, 0) == 0;
  if (!gone && errno == EISDIR && enter (&deletion, dfd, name))
    delete_levels (&deletion);
  else if (!gone && errno != ENOENT)
    note_failure (&deletion, name);
  g_array_unref (deletion.levels);
  if (deletion.first == NULL)
    return TRUE;
  g_propagate_error (error, deletion.first);
  return FALSE;
}

/* Adds the subdirectories of the directory @path to @out, as paths. */
static void
list_subdirectories (int dfd, const char *path, GPtrArray *out)
{
  hf_autofd int fd = hf_open_same_mount (dfd, path, O_RDONLY | O_DIRECTORY);
  g_autoptr (DIR) dir = fd < 0 ? NULL : hf_dir_open (fd, ".", NULL);
  const struct dirent *entry = NULL;
  while (dir != NULL && out->len < MOST_SUBTREES && hf_dir_next (dir, &entry, NULL)
         && entry != NULL)
    if (entry->d_type == DT_DIR)
      g_ptr_array_add (out, g_strconcat (path, "/", entry->d_name, NULL));
}

/* Finds subtrees that can be deleted side by side: level by level, until there are enough. */
static GPtrArray *
find_subtrees (int dfd, const char *name)
{
  g_autoptr (GPtrArray) leaves = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) level = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (level, g_strdup (name));
  for (guint depth = 0; depth < SUBTREE_DEPTH && level->len < ENOUGH_SUBTREES; depth++)
    {
      g_autoptr (GPtrArray) next = g_ptr_array_new_with_free_func (g_free);
      for (guint i = 0; i < level->len; i++)
        {
          guint before = next->len;
          list_subdirectories (dfd, level->pdata[i], next);
          if (next->len == before)
            g_ptr_array_add (leaves, g_strdup (level->pdata[i]));
        }
      g_ptr_array_unref (level);
      level = g_steal_pointer (&next);
    }
  g_ptr_array_extend_and_steal (leaves, g_steal_pointer (&level));
  return g_steal_pointer (&leaves);
}

/* What threads share. */
typedef struct
{
  int dfd;
  HfLedger *ledger;
} Shared;

static gboolean
delete_subtree (HfWorkQueue *queue, gpointer task, gpointer data, GError **error)
{
  const Shared *shared = data;
  g_autofree char *path = task;
  char *slash = strrchr (path, '/');
  if (slash == NULL)
    return TRUE;
  *slash = '\0';
  hf_autofd int fd = hf_open_same_mount (shared->dfd, path, O_RDONLY | O_DIRECTORY);
  if (fd >= 0)
    (void)!delete_sequentially (fd, slash + 1, shared->ledger, NULL);
  return TRUE;
}

/* Takes most of a large tree away with all processors.  What it leaves, for whatever reason, is met
 * again by whoever deletes the tree in order, who then says why it stays. */
static void
delete_in_parallel (int dfd, const char *name, HfLedger *ledger, HfWorkPriority priority)
{
  Shared shared = { dfd, ledger };
  g_autoptr (GPtrArray) subtrees = find_subtrees (dfd, name);
  g_autoptr (GError) ignored = NULL;
  if (subtrees->len >= ENOUGH_SUBTREES / 4)
    (void)!hf_work_queue_run (g_steal_pointer (&subtrees), priority, delete_subtree, &shared,
                              &ignored);
}

/* See HfTreeVisit. */
static gboolean
take (const HfTreeWalk *walk, int dfd, const char *name, ino_t inode, gpointer data)
{
  struct stat st;
  if (fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    hf_ledger_take (data, &st);
  return TRUE;
}

/**
 * hf_tree_delete:
 * @dfd: a directory
 * @name: the tree to delete, one component; anything but a directory is unlinked
 * @ledger: (nullable): where to count what is freed, or %NULL
 *
 * Deletes as much as can be deleted, by threads that run when nobody else wants to.  Nothing to delete is
 * success.  In a dry run, what keeps a tree from being deleted is told as far as a look can tell: a mount, and
 * not an immutable file.
 *
 * Locks: whatever keeps others from using the tree; and none that anybody waits for.
 *
 * Returns: %FALSE with the first thing that stays in @error
 */
gboolean
hf_tree_delete (int dfd, const char *name, HfLedger *ledger, GError **error)
{
  if (hf_ledger_is_dry (ledger))
    return hf_tree_walk (dfd, name, take, ledger, error);
  delete_in_parallel (dfd, name, ledger, HF_WORK_IDLE);
  return delete_sequentially (dfd, name, ledger, error);
}

/**
 * hf_tree_delete_at_once:
 * @dfd: a directory
 * @name: the tree to delete, as in hf_tree_delete()
 *
 * The same at the priority of the caller: others may wait for a lock that it has.
 *
 * Locks: whatever keeps others from using the tree.
 *
 * Returns: %FALSE with the first thing that stays in @error
 */
gboolean
hf_tree_delete_at_once (int dfd, const char *name, GError **error)
{
  delete_in_parallel (dfd, name, NULL, HF_WORK_NORMAL);
  return delete_sequentially (dfd, name, NULL, error);
}
