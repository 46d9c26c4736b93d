/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Running instances, as the locks of sandboxes tell: here the first process of a pid namespace
 * takes them as bubblewrap's does.
 */
#include "core/instances.h"

#include "support.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct
{
  HfInstallation *installation;
  const char *const *refs; /* paths of `.ref` files below the root */
} Sandbox;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfInstance, hf_instance_free)

static char *
ref_path (const char *ref, const char *name)
{
  return g_strconcat (HF_DEPLOY_DIR "/", ref, "/", name, "/" HF_REF_FILE, NULL);
}

static void
take_locks (gpointer data)
{
  const Sandbox *sandbox = data;
  for (const char *const *ref = sandbox->refs; *ref != NULL; ref++)
    lock_posix_shared (sandbox->installation->root_fd, *ref);
}

/* The processes that this starts are in a pid namespace of their own; the first is the sandbox's.
 */
static pid_t
sandbox_start (Sandbox *sandbox)
{
  int ours = open ("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  g_assert_no_errno (ours);
  g_assert_no_errno (unshare (CLONE_NEWPID));
  int ready[2];
  char byte = 0;
  g_assert_no_errno (pipe2 (ready, O_CLOEXEC));
  pid_t pid = fork ();
  g_assert_no_errno (pid);
  if (pid == 0)
    {
      (void)prctl (PR_SET_PDEATHSIG, SIGKILL);
      take_locks (sandbox);
      g_assert_cmpint (write (ready[1], &byte, 1), ==, 1);
      for (;;)
        pause ();
    }
  hf_fd_clear (&ready[1]);
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  hf_fd_clear (&ready[0]);
  g_assert_no_errno (setns (ours, CLONE_NEWPID));
  hf_fd_clear (&ours);
  return pid;
}

static GPtrArray *
list (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) installations = g_ptr_array_new ();
  g_ptr_array_add (installations, fixture->installation);
  GPtrArray *instances = hf_instances_list (installations, &error);
  g_assert_no_error (error);
  return instances;
}

static void
assert_none (Fixture *fixture)
{
  g_autoptr (GPtrArray) instances = list (fixture);
  g_assert_cmpuint (instances->len, ==, 0);
}

static void
assert_one (Fixture *fixture, pid_t pid, const char *ref, const char *runtime)
{
  g_autoptr (GPtrArray) instances = list (fixture);
  g_assert_cmpuint (instances->len, ==, 1);
  const HfInstance *instance = instances->pdata[0];
  g_assert_cmpint (instance->pid, ==, pid);
  g_assert_cmpstr (instance->ref->full, ==, ref);
  g_assert_true (hf_commit_is_valid (instance->commit));
  g_assert_cmpstr (instance->runtime == NULL ? NULL : instance->runtime->full, ==, runtime);
  g_assert_cmpint (instance->runtime_commit != NULL, ==, runtime != NULL);
}

static void
test_none (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  assert_none (fixture);
}

static void
test_app (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("only it may make a pid namespace"))
    return;
  g_autofree char *app = deploy (fixture->installation, APP, 'a');
  g_autofree char *runtime = deploy (fixture->installation, RUNTIME, 'b');
  g_autofree char *app_ref = ref_path (APP, app);
  g_autofree char *runtime_ref = ref_path (RUNTIME, runtime);
  const char *refs[] = { runtime_ref, app_ref, NULL };
  Sandbox sandbox = { fixture->installation, refs };
  pid_t pid = sandbox_start (&sandbox);
  assert_one (fixture, pid, APP, RUNTIME);
  child_kill (pid);
  assert_none (fixture);
}

static void
test_lone_runtime (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("only it may make a pid namespace"))
    return;
  g_autofree char *runtime = deploy (fixture->installation, RUNTIME, 'b');
  g_autofree char *ref = ref_path (RUNTIME, runtime);
  const char *refs[] = { ref, NULL };
  Sandbox sandbox = { fixture->installation, refs };
  pid_t pid = sandbox_start (&sandbox);
  assert_one (fixture, pid, RUNTIME, NULL);
  child_kill (pid);
}

static void
test_removed (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("only it may make a pid namespace"))
    return;
  HfInstallation *installation = fixture->installation;
  g_autofree char *entry = removed (installation, APP, 'a');
  g_autofree char *ref = g_strconcat (entry, "/" HF_REF_FILE, NULL);
  const char *refs[] = { ref, NULL };
  Sandbox sandbox = { installation, refs };
  pid_t pid = sandbox_start (&sandbox);
  assert_one (fixture, pid, APP, NULL);
  g_autofree char *link
      = deployed_path (APP, hf_removed_name_deployment (strrchr (entry, '/') + 1));
  g_assert_no_errno (unlinkat (installation->root_fd, link, 0));
  assert_one (fixture, pid, APP, NULL);
  child_kill (pid);
  assert_none (fixture);
}

static void
test_several (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("only it may make a pid namespace"))
    return;
  g_autofree char *app = deploy (fixture->installation, APP, 'a');
  g_autofree char *ref = ref_path (APP, app);
  const char *refs[] = { ref, NULL };
  Sandbox sandbox = { fixture->installation, refs };
  pid_t one = sandbox_start (&sandbox), two = sandbox_start (&sandbox);
  g_autoptr (GPtrArray) instances = list (fixture);
  g_assert_cmpuint (instances->len, ==, 2);
  child_kill (one);
  assert_one (fixture, two, APP, NULL);
  child_kill (two);
}

static void
test_other_holder (Fixture *fixture, gconstpointer data)
{
  g_autofree char *app = deploy (fixture->installation, APP, 'a');
  g_autofree char *ref = ref_path (APP, app);
  const char *refs[] = { ref, NULL };
  Sandbox sandbox = { fixture->installation, refs };
  pid_t pid = child_start (take_locks, &sandbox);
  assert_none (fixture);
  child_kill (pid);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/instances/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("without locks there are none", test_none);
  ADD ("a sandbox is listed with its app and its runtime until it ends", test_app);
  ADD ("a runtime that runs by itself is the instance", test_lone_runtime);
  ADD ("a removed image that runs is listed, with its old path or without", test_removed);
  ADD ("each sandbox is one instance", test_several);
  ADD ("a holder that is no sandbox is no instance", test_other_holder);
  return g_test_run ();
}
