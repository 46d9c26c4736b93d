/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Uninstalling a ref.  The cost does not depend on what is deployed for it.
 */
#pragma once

#include "installation.h"
#include "ref.h"

gboolean hf_remove_check (HfInstallation *installation, const GPtrArray *going,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_remove_ref (HfInstallation *installation, const HfRef *ref, gboolean force,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_remove_unused (HfInstallation *installation, const HfRef *ref,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
