/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast repair: says what is damaged and what will be done about it, and then does it.
 */
#include "store/repair.h"

#include "base/interrupt.h"
#include "base/language.h"
#include "command.h"
#include "core/history.h"
#include "libexec.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "store-options.h"

#include <string.h>

#define INTERRUPTED N_ ("holdfast: Interrupted: what was begun is left for the next sweep\n")

static void
print_finding (const HfFinding *finding, gpointer data)
{
  hf_output_line ("%s: %s: %s", finding->thing, finding->cause, finding->mending);
}

static const char *
outcome_name (HfFindingOutcome outcome)
{
  static const char *const names[] = { [HF_FINDING_PLANNED] = "planned",
                                       [HF_FINDING_MENDED] = "mended",
                                       [HF_FINDING_LEFT] = "left",
                                       [HF_FINDING_NOTED] = "noted" };
  return names[outcome];
}

static gboolean
print_json (const GPtrArray *findings, gboolean dry_run, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_OBJECT);
  hf_json_add_bool (builder, "dry_run", dry_run);
  hf_json_begin_list (builder, "findings", HF_JSON_LIST);
  for (guint i = 0; i < findings->len; i++)
    {
      const HfFinding *finding = findings->pdata[i];
      hf_json_begin_object (builder);
      hf_json_add_string (builder, "path", finding->thing);
      hf_json_add_string (builder, "cause", finding->cause);
      hf_json_add_string (builder, "mending", finding->mending);
      hf_json_add_string (builder, "outcome", outcome_name (finding->outcome));
      hf_json_add_string (builder, "reason", finding->reason);
      hf_json_end_object (builder);
    }
  hf_json_end_list (builder);
  return hf_json_print (builder, error);
}

/* What was planned and went otherwise. */
static void
print_left (const GPtrArray *findings)
{
  for (guint i = 0; i < findings->len; i++)
    {
      const HfFinding *finding = findings->pdata[i];
      if (finding->outcome == HF_FINDING_LEFT && finding->reason != NULL
          && strstr (finding->reason, finding->mending) == NULL)
        hf_output_line ("Left %s: %s", finding->thing, finding->reason);
    }
}

static guint
count (const GPtrArray *findings, HfFindingOutcome outcome)
{
  guint n = 0;
  for (guint i = 0; i < findings->len; i++)
    n += ((const HfFinding *)findings->pdata[i])->outcome == outcome ? 1 : 0;
  return n;
}

static void
record (HfInstallation *installation, const HfRepair *repair)
{
  const HfSweepReport *swept = hf_repair_swept (repair);
  HfHistoryEvent event = { .kind = HF_HISTORY_REPAIR };
  if (swept != NULL)
    {
      event.bytes = swept->bytes;
      event.objects = swept->objects;
      event.deployments = swept->swept;
    }
  if (count (hf_repair_findings (repair), HF_FINDING_MENDED) > 0)
    hf_history_record (installation, &event);
}

static gboolean
report (const HfProgram *program, const HfRepair *repair, gboolean dry_run, GError **error)
{
  const GPtrArray *findings = hf_repair_findings (repair);
  guint left = count (findings, HF_FINDING_LEFT), planned = count (findings, HF_FINDING_PLANNED);
  guint mended = count (findings, HF_FINDING_MENDED);
  if (program->json && !print_json (findings, dry_run, error))
    return FALSE;
  if (!program->json)
    {
      print_left (findings);
      if (left + planned + mended == 0)
        hf_output_line ("Nothing to repair");
      else if (dry_run)
        {
          g_autofree char *to_mend
              = g_strdup_printf (ngettext ("%u to mend", "%u to mend", planned), planned);
          g_autofree char *to_look_at = g_strdup_printf (
              ngettext ("%u that a person must look at", "%u that a person must look at", left),
              left);
          hf_output_line ("%s, %s", to_mend, to_look_at);
        }
      else
        {
          g_autofree char *done
              = g_strdup_printf (ngettext ("%u mended", "%u mended", mended), mended);
          g_autofree char *not_done = g_strdup_printf (ngettext ("%u left", "%u left", left), left);
          hf_output_line ("%s, %s", done, not_done);
        }
    }
  if (dry_run && planned > 0)
    return hf_throw (error, HF_ERROR_DAMAGED,
                     ngettext ("%u damaged: holdfast repair mends %u of them",
                               "%u damaged: holdfast repair mends %u of them", planned + left),
                     planned + left, planned);
  if (left + planned > 0)
    return hf_throw (error, HF_ERROR_DAMAGED,
                     ngettext ("%u damaged, for a person to look at",
                               "%u damaged, for a person to look at", left + planned),
                     left + planned);
  return TRUE;
}

static gboolean
add_pattern (HfInstallation *installation, const char *text, GPtrArray *only, GError **error)
{
  g_autoptr (HfRef) full = hf_ref_parse (text, NULL);
  if (full != NULL)
    {
      g_ptr_array_add (only, g_steal_pointer (&full));
      return TRUE;
    }
  g_autoptr (HfDeployed) deployed = hf_deployed_find (installation, text, NULL, error);
  if (deployed == NULL)
    return FALSE;
  g_ptr_array_add (only, hf_ref_copy (deployed->ref));
  return TRUE;
}

static gboolean
repair_opened (HfProgram *program, HfRepair *repair, char **names, HfRepairOptions *options,
               GError **error)
{
  g_autoptr (GPtrArray) only = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_ref_free);
  g_autofree char *path = hf_program_path (program);
  g_autoptr (HfInstallation) installation = hf_installation_open (path, HF_OPEN_EXISTING, error);
  if (installation == NULL)
    return FALSE;
  hf_program_share (program, installation);
  for (; *names != NULL; names++)
    if (!add_pattern (installation, *names, only, error))
      return FALSE;
  if (only->len > 0)
    hf_repair_limit (repair, only);
  g_autoptr (HfStore) store = hf_store_open (
      installation, options->dry_run ? HF_OPEN_EXISTING : HF_OPEN_OR_CREATE, error);
  gboolean done = store != NULL && hf_repair_installation (repair, store, error);
  record (installation, repair);
  return done;
}

/**
 * hf_command_repair:
 *
 * Locks: see hf_repair_installation().
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_repair (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  gboolean dry_run = FALSE;
  const GOptionEntry entries[] = {
    HF_REPAIR_OPTIONS (&dry_run),
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .description = N_ ("Without REF, looks at the whole installation.\n"
                       "Exits with 5 if something damaged stays.\n"),
    .max_arguments = -1,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  g_autofree char *path = hf_program_path (program);
  g_autofree char *holdfast = hf_libexec_holdfast (error);
  if (holdfast == NULL)
    return FALSE;
  program->changes = !dry_run;
  g_autoptr (HfProgress) progress = hf_progress_line_new (program);
  HfRepairOptions options = { .dry_run = dry_run,
                              .program = holdfast,
                              .found = program->json ? NULL : print_finding,
                              .progress = progress,
                              .cancellable = hf_interrupt_watch (INTERRUPTED) };
  g_autoptr (HfRepair) repair = hf_repair_new (&options);
  g_autoptr (GError) failed = NULL;
  if (hf_repair_skeleton (repair, path, &failed)
      && repair_opened (program, repair, argv + 1, &options, &failed))
    return report (program, repair, dry_run, error);
  if (program->scope != HF_SCOPE_PATH && argc == 1 && hf_error_is (failed, HF_ERROR_NOT_FOUND)
      && hf_repair_findings (repair)->len == 0)
    return report (program, repair, dry_run, error);
  if (program->json && !print_json (hf_repair_findings (repair), dry_run, error))
    return FALSE;
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}
