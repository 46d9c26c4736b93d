/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entries of the trash.  The rule of all of this: an entry is deleted only by whoever has locked
 * its `.ref` exclusively and has verified, after that, that the entry's name still leads to it and
 * that it is out of service.  A missing or unreadable `.ref` means "damaged", never "free".
 */
#include "trash.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "base/ofd-lock.h"
#include "base/test-hook.h"
#include "base/tree-delete.h"
#include "branch.h"
#include "holders.h"
#include "layout.h"
#include "lock.h"
#include "settle.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/**
 * hf_trash_entry_free:
 * @entry: (nullable) (transfer full): an entry
 *
 * Gives its lock up, if it is held.
 */
void
hf_trash_entry_free (HfTrashEntry *entry)
{
  if (entry == NULL)
    return;
  if (entry->ref_fd >= 0)
    {
      /* The record lock last: until then another sweeper knows that it has met a sweeper. */
      (void)flock (entry->ref_fd, LOCK_UN);
      hf_ofd_unlock (entry->ref_fd);
    }
  hf_fd_clear (&entry->ref_fd);
  hf_fd_clear (&entry->dir_fd);
  hf_deployment_info_free (entry->info);
  g_free (entry->path);
  g_free (entry);
}

static HfTrashEntry *
entry_new (HfInstallation *installation, char *path)
{
  HfTrashEntry *entry = g_new0 (HfTrashEntry, 1);
  entry->installation = installation;
  entry->path = path;
  entry->name = strrchr (path, '/') + 1;
  entry->dir_fd = entry->ref_fd = -1;
  return entry;
}

/**
 * hf_trash_entry_new_at:
 * @installation: an installation
 * @path: of a deployment, below the installation
 *
 * Returns: (transfer full): it as an entry, not yet locked; one in deploy/ is for
 *   hf_trash_entry_lock_previous() only
 */
HfTrashEntry *
hf_trash_entry_new_at (HfInstallation *installation, const char *path)
{
  HfTrashEntry *entry = entry_new (installation, g_strdup (path));
  entry->staging = g_str_has_prefix (path, HF_STAGING_DIR "/");
  return entry;
}

/**
 * hf_trash_entry_new_leaving:
 * @installation: an installation
 * @path: the path of a deployment in service that a sweep would take out of it
 *
 * Returns: (transfer full): an entry of it, for a dry run, not yet locked
 */
HfTrashEntry *
hf_trash_entry_new_leaving (HfInstallation *installation, const char *path)
{
  HfTrashEntry *entry = entry_new (installation, g_strdup (path));
  entry->in_place = entry->leaving = TRUE;
  return entry;
}

static void
add_unless_gone (GPtrArray *entries, HfTrashEntry *entry)
{
  struct stat st;
  HfInstallation *installation = entry->installation;
  if (hf_ledger_is_dry (installation->ledger)
      && hf_ledger_stat (installation->ledger, installation->root_fd, entry->path, &st) != 0)
    hf_trash_entry_free (entry);
  else
    g_ptr_array_add (entries, entry);
}

static gboolean
list_directory (HfInstallation *installation, const char *name, gboolean staging,
                GPtrArray *entries, GError **error)
{
  g_autoptr (DIR) dir = hf_dir_open (installation->root_fd, name, error);
  if (dir == NULL)
    return FALSE;
  for (;;)
    {
      const struct dirent *found;
      if (!hf_dir_next (dir, &found, error))
        return FALSE;
      if (found == NULL)
        return TRUE;
      HfTrashEntry *entry = entry_new (installation, g_strconcat (name, "/", found->d_name, NULL));
      entry->staging = staging;
      add_unless_gone (entries, entry);
    }
}

typedef struct
{
  HfInstallation *installation;
  GPtrArray *entries;
} InPlace;

static gboolean
list_in_place (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  InPlace *list = data;
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      hf_autofd int fd = hf_open_beneath (branch_fd, names->pdata[i], O_PATH | O_DIRECTORY, 0);
      HfDeploymentState state;
      /* A forwarding link, or gone meanwhile; anything else is no reason to pass it over. */
      if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR))
        continue;
      if (fd < 0)
        return hf_throw_errno (error, "Cannot look at %s", (const char *)names->pdata[i]);
      if (hf_deployment_get_state (fd, &state, NULL) && hf_state_in_service (state))
        continue;
      HfTrashEntry *entry
          = entry_new (list->installation,
                       g_strconcat (HF_DEPLOY_DIR "/", ref->full, "/", names->pdata[i], NULL));
      entry->in_place = TRUE;
      add_unless_gone (list->entries, entry);
    }
  return names != NULL;
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(HfTrashEntry *const *)a)->path, (*(HfTrashEntry *const *)b)->path);
}

/**
 * hf_trash_list:
 * @installation: an installation
 *
 * Lists staging/, removed/ and, if the unsettled mark says so, what is out of service in deploy/.
 *
 * Locks: none; what is listed may be gone, and be somebody else's, by the time it is looked at.
 *
 * Returns: (transfer full) (element-type HfTrashEntry): the entries, by path, or %NULL with @error
 *   set
 */
GPtrArray *
hf_trash_list (HfInstallation *installation, GError **error)
{
  g_autoptr (GPtrArray) entries
      = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_trash_entry_free);
  gboolean marked;
  if (!list_directory (installation, HF_STAGING_DIR, TRUE, entries, error)
      || !list_directory (installation, HF_REMOVED_DIR, FALSE, entries, error)
      || !hf_unsettled_is_marked (installation, &marked, error))
    return NULL;
  InPlace in_place = { installation, entries };
  if (marked && !hf_branches_visit (installation, list_in_place, &in_place, error))
    return NULL;
  g_ptr_array_sort (entries, compare_entries);
  return g_steal_pointer (&entries);
}

static gboolean
any_entry (HfInstallation *installation, const char *name, gboolean *out, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (DIR) dir = hf_dir_open (installation->root_fd, name, &failed);
  const struct dirent *found = NULL;
  if (dir == NULL && errno == EACCES)
    return hf_throw_no_permission (installation, error);
  if (dir == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  if (!hf_dir_next (dir, &found, error))
    return FALSE;
  *out = found != NULL;
  return TRUE;
}

/**
 * hf_trash_any:
 * @installation: an installation
 * @removed: (out): whether removed/ has an entry
 * @staging: (out): whether staging/ has one
 *
 * Returns: %FALSE with @error set on failure: no permission, usually
 */
gboolean
hf_trash_any (HfInstallation *installation, gboolean *removed, gboolean *staging, GError **error)
{
  return any_entry (installation, HF_REMOVED_DIR, removed, error)
         && any_entry (installation, HF_STAGING_DIR, staging, error);
}

/**
 * hf_trash_entry_may_be_pruned:
 * @entry: an entry, not necessarily locked
 *
 * Returns: whether it looks like one whose sweeper crashed between prune and end, or cannot be looked
 *   at; only once it is locked is it certain
 */
gboolean
hf_trash_entry_may_be_pruned (const HfTrashEntry *entry)
{
  g_autoptr (GError) failed = NULL;
  HfDeploymentState state;
  hf_autofd int fd
      = hf_open_beneath (entry->installation->root_fd, entry->path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    return errno != ENOENT && errno != ELOOP && errno != ENOTDIR;
  if (!hf_deployment_get_state (fd, &state, &failed))
    return !hf_error_is (failed, HF_ERROR_DAMAGED);
  return state == HF_STATE_PRUNED;
}

/* What is no directory: a symlink is the rest of a removal that crashed before its exchange, or one
 * that was just about to make it.  HF_TRASH_LOCKED says that by now there is a directory. */
static HfTrashOutcome
drop_symlink (HfTrashEntry *entry, GError **error)
{
  HfInstallation *installation = entry->installation;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  struct stat st;
  HF_TEST_HOOK ("symlink-seen");
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return HF_TRASH_DAMAGED;
  /* Under `lock` no removal is under way, so a symlink now is one that stays. */
  if (fstatat (installation->root_fd, entry->path, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return HF_TRASH_GONE;
  if (S_ISLNK (st.st_mode) && !entry->in_place)
    {
      (void)hf_ledger_unlink (installation->ledger, installation->root_fd, entry->path, 0);
      return HF_TRASH_GONE;
    }
  if (S_ISDIR (st.st_mode))
    return HF_TRASH_LOCKED;
  (void)hf_throw (error, HF_ERROR_DAMAGED, "it is not a directory");
  return HF_TRASH_DAMAGED;
}

/* What has become a mount point stays until somebody unmounts it. */
static gboolean
throw_not_removed (GError **error)
{
  return errno == EBUSY ? hf_throw (error, HF_ERROR_DAMAGED,
                                    "it is a mount point: unmount it, then sweep again")
                        : hf_throw_errno (error, "Cannot delete it");
}

/* An entry without `.ref` is one that is just being born, or all but gone: empty in either case. */
static HfTrashOutcome
drop_empty (HfTrashEntry *entry, GError **error)
{
  HfInstallation *installation = entry->installation;
  if (hf_ledger_unlink (installation->ledger, installation->root_fd, entry->path, AT_REMOVEDIR) == 0
      || errno == ENOENT)
    return HF_TRASH_GONE;
  if (errno == EBUSY)
    {
      (void)!throw_not_removed (error);
      return HF_TRASH_DAMAGED;
    }
  (void)hf_throw (error, HF_ERROR_DAMAGED,
                  "it has no %s, so nothing tells whether it is in use: delete it by hand",
                  HF_REF_FILE);
  return HF_TRASH_DAMAGED;
}

/* A shortage of our own says nothing about the entry. */
static HfTrashOutcome
outcome_of_failure (int errsv)
{
  return hf_errno_is_shortage (errsv) ? HF_TRASH_EXHAUSTED : HF_TRASH_DAMAGED;
}

static HfTrashOutcome
throw_failure (const char *what, GError **error)
{
  HfTrashOutcome outcome = outcome_of_failure (errno);
  (void)hf_throw_errno (error, "%s", hf_text (what));
  return outcome;
}

/* From the root, not through the open directory: somebody may have moved it away and put another in its
 * place, by hand.  If it cannot be told, `errno` says why; it is ENOENT if it is so. */
static gboolean
still_named (const HfTrashEntry *entry)
{
  struct stat dir, named_dir, ref, named_ref;
  hf_autofd int fd
      = hf_open_beneath (entry->installation->root_fd, entry->path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 || fstat (fd, &named_dir) != 0 || fstat (entry->dir_fd, &dir) != 0
      || fstatat (fd, HF_REF_FILE, &named_ref, AT_SYMLINK_NOFOLLOW) != 0
      || fstat (entry->ref_fd, &ref) != 0)
    return FALSE;
  errno = ENOENT;
  return hf_stat_same_file (&dir, &named_dir) && hf_stat_same_file (&ref, &named_ref);
}

static HfTrashOutcome
verify (HfTrashEntry *entry, GError **error)
{
  if (!still_named (entry))
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
               ? HF_TRASH_GONE
               : throw_failure (N_ ("Cannot look at it again"), error);
  if (!hf_deployment_get_state (entry->dir_fd, &entry->state, error))
    return HF_TRASH_DAMAGED;
  if (entry->in_place && !entry->leaving && hf_state_in_service (entry->state))
    return HF_TRASH_GONE;
  if (entry->state == HF_STATE_ABSENT)
    return HF_TRASH_LOCKED;
  errno = 0;
  entry->info = hf_deployment_read (entry->dir_fd, error);
  return entry->info != NULL ? HF_TRASH_LOCKED : outcome_of_failure (errno);
}

/* What is in service is only asked about: a lock, even a short one, could refuse a launch. */
static HfTrashOutcome
ask_ref (HfTrashEntry *entry, GError **error)
{
  g_autoptr (HfHolders) holders = hf_holders_read (NULL);
  if (!hf_holders_is_held (holders, entry->ref_fd))
    return verify (entry, error);
  entry->info = hf_deployment_read (entry->dir_fd, NULL);
  return HF_TRASH_HELD;
}

/* Refused by either kind of lock means in use; only both together mean that nobody has it. */
static HfTrashOutcome
lock_ref (HfTrashEntry *entry, GError **error)
{
  struct stat st;
  if (fstat (entry->ref_fd, &st) != 0 || !S_ISREG (st.st_mode))
    {
      (void)hf_throw (error, HF_ERROR_DAMAGED, "its %s is not a regular file", HF_REF_FILE);
      return HF_TRASH_DAMAGED;
    }
  /* The record lock first: only sweepers take it exclusively, so that two of them always know each
   * other by it, and neither is ever taken for a user. */
  if (entry->leaving)
    return ask_ref (entry, error);
  gboolean locked = hf_ofd_lock (entry->ref_fd, HF_OFD_EXCLUSIVE, HF_OFD_TRY)
                    && flock (entry->ref_fd, LOCK_EX | LOCK_NB) == 0;
  if (locked)
    return verify (entry, error);
  if (hf_ofd_refused (errno))
    {
      entry->busy = hf_ofd_held_exclusively (entry->ref_fd);
      hf_ofd_unlock (entry->ref_fd);
      /* For the report only; it is being used, and may be published, restored or deleted under our eyes. */
      entry->info = hf_deployment_read (entry->dir_fd, NULL);
      return entry->busy ? HF_TRASH_GONE : HF_TRASH_HELD;
    }
  (void)hf_throw_errno (error, "Cannot lock its %s", HF_REF_FILE);
  return HF_TRASH_DAMAGED;
}

static HfTrashOutcome
open_and_lock (HfTrashEntry *entry, GError **error)
{
  entry->dir_fd
      = hf_open_beneath (entry->installation->root_fd, entry->path, O_PATH | O_DIRECTORY, 0);
  /* ELOOP, ENOTDIR: it was restored since it was listed, and a symlink leads back. */
  if (entry->dir_fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR))
    return HF_TRASH_GONE;
  if (entry->dir_fd < 0)
    return throw_failure (N_ ("Cannot open it"), error);
  entry->ref_fd = hf_open_beneath (entry->dir_fd, HF_REF_FILE, O_RDWR | O_NONBLOCK, 0);
  if (entry->ref_fd < 0 && errno == ENOENT)
    return drop_empty (entry, error);
  if (entry->ref_fd < 0)
    {
      HfTrashOutcome outcome = outcome_of_failure (errno);
      (void)hf_throw (error, HF_ERROR_DAMAGED,
                      "its %s cannot be opened (%s), so nothing tells whether it is in use",
                      HF_REF_FILE, g_strerror (errno));
      return outcome;
    }
  return lock_ref (entry, error);
}

/**
 * hf_trash_entry_lock:
 * @entry: an entry
 *
 * Tries to make the entry ours to delete, without waiting for its holders.
 *
 * Locks: takes `lock` meanwhile: under it entries of staging/ are born locked, and entries of removed/ are
 * restored, so that the `.ref` of what is active is never locked exclusively, not for a moment.
 * Takes `.ref` exclusively, by flock(2) and as a record lock, until the entry is freed.
 *
 * Returns: %HF_TRASH_LOCKED with `state` and `info` set; %HF_TRASH_EXHAUSTED with @error set; %HF_TRASH_HELD, with `ref_fd` open and not
 *   locked as a record; %HF_TRASH_GONE; or %HF_TRASH_DAMAGED with @error set
 */
HfTrashOutcome
hf_trash_entry_lock (HfTrashEntry *entry, GError **error)
{
  struct stat st;
  if (fstatat (entry->installation->root_fd, entry->path, &st, AT_SYMLINK_NOFOLLOW) != 0)
    {
      if (errno == ENOENT)
        return HF_TRASH_GONE;
      (void)hf_throw_errno (error, "Cannot look at it");
      return HF_TRASH_DAMAGED;
    }
  if (!S_ISDIR (st.st_mode))
    {
      HfTrashOutcome outcome = drop_symlink (entry, error);
      if (outcome != HF_TRASH_LOCKED)
        return outcome;
    }
  g_auto (HfLock) lock = HF_LOCK_INIT;
  errno = 0;
  if (!hf_lock_take (entry->installation, HF_LOCK_CHANGE, &lock, error))
    return outcome_of_failure (errno);
  return open_and_lock (entry, error);
}

/**
 * hf_trash_entry_lock_previous:
 * @entry: a deployment that is in service and not active
 *
 * Tries to make it ours, to take it out of service and delete it.
 *
 * Locks: needs `lock`, under which it cannot become active.  Takes `.ref` as hf_trash_entry_lock() does.
 *
 * Returns: as hf_trash_entry_lock()
 */
HfTrashOutcome
hf_trash_entry_lock_previous (HfTrashEntry *entry, GError **error)
{
  errno = 0;
  return open_and_lock (entry, error);
}

/**
 * hf_trash_entry_delete_tree:
 * @entry: a locked entry whose deletion began, or that was never complete
 *
 * Deletes everything in it but `.ref`, `deployment` and the pins, going on past what cannot be
 * deleted.
 *
 * Locks: needs its `.ref`.
 *
 * Returns: %FALSE with the first thing that stays in @error
 */
gboolean
hf_trash_entry_delete_tree (HfTrashEntry *entry, GError **error)
{
  g_autoptr (DIR) dir = hf_dir_open (entry->dir_fd, ".", error);
  if (dir == NULL)
    return FALSE;
  gboolean all = TRUE;
  for (;;)
    {
      const struct dirent *found;
      if (!hf_dir_next (dir, &found, all ? error : NULL))
        return FALSE;
      if (found == NULL)
        return all;
      if (strcmp (found->d_name, HF_REF_FILE) == 0
          || strcmp (found->d_name, HF_DEPLOYMENT_FILE) == 0
          || strcmp (found->d_name, HF_PINS_DIR) == 0)
        continue;
      if (!hf_tree_delete (entry->dir_fd, found->d_name, entry->installation->ledger,
                           all ? error : NULL))
        all = FALSE;
    }
}

/**
 * hf_trash_entry_delete_rest:
 * @entry: a locked entry whose tree has gone, and that the repository no longer depends on
 *
 * Deletes the pins, the forwarding link, `deployment`, `.ref` and the directory, in that order:
 * until the pins have gone the state says so, and until `.ref` has gone it can be locked.  A crash
 * leaves an entry that the next sweep takes from here.
 *
 * Locks: needs its `.ref`; takes `lock` for a moment.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_trash_entry_delete_rest (HfTrashEntry *entry, GError **error)
{
  HfInstallation *installation = entry->installation;
  HfLedger *ledger = installation->ledger;
  if (!hf_tree_delete (entry->dir_fd, HF_PINS_DIR, ledger, error))
    return FALSE;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return FALSE;
  if (entry->info != NULL && !entry->staging && !entry->in_place
      && !hf_forwarding_drop (installation, entry->info->ref, entry->name, error))
    return FALSE;
  static const char *const last[] = { HF_DEPLOYMENT_FILE, HF_REF_FILE };
  for (gsize i = 0; i < G_N_ELEMENTS (last); i++)
    if (hf_ledger_unlink (ledger, entry->dir_fd, last[i], 0) != 0 && errno != ENOENT)
      return hf_throw_errno (error, "Cannot delete its %s", last[i]);
  if (hf_ledger_remove_dir (ledger, installation->root_fd, entry->path) != 0 && errno != ENOENT)
    return throw_not_removed (error);
  return !entry->in_place || entry->info == NULL
         || hf_branch_prune (installation, entry->info->ref, error);
}
