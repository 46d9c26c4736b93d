/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an application may export, told by the name alone: a path as it stands below an image's
 * export/, below a deployment's and below exports/ of the installation.
 */
#pragma once

#include <glib.h>

typedef enum
{
  HF_EXPORT_AS_IT_IS, /* linked to in the image */
  HF_EXPORT_ENTRY,    /* a .desktop file: rewritten */
  HF_EXPORT_SERVICE,  /* of D-Bus: rewritten */
  HF_EXPORT_WRAPPER,  /* written by us; never an image's */
} HfExportKind;

typedef enum
{
  HF_EXPORT_DIR_REFUSED,
  HF_EXPORT_DIR_IGNORED, /* of no use here, and no mistake of anybody's */
  HF_EXPORT_DIR_TAKEN,
} HfExportDir;

/* Caches that programs of the host make of what is exported. */
typedef enum
{
  HF_CACHE_DESKTOP = 1 << 0,
  HF_CACHE_ICONS = 1 << 1,
  HF_CACHE_MIME = 1 << 2,
} HfExportCache;

HfExportDir hf_export_dir_check (const char *path);
gboolean hf_export_name_check (const char *path, const char *id, HfExportKind *out_kind,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_export_name_is_valid (const char *path);
HfExportKind hf_export_name_kind (const char *path);
char *hf_export_name_stem (const char *path);
gboolean hf_export_name_belongs (const char *stem, const char *id);
HfExportCache hf_export_name_cache (const char *path);
const char *hf_export_cache_dir (HfExportCache cache);
