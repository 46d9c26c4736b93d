/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Giving up under disk pressure, one candidate after the other, oldest first: spared trash, previous
 * deployments, and unused runtimes if they are configured to go.  After each the file system is asked again.
 * Every decision stands in the report.
 */
#include "pressure.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "base/test-hook.h"
#include "history.h"
#include "holders.h"
#include "layout.h"
#include "roots.h"

#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* How long a file system may take to give back what was deleted. */
#define PAUSE      (10 * 1000) /* microseconds */
#define QUIET      10          /* pauses in which nothing comes */
#define MOST_ASKED 200

typedef struct
{
  HfInstallation *installation;
  const HfSweepStore *store;
  HfSweepReport *report;
  HfConfig *config; /* owned */
  HfFreeSpace space;
  int root_fd;        /* owned; for syncfs(2), which takes no O_PATH */
  int turn_fd;        /* owned */
  guint held;         /* candidates that were passed over since they are held */
  HfHolders *holders; /* owned; read when first needed */
} Relief;

static void
relief_clear (Relief *relief)
{
  hf_config_free (relief->config);
  hf_fd_clear (&relief->root_fd);
  hf_fd_clear (&relief->turn_fd);
  hf_holders_free (relief->holders);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Relief, relief_clear)

static void
decision_free (HfDecision *decision)
{
  hf_surplus_free (decision->surplus);
  g_free (decision->why);
  g_clear_pointer (&decision->holders, g_ptr_array_unref);
  g_free (decision);
}

/**
 * hf_pressure_free:
 * @pressure: (nullable) (transfer full): what was decided
 */
void
hf_pressure_free (HfPressure *pressure)
{
  if (pressure == NULL)
    return;
  g_ptr_array_unref (pressure->decisions);
  g_free (pressure->short_of);
  g_free (pressure);
}

/**
 * hf_pressure_is_on:
 * @installation: an installation
 * @config: its configuration
 *
 * At most one system call: what an idle sweep asks.
 *
 * Returns: whether there is less free than there has to be, or nobody can tell
 */
gboolean
hf_pressure_is_on (HfInstallation *installation, const HfConfig *config)
{
  HfFreeSpace space = { 0 };
  return hf_free_space_is_limited (config)
         && (!hf_free_space_measure (&space, installation, config, NULL)
             || hf_free_space_is_wanted (&space));
}

static guint64
freed_bytes (const Relief *relief)
{
  guint64 bytes, inodes;
  hf_ledger_get (relief->installation->ledger, &bytes, &inodes);
  return bytes;
}

/* As it would be if all that was told of had been done. */
static gboolean
measure_dry (Relief *relief, GError **error)
{
  struct statvfs st;
  guint64 bytes, inodes;
  if (fstatvfs (relief->installation->root_fd, &st) != 0)
    return hf_throw_errno (error, "Cannot tell how much is free for %s",
                           relief->installation->path);
  hf_ledger_get (relief->installation->ledger, &bytes, &inodes);
  st.f_bavail += bytes / st.f_frsize;
  st.f_favail += inodes;
  hf_free_space_weigh (&relief->space, relief->config, &st);
  return TRUE;
}

/* Btrfs gives space back once what it has is on disk.  Xfs does so in the background, at the latest when it is
 * asked how much there is, and tells nobody when: it is asked again until what was freed has come, or until
 * nothing has come for a while. */
static gboolean
measure_settled (Relief *relief, guint64 expected, GError **error)
{
  guint64 last = 0;
  if (relief->report->dry_run)
    return measure_dry (relief, error);
  (void)syncfs (relief->root_fd);
  for (guint quiet = 0, asked = 0; quiet < QUIET && asked < MOST_ASKED; asked++)
    {
      if (!hf_free_space_measure (&relief->space, relief->installation, relief->config, error))
        return FALSE;
      if (!hf_free_space_is_wanted (&relief->space) || relief->space.bytes.free >= expected)
        return TRUE;
      quiet = relief->space.bytes.free == last ? quiet + 1 : 0;
      last = relief->space.bytes.free;
      /* banned-waiver: there is nothing that could be waited for */
      g_usleep (PAUSE);
    }
  return TRUE;
}

/* One sweeper at a time gives up, or two would both go by what is free before either has deleted anything.
 * Nothing is unsafe without this, so it may fail: on NFS no directory can be locked.  No other user can open
 * removed/, and it needs no file, for which there may be no room. */
static void
take_turn (Relief *relief)
{
  relief->turn_fd = hf_open_dir (relief->installation->root_fd, HF_REMOVED_DIR, NULL);
  if (relief->turn_fd >= 0)
    (void)flock (relief->turn_fd, LOCK_EX);
}

static HfDecision *
add_decision (Relief *relief, HfSurplus *surplus, gboolean given_up, char *why)
{
  HfDecision *decision = g_new0 (HfDecision, 1);
  decision->surplus = surplus;
  decision->given_up = given_up;
  decision->why = why;
  g_ptr_array_add (relief->report->pressure->decisions, decision);
  g_info ("%s %s of %s: %s", given_up ? "Giving up" : "Passing over", surplus->name,
          surplus->ref->full, why);
  return decision;
}

static void
add_passed (Relief *relief, HfSurplus *surplus, char *why, const HfTrashEntry *held)
{
  HfDecision *decision = add_decision (relief, surplus, FALSE, why);
  if (held == NULL)
    return;
  relief->held++;
  if (relief->holders == NULL)
    relief->holders = hf_holders_read (NULL);
  decision->holders
      = relief->holders == NULL ? NULL : hf_holders_of (relief->holders, held->ref_fd, NULL);
}

static guint
find_entry (const HfSweepReport *report, const char *path, HfSweepOutcome outcome)
{
  for (guint i = 0; i < report->entries->len; i++)
    {
      const HfSweepEntry *line = report->entries->pdata[i];
      if (line->outcome == outcome && strcmp (line->path, path) == 0)
        return i;
    }
  return G_MAXUINT;
}

/* The ordinary sweep said that it is spared. */
static void
forget_spared (HfSweepReport *report, const char *path)
{
  guint index = find_entry (report, path, HF_SWEEP_KEPT);
  if (index == G_MAXUINT)
    return;
  g_ptr_array_remove_index (report->entries, index);
  report->kept--;
}

/* What the ordinary sweep has had to leave, or, in a dry run, would have swept, stands in the report already. */
static gboolean
is_known (const HfSweepReport *report, const HfSurplus *surplus)
{
  g_autofree char *path
      = surplus->entry != NULL
            ? g_strconcat (HF_REMOVED_DIR "/", surplus->entry, NULL)
            : g_strconcat (HF_DEPLOY_DIR "/", surplus->ref->full, "/", surplus->name, NULL);
  return find_entry (report, path, HF_SWEEP_HELD) != G_MAXUINT
         || find_entry (report, path, HF_SWEEP_DAMAGED) != G_MAXUINT
         || find_entry (report, path, HF_SWEEP_SWEPT) != G_MAXUINT;
}

/* Whether the repository was looked at as a whole is told of all of it together. */
static gboolean
sweep_entries (Relief *relief, GPtrArray *entries, GError **error)
{
  HfSweepReport *report = relief->report;
  gboolean done = TRUE;
  while (done && entries->len > 0)
    {
      gboolean full = report->full;
      const char *reason = report->reason;
      HfTrashEntry *entry = g_ptr_array_steal_index (entries, 0);
      report->full = FALSE;
      forget_spared (report, entry->path);
      done = hf_sweep_entry (relief->installation, entry, relief->store, report, error);
      if (full)
        report->reason = reason;
      report->full |= full;
    }
  return done;
}

static void
record_unused (Relief *relief, const HfTrashEntry *entry)
{
  const HfDeploymentInfo *info = entry->info;
  const HfHistoryEvent event = { .kind = HF_HISTORY_UNINSTALL,
                                 .ref = info->ref->full,
                                 .commit = info->commit,
                                 .origin = info->origin,
                                 .bytes = info->installed_size };
  hf_history_record (relief->installation, &event);
}

static gboolean
give_up (Relief *relief, HfSurplus *taken, GError **error)
{
  g_autoptr (HfSurplus) surplus = taken;
  g_autoptr (HfTrashEntry) held = NULL;
  g_autofree char *why = NULL;
  g_autoptr (GPtrArray) entries
      = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_trash_entry_free);
  HF_TEST_HOOK ("give-up-decided");
  if (!hf_surplus_take (relief->installation, surplus, entries, &why, &held, error))
    return FALSE;
  if (why != NULL)
    {
      add_passed (relief, g_steal_pointer (&surplus), g_steal_pointer (&why), held);
      return TRUE;
    }
  /* It could not be opened or locked any more: another sweeper may have been faster. */
  if (!relief->report->dry_run && entries->len == 0)
    g_ptr_array_add (relief->report->warnings,
                     g_strdup_printf (_ ("%s is out of service, and left to another sweep"),
                                      surplus->ref->full));
  for (guint i = 0;
       !relief->report->dry_run && surplus->kind == HF_SURPLUS_UNUSED && i < entries->len; i++)
    if (g_str_has_suffix (((HfTrashEntry *)entries->pdata[i])->name, surplus->name))
      record_unused (relief, entries->pdata[i]);
  add_decision (relief, g_steal_pointer (&surplus), TRUE,
                hf_free_space_describe (&relief->space, relief->config));
  guint64 before = relief->space.bytes.free - freed_bytes (relief);
  return sweep_entries (relief, entries, error)
         && measure_settled (relief, before + freed_bytes (relief), error);
}

static gboolean
give_up_kind (Relief *relief, HfSurplusKind kind, GError **error)
{
  if (!hf_free_space_is_wanted (&relief->space))
    return TRUE;
  g_autoptr (GPtrArray) list = hf_surplus_list (relief->installation, kind, error);
  if (list == NULL)
    return FALSE;
  while (list->len > 0 && hf_free_space_is_wanted (&relief->space))
    {
      g_autoptr (HfSurplus) surplus = g_ptr_array_steal_index (list, 0);
      if (!is_known (relief->report, surplus)
          && !give_up (relief, g_steal_pointer (&surplus), error))
        return FALSE;
    }
  return TRUE;
}

/* There is less than there has to be, and nothing more to give up. */
static gboolean
conclude (Relief *relief, GError **error)
{
  g_autoptr (HfRoots) roots = hf_roots_load (relief->installation, error);
  g_autoptr (GPtrArray) all = roots == NULL ? NULL : hf_deployed_list (relief->installation, error);
  if (all == NULL)
    return FALSE;
  g_autofree char *space = hf_free_space_describe (&relief->space, relief->config);
  guint n_active = all->len, n_kept = g_hash_table_size (roots->by_deployment),
        n_used = relief->held + relief->report->held;
  g_autofree char *active
      = g_strdup_printf (ngettext ("%u active", "%u active", n_active), n_active);
  g_autofree char *kept
      = g_strdup_printf (ngettext ("%u kept by roots", "%u kept by roots", n_kept), n_kept);
  g_autofree char *used = g_strdup_printf (ngettext ("%u in use", "%u in use", n_used), n_used);
  relief->report->pressure->short_of = g_strdup_printf (
      _ ("%s, and nothing more to give up: %s, %s, %s"), space, active, kept, used);
  g_info ("%s", relief->report->pressure->short_of);
  return TRUE;
}

static gboolean
relieve (Relief *relief, GError **error)
{
  HfSweepReport *report = relief->report;
  report->pressure = g_new0 (HfPressure, 1);
  report->pressure->decisions = g_ptr_array_new_with_free_func ((GDestroyNotify)decision_free);
  return give_up_kind (relief, HF_SURPLUS_REMOVED, error)
         && give_up_kind (relief, HF_SURPLUS_PREVIOUS, error)
         && (!relief->config->give_up_unused || give_up_kind (relief, HF_SURPLUS_UNUSED, error))
         && (!hf_free_space_is_short (&relief->space) || conclude (relief, error));
}

/**
 * hf_pressure_relieve:
 * @installation: an installation, swept
 * @store: the store's part
 * @report: what is decided and done is added to it
 *
 * Gives up what is only kept, if there is too little room, until there is enough.
 *
 * Locks: an flock(2) of removed/, for one sweeper at a time; and as hf_surplus_take() and hf_sweep_entry().
 *
 * Returns: %FALSE with @error set if it could not go on; that there is still too little is no error, it is in
 *   @report
 */
gboolean
hf_pressure_relieve (HfInstallation *installation, const HfSweepStore *store, HfSweepReport *report,
                     GError **error)
{
  g_auto (Relief) relief = { installation, store, report, .root_fd = -1, .turn_fd = -1 };
  relief.config = hf_config_load (installation, error);
  if (relief.config == NULL)
    return FALSE;
  if (!hf_pressure_is_on (installation, relief.config))
    return TRUE;
  relief.root_fd = hf_open_dir (installation->root_fd, ".", error);
  if (relief.root_fd < 0)
    return FALSE;
  take_turn (&relief);
  /* What the ordinary sweep has freed may be on its way still. */
  return measure_settled (&relief, freed_bytes (&relief) > 0 ? G_MAXUINT64 : 0, error)
         && (!hf_free_space_is_wanted (&relief.space) || relieve (&relief, error));
}
