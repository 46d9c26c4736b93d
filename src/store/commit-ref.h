/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The refs `deploy/COMMIT` of the repository.  Nothing of ours reads them: they are there so that
 * an administrator's plain `ostree prune` keeps what is deployed.
 */
#pragma once

#include "store.h"

gboolean hf_commit_ref_write (HfStore *store, int entry_fd, const char *commit,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_commit_ref_remove (HfStore *store, const char *commit,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
