/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Deleting hostile trees: whatever can go goes, nothing outside is touched, and it always ends.
 */
#include "base/tree-delete.h"

#include "support.h"

#include <errno.h>
#include <linux/fs.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEPTH 5000

/* A million names, of files with fewer links than ext4 allows. */
#define FULL_FILES 20
#define FULL_LINKS 50000

/* What a deletion may need more than the process had, in KiB. */
#define MEMORY 4096

static void
delete_all (const Fixture *fixture, const char *name)
{
  g_autoptr (GError) error = NULL;
  (void)!hf_tree_delete (fixture->dir_fd, name, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (exists (fixture->dir_fd, name));
}

/* @name stays, with @stays named as the cause. */
static void
assert_stays (const Fixture *fixture, const char *name, const char *stays, HfErrorCode code)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (hf_tree_delete (fixture->dir_fd, name, NULL, &error));
  g_assert_error (error, HF_ERROR, (int)code);
  g_assert_nonnull (strstr (error->message, stays));
  g_assert_true (exists (fixture->dir_fd, name));
}

/* Makes @depth directories, each "d" in the one above it, below @name; returns the innermost. */
static int
put_deep (int dfd, const char *name, guint depth)
{
  put_dir (dfd, name, 0755);
  int fd = open_dir_at (dfd, name);
  for (guint i = 0; i < depth; i++)
    {
      g_assert_no_errno (mkdirat (fd, "d", 0755));
      int inner = openat (fd, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
      g_assert_no_errno (inner);
      hf_fd_clear (&fd);
      fd = inner;
    }
  return fd;
}

static void
test_plain (Fixture *fixture, gconstpointer data)
{
  put_dir (fixture->dir_fd, "tree", 0755);
  put_dir (fixture->dir_fd, "tree/a", 0755);
  put_file (fixture->dir_fd, "tree/a/file", "x", 0644);
  put_file (fixture->dir_fd, "tree/.hidden", "x", 0);
  g_assert_no_errno (mkfifoat (fixture->dir_fd, "tree/fifo", 0644));
  delete_all (fixture, "tree");
  put_file (fixture->dir_fd, "file", "x", 0644);
  delete_all (fixture, "file");
  delete_all (fixture, "absent");
}

static void
delete_forbidden (gpointer data)
{
  const Fixture *fixture = data;
  const mode_t modes[] = { 0, 0100, 0200, 0400, 0500, 0600 };
  put_dir (fixture->dir_fd, "tree", 0755);
  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autofree char *dir = g_strdup_printf ("tree/%03o", modes[i]);
      g_autofree char *inner = g_strconcat (dir, "/inner", NULL);
      g_autofree char *file = g_strconcat (inner, "/file", NULL);
      put_dir (fixture->dir_fd, dir, 0755);
      put_dir (fixture->dir_fd, inner, 0755);
      put_file (fixture->dir_fd, file, "x", 0);
      g_assert_no_errno (fchmodat (fixture->dir_fd, inner, modes[i], 0));
      g_assert_no_errno (fchmodat (fixture->dir_fd, dir, modes[i], 0));
    }
  g_assert_no_errno (fchmodat (fixture->dir_fd, "tree", 0, 0));
  delete_all (fixture, "tree");
}

static void
test_modes (Fixture *fixture, gconstpointer data)
{
  if (geteuid () == 0)
    g_assert_no_errno (fchown (fixture->dir_fd, 65534, 65534));
  run_unprivileged (delete_forbidden, fixture);
}

static void
test_symlinks (Fixture *fixture, gconstpointer data)
{
  put_dir (fixture->dir_fd, "outside", 0500);
  put_dir (fixture->dir_fd, "tree", 0755);
  put_file (fixture->dir_fd, "keep", "x", 0400);
  g_assert_no_errno (symlinkat ("../outside", fixture->dir_fd, "tree/dir"));
  g_assert_no_errno (symlinkat ("../keep", fixture->dir_fd, "tree/file"));
  g_assert_no_errno (symlinkat ("/", fixture->dir_fd, "tree/root"));
  g_assert_no_errno (symlinkat (".", fixture->dir_fd, "tree/self"));
  g_assert_no_errno (symlinkat ("outside", fixture->dir_fd, "link"));
  delete_all (fixture, "tree");
  delete_all (fixture, "link");
  g_assert_cmpuint (mode_at (fixture->dir_fd, "outside"), ==, 0500);
  g_assert_cmpuint (mode_at (fixture->dir_fd, "keep"), ==, 0400);
}

static void
test_hard_link (Fixture *fixture, gconstpointer data)
{
  struct stat before, after;
  put_dir (fixture->dir_fd, "tree", 0755);
  put_file (fixture->dir_fd, "object", "x", 0444);
  g_assert_no_errno (fstatat (fixture->dir_fd, "object", &before, 0));
  g_assert_no_errno (linkat (fixture->dir_fd, "object", fixture->dir_fd, "tree/file", 0));
  delete_all (fixture, "tree");
  g_assert_no_errno (fstatat (fixture->dir_fd, "object", &after, 0));
  g_assert_cmpuint (after.st_mode, ==, before.st_mode);
  g_assert_cmpuint (after.st_nlink, ==, 1);
  g_assert_cmpint (after.st_mtime, ==, before.st_mtime);
}

static void
limit_descriptors (void)
{
  const struct rlimit limit = { 100, 100 };
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &limit));
}

static void
delete_deep (gpointer data)
{
  const Fixture *fixture = data;
  limit_descriptors ();
  hf_autofd int fd = put_deep (fixture->dir_fd, "tree", DEPTH);
  put_file (fd, "file", "x", 0644);
  delete_all (fixture, "tree");
}

static void
test_deep (Fixture *fixture, gconstpointer data)
{
  run_child (delete_deep, fixture);
}

static glong
peak_memory (void)
{
  struct rusage usage;
  g_assert_no_errno (getrusage (RUSAGE_SELF, &usage));
  return usage.ru_maxrss;
}

static void
delete_full (gpointer data)
{
  const Fixture *fixture = data;
  put_dir (fixture->dir_fd, "tree", 0755);
  hf_autofd int fd = open_dir_at (fixture->dir_fd, "tree");
  for (guint i = 0; i < FULL_FILES; i++)
    {
      char first[16], name[32];
      (void)g_snprintf (first, sizeof first, "%u", i);
      put_file (fd, first, "x", 0644);
      for (guint j = 1; j < FULL_LINKS; j++)
        {
          (void)g_snprintf (name, sizeof name, "%u.%u", i, j);
          g_assert_no_errno (linkat (fd, first, fd, name, 0));
        }
    }
  glong before = peak_memory ();
  delete_all (fixture, "tree");
  g_assert_cmpint (peak_memory () - before, <, MEMORY);
}

static void
test_full (Fixture *fixture, gconstpointer data)
{
  run_child (delete_full, fixture);
}

static void
delete_wide (gpointer data)
{
  const Fixture *fixture = data;
  limit_descriptors ();
  put_dir (fixture->dir_fd, "tree", 0755);
  for (guint i = 0; i < 20; i++)
    {
      g_autofree char *name = g_strdup_printf ("tree/%u", i);
      hf_autofd int fd = put_deep (fixture->dir_fd, name, 200);
    }
  delete_all (fixture, "tree");
}

static void
test_wide (Fixture *fixture, gconstpointer data)
{
  run_child (delete_wide, fixture);
}

static void
delete_around_mount (gpointer data)
{
  Fixture *fixture = data;
  fixture_reopen (fixture);
  put_dir (fixture->dir_fd, "outside", 0500);
  put_file (fixture->dir_fd, "outside/keep", "x", 0644);
  put_dir (fixture->dir_fd, "tree", 0755);
  put_dir (fixture->dir_fd, "tree/mount", 0755);
  put_file (fixture->dir_fd, "tree/a", "x", 0644);
  put_file (fixture->dir_fd, "tree/z", "x", 0644);
  g_autofree char *from = g_build_filename (fixture->dir, "outside", NULL);
  g_autofree char *to = g_build_filename (fixture->dir, "tree", "mount", NULL);
  g_assert_no_errno (mount (from, to, NULL, MS_BIND, NULL));

  assert_stays (fixture, "tree", "mount", HF_ERROR_DAMAGED);
  g_autofree char *left = only_name (fixture->dir_fd, "tree");
  g_assert_cmpstr (left, ==, "mount");
  g_assert_true (exists (fixture->dir_fd, "outside/keep"));
  g_assert_cmpuint (mode_at (fixture->dir_fd, "outside"), ==, 0500);

  g_assert_no_errno (umount2 (to, 0));
  delete_all (fixture, "tree");
  g_assert_true (exists (fixture->dir_fd, "outside/keep"));
}

static void
test_mount (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("only it may mount"))
    return;
  run_in_mounts (delete_around_mount, fixture);
}

static gboolean
set_immutable (int dfd, const char *path, gboolean immutable)
{
  hf_autofd int fd = openat (dfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  int flags = 0;
  g_assert_no_errno (fd);
  if (ioctl (fd, FS_IOC_GETFLAGS, &flags) != 0)
    return FALSE;
  flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
  return ioctl (fd, FS_IOC_SETFLAGS, &flags) == 0;
}

/* Makes a file that nobody can delete, or skips the test. */
static gboolean
put_immutable (int dfd, const char *path)
{
  put_file (dfd, path, "x", 0644);
  if (set_immutable (dfd, path, TRUE))
    return TRUE;
  if (!skip_unless_root ("only it may make a file immutable"))
    g_test_skip ("needs chattr(1)-support: the file system knows no immutable files");
  return FALSE;
}

static void
test_immutable (Fixture *fixture, gconstpointer data)
{
  static const char *const dirs[] = { "tree", "tree/a", "tree/a/b", "tree/c", "tree/a/d" };
  for (gsize i = 0; i < G_N_ELEMENTS (dirs); i++)
    {
      g_autofree char *file = g_strconcat (dirs[i], "/file", NULL);
      put_dir (fixture->dir_fd, dirs[i], 0755);
      put_file (fixture->dir_fd, file, "x", 0644);
    }
  if (!put_immutable (fixture->dir_fd, "tree/a/b/stuck"))
    return;
  assert_stays (fixture, "tree", "stuck", HF_ERROR_DAMAGED);
  g_autofree char *top = only_name (fixture->dir_fd, "tree");
  g_autofree char *middle = only_name (fixture->dir_fd, "tree/a");
  g_autofree char *bottom = only_name (fixture->dir_fd, "tree/a/b");
  g_assert_cmpstr (top, ==, "a");
  g_assert_cmpstr (middle, ==, "b");
  g_assert_cmpstr (bottom, ==, "stuck");
  g_assert_true (set_immutable (fixture->dir_fd, "tree/a/b/stuck", FALSE));
  delete_all (fixture, "tree");
}

static void
test_immutable_alone (Fixture *fixture, gconstpointer data)
{
  if (!put_immutable (fixture->dir_fd, "stuck"))
    return;
  g_autoptr (GError) error = NULL;
  gboolean gone = hf_tree_delete (fixture->dir_fd, "stuck", NULL, &error);
  g_assert_true (set_immutable (fixture->dir_fd, "stuck", FALSE));
  g_assert_false (gone);
  g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
  g_assert_nonnull (strstr (error->message, "not permitted"));
}

static void
delete_deep_stuck (gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GError) error = NULL;
  limit_descriptors ();
  /* Ends a deletion that does not end by itself. */
  (void)alarm (120);
  g_assert_false (hf_tree_delete (fixture->dir_fd, "tree", NULL, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
  g_assert_nonnull (strstr (error->message, "stuck"));
}

/* Far below the levels that are kept open, so that every level is listed anew on the way up. */
static void
test_deep_stuck (Fixture *fixture, gconstpointer data)
{
  const guint depth = 300;
  hf_autofd int bottom = put_deep (fixture->dir_fd, "tree", depth);
  hf_autofd int fd = open_dir_at (fixture->dir_fd, "tree");
  for (guint i = 0; i < depth; i++)
    {
      put_dir (fd, "a", 0755);
      put_dir (fd, "z", 0755);
      put_file (fd, "z/file", "x", 0644);
      int inner = open_dir_at (fd, "d");
      hf_fd_clear (&fd);
      fd = inner;
    }
  if (!put_immutable (bottom, "stuck"))
    return;
  run_child (delete_deep_stuck, fixture);
  g_assert_true (set_immutable (bottom, "stuck", FALSE));
  hf_fd_clear (&fd);
  fd = open_dir_at (fixture->dir_fd, "tree");
  for (guint i = 0; i < depth; i++)
    {
      g_autofree char *left = only_name (fd, ".");
      g_assert_cmpstr (left, ==, "d");
      int inner = open_dir_at (fd, "d");
      hf_fd_clear (&fd);
      fd = inner;
    }
  delete_all (fixture, "tree");
}

static void
fail_on_foreign (gpointer data)
{
  const Fixture *fixture = data;
  assert_stays (fixture, "tree", "file", HF_ERROR_FAILED);
}

static void
test_foreign_owner (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("only it may give files away"))
    return;
  put_dir (fixture->dir_fd, "tree", 0755);
  put_dir (fixture->dir_fd, "tree/roots", 0755);
  put_file (fixture->dir_fd, "tree/roots/file", "x", 0644);
  put_file (fixture->dir_fd, "tree/mine", "x", 0644);
  g_assert_no_errno (fchown (fixture->dir_fd, 65534, 65534));
  g_assert_no_errno (fchownat (fixture->dir_fd, "tree", 65534, 65534, 0));
  run_unprivileged (fail_on_foreign, fixture);
  g_autofree char *left = only_name (fixture->dir_fd, "tree");
  g_assert_cmpstr (left, ==, "roots");
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/tree-delete/" promise, Fixture, NULL, fixture_set_up_empty, function,              \
              fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("a tree and a file go and nothing is gone already", test_plain);
  ADD ("directories of any mode go for their owner", test_modes);
  ADD ("what symlinks lead to is untouched", test_symlinks);
  ADD ("another link of a deleted file keeps its mode", test_hard_link);
  ADD ("5000 levels go with 100 descriptors", test_deep);
  ADD ("a directory of 1000000 files goes in bounded memory", test_full);
  ADD ("many deep subtrees go with 100 descriptors", test_wide);
  ADD ("a bind mount inside is not crossed and the rest goes", test_mount);
  ADD ("an immutable file leaves only the path to it", test_immutable);
  ADD ("a subtree that fails far down does not go round for ever", test_deep_stuck);
  ADD ("what belongs to others stays and the rest goes", test_foreign_owner);
  ADD ("an immutable file by itself is said to be one", test_immutable_alone);
  return g_test_run ();
}
