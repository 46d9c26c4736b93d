/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files by directory descriptor: nothing leads out of a directory, and nothing is read that is not
 * a file of bounded size.
 */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static void
assert_refused (int dfd, const char *path, int expected)
{
  hf_autofd int fd = hf_open_beneath (dfd, path, O_RDONLY | O_NONBLOCK, 0);
  g_assert_cmpint (fd, ==, -1);
  g_assert_cmpint (errno, ==, expected);
}

static void
test_open_plain (Fixture *fixture, gconstpointer data)
{
  put_dir (fixture->dir_fd, "a", 0755);
  put_file (fixture->dir_fd, "a/b", "x", 0644);
  hf_autofd int fd = hf_open_beneath (fixture->dir_fd, "a/b", O_RDONLY, 0);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, !=, 0);
}

static void
test_open_symlink (Fixture *fixture, gconstpointer data)
{
  put_dir (fixture->dir_fd, "a", 0755);
  put_file (fixture->dir_fd, "a/b", "x", 0644);
  g_assert_no_errno (symlinkat ("a", fixture->dir_fd, "to-dir"));
  g_assert_no_errno (symlinkat ("a/b", fixture->dir_fd, "to-file"));
  g_assert_no_errno (symlinkat ("/etc", fixture->dir_fd, "out"));
  assert_refused (fixture->dir_fd, "to-file", ELOOP);
  assert_refused (fixture->dir_fd, "to-dir/b", ELOOP);
  assert_refused (fixture->dir_fd, "out/passwd", ELOOP);
}

static void
test_open_outside (Fixture *fixture, gconstpointer data)
{
  put_dir (fixture->dir_fd, "a", 0755);
  hf_autofd int inner = open_dir_at (fixture->dir_fd, "a");
  assert_refused (inner, "..", EXDEV);
  assert_refused (inner, "../a", EXDEV);
  assert_refused (inner, "/etc/passwd", EXDEV);
}

static void
cross_mount (gpointer data)
{
  Fixture *fixture = data;
  fixture_reopen (fixture);
  put_dir (fixture->dir_fd, "a", 0755);
  put_dir (fixture->dir_fd, "b", 0755);
  g_autofree char *from = g_build_filename (fixture->dir, "a", NULL);
  g_autofree char *to = g_build_filename (fixture->dir, "b", NULL);
  g_assert_no_errno (mount (from, to, NULL, MS_BIND, NULL));
  hf_autofd int fd = hf_open_same_mount (fixture->dir_fd, "b", O_PATH | O_DIRECTORY);
  g_assert_cmpint (fd, ==, -1);
  g_assert_cmpint (errno, ==, EXDEV);
}

static void
test_same_mount (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("only it may mount"))
    return;
  run_in_mounts (cross_mount, fixture);
}

static void
assert_read (int dfd, const char *path, gsize limit, HfErrorCode code, int expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = hf_file_read (dfd, path, limit, &error);
  int errsv = errno;
  g_assert_null (bytes);
  g_assert_error (error, HF_ERROR, (int)code);
  g_assert_cmpint (errsv, ==, expected);
  g_assert_nonnull (strstr (error->message, path));
}

static void
test_read_limit (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  put_file (fixture->dir_fd, "five", "12345", 0644);
  put_file (fixture->dir_fd, "empty", "", 0644);
  g_autoptr (GBytes) whole = hf_file_read (fixture->dir_fd, "five", 5, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (whole, NULL), g_bytes_get_size (whole), "12345", 5);
  g_autoptr (GBytes) nothing = hf_file_read (fixture->dir_fd, "empty", 0, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (nothing), ==, 0);
  assert_read (fixture->dir_fd, "five", 4, HF_ERROR_UNSAFE, EFBIG);
}

static void
test_read_other (Fixture *fixture, gconstpointer data)
{
  put_dir (fixture->dir_fd, "dir", 0755);
  put_file (fixture->dir_fd, "file", "x", 0644);
  g_assert_no_errno (mkfifoat (fixture->dir_fd, "fifo", 0644));
  g_assert_no_errno (symlinkat ("file", fixture->dir_fd, "link"));
  assert_read (fixture->dir_fd, "dir", 100, HF_ERROR_UNSAFE, EINVAL);
  assert_read (fixture->dir_fd, "fifo", 100, HF_ERROR_UNSAFE, EINVAL);
  assert_read (fixture->dir_fd, "link", 100, HF_ERROR_FAILED, ELOOP);
  assert_read (fixture->dir_fd, "absent", 100, HF_ERROR_FAILED, ENOENT);
}

static void
test_write_new (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  mode_t mask = umask (077);
  put_file (fixture->dir_fd, "new", "text", 0644);
  (void)umask (mask);
  g_assert_cmpuint (mode_at (fixture->dir_fd, "new"), ==, 0644);
  g_assert_false (hf_file_write_new (fixture->dir_fd, "new", "other", 5, 0644, &error));
  g_assert_cmpint (errno, ==, EEXIST);
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
  g_autoptr (GBytes) bytes = hf_file_read (fixture->dir_fd, "new", 100, NULL);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "text", 4);
}

static void
test_replace (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  put_file (fixture->dir_fd, "file", "former", 0600);
  put_file (fixture->dir_fd, "file.new", "of a crash", 0600);
  g_assert_true (hf_file_replace (fixture->dir_fd, "file.new", "file", "text", 4, 0644, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (mode_at (fixture->dir_fd, "file"), ==, 0644);
  g_assert_false (exists (fixture->dir_fd, "file.new"));
  put_dir (fixture->dir_fd, "directory", 0755);
  g_assert_false (
      hf_file_replace (fixture->dir_fd, "file.new", "directory", "text", 4, 0644, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
  g_assert_false (exists (fixture->dir_fd, "file.new"));
  g_autoptr (GBytes) bytes = hf_file_read (fixture->dir_fd, "file", 100, NULL);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "text", 4);
}

static void
test_mkdir (Fixture *fixture, gconstpointer data)
{
  mode_t mask = umask (077);
  put_dir (fixture->dir_fd, "new", 0711);
  (void)umask (mask);
  g_assert_cmpuint (mode_at (fixture->dir_fd, "new"), ==, 0711);
  put_dir (fixture->dir_fd, "new", 0755);
  g_assert_cmpuint (mode_at (fixture->dir_fd, "new"), ==, 0711);
}

static void
test_link_read (Fixture *fixture, gconstpointer data)
{
  put_file (fixture->dir_fd, "file", "x", 0644);
  g_assert_no_errno (symlinkat ("../nowhere", fixture->dir_fd, "link"));
  g_autofree char *target = hf_link_read (fixture->dir_fd, "link");
  g_assert_cmpstr (target, ==, "../nowhere");
  g_assert_null (hf_link_read (fixture->dir_fd, "file"));
  g_assert_cmpint (errno, ==, EINVAL);
  g_assert_null (hf_link_read (fixture->dir_fd, "absent"));
  g_assert_cmpint (errno, ==, ENOENT);
}

static void
test_listing (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpuint (count_names (fixture->dir_fd, "."), ==, 0);
  put_file (fixture->dir_fd, "..file", "x", 0644);
  g_autofree char *name = only_name (fixture->dir_fd, ".");
  g_assert_cmpstr (name, ==, "..file");
  g_autoptr (GError) error = NULL;
  g_assert_null (hf_dir_open (fixture->dir_fd, "absent", &error));
  g_assert_cmpint (errno, ==, ENOENT);
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
}

static void
test_ownership (Fixture *fixture, gconstpointer data)
{
  int fd = openat (fixture->dir_fd, ".", O_PATH | O_CLOEXEC);
  int copy = fd;
  int taken = hf_fd_steal (&fd);
  g_assert_cmpint (taken, ==, copy);
  g_assert_cmpint (fd, ==, -1);
  errno = EDOM;
  hf_fd_clear (&taken);
  hf_fd_clear (&fd);
  g_assert_cmpint (errno, ==, EDOM);
  g_assert_cmpint (taken, ==, -1);
  g_assert_cmpint (fcntl (copy, F_GETFD), ==, -1);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/fd/" promise, Fixture, NULL, fixture_set_up_empty, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("a file below a directory opens and is closed by exec", test_open_plain);
  ADD ("no symlink is followed, wherever in the path", test_open_symlink);
  ADD ("nothing leads out of the directory", test_open_outside);
  ADD ("a bind mount of the same file system is another mount", test_same_mount);
  ADD ("a file is read up to its limit and not past it", test_read_limit);
  ADD ("what is no regular file is not read and never waited for", test_read_other);
  ADD ("a new file has its exact mode and replaces nothing", test_write_new);
  ADD ("a file is replaced as a whole, or stays", test_replace);
  ADD ("a new directory has its exact mode and an old one is left", test_mkdir);
  ADD ("only a symlink is read as one", test_link_read);
  ADD ("a listing has all but the directory and its parent", test_listing);
  ADD ("a descriptor is closed once and errno survives", test_ownership);
  return g_test_run ();
}
