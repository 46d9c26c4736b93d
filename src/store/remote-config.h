/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is written for a remote: a group of the repository's configuration, and a key ring beside it.
 */
#pragma once

#include "remotes.h"

GBytes *hf_remote_ring_make (HfStore *store, const HfRemoteSpec *spec, const char *url,
                             GError **error);
gboolean hf_remote_config_add (HfStore *store, const HfRemoteSpec *spec, const char *url,
                               GBytes *ring, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_remote_config_delete (HfStore *store, const char *name,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
