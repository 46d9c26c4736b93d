/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ledgers of what is deleted, and of what would be.
 */
#include "base/fd.h"
#include "base/ledger.h"
#include "base/tree-delete.h"
#include "support.h"

#include <errno.h>
#include <unistd.h>

static void
make_tree (Fixture *fixture)
{
  g_assert_cmpint (mkdirat (fixture->dir_fd, "tree", 0755), ==, 0);
  g_assert_cmpint (mkdirat (fixture->dir_fd, "tree/deep", 0755), ==, 0);
  hf_autofd int fd = openat (fixture->dir_fd, "tree/one", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (linkat (fixture->dir_fd, "tree/one", fixture->dir_fd, "tree/deep/two", 0), ==,
                   0);
  g_assert_cmpint (symlinkat ("one", fixture->dir_fd, "tree/link"), ==, 0);
}

static void
assert_inodes (HfLedger *ledger, guint64 expected)
{
  guint64 bytes, inodes;
  hf_ledger_get (ledger, &bytes, &inodes);
  g_assert_cmpuint (inodes, ==, expected);
}

static void
test_same (Fixture *fixture, gconstpointer data)
{
  g_autoptr (HfLedger) dry = hf_ledger_new (TRUE, NULL);
  g_autoptr (HfLedger) real = hf_ledger_new (FALSE, NULL);
  make_tree (fixture);
  g_assert_true (hf_tree_delete (fixture->dir_fd, "tree", dry, NULL));
  g_assert_cmpint (faccessat (fixture->dir_fd, "tree/deep/two", F_OK, 0), ==, 0);
  g_assert_true (hf_tree_delete (fixture->dir_fd, "tree", real, NULL));
  assert_inodes (dry, 4);
  assert_inodes (real, 4);
}

static void
test_other_name (Fixture *fixture, gconstpointer data)
{
  g_autoptr (HfLedger) dry = hf_ledger_new (TRUE, NULL);
  struct stat st;
  make_tree (fixture);
  g_assert_cmpint (linkat (fixture->dir_fd, "tree/one", fixture->dir_fd, "other", 0), ==, 0);
  g_assert_true (hf_tree_delete (fixture->dir_fd, "tree", dry, NULL));
  assert_inodes (dry, 3);
  g_assert_cmpint (hf_ledger_stat (dry, fixture->dir_fd, "other", &st), ==, 0);
  g_assert_cmpuint (st.st_nlink, ==, 1);
  g_assert_cmpint (hf_ledger_unlink (dry, fixture->dir_fd, "other", 0), ==, 0);
  assert_inodes (dry, 4);
  g_assert_cmpint (hf_ledger_stat (dry, fixture->dir_fd, "other", &st), ==, -1);
  g_assert_cmpint (errno, ==, ENOENT);
}

static void
test_directory (Fixture *fixture, gconstpointer data)
{
  g_autoptr (HfLedger) dry = hf_ledger_new (TRUE, NULL);
  make_tree (fixture);
  g_assert_cmpint (hf_ledger_unlink (dry, fixture->dir_fd, "tree", AT_REMOVEDIR), ==, -1);
  g_assert_cmpint (errno, ==, ENOTEMPTY);
  g_assert_cmpint (mkdirat (fixture->dir_fd, "empty", 0755), ==, 0);
  g_assert_cmpint (mkdirat (fixture->dir_fd, "empty/inner", 0755), ==, 0);
  g_assert_cmpint (hf_ledger_unlink (dry, fixture->dir_fd, "empty/inner", AT_REMOVEDIR), ==, 0);
  g_assert_cmpint (hf_ledger_unlink (dry, fixture->dir_fd, "empty", AT_REMOVEDIR), ==, 0);
  g_assert_cmpint (hf_ledger_unlink (dry, fixture->dir_fd, "empty", AT_REMOVEDIR), ==, -1);
  assert_inodes (dry, 2);
}

#ifdef HF_TEST_HOOKS
static void
note_state (const HfProgressState *state, gpointer data)
{
  *(HfProgressState *)data = *state;
}
#endif

static void
test_progress (Fixture *fixture, gconstpointer data)
{
#ifdef HF_TEST_HOOKS
  HfProgressState last = { 0 };
  guint64 bytes, inodes;
  g_setenv ("HOLDFAST_TEST_EAGER", "1", TRUE);
  g_autoptr (HfProgress) progress = hf_progress_new (note_state, &last);
  g_autoptr (HfLedger) real = hf_ledger_new (FALSE, progress);
  make_tree (fixture);
  put_file (fixture->dir_fd, "tree/large", "some bytes that take a block on any disk", 0644);
  g_assert_no_errno (linkat (fixture->dir_fd, "tree/large", fixture->dir_fd, "other", 0));
  hf_progress_begin (progress, "Deleting", 0);
  g_assert_true (hf_tree_delete (fixture->dir_fd, "tree", real, NULL));
  hf_ledger_get (real, &bytes, &inodes);
  g_assert_cmpuint (last.objects, ==, 6);
  g_assert_cmpuint (last.bytes, ==, bytes);
  g_assert_cmpint (hf_ledger_unlink (real, fixture->dir_fd, "other", 0), ==, 0);
  g_assert_cmpuint (last.objects, ==, 7);
  g_assert_cmpuint (last.bytes, >, bytes);
#else
  g_test_skip ("needs test-hooks: it would have to wait for a clock");
#endif
}

#define ADD(name, test) g_test_add (name, Fixture, NULL, fixture_set_up, test, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/ledger/a dry run counts what a deletion frees", test_same);
  ADD ("/ledger/an inode goes with its last name", test_other_name);
  ADD ("/ledger/a directory goes when all in it has gone", test_directory);
  ADD ("/ledger/a progress is told of each name, and of what it frees", test_progress);
  return g_test_run ();
}
