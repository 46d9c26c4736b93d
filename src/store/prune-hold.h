/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The repository's lock, held in short batches while objects are unlinked: what both ways of
 * pruning share.
 */
#pragma once

#include "core/lock.h"
#include "core/sweep.h"
#include "object.h"
#include "store.h"

#include <sys/stat.h>

typedef struct
{
  HfStore *store;        /* not owned */
  HfSweepReport *report; /* not owned */
  HfLock lock;           /* the repository's, exclusively, while deciding and unlinking */
  gint64 since;          /* when it was had */
  guint steps;
  gboolean touched[256]; /* directories of objects/ that something was unlinked in */
} HfPruneHold;

gboolean hf_prune_hold_begin (HfPruneHold *hold, HfStore *store, HfSweepReport *report,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_prune_hold_breathe (HfPruneHold *hold, gboolean *out_released,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_prune_hold_finish (HfPruneHold *hold, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_prune_hold_end (HfPruneHold *hold);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (HfPruneHold, hf_prune_hold_end)

gboolean hf_prune_unlink (HfPruneHold *hold, const char *checksum, const char *suffix,
                          const struct stat *st, GError **error) G_GNUC_WARN_UNUSED_RESULT;
