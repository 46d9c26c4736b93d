/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of an import: what is new gets its second link, in the repository.  By now the entry is
 * complete on disk and lists every object that is linked here, so that a crash after any of these
 * links leaves nothing that a sweep of the entry would not find.
 */
#include "import-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "commit-ref.h"
#include "core/layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Not a valid name in an image's metadata objects' place, and the entry is ours alone. */
#define ADOPTED_NAME "adopted.new"

/* Somebody else stored the same object meanwhile.  Ours becomes a link to that one; the file that
 * is replaced has the same contents, and nothing runs from here yet. */
static gboolean
adopt_stored (HfImport *import, const HfPlaced *placed, const char *loose, GError **error)
{
  int entry_fd = import->params.staging->dir_fd;
  for (guint i = 0; i < placed->places->len; i++)
    {
      const char *place = placed->places->pdata[i];
      (void)unlinkat (entry_fd, ADOPTED_NAME, 0);
      if (linkat (import->params.store->objects_fd, loose, entry_fd, ADOPTED_NAME, 0) != 0)
        {
          /* The stored object has all the links that it can have: ours stays, as a copy. */
          if (errno == EMLINK)
            continue;
          return hf_throw_errno (error, "Cannot link object %s", loose);
        }
      if (renameat (entry_fd, ADOPTED_NAME, entry_fd, place) != 0)
        return hf_throw_errno (error, "Cannot replace %s", place);
    }
  return TRUE;
}

static gboolean
link_object (HfImport *import, const HfPlaced *placed, GError **error)
{
  HfObjectPath loose;
  int objects_fd = import->params.store->objects_fd;
  int entry_fd = import->params.staging->dir_fd;
  const char *first = placed->places->pdata[0];
  (void)snprintf (loose, sizeof loose, "%.2s/%s", placed->name, placed->name + 2);
  int linked = linkat (entry_fd, first, objects_fd, loose, 0);
  if (linked != 0 && errno == ENOENT)
    {
      const char digits[] = { placed->name[0], placed->name[1], '\0' };
      if (!hf_mkdir (objects_fd, digits, HF_MODE_DIR, error))
        return FALSE;
      linked = linkat (entry_fd, first, objects_fd, loose, 0);
    }
  if (linked == 0)
    return TRUE;
  if (errno != EEXIST)
    return hf_throw_errno (error, "Cannot store object %s", placed->name);
  return adopt_stored (import, placed, loose, error);
}

static gboolean
is_commit (const HfPlaced *placed, const char *commit)
{
  return strncmp (placed->name, commit, HF_OBJECT_NAME_BYTES) == 0;
}

/* The commit says that everything it reaches is stored (G4), on disk too: so all else is synced
 * before it, and its directory after. */
static gboolean
link_commit (HfImport *import, const char *commit, GError **error)
{
  static const OstreeObjectType types[]
      = { OSTREE_OBJECT_TYPE_COMMIT_META, OSTREE_OBJECT_TYPE_COMMIT };
  const char digits[] = { commit[0], commit[1], '\0' };
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      HfObjectPath name;
      hf_object_pin_name (name, commit, hf_object_suffix (types[i]));
      HfPlaced *placed = g_hash_table_lookup (import->placed, name);
      if (placed != NULL && !link_object (import, placed, error))
        return FALSE;
    }
  return hf_dir_sync (import->params.store->objects_fd, digits, error)
         && hf_commit_ref_write (import->params.store, import->params.staging->dir_fd, commit,
                                 error);
}

/**
 * hf_import_link_all:
 * @import: an import whose deployment is complete
 * @commit: its commit
 *
 * Links every new object into the repository, the commit last.
 *
 * Locks: needs the repository's, shared.
 *
 * Returns: %FALSE with @error set on failure; a sweep of the entry prunes what was linked
 */
gboolean
hf_import_link_all (HfImport *import, const char *commit, GError **error)
{
  for (guint i = 0; i < import->new_objects->len; i++)
    {
      const HfPlaced *placed = import->new_objects->pdata[i];
      if (!is_commit (placed, commit) && !link_object (import, placed, error))
        return FALSE;
    }
  if (syncfs (import->params.store->objects_fd) != 0)
    return hf_throw_errno (error, "Cannot write the repository to disk");
  return link_commit (import, commit, error);
}
