/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Putting a complete deployment into service: from staging/ into deploy/, then one flip of
 * `active`.
 */
#pragma once

#include "deployment.h"
#include "staging.h"

gboolean hf_publish (HfStaging *staging, const HfDeploymentInfo *info, const char *expected_active,
                     gboolean unless_held, GError **error) G_GNUC_WARN_UNUSED_RESULT;
