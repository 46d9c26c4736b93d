/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast info: all that is known of one deployed image.
 */
#include "core/exports.h"
#include "core/instances.h"
#include "options.h"
#include "output.h"

/* Instances of @ref, or of applications that run on it.  Those may be in another installation, but what is locked
 * is in this one. */
static GPtrArray *
instances_of (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_autoptr (GPtrArray) only = g_ptr_array_new ();
  g_ptr_array_add (only, installation);
  g_autoptr (GPtrArray) all = hf_instances_list (only, error);
  if (all == NULL)
    return NULL;
  for (guint i = all->len; i-- > 0;)
    {
      const HfInstance *instance = all->pdata[i];
      if (hf_ref_compare (instance->ref, ref) != 0
          && (instance->runtime == NULL || hf_ref_compare (instance->runtime, ref) != 0))
        g_ptr_array_remove_index (all, i);
    }
  return g_steal_pointer (&all);
}

static void
add_row (HfTable *table, const char *name, char *value)
{
  hf_table_add_cell (table, name);
  hf_table_take_cell (table, value);
}

static char *
join_pids (const GPtrArray *instances)
{
  if (instances->len == 0)
    return g_strdup ("no");
  g_autoptr (GString) text = g_string_new ("PID");
  for (guint i = 0; i < instances->len; i++)
    g_string_append_printf (text, "%s %" G_GINT64_FORMAT, i > 0 ? "," : "",
                            ((const HfInstance *)instances->pdata[i])->pid);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
join_names (char **names)
{
  return *names == NULL ? g_strdup ("nothing") : g_strjoinv (" ", names);
}

static void
print_table (const HfInstallation *installation, const HfDeployed *deployed,
             const GPtrArray *instances, char **exports)
{
  const HfDeploymentInfo *info = deployed->info;
  char *serial = NULL;
  (void)hf_deployment_name_parse (deployed->name, NULL, &serial);
  g_autoptr (HfTable) table = hf_table_new ();
  hf_table_add_column (table, NULL);
  hf_table_add_column (table, NULL);
  add_row (table, "ref", g_strdup (deployed->ref->full));
  add_row (table, "commit", g_strdup (info->commit));
  add_row (table, "origin", g_strdup (info->origin));
  add_row (table, "serial", serial);
  add_row (table, "runtime", g_strdup (info->runtime));
  add_row (table, "size", hf_output_size (info->installed_size));
  add_row (table, "time", hf_output_time (info->time));
  add_row (table, "path", hf_output_deployment_path (installation, deployed));
  add_row (table, "installation", g_strdup (hf_output_installation (installation)));
  add_row (table, "running", join_pids (instances));
  if (hf_ref_is_app (deployed->ref))
    add_row (table, "exports", join_names (exports));
  hf_table_print (table);
}

static gboolean
print_json (const HfInstallation *installation, const HfDeployed *deployed,
            const GPtrArray *instances, char **exports, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_OBJECT);
  hf_json_add_deployed (builder, installation, deployed);
  hf_json_add_bool (builder, "running", instances->len > 0);
  hf_json_begin_list (builder, "pids", HF_JSON_NUMBERS);
  for (guint i = 0; i < instances->len; i++)
    g_variant_builder_add (builder, "x", ((const HfInstance *)instances->pdata[i])->pid);
  hf_json_end_list (builder);
  hf_json_begin_list (builder, "exports", HF_JSON_STRINGS);
  for (; *exports != NULL; exports++)
    g_variant_builder_add (builder, "s", *exports);
  hf_json_end_list (builder);
  return hf_json_print (builder, error);
}

/**
 * hf_command_info:
 *
 * Locks: none.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_info (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  const HfSyntax syntax = { .min_arguments = 1, .max_arguments = 1 };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  g_auto (HfFound) found = { NULL };
  if (!hf_program_find (program, argv[1], NULL, &found, error))
    return FALSE;
  g_autoptr (GPtrArray) instances = instances_of (found.installation, found.deployed->ref, error);
  if (instances == NULL)
    return FALSE;
  g_auto (GStrv) exports = hf_exports_of (found.installation, found.deployed->ref);
  if (program->json)
    return print_json (found.installation, found.deployed, instances, exports, error);
  print_table (found.installation, found.deployed, instances, exports);
  return TRUE;
}
