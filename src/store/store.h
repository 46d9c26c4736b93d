/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The installation's ostree repository, opened.  libostree reads it and keeps its remotes; nothing
 * of libostree ever writes an object into it.
 */
#pragma once

#include "core/installation.h"

#include <ostree.h>

typedef struct
{
  HfInstallation *installation; /* not owned */
  OstreeRepo *repo;             /* owned */
  int repo_fd;
  int objects_fd;
} HfStore;

HfStore *hf_store_open (HfInstallation *installation, HfOpenMode mode, GError **error);
void hf_store_free (HfStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfStore, hf_store_free)
