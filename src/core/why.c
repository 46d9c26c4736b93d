/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finding the reasons.  What a sweep would do before it looks at entries, dropping roots that ended and
 * settling, is looked at through the ledger of a dry run.
 */
#include "why.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "base/ofd-lock.h"
#include "branch.h"
#include "deployed.h"
#include "layout.h"
#include "previous.h"
#include "ref-glob.h"
#include "runtime.h"
#include "settle.h"

#include <errno.h>
#include <string.h>

#define METADATA_LIMIT (128 * 1024 * 1024) /* bytes; libostree's own limit */
#define CHECKSUM_BYTES (HF_OBJECT_NAME_BYTES / 2)

static void
reason_free (HfWhyReason *reason)
{
  g_free (reason->text);
  g_free (reason->where);
  g_clear_pointer (&reason->holders, g_ptr_array_unref);
  g_free (reason);
}

static void
subject_free (HfWhySubject *subject)
{
  g_free (subject->path);
  hf_deployment_info_free (subject->info);
  g_ptr_array_unref (subject->reasons);
  g_free (subject);
}

static HfWhyReason *
add_reason (HfWhySubject *subject, HfWhyCode code, const char *text)
{
  HfWhyReason *reason = g_new0 (HfWhyReason, 1);
  reason->code = code;
  reason->text = g_strdup (text);
  g_ptr_array_add (subject->reasons, reason);
  return reason;
}

static HfWhySubject *
add_subject (HfWhy *why, const char *path)
{
  HfWhySubject *subject = g_new0 (HfWhySubject, 1);
  subject->path = g_strdup (path);
  const char *name = strrchr (subject->path, '/') + 1;
  const char *deployment = hf_removed_name_deployment (name);
  subject->name = deployment != NULL ? deployment : name;
  subject->reasons = g_ptr_array_new_with_free_func ((GDestroyNotify)reason_free);
  g_ptr_array_add (why->subjects, subject);
  return subject;
}

static gboolean
is_empty (int dir_fd)
{
  g_autoptr (DIR) dir = hf_dir_open (dir_fd, ".", NULL);
  const struct dirent *entry = NULL;
  return dir != NULL && hf_dir_next (dir, &entry, NULL) && entry == NULL;
}

/* Reads what it is, and asks about its lock.  What a sweep would call damaged is a reason. */
static void
look_at (HfWhy *why, HfWhySubject *subject, int dir_fd, gboolean staging)
{
  struct stat st;
  g_autoptr (GError) failed = NULL;
  hf_autofd int fd = hf_open_beneath (dir_fd, HF_REF_FILE, O_RDONLY | O_NONBLOCK, 0);
  if (fd < 0 && errno == ENOENT && is_empty (dir_fd))
    return;
  if (fd < 0 || fstat (fd, &st) != 0 || !S_ISREG (st.st_mode))
    {
      (void)add_reason (subject, HF_WHY_DAMAGED, _ ("its lock cannot be looked at"));
      return;
    }
  if (!hf_deployment_get_state (dir_fd, &subject->state, &failed))
    subject->state = HF_STATE_ABSENT;
  else if (subject->state != HF_STATE_ABSENT)
    subject->info = hf_deployment_read (dir_fd, &failed);
  if (failed != NULL)
    (void)add_reason (subject, HF_WHY_DAMAGED, failed->message);
  if (!hf_holders_is_held (why->holders, fd))
    return;
  HfWhyCode code = staging ? HF_WHY_BUILDING : HF_WHY_HELD;
  HfWhyReason *reason
      = add_reason (subject, hf_ofd_held_exclusively (fd) ? HF_WHY_SWEEPING : code, NULL);
  reason->holders = why->holders == NULL ? NULL : hf_holders_of (why->holders, fd, NULL);
}

static void
add_roots (const HfWhy *why, HfWhySubject *subject)
{
  const GPtrArray *all = why->keep->roots->all;
  if (why->keep->roots->unread != NULL)
    add_reason (subject, HF_WHY_ROOT, NULL)->root = why->keep->roots->unread;
  for (guint i = 0; i < all->len; i++)
    if (strcmp (((const HfRoot *)all->pdata[i])->deployment, subject->name) == 0)
      add_reason (subject, HF_WHY_ROOT, NULL)->root = all->pdata[i];
}

/* What is out of service, or would be when a sweep comes to it. */
static void
add_entry (HfWhy *why, HfTrashEntry *entry)
{
  HfKeepReason kept;
  hf_autofd int fd
      = hf_open_beneath (why->installation->root_fd, entry->path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    return;
  HfWhySubject *subject = add_subject (why, entry->path);
  look_at (why, subject, fd, entry->staging);
  if (!hf_keep_keeps (why->keep, entry, &kept))
    return;
  if (kept.root != NULL)
    add_roots (why, subject);
  else
    add_reason (subject, HF_WHY_SPARED, NULL)->until = kept.until;
}

typedef struct
{
  HfWhy *why;
  HfRetention retention; /* its roots are the other's */
  const GPtrArray *leaving;
} Branches;

static gboolean
is_among (const GPtrArray *paths, const char *path)
{
  return g_ptr_array_find_with_equal_func ((GPtrArray *)paths, path, g_str_equal, NULL);
}

/* What is in service, and stays there. */
static void
add_deployment (HfWhy *why, const char *path, const char *active, GHashTable *kept)
{
  hf_autofd int fd = hf_open_beneath (why->installation->root_fd, path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    return;
  HfWhySubject *subject = add_subject (why, path);
  look_at (why, subject, fd, FALSE);
  guint others = subject->reasons->len;
  add_roots (why, subject);
  gboolean rooted = subject->reasons->len > others;
  if (g_strcmp0 (subject->name, active) == 0)
    (void)add_reason (subject, HF_WHY_ACTIVE, NULL);
  else if (kept != NULL && !rooted && g_hash_table_contains (kept, subject->name))
    (void)add_reason (subject, HF_WHY_PREVIOUS, NULL);
  else if (!rooted)
    (void)add_reason (subject, HF_WHY_PENDING, NULL);
}

/* What lies there out of service is an entry, and listed with these. */
static gboolean
is_entry (const HfWhy *why, const char *path)
{
  for (guint i = 0; i < why->subjects->len; i++)
    if (strcmp (((const HfWhySubject *)why->subjects->pdata[i])->path, path) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
add_branch (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  Branches *branches = data;
  HfWhy *why = branches->why;
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  g_autoptr (GHashTable) kept
      = active == NULL ? NULL : hf_previous_kept (branch_fd, active, &branches->retention, NULL);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      g_autofree char *path = g_build_filename (HF_DEPLOY_DIR, ref->full, names->pdata[i], NULL);
      if (!is_entry (why, path) && !is_among (branches->leaving, path))
        add_deployment (why, path, active, kept);
    }
  return names != NULL;
}

/* Nobody but the owner lists what is out of service; what the others can see is in deploy/. */
static gboolean
add_entries (HfWhy *why, const GPtrArray *leaving, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GPtrArray) entries = hf_trash_list (why->installation, &failed);
  if (entries == NULL && errno != EACCES)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  for (guint i = 0; entries != NULL && i < entries->len; i++)
    add_entry (why, entries->pdata[i]);
  for (guint i = 0; i < leaving->len; i++)
    {
      g_autoptr (HfTrashEntry) entry
          = hf_trash_entry_new_leaving (why->installation, leaving->pdata[i]);
      if (!is_entry (why, entry->path))
        add_entry (why, entry);
    }
  return TRUE;
}

static const HfRef *
runtime_of (const HfWhySubject *subject)
{
  return subject->info != NULL && !hf_ref_is_app (subject->info->ref) ? subject->info->ref : NULL;
}

static gboolean
is_active (const HfWhySubject *subject)
{
  for (guint i = 0; i < subject->reasons->len; i++)
    if (((const HfWhyReason *)subject->reasons->pdata[i])->code == HF_WHY_ACTIVE)
      return TRUE;
  return FALSE;
}

/* Why a runtime is not unused.  By itself that keeps no deployment of it. */
static void
add_needs (const HfWhy *why)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GPtrArray) elsewhere = hf_runtime_dependents (why->installation, &failed);
  for (guint i = 0; i < why->subjects->len; i++)
    {
      HfWhySubject *subject = why->subjects->pdata[i];
      const HfRef *runtime = is_active (subject) ? runtime_of (subject) : NULL;
      if (runtime == NULL)
        continue;
      for (guint j = 0; j < why->subjects->len; j++)
        {
          const HfWhySubject *app = why->subjects->pdata[j];
          if (app->info != NULL && is_active (app)
              && g_strcmp0 (app->info->runtime, runtime->full) == 0)
            (void)add_reason (subject, HF_WHY_NEEDED, app->info->ref->full);
        }
      if (elsewhere == NULL)
        (void)add_reason (subject, HF_WHY_UNTOLD, failed->message);
      for (guint j = 0; elsewhere != NULL && j < elsewhere->len; j++)
        {
          const HfDependent *app = elsewhere->pdata[j];
          if (strcmp (app->deployed->info->runtime, runtime->full) == 0)
            add_reason (subject, HF_WHY_NEEDED, app->deployed->ref->full)->where
                = g_strdup (app->where->path);
        }
      const char *pattern = hf_ref_glob_find (why->keep->config->pinned, runtime);
      if (pattern != NULL)
        (void)add_reason (subject, HF_WHY_PINNED, pattern);
    }
}

static gboolean
load (HfWhy *why, GPtrArray *leaving, GError **error)
{
  gboolean marked;
  HfInstallation *installation = why->installation;
  why->keep = hf_keep_load (installation, FALSE, error);
  if (why->keep == NULL || !hf_unsettled_is_marked (installation, &marked, error)
      || !hf_roots_drop_ended (installation, why->keep->roots, leaving, error)
      || !hf_keep_refresh (why->keep, error)
      || (marked && !hf_settle_look (installation, leaving, error)))
    return FALSE;
  hf_roots_check_links (installation, why->keep->roots);
  Branches branches = { .why = why, .leaving = leaving };
  branches.retention
      = (HfRetention){ .most = why->keep->config->keep_previous, .roots = why->keep->roots };
  if (!add_entries (why, leaving, error)
      || !hf_branches_visit (installation, add_branch, &branches, error))
    return FALSE;
  add_needs (why);
  return TRUE;
}

/**
 * hf_why_load:
 * @installation: an installation; it outlives the result
 *
 * Locks: none; the answer may be stale when it is had.  Looks at the links of indirect roots, see
 * hf_root_links_look().
 *
 * Returns: (transfer full): every deployment and entry that there is, with all that keeps it, or %NULL with
 *   @error set
 */
HfWhy *
hf_why_load (HfInstallation *installation, GError **error)
{
  g_autoptr (HfWhy) why = g_new0 (HfWhy, 1);
  g_autoptr (HfLedger) ledger = hf_ledger_new (TRUE, NULL);
  g_autoptr (GPtrArray) leaving = g_ptr_array_new_with_free_func (g_free);
  why->installation = installation;
  why->subjects = g_ptr_array_new_with_free_func ((GDestroyNotify)subject_free);
  why->holders = hf_holders_read (NULL);
  installation->ledger = ledger;
  gboolean loaded = load (why, leaving, error);
  installation->ledger = NULL;
  return loaded ? g_steal_pointer (&why) : NULL;
}

/**
 * hf_why_free:
 * @why: (nullable) (transfer full): reasons
 */
void
hf_why_free (HfWhy *why)
{
  if (why == NULL)
    return;
  hf_keep_free (why->keep);
  hf_holders_free (why->holders);
  g_ptr_array_unref (why->subjects);
  g_free (why);
}

static void
checksum_to_bytes (const char *checksum, guint8 out[CHECKSUM_BYTES])
{
  for (gsize i = 0; i < CHECKSUM_BYTES; i++)
    out[i] = (guint8)(g_ascii_xdigit_value (checksum[2 * i]) << 4
                      | g_ascii_xdigit_value (checksum[2 * i + 1]));
}

/* An object names others by the bytes of their checksums. */
static gboolean
pin_names (int pins_fd, const char *pin, const guint8 checksum[CHECKSUM_BYTES])
{
  gsize length;
  g_autoptr (GBytes) bytes = hf_file_read (pins_fd, pin, METADATA_LIMIT, NULL);
  const void *data = bytes == NULL ? NULL : g_bytes_get_data (bytes, &length);
  return data != NULL && memmem (data, length, checksum, CHECKSUM_BYTES) != NULL;
}

/**
 * hf_why_needs_object:
 * @why: reasons
 * @subject: a deployment or an entry
 * @object: a stored object, its checksum first
 *
 * By its pins, which have all metadata of its commit: what they are, and what they name.
 *
 * Returns: whether @object is a part of @subject's image, and it has not been pruned
 */
gboolean
hf_why_needs_object (const HfWhy *why, const HfWhySubject *subject, const char *object)
{
  guint8 checksum[CHECKSUM_BYTES];
  g_autofree char *path = g_strconcat (subject->path, "/" HF_PINS_DIR, NULL);
  if (subject->state == HF_STATE_PRUNED
      || (subject->state == HF_STATE_ABSENT && subject->reasons->len == 0))
    return FALSE;
  checksum_to_bytes (object, checksum);
  /* A commit names its parent, too, and needs it not. */
  gboolean commit = strncmp (object + HF_OBJECT_NAME_BYTES, ".commit", 7) == 0;
  g_autoptr (DIR) dir = hf_dir_open (why->installation->root_fd, path, NULL);
  const struct dirent *entry = NULL;
  while (dir != NULL && hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      if (strncmp (entry->d_name, object, HF_OBJECT_NAME_BYTES) == 0
          || (!commit
              && (g_str_has_suffix (entry->d_name, ".dirtree")
                  || g_str_has_suffix (entry->d_name, ".commit"))
              && pin_names (dirfd (dir), entry->d_name, checksum)))
        return TRUE;
    }
  return FALSE;
}
