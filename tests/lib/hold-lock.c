/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hold-lock KIND MODE FILE: takes a lock of any of the three kinds that Linux has on a whole file,
 * says "held" on its standard output, and keeps it until its standard input ends.  With MODE
 * `await` it waits until nobody has a lock of that kind in its way, and exits.  For tests: this is
 * how other programs hold an image, and how a test waits for one to be let go.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static bool
take_record_lock (int fd, bool exclusive, bool wait, bool ofd)
{
  struct flock lock = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
  int command = ofd ? (wait ? F_OFD_SETLKW : F_OFD_SETLK) : (wait ? F_SETLKW : F_SETLK);
  return fcntl (fd, command, &lock) == 0;
}

static bool
take (int fd, const char *kind, bool exclusive, bool wait)
{
  if (strcmp (kind, "flock") == 0)
    return flock (fd, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)) == 0;
  return take_record_lock (fd, exclusive, wait, strcmp (kind, "ofd") == 0);
}

int
main (int argc, char **argv)
{
  if (argc != 4)
    {
      fprintf (stderr, "usage: hold-lock flock|posix|ofd shared|exclusive|await FILE\n");
      return 2;
    }
  bool await = strcmp (argv[2], "await") == 0;
  bool exclusive = await || strcmp (argv[2], "exclusive") == 0;
  int fd = open (argv[3], (exclusive ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (fd < 0 || !take (fd, argv[1], exclusive, await))
    {
      fprintf (stderr, "hold-lock: %s: %s\n", argv[3], strerror (errno));
      return 1;
    }
  if (await)
    return 0;
  printf ("held\n");
  fflush (stdout);
  char byte;
  while (read (STDIN_FILENO, &byte, 1) > 0)
    ;
  return 0;
}
