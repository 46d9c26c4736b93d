/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast ps: the instances that run now.
 */
#include "core/instances.h"
#include "options.h"
#include "output.h"

static int
compare_instances (gconstpointer a, gconstpointer b)
{
  const HfInstance *left = *(HfInstance *const *)a;
  const HfInstance *right = *(HfInstance *const *)b;
  int order = hf_ref_compare (left->ref, right->ref);
  return order != 0 ? order : (left->pid > right->pid) - (left->pid < right->pid);
}

static void
print_table (const GPtrArray *instances)
{
  static const char *const titles[] = { "PID", "Ref", "Commit", "Runtime", "Started" };
  g_autoptr (HfTable) table = hf_table_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (titles); i++)
    hf_table_add_column (table, titles[i]);
  for (guint i = 0; i < instances->len; i++)
    {
      const HfInstance *instance = instances->pdata[i];
      hf_table_take_cell (table, g_strdup_printf ("%" G_GINT64_FORMAT, instance->pid));
      hf_table_add_cell (table, instance->ref->full);
      hf_table_take_cell (table, hf_output_commit (instance->commit));
      hf_table_add_cell (table, instance->runtime != NULL ? instance->runtime->full : NULL);
      hf_table_take_cell (table, hf_output_time ((gint64)instance->start));
    }
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
      hf_json_end_object (builder);
    }
  return hf_json_print (builder, error);
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
  const HfSyntax syntax = { .max_arguments = 0 };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  g_autoptr (GPtrArray) instances
      = installation != NULL ? hf_instances_list (installation, error) : g_ptr_array_new ();
  if (instances == NULL)
    return FALSE;
  g_ptr_array_sort (instances, compare_instances);
  if (program->json)
    return print_json (instances, error);
  print_table (instances);
  return TRUE;
}
