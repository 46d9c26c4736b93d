/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether the repository is still the one to which the deployments are linked, and not a copy of it.
 */
#pragma once

#include <glib.h>

gboolean hf_repo_is_original (int repo_fd, gboolean *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_repo_set_original (int repo_fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;
