/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast remotes: the remotes that there are.
 */
#include "store/remotes.h"
#include "base/language.h"
#include "options.h"
#include "output.h"

static void
print_table (const GPtrArray *remotes)
{
  static const char *const titles[] = { N_ ("Name"), N_ ("URL"), N_ ("Verify") };
  g_autoptr (HfTable) table = hf_table_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (titles); i++)
    hf_table_add_column (table, titles[i]);
  for (guint i = 0; i < remotes->len; i++)
    {
      const HfRemote *remote = remotes->pdata[i];
      hf_table_add_cell (table, remote->name);
      hf_table_add_cell (table, remote->url);
      hf_table_add_cell (table, remote->verify ? "true" : "false");
    }
  hf_table_print (table);
}

static gboolean
print_json (const GPtrArray *remotes, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_LIST);
  for (guint i = 0; i < remotes->len; i++)
    {
      const HfRemote *remote = remotes->pdata[i];
      hf_json_begin_object (builder);
      hf_json_add_string (builder, "name", remote->name);
      hf_json_add_string (builder, "url", remote->url);
      hf_json_add_bool (builder, "verify", remote->verify);
      hf_json_end_object (builder);
    }
  return hf_json_print (builder, error);
}

static GPtrArray *
list_remotes (HfInstallation *installation, GError **error)
{
  if (installation == NULL)
    return g_ptr_array_new ();
  g_autoptr (HfStore) store = hf_store_open (installation, HF_OPEN_EXISTING, error);
  return store != NULL ? hf_remote_list (store, error) : NULL;
}

/**
 * hf_command_remotes:
 *
 * Locks: none.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_remotes (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  const HfSyntax syntax = { .max_arguments = 0 };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  g_autoptr (GPtrArray) remotes = list_remotes (installation, error);
  if (remotes == NULL)
    return FALSE;
  if (program->json)
    return print_json (remotes, error);
  print_table (remotes);
  return TRUE;
}
