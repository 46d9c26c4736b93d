/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether link counts tell what is needed, or the full prune must be used.
 */
#pragma once

#include "core/sweep.h"
#include "store.h"

gboolean hf_links_strange (HfStore *store, int dir_fd, const char *commit);
gboolean hf_links_count (HfStore *store, HfSweepTarget *const *targets, gsize n_targets,
                         const char **out_reason, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_links_count_no_more (HfInstallation *installation,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_links_count_again (HfStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_links_foreign_refs (HfStore *store, gboolean *out,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
