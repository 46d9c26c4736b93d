/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The two links of a branch directory: `active`, which alone says what is deployed, and `held`, which
 * names the deployment that a rollback chose.  Both are replaced by a rename, so that there is always
 * the old one or the new one.
 */
#pragma once

#include "installation.h"
#include "ref.h"

gboolean hf_active_look (int branch_fd, char **out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_active_read (HfInstallation *installation, const HfRef *ref, char **out,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_active_set (int branch_fd, const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

gboolean hf_active_is_held (HfInstallation *installation, const HfRef *ref);
gboolean hf_held_announce (int branch_fd, const char *name,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_held_drop_stale (int branch_fd, const char *active, HfLedger *ledger,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
