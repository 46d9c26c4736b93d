/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The installation's repository as a scratch repository is to see it that fetches some stored
 * objects again: without those.
 */
#pragma once

#include "store.h"

typedef struct
{
  int dir_fd; /* owned; a repository in an entry, which goes with the entry */
} HfShadow;

HfShadow *hf_shadow_create (HfStore *store, int entry_fd, GHashTable *distrusted, GError **error);
void hf_shadow_free (HfShadow *shadow);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfShadow, hf_shadow_free)
