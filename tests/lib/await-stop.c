/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * await-stop REPORT COMMAND [ARG...]: runs a command as a terminal would, with no signal ignored,
 * and writes a line into the file or fifo REPORT when it starts ("started PID"), stops ("stopped
 * PID") and ends ("ended STATUS" or "killed SIGNAL").  For tests that stop holdfast at a named
 * point or interrupt it: a shell can neither wait for its child to stop nor tell these ends apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int
main (int argc, char **argv)
{
  if (argc < 3)
    {
      fprintf (stderr, "usage: await-stop REPORT COMMAND [ARG...]\n");
      return 2;
    }
  int report = open (argv[1], O_WRONLY | O_APPEND | O_CLOEXEC);
  pid_t child = report < 0 ? -1 : fork ();
  if (child == 0)
    {
      signal (SIGINT, SIG_DFL);
      signal (SIGQUIT, SIG_DFL);
      execvp (argv[2], argv + 2);
      fprintf (stderr, "await-stop: %s: %s\n", argv[2], strerror (errno));
      _exit (127);
    }
  if (child < 0)
    {
      fprintf (stderr, "await-stop: %s: %s\n", argv[1], strerror (errno));
      return 1;
    }
  dprintf (report, "started %d\n", (int)child);
  int status;
  while (waitpid (child, &status, WUNTRACED) == child && WIFSTOPPED (status))
    dprintf (report, "stopped %d\n", (int)child);
  if (WIFEXITED (status))
    dprintf (report, "ended %d\n", WEXITSTATUS (status));
  else
    dprintf (report, "killed %d\n", WTERMSIG (status));
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}
