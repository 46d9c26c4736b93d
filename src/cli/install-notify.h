/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What install and update print as things happen, and what is said when a signal ended a command
 * that can be interrupted.
 */
#pragma once

#include "base/language.h"
#include "store/install.h"

#define HF_INSTALL_INTERRUPTED                                                                     \
  N_ ("holdfast: Interrupted: what was begun is left for the next sweep\n")

HfInstallContext hf_install_context (HfStore *store, const char *holdfast, HfProgress *progress,
                                     GCancellable *cancellable);
gboolean hf_install_failed (const char *not_done, GError *cause,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
