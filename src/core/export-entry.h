/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keyfiles of an image that the host acts on, rewritten: .desktop files and D-Bus service files.  What
 * comes out starts the image by holdfast and nothing else, whatever went in.
 */
#pragma once

#include "export-exec.h"

#define HF_EXPORT_ENTRY_LIMIT (256 * 1024) /* bytes; with all translations real ones have a third */

GBytes *hf_export_entry_rewrite (GBytes *bytes, const HfExportTarget *target, GError **error);
GBytes *hf_export_service_rewrite (GBytes *bytes, const char *name, const HfExportTarget *target,
                                   GError **error);
