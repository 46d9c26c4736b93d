/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taking deployments out of service: one atomic exchange each, whatever their size.  Nothing is
 * read, walked or deleted here; that is the sweeper's.
 */
#pragma once

#include "deployment.h"
#include "installation.h"

gboolean hf_retire_deployment (HfInstallation *installation, const HfRef *ref, int branch_fd,
                               const char *name, char **out_entry, gboolean *out_in_place,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
GPtrArray *hf_retire_list (int branch_fd, GHashTable *keep, gboolean *out_in_place, GError **error);
gboolean hf_retire_others (HfInstallation *installation, const HfRef *ref, int branch_fd,
                           GHashTable *keep, gboolean *out_in_place,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
