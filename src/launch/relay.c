/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starting bubblewrap and staying beside it.
 *
 * Exec'ing bubblewrap and leaving nothing behind would do for the locks, but not for whoever
 * started us: bubblewrap passes no signal on and dies of it, leaving the app running with nobody to
 * report its end, and with --new-session a terminal's ^C never reaches the app.  So a parent stays.
 * It holds no lock and nothing depends on it: when it is killed the instance goes on.
 *
 * bubblewrap has a process group of its own, out of the terminal's reach.  The sandbox's first
 * process calls setsid(2) before it forks the app, so both are one group; and being the first of a
 * pid namespace it ignores every signal that it has no handler for.  So a signal to that group
 * reaches the app and only the app, once there is one.
 */
#include "relay.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEEDED_OPTION "--ro-bind-fd"
#define SIGNAL_STATUS 128         /* as shells report a death by signal */
#define RELEASE_LIMIT 1000        /* milliseconds; it takes one or two */
#define HELP_LIMIT    (64 * 1024) /* bytes */

static const int relayed[]
    = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP, SIGWINCH };

static gboolean
terminates (int signal)
{
  return signal != SIGCONT && signal != SIGTSTP && signal != SIGWINCH;
}

static void
block_signals (HfRelay *self)
{
  struct sigaction action;
  (void)sigemptyset (&self->signals);
  (void)sigaddset (&self->signals, SIGCHLD);
  /* What we were started to ignore (nohup, a background job), the app ignores too. */
  for (gsize i = 0; i < G_N_ELEMENTS (relayed); i++)
    if (sigaction (relayed[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
      (void)sigaddset (&self->signals, relayed[i]);
  /* With SIGCHLD ignored neither we nor bubblewrap would hear how a child ended. */
  (void)signal (SIGCHLD, SIG_DFL);
  (void)sigprocmask (SIG_BLOCK, &self->signals, &self->before);
}

/* An argument list has a limit, and everybody can read it in ps(1); a file has neither. */
static int
write_options (const HfBwrapOptions *options, GError **error)
{
  hf_autofd int fd = memfd_create ("bwrap-options", MFD_CLOEXEC);
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; i < options->strings->len; i++)
    {
      const char *option = options->strings->pdata[i];
      g_string_append_len (text, option, (gssize)strlen (option) + 1);
    }
  if (fd < 0 || !hf_fd_write_all (fd, text->str, text->len) || lseek (fd, 0, SEEK_SET) != 0)
    {
      (void)hf_throw_errno (error, "Cannot write down the options for %s", HF_BWRAP);
      return -1;
    }
  return hf_fd_steal (&fd);
}

static char **
command_line (int options_fd, int info_fd, const char *command, const char *const *args)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  g_ptr_array_add (words, g_strdup (HF_BWRAP));
  g_ptr_array_add (words, g_strdup ("--args"));
  g_ptr_array_add (words, g_strdup_printf ("%d", options_fd));
  g_ptr_array_add (words, g_strdup ("--info-fd"));
  g_ptr_array_add (words, g_strdup_printf ("%d", info_fd));
  g_ptr_array_add (words, g_strdup ("--"));
  g_ptr_array_add (words, g_strdup (command));
  for (; args != NULL && *args != NULL; args++)
    g_ptr_array_add (words, g_strdup (*args));
  g_ptr_array_add (words, NULL);
  return (char **)g_ptr_array_steal (words, NULL);
}

/* Our descriptors are all closed on exec; a dup2 onto itself is how posix_spawn(3) lets one pass,
 * in the child alone. */
static int
spawn (HfRelay *self, char **words, const HfBwrapOptions *options, int options_fd, int info_fd)
{
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int failed = posix_spawn_file_actions_init (&actions);
  if (failed != 0)
    return failed;
  failed = posix_spawnattr_init (&attributes);
  if (failed == 0)
    {
      failed = posix_spawn_file_actions_adddup2 (&actions, options_fd, options_fd)
               || posix_spawn_file_actions_adddup2 (&actions, info_fd, info_fd)
               || posix_spawnattr_setflags (&attributes,
                                            POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK)
               || posix_spawnattr_setpgroup (&attributes, 0)
               || posix_spawnattr_setsigmask (&attributes, &self->before);
      for (guint i = 0; i < options->fds->len && failed == 0; i++)
        {
          int fd = g_array_index (options->fds, int, i);
          failed = posix_spawn_file_actions_adddup2 (&actions, fd, fd);
        }
      if (failed == 0)
        failed = posix_spawnp (&self->pid, HF_BWRAP, &actions, &attributes, words, environ);
      else
        failed = ENOMEM;
      (void)posix_spawnattr_destroy (&attributes);
    }
  (void)posix_spawn_file_actions_destroy (&actions);
  return failed;
}

/**
 * hf_relay_start:
 * @self: (out): the relay, to be given to hf_relay_wait()
 * @options: bubblewrap's options
 * @command: what to run in the sandbox
 * @args: (nullable): its arguments
 *
 * Starts bubblewrap, as found in PATH.  The descriptors of @options are no longer needed here when
 * this returns.  Blocks the signals that are to be passed on.
 *
 * Returns: %FALSE with @error set if bubblewrap could not be started
 */
gboolean
hf_relay_start (HfRelay *self, const HfBwrapOptions *options, const char *command,
                const char *const *args, GError **error)
{
  hf_autofd int options_fd = write_options (options, error);
  if (options_fd < 0)
    return FALSE;
  /* Not a pipe: if we are killed, bubblewrap must not die of writing to it, as it then leaves a process
   * behind that waits for it for ever, and holds the image. */
  self->info_fd = memfd_create ("bwrap-info", MFD_CLOEXEC);
  if (self->info_fd < 0)
    return hf_throw_errno (error, "Cannot create a file for what %s tells", HF_BWRAP);
  g_auto (GStrv) words = command_line (options_fd, self->info_fd, command, args);
  block_signals (self);
  /* A descriptor that we were started with, say of a directory, would be a way out of the sandbox.
   */
  (void)close_range (STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  int failed = spawn (self, words, options, options_fd, self->info_fd);
  if (failed == 0)
    return TRUE;
  (void)sigprocmask (SIG_SETMASK, &self->before, NULL);
  if (failed == ENOENT)
    return hf_throw (error, HF_ERROR_FAILED,
                     "bubblewrap (%s) is not installed: install your system's package bubblewrap,"
                     " 0.8.0 or newer",
                     HF_BWRAP);
  errno = failed;
  return hf_throw_errno (error, "Cannot start %s", HF_BWRAP);
}

/* bubblewrap writes `"child-pid": N` in one piece as soon as there is one, before it lets it go on.
 */
static pid_t
sandbox_pid (HfRelay *self)
{
  static const char key[] = "\"child-pid\": ";
  char text[512];
  if (self->sandbox != 0)
    return self->sandbox;
  ssize_t length = pread (self->info_fd, text, sizeof text - 1, 0);
  if (length <= 0)
    return 0;
  text[length] = '\0';
  const char *at = strstr (text, key);
  self->sandbox = at == NULL ? 0 : (pid_t)strtol (at + strlen (key), NULL, 10);
  return self->sandbox;
}

static gboolean
has_children (pid_t pid)
{
  char path[64], first;
  (void)g_snprintf (path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
  hf_autofd int fd = open (path, O_RDONLY | O_CLOEXEC);
  /* A kernel that does not tell leaves it to whether there is a group to signal. */
  return fd < 0 ? errno == ENOENT && kill (pid, 0) == 0 : read (fd, &first, 1) == 1;
}

static void
send_to_all (HfRelay *self, int signal)
{
  pid_t sandbox = sandbox_pid (self);
  (void)kill (-self->pid, signal);
  if (sandbox != 0)
    (void)kill (-sandbox, signal);
}

/* Before there is an app the sandbox's first process would ignore the signal, and before there is
 * that, bubblewrap would die of it and might leave the other behind, waiting for ever. */
static void
end_early (HfRelay *self, int signal)
{
  self->ended_by = signal;
  if (self->sandbox == 0)
    (void)kill (-self->pid, SIGKILL);
  else
    (void)kill (self->sandbox, SIGKILL);
}

static void
forward (HfRelay *self, int signal)
{
  if (signal == SIGTSTP)
    {
      send_to_all (self, SIGSTOP);
      (void)raise (SIGSTOP);
      return;
    }
  if (signal == SIGCONT)
    {
      send_to_all (self, SIGCONT);
      return;
    }
  /* Asked for before the signal is sent: an app that is there now gets it. */
  pid_t sandbox = sandbox_pid (self);
  gboolean started = sandbox != 0 && has_children (sandbox);
  if ((!started || kill (-sandbox, signal) != 0) && terminates (signal))
    end_early (self, signal);
}

/* bubblewrap ends as soon as the sandbox's first process reports that the app has, and that one
 * still has its locks then.  Unless the app left something running it ends at once, and whoever
 * sweeps next must not find what we ran in use.  If bubblewrap was killed before there was an app, the
 * other waits for it for ever. */
static void
await_release (HfRelay *self, gboolean killed)
{
  pid_t sandbox = sandbox_pid (self);
  hf_autofd int fd = sandbox == 0 ? -1 : (int)syscall (SYS_pidfd_open, sandbox, 0);
  if (fd < 0 || has_children (sandbox))
    return;
  if (killed)
    (void)syscall (SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
  struct pollfd end = { .fd = fd, .events = POLLIN };
  (void)poll (&end, 1, RELEASE_LIMIT);
}

static char *
read_help (void)
{
  char *const words[] = { (char *)HF_BWRAP, (char *)"--help", NULL };
  int ends[2];
  pid_t pid;
  posix_spawn_file_actions_t actions;
  if (pipe2 (ends, O_CLOEXEC) != 0)
    return NULL;
  hf_autofd int reading = ends[0];
  hf_autofd int writing = ends[1];
  if (posix_spawn_file_actions_init (&actions) != 0)
    return NULL;
  int failed = posix_spawn_file_actions_adddup2 (&actions, writing, STDOUT_FILENO)
               || posix_spawn_file_actions_adddup2 (&actions, writing, STDERR_FILENO)
               || posix_spawnp (&pid, HF_BWRAP, &actions, NULL, words, environ);
  (void)posix_spawn_file_actions_destroy (&actions);
  if (failed)
    return NULL;
  hf_fd_clear (&writing);
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[4096];
  ssize_t length;
  while (
      text->len < HELP_LIMIT
      && ((length = read (reading, buffer, sizeof buffer)) > 0 || (length < 0 && errno == EINTR)))
    g_string_append_len (text, buffer, MAX (length, 0));
  hf_fd_clear (&reading);
  while (waitpid (pid, NULL, 0) < 0 && errno == EINTR)
    ;
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* Asked only when bubblewrap ended before it made a sandbox: a question at each start would cost a
 * process. */
static gboolean
check_version (GError **error)
{
  g_autofree char *help = read_help ();
  if (help == NULL || strstr (help, NEEDED_OPTION) != NULL)
    return TRUE;
  g_autofree char *path = g_find_program_in_path (HF_BWRAP);
  return hf_throw (error, HF_ERROR_FAILED,
                   "%s is too old: holdfast needs bubblewrap 0.8.0 or newer with %s",
                   path != NULL ? path : HF_BWRAP, NEEDED_OPTION);
}

/**
 * hf_relay_wait:
 * @self: a started relay
 * @status: (out): the app's exit status, or 128 + N if signal N ended it
 *
 * Passes on what we are sent until bubblewrap ends.  A stop (^Z) stops the sandbox and this
 * process.
 *
 * Returns: %FALSE with @error set if bubblewrap turned out not to know what it was asked for
 */
gboolean
hf_relay_wait (HfRelay *self, int *status, GError **error)
{
  int raw = 0;
  for (;;)
    {
      int signal = sigwaitinfo (&self->signals, NULL);
      if (signal == SIGCHLD && waitpid (self->pid, &raw, WNOHANG) == self->pid)
        break;
      if (signal > 0 && signal != SIGCHLD)
        forward (self, signal);
    }
  *status = WIFSIGNALED (raw) ? SIGNAL_STATUS + WTERMSIG (raw) : WEXITSTATUS (raw);
  await_release (self, WIFSIGNALED (raw));
  if (self->ended_by != 0 && *status == SIGNAL_STATUS + SIGKILL)
    *status = SIGNAL_STATUS + self->ended_by;
  return self->ended_by != 0 || *status == EXIT_SUCCESS || sandbox_pid (self) != 0
         || check_version (error);
}

/**
 * hf_relay_clear:
 * @self: a relay, started or not
 */
void
hf_relay_clear (HfRelay *self)
{
  hf_fd_clear (&self->info_fd);
}
