/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast ps: the instances that run now.
 */
#include "base/language.h"
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

/* The last column is for those who chose no installation. */
static void
print_table (const GPtrArray *instances, gboolean all)
{
  static const char *const titles[] = { N_ ("PID"),     N_ ("Ref"),     N_ ("Commit"),
                                        N_ ("Runtime"), N_ ("Started"), N_ ("Installation") };
  g_autoptr (HfTable) table = hf_table_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (titles) - (all ? 0 : 1); i++)
    hf_table_add_column (table, titles[i]);
  for (guint i = 0; i < instances->len; i++)
    {
      const HfInstance *instance = instances->pdata[i];
      hf_table_take_cell (table, g_strdup_printf ("%" G_GINT64_FORMAT, instance->pid));
      hf_table_add_cell (table, instance->ref->full);
      hf_table_take_cell (table, hf_output_commit (instance->commit));
      hf_table_add_cell (table, instance->runtime != NULL ? instance->runtime->full : NULL);
      hf_table_take_cell (table, hf_output_time ((gint64)instance->start));
      if (all)
        hf_table_add_cell (table, hf_output_installation (instance->installation));
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
  const HfSyntax syntax = { .max_arguments = 0 };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  gboolean all = program->scope == HF_SCOPE_DEFAULT;
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
  print_table (instances, all);
  return TRUE;
}
