/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Counting without a lock, and showing it now and then.  There is no thread and no timer for that:
 * whoever counts looks at the clock, and if it is time, and no other thread is at it, shows it.  So it is shown
 * as long as anything is done, also where the thread that began it only waits for others.
 */
#include "progress.h"

#include "test-hook.h"

#include <pthread.h>
#include <stdatomic.h>

#define INTERVAL (G_USEC_PER_SEC / 10)

struct HfProgress
{
  HfProgressFunc func;
  gpointer data;
  gint64 interval;  /* microseconds */
  const char *what; /* not owned; static; like @begun set while no other thread counts */
  gint64 begun;
  pthread_mutex_t mutex; /* of a call of @func, and of writing @shown */
  _Atomic gint64 shown;
  _Atomic guint64 objects, expected, bytes;
};

/**
 * hf_progress_new:
 * @func: shows how far it is, at most ten times a second; called in any thread that counts, in one at a time,
 *   and so with whatever lock that has
 * @data: for @func
 *
 * All that takes a progress takes %NULL for one that nobody wants to see.
 *
 * Returns: (transfer full): a progress that has not begun
 */
HfProgress *
hf_progress_new (HfProgressFunc func, gpointer data)
{
  HfProgress *progress = g_new0 (HfProgress, 1);
  progress->func = func;
  progress->data = data;
  (void)pthread_mutex_init (&progress->mutex, NULL);
  progress->interval = HF_TEST_FLAG ("EAGER") ? 0 : INTERVAL;
  progress->shown = g_get_monotonic_time (); /* what is done at once is not shown */
  return progress;
}

/**
 * hf_progress_free:
 * @progress: (nullable) (transfer full): a progress
 */
void
hf_progress_free (HfProgress *progress)
{
  if (progress == NULL)
    return;
  (void)pthread_mutex_destroy (&progress->mutex);
  g_free (progress);
}

static void
show (HfProgress *progress, gint64 now)
{
  progress->shown = now;
  const HfProgressState state = { .what = progress->what,
                                  .objects = progress->objects,
                                  .expected = progress->expected,
                                  .bytes = progress->bytes,
                                  .elapsed = now - progress->begun };
  progress->func (&state, progress->data);
}

/* Nobody waits for another's terminal. */
static void
show_if_due (HfProgress *progress)
{
  gint64 now = g_get_monotonic_time ();
  if (progress->what == NULL || now - progress->shown < progress->interval
      || pthread_mutex_trylock (&progress->mutex) != 0)
    return;
  /* Another may have done so since the look at the clock. */
  if (now - progress->shown >= progress->interval)
    show (progress, now);
  (void)pthread_mutex_unlock (&progress->mutex);
}

/**
 * hf_progress_begin:
 * @progress: (nullable): a progress, while no other thread counts
 * @what: (transfer none): a static string: what is being done from now on; whoever shows it translates it
 * @expected: how many objects there are, or 0 if that is not known
 */
void
hf_progress_begin (HfProgress *progress, const char *what, guint64 expected)
{
  if (progress == NULL)
    return;
  progress->what = what;
  progress->begun = g_get_monotonic_time ();
  progress->objects = progress->bytes = 0;
  progress->expected = expected;
  show_if_due (progress);
}

/**
 * hf_progress_add:
 * @progress: (nullable): a progress; from any thread
 * @objects: more that are done
 * @bytes: that they have
 */
void
hf_progress_add (HfProgress *progress, guint64 objects, guint64 bytes)
{
  if (progress == NULL)
    return;
  progress->objects += objects;
  progress->bytes += bytes;
  show_if_due (progress);
}

/**
 * hf_progress_set:
 * @progress: (nullable): a progress
 * @objects: that are done in all
 * @expected: that there are, as far as is known
 * @bytes: that are done in all
 */
void
hf_progress_set (HfProgress *progress, guint64 objects, guint64 expected, guint64 bytes)
{
  if (progress == NULL)
    return;
  progress->objects = objects;
  progress->expected = expected;
  progress->bytes = bytes;
  show_if_due (progress);
}
