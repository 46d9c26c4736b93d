/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Looking at every file of a tree once.  One thread does it: several took as long, since all they do
 * is ask the kernel.
 */
#include "usage-private.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>

#define BLOCK 512 /* bytes, in st_blocks */

typedef struct
{
  HfUsageReading *reading; /* not owned */
  guint32 row;             /* whose tree it is */
  int dfd;                 /* its top */
  const char *where;       /* of @dfd, below the installation; "" for that itself */
  const char *const *skip; /* paths below @dfd that are somebody else's to look at, or %NULL */
  GPtrArray *pending;      /* owned; paths of directories */
} Walk;

/**
 * hf_usage_bytes:
 * @st: of a file or directory
 *
 * Returns: what it takes on disk
 */
guint64
hf_usage_bytes (const struct stat *st)
{
  return (guint64)st->st_blocks * BLOCK;
}

/**
 * hf_usage_note_unread:
 * @reading: where to note it
 * @where: a path below the installation, or ""
 * @name: (nullable): a path below @where, or "."
 *
 * Notes a place that could not be read, unless it has just gone.  Reads `errno`.
 */
void
hf_usage_note_unread (HfUsageReading *reading, const char *where, const char *name)
{
  if (errno == ENOENT)
    return;
  gboolean itself = name == NULL || strcmp (name, ".") == 0;
  g_ptr_array_add (reading->usage->unread, g_strconcat (where, *where != '\0' && !itself ? "/" : "",
                                                        itself ? "" : name, NULL));
}

/* Counts one link to an inode that has several.  Rows come one after the other, and the rest last. */
static void
note_link (HfUsageReading *reading, guint32 row, const struct stat *st)
{
  HfUsageInode *inode = hf_usage_inodes_add (&reading->inodes, st->st_dev, st->st_ino);
  const HfUsageOwner owner = hf_usage_row_owner (reading, row);
  gboolean again = inode->found > 0 && inode->last == row;
  if (inode->found == 0)
    inode->owner = row;
  else if (!again)
    inode->owner = HF_USAGE_MANY;
  inode->bytes = hf_usage_bytes (st);
  inode->links = (guint32)st->st_nlink;
  inode->last = row;
  inode->found++;
  inode->chosen += owner.chosen ? 1 : 0;
  inode->removed += owner.removed ? 1 : 0;
  if (!again && row < HF_USAGE_MANY)
    ((HfUsageRow *)reading->usage->rows->pdata[row])->total += inode->bytes;
}

/**
 * hf_usage_note:
 * @reading: where to count it
 * @row: the row that it was met in, or %HF_USAGE_REST
 * @st: a file or directory
 */
void
hf_usage_note (HfUsageReading *reading, guint32 row, const struct stat *st)
{
  if (!S_ISDIR (st->st_mode) && st->st_nlink > 1)
    {
      note_link (reading, row, st);
      return;
    }
  const HfUsageOwner owner = hf_usage_row_owner (reading, row);
  hf_usage_charge (reading, &owner, hf_usage_bytes (st));
}

static char *
join (const char *path, const char *name)
{
  return strcmp (path, ".") == 0 ? g_strdup (name) : g_strconcat (path, "/", name, NULL);
}

/* Looks at one name in a directory; one that is a directory itself is left for later. */
static void
visit_name (Walk *walk, int dfd, const char *path, const char *name)
{
  struct stat st;
  gboolean there = fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && !S_ISDIR (st.st_mode))
    {
      hf_usage_note (walk->reading, walk->row, &st);
      return;
    }
  int why = errno;
  g_autofree char *full = join (path, name);
  errno = why;
  if (!there)
    {
      hf_usage_note_unread (walk->reading, walk->where, full);
      return;
    }
  if (walk->skip != NULL && g_strv_contains (walk->skip, full))
    return;
  hf_usage_note (walk->reading, walk->row, &st);
  g_ptr_array_add (walk->pending, g_steal_pointer (&full));
}

static void
visit_directory (Walk *walk, const char *path)
{
  g_autoptr (DIR) dir = hf_dir_open (walk->dfd, path, NULL);
  const struct dirent *entry = NULL;
  gboolean whole = dir != NULL;
  while (whole && (whole = hf_dir_next (dir, &entry, NULL)) && entry != NULL)
    visit_name (walk, dirfd (dir), path, entry->d_name);
  if (!whole)
    hf_usage_note_unread (walk->reading, walk->where, path);
}

/**
 * hf_usage_walk:
 * @reading: where to count it
 * @row: whose tree it is, or %HF_USAGE_REST
 * @dfd: the top of a tree; it is itself not counted
 * @where: its path below the installation, or ""
 * @skip: (nullable) (array zero-terminated=1): paths of directories in it that are passed over
 */
void
hf_usage_walk (HfUsageReading *reading, guint32 row, int dfd, const char *where,
               const char *const *skip)
{
  g_autoptr (GPtrArray) pending = g_ptr_array_new_with_free_func (g_free);
  Walk walk = { reading, row, dfd, where, skip, pending };
  g_ptr_array_add (pending, g_strdup ("."));
  while (pending->len > 0)
    {
      g_autofree char *path = g_ptr_array_steal_index (pending, pending->len - 1);
      visit_directory (&walk, path);
    }
}
