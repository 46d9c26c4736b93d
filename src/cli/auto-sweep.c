/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a command takes out of service is freed by a process that nobody waits for: at once, or the moment
 * that the last instance ends.  It is `holdfast sweep --wait`, detached from the terminal and from whoever
 * started the command.  Nothing depends on it: what it does not come to do, any later sweep does.
 */
#include "auto-sweep.h"

#include "base/test-hook.h"
#include "core/config.h"
#include "places.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whatever is wrong with the installation, the command itself has told. */
static gboolean
is_wanted (HfInstallation *installation)
{
  g_autoptr (HfConfig) config = hf_config_load (installation, NULL);
  g_autoptr (HfSweepReport) report = hf_sweep_report_new ();
  gboolean needed;
  return config != NULL && config->auto_sweep && !HF_TEST_FLAG ("NO_AUTO_SWEEP")
         && hf_sweep_needed (installation, report, &needed, NULL) && needed;
}

/* Nothing of the terminal, the pipes or the signal mask of the command goes along: whoever reads from one
 * of them to its end waits for the command and not for this. */
static void G_NORETURN
become_sweeper (char *const *arguments)
{
  sigset_t none;
  sigemptyset (&none);
  (void)sigprocmask (SIG_SETMASK, &none, NULL);
  if (close_range (STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
    _exit (EXIT_FAILURE);
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    {
      int null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
      if (null_fd < 0 || dup2 (null_fd, fd) < 0)
        _exit (EXIT_FAILURE);
    }
  (void)execv ("/proc/self/exe", arguments);
  _exit (EXIT_FAILURE);
}

/* Forks twice, so that it is nobody's child here; in a session of its own no terminal ends it. */
static void
start (char *const *arguments)
{
  pid_t pid = fork ();
  if (pid == 0)
    {
      if (setsid () < 0)
        _exit (EXIT_FAILURE);
      pid = fork ();
      if (pid == 0)
        become_sweeper (arguments);
      _exit (pid > 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
  while (pid > 0 && waitpid (pid, NULL, 0) < 0 && errno == EINTR)
    ;
}

/**
 * hf_auto_sweep_start:
 * @program: the program, whose command has ended, well or not
 *
 * Starts a sweep in the background of each installation that was changed, if there is something out of service
 * that nothing keeps, and the configuration does not say no.  Failure is not told: it costs nothing but time.
 */
void
hf_auto_sweep_start (HfProgram *program)
{
  g_autoptr (GPtrArray) places = hf_places_changed (program);
  for (guint i = 0; i < places->len; i++)
    {
      g_autoptr (HfInstallation) installation
          = hf_place_open (places->pdata[i], HF_OPEN_EXISTING, NULL);
      if (installation == NULL || !is_wanted (installation))
        continue;
      g_autofree char *where = g_strconcat ("--installation=", installation->path, NULL);
      char *const arguments[] = { (char *)"holdfast",     where, (char *)"sweep", (char *)"--wait",
                                  (char *)"--background", NULL };
      g_debug ("Starting a sweep of %s", installation->path);
      start (arguments);
    }
}
