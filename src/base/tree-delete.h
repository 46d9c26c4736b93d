/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Deleting a directory tree that nothing vouches for: hostile modes, endless depth, mounts,
 * symlinks to anywhere.
 */
#pragma once

#include "ledger.h"

gboolean hf_tree_delete (int dfd, const char *name, HfLedger *ledger,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_tree_delete_at_once (int dfd, const char *name,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
