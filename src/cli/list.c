/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast list: what is deployed, one line a ref; with --all, every deployment there is.
 */
#include "columns.h"
#include "core/active.h"
#include "core/inventory.h"
#include "options.h"
#include "output.h"

#include <string.h>

#define DEFAULT_COLUMNS "ref,commit,origin,size"
#define ALL_COLUMNS     "ref,state,commit,serial,origin,size"

typedef struct
{
  const char *name;  /* as --columns has it */
  const char *title; /* as people see it */
  char *(*text) (const HfInstallation *installation, const HfDeployed *deployed);
} Column;

static char *
text_ref (const HfInstallation *installation, const HfDeployed *deployed)
{
  return g_strdup (deployed->ref->full);
}

static char *
text_kind (const HfInstallation *installation, const HfDeployed *deployed)
{
  return g_strdup (deployed->ref->kind);
}

static char *
text_id (const HfInstallation *installation, const HfDeployed *deployed)
{
  return g_strdup (deployed->ref->id);
}

static char *
text_arch (const HfInstallation *installation, const HfDeployed *deployed)
{
  return g_strdup (deployed->ref->arch);
}

static char *
text_branch (const HfInstallation *installation, const HfDeployed *deployed)
{
  return g_strdup (deployed->ref->branch);
}

static char *
text_commit (const HfInstallation *installation, const HfDeployed *deployed)
{
  return hf_output_commit (deployed->info->commit);
}

static char *
text_origin (const HfInstallation *installation, const HfDeployed *deployed)
{
  return g_strdup (deployed->info->origin);
}

static char *
text_serial (const HfInstallation *installation, const HfDeployed *deployed)
{
  char *serial = NULL;
  (void)hf_deployment_name_parse (deployed->name, NULL, &serial);
  return serial;
}

static char *
text_active (const HfInstallation *installation, const HfDeployed *deployed)
{
  return g_strdup (deployed->standing == HF_STANDING_ACTIVE ? "true" : "false");
}

static char *
text_state (const HfInstallation *installation, const HfDeployed *deployed)
{
  return hf_output_state (deployed);
}

static char *
text_runtime (const HfInstallation *installation, const HfDeployed *deployed)
{
  return g_strdup (deployed->info->runtime);
}

static char *
text_size (const HfInstallation *installation, const HfDeployed *deployed)
{
  return hf_output_size (deployed->info->installed_size);
}

static char *
text_time (const HfInstallation *installation, const HfDeployed *deployed)
{
  return hf_output_time (deployed->info->time);
}

static const Column table_columns[] = {
  { "ref", "Ref", text_ref },
  { "kind", "Kind", text_kind },
  { "id", "ID", text_id },
  { "arch", "Arch", text_arch },
  { "branch", "Branch", text_branch },
  { "commit", "Commit", text_commit },
  { "origin", "Origin", text_origin },
  { "serial", "Serial", text_serial },
  { "active", "Active", text_active },
  { "state", "State", text_state },
  { "runtime", "Runtime", text_runtime },
  { "size", "Size", text_size },
  { "time", "Time", text_time },
  { "path", "Path", hf_output_deployment_path },
};
static const HfColumns columns = HF_COLUMNS (table_columns);

static void
print_table (const HfInstallation *installation, const GPtrArray *list, const GPtrArray *chosen)
{
  g_autoptr (HfTable) table = hf_table_new ();
  for (guint i = 0; i < chosen->len; i++)
    hf_table_add_column (table, ((const Column *)chosen->pdata[i])->title);
  for (guint i = 0; i < list->len; i++)
    for (guint j = 0; j < chosen->len; j++)
      hf_table_take_cell (table,
                          ((const Column *)chosen->pdata[j])->text (installation, list->pdata[i]));
  hf_table_print (table);
}

/* Whether a rollback holds it, too: only the active one can be. */
static void
add_state (GVariantBuilder *builder, HfInstallation *installation, const HfDeployed *deployed)
{
  hf_json_add_bool (builder, "held",
                    deployed->standing == HF_STANDING_ACTIVE
                        && hf_active_is_held (installation, deployed->ref));
  hf_json_add_bool (builder, "in_use", deployed->in_use);
}

static gboolean
print_json (HfInstallation *installation, const GPtrArray *list, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_LIST);
  for (guint i = 0; i < list->len; i++)
    {
      hf_json_begin_object (builder);
      hf_json_add_deployed (builder, installation, list->pdata[i]);
      add_state (builder, installation, list->pdata[i]);
      hf_json_end_object (builder);
    }
  return hf_json_print (builder, error);
}

/* With neither or both of the two options, everything is listed. */
static void
keep_kinds (GPtrArray *list, gboolean apps, gboolean runtimes)
{
  if (apps == runtimes)
    return;
  for (guint i = list->len; i-- > 0;)
    if (hf_ref_is_app (((HfDeployed *)list->pdata[i])->ref) != apps)
      g_ptr_array_remove_index (list, i);
}

/**
 * hf_command_list:
 *
 * Locks: none.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_list (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  gboolean apps = FALSE;
  gboolean runtimes = FALSE;
  gboolean all = FALSE;
  g_autofree char *wanted = NULL;
  const GOptionEntry entries[] = {
    { "app", 0, 0, G_OPTION_ARG_NONE, &apps, "List applications", NULL },
    { "runtime", 0, 0, G_OPTION_ARG_NONE, &runtimes, "List runtimes", NULL },
    { "all", 'a', 0, G_OPTION_ARG_NONE, &all, "List what is kept and what was removed, too", NULL },
    { "columns", 0, 0, G_OPTION_ARG_STRING, &wanted, "What to show", "COLUMN,…" },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *description
      = hf_columns_help (&columns, DEFAULT_COLUMNS "; with --all: " ALL_COLUMNS);
  const HfSyntax syntax = { .entries = entries, .description = description };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  if (wanted == NULL)
    wanted = g_strdup (all ? ALL_COLUMNS : DEFAULT_COLUMNS);
  g_autoptr (GPtrArray) chosen = hf_columns_choose (&columns, wanted, error);
  if (chosen == NULL)
    return FALSE;

  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  g_autoptr (GPtrArray) list = all && installation != NULL ? hf_inventory_list (installation, error)
                                                           : hf_program_list (installation, error);
  if (list == NULL)
    return FALSE;
  keep_kinds (list, apps, runtimes);
  if (program->json)
    return print_json (installation, list, error);
  print_table (installation, list, chosen);
  return TRUE;
}
