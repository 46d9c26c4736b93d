/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sweeps in which something fails: each failure stays with the entry that it is about, nothing that
 * could be needed is given up because of it, and the next sweep carries on.
 */
#include "core/sweep.h"

#include "base/ofd-lock.h"
#include "sweeping.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static guint
pins_of (Sweeping *sweeping, const char *path)
{
  g_autofree char *pins = g_strconcat (path, "/" HF_PINS_DIR, NULL);
  return count_names (sweeping->installation->root_fd, pins);
}

/* Once whatever was wrong is put right. */
static void
recover (Sweeping *sweeping, guint entries)
{
  sweeping->store->fails = sweeping->store->fails_at = NULL;
  sweep_counts (sweeping, entries, 0, 0);
  assert_clean (sweeping);
  g_assert_false (exists (sweeping->installation->deploy_fd, "app"));
}

static void
test_release_fails (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *path = removed (sweeping->installation, APP, 'a');
  g_autofree char *metadata = g_strconcat (path, "/" HF_TREE_DIR "/" HF_METADATA_FILE, NULL);
  sweeping->store->fails = "release";
  sweep_counts (sweeping, 0, 0, 1);
  g_assert_true (exists (sweeping->installation->root_fd, metadata));
  g_assert_cmpuint (state_at (sweeping->installation, path), ==, HF_STATE_DELETING);
  recover (sweeping, 1);
}

static void
test_marks_fail (Sweeping *sweeping, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfSweepReport) report = hf_sweep_report_new ();
  g_autofree char *path = removed (sweeping->installation, APP, 'a');
  sweeping->store->reason = "links are not to be trusted";
  sweeping->store->fails = "marks";
  g_assert_false (hf_sweep_all (sweeping->installation, &sweeping->store->table, report, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
  g_assert_cmpuint (state_at (sweeping->installation, path), ==, HF_STATE_DELETING);
  g_assert_cmpuint (pins_of (sweeping, path), ==, 1);
  g_assert_false (is_locked (sweeping->installation->root_fd, HF_PRUNE_LOCK_FILE));
  recover (sweeping, 1);
}

/* The one by marks is for all that is left, so nothing is pruned by links after it. */
static void
test_links_fail (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *one = removed (sweeping->installation, APP, 'a');
  g_autofree char *two = removed (sweeping->installation, APP, 'b');
  g_autofree char *three = removed (sweeping->installation, APP, 'c');
  sweeping->store->fails = "links";
  sweeping->store->fails_at = two;
  g_autoptr (HfSweepReport) report = sweep (sweeping->installation, sweeping->store);
  g_assert_cmpuint (report->swept, ==, 3);
  g_assert_cmpuint (report->held + report->damaged, ==, 0);
  g_assert_true (report->full);
  g_assert_nonnull (report->reason);
  g_autofree char *calls = fake_store_calls (sweeping->store);
  g_autofree char *expected
      = g_strdup_printf ("links %s, links %s, marks %s %s", one, two, two, three);
  g_assert_true (g_str_has_suffix (calls, expected));
  recover (sweeping, 0);
}

static void
test_both_fail (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *one = removed (sweeping->installation, APP, 'a');
  g_autofree char *two = removed (sweeping->installation, APP, 'b');
  g_autofree char *three = removed (sweeping->installation, APP, 'c');
  sweeping->store->fails = "links marks";
  sweeping->store->fails_at = two;
  g_autoptr (HfSweepReport) report = sweep (sweeping->installation, sweeping->store);
  g_assert_cmpuint (report->swept, ==, 2);
  g_assert_cmpuint (report->damaged, ==, 1);
  g_autofree char *left = only_name (sweeping->installation->root_fd, HF_REMOVED_DIR);
  g_assert_true (g_str_has_suffix (two, left));
  g_assert_cmpuint (state_at (sweeping->installation, two), ==, HF_STATE_DELETING);
  g_assert_cmpuint (pins_of (sweeping, two), ==, 1);
  g_autofree char *calls = fake_store_calls (sweeping->store);
  g_autofree char *expected
      = g_strdup_printf ("links %s, links %s, marks %s %s, links %s", one, two, two, three, three);
  g_assert_true (g_str_has_suffix (calls, expected));
  recover (sweeping, 1);
}

/* Its pins are links that mean nothing any more, and they still count. */
static void
test_pruned_held (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *pruned = removed (sweeping->installation, APP, 'a');
  g_autofree char *other = removed (sweeping->installation, OTHER, 'b');
  g_autofree char *ref = g_strconcat (pruned, "/" HF_REF_FILE, NULL);
  g_autofree char *expected = g_strdup_printf ("release %s, marks %s", other, other);
  make_pruned (sweeping, pruned);
  hf_autofd int fd = openat (sweeping->installation->root_fd, ref, O_RDONLY | O_CLOEXEC);
  g_assert_true (hf_ofd_lock (fd, HF_OFD_SHARED, HF_OFD_TRY));
  g_autoptr (HfSweepReport) report = sweep (sweeping->installation, sweeping->store);
  g_assert_cmpuint (report->swept, ==, 1);
  g_assert_cmpuint (report->held, ==, 1);
  g_assert_cmpuint (report->damaged, ==, 0);
  g_assert_nonnull (report->reason);
  assert_calls (sweeping, expected);
  hf_ofd_unlock (fd);
  recover (sweeping, 1);
}

/* Dropping the pins is done by then; what is left must not be taken for finished. */
static void
test_forwarding_stays (Sweeping *sweeping, gconstpointer data)
{
  int deploy_fd = sweeping->installation->deploy_fd;
  g_autofree char *path = removed (sweeping->installation, APP, 'a');
  g_assert_no_errno (renameat (deploy_fd, "app", deploy_fd, "away"));
  g_assert_no_errno (symlinkat ("away", deploy_fd, "app"));
  sweep_counts (sweeping, 0, 0, 1);
  g_assert_cmpuint (state_at (sweeping->installation, path), ==, HF_STATE_PRUNED);
  g_assert_no_errno (unlinkat (deploy_fd, "app", 0));
  g_assert_no_errno (renameat (deploy_fd, "away", deploy_fd, "app"));
  g_assert_cmpuint (count_names (deploy_fd, APP), ==, 1);
  recover (sweeping, 1);
}

/* --- Shortage of descriptors ------------------------------------------------------------------ */

static void
limit_descriptors (rlim_t most)
{
  struct rlimit limit;
  g_assert_no_errno (getrlimit (RLIMIT_NOFILE, &limit));
  limit.rlim_cur = most;
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &limit));
}

static void
sweep_with_few (gpointer data)
{
  Sweeping *sweeping = data;
  limit_descriptors (64);
  sweep_counts (sweeping, 100, 0, 0);
  /* In batches that leave half of them for the prune. */
  g_assert_cmpuint (sweeping->store->calls->len, ==, 100 + 7);
}

static void
test_few_descriptors (Sweeping *sweeping, gconstpointer data)
{
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', NULL);
  for (guint i = 0; i < 100; i++)
    hf_staging_free (stage (sweeping->installation, info));
  sweeping->store->reason = "links are not to be trusted";
  run_child (sweep_with_few, sweeping);
  assert_clean (sweeping);
}

/* However few are left: an entry that could not be swept is told of, or the sweep fails. */
static void
sweep_with_hardly_any (gpointer data)
{
  Sweeping *sweeping = data;
  int last = -1, fd;
  limit_descriptors (64);
  while ((fd = dup (sweeping->base.dir_fd)) >= 0)
    last = fd;
  for (guint swept = 0; swept == 0;)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (HfSweepReport) report = hf_sweep_report_new ();
      gboolean done
          = hf_sweep_all (sweeping->installation, &sweeping->store->table, report, &error);
      swept = report->swept;
      g_assert_cmpuint (swept + report->damaged, ==, done ? 1 : 0);
      g_assert_no_errno (close (last--));
    }
}

static void
test_no_descriptors (Sweeping *sweeping, gconstpointer data)
{
  g_autofree char *path = removed (sweeping->installation, APP, 'a');
  run_child (sweep_with_hardly_any, sweeping);
  assert_clean (sweeping);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/sweep-failures/" promise, Sweeping, NULL, sweeping_set_up, function,               \
              sweeping_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("a commit that cannot go keeps its entry whole", test_release_fails);
  ADD ("a prune by marks that fails keeps the pins for the next", test_marks_fail);
  ADD ("where links fail the rest is pruned by marks", test_links_fail);
  ADD ("where marks fail too only that entry stays", test_both_fail);
  ADD ("while a pruned entry is held the rest is pruned by marks", test_pruned_held);
  ADD ("a forwarding link that cannot go keeps its entry for the next", test_forwarding_stays);
  ADD ("with few descriptors many entries go in smaller batches", test_few_descriptors);
  ADD ("with hardly any descriptor no entry is passed over", test_no_descriptors);
  return g_test_run ();
}
