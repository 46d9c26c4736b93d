/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parts of a repair that need no image: what is found and told, modes, the skeleton of an installation,
 * `active`, and debris.  Each looks first and mends only if it is to.
 */
#include "store/repair-private.h"

#include "core/layout.h"
#include "support.h"

#include <string.h>
#include <unistd.h>

typedef struct
{
  Fixture base;
  HfInstallation *installation; /* not owned */
  HfStore store;
  HfRepair *repair; /* owned */
  GString *told; /* owned; what was told when it was found, and before anything was done about it */
} Repairing;

static void
tell (const HfFinding *finding, gpointer data)
{
  Repairing *repairing = data;
  g_assert_cmpint (finding->outcome, !=, HF_FINDING_MENDED);
  g_string_append_printf (repairing->told, "%s: %s\n", finding->thing, finding->cause);
}

/* Begins anew; `dry` only looks. */
static void
begin (Repairing *repairing, gboolean dry)
{
  const HfRepairOptions options = { .dry_run = dry, .found = tell, .data = repairing };
  hf_repair_free (repairing->repair);
  repairing->repair = hf_repair_new (&options);
  repairing->repair->store = &repairing->store;
  g_string_truncate (repairing->told, 0);
}

static void
set_up (Repairing *repairing, gconstpointer data)
{
  fixture_set_up (&repairing->base, data);
  repairing->installation = repairing->base.installation;
  repairing->store.installation = repairing->installation;
  repairing->told = g_string_new (NULL);
  begin (repairing, FALSE);
}

static void
tear_down (Repairing *repairing, gconstpointer data)
{
  hf_repair_free (repairing->repair);
  g_string_free (repairing->told, TRUE);
  fixture_tear_down (&repairing->base, data);
}

static const HfFinding *
finding_at (const Repairing *repairing, guint i)
{
  const GPtrArray *findings = hf_repair_findings (repairing->repair);
  g_assert_cmpuint (i, <, findings->len);
  return findings->pdata[i];
}

/* One of these after the other: what is told, and the outcome of all. */
static void
assert_found (const Repairing *repairing, const char *told, HfFindingOutcome outcome)
{
  const GPtrArray *findings = hf_repair_findings (repairing->repair);
  g_assert_cmpstr (repairing->told->str, ==, told);
  for (guint i = 0; i < findings->len; i++)
    g_assert_cmpint (finding_at (repairing, i)->outcome, ==, outcome);
}

static void
test_findings (Repairing *repairing, gconstpointer data)
{
  HfRepair *repair = repairing->repair;
  g_autoptr (GError) failed = NULL;
  (void)!hf_throw (&failed, HF_ERROR_FAILED, "no luck");
  HfFinding *one = hf_repair_find (repair, "one", "is bad", "is made good");
  HfFinding *two = hf_repair_find (repair, "two", "is bad", "is made good");
  (void)hf_repair_find_left (repair, "three", "is worse", "look at it");
  hf_repair_note (repair, "four", "is strange", "is left alone");
  g_assert_cmpint (one->outcome, ==, HF_FINDING_PLANNED);
  hf_finding_settle (one, NULL);
  hf_finding_settle (two, failed);
  g_assert_cmpstr (repairing->told->str, ==,
                   "one: is bad\ntwo: is bad\nthree: is worse\nfour: is strange\n");
  g_assert_cmpint (finding_at (repairing, 0)->outcome, ==, HF_FINDING_MENDED);
  g_assert_cmpint (finding_at (repairing, 1)->outcome, ==, HF_FINDING_LEFT);
  g_assert_cmpstr (finding_at (repairing, 1)->reason, ==, "no luck");
  g_assert_cmpint (finding_at (repairing, 2)->outcome, ==, HF_FINDING_LEFT);
  g_assert_cmpint (finding_at (repairing, 3)->outcome, ==, HF_FINDING_NOTED);
}

static void
test_limit (Repairing *repairing, gconstpointer data)
{
  g_autoptr (HfRef) app = ref_of (APP);
  g_autoptr (HfRef) other = ref_of (OTHER);
  g_autoptr (GPtrArray) only = g_ptr_array_new ();
  g_assert_true (hf_repair_wants (repairing->repair, other));
  g_ptr_array_add (only, app);
  hf_repair_limit (repairing->repair, only);
  g_assert_true (hf_repair_wants (repairing->repair, app));
  g_assert_false (hf_repair_wants (repairing->repair, other));
}

static void
test_mode (Repairing *repairing, gconstpointer data)
{
  int dfd = repairing->base.dir_fd;
  put_file (dfd, "file", "x", 0666);
  g_assert_no_errno (fchmodat (dfd, "file", 0666, 0));
  g_assert_no_errno (symlinkat ("file", dfd, "link"));
  begin (repairing, TRUE);
  hf_repair_mode (repairing->repair, dfd, "file", "file", 0600);
  assert_found (repairing, "file: has mode 0666\n", HF_FINDING_PLANNED);
  g_assert_cmpuint (mode_at (dfd, "file"), ==, 0666);
  begin (repairing, FALSE);
  hf_repair_mode (repairing->repair, dfd, "link", "link", 0600);
  hf_repair_mode (repairing->repair, dfd, "absent", "absent", 0600);
  assert_found (repairing, "", HF_FINDING_MENDED);
  hf_repair_mode (repairing->repair, dfd, "file", "file", 0600);
  hf_repair_mode (repairing->repair, dfd, "file", "file", 0600);
  assert_found (repairing, "file: has mode 0666\n", HF_FINDING_MENDED);
  g_assert_cmpuint (mode_at (dfd, "file"), ==, 0600);
}

/* Whoever the installation belongs to must be able to lock. */
static void
test_owner (Repairing *repairing, gconstpointer data)
{
  struct stat st;
  int dfd = repairing->base.dir_fd;
  if (skip_unless_root ("it gives a file away"))
    return;
  put_file (dfd, "file", "x", 0600);
  g_assert_no_errno (fchownat (dfd, "file", 65534, 65534, 0));
  hf_repair_mode (repairing->repair, dfd, "file", "file", 0600);
  assert_found (repairing, "file: belongs to user 65534\n", HF_FINDING_MENDED);
  g_assert_no_errno (fstatat (dfd, "file", &st, 0));
  g_assert_cmpuint (st.st_uid, ==, getuid ());
}

static gboolean
look_at_skeleton (Repairing *repairing, gboolean dry, GError **error)
{
  begin (repairing, dry);
  repairing->repair->store = NULL;
  gboolean whole = hf_repair_skeleton (repairing->repair, repairing->installation->path, error);
  repairing->repair->store = &repairing->store;
  return whole;
}

static void
test_skeleton (Repairing *repairing, gconstpointer data)
{
  int root_fd = repairing->installation->root_fd;
  g_autoptr (GError) error = NULL;
  static const char told[] = HF_ROOTS_DIR ": is missing\n" HF_PRUNE_LOCK_FILE ": is missing\n";
  g_assert_true (look_at_skeleton (repairing, FALSE, &error));
  assert_found (repairing, "", HF_FINDING_MENDED);
  g_assert_no_errno (unlinkat (root_fd, HF_ROOTS_DIR, AT_REMOVEDIR));
  g_assert_no_errno (unlinkat (root_fd, HF_PRUNE_LOCK_FILE, 0));
  g_assert_false (look_at_skeleton (repairing, TRUE, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
  g_clear_error (&error);
  assert_found (repairing, told, HF_FINDING_PLANNED);
  g_assert_false (exists (root_fd, HF_ROOTS_DIR));
  (void)!look_at_skeleton (repairing, FALSE, &error);
  g_assert_no_error (error);
  assert_found (repairing, told, HF_FINDING_MENDED);
  g_assert_cmpuint (mode_at (root_fd, HF_PRUNE_LOCK_FILE), ==, HF_MODE_LOCK);
  g_assert_true (exists (root_fd, HF_ROOTS_DIR));
}

/* Its sticky bit says something by itself. */
static void
test_skeleton_modes (Repairing *repairing, gconstpointer data)
{
  int root_fd = repairing->installation->root_fd;
  g_autoptr (GError) error = NULL;
  g_assert_no_errno (fchmodat (root_fd, HF_DEPLOY_DIR, 01777, 0));
  g_assert_no_errno (fchmodat (root_fd, HF_LOCK_FILE, 0666, 0));
  (void)!look_at_skeleton (repairing, FALSE, &error);
  g_assert_no_error (error);
  assert_found (repairing, HF_DEPLOY_DIR ": has mode 1777\n" HF_LOCK_FILE ": has mode 0666\n",
                HF_FINDING_MENDED);
  g_assert_cmpuint (mode_at (root_fd, HF_DEPLOY_DIR), ==, HF_MODE_DIR | HF_MODE_UNSETTLED);
  g_assert_cmpuint (mode_at (root_fd, HF_LOCK_FILE), ==, HF_MODE_LOCK);
}

/* What stands in the way may be somebody's. */
static void
test_skeleton_left (Repairing *repairing, gconstpointer data)
{
  int root_fd = repairing->installation->root_fd;
  g_autoptr (GError) error = NULL;
  g_assert_no_errno (unlinkat (root_fd, HF_EXPORTS_DIR, AT_REMOVEDIR));
  put_file (root_fd, HF_EXPORTS_DIR, "mine", 0644);
  g_assert_false (look_at_skeleton (repairing, FALSE, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
  assert_found (repairing, HF_EXPORTS_DIR ": is no directory\n", HF_FINDING_LEFT);
  g_assert_true (exists (root_fd, HF_EXPORTS_DIR));
}

static void
test_no_installation (Repairing *repairing, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (repairing->base.dir, "mine", NULL);
  put_dir (repairing->base.dir_fd, "mine", 0755);
  put_dir (repairing->base.dir_fd, "mine/" HF_DEPLOY_DIR, 0755);
  g_assert_false (hf_repair_skeleton (repairing->repair, path, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
  assert_found (repairing, "", HF_FINDING_MENDED);
  g_assert_cmpuint (count_names (repairing->base.dir_fd, "mine"), ==, 1);
}

static void
look_at_active (Repairing *repairing, gboolean dry)
{
  g_autoptr (GError) error = NULL;
  begin (repairing, dry);
  (void)!hf_repair_active (repairing->repair, &error);
  g_assert_no_error (error);
}

static void
relink (HfInstallation *installation, const char *target)
{
  g_autofree char *active = g_strconcat (HF_DEPLOY_DIR "/" APP "/" HF_ACTIVE_LINK, NULL);
  (void)unlinkat (installation->root_fd, active, 0);
  if (target != NULL)
    g_assert_no_errno (symlinkat (target, installation->root_fd, active));
}

static void
test_active (Repairing *repairing, gconstpointer data)
{
  HfInstallation *installation = repairing->installation;
  static const struct
  {
    const char *target, *cause;
  } cases[] = {
    { NULL, "is missing" },
    { "nonsense", "does not name a deployment" },
    { "/", "does not name a deployment" },
    { "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff." SERIAL,
      "names a deployment that is not there" },
  };
  configure (installation, "keep-previous=1");
  g_autofree char *a = deploy (installation, APP, 'b');
  g_autofree char *b = deploy (installation, APP, 'a');
  look_at_active (repairing, FALSE);
  assert_found (repairing, "", HF_FINDING_MENDED);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *told
          = g_strdup_printf (HF_DEPLOY_DIR "/" APP "/" HF_ACTIVE_LINK ": %s\n", cases[i].cause);
      relink (installation, cases[i].target);
      look_at_active (repairing, TRUE);
      assert_found (repairing, told, HF_FINDING_PLANNED);
      look_at_active (repairing, FALSE);
      assert_found (repairing, told, HF_FINDING_MENDED);
      /* The newest that is in service. */
      g_autofree char *active = active_of (installation, APP);
      g_assert_cmpstr (active, ==, b);
      g_assert_false (is_marked (installation));
    }
}

/* What a crash left is settled, and nothing is guessed. */
static void
test_active_unsettled (Repairing *repairing, gconstpointer data)
{
  HfInstallation *installation = repairing->installation;
  g_autofree char *a = deploy (installation, APP, 'a');
  relink (installation, NULL);
  set_mark (installation);
  look_at_active (repairing, FALSE);
  assert_found (repairing, HF_DEPLOY_DIR ": is marked: a change was cut short\n",
                HF_FINDING_PLANNED);
  g_assert_true (repairing->repair->settle);
  g_assert_null (active_of (installation, APP));
}

static void
test_active_state (Repairing *repairing, gconstpointer data)
{
  HfInstallation *installation = repairing->installation;
  g_autofree char *name = deploy (installation, APP, 'a');
  g_autofree char *path = deployed_path (APP, name);
  g_autofree char *file = g_strconcat (path, "/" HF_DEPLOYMENT_FILE, NULL);
  g_autofree char *told = g_strconcat (file, ": has mode 0664, which means nothing\n", NULL);
  g_assert_no_errno (fchmodat (installation->root_fd, file, 0664, 0));
  look_at_active (repairing, FALSE);
  assert_found (repairing, told, HF_FINDING_MENDED);
  g_assert_cmpuint (state_at (installation, path), ==, HF_STATE_SETTLED);
}

static void
test_debris (Repairing *repairing, gconstpointer data)
{
  HfInstallation *installation = repairing->installation;
  int root_fd = installation->root_fd;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = deploy (installation, APP, 'a');
  (void)!hf_repair_debris (repairing->repair, &error);
  g_assert_no_error (error);
  assert_found (repairing, "", HF_FINDING_MENDED);
  put_file (root_fd, HF_FORMAT_FILE_NEW, "1\n", 0644);
  put_file (root_fd, "mine", "x", 0644);
  put_file (root_fd, HF_DEPLOY_DIR "/mine", "x", 0644);
  put_dir (root_fd, HF_DEPLOY_DIR "/runtime", 0755);
  begin (repairing, FALSE);
  (void)!hf_repair_debris (repairing->repair, &error);
  g_assert_no_error (error);
  const GPtrArray *findings = hf_repair_findings (repairing->repair);
  g_assert_cmpuint (findings->len, ==, 4);
  for (guint i = 0; i < findings->len; i++)
    {
      const HfFinding *one = findings->pdata[i];
      g_assert_cmpint (one->outcome, ==,
                       g_str_has_suffix (one->thing, "mine")          ? HF_FINDING_NOTED
                       : strcmp (one->thing, HF_FORMAT_FILE_NEW) == 0 ? HF_FINDING_MENDED
                                                                      : HF_FINDING_PLANNED);
    }
  g_assert_false (exists (root_fd, HF_FORMAT_FILE_NEW));
  g_assert_true (exists (root_fd, "mine"));
  g_assert_true (repairing->repair->settle);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/repair/" promise, Repairing, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("what is found is told at once, and what became of it after", test_findings);
  ADD ("only what is named is looked at", test_limit);
  ADD ("a mode is told, and set if that is wanted", test_mode);
  ADD ("what is another user's is the owner's again", test_owner);
  ADD ("what every installation has is made anew", test_skeleton);
  ADD ("modes are set right, and marks stay", test_skeleton_modes);
  ADD ("what stands in the way is left to a person", test_skeleton_left);
  ADD ("somebody's own directory is no installation", test_no_installation);
  ADD ("active names the newest in service again", test_active);
  ADD ("after a crash nothing is guessed", test_active_unsettled);
  ADD ("what is active is in service", test_active_state);
  ADD ("what is ours and of no use goes, and nothing else", test_debris);
  return g_test_run ();
}
