/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The part of holdfast sweep that needs libostree.
 */
#include "command.h"
#include "store/prune.h"

/**
 * hf_reclaim_with_store:
 * @installation: what to sweep
 * @report: where to put what was done
 *
 * A signal ends it at once, in the middle of whatever it does: the next sweep carries on from any
 * point, and there is nothing else to put in order.
 *
 * Locks: see hf_sweep_all().
 *
 * Returns: %FALSE with @error set if the sweep as a whole failed; what is wrong with single entries
 *   stands in @report
 */
gboolean
hf_reclaim_with_store (HfInstallation *installation, HfSweepReport *report, GError **error)
{
  g_autoptr (HfStore) store = hf_store_open (installation, HF_OPEN_EXISTING, error);
  if (store == NULL)
    return FALSE;
  HfSweepStore functions = hf_store_for_sweep (store);
  return hf_sweep_all (installation, &functions, report, error);
}
