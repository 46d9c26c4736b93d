/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What `sweep --wait` does between two sweeps: it waits for the first thing that makes another one
 * worth its while.
 */
#pragma once

#include "sweep.h"

typedef struct HfSweepWait HfSweepWait;

HfSweepWait *hf_sweep_wait_new (HfInstallation *installation, GError **error);
void hf_sweep_wait_free (HfSweepWait *wait);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfSweepWait, hf_sweep_wait_free)

gboolean hf_sweep_wait_take_turn (HfSweepWait *wait) G_GNUC_WARN_UNUSED_RESULT;
void hf_sweep_wait_end_turn (HfSweepWait *wait);
void hf_sweep_wait_begin (HfSweepWait *wait);
gboolean hf_sweep_wait_is_pending (const HfSweepWait *wait);
gboolean hf_sweep_wait (HfSweepWait *wait, const HfSweepReport *report, gint64 deadline,
                        gboolean *out_again, GError **error) G_GNUC_WARN_UNUSED_RESULT;
