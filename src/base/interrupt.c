/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Signals that end the process, turned into a cancellation by a thread that waits for them.  Not by
 * a handler: next to nothing may be called from one, and every interrupted system call would have
 * to be looked at.
 */
#include "interrupt.h"

#include "language.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int watched[] = { SIGINT, SIGTERM, SIGHUP };

/* How long the command has to end in good order.  libostree does not notice a cancellation while it
 * waits for a server that says nothing. */
#define GRACE_SECONDS 2

static GCancellable *cancellable; /* owned; for the rest of the process */
static const char *farewell;      /* not owned */
static sigset_t signals;
static int received; /* atomic; the first signal, or 0 */

static void G_GNUC_NORETURN
die_of (int number)
{
  sigset_t one;
  sigemptyset (&one);
  sigaddset (&one, number);
  (void)signal (number, SIG_DFL);
  (void)pthread_sigmask (SIG_UNBLOCK, &one, NULL);
  (void)kill (getpid (), number);
  /* The default action of each of them ends the process, unless it is init. */
  _exit (128 + number);
}

static gpointer
wait_for_signals (gpointer data)
{
  int number;
  if (sigwait (&signals, &number) != 0)
    return NULL;
  g_atomic_int_set (&received, number);
  g_cancellable_cancel (cancellable);

  const struct timespec grace = { .tv_sec = GRACE_SECONDS };
  int second;
  do
    second = sigtimedwait (&signals, NULL, &grace);
  while (second < 0 && errno == EINTR);
  /* Whoever asks twice has no wish to read anything either. */
  if (second < 0)
    (void)!write (STDERR_FILENO, farewell, strlen (farewell));
  die_of (second < 0 ? number : second);
}

/**
 * hf_interrupt_watch:
 * @last_words: (transfer none): a line for standard error; a constant, translated here
 *
 * From now on the first SIGINT, SIGTERM or SIGHUP cancels what is returned.  If the process has not
 * ended a moment later, it says @last_words and dies of the signal wherever it is; a second signal
 * ends it at once.  So only what a crash does not harm may be interrupted in this way.
 *
 * Signals that were ignored, as nohup(1) and shells do for what they put in the background, stay
 * ignored.  Must be called once, before there is any other thread, since each thread has a signal
 * mask of its own and inherits that of the one that started it.  Children inherit it too.
 *
 * Returns: (transfer none): the cancellable
 */
GCancellable *
hf_interrupt_watch (const char *last_words)
{
  cancellable = g_cancellable_new ();
  farewell = hf_text (last_words);
  sigemptyset (&signals);
  for (gsize i = 0; i < G_N_ELEMENTS (watched); i++)
    {
      struct sigaction action;
      if (sigaction (watched[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
        sigaddset (&signals, watched[i]);
    }
  (void)pthread_sigmask (SIG_BLOCK, &signals, NULL);
  g_thread_unref (g_thread_new ("signals", wait_for_signals, NULL));
  return cancellable;
}

/**
 * hf_interrupt_signal:
 *
 * Returns: the signal that came first since hf_interrupt_watch(), or 0
 */
int
hf_interrupt_signal (void)
{
  return g_atomic_int_get (&received);
}

/**
 * hf_interrupt_die:
 *
 * Ends the process by the signal that hf_interrupt_signal() names, so that its parent sees it
 * interrupted: a shell then stops its script or loop too.
 */
void
hf_interrupt_die (void)
{
  die_of (hf_interrupt_signal ());
}
