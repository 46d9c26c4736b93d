/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast installations: the user's, the system's and the named ones, in the order in which they are looked
 * through.
 */
#include "base/language.h"
#include "columns.h"
#include "options.h"
#include "output.h"
#include "places.h"

#define DEFAULT_COLUMNS "name,display-name,path,priority,state"

/* A line of the table. */
typedef struct
{
  HfPlace *place;               /* owned */
  HfInstallation *installation; /* owned; or %NULL */
  GError *failed;               /* owned; why it cannot be opened, or %NULL if there is none */
} Line;

static void
line_free (gpointer data)
{
  Line *line = data;
  hf_place_free (line->place);
  hf_installation_free (line->installation);
  g_clear_error (&line->failed);
  g_free (line);
}

static char *
text_name (const Line *line)
{
  return g_strdup (line->place->name);
}

static char *
text_display_name (const Line *line)
{
  return line->place->named != NULL ? g_strdup (line->place->named->display_name) : NULL;
}

static char *
text_path (const Line *line)
{
  return g_strdup (line->place->path);
}

static char *
text_priority (const Line *line)
{
  return line->place->named != NULL
             ? g_strdup_printf ("%" G_GINT64_FORMAT, line->place->named->priority)
             : NULL;
}

static char *
text_state (const Line *line)
{
  if (line->failed != NULL)
    return g_strdup ("unusable");
  return g_strdup (line->installation != NULL ? "present" : "absent");
}

static char *
text_source (const Line *line)
{
  return line->place->named != NULL ? g_strdup (line->place->named->source) : NULL;
}

typedef struct
{
  const char *name;  /* as --columns has it */
  const char *title; /* as people see it */
  char *(*text) (const Line *line);
} Column;

static const Column table_columns[] = {
  { "name", N_ ("Name"), text_name },    { "display-name", N_ ("Display name"), text_display_name },
  { "path", N_ ("Path"), text_path },    { "priority", N_ ("Priority"), text_priority },
  { "state", N_ ("State"), text_state }, { "source", N_ ("Source"), text_source },
};
static const HfColumns columns = HF_COLUMNS (table_columns);

static GPtrArray *
collect (HfProgram *program)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (line_free);
  HfPlace *place;
  while ((place = hf_place_at (program, lines->len)) != NULL)
    {
      Line *line = g_new0 (Line, 1);
      line->place = place;
      line->installation = hf_place_open (place, HF_OPEN_EXISTING, &line->failed);
      if (hf_error_is (line->failed, HF_ERROR_NOT_FOUND))
        g_clear_error (&line->failed);
      g_ptr_array_add (lines, line);
    }
  return lines;
}

static void
print_table (const GPtrArray *lines, const GPtrArray *chosen)
{
  g_autoptr (HfTable) table = hf_table_new ();
  for (guint i = 0; i < chosen->len; i++)
    hf_table_add_column (table, ((const Column *)chosen->pdata[i])->title);
  for (guint i = 0; i < lines->len; i++)
    for (guint j = 0; j < chosen->len; j++)
      hf_table_take_cell (table, ((const Column *)chosen->pdata[j])->text (lines->pdata[i]));
  hf_table_print (table);
}

static gboolean
print_json (const GPtrArray *lines, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_LIST);
  for (guint i = 0; i < lines->len; i++)
    {
      const Line *line = lines->pdata[i];
      const HfNamed *named = line->place->named;
      g_autofree char *state = text_state (line);
      hf_json_begin_object (builder);
      hf_json_add_string (builder, "name", line->place->name);
      hf_json_add_string (builder, "display_name", named != NULL ? named->display_name : NULL);
      hf_json_add_string (builder, "path", line->place->path);
      hf_json_add_int (builder, "priority", named != NULL ? named->priority : 0);
      hf_json_add_string (builder, "source", named != NULL ? named->source : NULL);
      hf_json_add_string (builder, "state", state);
      hf_json_add_string (builder, "problem", line->failed != NULL ? line->failed->message : NULL);
      hf_json_add_bool (builder, "changeable",
                        line->installation != NULL
                            && hf_installation_is_changeable (line->installation));
      hf_json_end_object (builder);
    }
  return hf_json_print (builder, error);
}

static gboolean
check_lines (const GPtrArray *lines, GError **error)
{
  for (guint i = 0; i < lines->len; i++)
    {
      const Line *line = lines->pdata[i];
      if (line->failed != NULL)
        {
          g_propagate_error (error, g_error_copy (line->failed));
          return FALSE;
        }
    }
  return TRUE;
}

/**
 * hf_command_installations:
 *
 * Locks: none.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_installations (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_autofree char *wanted = NULL;
  const GOptionEntry entries[] = {
    { "columns", 0, 0, G_OPTION_ARG_STRING, &wanted, N_ ("What to show"), "COLUMN,…" },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *description = hf_columns_help (&columns, DEFAULT_COLUMNS);
  const HfSyntax syntax = { .entries = entries, .description = description, .columns = &columns };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  g_autoptr (GPtrArray) chosen
      = hf_columns_choose (&columns, wanted != NULL ? wanted : DEFAULT_COLUMNS, error);
  if (chosen == NULL)
    return FALSE;
  g_autoptr (GPtrArray) lines = collect (program);
  if (!program->json)
    print_table (lines, chosen);
  else if (!print_json (lines, error))
    return FALSE;
  return check_lines (lines, error) && hf_program_check_named (program, error);
}
