/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast df: what takes how much space, and what would be free without it.
 */
#include "base/language.h"
#include "columns.h"
#include "core/usage.h"
#include "options.h"
#include "output.h"

#include <string.h>

#define DEFAULT_COLUMNS "ref,state,total,exclusive,shared"

/* A bar that is shorter than this says nothing. */
#define SHORTEST_BAR 8
#define LONGEST_BAR  40

#define NAMED_UNREAD 3

static const char *const states[] = {
  [HF_USAGE_ACTIVE] = "active",
  [HF_USAGE_PREVIOUS] = "previous",
  [HF_USAGE_REMOVED] = "removed",
  [HF_USAGE_STAGING] = "staging",
};

/* A line of the table. */
typedef struct
{
  const HfUsageRow *row; /* not owned; or NULL */
  const char *name;      /* not owned; of what is no row */
  guint64 total, exclusive;
} Line;

typedef struct
{
  const char *name;  /* as --columns has it */
  const char *title; /* as people see it */
  char *(*text) (const HfInstallation *installation, const Line *line);
} Column;

static char *
text_ref (const HfInstallation *installation, const Line *line)
{
  if (line->row == NULL)
    return g_strdup (line->name);
  return g_strdup (line->row->ref != NULL ? line->row->ref->full : line->row->path);
}

static char *
text_state (const HfInstallation *installation, const Line *line)
{
  return line->row != NULL ? g_strdup (states[line->row->state]) : NULL;
}

static char *
text_commit (const HfInstallation *installation, const Line *line)
{
  if (line->row == NULL || line->row->info == NULL)
    return NULL;
  return hf_output_commit (line->row->info->commit);
}

static char *
row_serial (const HfUsageRow *row)
{
  g_autofree char *base = g_path_get_basename (row->path);
  const char *removed = hf_removed_name_deployment (base);
  char *serial = NULL;
  (void)hf_deployment_name_parse (removed != NULL ? removed : base, NULL, &serial);
  return serial;
}

static char *
text_serial (const HfInstallation *installation, const Line *line)
{
  return line->row != NULL ? row_serial (line->row) : NULL;
}

static char *
text_total (const HfInstallation *installation, const Line *line)
{
  return hf_output_size (line->total);
}

static char *
text_exclusive (const HfInstallation *installation, const Line *line)
{
  return hf_output_size (line->exclusive);
}

static char *
text_shared (const HfInstallation *installation, const Line *line)
{
  return hf_output_size (line->total - line->exclusive);
}

static char *
text_path (const HfInstallation *installation, const Line *line)
{
  return line->row != NULL ? g_build_filename (installation->path, line->row->path, NULL) : NULL;
}

static const Column table_columns[] = {
  { "ref", N_ ("Ref"), text_ref },          { "state", N_ ("State"), text_state },
  { "commit", N_ ("Commit"), text_commit }, { "serial", N_ ("Serial"), text_serial },
  { "total", N_ ("Total"), text_total },    { "exclusive", N_ ("Exclusive"), text_exclusive },
  { "shared", N_ ("Shared"), text_shared }, { "path", N_ ("Path"), text_path },
};
static const HfColumns columns = HF_COLUMNS (table_columns);

static void
append_times (GString *text, const char *what, guint times)
{
  for (guint i = 0; i < times; i++)
    g_string_append (text, what);
}

/* The first part is what is exclusive, the other what is shared. */
static char *
draw_bar (const Line *line, guint64 most, guint width)
{
  gboolean unicode = hf_language_is_utf8 ();
  g_autoptr (GString) bar = g_string_new (NULL);
  guint whole = most > 0 ? (guint)((double)line->total / (double)most * width + 0.5) : 0;
  guint first = most > 0 ? (guint)((double)line->exclusive / (double)most * width + 0.5) : 0;
  append_times (bar, unicode ? "█" : "#", first);
  append_times (bar, unicode ? "░" : "-", whole - MIN (first, whole));
  return g_string_free (g_steal_pointer (&bar), FALSE);
}

/* With bars so wide; without any if @bars is 0. */
static HfTable *
make_table (const HfInstallation *installation, const GArray *lines, const GPtrArray *chosen,
            guint bars)
{
  g_autoptr (HfTable) table = hf_table_new ();
  guint64 most = 0;
  for (guint i = 0; i < chosen->len; i++)
    hf_table_add_column (table, ((const Column *)chosen->pdata[i])->title);
  if (bars > 0)
    hf_table_add_column (table, NULL);
  for (guint i = 0; i < lines->len; i++)
    most = MAX (most, g_array_index (lines, Line, i).total);
  for (guint i = 0; i < lines->len; i++)
    {
      const Line *line = &g_array_index (lines, Line, i);
      for (guint j = 0; j < chosen->len; j++)
        hf_table_take_cell (table, ((const Column *)chosen->pdata[j])->text (installation, line));
      if (bars > 0)
        hf_table_take_cell (table, draw_bar (line, most, bars));
    }
  return g_steal_pointer (&table);
}

static GArray *
list_lines (const HfUsage *usage, gboolean chosen_only)
{
  GArray *lines = g_array_new (FALSE, FALSE, sizeof (Line));
  for (guint i = 0; i < usage->rows->len; i++)
    {
      const HfUsageRow *row = usage->rows->pdata[i];
      const Line line = { row, NULL, row->total, row->exclusive };
      if (row->chosen || !chosen_only)
        g_array_append_val (lines, line);
    }
  if (chosen_only || usage->total == 0)
    return lines;
  const Line others[] = { { NULL, "(shared)", usage->shared, usage->shared },
                          { NULL, "(repository)", usage->rest, usage->rest } };
  g_array_append_vals (lines, others, G_N_ELEMENTS (others));
  return lines;
}

/* What is said to people below the table. */
static void
print_sums (const HfUsage *usage, guint n_lines, gboolean chosen_only)
{
  g_autofree char *total = hf_output_size (usage->total);
  g_autofree char *available = hf_output_size (usage->available);
  g_autofree char *capacity = hf_output_size (usage->capacity);
  g_autofree char *chosen = hf_output_size (usage->chosen);
  g_autofree char *trash = hf_output_size (usage->trash);
  if (chosen_only && n_lines > 1)
    hf_output_line ("Exclusive to these together: %s", chosen);
  if (usage->trash > 0)
    hf_output_line ("%s are out of service: a sweep frees them, unless something keeps them.",
                    trash);
  hf_output_line ("%s in all; %s of %s on this file system are free.", total, available, capacity);
}

static void
print_text (const HfInstallation *installation, const HfUsage *usage, const GPtrArray *chosen,
            gboolean chosen_only)
{
  g_autoptr (GArray) lines = list_lines (usage, chosen_only);
  g_autoptr (HfTable) table = make_table (installation, lines, chosen, 0);
  guint used = hf_table_width (table) + 2, width = hf_output_width ();
  if (hf_output_is_terminal () && width >= used + SHORTEST_BAR)
    {
      hf_table_free (table);
      table = make_table (installation, lines, chosen, MIN (width - used, LONGEST_BAR));
    }
  hf_table_print (table);
  if (hf_output_is_terminal ())
    print_sums (usage, lines->len, chosen_only);
}

static void
add_row (GVariantBuilder *builder, const HfInstallation *installation, const HfUsageRow *row)
{
  g_autofree char *serial = row_serial (row);
  g_autofree char *path = g_build_filename (installation->path, row->path, NULL);
  hf_json_begin_object (builder);
  hf_json_add_string (builder, "ref", row->ref != NULL ? row->ref->full : NULL);
  hf_json_add_string (builder, "state", states[row->state]);
  hf_json_add_string (builder, "commit", row->info != NULL ? row->info->commit : NULL);
  hf_json_add_string (builder, "serial", serial);
  hf_json_add_int (builder, "total", (gint64)row->total);
  hf_json_add_int (builder, "exclusive", (gint64)row->exclusive);
  hf_json_add_int (builder, "shared", (gint64)(row->total - row->exclusive));
  hf_json_add_string (builder, "path", path);
  hf_json_end_object (builder);
}

static gboolean
print_json (const HfInstallation *installation, const HfUsage *usage, gboolean chosen_only,
            GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_OBJECT);
  hf_json_begin_list (builder, "deployments", HF_JSON_LIST);
  for (guint i = 0; i < usage->rows->len; i++)
    {
      const HfUsageRow *row = usage->rows->pdata[i];
      if (row->chosen || !chosen_only)
        add_row (builder, installation, row);
    }
  hf_json_end_list (builder);
  if (chosen_only)
    hf_json_add_int (builder, "together", (gint64)usage->chosen);
  hf_json_add_int (builder, "shared", (gint64)usage->shared);
  hf_json_add_int (builder, "repository", (gint64)usage->rest);
  hf_json_add_int (builder, "total", (gint64)usage->total);
  hf_json_add_int (builder, "trash", (gint64)usage->trash);
  hf_json_add_int (builder, "available", (gint64)usage->available);
  hf_json_add_int (builder, "capacity", (gint64)usage->capacity);
  hf_json_begin_list (builder, "unread", HF_JSON_STRINGS);
  for (guint i = 0; i < usage->unread->len; i++)
    {
      g_autofree char *valid = g_utf8_make_valid (usage->unread->pdata[i], -1);
      g_variant_builder_add (builder, "s", valid);
    }
  hf_json_end_list (builder);
  return hf_json_print (builder, error);
}

/* As du(1) does: what could be read is told, and then what could not. */
static gboolean
check_read (const HfInstallation *installation, const HfUsage *usage, GError **error)
{
  guint n = usage->unread->len;
  if (n == 0)
    return TRUE;
  g_autoptr (GString) names = g_string_new (usage->unread->pdata[0]);
  for (guint i = 1; i < n && i < NAMED_UNREAD; i++)
    g_string_append_printf (names, ", %s", (const char *)usage->unread->pdata[i]);
  if (n > NAMED_UNREAD)
    return hf_throw (error, HF_ERROR_FAILED,
                     ngettext ("Could not read %s and %u more in %s, which is left out: run this as"
                               " the owner",
                               "Could not read %s and %u more in %s, which is left out: run this as"
                               " the owner",
                               n - NAMED_UNREAD),
                     names->str, n - NAMED_UNREAD, installation->path);
  return hf_throw (error, HF_ERROR_FAILED,
                   "Could not read %s in %s, which is left out: run this as the owner", names->str,
                   installation->path);
}

static GPtrArray *
find_refs (HfInstallation *installation, char **names, GError **error)
{
  g_autoptr (GPtrArray) refs = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_ref_free);
  for (; *names != NULL; names++)
    {
      g_autoptr (HfDeployed) one = hf_program_find_in (installation, *names, NULL, error);
      if (one == NULL)
        return NULL;
      g_ptr_array_add (refs, g_steal_pointer (&one->ref));
    }
  return g_steal_pointer (&refs);
}

/**
 * hf_command_df:
 *
 * Locks: none.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_df (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_autofree char *wanted = NULL;
  const GOptionEntry entries[] = {
    { "columns", 0, 0, G_OPTION_ARG_STRING, &wanted, N_ ("What to show"), "COLUMN,…" },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *description = hf_columns_help (&columns, DEFAULT_COLUMNS);
  const HfSyntax syntax = {
    .entries = entries, .description = description, .columns = &columns, .max_arguments = -1
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  g_autoptr (GPtrArray) chosen
      = hf_columns_choose (&columns, wanted != NULL ? wanted : DEFAULT_COLUMNS, error);
  if (chosen == NULL)
    return FALSE;

  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  g_autoptr (GPtrArray) refs = find_refs (installation, argv + 1, error);
  if (refs == NULL)
    return FALSE;
  g_autoptr (HfUsage) usage
      = installation != NULL ? hf_usage_read (installation, refs, error) : hf_usage_new ();
  if (usage == NULL)
    return FALSE;
  if (!program->json)
    print_text (installation, usage, chosen, refs->len > 0);
  else if (!print_json (installation, usage, refs->len > 0, error))
    return FALSE;
  return check_read (installation, usage, error);
}
