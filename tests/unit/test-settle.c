/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The unsettled mark: every state that a crash leaves in deploy/ is completed or undone by whoever
 * finds the mark, and doing that twice does no more.
 */
#include "core/settle.h"

#include "core/deployed.h"
#include "core/lock.h"
#include "exporting.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void
set_active (Fixture *fixture, const char *target)
{
  hf_autofd int branch_fd = open_dir_at (fixture->installation->deploy_fd, APP);
  (void)unlinkat (branch_fd, HF_ACTIVE_LINK, 0);
  g_assert_no_errno (symlinkat (target, branch_fd, HF_ACTIVE_LINK));
}

static void
settle_twice (Fixture *fixture)
{
  set_mark (fixture->installation);
  settle (fixture->installation);
  gboolean marked = is_marked (fixture->installation);
  guint entries = count_names (fixture->installation->root_fd, HF_REMOVED_DIR);
  set_mark (fixture->installation);
  settle (fixture->installation);
  g_assert_cmpint (is_marked (fixture->installation), ==, marked);
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_REMOVED_DIR), ==, entries);
}

static void
assert_removed (Fixture *fixture, const char *name)
{
  g_autofree char *gone = only_name (fixture->installation->root_fd, HF_REMOVED_DIR);
  g_assert_cmpstr (hf_removed_name_deployment (gone), ==, name);
}

static void
test_unpublished (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autofree char *orphan = deploy_orphan (fixture->installation, APP, 'b', HF_STATE_COMPLETE);
  settle_twice (fixture);
  g_autofree char *active = active_of (fixture->installation, APP);
  g_assert_cmpstr (active, ==, name);
  assert_removed (fixture, strrchr (orphan, '/') + 1);
  g_assert_false (is_marked (fixture->installation));
}

static void
test_first_unpublished (Fixture *fixture, gconstpointer data)
{
  g_autofree char *orphan = deploy_orphan (fixture->installation, APP, 'b', HF_STATE_COMPLETE);
  settle_twice (fixture);
  assert_removed (fixture, strrchr (orphan, '/') + 1);
  g_assert_false (is_marked (fixture->installation));
}

static void
test_flipped (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old = deploy (fixture->installation, APP, 'a');
  g_autofree char *orphan = deploy_orphan (fixture->installation, APP, 'b', HF_STATE_COMPLETE);
  const char *name = strrchr (orphan, '/') + 1;
  set_active (fixture, name);
  settle_twice (fixture);
  g_autofree char *active = active_of (fixture->installation, APP);
  g_assert_cmpstr (active, ==, name);
  g_assert_cmpuint (state_at (fixture->installation, orphan), ==, HF_STATE_SETTLED);
  assert_removed (fixture, old);
}

static void
test_active_new (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  hf_autofd int branch_fd = open_dir_at (fixture->installation->deploy_fd, APP);
  g_assert_no_errno (symlinkat ("nowhere", branch_fd, HF_ACTIVE_LINK_NEW));
  settle_twice (fixture);
  g_assert_false (exists (branch_fd, HF_ACTIVE_LINK_NEW));
  g_assert_true (exists (branch_fd, HF_ACTIVE_LINK));
}

static void
test_active_forwards (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = removed (fixture->installation, APP, 'a');
  const char *name = hf_removed_name_deployment (strrchr (path, '/') + 1);
  set_active (fixture, name);
  settle_twice (fixture);
  hf_autofd int branch_fd = open_dir_at (fixture->installation->deploy_fd, APP);
  g_assert_false (exists (branch_fd, HF_ACTIVE_LINK));
  g_assert_true (exists (branch_fd, name));
  assert_removed (fixture, name);
  g_assert_false (is_marked (fixture->installation));
}

static void
test_active_dangles (Fixture *fixture, gconstpointer target)
{
  put_dir (fixture->installation->deploy_fd, "app", HF_MODE_DIR);
  put_dir (fixture->installation->deploy_fd, "app/org.test.App", HF_MODE_DIR);
  put_dir (fixture->installation->deploy_fd, "app/org.test.App/x86_64", HF_MODE_DIR);
  put_dir (fixture->installation->deploy_fd, APP, HF_MODE_DIR);
  set_active (fixture, target);
  settle_twice (fixture);
  g_assert_false (exists (fixture->installation->deploy_fd, "app/org.test.App"));
  g_assert_false (is_marked (fixture->installation));
}

/* No crash leaves such a link, so what lies beside it is not what one has left. */
static void
test_active_elsewhere (Fixture *fixture, gconstpointer target)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autofree char *path = deployed_path (APP, name);
  g_autofree char *other = deploy_orphan (fixture->installation, OTHER, 'b', HF_STATE_COMPLETE);
  set_active (fixture, target);
  settle_twice (fixture);
  g_assert_cmpuint (state_at (fixture->installation, path), ==, HF_STATE_SETTLED);
  assert_removed (fixture, strrchr (other, '/') + 1);
  g_assert_true (is_marked (fixture->installation));
}

static void
test_retired (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autofree char *path = deployed_path (APP, name);
  fall_to (fixture->installation, path, HF_STATE_RETIRED);
  settle_twice (fixture);
  g_autofree char *active = active_of (fixture->installation, APP);
  g_assert_null (active);
  g_assert_cmpuint (state_at (fixture->installation, path), ==, HF_STATE_RETIRED);
  g_assert_true (is_marked (fixture->installation));
}

static void
test_forwarding (Fixture *fixture, gconstpointer data)
{
  g_autofree char *stays = removed (fixture->installation, APP, 'a');
  g_autofree char *goes = removed (fixture->installation, OTHER, 'b');
  g_autofree char *elsewhere = g_strconcat (HF_STAGING_DIR "/", SERIAL, NULL);
  int root = fixture->installation->root_fd;
  g_assert_no_errno (renameat (root, goes, root, elsewhere));
  settle_twice (fixture);
  g_autofree char *link
      = deployed_path (APP, hf_removed_name_deployment (strrchr (stays, '/') + 1));
  g_assert_true (exists (root, link));
  g_assert_false (exists (fixture->installation->deploy_fd, "app/org.test.Other"));
}

static void
test_empty (Fixture *fixture, gconstpointer data)
{
  static const char *const made[] = { "app", "app/org.test.App", "app/org.test.App/x86_64", APP };
  for (gsize i = 0; i < G_N_ELEMENTS (made); i++)
    put_dir (fixture->installation->deploy_fd, made[i], HF_MODE_DIR);
  settle_twice (fixture);
  g_assert_false (exists (fixture->installation->deploy_fd, "app/org.test.App"));
}

/* The crash came between two directories of a new branch. */
static void
test_empty_above (Fixture *fixture, gconstpointer data)
{
  static const char *const made[] = { "app", "app/org.test.App", "app/org.test.App/x86_64" };
  for (gsize i = 0; i < GPOINTER_TO_SIZE (data); i++)
    put_dir (fixture->installation->deploy_fd, made[i], HF_MODE_DIR);
  settle_twice (fixture);
  g_assert_false (exists (fixture->installation->deploy_fd, "app/org.test.App"));
}

static void
test_settled (Fixture *fixture, gconstpointer data)
{
  g_autofree char *one = deploy (fixture->installation, APP, 'a');
  g_autofree char *two = deploy (fixture->installation, OTHER, 'b');
  settle_twice (fixture);
  g_autofree char *active = active_of (fixture->installation, APP);
  g_autofree char *other = active_of (fixture->installation, OTHER);
  g_assert_cmpstr (active, ==, one);
  g_assert_cmpstr (other, ==, two);
  g_assert_cmpuint (count_names (fixture->installation->root_fd, HF_REMOVED_DIR), ==, 0);
}

static void
test_change (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  HfInstallation *installation = fixture->installation;
  gboolean pending = TRUE, marked;
  (void)!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, &error);
  (void)!hf_change_begin (installation, &pending, &error);
  g_assert_no_error (error);
  g_assert_false (pending);
  g_assert_true (hf_unsettled_is_marked (installation, &marked, &error));
  g_assert_true (marked);
  (void)!hf_change_end (installation, TRUE, &error);
  g_assert_true (is_marked (installation));
  (void)!hf_change_end (installation, FALSE, &error);
  g_assert_no_error (error);
  g_assert_false (is_marked (installation));
  g_assert_cmpuint (mode_at (installation->root_fd, HF_DEPLOY_DIR), ==, HF_MODE_DIR);
}

static void
test_change_pending (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = deploy_orphan (fixture->installation, APP, 'a', HF_STATE_DELETING);
  set_mark (fixture->installation);
  g_autoptr (GError) error = NULL;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  gboolean pending = FALSE;
  (void)!hf_lock_take (fixture->installation, HF_LOCK_CHANGE, &lock, &error);
  (void)!hf_change_begin (fixture->installation, &pending, &error);
  g_assert_no_error (error);
  g_assert_true (pending);
}

/* Without the mark nobody goes through deploy/. */
static void
test_unmarked (Fixture *fixture, gconstpointer data)
{
  g_autofree char *orphan = deploy_orphan (fixture->installation, APP, 'b', HF_STATE_COMPLETE);
  g_autofree char *name = deploy (fixture->installation, OTHER, 'a');
  g_autoptr (FakeStore) store = fake_store_new (fixture->installation);
  g_autoptr (HfSweepReport) report = sweep (fixture->installation, store);
  g_assert_cmpuint (report->entries->len, ==, 0);
  g_assert_true (exists (fixture->installation->root_fd, orphan));
}

/* What cannot be looked at has not gone: each step may be the one that finds no descriptor. */
static void
settle_with_few (gpointer data)
{
  Fixture *fixture = data;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  struct rlimit limit;
  int last = -1, fd;
  gboolean done = FALSE;
  g_assert_true (hf_lock_take (fixture->installation, HF_LOCK_CHANGE, &lock, NULL));
  g_assert_no_errno (getrlimit (RLIMIT_NOFILE, &limit));
  limit.rlim_cur = 64;
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &limit));
  while ((fd = dup (fixture->dir_fd)) >= 0)
    last = fd;
  while (!done)
    {
      g_autoptr (GError) error = NULL;
      gboolean settled = hf_settle (fixture->installation, &error);
      g_assert_cmpint (error == NULL, ==, settled);
      /* What is exported fails nothing: it is left to the next, as the mark says. */
      done = settled && !is_marked (fixture->installation);
      g_assert_true (settled || is_marked (fixture->installation));
      g_assert_true (exists (fixture->installation->root_fd, HF_EXPORTS_DIR "/" ENTRY));
      g_autofree char *active = g_strconcat (APP, "/" HF_ACTIVE_LINK, NULL);
      g_assert_true (exists (fixture->installation->deploy_fd, active));
      g_assert_no_errno (close (last--));
    }
}

static void
test_few_descriptors (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy_exporting (fixture->installation, APP, 'a', ENTRY);
  set_mark (fixture->installation);
  run_child (settle_with_few, fixture);
  g_autofree char *active = active_of (fixture->installation, APP);
  g_assert_cmpstr (active, ==, name);
  assert_leads (fixture->installation, ENTRY, "a");
}

#define DEAD "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa." SERIAL
#define ADD(promise, data, function)                                                               \
  g_test_add ("/settle/" promise, Fixture, data, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("a deployment that active does not name is removed", NULL, test_unpublished);
  ADD ("so is one of a ref that was never in service", NULL, test_first_unpublished);
  ADD ("after the flip the new one is in service and the former removed", NULL, test_flipped);
  ADD ("a link that was not renamed yet goes", NULL, test_active_new);
  ADD ("an active that forwards goes and the entry stays", NULL, test_active_forwards);
  ADD ("what cannot be looked at stays in service", NULL, test_few_descriptors);
  ADD ("an active that dangles goes", DEAD, test_active_dangles);
  ADD ("an active that leads elsewhere keeps what is beside it", "../../../../../etc",
       test_active_elsewhere);
  ADD ("what is out of service in place waits with the mark set", NULL, test_retired);
  ADD ("a forwarding link goes with its entry and not before", NULL, test_forwarding);
  ADD ("an empty branch goes with what is above it", NULL, test_empty);
  ADD ("what is in service stays", NULL, test_settled);
  ADD ("the mark lasts from begin to end and longer where something waits", NULL, test_change);
  ADD ("a change begun where something waits is told", NULL, test_change_pending);
  ADD ("without the mark nobody looks", NULL, test_unmarked);
  ADD ("an empty ID goes", GSIZE_TO_POINTER (2), test_empty_above);
  ADD ("an empty architecture goes", GSIZE_TO_POINTER (3), test_empty_above);
  return g_test_run ();
}
