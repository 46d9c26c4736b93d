/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The report of a sweep.  A held or damaged entry is an error only after everything else has been
 * swept and told.
 */
#include "sweep-report.h"

#include "base/error.h"
#include "base/language.h"
#include "core/holders.h"
#include "core/pressure.h"
#include "output.h"

#include <string.h>

/* What people know it by: its ref, or its place if it never had one. */
static const char *
entry_name (const HfSweepEntry *entry)
{
  return entry->info != NULL ? entry->info->ref->full : entry->path;
}

static char *
entry_serial (const HfSweepEntry *entry)
{
  g_autofree char *base = g_path_get_basename (entry->path);
  const char *removed = hf_removed_name_deployment (base);
  char *serial = NULL;
  (void)hf_deployment_name_parse (removed != NULL ? removed : base, NULL, &serial);
  return serial;
}

static char *
describe_holders (const GPtrArray *holders)
{
  if (holders == NULL || holders->len == 0)
    return g_strdup (_ ("a process that the kernel does not name"));
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; i < holders->len; i++)
    {
      const HfHolder *holder = holders->pdata[i];
      g_string_append_printf (text, "%sPID %" G_GINT64_FORMAT " (%s)", i > 0 ? ", " : "",
                              holder->pid, holder->command);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean
is_short (const HfSweepReport *report)
{
  return report->pressure != NULL && report->pressure->short_of != NULL;
}

static void
print_entry (const HfSweepEntry *entry, gboolean dry)
{
  const char *name = entry_name (entry);
  g_autofree char *commit = entry->info != NULL ? hf_output_commit (entry->info->commit) : NULL;
  g_autofree char *what = commit != NULL ? g_strconcat (name, " ", commit, NULL) : g_strdup (name);
  switch (entry->outcome)
    {
    case HF_SWEEP_SWEPT:
      hf_output_line (dry ? N_ ("Would sweep %s") : N_ ("Swept %s"), what);
      break;
    case HF_SWEEP_HELD:
      {
        g_autofree char *holders = describe_holders (entry->holders);
        hf_output_line ("Held %s by %s", what, holders);
        break;
      }
    case HF_SWEEP_DAMAGED:
      hf_output_line ("Damaged %s: %s", entry->path, entry->reason);
      break;
    case HF_SWEEP_KEPT:
      {
        g_autofree char *until = entry->root == NULL ? hf_output_time (entry->until) : NULL;
        hf_output_line (entry->root != NULL ? N_ ("Kept %s by root %s") : N_ ("Spared %s until %s"),
                        what, entry->root != NULL ? entry->root : until);
        break;
      }
    }
}

/* What it was kept as. */
static const char *const surplus_states[] = {
  [HF_SURPLUS_REMOVED] = "removed",
  [HF_SURPLUS_PREVIOUS] = "previous",
  [HF_SURPLUS_UNUSED] = "unused",
};

static void
print_decisions (const HfPressure *pressure, gboolean dry_run)
{
  for (guint i = 0; pressure != NULL && i < pressure->decisions->len; i++)
    {
      const HfDecision *decision = pressure->decisions->pdata[i];
      const HfSurplus *surplus = decision->surplus;
      g_autofree char *name = NULL;
      (void)hf_deployment_name_parse (surplus->name, &name, NULL);
      g_autofree char *commit = hf_output_commit (name);
      g_autofree char *what = g_strdup_printf ("%s %s (%s)", surplus->ref->full, commit,
                                               surplus_states[surplus->kind]);
      g_autofree char *holders
          = decision->holders != NULL ? describe_holders (decision->holders) : NULL;
      if (holders != NULL)
        hf_output_line ("Passed over %s: it is in use by %s", what, holders);
      else if (!decision->given_up)
        hf_output_line ("Passed over %s: %s", what, decision->why);
      else
        hf_output_line (dry_run ? N_ ("Would give up %s: %s") : N_ ("Gave up %s: %s"), what,
                        decision->why);
    }
}

/* What the error of hf_sweep_report_check() names. */
static gboolean
is_in_error (const HfSweepReport *report, const HfSweepEntry *entry)
{
  return entry->outcome == HF_SWEEP_DAMAGED
         || (entry->outcome == HF_SWEEP_HELD && report->damaged == 0 && report->bad_roots == 0
             && !is_short (report));
}

/* In a journal each thing stands once, and what is as it was yesterday does not. */
static gboolean
is_told (const HfSweepReport *report, const HfSweepEntry *entry, gboolean journal, gboolean checked)
{
  return !journal || (entry->outcome != HF_SWEEP_KEPT && !(checked && is_in_error (report, entry)));
}

/* Each number has a phrase of its own, as each may be one or many.  Leftovers are no entries: a name that
 * forwarded, an empty directory, a file that was being written. */
static void
print_sums (const HfSweepReport *report)
{
  gboolean dry = report->dry_run;
  g_autofree char *swept
      = g_strdup_printf (dry ? ngettext ("%u to sweep", "%u to sweep", report->swept)
                             : ngettext ("%u swept", "%u swept", report->swept),
                         report->swept);
  g_autofree char *held
      = g_strdup_printf (ngettext ("%u held", "%u held", report->held), report->held);
  g_autofree char *damaged
      = g_strdup_printf (ngettext ("%u damaged", "%u damaged", report->damaged), report->damaged);
  gulong n_objects = (gulong)report->objects, n_inodes = (gulong)report->inodes;
  g_autofree char *objects
      = g_strdup_printf (ngettext ("%lu object", "%lu objects", n_objects), n_objects);
  g_autofree char *inodes
      = g_strdup_printf (ngettext ("%lu inode", "%lu inodes", n_inodes), n_inodes);
  g_autofree char *size = g_format_size (report->bytes);
  if (report->swept + report->held + report->damaged == 0 && report->objects == 0)
    {
      hf_output_line (dry ? N_ ("Nothing to sweep but leftovers: %s, %s to free")
                          : N_ ("Nothing to sweep but leftovers: %s, %s freed"),
                      inodes, size);
      return;
    }
  hf_output_line (dry ? N_ ("%s, %s, %s; %s, %s, %s to free") : N_ ("%s, %s, %s; %s, %s, %s freed"),
                  swept, held, damaged, objects, inodes, size);
}

static void
print_text (const HfSweepReport *report, gboolean checked)
{
  gboolean journal = hf_output_is_journal ();
  print_decisions (report->pressure, report->dry_run);
  for (guint i = 0; i < report->entries->len; i++)
    if (is_told (report, report->entries->pdata[i], journal, checked))
      print_entry (report->entries->pdata[i], report->dry_run);
  /* An idle sweep says nothing. */
  if (report->inodes == 0 && (journal || report->entries->len == report->kept))
    return;
  print_sums (report);
  if (report->full)
    hf_output_line ("All stored objects were looked at: %s",
                    report->reason != NULL ? hf_text (report->reason) : _ ("asked for"));
}

static void
add_holders (GVariantBuilder *builder, const GPtrArray *holders)
{
  hf_json_begin_list (builder, "holders", HF_JSON_LIST);
  for (guint i = 0; holders != NULL && i < holders->len; i++)
    {
      const HfHolder *holder = holders->pdata[i];
      hf_json_begin_object (builder);
      hf_json_add_int (builder, "pid", holder->pid);
      hf_json_add_string (builder, "command", holder->command);
      hf_json_add_int (builder, "uid", holder->uid);
      hf_json_add_int (builder, "started", (gint64)holder->start);
      hf_json_end_object (builder);
    }
  hf_json_end_list (builder);
}

static void
add_entry (GVariantBuilder *builder, const HfSweepEntry *entry)
{
  hf_json_begin_object (builder);
  if (entry->outcome != HF_SWEEP_DAMAGED)
    {
      g_autofree char *serial = entry_serial (entry);
      hf_json_add_string (builder, "ref", entry->info != NULL ? entry->info->ref->full : NULL);
      hf_json_add_string (builder, "commit", entry->info != NULL ? entry->info->commit : NULL);
      hf_json_add_string (builder, "serial", serial);
    }
  hf_json_add_string (builder, "path", entry->path);
  if (entry->outcome == HF_SWEEP_HELD)
    add_holders (builder, entry->holders);
  if (entry->outcome == HF_SWEEP_DAMAGED)
    hf_json_add_string (builder, "reason", entry->reason);
  if (entry->outcome == HF_SWEEP_KEPT)
    {
      hf_json_add_string (builder, "root", entry->root);
      hf_json_add_int (builder, "until", entry->until);
    }
  hf_json_end_object (builder);
}

static void
add_entries (GVariantBuilder *builder, const char *key, const HfSweepReport *report,
             HfSweepOutcome outcome)
{
  hf_json_begin_list (builder, key, HF_JSON_LIST);
  for (guint i = 0; i < report->entries->len; i++)
    {
      const HfSweepEntry *entry = report->entries->pdata[i];
      if (entry->outcome == outcome)
        add_entry (builder, entry);
    }
  hf_json_end_list (builder);
}

static void
add_decisions (GVariantBuilder *builder, const HfPressure *pressure)
{
  hf_json_begin_list (builder, "decisions", HF_JSON_LIST);
  for (guint i = 0; pressure != NULL && i < pressure->decisions->len; i++)
    {
      const HfDecision *decision = pressure->decisions->pdata[i];
      const HfSurplus *surplus = decision->surplus;
      g_autofree char *commit = NULL;
      g_autofree char *serial = NULL;
      (void)hf_deployment_name_parse (surplus->name, &commit, &serial);
      hf_json_begin_object (builder);
      hf_json_add_string (builder, "ref", surplus->ref->full);
      hf_json_add_string (builder, "commit", commit);
      hf_json_add_string (builder, "serial", serial);
      hf_json_add_string (builder, "state", surplus_states[surplus->kind]);
      hf_json_add_bool (builder, "given_up", decision->given_up);
      hf_json_add_string (builder, "reason", decision->why);
      add_holders (builder, decision->holders);
      hf_json_end_object (builder);
    }
  hf_json_end_list (builder);
  hf_json_add_string (builder, "short", pressure != NULL ? pressure->short_of : NULL);
}

static void
add_report (GVariantBuilder *builder, const HfSweepReport *report)
{
  add_entries (builder, "swept", report, HF_SWEEP_SWEPT);
  add_entries (builder, "held", report, HF_SWEEP_HELD);
  add_entries (builder, "damaged", report, HF_SWEEP_DAMAGED);
  add_entries (builder, "kept", report, HF_SWEEP_KEPT);
  add_decisions (builder, report->pressure);
  hf_json_add_int (builder, "objects", (gint64)report->objects);
  hf_json_add_int (builder, "bytes", (gint64)report->bytes);
  hf_json_add_int (builder, "inodes", (gint64)report->inodes);
  hf_json_add_bool (builder, "dry_run", report->dry_run);
  hf_json_add_bool (builder, "full", report->full);
  hf_json_add_string (builder, "full_reason", report->reason);
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const HfSweepEntry *left = *(HfSweepEntry *const *)a;
  const HfSweepEntry *right = *(HfSweepEntry *const *)b;
  int order = strcmp (entry_name (left), entry_name (right));
  return order != 0 ? order : strcmp (left->path, right->path);
}

/**
 * hf_sweep_report_print:
 * @report: what a sweep did; its entries are sorted by ref
 * @json: (nullable): inside an object, to add it to; else it is printed as text, of which there is none if there
 *   was nothing to do
 * @checked: whether hf_sweep_report_check() is asked then for an error to print
 *
 * Also prints what is wrong with roots, on standard error.
 */
void
hf_sweep_report_print (const HfSweepReport *report, GVariantBuilder *json, gboolean checked)
{
  for (guint i = 0; i < report->warnings->len; i++)
    hf_output_warning (report->warnings->pdata[i]);
  g_ptr_array_sort (report->entries, compare_entries);
  if (json != NULL)
    add_report (json, report);
  else
    print_text (report, checked);
}

static char *
join_entries (const HfSweepReport *report, HfSweepOutcome outcome)
{
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; i < report->entries->len; i++)
    {
      const HfSweepEntry *entry = report->entries->pdata[i];
      if (entry->outcome != outcome)
        continue;
      if (text->len > 0)
        g_string_append (text, "; ");
      if (outcome == HF_SWEEP_DAMAGED)
        {
          g_string_append_printf (text, "%s: %s", entry->path, entry->reason);
          continue;
        }
      g_autofree char *holders = describe_holders (entry->holders);
      g_string_append_printf (text, _ ("%s is in use by %s"), entry_name (entry), holders);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/**
 * hf_sweep_report_check:
 * @report: what a sweep did
 *
 * Returns: %FALSE with %HF_ERROR_DAMAGED if a person is needed, else with %HF_ERROR_NO_SPACE if there is less
 *   free than there has to be, else with %HF_ERROR_IN_USE if something had to be left; the message names what,
 *   and who holds it
 */
gboolean
hf_sweep_report_check (const HfSweepReport *report, GError **error)
{
  if (report->damaged > 0)
    {
      g_autofree char *which = join_entries (report, HF_SWEEP_DAMAGED);
      return hf_throw (error, HF_ERROR_DAMAGED,
                       ngettext ("%u damaged, for a person to look at: %s",
                                 "%u damaged, for a person to look at: %s", report->damaged),
                       report->damaged, which);
    }
  if (report->bad_roots > 0)
    return hf_throw (
        error, HF_ERROR_DAMAGED,
        ngettext ("%u of the roots makes no sense or cannot be read: `holdfast root remove` it, or"
                  " write it anew",
                  "%u of the roots make no sense or cannot be read: `holdfast root remove` them, or"
                  " write them anew",
                  report->bad_roots),
        report->bad_roots);
  if (is_short (report))
    return hf_throw (error, HF_ERROR_NO_SPACE, "Only %s", report->pressure->short_of);
  if (report->held > 0)
    {
      g_autofree char *which = join_entries (report, HF_SWEEP_HELD);
      if (report->held == 1)
        return hf_throw (error, HF_ERROR_IN_USE, "%s: end it, or sweep again later", which);
      return hf_throw (error, HF_ERROR_IN_USE,
                       ngettext ("%u is held: %s: end it, or sweep again later",
                                 "%u are held: %s: end them, or sweep again later", report->held),
                       report->held, which);
    }
  return TRUE;
}
