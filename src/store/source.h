/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where an image comes from: a repository on this machine, which is read directly, or one behind a
 * URL, which libostree pulls from.  Either way nothing of it is believed before it is verified.
 */
#pragma once

#include "core/ref.h"
#include "remotes.h"
#include "store.h"

OstreeRepo *hf_source_open_local (const char *url, GCancellable *cancellable, GError **error);
gboolean hf_source_is_local (const char *url);
GHashTable *hf_source_list_refs (HfStore *store, const HfRemote *remote, GCancellable *cancellable,
                                 GError **error);

gboolean hf_commit_verify_signature (HfStore *store, const HfRemote *remote, GBytes *commit,
                                     GVariant *detached, const HfRef *ref,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_commit_verify_binding (GVariant *commit, const HfRef *ref, gboolean required,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
GVariant *hf_commit_load (OstreeRepo *repo, const char *checksum, const HfRef *ref,
                          GBytes **out_bytes, GVariant **out_detached, GError **error);
