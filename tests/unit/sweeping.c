/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The common ground of the tests of whole sweeps.
 */
#include "sweeping.h"

#include "base/tree-delete.h"

void
sweeping_set_up (Sweeping *sweeping, gconstpointer data)
{
  fixture_set_up (&sweeping->base, data);
  sweeping->installation = sweeping->base.installation;
  sweeping->store = fake_store_new (sweeping->installation);
}

void
sweeping_tear_down (Sweeping *sweeping, gconstpointer data)
{
  fake_store_free (sweeping->store);
  fixture_tear_down (&sweeping->base, data);
}

void
sweep_counts (Sweeping *sweeping, guint swept, guint held, guint damaged)
{
  g_autoptr (HfSweepReport) report = sweep (sweeping->installation, sweeping->store);
  g_assert_cmpuint (report->swept, ==, swept);
  g_assert_cmpuint (report->held, ==, held);
  g_assert_cmpuint (report->damaged, ==, damaged);
  g_assert_cmpuint (report->entries->len, ==, swept + held + damaged);
}

/* Nothing is left, and a sweep would find nothing to do. */
void
assert_clean (Sweeping *sweeping)
{
  gboolean needed = TRUE;
  g_assert_cmpuint (count_names (sweeping->installation->root_fd, HF_REMOVED_DIR), ==, 0);
  g_assert_cmpuint (count_names (sweeping->installation->root_fd, HF_STAGING_DIR), ==, 0);
  g_assert_false (is_marked (sweeping->installation));
  g_autoptr (HfSweepReport) report = hf_sweep_report_new ();
  g_assert_true (hf_sweep_needed (sweeping->installation, report, &needed, NULL));
  g_assert_false (needed);
}

void
assert_calls (Sweeping *sweeping, const char *expected)
{
  g_autofree char *calls = fake_store_calls (sweeping->store);
  g_assert_cmpstr (calls, ==, expected);
}

/* As a sweeper leaves it that dies right after its prune. */
void
make_pruned (Sweeping *sweeping, const char *path)
{
  g_autoptr (GError) error = NULL;
  hf_autofd int fd = open_dir_at (sweeping->installation->root_fd, path);
  (void)!hf_tree_delete (fd, HF_TREE_DIR, NULL, &error);
  g_assert_no_error (error);
  fall_to (sweeping->installation, path, HF_STATE_PRUNED);
}
