/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opening and creating installations: any number of times, by any number of processes, after any
 * crash, and never over somebody's files.
 */
#include "core/installation.h"

#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOT "holdfast"

static HfInstallation *
open_root (const Fixture *fixture, HfOpenMode mode, GError **error)
{
  g_autofree char *path = g_build_filename (fixture->dir, ROOT, NULL);
  return hf_installation_open (path, mode, error);
}

static void
assert_complete (const Fixture *fixture)
{
  static const struct
  {
    const char *path;
    mode_t mode;
  } expected[] = {
    { HF_DEPLOY_DIR, HF_MODE_DIR },
    { HF_STAGING_DIR, HF_MODE_STAGING },
    { HF_REMOVED_DIR, HF_MODE_REMOVED },
    { HF_ROOTS_DIR, HF_MODE_DIR },
    { HF_EXPORTS_DIR, HF_MODE_DIR },
    { HF_REPO_DIR, HF_MODE_DIR },
    { HF_LOCK_FILE, HF_MODE_LOCK },
    { HF_PRUNE_LOCK_FILE, HF_MODE_LOCK },
    { HF_TURN_LOCK_FILE, HF_MODE_LOCK },
    { HF_REPO_DIR "/" HF_REPO_LOCK, HF_MODE_LOCK },
    { HF_FORMAT_FILE, 0644 },
  };
  hf_autofd int root = open_dir_at (fixture->dir_fd, ROOT);
  for (gsize i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      g_test_message ("%s", expected[i].path);
      g_assert_cmpuint (mode_at (root, expected[i].path), ==, expected[i].mode);
    }
  /* All but the repository's lock, and nothing else. */
  g_assert_cmpuint (count_names (root, "."), ==, G_N_ELEMENTS (expected) - 1);
  g_autoptr (GBytes) format = hf_file_read (root, HF_FORMAT_FILE, 16, NULL);
  g_assert_cmpmem (g_bytes_get_data (format, NULL), g_bytes_get_size (format), "1\n", 2);
}

static void
create_whole (const Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfInstallation) installation = open_root (fixture, HF_OPEN_OR_CREATE, &error);
  g_assert_no_error (error);
  assert_complete (fixture);
}

static void
test_create (Fixture *fixture, gconstpointer data)
{
  create_whole (fixture);
  create_whole (fixture);
  g_autoptr (GError) error = NULL;
  g_autoptr (HfInstallation) installation = open_root (fixture, HF_OPEN_EXISTING, &error);
  g_assert_no_error (error);
  g_assert_true (g_path_is_absolute (installation->path));
}

static void
test_umask (Fixture *fixture, gconstpointer data)
{
  put_dir (fixture->dir_fd, ROOT, 0755);
  mode_t mask = umask (077);
  create_whole (fixture);
  (void)umask (mask);
}

static void
test_absent (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) nothing = NULL, empty = NULL;
  g_assert_null (open_root (fixture, HF_OPEN_EXISTING, &nothing));
  g_assert_error (nothing, HF_ERROR, HF_ERROR_NOT_FOUND);
  g_assert_false (exists (fixture->dir_fd, ROOT));
  put_dir (fixture->dir_fd, ROOT, 0755);
  g_assert_null (open_root (fixture, HF_OPEN_EXISTING, &empty));
  g_assert_error (empty, HF_ERROR, HF_ERROR_NOT_FOUND);
  g_assert_cmpuint (count_names (fixture->dir_fd, ROOT), ==, 0);
}

typedef struct
{
  Fixture *fixture;
  int gate; /* at its end when all may begin */
} Creator;

static void
create_at_once (const Creator *creator)
{
  char byte;
  g_assert_cmpint (read (creator->gate, &byte, 1), ==, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (HfInstallation) installation = open_root (creator->fixture, HF_OPEN_OR_CREATE, &error);
  g_assert_no_error (error);
}

static void
test_at_once (Fixture *fixture, gconstpointer data)
{
  for (guint round = 0; round < 10; round++)
    {
      int gate[2];
      pid_t children[4];
      g_assert_no_errno (pipe2 (gate, O_CLOEXEC));
      for (gsize i = 0; i < G_N_ELEMENTS (children); i++)
        if ((children[i] = fork ()) == 0)
          {
            Creator creator = { fixture, gate[0] };
            hf_fd_clear (&gate[1]);
            create_at_once (&creator);
            _exit (0);
          }
      hf_fd_clear (&gate[0]);
      hf_fd_clear (&gate[1]);
      for (gsize i = 0; i < G_N_ELEMENTS (children); i++)
        child_wait (children[i]);
      assert_complete (fixture);
      g_autofree char *done = g_strdup_printf ("done.%u", round);
      g_assert_no_errno (renameat (fixture->dir_fd, ROOT, fixture->dir_fd, done));
    }
}

static void
test_format (Fixture *fixture, gconstpointer text)
{
  create_whole (fixture);
  hf_autofd int root = open_dir_at (fixture->dir_fd, ROOT);
  g_assert_no_errno (unlinkat (root, HF_FORMAT_FILE, 0));
  put_file (root, HF_FORMAT_FILE, text, 0644);
  const HfOpenMode modes[] = { HF_OPEN_EXISTING, HF_OPEN_OR_CREATE };
  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (open_root (fixture, modes[i], &error));
      g_assert_error (error, HF_ERROR, HF_ERROR_FORMAT);
      g_assert_nonnull (strstr (error->message, fixture->dir));
    }
  g_autoptr (GBytes) after = hf_file_read (root, HF_FORMAT_FILE, 100, NULL);
  g_assert_cmpmem (g_bytes_get_data (after, NULL), g_bytes_get_size (after), text, strlen (text));
}

static void
test_foreign (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  put_dir (fixture->dir_fd, ROOT, 0700);
  put_file (fixture->dir_fd, ROOT "/letter", "dear", 0600);
  g_assert_null (open_root (fixture, HF_OPEN_OR_CREATE, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "letter"));
  g_autofree char *only = only_name (fixture->dir_fd, ROOT);
  g_assert_cmpstr (only, ==, "letter");
  g_assert_cmpuint (mode_at (fixture->dir_fd, ROOT), ==, 0700);
}

static void
test_not_directory (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  put_file (fixture->dir_fd, ROOT, "text", 0644);
  g_assert_null (open_root (fixture, HF_OPEN_OR_CREATE, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_FAILED);
}

/* A crash before the last step leaves no `format`; what there is besides depends on when. */
static void
test_interrupted (Fixture *fixture, gconstpointer data)
{
  static const char *const steps[] = { HF_DEPLOY_DIR, HF_STAGING_DIR, HF_REPO_DIR };
  put_dir (fixture->dir_fd, ROOT, 0755);
  put_file (fixture->dir_fd, ROOT "/" HF_FORMAT_FILE_NEW, "", 0600);
  create_whole (fixture);
  hf_autofd int root = open_dir_at (fixture->dir_fd, ROOT);
  g_assert_no_errno (unlinkat (root, HF_FORMAT_FILE, 0));
  create_whole (fixture);
  g_assert_no_errno (unlinkat (root, HF_FORMAT_FILE, 0));
  g_assert_no_errno (unlinkat (root, HF_REPO_DIR "/" HF_REPO_LOCK, 0));
  g_assert_no_errno (unlinkat (root, HF_LOCK_FILE, 0));
  for (gsize i = G_N_ELEMENTS (steps); i-- > 0;)
    {
      g_assert_no_errno (unlinkat (root, steps[i], AT_REMOVEDIR));
      create_whole (fixture);
      g_assert_no_errno (unlinkat (root, HF_FORMAT_FILE, 0));
      g_assert_no_errno (unlinkat (root, HF_REPO_DIR "/" HF_REPO_LOCK, 0));
    }
}

/* mkdir(2) under a umask came, the chmod(2) after it did not. */
static void
test_interrupted_mode (Fixture *fixture, gconstpointer data)
{
  put_dir (fixture->dir_fd, ROOT, 0755);
  put_dir (fixture->dir_fd, ROOT "/" HF_DEPLOY_DIR, 0700);
  put_dir (fixture->dir_fd, ROOT "/" HF_REMOVED_DIR, 0700);
  create_whole (fixture);
}

static void
test_symlink (Fixture *fixture, gconstpointer data)
{
  put_dir (fixture->dir_fd, "real", 0755);
  g_assert_no_errno (symlinkat ("real", fixture->dir_fd, ROOT));
  g_autoptr (GError) error = NULL;
  g_autoptr (HfInstallation) installation = open_root (fixture, HF_OPEN_OR_CREATE, &error);
  g_assert_no_error (error);
  g_assert_true (exists (fixture->dir_fd, "real/" HF_FORMAT_FILE));
}

static void
test_default (void)
{
  g_autofree char *system = hf_installation_default_path (TRUE);
  g_autofree char *user = hf_installation_default_path (FALSE);
  g_assert_cmpstr (system, ==, HF_SYSTEM_INSTALLATION);
  g_assert_true (g_str_has_prefix (user, g_get_user_data_dir ()));
}

#define ADD(promise, data, function)                                                               \
  g_test_add ("/installation/" promise, Fixture, data, fixture_set_up_empty, function,             \
              fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("creating twice is creating once", NULL, test_create);
  ADD ("modes do not depend on the umask", NULL, test_umask);
  ADD ("opening what is not there finds nothing and makes nothing", NULL, test_absent);
  ADD ("any number of creators at once all succeed", NULL, test_at_once);
  ADD ("a newer format is refused and left", "2\n", test_format);
  ADD ("a format past all numbers is refused and left", "99999999999999999999999\n", test_format);
  ADD ("a format that is no number is refused and left", "one\n", test_format);
  ADD ("a format with more behind it is refused and left", "1.5\n", test_format);
  ADD ("an empty format is refused and left", "", test_format);
  ADD ("a directory of somebody else is refused and untouched", NULL, test_foreign);
  ADD ("what is no directory is refused", NULL, test_not_directory);
  ADD ("an interrupted creation is completed", NULL, test_interrupted);
  ADD ("the way to it may lead through a symlink", NULL, test_symlink);
  g_test_add_func ("/installation/the default paths are those documented", test_default);
  ADD ("an interrupted creation gets its modes", NULL, test_interrupted_mode);
  return g_test_run ();
}
