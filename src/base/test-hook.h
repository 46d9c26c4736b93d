/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Stops the program at a named point, in builds configured with -Dtest-hooks=true only.  A test
 * sets HOLDFAST_TEST_STOP to the name, waits until the process is stopped, does what must happen
 * inside the window, and sends SIGCONT.  Flags turn off what would come between a test and what it looks
 * at.  Production builds have no trace of either.
 */
#pragma once

#ifdef HF_TEST_HOOKS
#  include <glib.h>
#  include <signal.h>

static inline void
hf_test_hook (const char *point)
{
  if (g_strcmp0 (g_getenv ("HOLDFAST_TEST_STOP"), point) == 0)
    {
      g_unsetenv ("HOLDFAST_TEST_STOP");
      raise (SIGSTOP);
    }
}
#  define HF_TEST_HOOK(point) hf_test_hook (point)
#  define HF_TEST_FLAG(name)  (g_getenv ("HOLDFAST_TEST_" name) != NULL)
#else
#  define HF_TEST_HOOK(point) ((void)0)
#  define HF_TEST_FLAG(name)  FALSE
#endif
