/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Mending stored objects from what is still whole of them here: a link or copy in a deployment, or
 * the same file with its right mode.  Nothing needs to be fetched for that, and the origin may be gone.
 *
 * A missing object gets its name again; a corrupt one gives way in one step to the whole one, and who
 * has a link to it keeps that.  The repository's lock is held shared, as by an import: no pruner
 * decides by links meanwhile, and `lock` keeps two repairs from undoing each other's work.
 */
#include "repair-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "core/layout.h"
#include "core/lock.h"
#include "import-private.h"
#include "links-count.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In the repository's directory for temporary files, under `lock` from its making to its end. */
#define TEMPORARY HF_REPO_TMP "/" HF_REPAIR_TEMPORARY

static gboolean
store_by_copy (HfRepair *repair, const HfBadObject *bad, const char *loose, GError **error)
{
  HfInstallation *installation = repair->store->installation;
  struct stat st;
  if (fstatat (installation->root_fd, bad->source, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return hf_throw_errno (error, "Cannot look at %s", bad->source);
  if (S_ISREG (st.st_mode))
    return hf_object_copy_across (installation->root_fd, bad->source, repair->store->objects_fd,
                                  loose, error)
           && hf_links_count_no_more (installation, error);
  g_autofree char *target = hf_link_read (installation->root_fd, bad->source);
  if (target == NULL || symlinkat (target, repair->store->objects_fd, loose) != 0)
    return hf_throw_at (error, "Cannot store object %s", repair->store->objects_fd, loose);
  return hf_links_count_no_more (installation, error);
}

/* A crash in between leaves the temporary name, which the next repair removes. */
static gboolean
replace (HfRepair *repair, const HfBadObject *bad, const char *loose, GError **error)
{
  int root_fd = repair->store->installation->root_fd;
  struct stat st;
  if (fstatat (repair->store->objects_fd, loose, &st, AT_SYMLINK_NOFOLLOW) != 0
      || !hf_stat_same_file (&st, &bad->verdict.st))
    return TRUE; /* somebody else has dealt with it; it is looked at again */
  (void)unlinkat (root_fd, TEMPORARY, 0);
  if (linkat (root_fd, bad->source, root_fd, TEMPORARY, 0) == 0)
    return renameat (root_fd, TEMPORARY, repair->store->objects_fd, loose) == 0
           || hf_throw_at (error, "Cannot replace object %s", repair->store->objects_fd, loose);
  if (!hf_cannot_link (errno))
    return hf_throw_at (error, "Cannot link %s", root_fd, bad->source);
  return (unlinkat (repair->store->objects_fd, loose, 0) == 0
          || hf_throw_at (error, "Cannot replace object %s", repair->store->objects_fd, loose))
         && store_by_copy (repair, bad, loose, error);
}

static gboolean
store_again (HfRepair *repair, const HfBadObject *bad, const char *loose, GError **error)
{
  int objects_fd = repair->store->objects_fd;
  const char digits[] = { bad->checksum[0], bad->checksum[1], '\0' };
  if (!hf_mkdir (objects_fd, digits, HF_MODE_DIR, error))
    return FALSE;
  if (linkat (repair->store->installation->root_fd, bad->source, objects_fd, loose, 0) == 0
      || errno == EEXIST)
    return TRUE;
  return hf_cannot_link (errno) ? store_by_copy (repair, bad, loose, error)
                                : hf_throw_at (error, "Cannot store object %s", objects_fd, loose);
}

static gboolean
set_mode (HfRepair *repair, const HfBadObject *bad, const char *loose, GError **error)
{
  struct stat st;
  int objects_fd = repair->store->objects_fd;
  if (fstatat (objects_fd, loose, &st, AT_SYMLINK_NOFOLLOW) != 0
      || !hf_stat_same_file (&st, &bad->verdict.st)
      || fchmodat (objects_fd, loose, bad->verdict.mode, 0) == 0)
    return TRUE;
  return hf_throw_at (error, "Cannot set the mode of object %s", objects_fd, loose);
}

static gboolean
mend (HfRepair *repair, const HfBadObject *bad, const char *loose, GError **error)
{
  HfInstallation *installation = repair->store->installation;
  g_auto (HfLock) repo_lock = HF_LOCK_INIT;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  const char digits[] = { bad->checksum[0], bad->checksum[1], '\0' };
  if (!hf_lock_take (installation, HF_LOCK_REPO_IMPORT, &repo_lock, error)
      || !hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return FALSE;
  gboolean done = bad->verdict.health == HF_OBJECT_WRONG_MODE ? set_mode (repair, bad, loose, error)
                  : bad->verdict.health == HF_OBJECT_MISSING
                      ? store_again (repair, bad, loose, error)
                      : replace (repair, bad, loose, error);
  return done && hf_dir_sync (repair->store->objects_fd, digits, error)
         && hf_dir_sync (repair->store->objects_fd, ".", error);
}

/* Which deployment brings @bad when it is built anew: one that can be, if any. */
static const HfSubject *
find_needing (const HfRepair *repair, const GPtrArray *subjects, HfBadObject *bad,
              char **out_obstacle)
{
  const HfSubject *found = NULL;
  *out_obstacle = NULL;
  for (guint i = 0; i < subjects->len && (found == NULL || *out_obstacle != NULL); i++)
    if (g_hash_table_contains (((const HfSubject *)subjects->pdata[i])->needs, bad))
      {
        found = subjects->pdata[i];
        g_free (*out_obstacle);
        *out_obstacle = hf_subject_obstacle (found, repair);
      }
  return found;
}

static char *
describe_mending (const HfBadObject *bad, const HfSubject *subject)
{
  if (bad->verdict.health == HF_OBJECT_WRONG_MODE)
    return g_strdup_printf (_ ("gets mode %04o"), bad->verdict.mode);
  if (bad->source != NULL)
    return g_strdup_printf (_ ("is linked again from %s"), bad->source);
  return g_strdup_printf (_ ("comes with %s"), subject->ref->full);
}

static const char *
describe_cause (const HfBadObject *bad)
{
  return bad->verdict.health == HF_OBJECT_MISSING      ? N_ ("is missing")
         : bad->verdict.health == HF_OBJECT_WRONG_MODE ? N_ ("has a wrong mode")
                                                       : N_ ("is corrupt");
}

/* Commits last: each says that what it reaches is stored (G4). */
static int
compare_bad (gconstpointer a, gconstpointer b)
{
  const HfBadObject *left = *(HfBadObject *const *)a, *right = *(HfBadObject *const *)b;
  gboolean left_last = g_str_has_prefix (left->suffix, HF_SUFFIX_COMMIT);
  gboolean right_last = g_str_has_prefix (right->suffix, HF_SUFFIX_COMMIT);
  return left_last != right_last ? (left_last ? 1 : -1) : strcmp (left->checksum, right->checksum);
}

/* @done is whether all that was to be mended before it was. */
static gboolean
mend_in_turn (HfRepair *repair, const HfBadObject *bad, const char *loose, gboolean done,
              GError **error)
{
  if (!done && g_str_has_prefix (bad->suffix, HF_SUFFIX_COMMIT))
    return hf_throw (error, HF_ERROR_DAMAGED,
                     "%s/%s is not stored before all that it may reach: repair again",
                     HF_REPO_DIR "/" HF_OBJECTS_DIR, loose);
  return mend (repair, bad, loose, error);
}

/* A missing commit whose image lacks something comes with the image, when it is fetched. */
static gboolean
must_wait (const HfBadObject *bad, const HfSubject *subject)
{
  return bad->verdict.health == HF_OBJECT_MISSING
         && g_str_has_prefix (bad->suffix, HF_SUFFIX_COMMIT) && hf_subject_lacks (subject);
}

/* What comes with a deployment is mended with it, or stays as that does. */
static HfFinding *
say (HfRepair *repair, const HfBadObject *bad, const HfSubject *subject, const char *obstacle,
     const char *thing)
{
  if (obstacle != NULL)
    return hf_repair_find_left (repair, thing, describe_cause (bad), obstacle);
  g_autofree char *mending = describe_mending (bad, subject);
  return hf_repair_find (repair, thing, describe_cause (bad), mending);
}

/**
 * hf_repair_objects:
 * @repair: a repair
 * @bad: (element-type utf8 HfBadObject): what is not stored as it should be
 * @subjects: (element-type HfSubject): the deployments, examined, that need it
 *
 * Mends what can be mended without fetching anything.  What comes with a deployment that is built
 * anew is only said here.
 *
 * Locks: takes the repository's, shared, and `lock`, for each object.
 *
 * Returns: %FALSE with @error set if it cannot go on
 */
gboolean
hf_repair_objects (HfRepair *repair, GHashTable *bad, const GPtrArray *subjects, GError **error)
{
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;
  gboolean done = TRUE;
  g_hash_table_iter_init (&iter, bad);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_ptr_array_add (sorted, value);
  g_ptr_array_sort (sorted, compare_bad);
  for (guint i = 0; i < sorted->len; i++)
    {
      HfBadObject *object = sorted->pdata[i];
      HfObjectPath loose;
      g_autofree char *obstacle = NULL;
      const HfSubject *subject = find_needing (repair, subjects, object, &obstacle);
      g_autoptr (GError) failed = NULL;
      if (g_cancellable_set_error_if_cancelled (repair->options.cancellable, error))
        return FALSE;
      hf_object_loose_path (loose, object->checksum, object->suffix);
      g_autofree char *thing = g_strconcat (HF_REPO_DIR "/" HF_OBJECTS_DIR "/", loose, NULL);
      gboolean waits = (object->source == NULL && object->verdict.health != HF_OBJECT_WRONG_MODE)
                       || must_wait (object, subject);
      HfFinding *finding = say (repair, object, subject, waits ? obstacle : NULL, thing);
      if (waits)
        g_ptr_array_add (subject->findings, finding);
      else if (!repair->options.dry_run)
        {
          done = mend_in_turn (repair, object, loose, done, &failed) && done;
          hf_finding_settle (finding, failed);
        }
    }
  return TRUE;
}
