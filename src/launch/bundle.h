/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bundle: locked descriptors as one message in flight in a socket pair, held by one descriptor.
 * bubblewrap keeps exactly one descriptor for us, --sync-fd, in the sandbox's first process.
 */
#pragma once

#include <glib.h>

gboolean hf_bundle_new (const int *fds, gsize n_fds, int *out,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
