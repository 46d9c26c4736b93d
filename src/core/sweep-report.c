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

static void
take_matching (GPtrArray *to, GPtrArray *from, gboolean (*matches) (gconstpointer))
{
  for (guint i = from->len; i-- > 0;)
    if (matches (from->pdata[i]))
      g_ptr_array_insert (to, 0, g_ptr_array_steal_index (from, i));
}

static gboolean
is_swept (gconstpointer entry)
{
  return ((const HfSweepEntry *)entry)->outcome == HF_SWEEP_SWEPT;
}

static gboolean
is_given_up (gconstpointer decision)
{
  return ((const HfDecision *)decision)->given_up;
}

/* That something was passed over, or that there was too little, only the last sweep can say. */
static void
carry_pressure_over (HfSweepReport *report, HfSweepReport *earlier)
{
  if (report->pressure != NULL)
    take_matching (report->pressure->decisions, earlier->pressure->decisions, is_given_up);
  else
    {
      report->pressure = g_steal_pointer (&earlier->pressure);
      g_clear_pointer (&report->pressure->short_of, g_free);
      for (guint i = report->pressure->decisions->len; i-- > 0;)
        if (!is_given_up (report->pressure->decisions->pdata[i]))
          g_ptr_array_remove_index (report->pressure->decisions, i);
    }
}

/**
 * hf_sweep_report_carry_over:
 * @report: of a sweep
 * @earlier: of one before it that belongs to the same command; what it takes is gone from there
 *
 * Adds what the earlier one has freed.  What that found in use or damaged, the later one has looked at anew.
 */
void
hf_sweep_report_carry_over (HfSweepReport *report, HfSweepReport *earlier)
{
  take_matching (report->entries, earlier->entries, is_swept);
  report->swept += earlier->swept;
  report->objects += earlier->objects;
  report->bytes += earlier->bytes;
  report->inodes += earlier->inodes;
  if (earlier->full && !report->full)
    {
      report->full = TRUE;
      report->reason = earlier->reason;
    }
  if (earlier->pressure != NULL)
    carry_pressure_over (report, earlier);
}
