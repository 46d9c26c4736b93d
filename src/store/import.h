/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Import: laying an image out in an entry of staging/ and adding what is new of it to the
 * repository.  Nothing reaches the repository before the entry lists all of it, and the commit
 * reaches it last (G4).
 */
#pragma once

#include "base/progress.h"
#include "core/deployment.h"
#include "core/staging.h"
#include "scratch.h"
#include "store.h"

typedef struct HfImport HfImport;

/* A file as it was when it was found to be corrupt. */
typedef struct
{
  dev_t device;
  ino_t inode;
} HfCorruptFile;

typedef struct
{
  HfStore *store;            /* not owned */
  HfStaging *staging;        /* not owned */
  OstreeRepo *foreign;       /* not owned; a local repository that is only read, or %NULL */
  const HfRef *ref;          /* not owned */
  HfProgress *progress;      /* not owned; or %NULL */
  GHashTable *distrusted;    /* not owned; see hf_import_trusts(); or %NULL */
  GCancellable *cancellable; /* not owned; or %NULL */
} HfImportParams;

HfImport *hf_import_new (const HfImportParams *params);
void hf_import_free (HfImport *import);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfImport, hf_import_free)

gboolean hf_import_layout (HfImport *import, const char *commit,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_import_finish (HfImport *import, HfDeploymentInfo *info,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
