/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runtimes that nothing needs any more: no application here, no root, no pin, and nobody who runs on them
 * now (DESIGN section 8).
 */
#pragma once

#include "deployed.h"

GPtrArray *hf_unused_list (HfInstallation *installation, GError **error);
gboolean hf_unused_check (HfInstallation *installation, const HfRef *ref,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
