/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast list: what is deployed, one line a ref; with --all, every deployment there is.
 */
#include "base/language.h"
#include "columns.h"
#include "core/active.h"
#include "core/inventory.h"
#include "options.h"
#include "output.h"

#include <string.h>

#define DEFAULT_COLUMNS "ref,commit,origin,size"
#define ALL_COLUMNS     "ref,state,commit,serial,origin,size"
/* Where no installation was chosen. */
#define WHERE_COLUMN ",installation"

/* A line of the table. */
typedef struct
{
  HfInstallation *installation; /* not owned; where it is */
  guint place;                  /* in the order in which they are looked through */
  HfDeployed *deployed;         /* owned */
} Line;

static void
line_free (gpointer data)
{
  hf_deployed_free (((Line *)data)->deployed);
  g_free (data);
}

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

static char *
text_installation (const HfInstallation *installation, const HfDeployed *deployed)
{
  return g_strdup (hf_output_installation (installation));
}

static const Column table_columns[] = {
  { "ref", N_ ("Ref"), text_ref },
  { "kind", N_ ("Kind"), text_kind },
  { "id", N_ ("ID"), text_id },
  { "arch", N_ ("Arch"), text_arch },
  { "branch", N_ ("Branch"), text_branch },
  { "commit", N_ ("Commit"), text_commit },
  { "origin", N_ ("Origin"), text_origin },
  { "serial", N_ ("Serial"), text_serial },
  { "active", N_ ("Active"), text_active },
  { "state", N_ ("State"), text_state },
  { "runtime", N_ ("Runtime"), text_runtime },
  { "size", N_ ("Size"), text_size },
  { "time", N_ ("Time"), text_time },
  { "path", N_ ("Path"), hf_output_deployment_path },
  { "installation", N_ ("Installation"), text_installation },
};
static const HfColumns columns = HF_COLUMNS (table_columns);

static void
print_table (const GPtrArray *list, const GPtrArray *chosen)
{
  g_autoptr (HfTable) table = hf_table_new ();
  for (guint i = 0; i < chosen->len; i++)
    hf_table_add_column (table, ((const Column *)chosen->pdata[i])->title);
  for (guint i = 0; i < list->len; i++)
    for (guint j = 0; j < chosen->len; j++)
      {
        const Line *line = list->pdata[i];
        const Column *column = chosen->pdata[j];
        hf_table_take_cell (table, column->text (line->installation, line->deployed));
      }
  hf_table_print (table);
}

/* Whether a rollback holds it, too: only the active one can be. */
static void
add_state (GVariantBuilder *builder, const Line *line)
{
  const HfDeployed *deployed = line->deployed;
  hf_json_add_bool (builder, "held",
                    deployed->standing == HF_STANDING_ACTIVE
                        && hf_active_is_held (line->installation, deployed->ref));
  hf_json_add_bool (builder, "in_use", deployed->in_use);
}

static gboolean
print_json (const GPtrArray *list, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_LIST);
  for (guint i = 0; i < list->len; i++)
    {
      const Line *line = list->pdata[i];
      hf_json_begin_object (builder);
      hf_json_add_deployed (builder, line->installation, line->deployed);
      add_state (builder, line);
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
    if (hf_ref_is_app (((Line *)list->pdata[i])->deployed->ref) != apps)
      g_ptr_array_remove_index (list, i);
}

static gboolean
collect (GPtrArray *lines, HfInstallation *installation, guint place, gboolean all, GError **error)
{
  g_autoptr (GPtrArray) list
      = all ? hf_inventory_list (installation, error) : hf_deployed_list (installation, error);
  if (list == NULL)
    return FALSE;
  gsize n;
  g_autofree gpointer *found = g_ptr_array_steal (list, &n);
  for (gsize i = 0; i < n; i++)
    {
      const Line line = { installation, place, found[i] };
      g_ptr_array_add (lines, g_memdup2 (&line, sizeof line));
    }
  return TRUE;
}

/* The order that each list has is kept within a ref: this sort is stable. */
static int
compare_lines (gconstpointer a, gconstpointer b)
{
  const Line *left = *(Line *const *)a;
  const Line *right = *(Line *const *)b;
  int order = hf_ref_compare (left->deployed->ref, right->deployed->ref);
  return order != 0 ? order : (left->place > right->place) - (left->place < right->place);
}

/* What is wrong with one of several harms only that. */
static GPtrArray *
collect_all (const GPtrArray *installations, gboolean all, GError **error)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (line_free);
  for (guint i = 0; i < installations->len; i++)
    {
      g_autoptr (GError) failed = NULL;
      if (collect (lines, installations->pdata[i], i, all, &failed))
        continue;
      if (i == 0)
        {
          g_propagate_error (error, g_steal_pointer (&failed));
          return NULL;
        }
      hf_output_warning (failed->message);
    }
  g_ptr_array_sort (lines, compare_lines);
  return g_steal_pointer (&lines);
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
    { "app", 0, 0, G_OPTION_ARG_NONE, &apps, N_ ("List applications"), NULL },
    { "runtime", 0, 0, G_OPTION_ARG_NONE, &runtimes, N_ ("List runtimes"), NULL },
    { "all", 'a', 0, G_OPTION_ARG_NONE, &all, N_ ("List what is kept and what was removed, too"),
      NULL },
    { "columns", 0, 0, G_OPTION_ARG_STRING, &wanted, N_ ("What to show"), "COLUMN,…" },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *by_default
      = g_strdup_printf (_ ("%s; with --all: %s;\nand the installation, if none is chosen"),
                         DEFAULT_COLUMNS, ALL_COLUMNS);
  g_autofree char *description = hf_columns_help (&columns, by_default);
  const HfSyntax syntax = { .entries = entries, .description = description, .columns = &columns };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  if (wanted == NULL)
    wanted = g_strconcat (all ? ALL_COLUMNS : DEFAULT_COLUMNS,
                          program->scope == HF_SCOPE_DEFAULT ? WHERE_COLUMN : NULL, NULL);
  g_autoptr (GPtrArray) chosen = hf_columns_choose (&columns, wanted, error);
  if (chosen == NULL)
    return FALSE;

  g_autoptr (GPtrArray) installations = hf_program_open_all (program, error);
  g_autoptr (GPtrArray) list
      = installations == NULL ? NULL : collect_all (installations, all, error);
  if (list == NULL)
    return FALSE;
  keep_kinds (list, apps, runtimes);
  if (program->json)
    return print_json (list, error);
  print_table (list, chosen);
  return TRUE;
}
