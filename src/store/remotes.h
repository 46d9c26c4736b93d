/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Remotes: named locations of repositories, kept in the repository's own configuration, with the
 * key ring that their commits must be signed by.
 */
#pragma once

#include "core/ref.h"
#include "store.h"

typedef struct
{
  char *name; /* owned */
  char *url;  /* owned */
  gboolean verify;
} HfRemote;

typedef struct
{
  HfRef *ref;   /* owned */
  char *commit; /* owned */
} HfRemoteRef;

typedef struct
{
  const char *name;
  const char *location;   /* a path, or an http(s) URL */
  const char *gpg_import; /* a file with public keys, or %NULL */
  gboolean no_verify;
  gboolean if_not_exists;
} HfRemoteSpec;

void hf_remote_free (HfRemote *remote);
void hf_remote_ref_free (HfRemoteRef *ref);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfRemote, hf_remote_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfRemoteRef, hf_remote_ref_free)

gboolean hf_remote_add (HfStore *store, const HfRemoteSpec *spec,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_remote_delete (HfStore *store, const char *name,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
HfRemote *hf_remote_get (HfStore *store, const char *name, GError **error);
GPtrArray *hf_remote_list (HfStore *store, GError **error);
GPtrArray *hf_remote_refs (HfStore *store, const char *name, GCancellable *cancellable,
                           GError **error);
gboolean hf_remote_find (HfStore *store, const char *name, const HfRefPattern *pattern,
                         HfRemote **out_remote, HfRef **out_ref, GCancellable *cancellable,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
