/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Inodes that have several links, by device and number.  The records lie in one array, and a hash
 * table beside it has their places: with a million of them, what is allocated ahead is small.
 */
#include "usage-private.h"

#define FIRST_PLACES 1024

/**
 * hf_usage_inodes_init:
 * @inodes: (out): a set without inodes
 */
void
hf_usage_inodes_init (HfUsageInodes *inodes)
{
  inodes->inodes = g_array_new (FALSE, TRUE, sizeof (HfUsageInode));
  inodes->n_places = FIRST_PLACES;
  inodes->places = g_new0 (guint32, FIRST_PLACES);
}

/**
 * hf_usage_inodes_clear:
 * @inodes: a set
 *
 * Frees what it has.
 */
void
hf_usage_inodes_clear (HfUsageInodes *inodes)
{
  g_array_unref (inodes->inodes);
  g_free (inodes->places);
}

/* Numbers of inodes are close together: all bits of the product depend on all of theirs. */
static gsize
hash (const HfUsageInodes *inodes, guint64 dev, guint64 ino)
{
  guint64 mixed = (ino ^ (dev << 32)) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  return (gsize)(mixed >> 32) & (inodes->n_places - 1);
}

static HfUsageInode *
inode_at (HfUsageInodes *inodes, guint32 place)
{
  return &g_array_index (inodes->inodes, HfUsageInode, inodes->places[place] - 1);
}

/* The place of an inode, or the free one where it belongs. */
static guint32
find_place (HfUsageInodes *inodes, guint64 dev, guint64 ino)
{
  gsize place = hash (inodes, dev, ino);
  while (inodes->places[place] != 0)
    {
      const HfUsageInode *inode = inode_at (inodes, (guint32)place);
      if (inode->ino == ino && inode->dev == dev)
        break;
      place = (place + 1) & (inodes->n_places - 1);
    }
  return (guint32)place;
}

static void
grow (HfUsageInodes *inodes)
{
  g_free (inodes->places);
  inodes->n_places *= 2;
  inodes->places = g_new0 (guint32, inodes->n_places);
  for (guint i = 0; i < inodes->inodes->len; i++)
    {
      const HfUsageInode *inode = &g_array_index (inodes->inodes, HfUsageInode, i);
      inodes->places[find_place (inodes, inode->dev, inode->ino)] = i + 1;
    }
}

/**
 * hf_usage_inodes_find:
 * @inodes: a set
 * @dev: a device
 * @ino: the number of an inode on it
 *
 * Returns: (transfer none) (nullable): what is known of it, until another is added, or %NULL
 */
HfUsageInode *
hf_usage_inodes_find (HfUsageInodes *inodes, guint64 dev, guint64 ino)
{
  guint32 place = find_place (inodes, dev, ino);
  return inodes->places[place] == 0 ? NULL : inode_at (inodes, place);
}

/**
 * hf_usage_inodes_add:
 * @inodes: a set
 * @dev: a device
 * @ino: the number of an inode on it
 *
 * Returns: (transfer none): what is known of it, until another is added; of a new one nothing but
 *   @dev and @ino
 */
HfUsageInode *
hf_usage_inodes_add (HfUsageInodes *inodes, guint64 dev, guint64 ino)
{
  guint32 place = find_place (inodes, dev, ino);
  if (inodes->places[place] != 0)
    return inode_at (inodes, place);
  if (inodes->inodes->len + 1 > inodes->n_places / 4 * 3)
    {
      grow (inodes);
      place = find_place (inodes, dev, ino);
    }
  const HfUsageInode inode = { .dev = dev, .ino = ino };
  g_array_append_val (inodes->inodes, inode);
  inodes->places[place] = inodes->inodes->len;
  return inode_at (inodes, place);
}
