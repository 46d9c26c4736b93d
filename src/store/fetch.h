/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fetching an image into an entry's private repository: from the network by libostree's pull, or
 * from a directory or tarball by its commit.
 */
#pragma once

#include "base/progress.h"
#include "core/ref.h"
#include "remotes.h"
#include "scratch.h"

gboolean hf_fetch_commit (HfScratch *fetch, const HfRemote *remote, const HfRef *ref,
                          const char *commit, GCancellable *cancellable,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_fetch_all (HfScratch *fetch, const HfRemote *remote, const HfRef *ref,
                       const char *commit, gboolean again, HfProgress *progress,
                       GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

char *hf_fetch_directory_or_tarball (HfScratch *fetch, const char *source, const HfRef *ref,
                                     const char *command, HfProgress *progress,
                                     GCancellable *cancellable, GError **error);
