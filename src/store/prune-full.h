/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The full prune, which looks at everything.
 */
#pragma once

#include "core/sweep.h"
#include "store.h"

gboolean hf_prune_full (HfStore *store, HfSweepTarget *const *targets, gsize n_targets,
                        HfSweepReport *report, GError **error) G_GNUC_WARN_UNUSED_RESULT;
