/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Commits that nothing needs any more leave the repository, before what they reach does.
 */
#pragma once

#include "core/sweep.h"
#include "store.h"

gboolean hf_release_commit (HfStore *store, int entry_fd, const char *commit, HfSweepReport *report,
                            gboolean *out_released, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_release_dying (HfStore *store, HfSweepReport *report,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
