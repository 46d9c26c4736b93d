/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walking hostile trees: everything that can be seen is met once, in the order of a deletion, and nothing
 * outside.
 */
#include "base/tree-walk.h"

#include "support.h"

#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define DEPTH 300

typedef struct
{
  GPtrArray *paths; /* owned; of char *, in the order in which they were met */
  guint most;       /* after which the walk is stopped; or 0 */
} Met;

static void
met_clear (Met *met)
{
  g_ptr_array_unref (met->paths);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Met, met_clear)

#define MET_INIT                                                                                   \
  {                                                                                                \
    g_ptr_array_new_with_free_func (g_free), 0                                                     \
  }

static gboolean
meet (const HfTreeWalk *walk, int dfd, const char *name, ino_t inode, gpointer data)
{
  Met *met = data;
  struct stat st;
  g_assert_no_errno (fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW));
  g_assert_cmpuint (st.st_ino, ==, inode);
  g_ptr_array_add (met->paths, hf_tree_walk_path (walk, name));
  return met->paths->len != met->most;
}

/* The place of @path among what was met, which must be there once. */
static guint
place_of (const Met *met, const char *path)
{
  guint place = 0, times = 0;
  for (guint i = 0; i < met->paths->len; i++)
    if (strcmp (met->paths->pdata[i], path) == 0)
      {
        place = i;
        times++;
      }
  g_assert_cmpuint (times, ==, 1);
  return place;
}

static gboolean
was_met (const Met *met, const char *path)
{
  return g_ptr_array_find_with_equal_func (met->paths, path, g_str_equal, NULL);
}

static void
make_tree (Fixture *fixture)
{
  put_dir (fixture->dir_fd, "tree", 0755);
  put_dir (fixture->dir_fd, "tree/a", 0755);
  put_dir (fixture->dir_fd, "tree/a/b", 0755);
  put_file (fixture->dir_fd, "tree/a/b/file", "x", 0);
  put_file (fixture->dir_fd, "tree/a/.hidden", "x", 0644);
  put_dir (fixture->dir_fd, "tree/empty", 0755);
}

static void
test_order (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_auto (Met) met = MET_INIT;
  make_tree (fixture);
  (void)!hf_tree_walk (fixture->dir_fd, "tree", meet, &met, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (met.paths->len, ==, 6);
  g_assert_cmpuint (place_of (&met, "tree"), ==, 5);
  g_assert_cmpuint (place_of (&met, "tree/a/b/file"), <, place_of (&met, "tree/a/b"));
  g_assert_cmpuint (place_of (&met, "tree/a/b"), <, place_of (&met, "tree/a"));
  g_assert_cmpuint (place_of (&met, "tree/a/.hidden"), <, place_of (&met, "tree/a"));
  g_assert_cmpuint (place_of (&met, "tree/empty"), <, place_of (&met, "tree"));
}

static void
test_no_directory (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_auto (Met) met = MET_INIT;
  put_file (fixture->dir_fd, "file", "x", 0644);
  (void)!hf_tree_walk (fixture->dir_fd, "file", meet, &met, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (place_of (&met, "file"), ==, 0);
  (void)!hf_tree_walk (fixture->dir_fd, "absent", meet, &met, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (met.paths->len, ==, 1);
}

static void
test_symlinks (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_auto (Met) met = MET_INIT;
  put_dir (fixture->dir_fd, "outside", 0755);
  put_file (fixture->dir_fd, "outside/file", "x", 0644);
  put_dir (fixture->dir_fd, "tree", 0755);
  g_assert_no_errno (symlinkat ("../outside", fixture->dir_fd, "tree/link"));
  g_assert_no_errno (symlinkat (".", fixture->dir_fd, "tree/self"));
  g_assert_no_errno (symlinkat ("outside", fixture->dir_fd, "top"));
  (void)!(hf_tree_walk (fixture->dir_fd, "tree", meet, &met, &error)
          && hf_tree_walk (fixture->dir_fd, "top", meet, &met, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (met.paths->len, ==, 4);
  (void)place_of (&met, "tree/link");
  (void)place_of (&met, "tree/self");
  (void)place_of (&met, "top");
}

static void
test_stop (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  make_tree (fixture);
  for (guint most = 1; most <= 6; most++)
    {
      g_auto (Met) met = MET_INIT;
      met.most = most;
      (void)!hf_tree_walk (fixture->dir_fd, "tree", meet, &met, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (met.paths->len, ==, most);
    }
}

/* Deeper than descriptors are kept open. */
static void
test_deep (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_auto (Met) met = MET_INIT;
  hf_autofd int fd = open_dir_at (fixture->dir_fd, ".");
  for (guint i = 0; i < DEPTH; i++)
    {
      put_dir (fd, "deep", 0755);
      put_dir (fd, "deep/beside", 0755);
      int next = open_dir_at (fd, "deep");
      hf_fd_clear (&fd);
      fd = next;
    }
  (void)!hf_tree_walk (fixture->dir_fd, "deep", meet, &met, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (met.paths->len, ==, 2 * DEPTH);
  (void)place_of (&met, "deep");
  (void)place_of (&met, "deep/deep/beside");
}

/* As another user: root can look everywhere. */
static void
walk_closed (gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GError) error = NULL;
  g_auto (Met) met = MET_INIT;
  put_dir (fixture->dir_fd, "tree", 0755);
  put_dir (fixture->dir_fd, "tree/a", 0755);
  put_dir (fixture->dir_fd, "tree/a/closed", 0755);
  put_file (fixture->dir_fd, "tree/a/closed/file", "x", 0644);
  put_dir (fixture->dir_fd, "tree/open", 0755);
  put_file (fixture->dir_fd, "tree/open/file", "x", 0644);
  g_assert_no_errno (fchmodat (fixture->dir_fd, "tree/a/closed", 0, 0));
  g_assert_false (hf_tree_walk (fixture->dir_fd, "tree", meet, &met, &error));
  g_assert_nonnull (strstr (error->message, "closed"));
  g_assert_true (was_met (&met, "tree/open"));
  g_assert_true (was_met (&met, "tree/open/file"));
  g_assert_cmpuint (met.paths->len, ==, 2);
  g_assert_no_errno (fchmodat (fixture->dir_fd, "tree/a/closed", 0755, 0));
}

static void
test_closed (Fixture *fixture, gconstpointer data)
{
  if (geteuid () == 0)
    g_assert_no_errno (fchown (fixture->dir_fd, 65534, 65534));
  run_unprivileged (walk_closed, fixture);
}

static void
walk_mounted (gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GError) error = NULL;
  g_auto (Met) met = MET_INIT;
  g_autofree char *outside = g_build_filename (fixture->dir, "outside", NULL);
  g_autofree char *inside = g_build_filename (fixture->dir, "tree/mounted", NULL);
  g_assert_no_errno (mount (outside, inside, NULL, MS_BIND, NULL));
  fixture_reopen (fixture);
  g_assert_false (hf_tree_walk (fixture->dir_fd, "tree", meet, &met, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
  g_assert_nonnull (strstr (error->message, "mounted is a mount point"));
  g_assert_cmpuint (met.paths->len, ==, 1);
  (void)place_of (&met, "tree/file");
}

static void
test_mounted (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("it mounts"))
    return;
  put_dir (fixture->dir_fd, "outside", 0755);
  put_file (fixture->dir_fd, "outside/file", "x", 0644);
  put_dir (fixture->dir_fd, "tree", 0755);
  put_dir (fixture->dir_fd, "tree/mounted", 0755);
  put_file (fixture->dir_fd, "tree/file", "x", 0644);
  run_in_mounts (walk_mounted, fixture);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/tree-walk/" promise, Fixture, NULL, fixture_set_up_empty, function,                \
              fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("what is in a directory is met once, and before it", test_order);
  ADD ("what is no directory is met by itself, and nothing is no failure", test_no_directory);
  ADD ("a symlink is met and not followed", test_symlinks);
  ADD ("a visit can stop it at any name", test_stop);
  ADD ("everything is met once, however deep", test_deep);
  ADD ("what cannot be seen is told, and the rest is met", test_closed);
  ADD ("a mount is not entered", test_mounted);
  return g_test_run ();
}
