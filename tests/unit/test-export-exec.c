/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Command lines of what is exported: what goes in comes out, to whoever reads them by the specification,
 * and nothing of it is taken for something of ours.
 */
#include "core/export-exec.h"

#include "base/error.h"

#include <string.h>

#define ID "org.test.App"

static HfRef *
ref_of_app (void)
{
  return hf_ref_new ("app", ID, "x86_64", "stable");
}

/* By the letter of the Desktop Entry Specification: quoted arguments are in double quotes as a whole, and
 * nothing that it reserves stands outside of them. */
static GPtrArray *
read_strictly (const char *line)
{
  GPtrArray *words = g_ptr_array_new_with_free_func (g_free);
  while (*line != '\0')
    {
      g_autoptr (GString) word = g_string_new (NULL);
      gboolean quoted = *line == '"';
      if (quoted)
        for (line++; *line != '"'; line++)
          {
            g_assert_cmpint (*line, !=, '\0');
            if (*line == '\\')
              g_assert_nonnull (strchr ("\"`$\\", *++line));
            else
              g_assert_null (strchr ("`$", *line));
            g_string_append_c (word, *line);
          }
      else
        for (; *line != ' ' && *line != '\0'; line++)
          {
            g_assert_null (strchr (" \t\n\"'\\><~|&;$*?#()`", *line));
            g_string_append_c (word, *line);
          }
      line += quoted ? 1 : 0;
      g_ptr_array_add (words, g_string_free (g_steal_pointer (&word), FALSE));
      g_assert_true (*line == ' ' || *line == '\0');
      line += *line == ' ' ? 1 : 0;
    }
  return words;
}

static void
assert_words (const char *line, const char *const *expected)
{
  g_autoptr (GPtrArray) words = read_strictly (line);
  g_test_message ("%s", line);
  g_assert_cmpuint (words->len, ==, g_strv_length ((char **)expected));
  for (guint i = 0; i < words->len; i++)
    g_assert_cmpstr (words->pdata[i], ==, expected[i]);
  /* A desktop may read it like a shell. */
  g_auto (GStrv) shell = NULL;
  g_autoptr (GError) error = NULL;
  (void)!g_shell_parse_argv (line, NULL, &shell, &error);
  g_assert_no_error (error);
  g_assert_cmpstrv (shell, expected);
}

static char *
through (const char *line, HfExecReader reader)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of_app ();
  g_auto (HfExec) exec = { NULL };
  const HfExportTarget target = { "/usr/bin/holdfast", "--user", ref, "app" };
  (void)!hf_exec_parse (line, reader, &exec, &error);
  g_assert_no_error (error);
  return hf_exec_line (&target, &exec, reader);
}

#define OURS "/usr/bin/holdfast", "--user", "run", "--branch=stable", "--arch=x86_64"

static void
test_words (void)
{
  static const struct
  {
    const char *line;
    const char *words[12];
  } lines[] = {
    { "hello", { OURS, "--command=hello", ID } },
    { "  hello   %U ", { OURS, "--command=hello", ID, "%U" } },
    { "/app/bin/hello --open %f", { OURS, "--command=/app/bin/hello", ID, "--open", "%f" } },
    { "\"two words\" \"a \\\"b\\\" \\$HOME \\`id\\` \\\\\"",
      { OURS, "--command=two words", ID, "a \"b\" $HOME `id` \\" } },
    { "sh -c 'echo \"$0\"; exec app' --",
      { OURS, "--command=sh", ID, "-c", "echo \"$0\"; exec app", "--" } },
    { "hello \"\" end", { OURS, "--command=hello", ID, "", "end" } },
    { "hello ; rm -rf /", { OURS, "--command=hello", ID, ";", "rm", "-rf", "/" } },
    { "hello $(id) `id` | cat", { OURS, "--command=hello", ID, "$(id)", "`id`", "|", "cat" } },
    { "--system run org.test.Other", { OURS, "--command=--system", ID, "run", "org.test.Other" } },
    { "hello --command=sh --user", { OURS, "--command=hello", ID, "--command=sh", "--user" } },
    { "hellö ☃", { OURS, "--command=hellö", ID, "☃" } },
    { "hello # no comment", { OURS, "--command=hello", ID } },
    { "hello %i %c %k 100%%", { OURS, "--command=hello", ID, "%i", "%c", "%k", "100%%" } },
    { "hello --url=%u", { OURS, "--command=hello", ID, "--url=%u" } },
    { "he%%llo", { OURS, "--command=he%%llo", ID } },
    /* Deprecated: taken out, with the word if it was nothing else. */
    { "hello %d --x=%v %D %m \"\" end", { OURS, "--command=hello", ID, "--x=", "", "end" } },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_autofree char *made = through (lines[i].line, HF_EXEC_DESKTOP);
      assert_words (made, lines[i].words);
    }
}

static void
test_refused (void)
{
  static const char *const lines[] = {
    "",           "   ",          "\"\"",         "\"\" hello",    "\"not closed", "'not closed",
    "trailing\\", "%u",           "%f hello",     "a%ub",          "hello %",      "hello %z",
    "hello % u",  "hello\nworld", "hello\rworld", "hello \x1b[2J", "hello \x7f",   "hell\xff"
  };
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (HfExec) exec = { NULL };
      g_test_message ("%s", lines[i]);
      g_assert_false (hf_exec_parse (lines[i], HF_EXEC_DESKTOP, &exec, &error));
      g_assert_error (error, HF_ERROR, HF_ERROR_UNSAFE);
      g_assert_null (exec.command);
    }
}

/* To D-Bus % is a character. */
static void
test_bus (void)
{
  static const char *const words[] = { OURS, "--command=hello", ID, "%z", "100%", NULL };
  g_autofree char *made = through ("hello %z 100%", HF_EXEC_BUS);
  assert_words (made, words);
}

/* Paths that somebody chose for his installation are words, and no field codes. */
static void
test_own_paths (void)
{
  static const char *const words[] = { "/opt/100%% \"$HOME\"/holdfast",
                                       "--installation=/a b/%%u;x",
                                       "run",
                                       "--branch=stable",
                                       "--arch=x86_64",
                                       "--command=hello",
                                       ID,
                                       NULL };
  static const char *const bus_words[] = { "/opt/100% \"$HOME\"/holdfast",
                                           "--installation=/a b/%u;x",
                                           "run",
                                           "--branch=stable",
                                           "--arch=x86_64",
                                           "--command=hello",
                                           ID,
                                           NULL };
  g_autoptr (HfRef) ref = ref_of_app ();
  const HfExec exec = { (char *)"hello", (char *[]){ NULL } };
  const HfExportTarget target
      = { "/opt/100% \"$HOME\"/holdfast", "--installation=/a b/%u;x", ref, NULL };
  g_autofree char *desktop = hf_exec_line (&target, &exec, HF_EXEC_DESKTOP);
  g_autofree char *bus = hf_exec_line (&target, &exec, HF_EXEC_BUS);
  assert_words (desktop, words);
  assert_words (bus, bus_words);
}

static void
test_own_command (void)
{
  static const char *const words[] = { OURS, ID, NULL };
  g_autoptr (HfRef) ref = ref_of_app ();
  const HfExportTarget target = { "/usr/bin/holdfast", "--user", ref, "app" };
  g_autofree char *made = hf_exec_line (&target, NULL, HF_EXEC_DESKTOP);
  assert_words (made, words);
}

/* What a shell makes of it is the same, whatever is in the paths. */
static void
test_wrapper (void)
{
  g_autoptr (HfRef) ref = ref_of_app ();
  g_autoptr (GError) error = NULL;
  g_autofree char *out = NULL;
  int status;
  const HfExportTarget target = { "/usr/bin/printf", "it's $HOME `id` \"<%s>\\n", ref, "app" };
  g_autofree char *script = hf_exec_wrapper (&target);
  g_assert_true (g_str_has_prefix (script, "#!/bin/sh\nexec '/usr/bin/printf' "));
  const char *const words[] = { "/bin/sh", "-c", script, "sh", "a b", "$c", NULL };
  (void)!g_spawn_sync (NULL, (char **)words, NULL, 0, NULL, NULL, &out, NULL, &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  g_assert_nonnull (strstr (out, "it's $HOME `id` \"<" ID ">\nit's"));
  g_assert_nonnull (strstr (out, "\"<a b>\nit's"));
  g_assert_nonnull (strstr (out, "\"<$c>\n"));
}

static void
test_plain (void)
{
  g_assert_true (hf_exec_is_plain ("/home/ä b/%\"'"));
  g_assert_false (hf_exec_is_plain ("a\nb"));
  g_assert_false (hf_exec_is_plain ("a\tb"));
  g_assert_false (hf_exec_is_plain ("\xff"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/export-exec/words come out as they went in", test_words);
  g_test_add_func ("/export-exec/what nobody could start is refused", test_refused);
  g_test_add_func ("/export-exec/D-Bus knows no field codes", test_bus);
  g_test_add_func ("/export-exec/paths of ours are words", test_own_paths);
  g_test_add_func ("/export-exec/the image's own command", test_own_command);
  g_test_add_func ("/export-exec/the wrapper", test_wrapper);
  g_test_add_func ("/export-exec/plain text", test_plain);
  return g_test_run ();
}
