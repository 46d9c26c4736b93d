/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The deployments that are looked at: those in deploy/ that are in service, the active one and others
 * that are kept, and the active one also where it does not look as if it were in service, or is not
 * even there.  The name and place of a deployment say what it must be; its record only adds to that.
 */
#include "repair-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "base/ofd-lock.h"
#include "core/export.h"
#include "core/layout.h"
#include "core/metadata.h"
#include "remotes.h"

#include <errno.h>
#include <string.h>

/**
 * hf_subject_free:
 * @subject: (nullable) (transfer full): a deployment that was looked at
 *
 * Gives its lock up.
 */
void
hf_subject_free (HfSubject *subject)
{
  if (subject == NULL)
    return;
  hf_ref_free (subject->ref);
  g_free (subject->name);
  g_free (subject->path);
  g_free (subject->commit);
  g_free (subject->origin);
  hf_deployment_info_free (subject->info);
  hf_fd_clear (&subject->dir_fd);
  hf_fd_clear (&subject->ref_fd);
  g_ptr_array_unref (subject->damages);
  g_hash_table_unref (subject->needs);
  g_ptr_array_unref (subject->findings);
  g_free (subject);
}

typedef struct
{
  HfRepair *repair;
  GPtrArray *subjects;
} Collect;

static HfSubject *
add_subject (Collect *collect, const HfRef *ref, const char *name)
{
  HfSubject *subject = g_new0 (HfSubject, 1);
  subject->ref = hf_ref_copy (ref);
  subject->name = g_strdup (name);
  subject->path = g_strconcat (HF_DEPLOY_DIR "/", ref->full, "/", name, NULL);
  (void)hf_deployment_name_parse (name, &subject->commit, NULL);
  subject->dir_fd = subject->ref_fd = -1;
  subject->damages = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_damage_free);
  subject->needs = g_hash_table_new (NULL, NULL);
  subject->findings = g_ptr_array_new ();
  g_ptr_array_add (collect->subjects, subject);
  return subject;
}

/* One that is out of service in place is a sweeper's.  Without `deployment` or with one that means
 * nothing, only the active one is known not to be. */
static gboolean
is_wanted (int branch_fd, const char *name, gboolean active)
{
  struct stat st;
  HfDeploymentState state;
  if (fstatat (branch_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR (st.st_mode))
    return FALSE;
  hf_autofd int fd = hf_open_beneath (branch_fd, name, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 || !hf_deployment_get_state (fd, &state, NULL))
    return active;
  return hf_state_in_service (state) || (active && state == HF_STATE_ABSENT);
}

static gboolean
collect_branch (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  Collect *collect = data;
  struct stat st;
  gboolean any = FALSE;
  if (!hf_repair_wants (collect->repair, ref))
    return TRUE;
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    if (is_wanted (branch_fd, names->pdata[i], g_strcmp0 (names->pdata[i], active) == 0))
      {
        (void)add_subject (collect, ref, names->pdata[i]);
        any = TRUE;
      }
  /* With another one in service, `active` is made to name that. */
  if (!any && active != NULL && hf_deployment_name_parse (active, NULL, NULL)
      && fstatat (branch_fd, active, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT
      && !collect->repair->settle)
    (void)add_subject (collect, ref, active);
  return names != NULL;
}

/**
 * hf_subjects_list:
 * @repair: a repair
 *
 * Returns: (transfer full) (element-type HfSubject): what is to be looked at, or %NULL with @error
 * set
 */
GPtrArray *
hf_subjects_list (HfRepair *repair, GError **error)
{
  g_autoptr (GPtrArray) subjects = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_subject_free);
  Collect collect = { repair, subjects };
  if (!hf_branches_visit (repair->store->installation, collect_branch, &collect, error))
    return NULL;
  return g_steal_pointer (&subjects);
}

/* Without it nobody can hold the deployment, and what a sweep could tell by it is lost. */
static void
examine_ref (HfSubject *subject, HfRepair *repair)
{
  struct stat st;
  g_autofree char *thing = g_strconcat (subject->path, "/" HF_REF_FILE, NULL);
  if (fstatat (subject->dir_fd, HF_REF_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
    {
      hf_damage_add (subject->damages, HF_REF_FILE, "is missing");
      return;
    }
  if (!S_ISREG (st.st_mode))
    {
      hf_damage_add (subject->damages, HF_REF_FILE, "is no regular file");
      return;
    }
  hf_repair_mode (repair, subject->dir_fd, HF_REF_FILE, thing, HF_MODE_REF);
  /* Keeps it from being swept meanwhile; refused by a sweeper who is just at that. */
  hf_fd_clear (&subject->ref_fd);
  subject->ref_fd = hf_open_beneath (subject->dir_fd, HF_REF_FILE, O_RDONLY | O_NONBLOCK, 0);
  if (subject->ref_fd >= 0 && !hf_ofd_lock (subject->ref_fd, HF_OFD_SHARED, HF_OFD_TRY))
    hf_fd_clear (&subject->ref_fd);
}

/* What a record that makes no sense as a whole still says of the origin. */
static char *
salvage_origin (HfSubject *subject)
{
  g_autoptr (GBytes) bytes
      = hf_file_read (subject->dir_fd, HF_DEPLOYMENT_FILE, OSTREE_MAX_METADATA_SIZE, NULL);
  gsize length = 0;
  const char *text = bytes == NULL ? NULL : g_bytes_get_data (bytes, &length);
  const char *at = text == NULL ? NULL : g_strstr_len (text, (gssize)length, "\norigin=");
  if (at == NULL)
    return NULL;
  at += strlen ("\norigin=");
  gsize rest = length - (gsize)(at - text), end = 0;
  while (end < rest && at[end] != '\n' && at[end] != '\0')
    end++;
  return end < rest ? g_strndup (at, end) : NULL;
}

/* The only remote that there is, or else the only one that has the ref; then it is nobody's. */
static char *
guess_origin (HfSubject *subject, HfRepair *repair)
{
  g_autofree char *salvaged = subject->dir_fd < 0 ? NULL : salvage_origin (subject);
  g_autoptr (HfRemote) known
      = salvaged == NULL ? NULL : hf_remote_get (repair->store, salvaged, NULL);
  if (known != NULL || g_strcmp0 (salvaged, HF_ORIGIN_LOCAL) == 0)
    return g_steal_pointer (&salvaged);
  g_autoptr (GPtrArray) remotes = hf_remote_list (repair->store, NULL);
  if (remotes != NULL && remotes->len == 1)
    return g_strdup (((const HfRemote *)remotes->pdata[0])->name);
  g_autoptr (HfRemote) remote = NULL;
  g_autoptr (HfRef) found = NULL;
  if (remotes != NULL && remotes->len > 0
      && hf_remote_find (repair->store, NULL, subject->ref, &remote, &found,
                         repair->options.cancellable, NULL))
    return g_strdup (remote->name);
  return g_strdup (HF_ORIGIN_LOCAL);
}

static void
examine_record (HfSubject *subject)
{
  g_autoptr (GError) failed = NULL;
  struct stat st;
  hf_deployment_info_free (subject->info);
  subject->info = NULL;
  if (fstatat (subject->dir_fd, HF_DEPLOYMENT_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
    {
      hf_damage_add (subject->damages, HF_DEPLOYMENT_FILE, "is missing");
      return;
    }
  g_autoptr (HfDeploymentInfo) info = hf_deployment_read (subject->dir_fd, &failed);
  if (info == NULL)
    hf_damage_add (subject->damages, HF_DEPLOYMENT_FILE, "is no record that makes sense");
  else if (hf_ref_compare (info->ref, subject->ref) != 0
           || strcmp (info->commit, subject->commit) != 0)
    hf_damage_add (subject->damages, HF_DEPLOYMENT_FILE, "is the record of something else");
  else
    subject->info = g_steal_pointer (&info);
}

static void
add_damage (const char *place, const char *cause, gpointer data)
{
  hf_damage_add (data, place, cause);
}

/* What an earlier version built has none, and gets it in this way.  What of the image cannot be read is found
 * with the image. */
static void
examine_export (HfSubject *subject, const HfRepair *repair)
{
  g_autoptr (GBytes) bytes
      = hf_file_read (subject->dir_fd, HF_TREE_DIR "/" HF_METADATA_FILE, HF_METADATA_LIMIT, NULL);
  g_autoptr (HfMetadata) metadata
      = bytes == NULL ? NULL : hf_metadata_parse (bytes, subject->ref, NULL);
  g_autofree char *scope = hf_export_scope (repair->store->installation->path);
  if (metadata == NULL || !hf_ref_is_app (subject->ref))
    return;
  const HfExportTarget target = { repair->options.program, scope, subject->ref, metadata->command };
  (void)!hf_export_examine (subject->dir_fd, &target, add_damage, subject->damages, NULL);
}

static gboolean
open_subject (HfSubject *subject, HfRepair *repair, GError **error)
{
  hf_fd_clear (&subject->dir_fd);
  subject->dir_fd = hf_open_beneath (repair->store->installation->root_fd, subject->path,
                                     O_RDONLY | O_DIRECTORY, 0);
  return subject->dir_fd >= 0 || errno == ENOENT || errno == ENOTDIR || errno == ELOOP
         || hf_throw_errno (error, "Cannot open %s", subject->path);
}

/**
 * hf_subject_examine:
 * @subject: a deployment
 * @repair: a repair
 * @bad: (element-type utf8 HfBadObject): objects that are not stored as they should be; added to
 *
 * Looks at all of it, for the first time or again.
 *
 * Locks: takes its `.ref`, shared, without waiting, until @subject is freed.
 *
 * Returns: %FALSE with @error set if it cannot be told
 */
gboolean
hf_subject_examine (HfSubject *subject, HfRepair *repair, GHashTable *bad, GError **error)
{
  g_ptr_array_set_size (subject->damages, 0);
  g_hash_table_remove_all (subject->needs);
  if (!open_subject (subject, repair, error))
    return FALSE;
  if (subject->dir_fd >= 0)
    {
      examine_ref (subject, repair);
      examine_record (subject);
      examine_export (subject, repair);
    }
  else
    hf_damage_add (subject->damages, ".", "is not there");
  g_free (subject->origin);
  subject->origin
      = subject->info != NULL ? g_strdup (subject->info->origin) : guess_origin (subject, repair);
  HfExamination examination = {
    .store = repair->store,
    .verify = repair->verify,
    .path = subject->path,
    .dir_fd = subject->dir_fd,
    .commit = subject->commit,
    .copies = subject->info != NULL && subject->info->copies,
    .bad = bad,
    .damages = subject->damages,
    .needs = subject->needs,
  };
  gboolean examined = hf_examine (&examination, repair->options.cancellable, error);
  subject->unknown = examination.unknown;
  return examined;
}

/**
 * hf_subject_lacks:
 * @subject: a deployment, examined
 *
 * Returns: whether it needs an object that nobody here has whole
 */
gboolean
hf_subject_lacks (const HfSubject *subject)
{
  GHashTableIter iter;
  gpointer bad;
  g_hash_table_iter_init (&iter, subject->needs);
  while (g_hash_table_iter_next (&iter, &bad, NULL))
    if (((const HfBadObject *)bad)->source == NULL
        && ((const HfBadObject *)bad)->verdict.health != HF_OBJECT_WRONG_MODE)
      return TRUE;
  return FALSE;
}

/**
 * hf_subject_obstacle:
 * @subject: a deployment, examined
 * @repair: a repair
 *
 * Returns: (transfer full) (nullable): why what it lacks cannot be had again, as "it …"
 */
char *
hf_subject_obstacle (const HfSubject *subject, const HfRepair *repair)
{
  if (!hf_subject_lacks (subject))
    return NULL;
  if (strcmp (subject->origin, HF_ORIGIN_LOCAL) == 0)
    return g_strdup (
        _ ("stays as it is: it came from a directory or tarball, and what is lost of it is"
           " stored nowhere: uninstall it, sweep, and install it from there again"));
  g_autoptr (HfRemote) remote = hf_remote_get (repair->store, subject->origin, NULL);
  if (remote != NULL)
    return NULL;
  return g_strdup_printf (
      _ ("stays as it is: its remote %s, which has what is lost of it, is not known"
         " any more: add that again with holdfast remote-add and repair again"),
      subject->origin);
}
