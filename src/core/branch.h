/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Branch directories, deploy/KIND/ID/ARCH/BRANCH, and the forwarding links in them.
 */
#pragma once

#include "installation.h"
#include "ref.h"

/* Called with each branch directory, deployed or not; @branch_fd is valid during the call. */
typedef gboolean (*HfBranchVisit) (const HfRef *ref, int branch_fd, gpointer data, GError **error);
gboolean hf_branches_visit (HfInstallation *installation, HfBranchVisit visit, gpointer data,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_branches_visit_id (HfInstallation *installation, const char *id, HfBranchVisit visit,
                               gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_branches_prune (HfInstallation *installation);

int hf_branch_make (HfInstallation *installation, const HfRef *ref, GError **error);
gboolean hf_branch_sync (HfInstallation *installation, const HfRef *ref,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_branch_exists (HfInstallation *installation, const HfRef *ref);
GPtrArray *hf_branch_deployments (int branch_fd, GError **error);
gboolean hf_branch_in_service (int branch_fd, const char *name);
gboolean hf_branch_prune (HfInstallation *installation, const HfRef *ref,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

char *hf_forwarding_target (const char *removed_name);
gboolean hf_forwarding_drop (HfInstallation *installation, const HfRef *ref,
                             const char *removed_name, GError **error) G_GNUC_WARN_UNUSED_RESULT;
