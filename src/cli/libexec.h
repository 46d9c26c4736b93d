/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast's other parts, which need not be in PATH: found from where the running program lies.
 */
#pragma once

#include "command.h"

char *hf_libexec_path (const char *name, GError **error);
char *hf_libexec_holdfast (GError **error);
gboolean hf_store_exec (HfProgram *program, GError **error) G_GNUC_WARN_UNUSED_RESULT;
