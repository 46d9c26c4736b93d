/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walking a tree.  Like the deletion of one (tree-delete.c) it never follows a symlink, never enters a
 * mount, goes on past what cannot be looked at, and needs a bounded number of descriptors however deep
 * the tree is: the outer levels are closed on the way down, and opened again through `..`.  Unlike it, it
 * cannot list a directory again, as it would then meet everything twice: the names of subdirectories are
 * kept.
 */
#include "tree-walk.h"

#include "error.h"
#include "fd.h"

#include <errno.h>
#include <string.h>

/* Descriptors kept open. */
#define OPEN_LEVELS 64

typedef struct
{
  char *name; /* owned; below the level above */
  int fd;     /* owned; -1 while closed */
  struct stat st;
  GPtrArray *subdirectories; /* owned; names, still to be entered */
  gboolean failed;           /* something in it would stay, so it would, too */
} Level;

struct HfTreeWalk
{
  int dfd; /* where the tree is */
  GArray *levels;
  HfTreeVisit visit;
  gpointer data;
  gboolean stopped;
  GError *first; /* owned; the first thing that went wrong */
};

static void
level_clear (Level *level)
{
  g_clear_pointer (&level->name, g_free);
  g_clear_pointer (&level->subdirectories, g_ptr_array_unref);
  hf_fd_clear (&level->fd);
}

static Level *
innermost (const HfTreeWalk *walk)
{
  return walk->levels->len == 0 ? NULL
                                : &g_array_index (walk->levels, Level, walk->levels->len - 1);
}

/* Reads `errno`. */
static void
note_failure (HfTreeWalk *walk, int dfd, const char *name)
{
  GError **error = walk->first == NULL ? &walk->first : NULL;
  if (errno == EXDEV)
    (void)hf_throw (error, HF_ERROR_DAMAGED, "%s is a mount point: unmount it, then sweep again",
                    name);
  else
    (void)hf_throw_at (error, "Cannot look at %s", dfd, name);
  if (walk->levels->len > 0)
    innermost (walk)->failed = TRUE;
}

static gboolean
is_directory (int dfd, const struct dirent *entry)
{
  struct stat st;
  if (entry->d_type != DT_UNKNOWN)
    return entry->d_type == DT_DIR;
  return fstatat (dfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode);
}

/* Visits what is no directory, and keeps the names of those. */
static gboolean
list_level (HfTreeWalk *walk, Level *level, GError **error)
{
  g_autoptr (DIR) dir = hf_dir_open (level->fd, ".", error);
  const struct dirent *entry;
  if (dir == NULL)
    return FALSE;
  while (!walk->stopped)
    {
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        break;
      if (is_directory (level->fd, entry))
        g_ptr_array_add (level->subdirectories, g_strdup (entry->d_name));
      else
        walk->stopped = !walk->visit (walk, level->fd, entry->d_name, entry->d_ino, walk->data);
    }
  return TRUE;
}

static void
enter (HfTreeWalk *walk, int dfd, const char *name)
{
  Level level = { .fd = hf_open_same_mount (dfd, name, O_RDONLY | O_DIRECTORY) };
  if (level.fd < 0 || fstat (level.fd, &level.st) != 0)
    {
      if (errno != ENOENT)
        note_failure (walk, dfd, name);
      hf_fd_clear (&level.fd);
      return;
    }
  level.name = g_strdup (name);
  level.subdirectories = g_ptr_array_new_with_free_func (g_free);
  g_array_append_val (walk->levels, level);
  guint depth = walk->levels->len;
  if (depth > OPEN_LEVELS)
    hf_fd_clear (&g_array_index (walk->levels, Level, depth - 1 - OPEN_LEVELS).fd);
  g_autoptr (GError) failed = NULL;
  if (list_level (walk, innermost (walk), &failed))
    return;
  innermost (walk)->failed = TRUE;
  if (walk->first == NULL)
    walk->first = g_steal_pointer (&failed);
}

static gboolean
reopen (Level *level, int child_fd)
{
  struct stat st;
  level->fd = hf_open_same_mount (child_fd, "..", O_RDONLY | O_DIRECTORY);
  if (level->fd < 0 || fstat (level->fd, &st) != 0)
    return FALSE;
  errno = ESTALE;
  return hf_stat_same_file (&st, &level->st);
}

/* Goes back to the level above, and visits the directory from there. */
static void
leave (HfTreeWalk *walk)
{
  guint depth = walk->levels->len;
  Level level = *innermost (walk);
  Level *parent = depth > 1 ? &g_array_index (walk->levels, Level, depth - 2) : NULL;
  if (parent != NULL && parent->fd < 0 && !reopen (parent, level.fd))
    {
      note_failure (walk, level.fd, "..");
      walk->stopped = TRUE;
    }
  memset (innermost (walk), 0, sizeof level);
  innermost (walk)->fd = -1;
  g_array_set_size (walk->levels, depth - 1);
  if (level.failed && parent != NULL)
    parent->failed = TRUE;
  if (!level.failed && !walk->stopped)
    walk->stopped = !walk->visit (walk, parent != NULL ? parent->fd : walk->dfd, level.name,
                                  level.st.st_ino, walk->data);
  level_clear (&level);
}

/**
 * hf_tree_walk_path:
 * @walk: a walk, in a visit
 * @name: what is visited
 *
 * Returns: (transfer full): its path, that begins with the tree's name
 */
char *
hf_tree_walk_path (const HfTreeWalk *walk, const char *name)
{
  g_autoptr (GString) path = g_string_new (NULL);
  for (guint i = 0; i < walk->levels->len; i++)
    g_string_append_printf (path, "%s/", g_array_index (walk->levels, Level, i).name);
  g_string_append (path, name);
  return g_string_free (g_steal_pointer (&path), FALSE);
}

static void
walk_levels (HfTreeWalk *walk)
{
  while (walk->levels->len > 0)
    {
      Level *level = innermost (walk);
      if (walk->stopped || level->subdirectories->len == 0)
        {
          leave (walk);
          continue;
        }
      g_autofree char *name
          = g_ptr_array_steal_index_fast (level->subdirectories, level->subdirectories->len - 1);
      enter (walk, level->fd, name);
    }
}

/**
 * hf_tree_walk:
 * @dfd: a directory
 * @name: the tree, one component, of whatever kind
 * @visit: what to do with each name
 * @data: for @visit
 *
 * A directory of which something cannot be looked at is not visited itself.
 *
 * Returns: %FALSE with the first thing that cannot be looked at in @error; nothing to look at is success
 */
gboolean
hf_tree_walk (int dfd, const char *name, HfTreeVisit visit, gpointer data, GError **error)
{
  struct stat st;
  HfTreeWalk walk = { .dfd = dfd, .visit = visit, .data = data };
  if (fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || hf_throw_at (error, "Cannot look at %s", dfd, name);
  walk.levels = g_array_new (FALSE, TRUE, sizeof (Level));
  g_array_set_clear_func (walk.levels, (GDestroyNotify)level_clear);
  if (S_ISDIR (st.st_mode))
    enter (&walk, dfd, name);
  else
    (void)visit (&walk, dfd, name, st.st_ino, data);
  walk_levels (&walk);
  g_array_unref (walk.levels);
  if (walk.first == NULL)
    return TRUE;
  g_propagate_error (error, walk.first);
  return FALSE;
}
