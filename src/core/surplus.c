/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which deployments may be given up, and taking one of them.  What is listed is only a candidate: each is
 * decided on again once its locks are had, since it may have been restored, rolled back to, rooted or locked
 * meanwhile.
 *
 * A previous deployment has its `.ref` locked exclusively before it leaves service, so that one that is held is
 * passed over and stays what it was.  Of what is active that lock is never taken, as it would refuse a launch.
 * Here it refuses at most one that read `active` just before an update, and that one reads it again: under
 * `lock` nothing makes a previous deployment active.  The lock is kept until the deployment is deleted; nobody
 * gets between.
 */
#include "surplus.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "branch.h"
#include "layout.h"
#include "lock.h"
#include "previous.h"
#include "remove.h"
#include "restore.h"
#include "retire.h"
#include "roots.h"
#include "settle.h"
#include "unused.h"

#include <errno.h>
#include <string.h>

/**
 * hf_surplus_free:
 * @surplus: (nullable) (transfer full): a candidate
 */
void
hf_surplus_free (HfSurplus *surplus)
{
  if (surplus == NULL)
    return;
  hf_ref_free (surplus->ref);
  g_free (surplus->name);
  g_free (surplus->entry);
  g_free (surplus->unfit);
  g_free (surplus);
}

static HfSurplus *
add_surplus (GPtrArray *list, HfSurplusKind kind, const HfRef *ref, const char *name, gint64 since)
{
  HfSurplus *surplus = g_new0 (HfSurplus, 1);
  surplus->kind = kind;
  surplus->ref = hf_ref_copy (ref);
  surplus->name = g_strdup (name);
  surplus->since = since;
  g_ptr_array_add (list, surplus);
  return surplus;
}

/* --- What there is ---------------------------------------------------------------------------- */

static gboolean
list_removed (HfInstallation *installation, const HfRoots *roots, GPtrArray *list, GError **error)
{
  g_autoptr (GPtrArray) removed = hf_restorable_list (installation, NULL, error);
  for (guint i = removed == NULL ? 0 : removed->len; i-- > 0;)
    {
      const HfRestorable *one = removed->pdata[i];
      const char *name = hf_removed_name_deployment (one->path_name);
      if (hf_roots_find (roots, name) != NULL)
        continue;
      HfSurplus *surplus
          = add_surplus (list, HF_SURPLUS_REMOVED, one->ref, name, one->removed * G_USEC_PER_SEC);
      surplus->entry = g_strdup (one->path_name);
    }
  return removed != NULL;
}

typedef struct
{
  HfInstallation *installation;
  const HfRoots *roots;
  GPtrArray *list;
} Listing;

/* Beside what is active and cannot be read, what was there before may be all that there is: that is said, and
 * it stays. */
static gboolean
list_previous (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  Listing *listing = data;
  g_autoptr (GError) failed = NULL;
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  g_autoptr (HfDeployed) deployed = hf_deployed_get (listing->installation, ref, &failed);
  g_autoptr (GPtrArray) previous
      = hf_previous_list (branch_fd, deployed != NULL ? deployed->name : active, error);
  for (guint i = 0; previous != NULL && i < previous->len; i++)
    {
      const HfPrevious *one = previous->pdata[i];
      if (hf_roots_find (listing->roots, one->name) != NULL)
        continue;
      HfSurplus *surplus
          = add_surplus (listing->list, HF_SURPLUS_PREVIOUS, ref, one->name,
                         (gint64)one->left.tv_sec * G_USEC_PER_SEC + one->left.tv_nsec / 1000);
      if (deployed == NULL)
        surplus->unfit = g_strdup_printf (_ ("what is active cannot be read: %s"), failed->message);
    }
  return previous != NULL;
}

/* What cannot be told of another installation must not keep anything else from being given up. */
static gboolean
list_unused (HfInstallation *installation, GPtrArray *list, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GPtrArray) unused = hf_unused_list (installation, &failed);
  if (hf_error_is (failed, HF_ERROR_DAMAGED))
    {
      g_printerr (_ ("holdfast: No runtime is given up: %s\n"), failed->message);
      return TRUE;
    }
  if (unused == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  for (guint i = 0; i < unused->len; i++)
    {
      const HfDeployed *one = unused->pdata[i];
      add_surplus (list, HF_SURPLUS_UNUSED, one->ref, one->name, one->info->time * G_USEC_PER_SEC);
    }
  return TRUE;
}

static int
compare_surplus (gconstpointer a, gconstpointer b)
{
  const HfSurplus *left = *(HfSurplus *const *)a;
  const HfSurplus *right = *(HfSurplus *const *)b;
  return left->since != right->since ? (left->since < right->since ? -1 : 1) : 0;
}

/**
 * hf_surplus_list:
 * @installation: an installation
 * @kind: of which kind
 *
 * Locks: none; each is decided on again when it is taken.
 *
 * Returns: (transfer full) (element-type HfSurplus): what may be given up, what is so longest first, or %NULL
 *   with @error set
 */
GPtrArray *
hf_surplus_list (HfInstallation *installation, HfSurplusKind kind, GError **error)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_surplus_free);
  g_autoptr (HfRoots) roots = hf_roots_load (installation, error);
  Listing listing = { installation, roots, list };
  if (roots == NULL
      || (kind == HF_SURPLUS_REMOVED && !list_removed (installation, roots, list, error))
      || (kind == HF_SURPLUS_PREVIOUS
          && !hf_branches_visit (installation, list_previous, &listing, error))
      || (kind == HF_SURPLUS_UNUSED && !list_unused (installation, list, error)))
    return NULL;
  g_ptr_array_sort (list, compare_surplus); /* stable: what is as old keeps its order */
  return g_steal_pointer (&list);
}

/* --- Taking one ------------------------------------------------------------------------------- */

/* Why it stays. */
typedef struct
{
  char **why;          /* (out) (transfer full) */
  HfTrashEntry **held; /* (out) (transfer full): if its lock was refused */
} Passed;

static gboolean
pass_over (const Passed *passed, const char *why)
{
  *passed->why = g_strdup (hf_text (why));
  return TRUE;
}

/* Hands a locked entry on if that is what it is, and if no root names it: with its `.ref` locked exclusively,
 * none comes to. */
static gboolean
judge (HfInstallation *installation, HfTrashOutcome outcome, HfTrashEntry *taken, const char *name,
       HfTrashEntry **out, const Passed *passed, GError *failed, GError **error)
{
  g_autoptr (HfTrashEntry) entry = taken;
  if (outcome == HF_TRASH_EXHAUSTED)
    {
      g_propagate_prefixed_error (error, g_error_copy (failed), "%s: ", entry->path);
      return FALSE;
    }
  if (outcome == HF_TRASH_HELD)
    {
      *passed->held = g_steal_pointer (&entry);
      return pass_over (passed, N_ ("it is in use"));
    }
  if (outcome == HF_TRASH_DAMAGED)
    return pass_over (passed, failed->message);
  if (outcome == HF_TRASH_GONE || entry->state != HF_STATE_SETTLED)
    return pass_over (passed, N_ ("it is gone by now"));
  g_autoptr (HfRoots) roots = hf_roots_load (installation, error);
  if (roots == NULL)
    return FALSE;
  const HfRoot *root = hf_roots_find (roots, name);
  if (root == NULL)
    {
      *out = g_steal_pointer (&entry);
      return TRUE;
    }
  g_autofree char *why = g_strdup_printf (_ ("root %s keeps it by now"), root->path);
  return pass_over (passed, why);
}

static gboolean
take_removed (HfInstallation *installation, const char *name, const char *entry_name,
              GPtrArray *entries, const Passed *passed, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autofree char *path = g_strconcat (HF_REMOVED_DIR "/", entry_name, NULL);
  HfTrashEntry *taken = NULL;
  HfTrashEntry *entry = hf_trash_entry_new_at (installation, path);
  HfTrashOutcome outcome = hf_trash_entry_lock (entry, &failed);
  if (!judge (installation, outcome, entry, name, &taken, passed, failed, error))
    return FALSE;
  if (taken != NULL)
    g_ptr_array_add (entries, taken);
  return TRUE;
}

/* Whether it is a previous deployment still; what it is by now else. */
static gboolean
is_previous (HfInstallation *installation, const HfSurplus *surplus, int branch_fd, gboolean *out,
             const Passed *passed, GError **error)
{
  g_autofree char *active = NULL;
  *out = FALSE;
  if (!hf_active_read (installation, surplus->ref, &active, error))
    return FALSE;
  if (g_strcmp0 (active, surplus->name) == 0)
    return pass_over (passed, N_ ("it is active by now"));
  g_autoptr (GPtrArray) list = active == NULL || branch_fd < 0
                                   ? g_ptr_array_new ()
                                   : hf_previous_list (branch_fd, active, error);
  for (guint i = 0; list != NULL && i < list->len && !*out; i++)
    *out = strcmp (((const HfPrevious *)list->pdata[i])->name, surplus->name) == 0;
  if (list != NULL && !*out)
    (void)pass_over (passed, N_ ("it is gone by now"));
  return list != NULL;
}

/* The entry is now where the exchange has put it, and we have it locked still. */
static void
move_entry (HfTrashEntry *entry, char *entry_name)
{
  if (entry_name == NULL)
    {
      entry->in_place = TRUE;
      entry->state = HF_STATE_RETIRED;
      return;
    }
  g_free (entry->path);
  entry->path = g_strconcat (HF_REMOVED_DIR "/", entry_name, NULL);
  entry->name = strrchr (entry->path, '/') + 1;
  g_free (entry_name);
}

static gboolean
retire_previous (HfInstallation *installation, const HfSurplus *surplus, HfTrashEntry **out,
                 gboolean *pending, const Passed *passed, GError **error)
{
  gboolean is, in_place;
  g_autoptr (GError) failed = NULL;
  g_autoptr (HfTrashEntry) taken = NULL;
  char *entry_name = NULL;
  hf_autofd int branch_fd
      = hf_open_beneath (installation->deploy_fd, surplus->ref->full, O_PATH | O_DIRECTORY, 0);
  if (branch_fd < 0 && errno != ENOENT)
    return hf_throw_at (error, "Cannot open %s", installation->deploy_fd, surplus->ref->full);
  if (!is_previous (installation, surplus, branch_fd, &is, passed, error))
    return FALSE;
  if (!is)
    return TRUE;
  g_autofree char *path
      = g_strconcat (HF_DEPLOY_DIR "/", surplus->ref->full, "/", surplus->name, NULL);
  HfTrashEntry *entry = hf_trash_entry_new_at (installation, path);
  HfTrashOutcome outcome = hf_trash_entry_lock_previous (entry, &failed);
  if (!judge (installation, outcome, entry, surplus->name, &taken, passed, failed, error))
    return FALSE;
  if (taken == NULL)
    return TRUE;
  /* A crash after this leaves an entry in removed/ like that of any removal. */
  if (!hf_retire_deployment (installation, surplus->ref, branch_fd, surplus->name, &entry_name,
                             &in_place, error))
    return FALSE;
  move_entry (taken, entry_name);
  *pending |= in_place;
  *out = g_steal_pointer (&taken);
  return TRUE;
}

/* In a dry run what is in service is only asked about. */
static gboolean
look_at_leaving (HfInstallation *installation, const HfRef *ref, const char *name,
                 GPtrArray *entries, const Passed *passed, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autofree char *path = g_strconcat (HF_DEPLOY_DIR "/", ref->full, "/", name, NULL);
  HfTrashEntry *taken = NULL;
  HfTrashEntry *entry = hf_trash_entry_new_leaving (installation, path);
  HfTrashOutcome outcome = hf_trash_entry_lock (entry, &failed);
  if (!judge (installation, outcome, entry, name, &taken, passed, failed, error))
    return FALSE;
  if (taken != NULL)
    g_ptr_array_add (entries, taken);
  return TRUE;
}

static gboolean
take_previous (HfInstallation *installation, const HfSurplus *surplus, GPtrArray *entries,
               const Passed *passed, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_autoptr (HfTrashEntry) entry = NULL;
  gboolean pending;
  if (hf_ledger_is_dry (installation->ledger))
    return look_at_leaving (installation, surplus->ref, surplus->name, entries, passed, error);
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
      || !hf_change_begin (installation, &pending, error)
      || !retire_previous (installation, surplus, &entry, &pending, passed, error)
      || !hf_change_end (installation, pending, error))
    return FALSE;
  if (entry != NULL)
    g_ptr_array_add (entries, g_steal_pointer (&entry));
  return TRUE;
}

static gboolean
look_at_unused (HfInstallation *installation, const HfSurplus *surplus, const GPtrArray *names,
                GPtrArray *entries, const Passed *passed, GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (!hf_unused_check (installation, surplus->ref, &failed))
    return pass_over (passed, failed->message);
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *why = NULL;
      g_autoptr (HfTrashEntry) held = NULL;
      const Passed ignored = { &why, &held };
      if (!look_at_leaving (installation, surplus->ref, names->pdata[i], entries, &ignored, error))
        return FALSE;
    }
  return TRUE;
}

/* What was deployed of it is found again by its names.  Whatever of it cannot be locked now, somebody holds
 * who came after the look of hf_unused_list(): the next sweep tells of it. */
static gboolean
take_unused (HfInstallation *installation, const HfSurplus *surplus, GPtrArray *entries,
             const Passed *passed, GError **error)
{
  g_autoptr (GError) failed = NULL;
  hf_autofd int branch_fd
      = hf_open_beneath (installation->deploy_fd, surplus->ref->full, O_PATH | O_DIRECTORY, 0);
  g_autoptr (GPtrArray) names
      = branch_fd < 0 ? g_ptr_array_new () : hf_branch_deployments (branch_fd, error);
  if (names == NULL)
    return FALSE;
  if (hf_ledger_is_dry (installation->ledger))
    return look_at_unused (installation, surplus, names, entries, passed, error);
  if (!hf_remove_unused (installation, surplus->ref, &failed))
    {
      if (hf_error_is (failed, HF_ERROR_IN_USE) || hf_error_is (failed, HF_ERROR_NOT_FOUND)
          || hf_error_is (failed, HF_ERROR_DAMAGED))
        return pass_over (passed, failed->message);
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  g_autoptr (GPtrArray) removed = hf_restorable_list (installation, NULL, error);
  for (guint i = 0; removed != NULL && i < removed->len; i++)
    {
      const HfRestorable *one = removed->pdata[i];
      const char *name = hf_removed_name_deployment (one->path_name);
      g_autofree char *why = NULL;
      g_autoptr (HfTrashEntry) held = NULL;
      const Passed ignored = { &why, &held };
      if (g_ptr_array_find_with_equal_func (names, name, g_str_equal, NULL)
          && !take_removed (installation, name, one->path_name, entries, &ignored, error))
        return FALSE;
    }
  return removed != NULL;
}

/**
 * hf_surplus_take:
 * @installation: an installation
 * @surplus: from hf_surplus_list()
 * @entries: (element-type HfTrashEntry): what is to be deleted now is added to it: out of service, and locked
 * @out_why: (out) (transfer full) (nullable): why it stays as it was, or %NULL if it does not
 * @out_held: (out) (transfer full) (nullable): if somebody holds it, with `ref_fd` open
 *
 * Takes it out of service, if it may still be given up.
 *
 * Locks: takes `lock`, and under it the deployment's `.ref`, exclusively and without waiting.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_surplus_take (HfInstallation *installation, const HfSurplus *surplus, GPtrArray *entries,
                 char **out_why, HfTrashEntry **out_held, GError **error)
{
  const Passed passed = { out_why, out_held };
  *out_why = NULL;
  *out_held = NULL;
  if (surplus->unfit != NULL)
    return pass_over (&passed, surplus->unfit);
  switch (surplus->kind)
    {
    case HF_SURPLUS_REMOVED:
      return take_removed (installation, surplus->name, surplus->entry, entries, &passed, error);
    case HF_SURPLUS_PREVIOUS:
      return take_previous (installation, surplus, entries, &passed, error);
    case HF_SURPLUS_UNUSED:
      return take_unused (installation, surplus, entries, &passed, error);
    default:
      g_assert_not_reached ();
    }
}
