/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whose a file is: with which deployment it goes.  The rule is the sweeper's own.  A stored object
 * goes with the last of its links besides the repository's; a directory goes when it is empty.
 */
#include "usage-private.h"

/**
 * hf_usage_row_owner:
 * @reading: what was read so far
 * @row: a row, or %HF_USAGE_REST
 *
 * Returns: who makes go what only @row has
 */
HfUsageOwner
hf_usage_row_owner (const HfUsageReading *reading, guint32 row)
{
  if (row >= HF_USAGE_MANY)
    return (HfUsageOwner){ .row = row };
  const HfUsageRow *one = reading->usage->rows->pdata[row];
  return (HfUsageOwner){ row, one->chosen, one->state == HF_USAGE_REMOVED };
}

/**
 * hf_usage_inode_owner:
 * @reading: what was read, all rows included
 * @inode: an inode of several links
 *
 * A link that was not met, somebody's own or one that may not be seen, keeps it: an object so
 * linked is kept by the sweeper, too.
 *
 * Returns: who makes it go
 */
HfUsageOwner
hf_usage_inode_owner (const HfUsageReading *reading, const HfUsageInode *inode)
{
  guint32 others = inode->links - (inode->stored ? 1 : 0);
  /* What is stored was not seen: one link that was not met is taken for the repository's. */
  if (reading->stored_unread && inode->links == inode->found + 1)
    others = inode->found;
  HfUsageOwner owner = {
    .row = inode->owner,
    .chosen = inode->chosen > 0 && inode->chosen == others,
    .removed = inode->removed > 0 && inode->removed == others,
  };
  if (inode->found != others && inode->owner != HF_USAGE_REST)
    owner.row = HF_USAGE_MANY;
  return owner;
}

/**
 * hf_usage_directory_add:
 * @directory: a directory
 * @owner: of something in it
 *
 * The directory goes when all that is in it has gone.
 */
void
hf_usage_directory_add (HfUsageDirectory *directory, const HfUsageOwner *owner)
{
  if (!directory->any)
    directory->owner = *owner;
  directory->any = TRUE;
  if (directory->owner.row != owner->row)
    directory->owner.row = HF_USAGE_MANY;
  directory->owner.chosen &= owner->chosen;
  directory->owner.removed &= owner->removed;
}

/**
 * hf_usage_charge:
 * @reading: where to count it
 * @owner: whose it is
 * @bytes: of something that only @owner has, or that nobody has
 */
void
hf_usage_charge (HfUsageReading *reading, const HfUsageOwner *owner, guint64 bytes)
{
  HfUsage *usage = reading->usage;
  if (owner->row < HF_USAGE_MANY)
    {
      HfUsageRow *row = usage->rows->pdata[owner->row];
      row->total += bytes;
      row->exclusive += bytes;
    }
  else
    usage->rest += bytes;
  usage->chosen += owner->chosen ? bytes : 0;
  usage->trash += owner->removed ? bytes : 0;
}
