/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * await-stop REPORT COMMAND [ARG...]: runs a command and writes a line into the file or fifo REPORT
 * when it stops ("stopped PID") and when it ends ("ended STATUS"), then exits as it did.  For tests
 * that stop holdfast at a named point: a shell cannot wait for its child to stop.
 */
#include <errno.h>
#include <fcntl.h>
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
      execvp (argv[2], argv + 2);
      fprintf (stderr, "await-stop: %s: %s\n", argv[2], strerror (errno));
      _exit (127);
    }
  if (child < 0)
    {
      fprintf (stderr, "await-stop: %s: %s\n", argv[1], strerror (errno));
      return 1;
    }
  int status;
  while (waitpid (child, &status, WUNTRACED) == child && WIFSTOPPED (status))
    dprintf (report, "stopped %d\n", (int)child);
  int code = WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
  dprintf (report, "ended %d\n", code);
  return code;
}
