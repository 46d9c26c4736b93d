/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The line on the terminal.
 */
#include "progress.h"

#include "base/language.h"
#include "output.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* To the first column, and all after it erased: ECMA-48, EL. */
#define ERASE "\r\033[K"
#define BOLD  "\033[1m"
#define PLAIN "\033[m"

/* Whether the line is there.  What a terminal shows is one thing for the whole process. */
static gboolean is_shown;

/* See https://no-color.org. */
static gboolean
may_emphasize (void)
{
  const char *no_color = g_getenv ("NO_COLOR");
  return no_color == NULL || *no_color == '\0';
}

/* A terminal that is stopped, or slow, would have us wait in the middle of the work, and whoever waits for a
 * lock of ours with it. */
static gboolean
would_wait (void)
{
  struct pollfd terminal = { .fd = STDOUT_FILENO, .events = POLLOUT };
  return poll (&terminal, 1, 0) != 1 || (terminal.revents & POLLOUT) == 0;
}

static guint64
per_second (guint64 amount, gint64 elapsed)
{
  return (guint64)((double)amount * G_USEC_PER_SEC / (double)elapsed);
}

static char *
describe (const HfProgressState *state)
{
  g_autoptr (GString) text = g_string_new (NULL);
  if (state->expected > 0)
    g_string_append_printf (text, _ (" %lu of %lu"), (gulong)state->objects,
                            (gulong)state->expected);
  else if (state->objects > 0)
    g_string_append_printf (text, " %" G_GUINT64_FORMAT, state->objects);
  if (state->bytes > 0)
    {
      g_autofree char *bytes = g_format_size (state->bytes);
      g_string_append_printf (text, ", %s", bytes);
    }
  if (state->bytes > 0 && state->elapsed > 0)
    {
      g_autofree char *rate = g_format_size (per_second (state->bytes, state->elapsed));
      g_string_append_printf (text, ", %s/s", rate);
    }
  else if (state->objects > 0 && state->elapsed > 0)
    g_string_append_printf (text, ", %" G_GUINT64_FORMAT "/s",
                            per_second (state->objects, state->elapsed));
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* To what fits. */
static void
cut (char *text, glong width)
{
  while (hf_output_text_width (text) > width)
    *g_utf8_find_prev_char (text, text + strlen (text)) = '\0';
}

static void
show (const HfProgressState *state, gpointer data)
{
  if (would_wait ())
    return;
  g_autofree char *numbers = describe (state);
  /* A line that fills the last column would wrap on some terminals. */
  const char *what = hf_text (state->what);
  glong room = (glong)hf_output_width () - 1 - hf_output_text_width (what);
  if (room < 0)
    return;
  cut (numbers, room);
  fprintf (stdout, "%s%s%s%s%s", ERASE, may_emphasize () ? BOLD : "", what,
           may_emphasize () ? PLAIN : "", numbers);
  fflush (stdout);
  is_shown = TRUE;
}

/**
 * hf_progress_line_clear:
 *
 * Takes the line away if it is there: to be called before anything else is printed.
 */
void
hf_progress_line_clear (void)
{
  if (!is_shown)
    return;
  fputs (ERASE, stdout);
  fflush (stdout);
  is_shown = FALSE;
}

/**
 * hf_progress_line_new:
 * @program: the program
 *
 * Returns: (transfer full) (nullable): a progress that is shown to people, or %NULL where none read
 *   along: in a pipe, with --quiet, --verbose or --json, or on a terminal that cannot erase
 */
HfProgress *
hf_progress_line_new (const HfProgram *program)
{
  const char *terminal = g_getenv ("TERM");
  if (!hf_output_is_terminal () || program->quiet || program->verbose || program->json
      || terminal == NULL || *terminal == '\0' || strcmp (terminal, "dumb") == 0)
    return NULL;
  return hf_progress_new (show, NULL);
}
