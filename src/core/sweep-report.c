/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a sweep has to tell.  Filled by sweep.c.
 */
#include "holders.h"
#include "pressure.h"
#include "sweep.h"

static void
sweep_entry_free (HfSweepEntry *entry)
{
  g_free (entry->path);
  hf_deployment_info_free (entry->info);
  g_ptr_array_unref (entry->holders);
  g_free (entry->reason);
  g_free (entry->root);
  g_free (entry);
}

/**
 * hf_sweep_report_new:
 *
 * Returns: (transfer full): an empty report
 */
HfSweepReport *
hf_sweep_report_new (void)
{
  HfSweepReport *report = g_new0 (HfSweepReport, 1);
  report->entries = g_ptr_array_new_with_free_func ((GDestroyNotify)sweep_entry_free);
  report->warnings = g_ptr_array_new_with_free_func (g_free);
  return report;
}

/**
 * hf_sweep_report_clear:
 * @report: a report of nothing but what is kept
 *
 * Takes that back.
 */
void
hf_sweep_report_clear (HfSweepReport *report)
{
  g_ptr_array_set_size (report->entries, 0);
  report->kept = 0;
}

/**
 * hf_sweep_report_free:
 * @report: (nullable) (transfer full): a report
 */
void
hf_sweep_report_free (HfSweepReport *report)
{
  if (report == NULL)
    return;
  g_ptr_array_unref (report->entries);
  g_ptr_array_unref (report->warnings);
  hf_pressure_free (report->pressure);
  g_free (report);
}

/**
 * hf_sweep_report_add:
 * @report: a report
 * @entry: an entry, whose `info` it takes
 * @outcome: what became of it
 *
 * Returns: (transfer none): the line for it
 */
HfSweepEntry *
hf_sweep_report_add (HfSweepReport *report, HfTrashEntry *entry, HfSweepOutcome outcome)
{
  HfSweepEntry *line = g_new0 (HfSweepEntry, 1);
  line->path = g_strdup (entry->path);
  line->info = g_steal_pointer (&entry->info);
  line->outcome = outcome;
  line->holders = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_holder_free);
  g_ptr_array_add (report->entries, line);
  return line;
}

/**
 * hf_sweep_report_swept:
 * @report: a report
 * @entry: an entry that has gone
 */
void
hf_sweep_report_swept (HfSweepReport *report, HfTrashEntry *entry)
{
  (void)hf_sweep_report_add (report, entry, HF_SWEEP_SWEPT);
  report->swept++;
}

/**
 * hf_sweep_report_damaged:
 * @report: a report
 * @entry: an entry that stays until a person has looked at it
 * @why: what is wrong with it
 */
void
hf_sweep_report_damaged (HfSweepReport *report, HfTrashEntry *entry, const GError *why)
{
  HfSweepEntry *line = hf_sweep_report_add (report, entry, HF_SWEEP_DAMAGED);
  line->reason = g_strdup (why->message);
  report->damaged++;
}

/**
 * hf_sweep_report_kept:
 * @report: a report
 * @entry: an entry that stays
 * @reason: why
 */
void
hf_sweep_report_kept (HfSweepReport *report, HfTrashEntry *entry, const HfKeepReason *reason)
{
  HfSweepEntry *line = hf_sweep_report_add (report, entry, HF_SWEEP_KEPT);
  line->root = g_strdup (reason->root);
  line->until = reason->until;
  report->kept++;
}
