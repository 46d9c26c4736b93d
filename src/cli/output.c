/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Text for people and pipes.  On a terminal, columns are aligned below a header and commits are
 * shortened; in a pipe, columns are separated by one tab, there is no header, and every value is
 * whole.
 */
#include "output.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "core/layout.h"
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SHORT_COMMIT  12 /* digits that people see */
#define DEFAULT_WIDTH 80 /* of a terminal that does not say */

/**
 * hf_table_new:
 *
 * Returns: (transfer full): a table without columns
 */
HfTable *
hf_table_new (void)
{
  HfTable *table = g_new0 (HfTable, 1);
  table->titles = g_ptr_array_new_with_free_func (g_free);
  table->cells = g_ptr_array_new_with_free_func (g_free);
  return table;
}

/**
 * hf_table_free:
 * @table: (transfer full): a table
 */
void
hf_table_free (HfTable *table)
{
  g_ptr_array_unref (table->titles);
  g_ptr_array_unref (table->cells);
  g_free (table);
}

/**
 * hf_table_add_column:
 * @table: a table that has no cells yet
 * @title: (nullable): the column's name, as people see it, translated here; without one in the first column there
 *   is no header
 */
void
hf_table_add_column (HfTable *table, const char *title)
{
  g_ptr_array_add (table->titles, g_strdup (title != NULL ? hf_text (title) : ""));
}

/**
 * hf_table_take_cell:
 * @table: a table
 * @text: (transfer full) (nullable): the next cell, from left to right and from top to bottom
 */
void
hf_table_take_cell (HfTable *table, char *text)
{
  g_ptr_array_add (table->cells, text != NULL ? hf_output_escape (text) : g_strdup ("-"));
  g_free (text);
}

/**
 * hf_table_add_cell:
 * @table: a table
 * @text: (nullable): the next cell
 */
void
hf_table_add_cell (HfTable *table, const char *text)
{
  hf_table_take_cell (table, g_strdup (text));
}

/**
 * hf_output_text_width:
 * @text: one line of valid UTF-8
 *
 * Returns: how many columns of a terminal it takes: what is written in Chinese or Japanese takes two for each
 *   character
 */
glong
hf_output_text_width (const char *text)
{
  glong width = 0;
  for (; *text != '\0'; text = g_utf8_next_char (text))
    {
      gunichar c = g_utf8_get_char (text);
      width += g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1;
    }
  return width;
}

static void
print_row (const GPtrArray *cells, guint first, const GArray *widths)
{
  for (guint i = 0; i < widths->len; i++)
    {
      const char *cell = cells->pdata[first + i];
      fputs (cell, stdout);
      if (i + 1 == widths->len)
        break;
      if (!hf_output_is_terminal ())
        fputc ('\t', stdout);
      else
        for (glong n = hf_output_text_width (cell); n < g_array_index (widths, glong, i) + 2; n++)
          fputc (' ', stdout);
    }
  fputc ('\n', stdout);
}

static glong
column_width (const HfTable *table, guint column)
{
  glong width = hf_output_text_width (table->titles->pdata[column]);
  for (guint i = column; i < table->cells->len; i += table->titles->len)
    width = MAX (width, hf_output_text_width (table->cells->pdata[i]));
  return width;
}

/**
 * hf_table_width:
 * @table: a table with all its cells
 *
 * Returns: how wide it is on a terminal
 */
guint
hf_table_width (const HfTable *table)
{
  glong width = 0;
  for (guint i = 0; i < table->titles->len; i++)
    width += column_width (table, i) + (i > 0 ? 2 : 0);
  return (guint)width;
}

/**
 * hf_table_print:
 * @table: a table with all its cells
 *
 * Prints nothing at all for a table without rows.
 */
void
hf_table_print (HfTable *table)
{
  guint columns = table->titles->len;
  if (table->cells->len == 0)
    return;
  g_autoptr (GArray) widths = g_array_new (FALSE, FALSE, sizeof (glong));
  for (guint i = 0; i < columns; i++)
    {
      glong width = column_width (table, i);
      g_array_append_val (widths, width);
    }
  if (hf_output_is_terminal () && *(const char *)table->titles->pdata[0] != '\0')
    print_row (table->titles, 0, widths);
  for (guint row = 0; row < table->cells->len; row += columns)
    print_row (table->cells, row, widths);
}

/**
 * hf_output_is_terminal:
 *
 * Returns: whether people read standard output as it comes
 */
gboolean
hf_output_is_terminal (void)
{
  static int answer = -1;
  if (answer < 0)
    answer = isatty (STDOUT_FILENO);
  return answer == 1;
}

/**
 * hf_output_is_journal:
 *
 * Whoever reads a journal sees standard output and standard error as one, and what is routine every day in
 * between.  See systemd.exec(5), JOURNAL_STREAM.
 *
 * Returns: whether both go there
 */
gboolean
hf_output_is_journal (void)
{
  const char *stream = g_getenv ("JOURNAL_STREAM");
  struct stat out, err;
  if (stream == NULL || fstat (STDOUT_FILENO, &out) != 0 || fstat (STDERR_FILENO, &err) != 0
      || !hf_stat_same_file (&out, &err))
    return FALSE;
  g_autofree char *here = g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
                                           (guint64)out.st_dev, (guint64)out.st_ino);
  return strcmp (here, stream) == 0;
}

/**
 * hf_output_width:
 *
 * Returns: how many columns the terminal has
 */
guint
hf_output_width (void)
{
  struct winsize size;
  if (ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  const char *columns = g_getenv ("COLUMNS");
  guint64 width = columns != NULL ? g_ascii_strtoull (columns, NULL, 10) : 0;
  return width > 0 && width <= G_MAXUINT16 ? (guint)width : DEFAULT_WIDTH;
}

/**
 * hf_output_escape:
 * @text: bytes of whatever origin
 *
 * Returns: (transfer full): @text as one line of valid UTF-8, with everything that could steer a
 *   terminal or that has no shape (control and formatting characters, bytes that are no UTF-8)
 *   written as \xNN or \u{NNNN}
 */
char *
hf_output_escape (const char *text)
{
  g_autoptr (GString) line = g_string_new (NULL);
  while (*text != '\0')
    {
      gunichar c = g_utf8_get_char_validated (text, -1);
      if (c == (gunichar)-1 || c == (gunichar)-2)
        {
          g_string_append_printf (line, "\\x%02x", (guint)(guchar)*text++);
          continue;
        }
      if (g_unichar_isprint (c))
        g_string_append_unichar (line, c);
      else
        g_string_append_printf (line, c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
      text = g_utf8_next_char (text);
    }
  return g_string_free (g_steal_pointer (&line), FALSE);
}

/**
 * hf_output_commit:
 * @commit: (nullable): a checksum
 *
 * Returns: (transfer full) (nullable): its first digits for people, the whole for a pipe
 */
char *
hf_output_commit (const char *commit)
{
  return hf_output_is_terminal () ? g_strndup (commit, SHORT_COMMIT) : g_strdup (commit);
}

/**
 * hf_output_time:
 * @seconds: since 1970
 *
 * Returns: (transfer full): the local time, as ISO 8601 has it
 */
char *
hf_output_time (gint64 seconds)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (seconds);
  return time != NULL ? g_date_time_format (time, "%Y-%m-%dT%H:%M:%S%:z") : g_strdup ("-");
}

/**
 * hf_output_size:
 * @bytes: a size
 *
 * Returns: (transfer full): in a unit that suits it for people, in bytes for a pipe
 */
char *
hf_output_size (guint64 bytes)
{
  return hf_output_is_terminal () ? g_format_size (bytes)
                                  : g_strdup_printf ("%" G_GUINT64_FORMAT, bytes);
}

/**
 * hf_output_state:
 * @deployed: a deployment
 *
 * Returns: (transfer full): what it stands for, in a word that stays
 */
char *
hf_output_state (const HfDeployed *deployed)
{
  static const char *const names[] = {
    [HF_STANDING_ACTIVE] = "active",
    [HF_STANDING_PREVIOUS] = "previous",
    [HF_STANDING_REMOVED] = "removed",
    [HF_STANDING_DELETING] = "deleting",
  };
  gboolean told = deployed->in_use && deployed->standing == HF_STANDING_REMOVED;
  return g_strconcat (names[deployed->standing], told ? "-in-use" : "", NULL);
}

/**
 * hf_output_deployment_path:
 * @installation: where it is deployed
 * @deployed: a deployed ref
 *
 * Returns: (transfer full): the absolute path of its directory, to show
 */
char *
hf_output_deployment_path (const HfInstallation *installation, const HfDeployed *deployed)
{
  return g_build_filename (installation->path, deployed->path, NULL);
}

/**
 * hf_output_installation:
 * @installation: an installation
 *
 * Returns: (transfer none): what --installation takes for it, its name if it has one
 */
const char *
hf_output_installation (const HfInstallation *installation)
{
  return installation->name != NULL ? installation->name : installation->path;
}

static gboolean is_quiet;

/**
 * hf_output_set_quiet:
 * @quiet: whether nobody wants to read what was done
 *
 * It is about lines; tables and documents are what was asked for.
 */
void
hf_output_set_quiet (gboolean quiet)
{
  is_quiet = quiet;
}

/**
 * hf_output_line:
 * @format: one line without its end; it is translated here
 *
 * Prints a line, escaped, at once: what was done stands there even if the next thing fails.  With
 * --quiet, nothing.
 */
void
hf_output_line (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (hf_text (format), args);
  va_end (args);
  g_autofree char *line = hf_output_escape (text);
  if (is_quiet)
    return;
  hf_progress_line_clear ();
  fprintf (stdout, "%s\n", line);
  fflush (stdout);
}

/**
 * hf_output_heading:
 * @installation: what the following lines are about
 */
void
hf_output_heading (const HfInstallation *installation)
{
  hf_output_line ("Installation %s (%s)", hf_output_installation (installation),
                  installation->path);
}

/**
 * hf_output_change:
 * @message: what was done, with %s for what to; it is translated here
 * @ref: to which ref
 * @commit: (nullable): with which commit
 *
 * Prints the one line that each change of an installation gets.
 */
void
hf_output_change (const char *message, const HfRef *ref, const char *commit)
{
  g_autofree char *shown = commit != NULL ? hf_output_commit (commit) : NULL;
  g_autofree char *what
      = shown != NULL ? g_strconcat (ref->full, " ", shown, NULL) : g_strdup (ref->full);
  g_autofree char *line = hf_text_about (message, what);
  hf_output_line ("%s", line);
}

/**
 * hf_output_pinned:
 * @ref: a runtime that is pinned now, as somebody named it
 */
void
hf_output_pinned (const HfRef *ref)
{
  hf_output_line ("Pinned %s, as it was named: `holdfast pin --remove %s` lets it go when unused",
                  ref->full, ref->full);
}

/* After all that was said before. */
static void
begin_aside (void)
{
  hf_progress_line_clear ();
  fflush (stdout);
}

static void
print_aside (const char *text)
{
  g_autofree char *line = g_strchomp (g_strdup (text));
  g_autofree char *escaped = hf_output_escape (line);
  begin_aside ();
  fprintf (stderr, "%s\n", escaped);
}

/**
 * hf_output_begin:
 *
 * Has what is said with g_printerr() below the command line printed as errors are: what a message names may have
 * any bytes.
 */
void
hf_output_begin (void)
{
  (void)g_set_printerr_handler (print_aside);
}

/**
 * hf_output_error:
 * @error: what failed
 *
 * Prints it as one line on standard error, after all that was said before.
 */
void
hf_output_error (const GError *error)
{
  g_autofree char *line = hf_output_escape (error->message);
  begin_aside ();
  fprintf (stderr, "holdfast: %s\n", line);
}

/**
 * hf_output_warning:
 * @text: what somebody should know, though nothing failed
 *
 * Prints it as one line on standard error, after all that was said before.
 */
void
hf_output_warning (const char *text)
{
  g_autofree char *line = hf_output_escape (text);
  begin_aside ();
  fprintf (stderr, _ ("holdfast: warning: %s\n"), line);
}

/**
 * hf_output_finish:
 *
 * Returns: whether all that was printed has been written; if not, @error is set.  A result that was
 *   lost must not look like an empty one.
 */
gboolean
hf_output_finish (GError **error)
{
  hf_progress_line_clear ();
  gboolean failed = ferror (stdout) != 0;
  errno = 0;
  if (fflush (stdout) == 0 && !failed)
    return TRUE;
  return hf_throw_errno (error, "Cannot write to standard output");
}
