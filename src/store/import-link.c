/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of an import: what is new gets its second link, in the repository.  By now the entry is
 * complete on disk and lists every object that is linked here, so that a crash after any of these
 * links leaves nothing that a sweep of the entry would not find.
 */
#include "import-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/work-queue.h"
#include "commit-ref.h"
#include "core/layout.h"
#include "links-count.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Objects are linked in as many parts as a checksum's first digit has values: each touches
 * directories of objects/ that no other does. */
#define PARTS 16

/* A thread's name in the entry for a link that is to replace another. */
#define ADOPTED_NAME "adopted.%c"

/* The directory of a file of the tree may be closed to us by now, and has its time. */
static gboolean
replace_in_tree (int entry_fd, const char *adopted, const char *place, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (place);
  struct stat st;
  if (fstatat (entry_fd, directory, &st, AT_SYMLINK_NOFOLLOW) != 0
      || ((st.st_mode & 0700) != 0700
          && fchmodat (entry_fd, directory, (st.st_mode & 07777) | 0700, 0) != 0)
      || renameat (entry_fd, adopted, entry_fd, place) != 0)
    return hf_throw_at (error, "Cannot replace %s", entry_fd, place);
  const struct timespec times[2] = { st.st_atim, st.st_mtim };
  if (((st.st_mode & 0700) != 0700 && fchmodat (entry_fd, directory, st.st_mode & 07777, 0) != 0)
      || utimensat (entry_fd, directory, times, 0) != 0)
    return hf_throw_at (error, "Cannot set the mode of %s", entry_fd, directory);
  return TRUE;
}

/* Ours stays, as a copy.  The mark is set now, and the deployment's record written anew when all is
 * linked. */
static gboolean
note_copy (HfImport *import, GError **error)
{
  hf_import_note_copies (import);
  return hf_links_count_no_more (import->params.store->installation, error);
}

static gboolean
adopt_at (HfImport *import, const HfClaim *claim, const char *loose, const char *place,
          GError **error)
{
  int entry_fd = import->params.staging->dir_fd;
  g_autofree char *adopted = g_strdup_printf (ADOPTED_NAME, claim->name[0]);
  (void)unlinkat (entry_fd, adopted, 0);
  if (linkat (import->params.store->objects_fd, loose, entry_fd, adopted, 0) == 0)
    {
      /* One at a time: two could be in one directory, and each puts its mode and time back. */
      (void)pthread_mutex_lock (&import->mutex);
      gboolean replaced = replace_in_tree (entry_fd, adopted, place, error);
      (void)pthread_mutex_unlock (&import->mutex);
      return replaced;
    }
  if (!hf_cannot_link (errno))
    return hf_throw_at (error, "Cannot link object %s", import->params.store->objects_fd, loose);
  return note_copy (import, error);
}

/* Somebody else stored the same object meanwhile.  Ours becomes a link to that one; the file that
 * is replaced has the same contents, and nothing runs from here yet. */
static gboolean
adopt_stored (HfImport *import, const HfClaim *claim, const char *loose, GError **error)
{
  if (!adopt_at (import, claim, loose, claim->place, error))
    return FALSE;
  for (guint i = 0; claim->more != NULL && i < claim->more->len; i++)
    if (!adopt_at (import, claim, loose, claim->more->pdata[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
copy_one (HfImport *import, const HfClaim *claim, GError **error)
{
  int entry_fd = import->params.staging->dir_fd;
  g_autofree char *copy = g_strdup_printf (ADOPTED_NAME, claim->name[0]);
  (void)unlinkat (entry_fd, copy, 0);
  if (!hf_object_copy (entry_fd, claim->place, entry_fd, copy, 0, error))
    return FALSE;
  (void)pthread_mutex_lock (&import->mutex);
  gboolean replaced = replace_in_tree (entry_fd, copy, claim->more->pdata[0], error);
  (void)pthread_mutex_unlock (&import->mutex);
  return replaced && note_copy (import, error);
}

/* The repository is on another mount, or the file may not be linked: the repository gets a copy. */
static gboolean
store_copy (HfImport *import, const HfClaim *claim, const char *loose, GError **error)
{
  int entry_fd = import->params.staging->dir_fd, objects_fd = import->params.store->objects_fd;
  struct stat st;
  if (fstatat (entry_fd, claim->place, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return hf_throw_at (error, "Cannot look at %s", entry_fd, claim->place);
  if (S_ISREG (st.st_mode))
    return hf_object_copy_across (entry_fd, claim->place, objects_fd, loose, error)
           && note_copy (import, error);
  g_autofree char *target = hf_link_read (entry_fd, claim->place);
  if (target == NULL || (symlinkat (target, objects_fd, loose) != 0 && errno != EEXIST))
    return hf_throw_at (error, "Cannot store object %s", objects_fd, loose);
  return note_copy (import, error);
}

/* A corrupt object gives way to ours in one step: whoever looks for it finds the one or the other.
 * No pruner is at work, as the repository's lock is held shared; another import may have linked the
 * corrupt one a moment ago, as it may have before.  Whoever has a link to that keeps it.
 *
 * Locks: takes `lock` meanwhile, so that the second of two repairs sees what the first has done.  A
 * crash after the rename leaves a sound object that no deployment links once our entry is swept: the
 * next repair builds from it, or a prune takes it, and it is missing where it was corrupt. */
static gboolean
replace_corrupt (HfImport *import, const HfClaim *claim, const char *loose, gboolean *out_replaced,
                 GError **error)
{
  int entry_fd = import->params.staging->dir_fd, objects_fd = import->params.store->objects_fd;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  struct stat st;
  *out_replaced = FALSE;
  if (!hf_lock_take (import->params.store->installation, HF_LOCK_CHANGE, &lock, error))
    return FALSE;
  if (fstatat (objects_fd, loose, &st, AT_SYMLINK_NOFOLLOW) != 0
      || hf_import_trusts (import, claim->name, &st))
    return TRUE;
  g_autofree char *ours = g_strdup_printf (ADOPTED_NAME, claim->name[0]);
  (void)unlinkat (entry_fd, ours, 0);
  *out_replaced = linkat (entry_fd, claim->place, entry_fd, ours, 0) == 0
                  && renameat (entry_fd, ours, objects_fd, loose) == 0;
  if (*out_replaced)
    return TRUE;
  if (!hf_cannot_link (errno))
    return hf_throw_at (error, "Cannot replace object %s", objects_fd, loose);
  (void)unlinkat (entry_fd, ours, 0);
  /* The repository is on another mount: for a moment the object is missing. */
  *out_replaced = unlinkat (objects_fd, loose, 0) == 0 && store_copy (import, claim, loose, error);
  return *out_replaced || (error != NULL && *error != NULL)
         || hf_throw_at (error, "Cannot replace object %s", objects_fd, loose);
}

static gboolean
link_object (HfImport *import, const HfClaim *claim, GError **error)
{
  HfObjectPath loose;
  int objects_fd = import->params.store->objects_fd;
  int entry_fd = import->params.staging->dir_fd;
  const char *first = claim->place;
  (void)snprintf (loose, sizeof loose, "%.2s/%s", claim->name, claim->name + 2);
  int linked = linkat (entry_fd, first, objects_fd, loose, 0);
  if (linked != 0 && errno == ENOENT)
    {
      const char digits[] = { claim->name[0], claim->name[1], '\0' };
      if (!hf_mkdir (objects_fd, digits, HF_MODE_DIR, error))
        return FALSE;
      linked = linkat (entry_fd, first, objects_fd, loose, 0);
    }
  /* The tree alone has all the links that a file can have: one of them becomes a copy. */
  if (linked != 0 && errno == EMLINK && claim->more != NULL)
    {
      if (!copy_one (import, claim, error))
        return FALSE;
      linked = linkat (entry_fd, first, objects_fd, loose, 0);
    }
  if (linked == 0)
    return TRUE;
  if (hf_cannot_link (errno))
    return store_copy (import, claim, loose, error);
  if (errno != EEXIST)
    return hf_throw_at (error, "Cannot store object %s", objects_fd, loose);
  gboolean replaced = FALSE;
  if (import->params.distrusted != NULL
      && !replace_corrupt (import, claim, loose, &replaced, error))
    return FALSE;
  return replaced || adopt_stored (import, claim, loose, error);
}

static gboolean
is_commit (const HfClaim *claim, const char *commit)
{
  return strncmp (claim->name, commit, HF_OBJECT_NAME_BYTES) == 0;
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
      HfClaim *claim = g_hash_table_lookup (import->claims, name);
      if (claim != NULL && claim->place != NULL && !link_object (import, claim, error))
        return FALSE;
    }
  return hf_dir_sync (import->params.store->objects_fd, digits, error)
         && hf_dir_sync (import->params.store->objects_fd, ".", error)
         && hf_commit_ref_write (import->params.store, import->params.staging->dir_fd, commit,
                                 error);
}

typedef struct
{
  HfImport *import;
  const char *commit;
} LinkAll;

/* Links the objects whose checksum begins with one digit. */
static gboolean
link_part (HfWorkQueue *queue, gpointer task, gpointer data, GError **error)
{
  const LinkAll *all = data;
  char digit = (char)GPOINTER_TO_INT (task);
  for (guint i = 0; i < all->import->new_objects->len; i++)
    {
      const HfClaim *claim = all->import->new_objects->pdata[i];
      if (claim->name[0] != digit || is_commit (claim, all->commit))
        continue;
      if (!link_object (all->import, claim, error))
        return FALSE;
      hf_progress_add (all->import->params.progress, 1, 0);
    }
  return TRUE;
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
  LinkAll all = { import, commit };
  GPtrArray *parts = g_ptr_array_new ();
  for (gsize i = 0; i < PARTS; i++)
    g_ptr_array_add (parts, GINT_TO_POINTER ((int)"0123456789abcdef"[i]));
  hf_progress_begin (import->params.progress, "Storing", import->new_objects->len);
  if (!hf_work_queue_run (parts, HF_WORK_NORMAL, link_part, &all, error))
    return FALSE;
  if (syncfs (import->params.store->objects_fd) != 0)
    return hf_throw_errno (error, "Cannot write the repository to disk");
  return link_commit (import, commit, error);
}
