/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast history: what was done to an installation, newest last.
 */
#include "core/history.h"

#include "base/language.h"
#include "columns.h"
#include "options.h"
#include "output.h"

#include <string.h>

#define DEFAULT_COLUMNS "time,event,ref,commit,bytes"

typedef struct
{
  const char *name;  /* as --columns has it */
  const char *title; /* as people see it */
  char *(*text) (const HfHistoryEvent *event);
} Column;

static char *
text_time (const HfHistoryEvent *event)
{
  return hf_output_time (event->time / G_USEC_PER_SEC);
}

static char *
text_event (const HfHistoryEvent *event)
{
  return g_strdup (hf_history_kind_name (event->kind));
}

static char *
text_ref (const HfHistoryEvent *event)
{
  return g_strdup (event->ref);
}

static char *
text_commit (const HfHistoryEvent *event)
{
  return hf_output_commit (event->commit);
}

static char *
text_previous (const HfHistoryEvent *event)
{
  return hf_output_commit (event->previous);
}

static char *
text_origin (const HfHistoryEvent *event)
{
  return g_strdup (event->origin);
}

static char *
text_bytes (const HfHistoryEvent *event)
{
  return hf_output_size (event->bytes);
}

static char *
text_objects (const HfHistoryEvent *event)
{
  return g_strdup_printf ("%" G_GUINT64_FORMAT, event->objects);
}

static char *
text_deployments (const HfHistoryEvent *event)
{
  return g_strdup_printf ("%" G_GUINT64_FORMAT, event->deployments);
}

static char *
text_uid (const HfHistoryEvent *event)
{
  return g_strdup_printf ("%u", event->uid);
}

static const Column table_columns[] = {
  { "time", N_ ("Time"), text_time },
  { "event", N_ ("Event"), text_event },
  { "ref", N_ ("Ref"), text_ref },
  { "commit", N_ ("Commit"), text_commit },
  { "previous", N_ ("Previous"), text_previous },
  { "origin", N_ ("Origin"), text_origin },
  { "bytes", N_ ("Size"), text_bytes },
  { "objects", N_ ("Objects"), text_objects },
  { "deployments", N_ ("Deployments"), text_deployments },
  { "uid", N_ ("User"), text_uid },
};
static const HfColumns columns = HF_COLUMNS (table_columns);

/* How long ago: a number and a unit.  Returns FALSE for anything else. */
static gboolean
parse_age (const char *text, gint64 *out)
{
  static const char units[] = "smhdw";
  static const gint64 seconds[] = { 1, 60, 3600, 86400, 604800 };
  char *end;
  guint64 number = g_ascii_strtoull (text, &end, 10);
  const char *unit = end != text && *end != '\0' && end[1] == '\0' ? strchr (units, *end) : NULL;
  if (unit == NULL || !g_ascii_isdigit (*text) || number > G_MAXINT32)
    return FALSE;
  *out = g_get_real_time () / G_USEC_PER_SEC - (gint64)number * seconds[unit - units];
  return TRUE;
}

/* Seconds since 1970 of a time as people give it. */
static gboolean
parse_time (const char *text, gint64 *out, GError **error)
{
  g_autoptr (GTimeZone) here = g_time_zone_new_local ();
  g_autofree char *midnight = g_strconcat (text, "T00:00:00", NULL);
  g_autoptr (GDateTime) time = g_date_time_new_from_iso8601 (text, here);
  char *end = NULL;
  if (time == NULL)
    time = g_date_time_new_from_iso8601 (midnight, here);
  if (time != NULL)
    {
      *out = g_date_time_to_unix (time);
      return TRUE;
    }
  if (text[0] == '@' && g_ascii_isdigit (text[1]))
    *out = g_ascii_strtoll (text + 1, &end, 10);
  if ((end != NULL && *end == '\0') || parse_age (text, out))
    return TRUE;
  return hf_throw (error, HF_ERROR_USAGE,
                   "'%s' is not a time: give one as 2026-01-31, 2026-01-31T12:00, @SECONDS, or how"
                   " long ago, as 12h or 7d",
                   text);
}

static void
print_table (const GPtrArray *events, const GPtrArray *chosen)
{
  g_autoptr (HfTable) table = hf_table_new ();
  for (guint i = 0; i < chosen->len; i++)
    hf_table_add_column (table, ((const Column *)chosen->pdata[i])->title);
  for (guint i = 0; i < events->len; i++)
    for (guint j = 0; j < chosen->len; j++)
      hf_table_take_cell (table, ((const Column *)chosen->pdata[j])->text (events->pdata[i]));
  hf_table_print (table);
}

static gboolean
print_json (const GPtrArray *events, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_LIST);
  for (guint i = 0; i < events->len; i++)
    {
      const HfHistoryEvent *event = events->pdata[i];
      hf_json_begin_object (builder);
      hf_json_add_int (builder, "time", event->time / G_USEC_PER_SEC);
      hf_json_add_string (builder, "event", hf_history_kind_name (event->kind));
      hf_json_add_string (builder, "ref", event->ref);
      hf_json_add_string (builder, "commit", event->commit);
      hf_json_add_string (builder, "previous", event->previous);
      hf_json_add_string (builder, "origin", event->origin);
      hf_json_add_int (builder, "bytes", (gint64)event->bytes);
      hf_json_add_int (builder, "objects", (gint64)event->objects);
      hf_json_add_int (builder, "deployments", (gint64)event->deployments);
      hf_json_add_int (builder, "uid", event->uid);
      hf_json_end_object (builder);
    }
  return hf_json_print (builder, error);
}

/**
 * hf_command_history:
 *
 * Locks: none.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_history (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_autofree char *wanted = NULL;
  g_autofree char *since = NULL;
  gint64 first = 0;
  const GOptionEntry entries[] = {
    { "since", 0, 0, G_OPTION_ARG_STRING, &since, N_ ("Leave out what was before TIME"), "TIME" },
    { "columns", 0, 0, G_OPTION_ARG_STRING, &wanted, N_ ("What to show"), "COLUMN,…" },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *description = hf_columns_help (&columns, DEFAULT_COLUMNS);
  const HfSyntax syntax = { .entries = entries, .description = description, .columns = &columns };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error)
      || (since != NULL && !parse_time (since, &first, error)))
    return FALSE;
  g_autoptr (GPtrArray) chosen
      = hf_columns_choose (&columns, wanted != NULL ? wanted : DEFAULT_COLUMNS, error);
  if (chosen == NULL)
    return FALSE;

  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  g_autoptr (GPtrArray) events
      = installation != NULL ? hf_history_read (installation, error) : g_ptr_array_new ();
  if (events == NULL)
    return FALSE;
  guint before = 0;
  while (before < events->len
         && ((const HfHistoryEvent *)events->pdata[before])->time / G_USEC_PER_SEC < first)
    before++;
  if (before > 0)
    g_ptr_array_remove_range (events, 0, before);
  if (program->json)
    return print_json (events, error);
  print_table (events, chosen);
  return TRUE;
}
