/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A repair from its beginning to its end: the order of its parts, and its findings.
 *
 * What is deployed comes first, from what everything else hangs on: `active`, then the images, which
 * are mended before anything is settled or swept, since to both of these a damaged deployment could
 * look like one that nobody wants.  Then what is out of service, then debris, and at the end the
 * ordinary settling and sweep, which nothing is done twice for.
 */
#include "repair.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "core/layout.h"
#include "core/lock.h"
#include "core/settle.h"
#include "prune.h"
#include "repair-private.h"

static void
finding_free (HfFinding *finding)
{
  g_free (finding->thing);
  g_free (finding->cause);
  g_free (finding->mending);
  g_free (finding->reason);
  g_free (finding);
}

/**
 * hf_repair_new:
 * @options: what is to be done; everything in it outlives the repair
 *
 * Returns: (transfer full): a repair that has found nothing yet
 */
HfRepair *
hf_repair_new (const HfRepairOptions *options)
{
  HfRepair *repair = g_new0 (HfRepair, 1);
  repair->options = *options;
  repair->findings = g_ptr_array_new_with_free_func ((GDestroyNotify)finding_free);
  repair->debris = g_ptr_array_new ();
  return repair;
}

/**
 * hf_repair_free:
 * @repair: (nullable) (transfer full): a repair
 */
void
hf_repair_free (HfRepair *repair)
{
  if (repair == NULL)
    return;
  g_ptr_array_unref (repair->debris);
  g_ptr_array_unref (repair->findings);
  hf_ref_free (repair->lost);
  hf_verify_free (repair->verify);
  g_clear_pointer (&repair->only, g_ptr_array_unref);
  hf_sweep_report_free (repair->swept);
  g_free (repair);
}

/**
 * hf_repair_limit:
 * @repair: a repair
 * @only: (element-type HfRef): what to look at
 *
 * Has it look at what is deployed for these and at nothing else.
 */
void
hf_repair_limit (HfRepair *repair, GPtrArray *only)
{
  g_clear_pointer (&repair->only, g_ptr_array_unref);
  repair->only = g_ptr_array_ref (only);
}

/**
 * hf_repair_findings:
 * @repair: a repair
 *
 * Returns: (transfer none) (element-type HfFinding): what it found, in that order
 */
const GPtrArray *
hf_repair_findings (const HfRepair *repair)
{
  return repair->findings;
}

/**
 * hf_repair_swept:
 * @repair: a repair
 *
 * Returns: (transfer none) (nullable): what the sweep at its end did, or %NULL if there was none
 */
const HfSweepReport *
hf_repair_swept (const HfRepair *repair)
{
  return repair->swept;
}

static HfFinding *
add_finding (HfRepair *repair, const char *thing, const char *cause, const char *mending,
             HfFindingOutcome outcome)
{
  HfFinding *finding = g_new0 (HfFinding, 1);
  finding->thing = g_strdup (thing);
  finding->cause = g_strdup (hf_text (cause));
  finding->mending = g_strdup (hf_text (mending));
  finding->outcome = outcome;
  g_ptr_array_add (repair->findings, finding);
  if (repair->options.found != NULL)
    repair->options.found (finding, repair->options.data);
  return finding;
}

/**
 * hf_repair_find:
 * @repair: a repair
 * @thing: what is damaged, below the installation
 * @cause: what is wrong with it; a predicate, translated here
 * @mending: what is going to be done about it; a predicate, translated here
 *
 * Says so.  The caller then does it, unless it is only to look.
 *
 * Returns: (transfer none): the finding
 */
HfFinding *
hf_repair_find (HfRepair *repair, const char *thing, const char *cause, const char *mending)
{
  return add_finding (repair, thing, cause, mending, HF_FINDING_PLANNED);
}

/**
 * hf_repair_find_left:
 * @repair: a repair
 * @thing: what is damaged, below the installation
 * @cause: what is wrong with it
 * @advice: what a person can do about it
 *
 * Says what is left to a person.
 *
 * Returns: (transfer none): the finding
 */
HfFinding *
hf_repair_find_left (HfRepair *repair, const char *thing, const char *cause, const char *advice)
{
  return add_finding (repair, thing, cause, advice, HF_FINDING_LEFT);
}

/**
 * hf_repair_note:
 * @repair: a repair
 * @thing: something that does no harm and is not known to be ours, below the installation
 * @cause: what is to be said of it
 * @advice: what a person can do about it
 */
void
hf_repair_note (HfRepair *repair, const char *thing, const char *cause, const char *advice)
{
  (void)add_finding (repair, thing, cause, advice, HF_FINDING_NOTED);
}

/**
 * hf_finding_settle:
 * @finding: something that was to be mended
 * @failed: (nullable): why it was not
 */
void
hf_finding_settle (HfFinding *finding, const GError *failed)
{
  finding->outcome = failed == NULL ? HF_FINDING_MENDED : HF_FINDING_LEFT;
  if (failed != NULL && finding->reason == NULL)
    finding->reason = g_strdup (failed->message);
}

static gboolean
throw_unwanted (const HfRef *ref, GError **error)
{
  return hf_throw (error, HF_ERROR_DAMAGED,
                   "it stays, as settling it would uninstall %s, which is damaged still",
                   ref->full);
}

/* Everything that is deployed looks like it by now, unless it could not be mended. */
static gboolean
check_wanted (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  g_autofree char *active = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  g_autoptr (GPtrArray) names = hf_branch_deployments (branch_fd, error);
  gboolean any = active != NULL;
  for (guint i = 0; names != NULL && i < names->len; i++)
    any |= hf_branch_in_service (branch_fd, names->pdata[i]);
  if (names == NULL || !any || (active != NULL && hf_branch_in_service (branch_fd, active)))
    return names != NULL;
  return throw_unwanted (ref, error);
}

/* Where a crash has left the mark, it is settled as by any other command. */
static gboolean
settle (HfRepair *repair, GError **error)
{
  HfInstallation *installation = repair->store->installation;
  g_auto (HfLock) lock = HF_LOCK_INIT;
  gboolean marked, pending;
  return hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error)
         && hf_unsettled_is_marked (installation, &marked, error)
         && (marked || hf_branches_visit (installation, check_wanted, NULL, error))
         && hf_change_begin (installation, &pending, error) && hf_settle (installation, error);
}

/**
 * hf_repair_any_left:
 * @repair: a repair
 *
 * Returns: whether something stays damaged; then what is needed cannot be told from all that is stored
 */
gboolean
hf_repair_any_left (const HfRepair *repair)
{
  for (guint i = 0; i < repair->findings->len; i++)
    if (((const HfFinding *)repair->findings->pdata[i])->outcome == HF_FINDING_LEFT)
      return TRUE;
  return FALSE;
}

static gboolean
sweep (HfRepair *repair, GError **error)
{
  HfSweepReport *report = repair->swept = hf_sweep_report_new ();
  HfSweepStore functions = hf_store_for_sweep (repair->store);
  report->full = repair->full && !hf_repair_any_left (repair);
  report->progress = repair->options.progress;
  return hf_sweep_all (repair->store->installation, &functions, report, error);
}

static void
finish_findings (HfRepair *repair, const GError *failed)
{
  for (guint i = 0; i < repair->findings->len; i++)
    {
      HfFinding *finding = repair->findings->pdata[i];
      if (finding->outcome == HF_FINDING_PLANNED)
        hf_finding_settle (finding, failed);
    }
}

static void
leave_debris (HfRepair *repair, const GError *failed)
{
  for (guint i = 0; i < repair->debris->len; i++)
    hf_finding_settle (repair->debris->pdata[i], failed);
}

static gboolean
finish (HfRepair *repair, GError **error)
{
  g_autoptr (GError) failed = NULL;
  gboolean settled = !repair->settle || settle (repair, &failed);
  if (hf_error_is (failed, HF_ERROR_DAMAGED))
    {
      leave_debris (repair, failed);
      g_clear_error (&failed);
      settled = TRUE;
    }
  if (settled && (!repair->sweep || sweep (repair, &failed)))
    {
      finish_findings (repair, NULL);
      return TRUE;
    }
  finish_findings (repair, failed);
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

/**
 * hf_repair_installation:
 * @repair: a repair
 * @store: the store of the installation
 *
 * Finds what is damaged and, unless it is only to look, mends it.
 *
 * Locks: takes all of them, each for a short piece of work; none is held while verifying or fetching
 * but the shared one of the `.ref` of what is looked at.
 *
 * Returns: %FALSE with @error set if the repair could not go on; what could not be mended is no
 *   error, it is in the findings
 */
gboolean
hf_repair_installation (HfRepair *repair, HfStore *store, GError **error)
{
  repair->store = store;
  repair->verify = hf_verify_new (store, repair->options.progress);
  if (!hf_repair_active (repair, error) || !hf_repair_deployments (repair, error))
    return FALSE;
  if (repair->only == NULL
      && (!hf_repair_exports (repair, error) || !hf_repair_entries (repair, error)
          || !hf_repair_debris (repair, error) || !hf_repair_store (repair, error)))
    return FALSE;
  if (!repair->options.dry_run)
    return finish (repair, error);
  g_autoptr (GError) unwanted = NULL;
  if (repair->lost != NULL && !throw_unwanted (repair->lost, &unwanted))
    leave_debris (repair, unwanted);
  return TRUE;
}
