/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parsing of options.  The global ones are one GOptionGroup, given to the program's own context and
 * to every command's, so that both places behave alike and the help shows them in one place.
 */
#include "options.h"

#include "base/language.h"
#include "complete.h"
#include "output.h"
#include "places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options are parsed before and after the command's name: the same may be said twice. */
static gboolean
choose_scope (HfProgram *program, HfScope scope, const char *name, const char *path, GError **error)
{
  if (program->scope == HF_SCOPE_DEFAULT)
    {
      program->scope = scope;
      program->installation_name = g_strdup (name);
      program->installation_path = g_strdup (path);
      return TRUE;
    }
  if (program->scope != scope || g_strcmp0 (program->installation_name, name) != 0
      || g_strcmp0 (program->installation_path, path) != 0)
    return hf_throw (error, HF_ERROR_USAGE,
                     "Only one of --user, --system and --installation can be given");
  return TRUE;
}

static gboolean
option_user (const char *name, const char *value, gpointer program, GError **error)
{
  return choose_scope (program, HF_SCOPE_USER, NULL, NULL, error);
}

static gboolean
option_system (const char *name, const char *value, gpointer program, GError **error)
{
  return choose_scope (program, HF_SCOPE_SYSTEM, NULL, NULL, error);
}

static gboolean
option_installation (const char *name, const char *value, gpointer program, GError **error)
{
  if (*value == '\0')
    return hf_throw (error, HF_ERROR_USAGE, "--installation needs a name or a path");
  if (strchr (value, '/') != NULL)
    {
      g_autofree char *path = g_canonicalize_filename (value, NULL);
      return choose_scope (program, HF_SCOPE_PATH, NULL, path, error);
    }
  if (strcmp (value, HF_NAME_USER) == 0)
    return choose_scope (program, HF_SCOPE_USER, NULL, NULL, error);
  if (strcmp (value, HF_NAME_SYSTEM) == 0)
    return choose_scope (program, HF_SCOPE_SYSTEM, NULL, NULL, error);
  if (hf_named_check_name (value, error))
    return choose_scope (program, HF_SCOPE_NAMED, value, NULL, error);
  g_prefix_error (error, _ ("--installation takes a name, or a path with a slash in it, as ./%s: "),
                  value);
  return FALSE;
}

/**
 * hf_options_global_entries:
 * @program: where to put what is chosen
 *
 * Returns: (transfer full): the options that every command has, ended by %G_OPTION_ENTRY_NULL; free with
 *   g_free()
 */
GOptionEntry *
hf_options_global_entries (HfProgram *program)
{
  const GOptionEntry entries[] = {
    { "user", 'u', G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, (gpointer)option_user,
      N_ ("Work on the user's installation"), NULL },
    { "system", 0, G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, (gpointer)option_system,
      N_ ("Work on the system's installation"), NULL },
    { "installation", 0, G_OPTION_FLAG_FILENAME, G_OPTION_ARG_CALLBACK,
      (gpointer)option_installation, N_ ("Work on the installation of that name, or at that path"),
      "NAME|PATH" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &program->json, N_ ("Print one JSON document"), NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &program->quiet,
      N_ ("Print only errors and what is asked for"), NULL },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &program->verbose, N_ ("Say what is being done"),
      NULL },
    { "help", 'h', 0, G_OPTION_ARG_NONE, &program->help, N_ ("Show help and exit"), NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &program->version, N_ ("Show the version and exit"),
      NULL },
    G_OPTION_ENTRY_NULL,
  };
  return g_memdup2 (entries, sizeof entries);
}

static GOptionGroup *
global_group (HfProgram *program)
{
  g_autofree GOptionEntry *entries = hf_options_global_entries (program);
  GOptionGroup *group = g_option_group_new ("global", _ ("Global Options:"), "", program, NULL);
  g_option_group_set_translation_domain (group, GETTEXT_PACKAGE);
  g_option_group_add_entries (group, entries);
  return group;
}

/* The command's own group comes first, as the help shows them in this order.  GLib translates what is in a group, but not
 * its title. */
static GOptionContext *
context_new (HfProgram *program, const char *arguments, const HfSyntax *syntax)
{
  const GOptionEntry *entries = syntax != NULL ? syntax->entries : NULL;
  GOptionContext *context = g_option_context_new (arguments);
  g_option_context_set_translation_domain (context, GETTEXT_PACKAGE);
  /* Our own --help works on either side of the command's name. */
  g_option_context_set_help_enabled (context, FALSE);
  if (entries != NULL)
    {
      GOptionGroup *own = g_option_group_new ("command", _ ("Options:"), "", syntax->data, NULL);
      g_option_group_set_translation_domain (own, GETTEXT_PACKAGE);
      g_option_group_add_entries (own, entries);
      g_option_context_add_group (context, own);
    }
  g_option_context_add_group (context, global_group (program));
  return context;
}

/* A program reads it, errors and all, those of its command line, too. */
static void
look_for_json (GOptionContext *context, int argc, char **argv)
{
  gboolean strict = g_option_context_get_strict_posix (context);
  for (int i = 1; i < argc && strcmp (argv[i], "--") != 0 && (!strict || argv[i][0] == '-'); i++)
    if (strcmp (argv[i], "--json") == 0)
      hf_language_end ();
}

static gboolean
parse (GOptionContext *context, const char *help, int *argc, char ***argv, GError **error)
{
  look_for_json (context, *argc, *argv);
  g_autoptr (GError) local = NULL;
  if (g_option_context_parse (context, argc, argv, &local))
    return TRUE;
  return hf_throw (error, HF_ERROR_USAGE, "%s: see %s --help", local->message, help);
}

/* As g_option_context_parse() does for its own --help.  Nothing was begun yet that would need an
 * orderly end. */
static void G_NORETURN
print_and_exit (const char *text)
{
  fputs (text, stdout);
  exit (fflush (stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/**
 * hf_options_parse_global:
 * @program: where to put what was chosen
 * @argc: (inout): number of elements of @argv
 * @argv: (inout): the program's name and arguments; options up to the command's name are taken out
 *
 * Parses the options that stand before the command's name.  Prints the version and exits if that
 * was asked for.
 *
 * Returns: %FALSE with %HF_ERROR_USAGE if an option is unknown or malformed
 */
gboolean
hf_options_parse_global (HfProgram *program, int *argc, char ***argv, GError **error)
{
  g_autoptr (GOptionContext) context = context_new (program, NULL, NULL);
  g_option_context_set_strict_posix (context, TRUE);
  if (!parse (context, "holdfast", argc, argv, error))
    return FALSE;
  if (program->version)
    print_and_exit ("holdfast " HF_VERSION "\n");
  return TRUE;
}

/**
 * hf_options_global_help:
 * @program: the program
 * @end: what stands below the options
 *
 * Returns: (transfer full): the text of `holdfast --help`
 */
char *
hf_options_global_help (HfProgram *program, const char *end)
{
  g_autoptr (GString) summary = g_string_new (
      _ ("Deploys images of applications and runtimes beside whatever is running from them.\n"
         "What something holds stays; what nothing holds goes.\n\nCommands:"));
  for (gsize i = 0; i < program->n_commands; i++)
    if (program->commands[i].summary != NULL)
      g_string_append_printf (summary, "\n  %-15s%s", program->commands[i].name,
                              hf_text (program->commands[i].summary));

  g_autoptr (GOptionContext) context = context_new (program, "COMMAND [ARG…]", NULL);
  g_option_context_set_summary (context, summary->str);
  g_autofree char *description
      = g_strconcat (end, "\n\n", _ ("See holdfast COMMAND --help, and holdfast(1).\n"), NULL);
  g_option_context_set_description (context, description);
  return g_option_context_get_help (context, FALSE, NULL);
}

static gboolean
check_count (HfProgram *program, const HfSyntax *syntax, int count, GError **error)
{
  const char *name = program->command->name;
  if (count < syntax->min_arguments)
    return hf_throw (error, HF_ERROR_USAGE, "%s needs %s: see holdfast %s --help", name,
                     program->command->arguments, name);
  if (syntax->max_arguments == 0 && count > 0)
    return hf_throw (error, HF_ERROR_USAGE, "%s takes no arguments: see holdfast %s --help", name,
                     name);
  if (syntax->max_arguments > 0 && count > syntax->max_arguments)
    return hf_throw (error, HF_ERROR_USAGE, "%s takes %s: see holdfast %s --help", name,
                     program->command->arguments, name);
  return TRUE;
}

/**
 * hf_options_parse:
 * @program: the program; its command is the one whose options are parsed
 * @syntax: what the command takes
 * @argc: (inout): number of elements of @argv
 * @argv: (inout): the command's name and arguments; what is left starts with the name
 *
 * Prints the command's help, or the version, or what completes the command line, and exits if that was asked
 * for.
 *
 * Returns: %FALSE with %HF_ERROR_USAGE if the command line does not fit
 */
gboolean
hf_options_parse (HfProgram *program, const HfSyntax *syntax, int *argc, char ***argv,
                  GError **error)
{
  const HfCommand *command = program->command;
  if (program->completion != NULL)
    {
      g_autofree char *answer = hf_completion_answer (program->completion, syntax);
      print_and_exit (answer);
    }
  g_autofree char *title = g_strconcat ("holdfast ", command->name, NULL);
  g_autoptr (GOptionContext) context = context_new (program, command->arguments, syntax);
  g_option_context_set_strict_posix (context, syntax->strict);
  g_option_context_set_summary (context, command->summary);
  g_option_context_set_description (context, syntax->description);

  if (!parse (context, title, argc, argv, error))
    return FALSE;
  if (program->version)
    print_and_exit ("holdfast " HF_VERSION "\n");
  if (program->help)
    {
      g_set_prgname (title); /* the usage line starts with it */
      g_autofree char *help = g_option_context_get_help (context, FALSE, NULL);
      print_and_exit (help);
    }
  if (program->json)
    hf_language_end ();
  hf_output_set_quiet (program->quiet);
  /* Not by way of G_MESSAGES_DEBUG, which an instance would inherit. */
  if (program->verbose)
    g_log_set_debug_enabled (TRUE);
  return check_count (program, syntax, *argc - 1, error)
         && hf_program_resolve_name (program, error);
}
