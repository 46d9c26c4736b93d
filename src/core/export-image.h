/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an image has to export, made ready in memory: bounded, whatever is in the image.
 */
#pragma once

#include "export-exec.h"
#include "export-name.h"

#define HF_EXPORT_MOST_FILES 4000 /* that are looked at, of one image */

typedef struct
{
  char *path; /* owned; below export/ */
  GBytes
      *contents; /* owned; what is written in its place, or %NULL if the image's own is linked to */
} HfExportFile;

GPtrArray *hf_export_files (int tree_fd, const HfExportTarget *target, GPtrArray *refused,
                            GError **error);
