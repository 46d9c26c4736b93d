/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All of exports/ compared with what is deployed, and made so.  This is what follows a crash, a change of the
 * configuration, or a change that could not be carried out whole; and by the same comparison a repair says
 * what is wrong.  What is not ours there stays.
 */
#include "exports-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "branch.h"
#include "layout.h"

#include <errno.h>
#include <string.h>

#define MOST_LEVELS 10 /* deeper than anything that is exported */

/* Owners first: without them nothing is to lead there. */
static const char *const tops[] = { HF_EXPORTS_OWNERS, HF_EXPORT_SHARE, HF_EXPORT_WRAPPERS };

typedef struct
{
  HfExportsChange *change;
  GHashTable *wanted;     /* owned; path below exports/ to ID */
  GHashTable *owners;     /* owned; ID to HfRef */
  GPtrArray *differences; /* not owned; of HfExportDifference */
} Comparison;

static void
difference_free (HfExportDifference *difference)
{
  g_free (difference->path);
  g_free (difference->target);
  g_free (difference);
}

static HfExportDifference *
add_difference (Comparison *comparison, const char *path, const char *cause, char *target)
{
  HfExportDifference *difference = g_new0 (HfExportDifference, 1);
  difference->path = g_strdup (path);
  difference->cause = cause;
  difference->target = target;
  g_ptr_array_add (comparison->differences, difference);
  return difference;
}

static gboolean
collect_id (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  if (hf_ref_is_app (ref))
    (void)g_hash_table_add (data, g_strdup (ref->id));
  return TRUE;
}

/* A name that two IDs could have is the longer one's. */
static void
want (Comparison *comparison, const HfOffer *offer)
{
  const char *id = offer->ref->id;
  g_hash_table_insert (comparison->owners, g_strdup (id), hf_ref_copy (offer->ref));
  for (guint i = 0; offer->names[i] != NULL; i++)
    {
      const char *other = g_hash_table_lookup (comparison->wanted, offer->names[i]);
      if (other == NULL || strlen (other) < strlen (id))
        g_hash_table_insert (comparison->wanted, g_strdup (offer->names[i]), g_strdup (id));
    }
}

static gboolean
collect_wanted (Comparison *comparison, GError **error)
{
  HfInstallation *installation = comparison->change->installation;
  g_autoptr (GHashTable) ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer id;
  gboolean wanted;
  if (!hf_exports_wanted (installation, &wanted, error))
    return FALSE;
  if (!wanted)
    return TRUE;
  if (!hf_branches_visit (installation, collect_id, ids, error))
    return FALSE;
  g_hash_table_iter_init (&iter, ids);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    {
      g_autoptr (HfOffer) offer = NULL;
      if (!hf_offer_choose (installation, id, NULL, &offer, error))
        return FALSE;
      if (offer != NULL)
        want (comparison, offer);
    }
  return TRUE;
}

/* What the link at @path must lead to, and whether what it leads to is a link of ours. */
static char *
wanted_target (const Comparison *comparison, const char *path, const char *present,
               gboolean *out_ours)
{
  if (g_str_has_prefix (path, HF_EXPORTS_OWNERS "/"))
    {
      const char *id = path + strlen (HF_EXPORTS_OWNERS "/");
      const HfRef *ref = g_hash_table_lookup (comparison->owners, id);
      g_autoptr (HfRef) parsed = hf_owner_parse (present, id);
      *out_ours = parsed != NULL;
      return ref == NULL ? NULL : hf_owner_target (ref);
    }
  const char *id = g_hash_table_lookup (comparison->wanted, path);
  g_autofree char *owner = hf_export_link_owner (path, present);
  *out_ours = owner != NULL;
  return id == NULL ? NULL : hf_export_link_target (path, id);
}

/* What there is, is no longer missing, whosever it is. */
static void
note_present (Comparison *comparison, const char *path)
{
  if (g_str_has_prefix (path, HF_EXPORTS_OWNERS "/"))
    (void)g_hash_table_remove (comparison->owners, path + strlen (HF_EXPORTS_OWNERS "/"));
  else
    (void)g_hash_table_remove (comparison->wanted, path);
}

/* No name of an ID leads on where its owner is somebody else's. */
static gboolean
is_of (gpointer path, gpointer id, gpointer data)
{
  return strcmp (id, data) == 0;
}

static void
compare_name (Comparison *comparison, int dfd, const char *path, const char *name)
{
  gboolean ours;
  g_autofree char *present = hf_link_read (dfd, name);
  g_autofree char *target = wanted_target (comparison, path, present, &ours);
  note_present (comparison, path);
  if (strcmp (name, HF_EXPORTS_NEW) == 0)
    (void)add_difference (comparison, path, N_ ("was left by a change"), NULL);
  else if (!ours && target != NULL)
    {
      add_difference (comparison, path, N_ ("is in the place of what is exported"), NULL)->foreign
          = TRUE;
      if (g_str_has_prefix (path, HF_EXPORTS_OWNERS "/"))
        (void)g_hash_table_foreach_remove (comparison->wanted, is_of, (gpointer)name);
    }
  else if (ours && target == NULL)
    (void)add_difference (comparison, path, N_ ("is exported by nothing that is installed"), NULL);
  else if (ours && strcmp (present, target) != 0)
    (void)add_difference (comparison, path, N_ ("leads to another than it must"),
                          g_steal_pointer (&target));
}

static gboolean
compare_directory (Comparison *comparison, const char *path, guint levels, GError **error)
{
  g_autoptr (DIR) dir = NULL;
  g_autoptr (GError) failed = NULL;
  dir = hf_dir_open (comparison->change->fd, path, &failed);
  if (dir == NULL && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
    return TRUE;
  if (dir == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  for (;;)
    {
      struct stat st;
      const struct dirent *entry;
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      g_autofree char *child = g_strconcat (path, "/", entry->d_name, NULL);
      if (fstatat (dirfd (dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        continue;
      if (!S_ISDIR (st.st_mode) || strcmp (path, HF_EXPORTS_OWNERS) == 0)
        compare_name (comparison, dirfd (dir), child, entry->d_name);
      else if (levels > 0 && !compare_directory (comparison, child, levels - 1, error))
        return FALSE;
    }
}

static void
add_missing (Comparison *comparison)
{
  GHashTableIter iter;
  gpointer key, value;
  g_hash_table_iter_init (&iter, comparison->owners);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      g_autofree char *path = hf_owner_path (key);
      (void)add_difference (comparison, path, N_ ("is missing"), hf_owner_target (value));
    }
  g_hash_table_iter_init (&iter, comparison->wanted);
  while (g_hash_table_iter_next (&iter, &key, &value))
    (void)add_difference (comparison, key, N_ ("is missing"), hf_export_link_target (key, value));
}

/* Names that go, owners that come, names that come, owners that go: so that no name leads nowhere. */
enum
{
  NAME_GOES,
  OWNER_COMES,
  NAME_COMES,
  OWNER_GOES,
};

static int
rank (const HfExportDifference *difference)
{
  gboolean owner = g_str_has_prefix (difference->path, HF_EXPORTS_OWNERS "/");
  if (difference->target == NULL)
    return owner ? OWNER_GOES : NAME_GOES;
  return owner ? OWNER_COMES : NAME_COMES;
}

static int
compare_differences (gconstpointer a, gconstpointer b)
{
  const HfExportDifference *left = *(HfExportDifference *const *)a;
  const HfExportDifference *right = *(HfExportDifference *const *)b;
  return rank (left) != rank (right) ? rank (left) - rank (right)
                                     : strcmp (left->path, right->path);
}

static gboolean
compare_all (HfExportsChange *change, GPtrArray *differences, GError **error)
{
  g_autoptr (GHashTable) wanted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GHashTable) owners
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify)hf_ref_free);
  Comparison comparison = { change, wanted, owners, differences };
  if (!collect_wanted (&comparison, error))
    return FALSE;
  for (gsize i = 0; change->fd >= 0 && i < G_N_ELEMENTS (tops); i++)
    if (!compare_directory (&comparison, tops[i], MOST_LEVELS, error))
      return FALSE;
  add_missing (&comparison);
  g_ptr_array_sort (differences, compare_differences);
  return TRUE;
}

/**
 * hf_exports_differences:
 * @installation: an installation
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: (transfer full) (element-type HfExportDifference): what is not as hf_exports_settle() would have
 *   it, in the order in which it is put right, or %NULL with @error set if it cannot be told
 */
GPtrArray *
hf_exports_differences (HfInstallation *installation, GError **error)
{
  HfExportsChange look = { .installation = installation };
  g_autoptr (GPtrArray) differences
      = g_ptr_array_new_with_free_func ((GDestroyNotify)difference_free);
  hf_autofd int fd
      = hf_open_beneath (installation->root_fd, HF_EXPORTS_DIR, O_PATH | O_DIRECTORY, 0);
  look.fd = fd;
  if (fd < 0 && errno != ENOENT)
    {
      (void)hf_throw_at (error, "Cannot open directory %s", installation->root_fd, HF_EXPORTS_DIR);
      return NULL;
    }
  return compare_all (&look, differences, error) ? g_steal_pointer (&differences) : NULL;
}

/* A crash can leave directories empty that were just made, or about to go. */
static void
prune_below (HfExportsChange *change, const char *path, guint levels)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (DIR) dir = hf_dir_open (change->fd, path, &failed);
  const struct dirent *entry = NULL;
  if (dir == NULL && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
    return;
  while (dir != NULL && levels > 0 && hf_dir_next (dir, &entry, &failed) && entry != NULL)
    {
      struct stat st;
      g_autofree char *child = g_strconcat (path, "/", entry->d_name, NULL);
      if (fstatat (dirfd (dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
          && S_ISDIR (st.st_mode))
        prune_below (change, child, levels - 1);
    }
  hf_exports_change_failed (change, failed);
  if (dir != NULL)
    (void)hf_exports_dir_drop (change, path);
}

/**
 * hf_exports_settle:
 * @installation: an installation
 *
 * Makes exports/ as it must be.  In a dry run, only counts what goes.
 *
 * Locks: needs `lock` and the unsettled mark.
 *
 * Returns: whether all of it was done; the mark has to stay if not
 */
gboolean
hf_exports_settle (HfInstallation *installation)
{
  g_auto (HfExportsChange) change = { .fd = -1 };
  g_autoptr (GError) failed = NULL;
  g_autoptr (GPtrArray) differences
      = g_ptr_array_new_with_free_func ((GDestroyNotify)difference_free);
  (void)hf_exports_change_begin (&change, installation, FALSE);
  if (!change.failed && !compare_all (&change, differences, &failed))
    hf_exports_change_failed (&change, failed);
  if (!change.failed && differences->len > 0 && change.fd < 0)
    {
      hf_exports_change_clear (&change);
      (void)hf_exports_change_begin (&change, installation, TRUE);
    }
  for (guint i = 0; change.fd >= 0 && i < differences->len; i++)
    {
      const HfExportDifference *difference = differences->pdata[i];
      /* After an error names only go: whatever else is done could lead nowhere then. */
      if (difference->foreign || (change.failed && rank (difference) != NAME_GOES))
        continue;
      if (difference->target != NULL)
        hf_exports_link_set (&change, difference->path, difference->target);
      else
        hf_exports_link_drop (&change, difference->path);
    }
  for (gsize i = 0; change.fd >= 0 && i < G_N_ELEMENTS (tops); i++)
    prune_below (&change, tops[i], MOST_LEVELS);
  return hf_exports_change_end (&change);
}
