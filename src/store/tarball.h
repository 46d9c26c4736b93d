/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tarballs, read for an image.
 */
#pragma once

#include "base/progress.h"

#include <archive.h>
#include <glib.h>

void hf_archive_clear (struct archive **archive);
#define hf_autoarchive __attribute__ ((cleanup (hf_archive_clear)))

struct archive *hf_tarball_open (const char *path, GError **error);
gboolean hf_tarball_check (const char *path, HfProgress *progress,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
