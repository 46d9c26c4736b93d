/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast remote-ls: what a remote has.
 */
#include "base/interrupt.h"
#include "base/language.h"
#include "install-notify.h"
#include "options.h"
#include "output.h"
#include "store/remotes.h"

/* What one remote has. */
typedef struct
{
  char *remote;    /* owned */
  GPtrArray *refs; /* owned; of HfRemoteRef, in order */
} Listing;

static void
listing_free (Listing *listing)
{
  g_free (listing->remote);
  g_ptr_array_unref (listing->refs);
  g_free (listing);
}

/* The last column is for those who chose no remote. */
static void
print_table (const GPtrArray *listings, gboolean all)
{
  static const char *const titles[] = { N_ ("Ref"), N_ ("Commit"), N_ ("Remote") };
  g_autoptr (HfTable) table = hf_table_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (titles) - (all ? 0 : 1); i++)
    hf_table_add_column (table, titles[i]);
  for (guint i = 0; i < listings->len; i++)
    {
      const Listing *listing = listings->pdata[i];
      for (guint j = 0; j < listing->refs->len; j++)
        {
          const HfRemoteRef *one = listing->refs->pdata[j];
          hf_table_add_cell (table, one->ref->full);
          hf_table_take_cell (table, hf_output_commit (one->commit));
          if (all)
            hf_table_add_cell (table, listing->remote);
        }
    }
  hf_table_print (table);
}

static gboolean
print_json (const GPtrArray *listings, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_LIST);
  for (guint i = 0; i < listings->len; i++)
    {
      const Listing *listing = listings->pdata[i];
      for (guint j = 0; j < listing->refs->len; j++)
        {
          const HfRemoteRef *one = listing->refs->pdata[j];
          hf_json_begin_object (builder);
          hf_json_add_string (builder, "ref", one->ref->full);
          hf_json_add_string (builder, "commit", one->commit);
          hf_json_add_string (builder, "remote", listing->remote);
          hf_json_end_object (builder);
        }
    }
  return hf_json_print (builder, error);
}

static int
compare_refs (gconstpointer a, gconstpointer b)
{
  return hf_ref_compare ((*(HfRemoteRef *const *)a)->ref, (*(HfRemoteRef *const *)b)->ref);
}

/* Adds to @listings what the remote @name has. */
static gboolean
list_one (HfStore *store, const char *name, GPtrArray *listings, GCancellable *cancellable,
          GError **error)
{
  GError *local = NULL;
  GPtrArray *refs = hf_remote_refs (store, name, cancellable, &local);
  if (refs == NULL)
    return hf_install_failed ("nothing was listed", local, error);
  g_ptr_array_sort (refs, compare_refs);
  Listing *listing = g_new (Listing, 1);
  *listing = (Listing){ .remote = g_strdup (name), .refs = refs };
  g_ptr_array_add (listings, listing);
  return TRUE;
}

/* Goes on past what cannot be reached, but not past a signal. */
static gboolean
list_all (HfStore *store, GPtrArray *listings, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) remotes = hf_remote_list (store, error);
  if (remotes == NULL)
    return FALSE;
  guint failed = 0;
  int code = HF_ERROR_FAILED;
  for (guint i = 0; i < remotes->len; i++)
    {
      const HfRemote *remote = remotes->pdata[i];
      g_autoptr (GError) local = NULL;
      if (list_one (store, remote->name, listings, cancellable, &local))
        continue;
      if (remotes->len == 1 || hf_interrupt_signal () != 0)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      hf_output_error (local);
      if (failed++ == 0 && local->domain == HF_ERROR)
        code = local->code;
    }
  return failed == 0
         || hf_throw (error, code,
                      ngettext ("%u of %u remotes could not be listed",
                                "%u of %u remotes could not be listed", remotes->len),
                      failed, remotes->len);
}

/* Returns: %FALSE with @error set if something is missing; @listings has the rest. */
static gboolean
list (HfProgram *program, const char *name, GPtrArray *listings, GError **error)
{
  GCancellable *cancellable = hf_interrupt_watch ("holdfast: Interrupted\n");
  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  if (installation == NULL)
    return name == NULL || hf_throw (error, HF_ERROR_NOT_FOUND, "There is no remote %s", name);
  g_autoptr (HfStore) store = hf_store_open (installation, HF_OPEN_EXISTING, error);
  return store != NULL
         && (name == NULL ? list_all (store, listings, cancellable, error)
                          : list_one (store, name, listings, cancellable, error));
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
  const HfSyntax syntax = { .max_arguments = 1 };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  g_autoptr (GPtrArray) listings = g_ptr_array_new_with_free_func ((GDestroyNotify)listing_free);
  g_autoptr (GError) failed = NULL;
  gboolean whole = list (program, argv[1], listings, &failed);
  /* A script that asked for all must not take a part for it; people see what there is. */
  if (!whole && (program->json || listings->len == 0))
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  if (program->json)
    return print_json (listings, error);
  print_table (listings, argv[1] == NULL);
  if (!whole)
    g_propagate_error (error, g_steal_pointer (&failed));
  return whole;
}
