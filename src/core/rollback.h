/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Going back to a deployment that was in service before: one flip of `active`, offline and at once.
 */
#pragma once

#include "installation.h"
#include "ref.h"

gboolean hf_rollback (HfInstallation *installation, const HfRef *ref, const char *to,
                      char **out_commit, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_rollback_end (HfInstallation *installation, const HfRef *ref, const char *name,
                          gboolean *out_ended, GError **error) G_GNUC_WARN_UNUSED_RESULT;
