/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The repository's lock, held in short batches while objects are unlinked, by one thread or several:
 * what both ways of pruning share.
 */
#pragma once

#include "core/lock.h"
#include "core/sweep.h"
#include "object.h"
#include "store.h"

#include <pthread.h>
#include <sys/stat.h>

/* What must be done again each time that the lock was given up for a moment. */
typedef gboolean (*HfPruneRetaken) (gpointer data, GError **error);

typedef struct
{
  HfStore *store;        /* not owned */
  HfSweepReport *report; /* not owned */
  HfPruneRetaken retaken;
  gpointer data;         /* for it */
  HfLock lock;           /* the repository's, exclusively, while deciding and unlinking */
  gint64 since;          /* when it was had */
  pthread_mutex_t mutex; /* of all that follows, of @lock, @since and @report */
  pthread_cond_t changed;
  guint sharing;         /* threads that may decide and unlink */
  gboolean pausing;      /* one of them waits for the others, to give the lock up */
  gboolean touched[256]; /* directories of objects/ that something was unlinked in */
  GError *error;         /* owned; why nothing may be unlinked any more */
} HfPruneHold;

/* One thread's part in a hold. */
typedef struct
{
  HfPruneHold *hold; /* not owned */
  guint steps;
  guint64 objects; /* unlinked */
  gboolean touched[256];
} HfPruneShare;

gboolean hf_prune_hold_begin (HfPruneHold *hold, HfStore *store, HfSweepReport *report,
                              HfPruneRetaken retaken, gpointer data,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_prune_hold_finish (HfPruneHold *hold, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_prune_hold_end (HfPruneHold *hold);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (HfPruneHold, hf_prune_hold_end)

void hf_prune_share_begin (HfPruneShare *share, HfPruneHold *hold);
gboolean hf_prune_share_breathe (HfPruneShare *share, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_prune_share_touch (HfPruneShare *share, const char *checksum);
gboolean hf_prune_share_unlink (HfPruneShare *share, const char *checksum, const char *suffix,
                                const struct stat *st, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_prune_share_end (HfPruneShare *share);
