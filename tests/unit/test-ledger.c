/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ledgers of what is deleted, and of what would be.
 */
#include "base/fd.h"
#include "base/ledger.h"
#include "base/tree-delete.h"
#include "base/tree-walk.h"
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

static gboolean
count (const HfTreeWalk *walk, int dfd, const char *name, ino_t inode, gpointer data)
{
  ++*(guint *)data;
  return TRUE;
}

/* Deeper than descriptors are kept open. */
static void
test_deep (Fixture *fixture, gconstpointer data)
{
  guint seen = 0;
  hf_autofd int fd = openat (fixture->dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (guint i = 0; i < 300; i++)
    {
      g_assert_cmpint (mkdirat (fd, "deep", 0755), ==, 0);
      g_assert_cmpint (mkdirat (fd, "deep/beside", 0755), ==, 0);
      int next = openat (fd, "deep", O_PATH | O_DIRECTORY | O_CLOEXEC);
      hf_fd_clear (&fd);
      fd = next;
    }
  g_assert_true (hf_tree_walk (fixture->dir_fd, "deep", count, &seen, NULL));
  g_assert_cmpuint (seen, ==, 600);
}

#define ADD(name, test) g_test_add (name, Fixture, NULL, fixture_set_up, test, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/ledger/a dry run counts what a deletion frees", test_same);
  ADD ("/ledger/an inode goes with its last name", test_other_name);
  ADD ("/ledger/a directory goes when all in it has gone", test_directory);
  ADD ("/ledger/a walk meets everything once, however deep", test_deep);
  return g_test_run ();
}
