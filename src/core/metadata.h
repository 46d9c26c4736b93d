/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The `metadata` keyfile of an image, in flatpak's format.  It comes from the image, so nothing in
 * it is trusted: it is bounded in size, and every value is checked before anybody acts on it.
 */
#pragma once

#include "ref.h"

#include <glib.h>

typedef struct
{
  HfRef *runtime;     /* owned; of an application, or %NULL if it brings everything itself */
  char *command;      /* owned; what to run by default, or %NULL */
  char **environment; /* owned; NAME=VALUE strings, %NULL-terminated */
  gboolean share_network;
  gboolean share_ipc;
} HfMetadata;

#define HF_METADATA_LIMIT (1024 * 1024) /* bytes */

HfMetadata *hf_metadata_parse (GBytes *bytes, const HfRef *ref, GError **error);
void hf_metadata_free (HfMetadata *metadata);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfMetadata, hf_metadata_free)
