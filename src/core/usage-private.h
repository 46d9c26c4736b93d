/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the parts of a look at the space that is used share: whose a file is, and the inodes that
 * have several links.
 */
#pragma once

#include "usage.h"

#include <sys/stat.h>

#define HF_USAGE_REST G_MAXUINT32       /* in place of a row: nobody's in particular */
#define HF_USAGE_MANY (G_MAXUINT32 - 1) /* in place of a row: nobody's alone */

/* An inode with several links, as far as they were met. */
typedef struct
{
  guint64 dev, ino, bytes;
  guint32 links;       /* that it has anywhere */
  guint32 found;       /* of those, in rows or in the rest */
  guint32 chosen;      /* of @found, in chosen rows */
  guint32 removed;     /* of @found, in removed rows */
  guint32 owner;       /* the row that has all of @found, or %HF_USAGE_MANY */
  guint32 last;        /* the row that was the last to be met */
  gboolean stored : 1; /* one of @links is the repository's */
} HfUsageInode;

/* Every inode with several links: a few dozen bytes each, for a million of them. */
typedef struct
{
  GArray *inodes;  /* owned */
  guint32 *places; /* owned; by hash: an index into @inodes plus 1, or 0 */
  gsize n_places;  /* a power of two */
} HfUsageInodes;

/* Who can make something go. */
typedef struct
{
  guint32 row;      /* alone; or %HF_USAGE_MANY, if no row can */
  gboolean chosen;  /* the chosen rows, together */
  gboolean removed; /* the removed ones */
} HfUsageOwner;

/* A directory that goes when it is empty, and with whom. */
typedef struct
{
  guint64 bytes;
  HfUsageOwner owner;
  gboolean any; /* @owner is of something */
} HfUsageDirectory;

typedef struct
{
  HfInstallation *installation; /* not owned */
  HfUsage *usage;               /* not owned */
  const GPtrArray *refs;        /* not owned; what is asked for, or %NULL */
  HfUsageInodes inodes;
  GHashTable *seen;       /* owned; directories of rows, by device and inode */
  GHashTable *commits;    /* owned; by checksum, who has it: HfUsageDirectory */
  gboolean stored_unread; /* what is stored could not be listed */
} HfUsageReading;

/* What is in deploy/ besides deployments. */
typedef struct
{
  HfUsageReading *reading; /* not owned */
  GPtrArray *nodes;        /* owned; each directory above a deployment */
  GPtrArray *branches;     /* owned */
} HfUsageDeploy;

/* usage-inodes.c */
void hf_usage_inodes_init (HfUsageInodes *inodes);
void hf_usage_inodes_clear (HfUsageInodes *inodes);
HfUsageInode *hf_usage_inodes_find (HfUsageInodes *inodes, guint64 dev, guint64 ino);
HfUsageInode *hf_usage_inodes_add (HfUsageInodes *inodes, guint64 dev, guint64 ino);

/* usage-walk.c */
guint64 hf_usage_bytes (const struct stat *st);
void hf_usage_note_unread (HfUsageReading *reading, const char *where, const char *name);
void hf_usage_note (HfUsageReading *reading, guint32 row, const struct stat *st);
void hf_usage_walk (HfUsageReading *reading, guint32 row, int dfd, const char *where,
                    const char *const *skip);

/* usage-owner.c */
HfUsageOwner hf_usage_row_owner (const HfUsageReading *reading, guint32 row);
HfUsageOwner hf_usage_inode_owner (const HfUsageReading *reading, const HfUsageInode *inode);
void hf_usage_directory_add (HfUsageDirectory *directory, const HfUsageOwner *owner);
void hf_usage_charge (HfUsageReading *reading, const HfUsageOwner *owner, guint64 bytes);

/* usage-deploy.c */
void hf_usage_deploy_init (HfUsageDeploy *deploy, HfUsageReading *reading);
void hf_usage_deploy_read (HfUsageDeploy *deploy);
void hf_usage_deploy_charge (HfUsageDeploy *deploy);
void hf_usage_deploy_clear (HfUsageDeploy *deploy);

/* usage-repo.c */
void hf_usage_repo_read (HfUsageReading *reading);

/* usage.c */
gboolean hf_usage_add_row (HfUsageReading *reading, const char *path, int fd, const HfRef *ref,
                           HfUsageState state);
