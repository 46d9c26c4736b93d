/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * replay DIRECTORY: gives a fuzz target each file of a corpus, in a build by any compiler.  Every
 * finding stays there as a file, and is a test from then on.
 */
#include "fuzz.h"

#include <glib.h>
#include <stdio.h>

int
main (int argc, char **argv)
{
  unsigned count = 0;
  const char *name;
  g_autoptr (GDir) dir = argc == 2 ? g_dir_open (argv[1], 0, NULL) : NULL;
  if (dir == NULL)
    return 2;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (argv[1], name, NULL);
      g_autofree char *data = NULL;
      gsize size = 0;
      if (!g_file_get_contents (path, &data, &size, NULL))
        return 1;
      /* Without the NUL that GLib adds, so that a read past the end is seen. */
      g_autofree guint8 *exact = g_memdup2 (data, MAX (size, 1));
      (void)LLVMFuzzerTestOneInput (exact, size);
      printf ("ok %u - %s\n", ++count, name);
    }
  printf ("1..%u\n", count);
  return count > 0 ? 0 : 1;
}
