/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lines of the key Exec.  See the Desktop Entry Specification, "The Exec key", for the rules of
 * quoting and the field codes, and the D-Bus Specification, "Message Bus Starting Services".  What is
 * on top of that, escapes of a keyfile, is GKeyFile's.
 *
 * Both are read by GLib's rules for a shell, which know all that the specifications allow and besides
 * what is common in spite of them, single quotes above all.
 */
#include "export-exec.h"

#include "base/error.h"

#include <string.h>

#define FIELDS      "fFuUick%"
#define FIELDS_GONE "dDnNvm" /* deprecated: to be taken out */
#define ESCAPED     "\"`$\\" /* in double quotes */
#define UNQUOTED    G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_./=:,@+%"

/**
 * hf_exec_clear:
 * @exec: what to free the contents of
 */
void
hf_exec_clear (HfExec *exec)
{
  g_clear_pointer (&exec->command, g_free);
  g_clear_pointer (&exec->args, g_strfreev);
}

/**
 * hf_exec_is_plain:
 * @text: any text
 *
 * Returns: whether it can stand in a keyfile's value as one line that everybody reads the same way: it
 *   is UTF-8 and has no control characters
 */
gboolean
hf_exec_is_plain (const char *text)
{
  for (const char *at = text; *at != '\0'; at++)
    if (g_ascii_iscntrl (*at))
      return FALSE;
  return g_utf8_validate (text, -1, NULL);
}

/* Takes deprecated field codes out of @word.  Returns how many others there are, or -1 if one is none. */
static int
check_fields (char *word)
{
  int found = 0;
  char *to = word;
  for (const char *from = word; *from != '\0'; from++)
    {
      char code = from[1];
      if (*from != '%')
        {
          *to++ = *from;
          continue;
        }
      if (code == '\0' || strchr (FIELDS FIELDS_GONE, code) == NULL)
        return -1;
      if (strchr (FIELDS, code) != NULL)
        {
          *to++ = '%';
          *to++ = code;
          found += code == '%' ? 0 : 1;
        }
      from++;
    }
  *to = '\0';
  return found;
}

/* What a desktop must not process it must not be given. */
static gboolean
check_desktop_line (HfExec *exec, GError **error)
{
  if (check_fields (exec->command) != 0)
    return hf_throw (error, HF_ERROR_UNSAFE, "its Exec has a field code in place of a program");
  guint kept = 0;
  for (guint i = 0; exec->args[i] != NULL; i++)
    {
      gboolean was_empty = exec->args[i][0] == '\0';
      if (check_fields (exec->args[i]) < 0)
        return hf_throw (error, HF_ERROR_UNSAFE, "its Exec has a %% with no field code after it");
      if (exec->args[i][0] != '\0' || was_empty)
        {
          char *word = exec->args[i];
          exec->args[i] = exec->args[kept];
          exec->args[kept++] = word;
        }
    }
  for (guint i = kept; exec->args[i] != NULL; i++)
    g_clear_pointer (&exec->args[i], g_free);
  return TRUE;
}

/**
 * hf_exec_parse:
 * @line: the value of a key Exec, without a keyfile's escapes
 * @reader: for whom it is
 * @out: (out): the program and its arguments, with field codes as they stand
 *
 * Returns: %FALSE with %HF_ERROR_UNSAFE if it is nothing that can be started
 */
gboolean
hf_exec_parse (const char *line, HfExecReader reader, HfExec *out, GError **error)
{
  g_auto (GStrv) words = NULL;
  g_auto (HfExec) exec = { NULL };
  int n = 0;
  if (!hf_exec_is_plain (line))
    return hf_throw (error, HF_ERROR_UNSAFE, "its Exec has control characters");
  if (!g_shell_parse_argv (line, &n, &words, NULL))
    return hf_throw (error, HF_ERROR_UNSAFE, "its Exec is empty, or quoted wrongly");
  if (words[0][0] == '\0')
    return hf_throw (error, HF_ERROR_UNSAFE, "its Exec names no program");
  exec.command = g_strdup (words[0]);
  exec.args = g_strdupv (words + 1);
  if (reader == HF_EXEC_DESKTOP && !check_desktop_line (&exec, error))
    return FALSE;
  *out = exec;
  exec = (HfExec){ NULL };
  return TRUE;
}

static void
add_word (GString *line, const char *word)
{
  if (line->len > 0)
    g_string_append_c (line, ' ');
  if (*word != '\0' && strspn (word, UNQUOTED) == strlen (word))
    {
      g_string_append (line, word);
      return;
    }
  g_string_append_c (line, '"');
  for (const char *at = word; *at != '\0'; at++)
    {
      if (strchr (ESCAPED, *at) != NULL)
        g_string_append_c (line, '\\');
      g_string_append_c (line, *at);
    }
  g_string_append_c (line, '"');
}

/* A word of ours, of which no % is a field code. */
static void
add_own_word (GString *line, const char *word, HfExecReader reader)
{
  g_autoptr (GString) escaped = g_string_new (word);
  if (reader == HF_EXEC_DESKTOP)
    (void)g_string_replace (escaped, "%", "%%", 0);
  add_word (line, escaped->str);
}

/* What names the image: options, and the ID. */
static char **
words_of (const HfExportTarget *target)
{
  g_autofree char *branch = g_strconcat ("--branch=", target->ref->branch, NULL);
  g_autofree char *arch = g_strconcat ("--arch=", target->ref->arch, NULL);
  const char *const words[] = { target->program, target->scope, "run", branch, arch, NULL };
  return g_strdupv ((char **)words);
}

/**
 * hf_exec_line:
 * @target: what is run
 * @exec: (nullable): with what program and arguments, from hf_exec_parse(); %NULL for the image's own
 * @reader: for whom the line is
 *
 * Returns: (transfer full): the value of a key Exec, without a keyfile's escapes
 */
char *
hf_exec_line (const HfExportTarget *target, const HfExec *exec, HfExecReader reader)
{
  g_autoptr (GString) line = g_string_new (NULL);
  g_auto (GStrv) words = words_of (target);
  for (char **word = words; *word != NULL; word++)
    add_own_word (line, *word, reader);
  if (exec != NULL)
    {
      g_autofree char *command = g_strconcat ("--command=", exec->command, NULL);
      add_word (line, command);
    }
  add_own_word (line, target->ref->id, reader);
  for (char **arg = exec == NULL ? NULL : exec->args; arg != NULL && *arg != NULL; arg++)
    add_word (line, *arg);
  return g_string_free (g_steal_pointer (&line), FALSE);
}

/**
 * hf_exec_wrapper:
 * @target: what is run
 *
 * Returns: (transfer full): a shell script that runs it with the arguments that it gets
 */
char *
hf_exec_wrapper (const HfExportTarget *target)
{
  g_autoptr (GString) script = g_string_new ("#!/bin/sh\nexec");
  g_auto (GStrv) words = words_of (target);
  for (char **word = words; *word != NULL; word++)
    {
      g_autofree char *quoted = g_shell_quote (*word);
      g_string_append_printf (script, " %s", quoted);
    }
  g_string_append_printf (script, " %s \"$@\"\n", target->ref->id);
  return g_string_free (g_steal_pointer (&script), FALSE);
}
