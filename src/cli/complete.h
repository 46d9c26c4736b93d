/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a shell offers while a command line is typed.  `holdfast complete WORD...` answers for the last word;
 * the shells' own files, data/completions, only ask and show.  All that there is to offer follows from
 * what the commands say of themselves: the table of commands, and the options and columns that each gives to
 * hf_options_parse().  The words in capitals there, REF or FILE, say what a word is for.
 *
 * The answer is lines of a candidate and, after a tab, what it is.  A line `:files` has the shell offer
 * its file names besides, `:commands` its commands.
 */
#pragma once

#include "options.h"

struct _HfCompletion
{
  HfProgram *program;
  GOptionEntry *global; /* owned; the global options */
  char **words;         /* not owned; those before the last that were not looked at yet */
  const char *word;     /* not owned; the last, that is completed */
  const char *text;     /* in @word: without `--option=` */
  gboolean of_option;   /* whether @text is an option's, and no argument */
  GPtrArray *arguments; /* owned; of not owned words that are no options, after the command */
  GPtrArray *given;     /* owned; of not owned options before @word */
  const GOptionEntry *waiting; /* not owned; an option that @word is for, or %NULL */
  const char *second;          /* not owned; with `--set=KEY VALUE`, what is next, or %NULL */
  const char *key;             /* not owned; the KEY of that */
  gboolean ended;              /* whether no more options can follow */
  const HfColumns *columns;    /* not owned; what the command can show, or %NULL */
  GHashTable *offered;         /* owned; a set of owned candidates */
  GString *answer;             /* owned */
  gboolean expected;           /* whether an argument can stand here */
  gboolean files, commands;    /* whether the shell is to offer its own */
};

char *hf_completion_answer (HfCompletion *self, const HfSyntax *syntax);
void hf_completion_add (HfCompletion *self, const char *candidate, const char *what);
gboolean hf_completion_has_option (const HfCompletion *self, const char *name);
void hf_completion_offer (HfCompletion *self, const char *what);
