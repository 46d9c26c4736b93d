/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the lists of `mask` and `pin` mean for a ref that somebody names, or that is needed.
 */
#pragma once

#include "installation.h"
#include "ref.h"

gboolean hf_mask_check (HfInstallation *installation, const HfRef *ref,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_pin_named (HfInstallation *installation, const HfRef *ref, gboolean *out_pinned,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_pin_drop (HfInstallation *installation, const HfRef *ref);
