/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reclaiming backing objects for a sweep, commits first (G4).
 */
#pragma once

#include "core/sweep.h"
#include "store.h"

HfSweepStore hf_store_for_sweep (HfStore *store);
