/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast ps: the instances that run now.
 */
#include "base/language.h"
#include "columns.h"
#include "core/instances.h"
#include "options.h"
#include "output.h"

#define DEFAULT_COLUMNS "pid,ref,commit,runtime,started"
/* Where no installation was chosen. */
#define WHERE_COLUMN ",installation"

static int
compare_instances (gconstpointer a, gconstpointer b)
{
  const HfInstance *left = *(HfInstance *const *)a;
  const HfInstance *right = *(HfInstance *const *)b;
  int order = hf_ref_compare (left->ref, right->ref);
  return order != 0 ? order : (left->pid > right->pid) - (left->pid < right->pid);
}

typedef struct
{
  const char *name;  /* as --columns has it */
  const char *title; /* as people see it */
  char *(*text) (const HfInstance *instance);
} Column;

static char *
text_pid (const HfInstance *instance)
{
  return g_strdup_printf ("%" G_GINT64_FORMAT, instance->pid);
}

static char *
text_ref (const HfInstance *instance)
{
  return g_strdup (instance->ref->full);
}

static char *
text_commit (const HfInstance *instance)
{
  return hf_output_commit (instance->commit);
}

static char *
text_runtime (const HfInstance *instance)
{
  return instance->runtime != NULL ? g_strdup (instance->runtime->full) : NULL;
}

static char *
text_runtime_commit (const HfInstance *instance)
{
  return instance->runtime_commit != NULL ? hf_output_commit (instance->runtime_commit) : NULL;
}

static char *
text_started (const HfInstance *instance)
{
  return hf_output_time ((gint64)instance->start);
}

static char *
text_installation (const HfInstance *instance)
{
  return g_strdup (hf_output_installation (instance->installation));
}

static const Column table_columns[] = {
  { "pid", N_ ("PID"), text_pid },
  { "ref", N_ ("Ref"), text_ref },
  { "commit", N_ ("Commit"), text_commit },
  { "runtime", N_ ("Runtime"), text_runtime },
  { "runtime-commit", N_ ("Runtime commit"), text_runtime_commit },
  { "started", N_ ("Started"), text_started },
  { "installation", N_ ("Installation"), text_installation },
};
static const HfColumns columns = HF_COLUMNS (table_columns);

static void
print_table (const GPtrArray *instances, const GPtrArray *chosen)
{
  g_autoptr (HfTable) table = hf_table_new ();
  for (guint i = 0; i < chosen->len; i++)
    hf_table_add_column (table, ((const Column *)chosen->pdata[i])->title);
  for (guint i = 0; i < instances->len; i++)
    for (guint j = 0; j < chosen->len; j++)
      hf_table_take_cell (table, ((const Column *)chosen->pdata[j])->text (instances->pdata[i]));
  hf_table_print (table);
}

static gboolean
print_json (const GPtrArray *instances, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_LIST);
  for (guint i = 0; i < instances->len; i++)
    {
      const HfInstance *instance = instances->pdata[i];
      hf_json_begin_object (builder);
      hf_json_add_int (builder, "pid", instance->pid);
      hf_json_add_string (builder, "ref", instance->ref->full);
      hf_json_add_string (builder, "commit", instance->commit);
      hf_json_add_string (builder, "runtime",
                          instance->runtime != NULL ? instance->runtime->full : NULL);
      hf_json_add_string (builder, "runtime_commit", instance->runtime_commit);
      hf_json_add_int (builder, "started", (gint64)instance->start);
      hf_json_add_string (builder, "installation", hf_output_installation (instance->installation));
      hf_json_add_string (builder, "runtime_installation",
                          instance->runtime_installation != NULL
                              ? hf_output_installation (instance->runtime_installation)
                              : NULL);
      hf_json_end_object (builder);
    }
  return hf_json_print (builder, error);
}

/* What uses something of the installation that was chosen.  The others only tell what it is. */
static GPtrArray *
list_chosen (HfProgram *program, HfInstallation *installation, const GPtrArray *others,
             GError **error)
{
  g_autoptr (GPtrArray) places = g_ptr_array_new ();
  g_ptr_array_add (places, installation);
  for (guint i = 0; i < others->len; i++)
    g_ptr_array_add (places, others->pdata[i]);
  g_autoptr (GPtrArray) instances = hf_instances_list (places, error);
  for (guint i = instances == NULL ? 0 : instances->len; i-- > 0;)
    {
      const HfInstance *instance = instances->pdata[i];
      if (instance->installation != installation && instance->runtime_installation != installation)
        g_ptr_array_remove_index (instances, i);
    }
  return g_steal_pointer (&instances);
}

/**
 * hf_command_ps:
 *
 * Locks: none.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_ps (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_autofree char *wanted = NULL;
  const GOptionEntry entries[] = {
    { "columns", 0, 0, G_OPTION_ARG_STRING, &wanted, N_ ("What to show"), "COLUMN,…" },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *by_default
      = g_strdup_printf (_ ("%s;\nand the installation, if none is chosen"), DEFAULT_COLUMNS);
  g_autofree char *description = hf_columns_help (&columns, by_default);
  const HfSyntax syntax = { .entries = entries, .description = description, .columns = &columns };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  gboolean all = program->scope == HF_SCOPE_DEFAULT;
  if (wanted == NULL)
    wanted = g_strconcat (DEFAULT_COLUMNS, all ? WHERE_COLUMN : NULL, NULL);
  g_autoptr (GPtrArray) chosen = hf_columns_choose (&columns, wanted, error);
  if (chosen == NULL)
    return FALSE;

  g_autoptr (GPtrArray) installations = hf_program_open_all (program, error);
  if (installations == NULL)
    return FALSE;
  g_autoptr (GPtrArray) others = NULL;
  if (!all && installations->len > 0)
    others = hf_program_open_others (program, installations->pdata[0]);
  g_autoptr (GPtrArray) instances
      = others != NULL ? list_chosen (program, installations->pdata[0], others, error)
                       : hf_instances_list (installations, error);
  if (instances == NULL)
    return FALSE;
  g_ptr_array_sort (instances, compare_instances);
  if (program->json)
    return print_json (instances, error);
  print_table (instances, chosen);
  return TRUE;
}
