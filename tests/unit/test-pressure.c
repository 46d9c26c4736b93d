/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Giving up under a limit that can never be met: everything that may go, in its order, and nothing else.
 */
#include "core/pressure.h"

#include "core/lock.h"
#include "sweeping.h"

#include <string.h>

#define LIMIT "min-free=99%\n"

/* "REF DIGIT" of each decision, with a sign before. */
static char *
decisions_of (const HfSweepReport *report)
{
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; report->pressure != NULL && i < report->pressure->decisions->len; i++)
    {
      const HfDecision *one = report->pressure->decisions->pdata[i];
      g_string_append_printf (text, "%s%c%c", i > 0 ? " " : "", one->given_up ? '-' : '=',
                              one->surplus->name[0]);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
assert_decided (Sweeping *sweeping, const char *expected)
{
  g_autoptr (HfSweepReport) report = sweep (sweeping->installation, sweeping->store);
  g_autofree char *decisions = decisions_of (report);
  g_assert_cmpstr (decisions, ==, expected);
  g_assert_cmpuint (report->damaged, ==, 0);
  g_assert_nonnull (report->pressure->short_of);
  g_assert_false (is_marked (sweeping->installation));
}

/* Under which locks the store is asked: the candidate's own has never been let go. */
static void
look_at_locks (FakeStore *store, const char *call, const HfSweepTarget *target)
{
  g_assert_true (is_locked (target->dir_fd, HF_REF_FILE));
  g_assert_false (is_locked (store->installation->root_fd, HF_LOCK_FILE));
}

static void
test_order (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  configure (installation, LIMIT "keep-previous=2\nkeep-removed=1h");
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy (installation, OTHER, 'b');
  g_autofree char *c = deploy (installation, OTHER, 'c');
  g_autofree char *d = deploy (installation, APP, 'd');
  g_autofree char *e = deploy (installation, APP, 'e');
  g_autofree char *trash = removed (installation, RUNTIME, 'f');
  sweeping->store->look = look_at_locks;
  assert_decided (sweeping, "-f -b -a -d");
  g_assert_cmpuint (count_names (installation->root_fd, HF_REMOVED_DIR), ==, 0);
  g_autofree char *app = active_of (installation, APP);
  g_assert_cmpstr (app, ==, e);
  g_assert_cmpuint (count_names (installation->deploy_fd, APP), ==, 2);
  assert_decided (sweeping, "");
}

/* Nobody made it active, and its `.ref` says that it is needed: it stays what it was. */
static void
test_held (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  configure (installation, LIMIT "keep-previous=2");
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy (installation, APP, 'b');
  g_autofree char *c = deploy (installation, APP, 'c');
  g_autofree char *path = deployed_path (APP, a);
  hf_autofd int fd = open_dir_at (installation->root_fd, path);
  lock_posix_shared (fd, HF_REF_FILE);
  assert_decided (sweeping, "=a -b");
  g_assert_cmpuint (state_at (installation, path), ==, HF_STATE_SETTLED);
}

/* Beside an `active` that cannot be read, what was there before is all that there is; and that is said. */
static void
test_no_active (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  configure (installation, LIMIT "keep-previous=2");
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy (installation, APP, 'b');
  g_autofree char *path = deployed_path (APP, b);
  hf_autofd int fd = open_dir_at (installation->root_fd, path);
  g_assert_no_errno (unlinkat (fd, HF_DEPLOYMENT_FILE, 0));
  put_file (fd, HF_DEPLOYMENT_FILE, "garbage", 0644);
  assert_decided (sweeping, "=a");
}

static void
test_unused (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  configure (installation, LIMIT "keep-previous=0");
  g_autofree char *a = deploy (installation, RUNTIME, 'a');
  assert_decided (sweeping, "");
  configure (installation, LIMIT "keep-previous=0\ngive-up-unused=yes\npinned=org.test.Platform");
  assert_decided (sweeping, "");
  configure (installation, LIMIT "keep-previous=0\ngive-up-unused=yes\nkeep-removed=1h");
  assert_decided (sweeping, "-a");
  g_assert_false (exists (installation->deploy_fd, "runtime"));
  g_assert_cmpuint (count_names (installation->root_fd, HF_REMOVED_DIR), ==, 0);
}

static void
test_is_on (Sweeping *sweeping, gconstpointer data)
{
  gboolean needed;
  g_autoptr (HfSweepReport) report = hf_sweep_report_new ();
  g_assert_true (hf_sweep_needed (sweeping->installation, report, &needed, NULL));
  g_assert_false (needed);
  configure (sweeping->installation, "min-free=1");
  g_assert_true (hf_sweep_needed (sweeping->installation, report, &needed, NULL));
  g_assert_false (needed);
  configure (sweeping->installation, LIMIT);
  g_assert_true (hf_sweep_needed (sweeping->installation, report, &needed, NULL));
  g_assert_true (needed);
}

#define ADD(path, function)                                                                        \
  g_test_add ("/pressure/" path, Sweeping, NULL, sweeping_set_up, function, sweeping_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("trash-goes-before-previous-deployments-the-oldest-first", test_order);
  ADD ("what-is-held-stays-in-service", test_held);
  ADD ("beside-a-damaged-active-one-nothing-goes", test_no_active);
  ADD ("unused-runtimes-go-if-they-are-configured-to", test_unused);
  ADD ("a-sweep-is-needed-only-below-the-limit", test_is_on);
  return g_test_run ();
}
