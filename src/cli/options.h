/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The command line's options: the global ones, which are understood before and after the command's
 * name, and each command's own.
 */
#pragma once

#include "columns.h"
#include "command.h"

/* What a command takes. */
typedef struct
{
  const GOptionEntry *entries; /* not owned; its own options, or %NULL */
  gpointer data;               /* not owned; for callbacks of these */
  const char *description;     /* not owned; stands below the options in its help, or %NULL */
  const HfColumns *columns;    /* not owned; what --columns can choose from, or %NULL */
  int min_arguments;
  int max_arguments; /* -1: any number */
  gboolean strict;   /* options end at the first argument, as POSIX has it */
} HfSyntax;

gboolean hf_options_parse_global (HfProgram *program, int *argc, char ***argv,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
GOptionEntry *hf_options_global_entries (HfProgram *program);
char *hf_options_global_help (HfProgram *program, const char *end);
gboolean hf_options_parse (HfProgram *program, const HfSyntax *syntax, int *argc, char ***argv,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
