/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the parts of an import share: where objects come from, and what was placed where.
 */
#pragma once

#include "core/lock.h"
#include "import.h"
#include "object.h"

/* An object that the repository does not have yet, and where the entry has it. */
typedef struct
{
  char *name;        /* owned; CHECKSUM.SUFFIX */
  GPtrArray *places; /* owned; of paths below the entry, all links to one inode */
} HfPlaced;

struct HfImport
{
  HfImportParams params;
  HfRef *ref;             /* owned */
  HfLock repo_lock;       /* from the first look at a stored object until all links exist */
  int tree_fd;            /* owned */
  int pins_fd;            /* owned */
  int fetch_objects_fd;   /* owned; of the entry's own repository, or -1 */
  GHashTable *pinned;     /* owned; names of metadata objects that pins/ has */
  GHashTable *placed;     /* owned; HfPlaced by name */
  GPtrArray *new_objects; /* owned; the HfPlaced in the order of their placing */
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

/* import-object.c */
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
