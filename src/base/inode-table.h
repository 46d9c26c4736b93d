/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is noted of inodes, for a million of them: 24 bytes each, in one array.
 */
#pragma once

#include <glib.h>
#include <sys/stat.h>

typedef struct
{
  guint64 device;
  guint64 inode; /* 0: nothing */
  guint32 names; /* that go or have gone */
  guint32 flags; /* the owner's */
} HfInodeNote;

typedef struct
{
  HfInodeNote *notes; /* owned */
  gsize used, allocated;
} HfInodeTable;

void hf_inode_table_clear (HfInodeTable *table);
HfInodeNote *hf_inode_table_find (const HfInodeTable *table, const struct stat *st);
HfInodeNote *hf_inode_table_note (HfInodeTable *table, const struct stat *st);
