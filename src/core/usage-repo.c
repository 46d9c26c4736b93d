/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is stored.  objects/ is listed, for the numbers of inodes that stand beside the names; only
 * what no row links is looked at itself.  So what is told of rows is exact, and objects that are
 * left over are counted, without a second look at any that is in use.
 */
#include "usage-private.h"

#include "base/fd.h"
#include "base/filesystem.h"
#include "layout.h"

#include <errno.h>

typedef struct
{
  HfUsageReading *reading; /* not owned */
  int objects_fd;
  gboolean listed; /* the numbers in a listing are those of inodes */
} Objects;

/* The record of a stored object that some row links. */
static HfUsageInode *
find_linked (const Objects *objects, int dfd, guint64 dev, const struct dirent *entry,
             struct stat *st)
{
  HfUsageInodes *inodes = &objects->reading->inodes;
  HfUsageInode *inode = objects->listed ? hf_usage_inodes_find (inodes, dev, entry->d_ino) : NULL;
  if (inode != NULL)
    return inode;
  if (fstatat (dfd, entry->d_name, st, AT_SYMLINK_NOFOLLOW) != 0)
    {
      hf_usage_note_unread (objects->reading, HF_REPO_DIR "/" HF_OBJECTS_DIR, entry->d_name);
      *st = (struct stat){ 0 };
      return NULL;
    }
  return S_ISDIR (st->st_mode) ? NULL : hf_usage_inodes_find (inodes, st->st_dev, st->st_ino);
}

static void
read_object (const Objects *objects, int dfd, const struct dirent *entry,
             HfUsageDirectory *directory, guint64 dev)
{
  HfUsageReading *reading = objects->reading;
  struct stat st = { 0 };
  HfUsageOwner owner = hf_usage_row_owner (reading, HF_USAGE_REST);
  HfUsageInode *inode = find_linked (objects, dfd, dev, entry, &st);
  if (inode != NULL)
    {
      inode->stored = TRUE;
      owner = hf_usage_inode_owner (reading, inode);
    }
  else
    hf_usage_note (reading, HF_USAGE_REST, &st);
  hf_usage_directory_add (directory, &owner);
}

/* A directory of objects/ goes with the last object in it. */
static void
read_objects_below (const Objects *objects, const char *digits)
{
  HfUsageReading *reading = objects->reading;
  HfUsageDirectory directory = { 0 };
  struct stat st;
  const struct dirent *entry;
  g_autoptr (DIR) dir = hf_dir_open (objects->objects_fd, digits, NULL);
  if (dir == NULL && errno == ENOTDIR
      && fstatat (objects->objects_fd, digits, &st, AT_SYMLINK_NOFOLLOW) == 0)
    {
      hf_usage_note (reading, HF_USAGE_REST, &st);
      return;
    }
  if (dir == NULL || fstat (dirfd (dir), &st) != 0)
    {
      reading->stored_unread |= errno != ENOENT;
      hf_usage_note_unread (reading, HF_REPO_DIR "/" HF_OBJECTS_DIR, digits);
      return;
    }
  while (hf_dir_next (dir, &entry, NULL) && entry != NULL)
    read_object (objects, dirfd (dir), entry, &directory, st.st_dev);
  const HfUsageOwner nobody = hf_usage_row_owner (reading, HF_USAGE_REST);
  hf_usage_charge (reading, directory.any ? &directory.owner : &nobody, hf_usage_bytes (&st));
}

static void
read_objects (HfUsageReading *reading, int repo_fd)
{
  struct stat st;
  const struct dirent *entry;
  g_autoptr (DIR) dir = hf_dir_open (repo_fd, HF_OBJECTS_DIR, NULL);
  if (dir == NULL || fstat (dirfd (dir), &st) != 0)
    {
      reading->stored_unread = TRUE;
      hf_usage_note_unread (reading, HF_REPO_DIR, HF_OBJECTS_DIR);
      return;
    }
  hf_usage_note (reading, HF_USAGE_REST, &st);
  const Objects objects = { reading, dirfd (dir), hf_filesystem_is_plain (dirfd (dir)) };
  while (hf_dir_next (dir, &entry, NULL) && entry != NULL)
    read_objects_below (&objects, entry->d_name);
}

/* Our refs, one for each kept commit: each goes with the last deployment of its commit. */
static void
read_refs (HfUsageReading *reading, int repo_fd)
{
  static const char path[] = HF_REPO_REFS "/" HF_REPO_DEPLOY_REFS;
  HfUsageDirectory directory = { 0 };
  struct stat st;
  const struct dirent *entry;
  g_autoptr (DIR) dir = hf_dir_open (repo_fd, path, NULL);
  if (dir == NULL || fstat (dirfd (dir), &st) != 0)
    {
      hf_usage_note_unread (reading, HF_REPO_DIR, path);
      return;
    }
  directory.bytes = hf_usage_bytes (&st);
  while (hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      const HfUsageDirectory *commit = g_hash_table_lookup (reading->commits, entry->d_name);
      const HfUsageOwner nobody = hf_usage_row_owner (reading, HF_USAGE_REST);
      const HfUsageOwner *owner = commit != NULL ? &commit->owner : &nobody;
      if (fstatat (dirfd (dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        continue;
      hf_usage_charge (reading, owner, hf_usage_bytes (&st));
      hf_usage_directory_add (&directory, owner);
    }
  const HfUsageOwner nobody = hf_usage_row_owner (reading, HF_USAGE_REST);
  hf_usage_charge (reading, directory.any ? &directory.owner : &nobody, directory.bytes);
}

/**
 * hf_usage_repo_read:
 * @reading: what was read, all rows included
 *
 * Tells which inodes are stored, and counts what is stored and in no row.
 */
void
hf_usage_repo_read (HfUsageReading *reading)
{
  hf_autofd int repo_fd
      = hf_open_beneath (reading->installation->root_fd, HF_REPO_DIR, O_PATH | O_DIRECTORY, 0);
  if (repo_fd < 0)
    {
      reading->stored_unread = TRUE;
      hf_usage_note_unread (reading, HF_REPO_DIR, NULL);
      return;
    }
  read_objects (reading, repo_fd);
  read_refs (reading, repo_fd);
}
