/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast remote-ls: what a remote has.
 */
#include "base/interrupt.h"
#include "install-notify.h"
#include "options.h"
#include "output.h"
#include "store/remotes.h"

static void
print_table (const GPtrArray *refs)
{
  g_autoptr (HfTable) table = hf_table_new ();
  hf_table_add_column (table, "Ref");
  hf_table_add_column (table, "Commit");
  for (guint i = 0; i < refs->len; i++)
    {
      const HfRemoteRef *one = refs->pdata[i];
      hf_table_add_cell (table, one->ref->full);
      hf_table_take_cell (table, hf_output_commit (one->commit));
    }
  hf_table_print (table);
}

static gboolean
print_json (const GPtrArray *refs, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_LIST);
  for (guint i = 0; i < refs->len; i++)
    {
      const HfRemoteRef *one = refs->pdata[i];
      hf_json_begin_object (builder);
      hf_json_add_string (builder, "ref", one->ref->full);
      hf_json_add_string (builder, "commit", one->commit);
      hf_json_end_object (builder);
    }
  return hf_json_print (builder, error);
}

static int
compare_refs (gconstpointer a, gconstpointer b)
{
  return hf_ref_compare ((*(HfRemoteRef *const *)a)->ref, (*(HfRemoteRef *const *)b)->ref);
}

/**
 * hf_command_remote_ls:
 *
 * Locks: none.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_remote_ls (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  const HfSyntax syntax = { .min_arguments = 1, .max_arguments = 1 };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  GCancellable *cancellable = hf_interrupt_watch ("holdfast: Interrupted\n");
  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  if (installation == NULL)
    return hf_throw (error, HF_ERROR_NOT_FOUND, "There is no remote %s", argv[1]);
  g_autoptr (HfStore) store = hf_store_open (installation, HF_OPEN_EXISTING, error);
  if (store == NULL)
    return FALSE;
  GError *local = NULL;
  g_autoptr (GPtrArray) refs = hf_remote_refs (store, argv[1], cancellable, &local);
  if (refs == NULL)
    return hf_install_failed ("nothing was listed", local, error);
  g_ptr_array_sort (refs, compare_refs);
  if (program->json)
    return print_json (refs, error);
  print_table (refs);
  return TRUE;
}
