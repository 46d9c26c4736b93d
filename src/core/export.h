/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A deployment's export/: what is rewritten of its image, and the names of all that it exports.
 */
#pragma once

#include "export-exec.h"

/* Called with each thing that is not as it should be. */
typedef void (*HfExportDamaged) (const char *place, const char *cause, gpointer data);

char *hf_export_scope (const char *installation_path);
gboolean hf_export_build (int dir_fd, const HfExportTarget *target, GPtrArray *refused,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_export_examine (int dir_fd, const HfExportTarget *target, HfExportDamaged damaged,
                            gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_export_exists (int dir_fd);
char **hf_export_names (int dir_fd, const char *id, GError **error);
