/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who holds a `.ref`: each kind of lock is traced to the process that has it.
 */
#include "core/holders.h"

#include "base/fd.h"
#include "core/layout.h"

#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct
{
  char *dir; /* owned */
  int dir_fd;
  int ref_fd;
} Fixture;

typedef struct
{
  GPid pid;
  int input; /* its lock lasts until this is closed */
} LockProcess;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  fixture->dir = g_dir_make_tmp ("holdfast-holders-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->dir_fd = open (fixture->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  g_assert_true (hf_file_write_new (fixture->dir_fd, HF_REF_FILE, "", 0, HF_MODE_REF, &error));
  fixture->ref_fd = hf_open_beneath (fixture->dir_fd, HF_REF_FILE, O_PATH, 0);
  g_assert_cmpint (fixture->ref_fd, >=, 0);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (unlinkat (fixture->dir_fd, HF_REF_FILE, 0), ==, 0);
  g_assert_cmpint (unlinkat (AT_FDCWD, fixture->dir, AT_REMOVEDIR), ==, 0);
  hf_fd_clear (&fixture->ref_fd);
  hf_fd_clear (&fixture->dir_fd);
  g_free (fixture->dir);
}

static LockProcess
lock_process_start (const Fixture *fixture, const char *kind, const char *mode)
{
  LockProcess process;
  int output;
  char byte;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (fixture->dir, HF_REF_FILE, NULL);
  const char *words[] = { g_getenv ("HOLD_LOCK"), kind, mode, path, NULL };
  g_assert_true (g_spawn_async_with_pipes (NULL, (char **)words, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
                                           NULL, NULL, &process.pid, &process.input, &output, NULL,
                                           &error));
  g_assert_cmpint (read (output, &byte, 1), ==, 1);
  hf_fd_clear (&output);
  return process;
}

static void
lock_process_end (LockProcess *process)
{
  hf_fd_clear (&process->input);
  g_assert_cmpint (waitpid (process->pid, NULL, 0), ==, process->pid);
}

static GPtrArray *
list_holders (const Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfHolders) snapshot = hf_holders_read (&error);
  g_assert_no_error (error);
  GPtrArray *holders = hf_holders_of (snapshot, fixture->ref_fd, &error);
  g_assert_no_error (error);
  return holders;
}

static gboolean
is_skipped (void)
{
  if (g_getenv ("HOLD_LOCK") != NULL)
    return FALSE;
  g_test_skip ("HOLD_LOCK does not name the program that takes locks");
  return TRUE;
}

static void
test_kind (Fixture *fixture, gconstpointer kind)
{
  if (is_skipped ())
    return;
  LockProcess process = lock_process_start (fixture, kind, "shared");
  g_autoptr (GPtrArray) holders = list_holders (fixture);
  g_assert_cmpuint (holders->len, ==, 1);
  const HfHolder *holder = holders->pdata[0];
  g_assert_cmpint (holder->pid, ==, process.pid);
  g_assert_cmpuint (holder->uid, ==, getuid ());
  g_assert_cmpstr (holder->command, ==, "hold-lock");
  g_assert_false (holder->first_of_sandbox);
  gint64 now = (gint64)time (NULL);
  g_assert_cmpint ((gint64)holder->start, >=, now - 60);
  g_assert_cmpint ((gint64)holder->start, <=, now + 1);

  lock_process_end (&process);
  g_autoptr (GPtrArray) after = list_holders (fixture);
  g_assert_cmpuint (after->len, ==, 0);
}

static void
test_several (Fixture *fixture, gconstpointer data)
{
  if (is_skipped ())
    return;
  LockProcess processes[] = { lock_process_start (fixture, "posix", "shared"),
                              lock_process_start (fixture, "ofd", "shared"),
                              lock_process_start (fixture, "flock", "shared") };
  g_autoptr (GPtrArray) holders = list_holders (fixture);
  g_assert_cmpuint (holders->len, ==, G_N_ELEMENTS (processes));
  for (gsize i = 0; i < G_N_ELEMENTS (processes); i++)
    {
      guint found = 0;
      for (guint j = 0; j < holders->len; j++)
        found += ((const HfHolder *)holders->pdata[j])->pid == processes[i].pid;
      g_assert_cmpuint (found, ==, 1);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (processes); i++)
    lock_process_end (&processes[i]);
}

static void
test_vanished (Fixture *fixture, gconstpointer data)
{
  if (is_skipped ())
    return;
  LockProcess process = lock_process_start (fixture, "posix", "shared");
  g_autoptr (GError) error = NULL;
  g_autoptr (HfHolders) snapshot = hf_holders_read (&error);
  g_assert_no_error (error);
  lock_process_end (&process);
  g_autoptr (GPtrArray) holders = hf_holders_of (snapshot, fixture->ref_fd, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (holders->len, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/holders/a POSIX lock names its process", Fixture, "posix", set_up, test_kind,
              tear_down);
  g_test_add ("/holders/a flock names its process", Fixture, "flock", set_up, test_kind, tear_down);
  g_test_add ("/holders/an OFD lock is traced to who has the file open", Fixture, "ofd", set_up,
              test_kind, tear_down);
  g_test_add ("/holders/each holder of several is named once", Fixture, NULL, set_up, test_several,
              tear_down);
  g_test_add ("/holders/a process that has ended is not named", Fixture, NULL, set_up,
              test_vanished, tear_down);
  return g_test_run ();
}
