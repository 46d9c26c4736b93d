/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What lies in the repository and is of no use: objects that nothing needs, refs that lead nowhere,
 * marks of commits that are not there, files of libostree's from pulls that ended long ago.  And refs that
 * are missing, without which an administrator's plain `ostree prune` would take what is deployed.
 */
#include "repair-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "base/tree-delete.h"
#include "commit-ref.h"
#include "core/layout.h"
#include "core/lock.h"
#include "core/trash.h"
#include "marks.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PARTIAL_SUFFIX ".commitpartial"

/* What libostree itself takes for forgotten in tmp/, in seconds. */
#define TMP_AGE 86400

typedef gboolean (*Look) (HfRepair *repair, int dfd, const char *name, const char *path,
                          GError **error);

static gboolean
look_at_each (HfRepair *repair, const char *directory, Look look, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (DIR) dir = hf_dir_open (repair->store->installation->root_fd, directory, &failed);
  const struct dirent *entry;
  if (dir == NULL && errno == ENOENT)
    return TRUE;
  if (dir == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  for (;;)
    {
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      g_autofree char *path = g_strconcat (directory, "/", entry->d_name, NULL);
      if (!look (repair, dirfd (dir), entry->d_name, path, error))
        return FALSE;
    }
}

static gboolean
is_stored (HfRepair *repair, const char *commit)
{
  HfObjectPath loose;
  struct stat st;
  hf_object_loose_path (loose, commit, HF_SUFFIX_COMMIT);
  return fstatat (repair->store->objects_fd, loose, &st, AT_SYMLINK_NOFOLLOW) == 0
         || errno != ENOENT;
}

static void
drop (HfRepair *repair, int dfd, const char *name, const char *path, const char *cause)
{
  HfFinding *finding = hf_repair_find (repair, path, cause, N_ ("is deleted"));
  if (repair->options.dry_run)
    return;
  g_autoptr (GError) failed = NULL;
  (void)!hf_tree_delete_at_once (dfd, name, &failed);
  hf_finding_settle (finding, failed);
}

/* libostree marks a commit so before it stores it, with the repository's lock held. */
static gboolean
look_at_partial (HfRepair *repair, int dfd, const char *name, const char *path, GError **error)
{
  if (!g_str_has_suffix (name, PARTIAL_SUFFIX))
    return TRUE;
  g_autofree char *commit = g_strndup (name, strlen (name) - strlen (PARTIAL_SUFFIX));
  if (hf_commit_is_valid (commit) && !is_stored (repair, commit))
    drop (repair, dfd, name, path, N_ ("marks a commit that is not stored"));
  return TRUE;
}

static gboolean
look_at_temporary (HfRepair *repair, int dfd, const char *name, const char *path, GError **error)
{
  struct stat st;
  if (fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || strcmp (name, "cache") == 0)
    return TRUE;
  if (strcmp (name, HF_REPAIR_TEMPORARY) == 0)
    drop (repair, dfd, name, path, N_ ("was left by a repair"));
  else if (time (NULL) - st.st_mtim.tv_sec > TMP_AGE)
    drop (repair, dfd, name, path, N_ ("was left by libostree, more than a day ago"));
  return TRUE;
}

static gboolean
look_at_ref (HfRepair *repair, int dfd, const char *name, const char *path, GError **error)
{
  if (hf_commit_is_valid (name) && !is_stored (repair, name))
    drop (repair, dfd, name, path, N_ ("is a ref to a commit that is not stored"));
  else if (!hf_commit_is_valid (name))
    hf_repair_note (repair, path, N_ ("is no ref of holdfast's"), N_ ("is left alone"));
  return TRUE;
}

static gboolean
write_ref (HfRepair *repair, const char *commit, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_autofree char *stale = g_strconcat (HF_REPO_TMP "/", commit, NULL);
  int root_fd = repair->store->installation->root_fd;
  hf_autofd int tmp_fd = hf_open_dir (root_fd, HF_REPO_TMP, error);
  if (tmp_fd < 0 || !hf_lock_take (repair->store->installation, HF_LOCK_REPO_PRUNE, &lock, error))
    return FALSE;
  (void)unlinkat (root_fd, stale, 0);
  return !is_stored (repair, commit) || hf_commit_ref_write (repair->store, tmp_fd, commit, error);
}

static void
look_for_ref (HfRepair *repair, const char *commit)
{
  g_autofree char *path = g_strconcat (HF_REPO_REFS "/" HF_REPO_DEPLOY_REFS "/", commit, NULL);
  g_autofree char *expected = g_strconcat (commit, "\n", NULL);
  g_autoptr (GBytes) bytes = hf_file_read (repair->store->repo_fd, path, 1024, NULL);
  if ((bytes != NULL && strcmp (g_bytes_get_data (bytes, NULL), expected) == 0)
      || !is_stored (repair, commit))
    return;
  g_autofree char *thing = g_strconcat (HF_REPO_DIR "/", path, NULL);
  HfFinding *finding = hf_repair_find (
      repair, thing, bytes == NULL ? N_ ("is missing") : N_ ("leads to something else"),
      N_ ("is written again"));
  if (repair->options.dry_run)
    return;
  g_autoptr (GError) failed = NULL;
  (void)!write_ref (repair, commit, &failed);
  hf_finding_settle (finding, failed);
}

static gboolean
look_for_refs (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      g_autofree char *commit = NULL;
      if (hf_branch_in_service (branch_fd, names->pdata[i])
          && hf_deployment_name_parse (names->pdata[i], &commit, NULL))
        look_for_ref (data, commit);
    }
  return names != NULL;
}

/* What nothing needs of what is stored. */
typedef struct
{
  const HfMarks *marks;
  HfProgress *progress;
  guint64 count;
} Unneeded;

static gboolean
count_if_unneeded (const guint8 *checksum, const char *suffix, gpointer data, GError **error)
{
  Unneeded *unneeded = data;
  if (!hf_marks_contain (unneeded->marks, checksum))
    unneeded->count++;
  hf_progress_add (unneeded->progress, 1, 0);
  return TRUE;
}

/* In one hold of the lock: imports wait for that, as long as it takes to list what is stored. */
static gboolean
count_unneeded (HfRepair *repair, guint64 *count, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_autoptr (HfMarks) marks = hf_marks_new (repair->store, NULL, 0);
  hf_progress_begin (repair->options.progress, "Looking for what nothing needs", 0);
  if (!hf_lock_take (repair->store->installation, HF_LOCK_REPO_PRUNE, &lock, error)
      || !hf_marks_refresh (marks, error))
    return FALSE;
  Unneeded unneeded = { marks, repair->options.progress, 0 };
  gboolean done = hf_objects_visit (repair->store->objects_fd, count_if_unneeded, &unneeded, error);
  *count = unneeded.count;
  return done;
}

static void
look_for_unneeded (HfRepair *repair)
{
  g_autoptr (GError) failed = NULL;
  guint64 count = 0;
  if (hf_repair_any_left (repair))
    return;
  if (!count_unneeded (repair, &count, &failed))
    {
      (void)hf_repair_find_left (repair, HF_REPO_DIR "/" HF_OBJECTS_DIR,
                                 N_ ("cannot be told to be needed or not"), failed->message);
      return;
    }
  if (count == 0)
    return;
  g_autofree char *cause
      = g_strdup_printf (ngettext ("has %lu object that nothing needs",
                                   "has %lu objects that nothing needs", (gulong)count),
                         (gulong)count);
  (void)hf_repair_find (repair, HF_REPO_DIR "/" HF_OBJECTS_DIR, cause, N_ ("is swept"));
  repair->sweep = repair->full = TRUE;
}

/**
 * hf_repair_store:
 * @repair: a repair
 *
 * Locks: takes the repository's, exclusively, for the look at each of these, and `lock`.
 *
 * Returns: %FALSE with @error set if it cannot go on
 */
gboolean
hf_repair_store (HfRepair *repair, GError **error)
{
  HfInstallation *installation = repair->store->installation;
  {
    /* Whoever writes into the repository holds this, shared at least. */
    g_auto (HfLock) lock = HF_LOCK_INIT;
    g_auto (HfLock) change = HF_LOCK_INIT;
    if (!hf_lock_take (installation, HF_LOCK_REPO_PRUNE, &lock, error)
        || !hf_lock_take (installation, HF_LOCK_CHANGE, &change, error)
        || !look_at_each (repair, HF_REPO_STATE, look_at_partial, error)
        || !look_at_each (repair, HF_REPO_TMP, look_at_temporary, error)
        || !look_at_each (repair, HF_REPO_DIR "/" HF_REPO_REFS "/" HF_REPO_DEPLOY_REFS, look_at_ref,
                          error))
      return FALSE;
  }
  if (!hf_branches_visit (installation, look_for_refs, repair, error))
    return FALSE;
  look_for_unneeded (repair);
  return TRUE;
}
