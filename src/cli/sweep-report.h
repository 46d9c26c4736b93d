/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a sweep did, told to people and to programs, and as the error that its exit status follows
 * from.
 */
#pragma once

#include "core/sweep.h"

void hf_sweep_report_print (const HfSweepReport *report, GVariantBuilder *json, gboolean checked);
gboolean hf_sweep_report_check (const HfSweepReport *report,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
