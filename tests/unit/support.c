/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The common ground of the tests of base and core.  Deployments are made by the code itself, from
 * staging/ on, so that what the tests meet is what an install leaves; only what a crash leaves is
 * put together by hand.
 */
#include "support.h"

#include "base/ofd-lock.h"
#include "base/tree-delete.h"
#include "core/active.h"
#include "core/lock.h"
#include "core/publish.h"
#include "core/remove.h"
#include "core/roots.h"
#include "core/settle.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

void
fixture_set_up_empty (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  fixture->dir = g_dir_make_tmp ("holdfast-unit-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->dir_fd = open (fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (fixture->dir_fd, >=, 0);
}

void
fixture_set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  fixture_set_up_empty (fixture, data);
  g_autofree char *path = g_build_filename (fixture->dir, "holdfast", NULL);
  fixture->installation = hf_installation_open (path, HF_OPEN_OR_CREATE, &error);
  g_assert_no_error (error);
  configure (fixture->installation, "keep-previous=0");
}

/* Most tests look at what goes: nothing is kept unless one says so. */
void
configure (HfInstallation *installation, const char *line)
{
  g_autofree char *text = g_strconcat ("[Installation]\n", line, "\n", NULL);
  (void)unlinkat (installation->root_fd, HF_CONFIG_FILE, 0);
  put_file (installation->root_fd, HF_CONFIG_FILE, text, 0644);
}

/* In a child with mounts of its own: a descriptor from before does not see what is mounted there.
 */
void
fixture_reopen (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  hf_fd_clear (&fixture->dir_fd);
  fixture->dir_fd = open (fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_no_errno (fixture->dir_fd);
  if (fixture->installation == NULL)
    return;
  g_autofree char *path = g_strdup (fixture->installation->path);
  hf_installation_free (fixture->installation);
  fixture->installation = hf_installation_open (path, HF_OPEN_EXISTING, &error);
  g_assert_no_error (error);
}

void
fixture_tear_down (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_clear_pointer (&fixture->installation, hf_installation_free);
  hf_fd_clear (&fixture->dir_fd);
  (void)!hf_tree_delete (AT_FDCWD, fixture->dir, NULL, &error);
  g_assert_no_error (error);
  g_clear_pointer (&fixture->dir, g_free);
}

void
put_file (int dfd, const char *path, const char *text, mode_t mode)
{
  g_autoptr (GError) error = NULL;
  (void)!hf_file_write_new (dfd, path, text, strlen (text), mode, &error);
  g_assert_no_error (error);
}

void
put_dir (int dfd, const char *path, mode_t mode)
{
  g_autoptr (GError) error = NULL;
  (void)!hf_mkdir (dfd, path, mode, &error);
  g_assert_no_error (error);
}

gboolean
exists (int dfd, const char *path)
{
  struct stat st;
  return fstatat (dfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

mode_t
mode_at (int dfd, const char *path)
{
  struct stat st;
  g_assert_no_errno (fstatat (dfd, path, &st, AT_SYMLINK_NOFOLLOW));
  return st.st_mode & 07777;
}

static GPtrArray *
names_in (int dfd, const char *path)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (DIR) dir = hf_dir_open (dfd, path, &error);
  g_assert_no_error (error);
  const struct dirent *entry;
  while (hf_dir_next (dir, &entry, &error) && entry != NULL)
    g_ptr_array_add (names, g_strdup (entry->d_name));
  g_assert_no_error (error);
  return names;
}

guint
count_names (int dfd, const char *path)
{
  g_autoptr (GPtrArray) names = names_in (dfd, path);
  return names->len;
}

char *
only_name (int dfd, const char *path)
{
  g_autoptr (GPtrArray) names = names_in (dfd, path);
  g_assert_cmpuint (names->len, ==, 1);
  return g_strdup (names->pdata[0]);
}

int
open_dir_at (int dfd, const char *path)
{
  int fd = hf_open_beneath (dfd, path, O_PATH | O_DIRECTORY, 0);
  g_assert_no_errno (fd);
  return fd;
}

HfRef *
ref_of (const char *text)
{
  g_autoptr (GError) error = NULL;
  HfRef *ref = hf_ref_parse (text, &error);
  g_assert_no_error (error);
  return ref;
}

HfDeploymentInfo *
info_of (const char *ref, char digit, const char *runtime)
{
  HfDeploymentInfo *info = g_new0 (HfDeploymentInfo, 1);
  info->ref = ref_of (ref);
  info->commit = g_strnfill (64, digit);
  info->origin = g_strdup ("local");
  info->runtime = g_strdup (runtime);
  info->installed_size = 5;
  info->time = 1700000000;
  return info;
}

HfStaging *
stage (HfInstallation *installation, const HfDeploymentInfo *info)
{
  g_autoptr (GError) error = NULL;
  HfStaging *staging = hf_staging_create (installation, &error);
  g_assert_no_error (error);
  put_dir (staging->dir_fd, HF_TREE_DIR, HF_MODE_DIR);
  put_file (staging->dir_fd, HF_TREE_DIR "/" HF_METADATA_FILE, "[Application]\n", 0644);
  put_dir (staging->dir_fd, HF_TREE_DIR "/" HF_FILES_DIR, HF_MODE_DIR);
  put_file (staging->dir_fd, HF_TREE_DIR "/" HF_FILES_DIR "/hello", "hello", 0755);
  put_dir (staging->dir_fd, HF_PINS_DIR, HF_MODE_DIR);
  g_autofree char *pin = g_strconcat (HF_PINS_DIR "/", info->commit, ".commit", NULL);
  put_file (staging->dir_fd, pin, "commit", 0644);
  (void)!hf_deployment_write (staging->dir_fd, info, &error);
  g_assert_no_error (error);
  return staging;
}

char *
active_of (HfInstallation *installation, const char *ref)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) parsed = ref_of (ref);
  char *name = NULL;
  (void)!hf_active_read (installation, parsed, &name, &error);
  g_assert_no_error (error);
  return name;
}

/* Puts @ref into service in place of whatever is, and returns the deployment's name. */
char *
deploy (HfInstallation *installation, const char *ref, char digit)
{
  return deploy_needing (installation, ref, digit, NULL);
}

/* The same, with @runtime recorded as what it needs. */
char *
deploy_needing (HfInstallation *installation, const char *ref, char digit, const char *runtime)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeploymentInfo) info = info_of (ref, digit, runtime);
  g_autoptr (HfStaging) staging = stage (installation, info);
  g_autofree char *before = active_of (installation, ref);
  (void)!hf_publish (staging, info, before, FALSE, &error);
  g_assert_no_error (error);
  return hf_deployment_name (info->commit, staging->name);
}

char *
deployed_path (const char *ref, const char *name)
{
  return g_strconcat (HF_DEPLOY_DIR "/", ref, "/", name, NULL);
}

void
uninstall (HfInstallation *installation, const char *ref)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) parsed = ref_of (ref);
  (void)!hf_remove_ref (installation, parsed, FALSE, &error);
  g_assert_no_error (error);
}

void
add_root (HfInstallation *installation, const char *path, const char *ref, const char *link)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) parsed = ref_of (ref);
  (void)!hf_root_add (installation, path, parsed, link, &error);
  g_assert_no_error (error);
}

/* Deploys and removes @ref, and returns the entry's path.  Nothing else of that commit is there. */
char *
removed (HfInstallation *installation, const char *ref, char digit)
{
  g_autofree char *name = deploy (installation, ref, digit);
  uninstall (installation, ref);
  g_autoptr (GPtrArray) names = names_in (installation->root_fd, HF_REMOVED_DIR);
  for (guint i = 0; i < names->len; i++)
    if (g_strcmp0 (hf_removed_name_deployment (names->pdata[i]), name) == 0)
      return g_strconcat (HF_REMOVED_DIR "/", names->pdata[i], NULL);
  g_assert_not_reached ();
}

void
fall_to (HfInstallation *installation, const char *path, HfDeploymentState state)
{
  g_autoptr (GError) error = NULL;
  hf_autofd int fd = open_dir_at (installation->root_fd, path);
  (void)!hf_deployment_set_state (fd, state, &error);
  g_assert_no_error (error);
}

HfDeploymentState
state_at (HfInstallation *installation, const char *path)
{
  g_autoptr (GError) error = NULL;
  hf_autofd int fd = open_dir_at (installation->root_fd, path);
  HfDeploymentState state = HF_STATE_ABSENT;
  (void)!hf_deployment_get_state (fd, &state, &error);
  g_assert_no_error (error);
  return state;
}

void
set_mark (HfInstallation *installation)
{
  g_assert_no_errno (
      fchmodat (installation->root_fd, HF_DEPLOY_DIR, HF_MODE_DIR | HF_MODE_UNSETTLED, 0));
}

gboolean
is_marked (HfInstallation *installation)
{
  return (mode_at (installation->root_fd, HF_DEPLOY_DIR) & HF_MODE_UNSETTLED) != 0;
}

void
settle (HfInstallation *installation)
{
  g_autoptr (GError) error = NULL;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  (void)!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, &error);
  g_assert_no_error (error);
  (void)!hf_settle (installation, &error);
  g_assert_no_error (error);
}

char *
deploy_orphan (HfInstallation *installation, const char *ref, char digit, HfDeploymentState state)
{
  g_autoptr (HfDeploymentInfo) info = info_of (ref, digit, NULL);
  g_autoptr (HfStaging) staging = stage (installation, info);
  g_autofree char *name = hf_deployment_name (info->commit, staging->name);
  char *path = deployed_path (ref, name);
  g_autofree char *whole = g_build_filename (installation->path, HF_DEPLOY_DIR, ref, NULL);
  g_assert_no_errno (g_mkdir_with_parents (whole, HF_MODE_DIR));
  g_assert_no_errno (
      renameat (installation->staging_fd, staging->name, installation->root_fd, path));
  fall_to (installation, path, state);
  return path;
}

/* --- The store -------------------------------------------------------------------------------- */

static gboolean
fake_call (FakeStore *store, const char *call, char *line, const HfSweepTarget *target,
           GError **error)
{
  g_ptr_array_add (store->calls, line);
  if (store->look != NULL)
    store->look (store, call, target);
  gboolean fails = store->fails != NULL && strstr (store->fails, call) != NULL
                   && (store->fails_at == NULL || g_strcmp0 (store->fails_at, target->path) == 0);
  return !fails || hf_throw (error, HF_ERROR_FAILED, "the fake store was told to fail");
}

static gboolean
fake_release (gpointer data, const HfSweepTarget *target, HfSweepReport *report,
              gboolean *out_released, GError **error)
{
  *out_released = TRUE;
  return fake_call (data, "release", g_strconcat ("release ", target->path, NULL), target, error);
}

static gboolean
fake_choose (gpointer data, HfSweepTarget *const *targets, gsize n_targets, HfSweepReport *report,
             const char **out_reason, GError **error)
{
  *out_reason = ((FakeStore *)data)->reason;
  return TRUE;
}

static gboolean
fake_prune_by_links (gpointer data, const HfSweepTarget *target, HfSweepReport *report,
                     GError **error)
{
  report->objects++;
  return fake_call (data, "links", g_strconcat ("links ", target->path, NULL), target, error);
}

static gboolean
fake_prune_by_marks (gpointer data, HfSweepTarget *const *targets, gsize n_targets,
                     HfSweepReport *report, GError **error)
{
  GString *line = g_string_new ("marks");
  for (gsize i = 0; i < n_targets; i++)
    g_string_append_printf (line, " %s", targets[i]->path);
  report->objects += n_targets;
  return fake_call (data, "marks", g_string_free (line, FALSE), n_targets > 0 ? targets[0] : NULL,
                    error);
}

FakeStore *
fake_store_new (HfInstallation *installation)
{
  FakeStore *store = g_new0 (FakeStore, 1);
  store->table = (HfSweepStore){ .release_commit = fake_release,
                                 .choose = fake_choose,
                                 .prune_by_links = fake_prune_by_links,
                                 .prune_by_marks = fake_prune_by_marks,
                                 .store = store };
  store->installation = installation;
  store->calls = g_ptr_array_new_with_free_func (g_free);
  return store;
}

void
fake_store_free (FakeStore *store)
{
  g_ptr_array_unref (store->calls);
  g_free (store);
}

/* All calls, joined by commas. */
char *
fake_store_calls (const FakeStore *store)
{
  GString *all = g_string_new (NULL);
  for (guint i = 0; i < store->calls->len; i++)
    g_string_append_printf (all, "%s%s", i > 0 ? ", " : "", (char *)store->calls->pdata[i]);
  return g_string_free (all, FALSE);
}

HfSweepReport *
sweep (HfInstallation *installation, FakeStore *store)
{
  g_autoptr (GError) error = NULL;
  HfSweepReport *report = hf_sweep_report_new ();
  (void)!hf_sweep_all (installation, &store->table, report, &error);
  g_assert_no_error (error);
  return report;
}

/* The entry at @path as a sweep lists it. */
HfTrashEntry *
entry_at (HfInstallation *installation, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) entries = hf_trash_list (installation, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < entries->len; i++)
    if (g_strcmp0 (((HfTrashEntry *)entries->pdata[i])->path, path) == 0)
      return g_ptr_array_steal_index (entries, i);
  g_assert_not_reached ();
}

gboolean
is_locked (int dfd, const char *path)
{
  hf_autofd int fd = openat (dfd, path, O_RDWR | O_CLOEXEC);
  g_assert_no_errno (fd);
  if (hf_ofd_lock (fd, HF_OFD_EXCLUSIVE, HF_OFD_TRY))
    return FALSE;
  g_assert_true (hf_ofd_refused (errno));
  return TRUE;
}

/* As bubblewrap's --lock-file does.  The lock lasts until this process closes the file, so never.
 */
void
lock_posix_shared (int dfd, const char *path)
{
  int fd = openat (dfd, path, O_RDONLY | O_CLOEXEC);
  struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
  g_assert_no_errno (fd);
  g_assert_no_errno (fcntl (fd, F_SETLK, &lock));
}

/* --- Children --------------------------------------------------------------------------------- */

/* A failed assertion aborts the child; _exit() keeps it from running what the parent will. */
static pid_t
fork_child (void)
{
  pid_t parent = getpid ();
  pid_t pid = fork ();
  g_assert_no_errno (pid);
  if (pid == 0)
    {
      g_assert_no_errno (prctl (PR_SET_PDEATHSIG, SIGKILL));
      if (getppid () != parent)
        _exit (1);
    }
  return pid;
}

void
child_wait (pid_t pid)
{
  int status;
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

void
run_child (ChildBody body, gpointer data)
{
  pid_t pid = fork_child ();
  if (pid == 0)
    {
      body (data);
      _exit (0);
    }
  child_wait (pid);
}

/* Returns once @body has run; the child then stays until child_kill(). */
pid_t
child_start (ChildBody body, gpointer data)
{
  int ready[2];
  char byte = 0;
  g_assert_no_errno (pipe2 (ready, O_CLOEXEC));
  pid_t pid = fork_child ();
  if (pid == 0)
    {
      body (data);
      g_assert_cmpint (write (ready[1], &byte, 1), ==, 1);
      for (;;)
        pause ();
    }
  hf_fd_clear (&ready[1]);
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  hf_fd_clear (&ready[0]);
  return pid;
}

void
child_kill (pid_t pid)
{
  g_assert_no_errno (kill (pid, SIGKILL));
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
}

typedef struct
{
  ChildBody body;
  gpointer data;
} Call;

static void
call_unprivileged (gpointer data)
{
  const Call *call = data;
  if (geteuid () == 0)
    {
      g_assert_no_errno (setgroups (0, NULL));
      g_assert_no_errno (setresgid (NOBODY, NOBODY, NOBODY));
      g_assert_no_errno (setresuid (NOBODY, NOBODY, NOBODY));
    }
  call->body (call->data);
}

/* In a child that is not root, if we are; what it needs must be given to uid 65534 before. */
void
run_unprivileged (ChildBody body, gpointer data)
{
  Call call = { body, data };
  run_child (call_unprivileged, &call);
}

static void
call_in_mounts (gpointer data)
{
  const Call *call = data;
  g_assert_no_errno (unshare (CLONE_NEWNS));
  g_assert_no_errno (mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  call->body (call->data);
}

/* In a child whose mounts go with it.  Needs root. */
void
run_in_mounts (ChildBody body, gpointer data)
{
  Call call = { body, data };
  run_child (call_in_mounts, &call);
}

gboolean
skip_unless_root (const char *why)
{
  if (geteuid () == 0)
    return FALSE;
  g_autofree char *reason = g_strdup_printf ("needs root: %s", why);
  g_test_skip (reason);
  return TRUE;
}
