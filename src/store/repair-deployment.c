/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Mending deployments.  One that is damaged is not touched: the same image is built anew, as an
 * install builds it, from what is stored whole and otherwise from its origin, verified like any
 * install; and the new deployment takes the place of the damaged one by the ordinary exchange.  So
 * whoever runs from the damaged one keeps every file that he has, at every instant one of the two is
 * deployed, and whatever cuts the repair short leaves what cuts an install short leaves.
 *
 * A file that was altered in place altered the stored object, too, as they are one inode.  The new
 * deployment brings a new inode; that replaces the stored one, and the old one goes with its last
 * link.  What cannot be had stays as it is.
 */
#include "repair-private.h"

#include "base/error.h"
#include "base/language.h"
#include "build.h"
#include "core/layout.h"
#include "import.h"

#include <string.h>

/* Of one deployment that lost everything, every file is a finding; these are told one by one. */
#define MOST_TOLD 20

static gboolean
looks_in_service (const HfRepair *repair, const HfSubject *subject)
{
  return hf_branch_in_service (repair->store->installation->root_fd, subject->path);
}

static void
say (HfRepair *repair, HfSubject *subject)
{
  g_autofree char *obstacle = hf_subject_obstacle (subject, repair);
  if (obstacle != NULL && repair->lost == NULL && !looks_in_service (repair, subject))
    repair->lost = hf_ref_copy (subject->ref);
  g_autofree char *mending
      = hf_subject_lacks (subject)
            ? g_strdup_printf (_ ("%s is built anew, and what is lost is fetched from remote %s"),
                               subject->ref->full, subject->origin)
            : g_strdup_printf (_ ("%s is built anew from what is stored"), subject->ref->full);
  for (guint i = 0; i < subject->damages->len; i++)
    {
      const HfDamage *damage = subject->damages->pdata[i];
      g_autofree char *thing = strcmp (damage->place, ".") == 0
                                   ? g_strdup (subject->path)
                                   : g_strconcat (subject->path, "/", damage->place, NULL);
      g_autofree char *more
          = i < MOST_TOLD || i + 1 == subject->damages->len
                ? NULL
                : g_strdup_printf (ngettext ("and %u more is damaged", "and %u more are damaged",
                                             subject->damages->len - i),
                                   subject->damages->len - i);
      const char *cause = more != NULL ? more : damage->cause;
      const char *what = more != NULL ? subject->path : thing;
      g_ptr_array_add (subject->findings, obstacle != NULL
                                              ? hf_repair_find_left (repair, what, cause, obstacle)
                                              : hf_repair_find (repair, what, cause, mending));
      if (more != NULL)
        break;
    }
}

static void
add_distrusted (GHashTable *distrusted, const char *name, const HfVerdict *verdict)
{
  if (verdict->health == HF_OBJECT_MISSING)
    return;
  HfCorruptFile *file = g_new0 (HfCorruptFile, 1);
  file->device = verdict->st.st_dev;
  file->inode = verdict->st.st_ino;
  g_hash_table_replace (distrusted, g_strdup (name), file);
}

/* What an import must not take from the store.  Where metadata is lost, what it leads to was not looked at and may be
 * anything that is stored: then all of that is. */
static GHashTable *
distrust (HfRepair *repair, GHashTable *bad, const HfSubject *subject, GError **error)
{
  g_autoptr (GHashTable) distrusted
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GHashTable) corrupt = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  GHashTableIter iter;
  gpointer key, value;
  if (subject->unknown
      && !hf_verify_all (repair->verify, corrupt, repair->options.cancellable, error))
    return NULL;
  g_hash_table_iter_init (&iter, corrupt);
  while (g_hash_table_iter_next (&iter, &key, &value))
    add_distrusted (distrusted, key, value);
  g_hash_table_iter_init (&iter, bad);
  while (g_hash_table_iter_next (&iter, &key, &value))
    add_distrusted (distrusted, key, &((const HfBadObject *)value)->verdict);
  /* A commit that is stored is never scanned for what it lacks, so a fetch must not see it.  To the
   * import this is no file that there is, and so says nothing. */
  HfObjectPath name;
  hf_object_pin_name (name, subject->commit, HF_SUFFIX_COMMIT);
  if (!g_hash_table_contains (distrusted, name))
    g_hash_table_insert (distrusted, g_strdup (name), g_new0 (HfCorruptFile, 1));
  return g_steal_pointer (&distrusted);
}

static gboolean
build_anew (HfRepair *repair, HfSubject *subject, GHashTable *bad, GError **error)
{
  const HfInstallContext context = { .store = repair->store,
                                     .program = repair->options.program,
                                     .progress = repair->options.progress,
                                     .cancellable = repair->options.cancellable };
  g_autoptr (GHashTable) distrusted = distrust (repair, bad, subject, error);
  g_autoptr (HfBuild) build
      = distrusted == NULL ? NULL : hf_build_begin (&context, subject->ref, subject->origin, error);
  if (build == NULL)
    return FALSE;
  build->distrusted = distrusted;
  build->replaces = subject->name;
  build->time = subject->info != NULL ? subject->info->time : 0;
  gboolean imported = hf_subject_lacks (subject) ? hf_install_again (build, subject->commit, error)
                                                 : hf_build_import (build, subject->commit, error);
  return imported && hf_build_publish (build, error);
}

/* Looks again, as others that were mended may have brought what this one needs. */
static gboolean
mend (HfRepair *repair, HfSubject *subject, GError **error)
{
  g_autoptr (GHashTable) bad = hf_bad_objects_new ();
  if (!hf_subject_examine (subject, repair, bad, error))
    return FALSE;
  if (subject->damages->len == 0 && !hf_subject_lacks (subject))
    return TRUE;
  if (subject->findings->len == 0)
    say (repair, subject);
  g_autofree char *obstacle = hf_subject_obstacle (subject, repair);
  if (obstacle != NULL)
    return hf_throw (error, HF_ERROR_DAMAGED, "%s %s", subject->ref->full, obstacle);
  repair->sweep = TRUE;
  return build_anew (repair, subject, bad, error);
}

/* Those of them that look as if they were in service, or the others. */
static void
mend_all (HfRepair *repair, GPtrArray *subjects, gboolean in_service)
{
  for (guint i = 0; i < subjects->len; i++)
    {
      HfSubject *subject = subjects->pdata[i];
      g_autoptr (GError) failed = NULL;
      if ((subject->damages->len == 0 && g_hash_table_size (subject->needs) == 0)
          || looks_in_service (repair, subject) != in_service)
        continue;
      (void)!mend (repair, subject, &failed);
      for (guint j = 0; j < subject->findings->len; j++)
        {
          HfFinding *finding = subject->findings->pdata[j];
          if (failed == NULL || finding->outcome == HF_FINDING_PLANNED)
            hf_finding_settle (finding, failed);
        }
    }
}

/**
 * hf_repair_deployments:
 * @repair: a repair
 *
 * Looks at every image that is deployed, and mends those that are damaged.
 *
 * Locks: see hf_repair_objects() and hf_install_remote().
 *
 * Returns: %FALSE with @error set if it cannot go on
 */
gboolean
hf_repair_deployments (HfRepair *repair, GError **error)
{
  g_autoptr (GHashTable) bad = hf_bad_objects_new ();
  g_autoptr (GPtrArray) subjects = hf_subjects_list (repair, error);
  hf_progress_begin (repair->options.progress, "Verifying", 0);
  for (guint i = 0; subjects != NULL && i < subjects->len; i++)
    {
      HfSubject *subject = subjects->pdata[i];
      if (!hf_subject_examine (subject, repair, bad, error))
        return FALSE;
    }
  if (subjects == NULL || !hf_repair_objects (repair, bad, subjects, error))
    return FALSE;
  for (guint i = 0; i < subjects->len; i++)
    if (((const HfSubject *)subjects->pdata[i])->damages->len > 0)
      say (repair, subjects->pdata[i]);
  /* First what settling would take for unwanted: mending the others sets the mark, and after a crash that has
   * it settled. */
  if (!repair->options.dry_run)
    {
      mend_all (repair, subjects, FALSE);
      mend_all (repair, subjects, TRUE);
    }
  return !g_cancellable_set_error_if_cancelled (repair->options.cancellable, error);
}
