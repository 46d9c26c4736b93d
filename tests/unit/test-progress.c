/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Counting from any thread, and showing it from one at a time.  Nothing here looks at a clock: a progress is
 * eager where the program has its hooks, and shows each count.
 */
#include "base/progress.h"

#include "support.h"

#include <pthread.h>

#define THREADS 4
#define COUNTS  2000

/* What was shown last, and how. */
typedef struct
{
  HfProgressState last;
  guint shown;
  _Atomic int inside;
} Seen;

static void
look (const HfProgressState *state, gpointer data)
{
  Seen *seen = data;
  g_assert_cmpint (++seen->inside, ==, 1);
  g_assert_cmpint (state->elapsed, >=, 0);
  seen->last = *state;
  seen->shown++;
  seen->inside--;
}

static gboolean
skip_unless_eager (void)
{
#ifdef HF_TEST_HOOKS
  g_setenv ("HOLDFAST_TEST_EAGER", "1", TRUE);
  return FALSE;
#else
  g_test_skip ("needs test-hooks: it would have to wait for a clock");
  return TRUE;
#endif
}

static void
test_counts (void)
{
  Seen seen = { 0 };
  if (skip_unless_eager ())
    return;
  g_autoptr (HfProgress) progress = hf_progress_new (look, &seen);
  hf_progress_add (progress, 7, 7);
  g_assert_cmpuint (seen.shown, ==, 0);
  hf_progress_begin (progress, "one", 5);
  hf_progress_add (progress, 2, 30);
  hf_progress_add (progress, 1, 12);
  g_assert_cmpstr (seen.last.what, ==, "one");
  g_assert_cmpuint (seen.last.objects, ==, 3);
  g_assert_cmpuint (seen.last.bytes, ==, 42);
  g_assert_cmpuint (seen.last.expected, ==, 5);
  hf_progress_set (progress, 10, 11, 12);
  g_assert_cmpuint (seen.last.objects, ==, 10);
  g_assert_cmpuint (seen.last.expected, ==, 11);
  g_assert_cmpuint (seen.last.bytes, ==, 12);
  g_assert_cmpuint (seen.shown, ==, 4);
}

static void
test_begins_anew (void)
{
  Seen seen = { 0 };
  if (skip_unless_eager ())
    return;
  g_autoptr (HfProgress) progress = hf_progress_new (look, &seen);
  hf_progress_begin (progress, "one", 5);
  hf_progress_add (progress, 2, 30);
  hf_progress_begin (progress, "two", 0);
  g_assert_cmpstr (seen.last.what, ==, "two");
  g_assert_cmpuint (seen.last.objects, ==, 0);
  g_assert_cmpuint (seen.last.bytes, ==, 0);
  g_assert_cmpuint (seen.last.expected, ==, 0);
}

static gpointer
count (gpointer progress)
{
  for (guint i = 0; i < COUNTS; i++)
    hf_progress_add (progress, 1, 3);
  return NULL;
}

/* The thread that made it only waits: as when idle threads delete a tree. */
static void
test_other_threads (void)
{
  Seen seen = { 0 };
  GThread *threads[THREADS];
  if (skip_unless_eager ())
    return;
  g_autoptr (HfProgress) progress = hf_progress_new (look, &seen);
  hf_progress_begin (progress, "all", 0);
  for (guint i = 0; i < THREADS; i++)
    threads[i] = g_thread_new ("count", count, progress);
  for (guint i = 0; i < THREADS; i++)
    (void)g_thread_join (threads[i]);
  g_assert_cmpuint (seen.shown, >, 1);
  hf_progress_add (progress, 0, 0);
  g_assert_cmpuint (seen.last.objects, ==, THREADS * COUNTS);
  g_assert_cmpuint (seen.last.bytes, ==, 3 * THREADS * COUNTS);
}

typedef struct
{
  HfProgress *progress; /* not owned */
  guint shown;
} Nested;

/* Whoever comes while another shows, from the very same terminal for all that is known, goes on. */
static gpointer
count_once (gpointer progress)
{
  hf_progress_add (progress, 1, 0);
  return NULL;
}

static void
look_and_wait (const HfProgressState *state, gpointer data)
{
  Nested *nested = data;
  nested->shown++;
  (void)g_thread_join (g_thread_new ("count", count_once, nested->progress));
}

static void
test_nobody_waits (void)
{
  Nested nested = { 0 };
  if (skip_unless_eager ())
    return;
  g_autoptr (HfProgress) progress = hf_progress_new (look_and_wait, &nested);
  nested.progress = progress;
  hf_progress_begin (progress, "one", 0);
  hf_progress_add (progress, 1, 0);
  g_assert_cmpuint (nested.shown, ==, 2);
}

static void
test_nobody_looks (void)
{
  hf_progress_begin (NULL, "one", 1);
  hf_progress_add (NULL, 1, 1);
  hf_progress_set (NULL, 1, 1, 1);
  hf_progress_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/progress/what was counted is shown, once something begins", test_counts);
  g_test_add_func ("/progress/another piece of work begins at nothing", test_begins_anew);
  g_test_add_func ("/progress/other threads' counts are shown, in one at a time",
                   test_other_threads);
  g_test_add_func ("/progress/nobody waits for another's terminal", test_nobody_waits);
  g_test_add_func ("/progress/one that nobody looks at costs nothing", test_nobody_looks);
  return g_test_run ();
}
