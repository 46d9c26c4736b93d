/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the threads of an import tell each other: who gets an object that several of them meet, and
 * where those are that the repository does not have yet.
 */
#include "import-private.h"

static void
claim_free (HfClaim *claim)
{
  g_free (claim->name);
  g_free (claim->place);
  g_clear_pointer (&claim->more, g_ptr_array_unref);
  g_free (claim);
}

/**
 * hf_import_claims_init:
 * @import: a new import
 */
void
hf_import_claims_init (HfImport *import)
{
  (void)pthread_mutex_init (&import->mutex, NULL);
  (void)pthread_cond_init (&import->claim_done, NULL);
  import->claims
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify)claim_free);
  import->new_objects = g_ptr_array_new ();
}

/**
 * hf_import_claims_clear:
 * @import: an import that no thread works at any more
 */
void
hf_import_claims_clear (HfImport *import)
{
  g_clear_pointer (&import->new_objects, g_ptr_array_unref);
  g_clear_pointer (&import->claims, g_hash_table_unref);
  (void)pthread_cond_destroy (&import->claim_done);
  (void)pthread_mutex_destroy (&import->mutex);
}

/**
 * hf_import_claim:
 * @import: an import
 * @name: an object, CHECKSUM.SUFFIX
 * @out_ours: (out): whether the caller is to get it, and then to say how that went; else it is
 * there
 *
 * Waits while another thread is at it.
 *
 * Returns: (transfer none): the claim
 */
HfClaim *
hf_import_claim (HfImport *import, const char *name, gboolean *out_ours)
{
  (void)pthread_mutex_lock (&import->mutex);
  HfClaim *claim;
  /* One whose thread failed is gone when we wake: then it is ours, to fail at in the same way. */
  while ((claim = g_hash_table_lookup (import->claims, name)) != NULL && !claim->done)
    (void)pthread_cond_wait (&import->claim_done, &import->mutex);
  *out_ours = claim == NULL;
  if (claim == NULL)
    {
      claim = g_new0 (HfClaim, 1);
      claim->name = g_strdup (name);
      g_hash_table_insert (import->claims, claim->name, claim);
    }
  (void)pthread_mutex_unlock (&import->mutex);
  return claim;
}

/**
 * hf_import_claim_done:
 * @import: an import
 * @claim: ours
 * @place: (nullable): where the entry has the object, if the repository does not have it yet
 */
void
hf_import_claim_done (HfImport *import, HfClaim *claim, const char *place)
{
  (void)pthread_mutex_lock (&import->mutex);
  claim->done = TRUE;
  if (place != NULL)
    {
      claim->place = g_strdup (place);
      g_ptr_array_add (import->new_objects, claim);
    }
  (void)pthread_cond_broadcast (&import->claim_done);
  (void)pthread_mutex_unlock (&import->mutex);
}

/**
 * hf_import_claim_failed:
 * @import: an import
 * @claim: (transfer full): ours
 */
void
hf_import_claim_failed (HfImport *import, HfClaim *claim)
{
  (void)pthread_mutex_lock (&import->mutex);
  g_hash_table_remove (import->claims, claim->name);
  (void)pthread_cond_broadcast (&import->claim_done);
  (void)pthread_mutex_unlock (&import->mutex);
}

/**
 * hf_import_claim_add_place:
 * @import: an import
 * @claim: a claim that is done
 * @place: another link to the object
 */
void
hf_import_claim_add_place (HfImport *import, HfClaim *claim, const char *place)
{
  (void)pthread_mutex_lock (&import->mutex);
  if (claim->more == NULL)
    claim->more = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (claim->more, g_strdup (place));
  (void)pthread_mutex_unlock (&import->mutex);
}

/**
 * hf_import_add_size:
 * @import: an import
 * @size: bytes of one more regular file
 */
void
hf_import_add_size (HfImport *import, guint64 size)
{
  (void)pthread_mutex_lock (&import->mutex);
  import->size += size;
  (void)pthread_mutex_unlock (&import->mutex);
  hf_progress_add (import->params.progress, 1, size);
}

/**
 * hf_import_note_copies:
 * @import: an import
 *
 * Remembers that a copy had to stand in for a link.
 */
void
hf_import_note_copies (HfImport *import)
{
  (void)pthread_mutex_lock (&import->mutex);
  import->copies = TRUE;
  (void)pthread_mutex_unlock (&import->mutex);
}
