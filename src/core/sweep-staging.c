/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a builder does with its own entry after a failure: the same as a sweep would, at once.
 */
#include "sweep.h"

#include "base/error.h"
#include "layout.h"

/**
 * hf_sweep_staging:
 * @installation: an installation
 * @name: an entry of staging/, no longer locked
 * @store: the store's part
 *
 * Sweeps one entry: what a builder does with its own after a failure.
 *
 * Locks: as hf_sweep_all().
 *
 * Returns: %FALSE with @error set if it stays
 */
gboolean
hf_sweep_staging (HfInstallation *installation, const char *name, const HfSweepStore *store,
                  GError **error)
{
  g_autoptr (HfSweepReport) report = hf_sweep_report_new ();
  g_autofree char *path = g_strconcat (HF_STAGING_DIR "/", name, NULL);
  gboolean done = hf_sweep_entry (installation, hf_trash_entry_new_at (installation, path), store,
                                  report, error);
  for (guint i = 0; done && i < report->entries->len; i++)
    {
      HfSweepEntry *line = report->entries->pdata[i];
      if (line->outcome == HF_SWEEP_DAMAGED)
        return hf_throw (error, HF_ERROR_DAMAGED, "%s: %s", line->path, line->reason);
    }
  return done;
}
