/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The fast prune, which looks at what is swept.
 */
#pragma once

#include "core/sweep.h"
#include "store.h"

gboolean hf_prune_fast (HfStore *store, const HfSweepTarget *target, HfSweepReport *report,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
