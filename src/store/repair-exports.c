/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names in exports/ that are missing, lead elsewhere, or are exported by nothing.  Settling puts them right, and
 * by the same comparison they are found.
 */
#include "repair-private.h"

#include "base/language.h"
#include "core/exports.h"
#include "core/layout.h"
#include "core/lock.h"

/**
 * hf_repair_exports:
 * @repair: a repair, in which deployments have been looked at
 *
 * If a change was cut short, what it left of names is settled with the rest of it.
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with @error set if it cannot go on
 */
gboolean
hf_repair_exports (HfRepair *repair, GError **error)
{
  HfInstallation *installation = repair->store->installation;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  if (repair->settle)
    return TRUE;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return FALSE;
  g_autoptr (GPtrArray) differences = hf_exports_differences (installation, error);
  for (guint i = 0; differences != NULL && i < differences->len; i++)
    {
      const HfExportDifference *difference = differences->pdata[i];
      g_autofree char *thing = g_strconcat (HF_EXPORTS_DIR "/", difference->path, NULL);
      if (difference->foreign)
        {
          hf_repair_note (repair, thing, difference->cause,
                          N_ ("is left alone: move it away, and repair again"));
          continue;
        }
      g_ptr_array_add (
          repair->debris,
          hf_repair_find (repair, thing, difference->cause,
                          difference->target != NULL ? N_ ("is made anew") : N_ ("is removed")));
      repair->settle = TRUE;
    }
  return differences != NULL;
}
