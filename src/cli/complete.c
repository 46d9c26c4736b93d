/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast complete: finds out what the last word of an unfinished command line is for.  It is asked at
 * each press of a key, so it must be fast, loads no libostree, takes no lock, and says nothing of what is
 * wrong.
 */
#include "complete.h"

#include "store-options.h"

#include <stdio.h>
#include <string.h>

/* holdfast-store, which alone parses these, is not asked. */
static const GOptionEntry remote_add_options[]
    = { HF_REMOTE_ADD_OPTIONS (NULL, NULL, NULL), G_OPTION_ENTRY_NULL };
static const GOptionEntry install_options[]
    = { HF_INSTALL_OPTIONS (NULL, NULL), G_OPTION_ENTRY_NULL };
static const GOptionEntry repair_options[] = { HF_REPAIR_OPTIONS (NULL), G_OPTION_ENTRY_NULL };

static const struct
{
  const char *command;
  const GOptionEntry *entries;
} store_options[] = {
  { "remote-add", remote_add_options },
  { "install", install_options },
  { "repair", repair_options },
};

/**
 * hf_completion_add:
 * @self: what is completed
 * @candidate: what its text may become; left out if it does not begin like that
 * @what: (nullable): what that is
 */
void
hf_completion_add (HfCompletion *self, const char *candidate, const char *what)
{
  if (!g_str_has_prefix (candidate, self->text)
      || !g_hash_table_add (self->offered, g_strdup (candidate)))
    return;
  g_string_append_len (self->answer, self->word, self->text - self->word);
  g_string_append (self->answer, candidate);
  if (what != NULL)
    g_string_append_printf (self->answer, "\t%s", what);
  g_string_append_c (self->answer, '\n');
}

/**
 * hf_completion_has_option:
 * @self: what is completed
 * @name: the long name of an option
 *
 * Returns: whether it stands before the word that is completed
 */
gboolean
hf_completion_has_option (const HfCompletion *self, const char *name)
{
  for (guint i = 0; i < self->given->len; i++)
    if (strcmp (((const GOptionEntry *)self->given->pdata[i])->long_name, name) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
needs_argument (const GOptionEntry *entry)
{
  return entry->arg != G_OPTION_ARG_NONE
         && (entry->flags & (G_OPTION_FLAG_NO_ARG | G_OPTION_FLAG_OPTIONAL_ARG)) == 0;
}

/* The option that @word is, and in @out_value what stands after its `=`, if that is there. */
static const GOptionEntry *
find_option (const GOptionEntry *entries, const char *word, const char **out_value)
{
  for (; entries != NULL && entries->long_name != NULL; entries++)
    {
      gsize length = strlen (entries->long_name);
      *out_value = NULL;
      if (word[1] != '-' && word[1] == entries->short_name && word[2] == '\0')
        return entries;
      if (word[1] != '-' || strncmp (word + 2, entries->long_name, length) != 0)
        continue;
      if (word[2 + length] == '=')
        *out_value = word + 3 + length;
      if (*out_value != NULL || word[2 + length] == '\0')
        return entries;
    }
  return NULL;
}

/* The part of `KEY VALUE` that does not belong to the option's own word. */
static const char *
second_of (const GOptionEntry *entry)
{
  const char *space = entry->arg_description != NULL ? strchr (entry->arg_description, ' ') : NULL;
  return space != NULL ? space + 1 : NULL;
}

/* An option that is complete.  The global ones say which installation is meant. */
static void
take_option (HfCompletion *self, const GOptionEntry *entry, const char *value)
{
  g_ptr_array_add (self->given, (gpointer)entry);
  self->second = second_of (entry);
  self->key = value;
  for (const GOptionEntry *global = self->global; global->long_name != NULL; global++)
    if (global == entry && entry->arg == G_OPTION_ARG_CALLBACK)
      (void)((GOptionArgFunc)entry->arg_data) (entry->long_name, value, self->program, NULL);
}

static void
take_argument (HfCompletion *self, char *word, gboolean strict)
{
  self->ended |= strict;
  if (self->second == NULL)
    g_ptr_array_add (self->arguments, word);
  self->second = NULL;
}

/* Looks at the words before the last, up to and with the first argument, or all of them. */
static void
read_words (HfCompletion *self, const GOptionEntry *own, gboolean strict, gboolean all)
{
  while (*self->words != NULL && (all || self->arguments->len == 0))
    {
      char *word = *self->words++;
      const char *value;
      const GOptionEntry *entry = g_steal_pointer (&self->waiting);
      if (entry != NULL)
        {
          take_option (self, entry, word);
          continue;
        }
      if (self->ended || word[0] != '-' || word[1] == '\0')
        {
          take_argument (self, word, strict);
          continue;
        }
      if (strcmp (word, "--") == 0)
        self->ended = TRUE;
      entry = find_option (own, word, &value);
      if (entry == NULL)
        entry = find_option (self->global, word, &value);
      if (entry != NULL && value == NULL && needs_argument (entry))
        self->waiting = entry;
      else if (entry != NULL)
        take_option (self, entry, value);
    }
}

/* One word of a help: `REF…`, `[REMOTE]`, `COLUMN,…` stand for something; `add` is what it says. */
static void
offer_word (HfCompletion *self, const char *word)
{
  word += *word == '[' ? 1 : 0;
  g_autofree char *what = g_strndup (word, strspn (word, G_CSET_A_2_Z));
  if (*what != '\0')
    hf_completion_offer (self, what);
  else
    hf_completion_add (self, word, NULL);
}

/* What an option takes: `COMMIT|SERIAL`. */
static void
offer_value (HfCompletion *self, const GOptionEntry *entry)
{
  g_auto (GStrv) words = g_strsplit (entry->arg_description, "|", -1);
  self->of_option = TRUE;
  for (char **word = words; *word != NULL; word++)
    offer_word (self, *word);
}

static void
offer_options (HfCompletion *self, const GOptionEntry *entries)
{
  for (; entries != NULL && entries->long_name != NULL; entries++)
    {
      if ((entries->flags & G_OPTION_FLAG_HIDDEN) != 0)
        continue;
      g_autofree char *name = g_strconcat ("--", entries->long_name, NULL);
      g_autofree char *with = g_strconcat (name, "=", NULL);
      const char brief[] = { '-', entries->short_name, '\0' };
      if (entries->arg_description != NULL)
        hf_completion_add (self, with, entries->description);
      if (!needs_argument (entries))
        hf_completion_add (self, name, entries->description);
      if (entries->short_name != 0)
        hf_completion_add (self, brief, entries->description);
    }
}

static void
offer_option (HfCompletion *self, const GOptionEntry *own)
{
  const char *value;
  const GOptionEntry *entry = find_option (own, self->word, &value);
  if (entry == NULL)
    entry = find_option (self->global, self->word, &value);
  if (entry != NULL && value != NULL && entry->arg_description != NULL)
    {
      self->text = value;
      offer_value (self, entry);
      return;
    }
  offer_options (self, own);
  offer_options (self, self->global);
}

static gboolean
is_repeated (const char *word)
{
  return strstr (word, "…") != NULL;
}

/* Follows one of the ways in which a command can be called, `[REMOTE] REF…`, with the arguments that are
 * there, to the word that is completed. */
static void
follow (HfCompletion *self, char **way, guint taken)
{
  for (; taken < self->arguments->len; taken++)
    {
      if (*way == NULL
          || (!g_ascii_isupper (**way) && **way != '['
              && strcmp (*way, self->arguments->pdata[taken]) != 0))
        return;
      if (**way == '[' && !is_repeated (*way))
        follow (self, way + 1, taken);
      way += is_repeated (*way) ? 0 : 1;
    }
  for (; *way != NULL; way++)
    {
      self->expected = TRUE;
      offer_word (self, *way);
      if (**way != '[')
        return;
    }
}

static void
offer_arguments (HfCompletion *self)
{
  const char *arguments = self->program->command->arguments;
  g_auto (GStrv) ways = g_strsplit (arguments != NULL ? arguments : "", " | ", -1);
  for (char **way = ways; *way != NULL; way++)
    {
      g_auto (GStrv) words = g_strsplit (*way, " ", -1);
      follow (self, words, 0);
    }
}

/**
 * hf_completion_answer:
 * @self: what is completed, up to the command's name
 * @syntax: what the command takes
 *
 * Returns: (transfer full): what there is to offer
 */
char *
hf_completion_answer (HfCompletion *self, const HfSyntax *syntax)
{
  self->columns = syntax->columns;
  read_words (self, syntax->entries, syntax->strict, TRUE);
  if (self->waiting != NULL)
    offer_value (self, self->waiting);
  else if (self->word[0] == '-' && !self->ended)
    offer_option (self, syntax->entries);
  else if (self->second != NULL)
    offer_word (self, self->second);
  else
    {
      offer_arguments (self);
      /* Where nothing else can stand, options are not hidden. */
      if (!self->expected && !self->ended)
        offer_option (self, syntax->entries);
    }
  g_string_append (self->answer, self->files ? ":files\n" : "");
  g_string_append (self->answer, self->commands ? ":commands\n" : "");
  return g_string_free (g_steal_pointer (&self->answer), FALSE);
}

static void
offer_commands (HfCompletion *self, gboolean help)
{
  const HfProgram *program = self->program;
  for (gsize i = 0; i < program->n_commands; i++)
    if (program->commands[i].summary != NULL)
      hf_completion_add (self, program->commands[i].name, program->commands[i].summary);
  if (help)
    hf_completion_add (self, "help", "Show help");
}

static gboolean
answer_command (HfCompletion *self, int *status, GError **error)
{
  HfProgram *program = self->program;
  const char *name = self->arguments->pdata[0];
  char *argv[] = { (char *)name, NULL };
  HfSyntax syntax = { .max_arguments = -1 };
  program->command = hf_program_command (program, name);
  if (program->command == NULL)
    return TRUE;
  g_ptr_array_set_size (self->arguments, 0);
  /* It gives what it takes to hf_options_parse(), which answers. */
  if (program->command->run != NULL)
    return program->command->run (program, 1, argv, status, error);
  for (gsize i = 0; i < G_N_ELEMENTS (store_options); i++)
    if (strcmp (store_options[i].command, program->command->name) == 0)
      syntax.entries = store_options[i].entries;
  g_autofree char *answer = hf_completion_answer (self, &syntax);
  fputs (answer, stdout);
  return TRUE;
}

static void
completion_clear (HfCompletion *self)
{
  g_free (self->global);
  g_ptr_array_unref (self->arguments);
  g_ptr_array_unref (self->given);
  g_hash_table_unref (self->offered);
  if (self->answer != NULL)
    (void)g_string_free (self->answer, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (HfCompletion, completion_clear)

/**
 * hf_command_complete:
 *
 * Locks: none.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_complete (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  if (program->completion != NULL || argc < 2)
    return TRUE;
  g_autofree char **words = g_memdup2 (argv, ((gsize)argc + 1) * sizeof *argv);
  words[argc - 1] = NULL;
  g_auto (HfCompletion) self = {
    .program = program,
    .global = hf_options_global_entries (program),
    .words = words + 1,
    .word = argv[argc - 1],
    .text = argv[argc - 1],
    .arguments = g_ptr_array_new (),
    .given = g_ptr_array_new (),
    .offered = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
    .answer = g_string_new (NULL),
  };
  program->completion = &self;
  read_words (&self, NULL, FALSE, FALSE);
  gboolean help = self.arguments->len > 0 && strcmp (self.arguments->pdata[0], "help") == 0;
  if (self.arguments->len > 0 && !help)
    return answer_command (&self, status, error);
  if (self.waiting != NULL)
    offer_value (&self, self.waiting);
  else if (*self.word == '-')
    offer_option (&self, NULL);
  else
    offer_commands (&self, !help);
  printf ("%s%s", self.answer->str, self.files ? ":files\n" : "");
  return TRUE;
}
