/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the parts of an import share: where objects come from, and what was placed where.
 */
#pragma once

#include "core/lock.h"
#include "import.h"
#include "object.h"

#include <pthread.h>
#include <sys/stat.h>

/* An object that several threads may want, and that one of them gets. */
typedef struct
{
  char *name;      /* owned; CHECKSUM.SUFFIX */
  gboolean done;   /* FALSE while the one that claimed it is at it */
  char *place;     /* owned; where the entry has it, if the repository has not; fixed once done */
  GPtrArray *more; /* owned; other links of the entry to it, or NULL */
} HfClaim;

struct HfImport
{
  HfImportParams params;
  HfRef *ref;           /* owned */
  HfLock repo_lock;     /* from the first look at a stored object until all links exist */
  int tree_fd;          /* owned */
  int pins_fd;          /* owned */
  int fetch_objects_fd; /* owned; of the entry's own repository, or -1 */
  gint names;           /* atomic; of files and directories, so far */

  pthread_mutex_t mutex; /* for all that follows */
  pthread_cond_t claim_done;
  GHashTable *claims;     /* owned; HfClaim by name */
  GPtrArray *new_objects; /* not owned elements; the claims of what the repository does not have */
  guint64 size;           /* bytes of regular files */
  gboolean copies;        /* a copy had to stand in for a link */
};

/* One name in the tree to be filled. */
typedef struct
{
  int dfd;
  const char *name;
  const char *path; /* below the entry: tree/… */
  guint depth;      /* of the directory that it is in; 0 for tree/ itself */
} HfImportPlace;

/* import-claims.c */
void hf_import_claims_init (HfImport *import);
void hf_import_claims_clear (HfImport *import);
HfClaim *hf_import_claim (HfImport *import, const char *name, gboolean *out_ours);
void hf_import_claim_done (HfImport *import, HfClaim *claim, const char *place);
void hf_import_claim_failed (HfImport *import, HfClaim *claim);
void hf_import_claim_add_place (HfImport *import, HfClaim *claim, const char *place);
void hf_import_add_size (HfImport *import, guint64 size);
void hf_import_note_copies (HfImport *import);

/* import-object.c */
gboolean hf_cannot_link (int errsv);
gboolean hf_import_trusts (const HfImport *import, const char *name, const struct stat *stored);
gboolean hf_import_pin (HfImport *import, OstreeObjectType type, const char *checksum,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_import_file (HfImport *import, const char *checksum, const HfImportPlace *place,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* import-foreign.c */
gboolean hf_foreign_pin (HfImport *import, OstreeObjectType type, const char *checksum,
                         gboolean *out_found, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_foreign_file (HfImport *import, const char *checksum, const HfImportPlace *place,
                          gboolean *out_pinned, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* import-link.c */
gboolean hf_import_link_all (HfImport *import, const char *commit,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
