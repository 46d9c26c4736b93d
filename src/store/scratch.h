/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Private repositories, in which libostree may do what it likes: pulls and commits for an entry
 * being built, and look-ups that must leave no trace in the installation.
 */
#pragma once

#include "shadow.h"
#include "store.h"

typedef struct
{
  OstreeRepo *repo; /* owned; bare-user-only, with the installation's as parent */
  int parent_fd;    /* owned; the directory that it lies in */
  char *name;       /* owned; its name there */
  gboolean temporary;
  HfShadow *shadow; /* owned; its parent in place of the installation's, or %NULL */
} HfScratch;

HfScratch *hf_scratch_create (HfStore *store, int parent_fd, const char *name, GError **error);
HfScratch *hf_scratch_create_without (HfStore *store, int parent_fd, const char *name,
                                      GHashTable *distrusted, GError **error);
HfScratch *hf_scratch_create_temporary (HfStore *store, GError **error);
void hf_scratch_free (HfScratch *scratch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfScratch, hf_scratch_free)

gboolean hf_throw_ostree (GError **error, const GError *cause, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
