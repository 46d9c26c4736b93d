/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Putting a deployment in the place of another of the same ref, which is damaged: the same image in
 * the same role, whether that is the active one or one that is kept beside it.
 */
#pragma once

#include "deployment.h"
#include "staging.h"

gboolean hf_replace (HfStaging *staging, const HfDeploymentInfo *info, const char *old,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
