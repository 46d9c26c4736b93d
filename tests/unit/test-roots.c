/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Roots: what one keeps is never given up while its file is there, whatever lies beside it, and for whoever cannot
 * tell.
 */
#include "core/roots.h"

#include "core/lock.h"
#include "support.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MINE HF_ROOTS_DIR "/" HF_ROOTS_OWN "/mine"

static HfRoots *
load (HfInstallation *installation)
{
  g_autoptr (GError) error = NULL;
  HfRoots *roots = hf_roots_load (installation, &error);
  g_assert_no_error (error);
  return roots;
}

/* Puts a root's file there by hand, as another program may. */
static void
put_root (HfInstallation *installation, const char *path, const char *text)
{
  g_autofree char *file = g_strconcat (HF_ROOTS_DIR "/", path, NULL);
  g_autofree char *directory = g_path_get_dirname (file);
  put_dir (installation->root_fd, directory, HF_MODE_DIR);
  put_file (installation->root_fd, file, text, 0644);
}

static void
remove_root (HfInstallation *installation, const char *path)
{
  g_autoptr (GError) error = NULL;
  (void)!hf_root_remove (installation, path, &error);
  g_assert_no_error (error);
}

/* What is in service for APP, the active one included. */
static guint
in_service (HfInstallation *installation)
{
  guint count = 0;
  g_autoptr (GPtrArray) names = NULL;
  hf_autofd int branch_fd = open_dir_at (installation->deploy_fd, APP);
  g_autoptr (DIR) dir = hf_dir_open (branch_fd, ".", NULL);
  const struct dirent *entry = NULL;
  while (hf_dir_next (dir, &entry, NULL) && entry != NULL)
    count += entry->d_type == DT_DIR ? 1 : 0;
  return count;
}

static void
test_added (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *name = deploy (installation, APP, 'a');
  g_autofree char *link = g_build_filename (fixture->dir, "link", NULL);
  gint64 before = g_get_real_time () / G_USEC_PER_SEC;
  add_root (installation, "local/mine", APP, NULL);
  add_root (installation, "os/linked", APP, link);
  g_autoptr (HfRoots) roots = load (installation);
  g_assert_cmpuint (roots->all->len, ==, 2);
  g_assert_cmpuint (roots->problems->len, ==, 0);
  const HfRoot *mine = roots->all->pdata[0], *linked = roots->all->pdata[1];
  g_assert_cmpstr (mine->path, ==, "local/mine");
  g_assert_cmpstr (mine->ref->full, ==, APP);
  g_assert_cmpstr (mine->deployment, ==, name);
  g_assert_cmpint (mine->time, >=, before);
  g_assert_null (mine->link);
  g_assert_cmpstr (linked->path, ==, "os/linked");
  g_assert_cmpstr (linked->link, ==, link);
  g_autofree char *target = g_build_filename (installation->path, HF_DEPLOY_DIR, APP, name, NULL);
  g_assert_cmpstr (linked->target, ==, target);
  g_assert_true (hf_roots_find (roots, name) == mine);
  g_assert_null (hf_roots_find (roots, "another"));
  g_assert_false (is_marked (installation));
}

static void
test_refused (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) app = ref_of (APP);
  g_autoptr (HfRef) other = ref_of (OTHER);
  g_autofree char *name = deploy (installation, APP, 'a');
  add_root (installation, "local/mine", APP, NULL);
  g_assert_false (hf_root_add (installation, "local/mine", app, NULL, &error));
  g_assert_nonnull (strstr (error->message, "There is a root local/mine already"));
  g_clear_error (&error);
  g_assert_false (hf_root_add (installation, "local/other", other, NULL, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_false (hf_root_remove (installation, "local/none", &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
  g_autoptr (HfRoots) roots = load (installation);
  g_assert_cmpuint (roots->all->len, ==, 1);
}

/* Each is told of, and keeps no other from being read. */
static void
test_bad (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  static const char *const bad[] = { "os/empty", "os/garbage", "os/no-ref", "os/relative", "os/-" };
  static const char *const texts[] = { "", "garbage", "[Root]\nkeeps=x\n",
                                       "[Root]\nref=" APP "\nlink=here\ntarget=there\n", "x" };
  g_autofree char *name = deploy (installation, APP, 'a');
  add_root (installation, "local/mine", APP, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    put_root (installation, bad[i], texts[i]);
  put_dir (installation->root_fd, HF_ROOTS_DIR "/os/directory", 0755);
  put_file (installation->root_fd, HF_ROOTS_DIR "/file", "x", 0644);
  put_root (installation, "os/.being-written", "x");
  put_dir (installation->root_fd, HF_ROOTS_DIR "/.hidden", 0755);
  put_file (installation->root_fd, HF_ROOTS_DIR "/.hidden/file", "x", 0644);
  g_autoptr (HfRoots) roots = load (installation);
  g_assert_cmpuint (roots->all->len, ==, 1);
  g_assert_nonnull (hf_roots_find (roots, name));
  g_assert_cmpuint (roots->problems->len, ==, G_N_ELEMENTS (bad) + 2);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      guint told = 0;
      for (guint j = 0; j < roots->problems->len; j++)
        told += strcmp (((HfRootProblem *)roots->problems->pdata[j])->path, bad[i]) == 0 ? 1 : 0;
      g_assert_cmpuint (told, ==, 1);
    }
  remove_root (installation, "os/garbage");
  g_assert_false (exists (installation->root_fd, HF_ROOTS_DIR "/os/garbage"));
}

/* A shortage must not look as if there were no root. */
static void
load_starved (gpointer data)
{
  guint refused = 0;
  for (rlim_t most = 3; most < 20; most++)
    {
      g_autoptr (GError) error = NULL;
      const struct rlimit limit = { most, 20 };
      g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &limit));
      g_autoptr (HfRoots) roots = hf_roots_load (data, &error);
      g_assert_true (roots != NULL || error != NULL);
      refused += roots == NULL ? 1 : 0;
      if (roots != NULL)
        g_assert_cmpuint (roots->all->len, ==, 1);
    }
  g_assert_cmpuint (refused, >, 0);
}

static void
test_starved (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  add_root (fixture->installation, "local/mine", APP, NULL);
  run_child (load_starved, fixture->installation);
}

/* What one that cannot be read keeps, nobody knows. */
static void
load_forbidden (gpointer data)
{
  g_autoptr (HfRoots) roots = load (data);
  g_assert_cmpuint (roots->all->len, ==, 0);
  g_assert_cmpuint (roots->problems->len, ==, 1);
  g_autofree char *told = hf_root_problem_describe (roots->problems->pdata[0]);
  g_assert_nonnull (strstr (told, "local/mine may keep anything"));
  g_assert_cmpstr (hf_roots_find (roots, "whatever")->path, ==, "local/mine");
}

static void
test_unreadable (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("it becomes a user who may not read a root"))
    return;
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  add_root (fixture->installation, "local/mine", APP, NULL);
  g_assert_no_errno (fchmodat (fixture->installation->root_fd, MINE, 0600, 0));
  run_unprivileged (load_forbidden, fixture->installation);
}

static void
test_removed (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *first = deploy (installation, APP, 'a');
  add_root (installation, "local/mine", APP, NULL);
  add_root (installation, "os/too", APP, NULL);
  g_autofree char *second = deploy (installation, APP, 'b');
  g_assert_cmpuint (in_service (installation), ==, 2);
  remove_root (installation, "local/mine");
  g_assert_cmpuint (in_service (installation), ==, 2);
  g_assert_false (exists (installation->root_fd, HF_ROOTS_DIR "/" HF_ROOTS_OWN));
  remove_root (installation, "os/too");
  g_assert_cmpuint (in_service (installation), ==, 1);
  g_autofree char *active = active_of (installation, APP);
  g_assert_cmpstr (active, ==, second);
  g_assert_true (exists (installation->root_fd, HF_ROOTS_DIR "/os"));
  g_assert_false (is_marked (installation));
}

static void
test_moved (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GError) error = NULL;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_autofree char *first = deploy (installation, APP, 'a');
  g_autofree char *other = deploy (installation, OTHER, 'b');
  g_autofree char *link = g_build_filename (fixture->dir, "link", NULL);
  add_root (installation, "local/mine", APP, NULL);
  add_root (installation, "local/linked", APP, link);
  add_root (installation, "local/other", OTHER, NULL);
  g_autofree char *to = g_strconcat (first, "0", NULL);
  (void)!(hf_lock_take (installation, HF_LOCK_CHANGE, &lock, &error)
          && hf_roots_move (installation, first, to, &error));
  g_assert_no_error (error);
  g_autoptr (HfRoots) roots = load (installation);
  g_assert_cmpstr (hf_roots_find (roots, to)->path, ==, "local/mine");
  g_assert_cmpstr (hf_roots_find (roots, first)->path, ==, "local/linked");
  g_assert_cmpstr (hf_roots_find (roots, other)->path, ==, "local/other");
}

/* Somebody makes it anew between the look and the end of it: in the same second, and with the same inode, if the
 * file system has it so. */
static void
make_anew (HfInstallation *installation, const char *link)
{
  struct stat before, after;
  g_assert_no_errno (fstatat (installation->root_fd, MINE, &before, AT_SYMLINK_NOFOLLOW));
  do
    {
      remove_root (installation, "local/mine");
      add_root (installation, "local/mine", APP, link);
      g_assert_no_errno (fstatat (installation->root_fd, MINE, &after, AT_SYMLINK_NOFOLLOW));
    }
  while (hf_stat_same_file (&before, &after) && before.st_ctim.tv_sec == after.st_ctim.tv_sec
         && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

static void
test_ended (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = deploy (installation, APP, 'a');
  g_autofree char *link = g_build_filename (fixture->dir, "link", NULL);
  add_root (installation, "local/mine", APP, link);
  add_root (installation, "local/stays", APP, NULL);
  g_autoptr (HfRoots) roots = load (installation);
  hf_roots_check_links (installation, roots);
  g_assert_false (hf_roots_any_ended (roots));
  g_assert_no_errno (unlinkat (fixture->dir_fd, "link", 0));
  hf_roots_check_links (installation, roots);
  g_assert_true (hf_roots_any_ended (roots));
  make_anew (installation, link);
  (void)!hf_roots_drop_ended (installation, roots, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (exists (installation->root_fd, MINE));
  g_assert_no_errno (unlinkat (fixture->dir_fd, "link", 0));
  g_autoptr (HfRoots) again = load (installation);
  hf_roots_check_links (installation, again);
  (void)!hf_roots_drop_ended (installation, again, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (exists (installation->root_fd, MINE));
  g_assert_true (exists (installation->root_fd, HF_ROOTS_DIR "/" HF_ROOTS_OWN "/stays"));
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/roots/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("one that was added is read back", test_added);
  ADD ("what cannot be is refused and changes nothing", test_refused);
  ADD ("one that makes no sense is told of, and hides no other", test_bad);
  ADD ("a shortage of descriptors hides none", test_starved);
  ADD ("one that cannot be read keeps everything", test_unreadable);
  ADD ("what the last root kept goes with it", test_removed);
  ADD ("what takes a deployment's place is kept in its place", test_moved);
  ADD ("one that ended goes, unless it was made anew", test_ended);
  return g_test_run ();
}
