/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which deployments there are to mark from, and whether new ones came since.  A full prune lets the
 * repository's lock go between its batches, and an import may complete in such a pause: its objects
 * must be marked before the next one is unlinked.  A new deployment can only come through staging/,
 * so the time of that directory's last change tells, together with a second look at the entries
 * that were incomplete.
 */
#include "marks.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/test-hook.h"
#include "core/branch.h"
#include "core/deployment.h"
#include "core/layout.h"
#include "core/lock.h"
#include "core/trash.h"
#include "links-count.h"
#include "marks-private.h"
#include "object.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* Each time something was moved while we looked for it. */
#define RETRIES 64

static void
close_element (gpointer fd)
{
  hf_fd_clear (fd);
}

/* The serial of a deployment, wherever it is: the last part of every name that it has. */
static const char *
serial_of (const char *path)
{
  const char *slash = strrchr (path, '/');
  const char *name = slash != NULL ? slash + 1 : path;
  const char *dot = strrchr (name, '.');
  return dot != NULL ? dot + 1 : name;
}

/**
 * hf_marks_new:
 * @store: the installation's store; it outlives the marks
 * @targets: the entries being swept, which need nothing any more
 * @n_targets: how many
 *
 * Returns: (transfer full): marks with nothing marked yet
 */
HfMarks *
hf_marks_new (HfStore *store, HfSweepTarget *const *targets, gsize n_targets)
{
  HfMarks *marks = g_new0 (HfMarks, 1);
  marks->store = store;
  marks->excluded = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  marks->marked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  marks->trees
      = g_hash_table_new_full (g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
  marks->incomplete = g_array_new (FALSE, FALSE, sizeof (int));
  g_array_set_clear_func (marks->incomplete, close_element);
  for (gsize i = 0; i < n_targets; i++)
    g_hash_table_add (marks->excluded, g_strdup (serial_of (targets[i]->path)));
  return marks;
}

/**
 * hf_marks_free:
 * @marks: (nullable) (transfer full): marks
 */
void
hf_marks_free (HfMarks *marks)
{
  if (marks == NULL)
    return;
  g_hash_table_unref (marks->excluded);
  g_hash_table_unref (marks->marked);
  g_hash_table_unref (marks->trees);
  hf_name_set_clear (&marks->names);
  g_array_unref (marks->incomplete);
  g_free (marks);
}

/**
 * hf_marks_contain:
 * @marks: marks, after hf_marks_refresh()
 * @checksum: 32 bytes
 *
 * Returns: whether an object of that name is needed
 */
gboolean
hf_marks_contain (const HfMarks *marks, const guint8 *checksum)
{
  return hf_name_set_contains (&marks->names, checksum);
}

/**
 * hf_marks_any_copies:
 * @marks: marks, after hf_marks_refresh()
 *
 * Returns: whether some deployment has, or may be about to have, copies where it should have links
 */
gboolean
hf_marks_any_copies (const HfMarks *marks)
{
  return marks->copies || marks->incomplete->len > 0;
}

/* What a link forwards to is listed for itself. */
static void
add_directory (HfInstallation *installation, GPtrArray *paths, char *path)
{
  struct stat st;
  g_autofree char *taken = path;
  if (fstatat (installation->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode))
    g_ptr_array_add (paths, g_steal_pointer (&taken));
}

typedef struct
{
  HfInstallation *installation;
  GPtrArray *paths;
} Listing;

static gboolean
add_branch (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  const Listing *listing = data;
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    add_directory (listing->installation, listing->paths,
                   g_strconcat (HF_DEPLOY_DIR "/", ref->full, "/", names->pdata[i], NULL));
  return names != NULL;
}

/* Under `lock`, so that nothing moves from where we have not looked yet to where we have, and that what
 * is a link is one of what is listed as well. */
static GPtrArray *
list_paths (HfInstallation *installation, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return NULL;
  g_autoptr (GPtrArray) entries = hf_trash_list (installation, error);
  Listing listing = { installation, paths };
  if (entries == NULL || !hf_branches_visit (installation, add_branch, &listing, error))
    return NULL;
  for (guint i = 0; i < entries->len; i++)
    add_directory (installation, paths, g_strdup (((HfTrashEntry *)entries->pdata[i])->path));
  return g_steal_pointer (&paths);
}

/* An entry without `deployment` has nothing in the repository; it may before the next batch. */
static gboolean
note_incomplete (HfMarks *marks, int dir_fd)
{
  int copy = fcntl (dir_fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0)
    return FALSE;
  g_array_append_val (marks->incomplete, copy);
  return TRUE;
}

static gboolean
mark_deployment (HfMarks *marks, const char *path, int dir_fd, GError **error)
{
  HfDeploymentState state;
  g_autoptr (GError) failed = NULL;
  if (!hf_deployment_get_state (dir_fd, &state, &failed))
    return hf_throw (error, HF_ERROR_DAMAGED, "%s: %s", path, failed->message);
  if (state == HF_STATE_ABSENT)
    return note_incomplete (marks, dir_fd)
           || hf_throw_errno (error, "Cannot keep %s in view", path);
  g_hash_table_add (marks->marked, g_strdup (serial_of (path)));
  if (state == HF_STATE_PRUNED)
    return TRUE;
  g_autoptr (HfDeploymentInfo) info = hf_deployment_read (dir_fd, &failed);
  hf_autofd int pins_fd = hf_open_beneath (dir_fd, HF_PINS_DIR, O_RDONLY | O_DIRECTORY, 0);
  /* Of one whose deletion began, the commit may be stored while its tree has gone. */
  marks->copies |= info != NULL
                   && (info->copies || state == HF_STATE_DELETING
                       || hf_links_strange (marks->store, dir_fd, info->commit));
  if (info != NULL && hf_marks_walk (marks, pins_fd, info->commit, &failed))
    return TRUE;
  return hf_throw (error, HF_ERROR_DAMAGED,
                   "Nothing was pruned, as what %s needs cannot be told: %s", path,
                   failed->message);
}

/* Marks what was at @path when it was listed, unless that was done; tells whether it is there no more. */
static gboolean
mark_path (HfMarks *marks, const char *path, gboolean *out_moved, GError **error)
{
  const char *serial = serial_of (path);
  if (g_hash_table_contains (marks->excluded, serial)
      || g_hash_table_contains (marks->marked, serial))
    return TRUE;
  hf_autofd int fd
      = hf_open_beneath (marks->store->installation->root_fd, path, O_RDONLY | O_DIRECTORY, 0);
  if (fd >= 0 && hf_ledger_has_gone (marks->store->installation->ledger, fd))
    return TRUE;
  if (fd >= 0)
    return mark_deployment (marks, path, fd, error);
  /* ELOOP, ENOTDIR: a link to where a removal or a restore has moved it, which the list does not have. */
  if (errno != ENOENT && errno != ELOOP && errno != ENOTDIR)
    return hf_throw_errno (error, "Cannot open %s", path);
  *out_moved = TRUE;
  return TRUE;
}

static gboolean
mark_all (HfMarks *marks, GError **error)
{
  for (guint tries = 0; tries < RETRIES; tries++)
    {
      gboolean moved = FALSE;
      g_autoptr (GPtrArray) paths = list_paths (marks->store->installation, error);
      if (paths == NULL)
        return FALSE;
      HF_TEST_HOOK ("marks-listed");
      g_array_set_size (marks->incomplete, 0);
      for (guint i = 0; i < paths->len; i++)
        if (!mark_path (marks, paths->pdata[i], &moved, error))
          return FALSE;
      if (!moved)
        return TRUE;
    }
  return hf_throw (error, HF_ERROR_FAILED, "Deployments kept moving while they were looked at");
}

static gboolean
before (const struct timespec *a, const struct timespec *b)
{
  return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Remembers when staging/ last changed.  The kernel stamps changes by a coarse clock: only if that
 * has moved on since is a later change sure to have another stamp. */
static gboolean
look_at_staging (HfMarks *marks, gboolean *out_changed, GError **error)
{
  struct timespec now;
  struct stat st;
  if (clock_gettime (CLOCK_REALTIME_COARSE, &now) != 0
      || fstat (marks->store->installation->staging_fd, &st) != 0)
    return hf_throw_errno (error, "Cannot look at %s", HF_STAGING_DIR);
  *out_changed = !marks->stable || st.st_mtim.tv_sec != marks->seen.tv_sec
                 || st.st_mtim.tv_nsec != marks->seen.tv_nsec;
  marks->seen = st.st_mtim;
  marks->stable = before (&st.st_mtim, &now);
  return TRUE;
}

static gboolean
any_completed (const HfMarks *marks)
{
  for (guint i = 0; i < marks->incomplete->len; i++)
    {
      struct stat st;
      int fd = g_array_index (marks->incomplete, int, i);
      if (fstatat (fd, HF_DEPLOYMENT_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return TRUE;
    }
  return FALSE;
}

/**
 * hf_marks_refresh:
 * @marks: marks
 *
 * Marks everything that is needed now: all, the first time, and afterwards what has come since.
 *
 * Locks: needs the repository's, exclusively, from the beginning until the last use of the answer,
 * so that no import is between its first look at an object and its `deployment`.  Takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_DAMAGED if what some deployment needs cannot be told, or another
 *   error; nothing may be pruned then
 */
gboolean
hf_marks_refresh (HfMarks *marks, GError **error)
{
  gboolean changed = TRUE, foreign = FALSE;
  if (!look_at_staging (marks, &changed, error)
      || !hf_links_foreign_refs (marks->store, &foreign, error)
      || (foreign && !hf_marks_walk_foreign (marks, error)))
    return FALSE;
  if ((changed || any_completed (marks)) && !mark_all (marks, error))
    return FALSE;
  hf_name_set_sort (&marks->names);
  return TRUE;
}
