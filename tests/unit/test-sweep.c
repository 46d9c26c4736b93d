/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whole sweeps over what crashes, holders and damage leave, with a store that records what it is
 * asked for and under which locks.
 */
#include "core/sweep.h"

#include "base/ofd-lock.h"
#include "core/holders.h"
#include "sweeping.h"

#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

#define REPO_LOCK HF_REPO_DIR "/" HF_REPO_LOCK

static void
test_idle (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *name = deploy (sweeping->installation, APP, 'a');
  assert_clean (sweeping);
  sweep_counts (sweeping, 0, 0, 0);
  assert_calls (sweeping, "");
}

static void
test_needed (Sweeping *sweeping, gconstpointer data)
{
  gboolean needed = FALSE;
  g_autoptr (HfSweepReport) report = hf_sweep_report_new ();
  set_mark (sweeping->installation);
  g_assert_true (hf_sweep_needed (sweeping->installation, report, &needed, NULL));
  g_assert_true (needed);
  sweep_counts (sweeping, 0, 0, 0);
  assert_clean (sweeping);
  put_dir (sweeping->installation->staging_fd, "x", 0755);
  g_assert_true (hf_sweep_needed (sweeping->installation, report, &needed, NULL));
  g_assert_true (needed);
}

static void
look_at_order (FakeStore *store, const char *call, const HfSweepTarget *target)
{
  int root = store->installation->root_fd;
  gboolean prune = strcmp (call, "release") != 0;
  g_assert_true (is_locked (root, HF_PRUNE_LOCK_FILE));
  g_assert_cmpint (is_locked (root, REPO_LOCK), ==, !prune);
  g_assert_false (is_locked (root, HF_LOCK_FILE));
  g_assert_true (is_locked (target->dir_fd, HF_REF_FILE));
  g_assert_cmpuint (mode_at (target->dir_fd, HF_DEPLOYMENT_FILE), ==, HF_STATE_DELETING);
  g_assert_cmpint (exists (target->dir_fd, HF_TREE_DIR), ==, !prune);
  g_assert_cmpuint (count_names (target->dir_fd, HF_PINS_DIR), ==, 1);
  g_assert_cmpint (target->info->commit[0], ==, 'a');
}

static void
test_order (Sweeping *sweeping, gconstpointer reason)
{
  g_autofree char *path = removed (sweeping->installation, APP, 'a');
  g_autofree char *expected
      = g_strdup_printf ("release %s, %s %s", path, reason == NULL ? "links" : "marks", path);
  sweeping->store->reason = reason;
  sweeping->store->look = look_at_order;
  sweep_counts (sweeping, 1, 0, 0);
  assert_calls (sweeping, expected);
  assert_clean (sweeping);
}

static void
look_for_former (FakeStore *store, const char *call, const HfSweepTarget *target)
{
  if (strcmp (call, "links") != 0)
    return;
  if (store->data != NULL)
    g_assert_false (exists (store->installation->root_fd, store->data));
  g_free (store->data);
  store->data = g_strdup (target->path);
}

/* Else the pins of the one would keep what the other shares with it. */
static void
test_by_links (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *one = removed (sweeping->installation, APP, 'a');
  g_autofree char *two = removed (sweeping->installation, OTHER, 'b');
  sweeping->store->look = look_for_former;
  sweep_counts (sweeping, 2, 0, 0);
  g_assert_nonnull (sweeping->store->data);
  g_clear_pointer (&sweeping->store->data, g_free);
  assert_clean (sweeping);
}

static void
test_by_marks (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *one = removed (sweeping->installation, APP, 'a');
  g_autofree char *two = removed (sweeping->installation, OTHER, 'b');
  sweeping->store->reason = "links are not to be trusted";
  g_autoptr (HfSweepReport) report = sweep (sweeping->installation, sweeping->store);
  g_assert_cmpuint (report->swept, ==, 2);
  g_assert_true (report->full);
  g_assert_cmpstr (report->reason, ==, sweeping->store->reason);
  g_assert_cmpuint (sweeping->store->calls->len, ==, 3);
  assert_clean (sweeping);
}

static void
test_full (Sweeping *sweeping, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfSweepReport) report = hf_sweep_report_new ();
  report->full = TRUE;
  (void)!hf_sweep_all (sweeping->installation, &sweeping->store->table, report, &error);
  g_assert_no_error (error);
  g_assert_true (report->full);
  g_assert_null (report->reason);
  assert_calls (sweeping, "marks");
}

/* --- What crashes leave ----------------------------------------------------------------------- */

static void
test_state (Sweeping *sweeping, gconstpointer data)
{
  HfDeploymentState state = GPOINTER_TO_UINT (data);
  g_autofree char *path = removed (sweeping->installation, APP, 'a');
  g_autofree char *expected = g_strdup_printf ("release %s, links %s", path, path);
  g_autofree char *metadata = g_strconcat (path, "/" HF_TREE_DIR "/" HF_METADATA_FILE, NULL);
  if (state == HF_STATE_DELETING)
    {
      fall_to (sweeping->installation, path, state);
      g_assert_no_errno (unlinkat (sweeping->installation->root_fd, metadata, 0));
    }
  else if (state == HF_STATE_PRUNED)
    make_pruned (sweeping, path);
  sweep_counts (sweeping, 1, 0, 0);
  assert_calls (sweeping, state == HF_STATE_PRUNED ? "" : expected);
  assert_clean (sweeping);
}

static void
look_for_pruned (FakeStore *store, const char *call, const HfSweepTarget *target)
{
  if (strcmp (call, "release") != 0)
    g_assert_false (exists (store->installation->root_fd, store->data));
}

static void
test_pruned_first (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *other = removed (sweeping->installation, APP, 'a');
  g_autofree char *pruned = removed (sweeping->installation, OTHER, 'b');
  g_autofree char *expected = g_strdup_printf ("release %s, links %s", other, other);
  make_pruned (sweeping, pruned);
  sweeping->store->look = look_for_pruned;
  sweeping->store->data = pruned;
  sweep_counts (sweeping, 2, 0, 0);
  assert_calls (sweeping, expected);
  assert_clean (sweeping);
}

static void
test_no_deployment (Sweeping *sweeping, gconstpointer where)
{
  g_autofree char *path = g_strconcat (where, "/" SERIAL, NULL);
  int root = sweeping->installation->root_fd;
  put_dir (root, path, HF_MODE_DIR);
  hf_autofd int dir_fd = open_dir_at (root, path);
  put_file (dir_fd, HF_REF_FILE, "", HF_MODE_REF);
  put_dir (dir_fd, HF_TREE_DIR, HF_MODE_DIR);
  put_file (dir_fd, HF_TREE_DIR "/half", "x", 0644);
  put_dir (dir_fd, HF_PINS_DIR, HF_MODE_DIR);
  put_file (dir_fd, HF_PINS_DIR "/pin", "x", 0644);
  put_file (dir_fd, HF_DEPLOYMENT_FILE_NEW, "half", 0644);
  sweep_counts (sweeping, 1, 0, 0);
  assert_calls (sweeping, "");
  assert_clean (sweeping);
}

static void
test_no_ref (Sweeping *sweeping, gconstpointer data)
{
  int removed_fd = sweeping->installation->removed_fd;
  g_autofree char *good = removed (sweeping->installation, APP, 'a');
  put_dir (removed_fd, "0-empty", HF_MODE_DIR);
  put_dir (removed_fd, "0-full", HF_MODE_DIR);
  put_file (removed_fd, "0-full/file", "x", 0644);
  g_autoptr (HfSweepReport) report = sweep (sweeping->installation, sweeping->store);
  g_assert_cmpuint (report->swept, ==, 1);
  g_assert_cmpuint (report->damaged, ==, 1);
  const HfSweepEntry *damaged = report->entries->pdata[0];
  g_assert_cmpstr (damaged->path, ==, HF_REMOVED_DIR "/0-full");
  g_assert_nonnull (strstr (damaged->reason, HF_REF_FILE));
  g_autofree char *left = only_name (removed_fd, ".");
  g_assert_cmpstr (left, ==, "0-full");
  g_assert_true (exists (removed_fd, "0-full/file"));
}

static void
test_self_symlink (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *name = deploy (sweeping->installation, APP, 'a');
  g_autofree char *entry = hf_removed_name (name);
  g_autofree char *target = g_strconcat ("../../../../../" HF_REMOVED_DIR "/", entry, NULL);
  g_assert_no_errno (symlinkat (target, sweeping->installation->removed_fd, entry));
  set_mark (sweeping->installation);
  sweep_counts (sweeping, 0, 0, 0);
  assert_clean (sweeping);
  g_autofree char *active = active_of (sweeping->installation, APP);
  g_assert_cmpstr (active, ==, name);
}

static void
test_unpublished (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *name = deploy (sweeping->installation, APP, 'a');
  g_autofree char *orphan = deploy_orphan (sweeping->installation, APP, 'b', HF_STATE_COMPLETE);
  set_mark (sweeping->installation);
  sweep_counts (sweeping, 1, 0, 0);
  assert_clean (sweeping);
  g_assert_cmpuint (count_names (sweeping->installation->deploy_fd, APP), ==, 2);
}

static void
test_in_place (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *path = deploy_orphan (sweeping->installation, APP, 'a', GPOINTER_TO_UINT (data));
  set_mark (sweeping->installation);
  g_autofree char *ref = g_strconcat (path, "/" HF_REF_FILE, NULL);
  hf_autofd int fd = openat (sweeping->installation->root_fd, ref, O_RDONLY | O_CLOEXEC);
  g_assert_true (hf_ofd_lock (fd, HF_OFD_SHARED, HF_OFD_TRY));
  sweep_counts (sweeping, 0, 1, 0);
  g_assert_true (is_marked (sweeping->installation));
  hf_ofd_unlock (fd);
  sweep_counts (sweeping, 1, 0, 0);
  assert_clean (sweeping);
  g_assert_false (exists (sweeping->installation->deploy_fd, "app/org.test.App"));
}

/* --- Sweepers that die ------------------------------------------------------------------------ */

static void
die_at (FakeStore *store, const char *call, const HfSweepTarget *target)
{
  if (strcmp (call, store->data) == 0)
    _exit (0);
}

static void
sweep_and_die (gpointer data)
{
  Sweeping *sweeping = data;
  sweeping->store->look = die_at;
  g_autoptr (HfSweepReport) report = sweep (sweeping->installation, sweeping->store);
  _exit (1);
}

static void
test_killed (Sweeping *sweeping, gconstpointer call)
{
  g_autofree char *one = removed (sweeping->installation, APP, 'a');
  g_autofree char *two = removed (sweeping->installation, OTHER, 'b');
  sweeping->store->data = (gpointer)call;
  sweeping->store->reason = strcmp (call, "marks") == 0 ? "links are not to be trusted" : NULL;
  run_child (sweep_and_die, sweeping);
  sweeping->store->data = NULL;
  sweep_counts (sweeping, 2, 0, 0);
  assert_clean (sweeping);
  g_assert_false (exists (sweeping->installation->deploy_fd, "app/org.test.App"));
}

/* --- Holders, damage, numbers ----------------------------------------------------------------- */

typedef struct
{
  Sweeping *sweeping;
  const char *path;
} Hold;

static void
hold_posix (gpointer data)
{
  const Hold *hold = data;
  g_autofree char *ref = g_strconcat (hold->path, "/" HF_REF_FILE, NULL);
  lock_posix_shared (hold->sweeping->installation->root_fd, ref);
}

static void
test_held (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *kept = removed (sweeping->installation, APP, 'a');
  g_autofree char *goes = removed (sweeping->installation, OTHER, 'b');
  g_autofree char *metadata = g_strconcat (kept, "/" HF_TREE_DIR "/" HF_METADATA_FILE, NULL);
  Hold hold = { sweeping, kept };
  pid_t child = child_start (hold_posix, &hold);
  g_autoptr (HfSweepReport) report = sweep (sweeping->installation, sweeping->store);
  g_assert_cmpuint (report->swept, ==, 1);
  g_assert_cmpuint (report->held, ==, 1);
  for (guint i = 0; i < report->entries->len; i++)
    {
      const HfSweepEntry *entry = report->entries->pdata[i];
      if (entry->outcome != HF_SWEEP_HELD)
        continue;
      g_assert_cmpstr (entry->path, ==, kept);
      g_assert_cmpstr (entry->info->ref->full, ==, APP);
      g_assert_cmpuint (entry->holders->len, ==, 1);
      g_assert_cmpint (((const HfHolder *)entry->holders->pdata[0])->pid, ==, child);
    }
  g_assert_true (exists (sweeping->installation->root_fd, metadata));
  g_assert_cmpuint (state_at (sweeping->installation, kept), ==, HF_STATE_SETTLED);
  child_kill (child);
  sweep_counts (sweeping, 1, 0, 0);
  assert_clean (sweeping);
}

static void
sweep_around_mount (gpointer data)
{
  Sweeping *sweeping = data;
  fixture_reopen (&sweeping->base);
  HfInstallation *installation = sweeping->installation = sweeping->base.installation;
  g_autofree char *bad = removed (installation, APP, 'a');
  g_autofree char *good = removed (installation, OTHER, 'b');
  g_autofree char *files = g_strconcat (bad, "/" HF_TREE_DIR "/" HF_FILES_DIR, NULL);
  g_autofree char *pins = g_strconcat (bad, "/" HF_PINS_DIR, NULL);
  g_autofree char *path = g_build_filename (installation->path, files, NULL);
  g_assert_no_errno (mount ("tmpfs", path, "tmpfs", 0, NULL));
  g_autoptr (HfSweepReport) report = sweep (installation, sweeping->store);
  g_assert_cmpuint (report->swept, ==, 1);
  g_assert_cmpuint (report->damaged, ==, 1);
  g_assert_cmpuint (count_names (installation->root_fd, pins), ==, 1);
  g_assert_cmpuint (state_at (installation, bad), ==, HF_STATE_DELETING);
  g_assert_no_errno (umount2 (path, 0));
  sweep_counts (sweeping, 1, 0, 0);
  assert_clean (sweeping);
}

static void
test_undeletable (Sweeping *sweeping, gconstpointer data)
{
  if (skip_unless_root ("only it may mount"))
    return;
  run_in_mounts (sweep_around_mount, sweeping);
}

static void
test_many (Sweeping *sweeping, gconstpointer data)
{
  const guint n = 205;
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', NULL);
  for (guint i = 0; i < n; i++)
    hf_staging_free (stage (sweeping->installation, info));
  sweeping->store->reason = "links are not to be trusted";
  sweep_counts (sweeping, n, 0, 0);
  /* A prune that looks at the whole repository is paid for a hundred at a time. */
  g_assert_cmpuint (sweeping->store->calls->len, ==, n + 3);
  assert_clean (sweeping);
}

static void
sweep_undamaged (gpointer data)
{
  Sweeping *sweeping = data;
  g_autoptr (HfSweepReport) report = sweep (sweeping->installation, sweeping->store);
  g_assert_cmpuint (report->damaged, ==, 0);
}

static void
test_at_once (Sweeping *sweeping, gconstpointer data)
{
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', NULL);
  pid_t children[3];
  for (guint i = 0; i < 40; i++)
    hf_staging_free (stage (sweeping->installation, info));
  for (gsize i = 0; i < G_N_ELEMENTS (children); i++)
    if ((children[i] = fork ()) == 0)
      {
        sweep_undamaged (sweeping);
        _exit (0);
      }
  for (gsize i = 0; i < G_N_ELEMENTS (children); i++)
    child_wait (children[i]);
  assert_clean (sweeping);
}

static void
test_staging (Sweeping *sweeping, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', NULL);
  g_autofree char *other = removed (sweeping->installation, OTHER, 'b');
  g_autoptr (HfStaging) staging = stage (sweeping->installation, info);
  hf_staging_unlock (staging);
  (void)!hf_sweep_staging (sweeping->installation, staging->name, &sweeping->store->table, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count_names (sweeping->installation->root_fd, HF_STAGING_DIR), ==, 0);
  g_assert_true (exists (sweeping->installation->root_fd, other));
}

#define ADD(promise, data, function)                                                               \
  g_test_add ("/sweep/" promise, Sweeping, data, sweeping_set_up, function, sweeping_tear_down)
#define STATE(state) GUINT_TO_POINTER (state)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("with nothing to do nothing is asked of the store", NULL, test_idle);
  ADD ("whatever there is to look at makes it needed", NULL, test_needed);
  ADD ("commit then tree then objects then pins each under its locks", NULL, test_order);
  ADD ("so where link counts tell nothing", "links are not to be trusted", test_order);
  ADD ("by links an entry has gone before the next is pruned", NULL, test_by_links);
  ADD ("by marks all are pruned at once", NULL, test_by_marks);
  ADD ("a full prune that is asked for is done with nothing to sweep", NULL, test_full);
  ADD ("a removed deployment goes", STATE (HF_STATE_SETTLED), test_state);
  ADD ("a deletion that began goes on", STATE (HF_STATE_DELETING), test_state);
  ADD ("a pruned entry goes without another prune", STATE (HF_STATE_PRUNED), test_state);
  ADD ("a pruned entry is finished before anything is pruned", NULL, test_pruned_first);
  ADD ("what was never complete goes without the store", HF_STAGING_DIR, test_no_deployment);
  ADD ("what is all but gone goes without the store", HF_REMOVED_DIR, test_no_deployment);
  ADD ("without a ref file only what is empty goes", NULL, test_no_ref);
  ADD ("a link that forwards to itself goes and its deployment stays", NULL, test_self_symlink);
  ADD ("what was never published goes", NULL, test_unpublished);
  ADD ("what is retired in place goes and then the mark", STATE (HF_STATE_RETIRED), test_in_place);
  ADD ("a deletion in place that began goes on", STATE (HF_STATE_DELETING), test_in_place);
  ADD ("after a crash at the commit the next sweep finishes", "release", test_killed);
  ADD ("after a crash in a prune by links the next sweep finishes", "links", test_killed);
  ADD ("after a crash in a prune by marks the next sweep finishes", "marks", test_killed);
  ADD ("what is held stays and its holder is named and the rest goes", NULL, test_held);
  ADD ("what cannot be deleted keeps its pins and the rest goes", NULL, test_undeletable);
  ADD ("many entries cost a prune for each hundred", NULL, test_many);
  ADD ("sweepers at once leave nothing and find no damage", NULL, test_at_once);
  ADD ("a builder sweeps its own entry only", NULL, test_staging);
  return g_test_run ();
}
