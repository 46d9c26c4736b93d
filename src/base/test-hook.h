/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What tests have a hold of, in builds configured with -Dtest-hooks=true only; production builds have no
 * trace of it.
 *
 * The program stops at a named point: a test sets HOLDFAST_TEST_STOP to the name, waits until the process
 * is stopped, does what must happen inside the window, and sends SIGCONT.  And flags: with
 * HOLDFAST_TEST_EAGER set it waits for no clock where it would, so that a test need not be slow to see
 * something; HOLDFAST_TEST_NO_AUTO_SWEEP has nothing come between a test and what it looks at; and with
 * HOLDFAST_TEST_FEW_NAMES an image is too large that is not.
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
