/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A hash table with open addressing: what is noted is never taken out again.
 */
#include "inode-table.h"

#define FIRST_SIZE 64 /* a power of two, as all sizes are */

/* The array is at most that full: 3/4. */
#define FULL_NUMERATOR   3
#define FULL_DENOMINATOR 4

/**
 * hf_inode_table_clear:
 * @table: a table, or zeroes
 *
 * Frees what it has.
 */
void
hf_inode_table_clear (HfInodeTable *table)
{
  g_free (table->notes);
  *table = (HfInodeTable){ 0 };
}

/* Where an inode's note is, or has to be.  The multiplication spreads neighbours, as inodes mostly are. */
static HfInodeNote *
place_of (const HfInodeTable *table, guint64 device, guint64 inode)
{
  gsize mask = table->allocated - 1;
  guint64 hash = (inode ^ device << 40) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  for (gsize i = (gsize)(hash >> 20) & mask;; i = (i + 1) & mask)
    {
      HfInodeNote *note = &table->notes[i];
      if (note->inode == 0 || (note->inode == inode && note->device == device))
        return note;
    }
}

static void
grow (HfInodeTable *table)
{
  HfInodeTable larger
      = { .used = table->used, .allocated = MAX (2 * table->allocated, FIRST_SIZE) };
  larger.notes = g_new0 (HfInodeNote, larger.allocated);
  for (gsize i = 0; i < table->allocated; i++)
    if (table->notes[i].inode != 0)
      *place_of (&larger, table->notes[i].device, table->notes[i].inode) = table->notes[i];
  hf_inode_table_clear (table);
  *table = larger;
}

/**
 * hf_inode_table_find:
 * @table: a table
 * @st: an inode
 *
 * Returns: (transfer none) (nullable): what is noted of it, until something is noted of another
 */
HfInodeNote *
hf_inode_table_find (const HfInodeTable *table, const struct stat *st)
{
  HfInodeNote *note = table->used == 0 ? NULL : place_of (table, st->st_dev, st->st_ino);
  return note != NULL && note->inode != 0 ? note : NULL;
}

/**
 * hf_inode_table_note:
 * @table: a table
 * @st: an inode
 *
 * Returns: (transfer none): what is noted of it, until something is noted of another; zeroes but for its
 *   identity, if nothing was
 */
HfInodeNote *
hf_inode_table_note (HfInodeTable *table, const struct stat *st)
{
  if ((table->used + 1) * FULL_DENOMINATOR > table->allocated * FULL_NUMERATOR)
    grow (table);
  HfInodeNote *note = place_of (table, st->st_dev, st->st_ino);
  if (note->inode == 0)
    {
      *note = (HfInodeNote){ .device = st->st_dev, .inode = st->st_ino };
      table->used++;
    }
  return note;
}
