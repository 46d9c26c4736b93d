/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Caches that programs of the host make of exports/: of the types that applications open, of icons, and of
 * types themselves.  The sticky bit of the directory that such a cache is of says that it is out of date.  Whoever
 * makes it anew does so without `lock`; what comes out is taken only if nothing has changed meanwhile.
 */
#pragma once

#include "export-name.h"
#include "installation.h"

#include <time.h>

#define HF_CACHES 3

/* What is out of date, and since when. */
typedef struct
{
  guint stale; /* of HfExportCache */
  struct timespec times[HF_CACHES];
} HfStaleCaches;

typedef struct
{
  char *path;       /* owned; below exports/ */
  GBytes *contents; /* owned */
} HfCacheFile;

void hf_cache_file_free (HfCacheFile *file);
guint hf_caches_any_stale (HfInstallation *installation);
gboolean hf_caches_look (HfInstallation *installation, HfStaleCaches *out,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_caches_replace (HfInstallation *installation, const HfStaleCaches *stale,
                            const GPtrArray *files, GError **error) G_GNUC_WARN_UNUSED_RESULT;
