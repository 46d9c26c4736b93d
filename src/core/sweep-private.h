/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One sweep under way, for the files that it is made of.
 */
#pragma once

#include "holders.h"
#include "sweep.h"

typedef struct
{
  HfInstallation *installation;
  const HfSweepStore *store;
  HfSweepReport *report;
  gboolean full;      /* the full prune was asked for */
  guint most;         /* entries in a batch */
  GPtrArray *batch;   /* of HfTrashEntry; locked entries that the repository depends on */
  GPtrArray *others;  /* of HfTrashEntry; what other sweepers are at */
  HfHolders *holders; /* read when first needed */
  HfKeep *keep;       /* what stays though nothing holds it; %NULL for a builder's own entry */
  HfLedger *ledger;   /* what is freed; %NULL for a builder's own entry */
  GPtrArray *leaving; /* in a dry run, paths of what a real one takes out of service; else %NULL */
} HfSweepRun;

void hf_sweep_delete_trees (HfSweepRun *sweep);
gboolean hf_sweep_prune_and_finish (HfSweepRun *sweep, GError **error) G_GNUC_WARN_UNUSED_RESULT;
