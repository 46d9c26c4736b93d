/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * exports/ of an installation: every name leads to what is deployed, through each change and after each
 * crash, and nobody else's name is touched.
 */
#include "core/exports.h"

#include "core/config.h"
#include "core/lock.h"
#include "core/restore.h"
#include "core/rollback.h"
#include "core/settle.h"
#include "exporting.h"

#include <string.h>
#include <unistd.h>

#define LONGER "app/org.test.App.Two/x86_64/stable"

static void
assert_nothing_to_settle (HfInstallation *installation)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) differences = hf_exports_differences (installation, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < differences->len; i++)
    {
      const HfExportDifference *difference = differences->pdata[i];
      g_test_message ("%s %s", difference->path, difference->cause);
      g_assert_true (difference->foreign);
    }
  g_assert_false (is_marked (installation));
}

static void
settle_marked (HfInstallation *installation)
{
  set_mark (installation);
  settle (installation);
  assert_nothing_to_settle (installation);
}

static void
test_life (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=1");
  g_autofree char *first = deploy_exporting (installation, APP, 'a', WRAPPER " " ENTRY " " ICON);
  assert_leads (installation, ENTRY, "a");
  assert_leads (installation, ICON, "a");
  assert_leads (installation, WRAPPER, "a");
  assert_nothing_to_settle (installation);
  /* One name goes, one comes, one stays. */
  g_autofree char *next = deploy_exporting (installation, APP, 'b', WRAPPER " " SECOND);
  assert_leads (installation, WRAPPER, "b");
  assert_leads (installation, SECOND, "b");
  assert_leads (installation, ENTRY, NULL);
  assert_leads (installation, ICON, NULL);
  g_assert_false (exists (installation->root_fd, HF_EXPORTS_DIR "/" HF_EXPORT_ICONS));
  assert_nothing_to_settle (installation);
  /* And back. */
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autofree char *commit = NULL;
  (void)!hf_rollback (installation, ref, NULL, &commit, &error);
  g_assert_no_error (error);
  assert_leads (installation, ENTRY, "a");
  assert_leads (installation, ICON, "a");
  assert_leads (installation, SECOND, NULL);
  assert_nothing_to_settle (installation);
  undeploy (installation, APP);
  assert_empty (installation);
  assert_nothing_to_settle (installation);
  g_autoptr (GPtrArray) list = hf_restorable_list (installation, NULL, &error);
  g_assert_no_error (error);
  (void)!hf_restore (installation, list->pdata[0], FALSE, NULL, &error);
  g_assert_no_error (error);
  assert_leads (installation, ENTRY, "a");
  assert_nothing_to_settle (installation);
}

/* What an earlier version deployed has no export/, and a runtime never has one. */
static void
test_without (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *name = deploy (installation, APP, 'a');
  g_autofree char *runtime = deploy_exporting (installation, RUNTIME, 'c', WRAPPER);
  assert_empty (installation);
  g_autofree char *next = deploy_exporting (installation, APP, 'b', ENTRY);
  assert_leads (installation, ENTRY, "b");
  g_autofree char *last = deploy (installation, APP, 'd');
  assert_empty (installation);
  undeploy (installation, APP);
  assert_nothing_to_settle (installation);
}

/* An installation that lost its exports/, or was made without. */
static void
test_without_directory (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_assert_no_errno (unlinkat (installation->root_fd, HF_EXPORTS_DIR, AT_REMOVEDIR));
  g_autofree char *plain = deploy (installation, PLAIN, 'a');
  undeploy (installation, PLAIN);
  settle_marked (installation);
  g_assert_false (exists (installation->root_fd, HF_EXPORTS_DIR));
  g_autofree char *name = deploy_exporting (installation, APP, 'a', ENTRY);
  assert_leads (installation, ENTRY, "a");
  g_assert_cmpuint (mode_at (installation->root_fd, HF_EXPORTS_DIR), ==, HF_MODE_DIR);
}

static void
assert_owner (HfInstallation *installation, const char *full)
{
  g_autofree char *expected
      = full == NULL ? NULL : g_strconcat ("../../deploy/", full, "/active", NULL);
  g_autofree char *target
      = hf_link_read (installation->root_fd, HF_EXPORTS_DIR "/owners/org.test.App");
  g_assert_cmpstr (target, ==, expected);
}

/* Who has the names keeps them; when he goes, the next has them, this machine's own architecture first. */
static void
test_branches (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=0");
  const char *native = hf_ref_default_arch ();
  g_autofree char *foreign_arch = g_strdup (strcmp (native, "aarch64") == 0 ? "x86_64" : "aarch64");
  g_autofree char *foreign = g_strconcat ("app/org.test.App/", foreign_arch, "/stable", NULL);
  g_autofree char *beta = g_strconcat ("app/org.test.App/", native, "/beta", NULL);
  g_autofree char *stable = g_strconcat ("app/org.test.App/", native, "/stable", NULL);
  g_autofree char *a = deploy_exporting (installation, stable, 'a', WRAPPER " " ENTRY);
  g_autofree char *b = deploy_exporting (installation, foreign, 'b', WRAPPER " " SECOND);
  g_autofree char *c = deploy_exporting (installation, beta, 'c', WRAPPER " " ICON);
  assert_owner (installation, stable);
  assert_leads (installation, WRAPPER, "a");
  assert_leads (installation, SECOND, NULL);
  /* An update of another changes nothing of it. */
  g_autofree char *d = deploy_exporting (installation, foreign, 'd', WRAPPER " " SECOND);
  assert_leads (installation, WRAPPER, "a");
  assert_nothing_to_settle (installation);
  undeploy (installation, stable);
  assert_owner (installation, beta);
  assert_leads (installation, WRAPPER, "c");
  assert_leads (installation, ICON, "c");
  assert_leads (installation, ENTRY, NULL);
  /* It comes again, and does not have them. */
  g_autofree char *e = deploy_exporting (installation, stable, 'e', WRAPPER " " ENTRY);
  assert_owner (installation, beta);
  assert_leads (installation, WRAPPER, "c");
  assert_nothing_to_settle (installation);
  /* The owner stops exporting. */
  g_autofree char *f = deploy (installation, beta, 'f');
  assert_owner (installation, stable);
  assert_leads (installation, ENTRY, "e");
  assert_leads (installation, ICON, NULL);
  undeploy (installation, stable);
  assert_owner (installation, foreign);
  undeploy (installation, foreign);
  assert_owner (installation, NULL);
  assert_empty (installation);
}

/* An ID can be the beginning of another: a name that both could have is the longer one's, in whatever order
 * they come and go. */
static void
test_prefix (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  for (guint order = 0; order < 2; order++)
    {
      g_autofree char *first = order == 0 ? deploy_exporting (installation, APP, 'a', SECOND)
                                          : deploy_exporting (installation, LONGER, 'b', SECOND);
      g_autofree char *second = order == 0 ? deploy_exporting (installation, LONGER, 'b', SECOND)
                                           : deploy_exporting (installation, APP, 'a', SECOND);
      assert_leads (installation, SECOND, "b");
      assert_nothing_to_settle (installation);
      settle_marked (installation);
      assert_leads (installation, SECOND, "b");
      undeploy (installation, LONGER);
      assert_leads (installation, SECOND, "a");
      assert_nothing_to_settle (installation);
      undeploy (installation, APP);
      assert_empty (installation);
    }
}

static void
put_link (HfInstallation *installation, const char *path, const char *target)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *whole = g_strconcat (HF_EXPORTS_DIR "/", path, NULL);
  g_autofree char *dir = g_path_get_dirname (whole);
  hf_autofd int fd = hf_make_dirs (installation->root_fd, dir, HF_MODE_DIR, &error);
  g_assert_no_error (error);
  (void)unlinkat (installation->root_fd, whole, 0);
  g_assert_no_errno (symlinkat (target, installation->root_fd, whole));
}

/* What a person put there stays, and is in nobody's way but its own. */
static void
test_foreign (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  put_link (installation, "share/applications/mine.desktop", "/etc/hostname");
  put_link (installation, ENTRY, "/etc/hostname");
  put_link (installation, "owners/org.test.Mine", "/etc");
  g_autoptr (GError) error = NULL;
  hf_autofd int bin_fd
      = hf_make_dirs (installation->root_fd, HF_EXPORTS_DIR "/bin", HF_MODE_DIR, &error);
  put_file (bin_fd, "org.test.App", "mine", 0755);
  g_autofree char *name = deploy_exporting (installation, APP, 'a', WRAPPER " " ENTRY " " ICON);
  assert_leads (installation, ICON, "a");
  assert_leads (installation, WRAPPER, "mine");
  g_assert_false (is_marked (installation));
  settle_marked (installation);
  undeploy (installation, APP);
  settle_marked (installation);
  assert_leads (installation, WRAPPER, "mine");
  g_autofree char *entry = hf_link_read (installation->root_fd, HF_EXPORTS_DIR "/" ENTRY);
  g_assert_cmpstr (entry, ==, "/etc/hostname");
  g_assert_true (exists (installation->root_fd, HF_EXPORTS_DIR "/owners/org.test.Mine"));
  g_assert_true (exists (installation->root_fd, HF_EXPORTS_DIR "/share/applications/mine.desktop"));
}

/* A directory of exports/ that is a symlink leads nowhere that is written to. */
static void
test_symlinked (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  put_dir (fixture->dir_fd, "elsewhere", HF_MODE_DIR);
  put_link (installation, "share", "../../elsewhere");
  g_autofree char *name = deploy_exporting (installation, APP, 'a', WRAPPER " " ENTRY);
  g_assert_cmpuint (count_names (fixture->dir_fd, "elsewhere"), ==, 0);
  assert_leads (installation, WRAPPER, "a");
  /* It is deployed, and what is missing is tried again. */
  g_assert_true (is_marked (installation));
  g_autofree char *active = active_of (installation, APP);
  g_assert_cmpstr (active, ==, name);
  g_assert_no_errno (unlinkat (installation->root_fd, HF_EXPORTS_DIR "/share", 0));
  settle_marked (installation);
  assert_leads (installation, ENTRY, "a");
}

/* Names lead on by their owner: there are none where that is somebody else's. */
static void
test_foreign_owner (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GError) error = NULL;
  hf_autofd int fd = hf_make_dirs (installation->root_fd, HF_EXPORTS_DIR "/owners/org.test.App",
                                   HF_MODE_DIR, &error);
  put_file (fd, "mine", "mine", 0644);
  g_autofree char *name = deploy_exporting (installation, APP, 'a', WRAPPER " " ENTRY);
  g_assert_cmpuint (count_names (installation->root_fd, HF_EXPORTS_DIR), ==, 1);
  g_assert_false (is_marked (installation));
  put_link (installation, WRAPPER, "../owners/org.test.App/export/" WRAPPER);
  settle_marked (installation);
  g_assert_cmpuint (count_names (installation->root_fd, HF_EXPORTS_DIR), ==, 1);
  g_assert_no_errno (unlinkat (fd, "mine", 0));
  g_assert_no_errno (
      unlinkat (installation->root_fd, HF_EXPORTS_DIR "/owners/org.test.App", AT_REMOVEDIR));
  settle_marked (installation);
  assert_leads (installation, ENTRY, "a");
  assert_leads (installation, WRAPPER, "a");
}

/* --- Crashes ---------------------------------------------------------------------------------- */

static void
test_settle_missing (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  static const char *const lost[] = { HF_EXPORTS_DIR "/" ENTRY, HF_EXPORTS_DIR "/" WRAPPER,
                                      HF_EXPORTS_DIR "/owners/org.test.App" };
  g_autofree char *name = deploy_exporting (installation, APP, 'a', WRAPPER " " ENTRY " " ICON);
  for (gsize i = 0; i < G_N_ELEMENTS (lost); i++)
    {
      g_assert_no_errno (unlinkat (installation->root_fd, lost[i], 0));
      settle_marked (installation);
      assert_leads (installation, ENTRY, "a");
      assert_leads (installation, WRAPPER, "a");
    }
}

static void
test_settle_strays (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *name = deploy_exporting (installation, APP, 'a', ENTRY);
  /* What an update cut short would have withdrawn, what one of another ID left, temporary names, and
   * directories that were just made. */
  put_link (installation, SECOND, "../../owners/org.test.App/export/" SECOND);
  put_link (installation, "share/applications/org.test.Gone.desktop",
            "../../owners/org.test.Gone/export/share/applications/org.test.Gone.desktop");
  put_link (installation, "owners/org.test.Gone",
            "../../deploy/app/org.test.Gone/x86_64/stable/active");
  put_link (installation, "owners/.new", "../../deploy/app/org.test.Gone/x86_64/stable/active");
  put_link (installation, "share/applications/.new", "x");
  put_link (installation, "share/man/man1/x", "x");
  g_assert_no_errno (unlinkat (installation->root_fd, HF_EXPORTS_DIR "/share/man/man1/x", 0));
  put_link (installation, ENTRY, "../../owners/org.test.Gone/export/" ENTRY);
  g_assert_cmpuint (count_names (installation->root_fd, HF_EXPORTS_DIR "/share"), ==, 2);
  settle_marked (installation);
  assert_leads (installation, ENTRY,
                "dangling"); /* it is not one of ours: of no ID that has the name */
  put_link (installation, ENTRY, "../../owners/org.test.App/tree/export/" ENTRY);
  settle_marked (installation);
  assert_leads (installation, ENTRY, "a");
  g_assert_cmpuint (count_names (installation->root_fd, HF_EXPORTS_DIR "/share"), ==, 1);
  g_assert_cmpuint (count_names (installation->root_fd, HF_EXPORTS_DIR "/share/applications"), ==,
                    1);
  g_assert_cmpuint (count_names (installation->root_fd, HF_EXPORTS_DIR "/owners"), ==, 1);
}

/* `active` was flipped, and nothing of exports/ followed. */
static void
test_settle_flipped (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=1");
  g_autofree char *first = deploy_exporting (installation, APP, 'a', ENTRY);
  g_autofree char *next = deploy_exporting (installation, APP, 'b', SECOND);
  hf_autofd int branch_fd = open_dir_at (installation->deploy_fd, APP);
  g_assert_no_errno (unlinkat (branch_fd, HF_ACTIVE_LINK, 0));
  g_assert_no_errno (symlinkat (first, branch_fd, HF_ACTIVE_LINK));
  assert_leads (installation, SECOND, "dangling");
  settle_marked (installation);
  assert_leads (installation, SECOND, NULL);
  assert_leads (installation, ENTRY, "a");
  /* And a removal that came as far as `active`. */
  g_assert_no_errno (unlinkat (branch_fd, HF_ACTIVE_LINK, 0));
  settle_marked (installation);
  assert_empty (installation);
}

/* A deployment whose list of names was damaged still goes, and takes its names with it. */
static void
test_damaged (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *name = deploy_exporting (installation, APP, 'a', WRAPPER " " ENTRY);
  g_autofree char *path = deployed_path (APP, name);
  g_autofree char *manifest = g_strconcat (path, "/export/manifest", NULL);
  g_assert_no_errno (unlinkat (installation->root_fd, manifest, 0));
  put_file (installation->root_fd, manifest, "../../../etc/passwd\n", 0644);
  undeploy (installation, APP);
  g_assert_true (is_marked (installation));
  settle (installation);
  assert_nothing_to_settle (installation);
  assert_empty (installation);
}

static void
test_dry_run (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *name = deploy_exporting (installation, APP, 'a', WRAPPER " " ENTRY);
  put_link (installation, "share/man/man1/org.test.App.1",
            "../../../owners/org.test.App/tree/export/share/man/man1/org.test.App.1");
  g_assert_no_errno (unlinkat (installation->root_fd, HF_EXPORTS_DIR "/" WRAPPER, 0));
  set_mark (installation);
  guint64 bytes, inodes, real_bytes, real_inodes;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) leaving = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (HfLedger) dry = hf_ledger_new (TRUE, NULL);
  installation->ledger = dry;
  (void)!hf_settle_look (installation, leaving, &error);
  g_assert_no_error (error);
  hf_ledger_get (dry, &bytes, &inodes);
  g_assert_true (exists (installation->root_fd, HF_EXPORTS_DIR "/share/man/man1/org.test.App.1"));
  g_assert_false (exists (installation->root_fd, HF_EXPORTS_DIR "/" WRAPPER));
  g_autoptr (HfLedger) real = hf_ledger_new (FALSE, NULL);
  installation->ledger = real;
  settle (installation);
  hf_ledger_get (real, &real_bytes, &real_inodes);
  installation->ledger = NULL;
  g_assert_cmpuint (inodes, ==, 3); /* the link and two directories */
  g_assert_cmpuint (real_inodes, ==, inodes);
  g_assert_cmpuint (real_bytes, ==, bytes);
  assert_nothing_to_settle (installation);
}

/* --- The configuration -------------------------------------------------------------------------- */

static void
set_exports (HfInstallation *installation, const char *value)
{
  g_autoptr (GError) error = NULL;
  (void)!hf_config_set (installation, "exports", value, &error);
  g_assert_no_error (error);
}

static void
test_configuration (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *first = deploy_exporting (installation, APP, 'a', WRAPPER " " ENTRY);
  set_exports (installation, "no");
  assert_empty (installation);
  g_autofree char *second = deploy_exporting (installation, APP, 'b', WRAPPER " " ENTRY);
  assert_empty (installation);
  assert_nothing_to_settle (installation);
  set_exports (installation, "yes");
  assert_leads (installation, ENTRY, "b");
  set_exports (installation, "no");
  undeploy (installation, APP);
  assert_empty (installation);
}

#define ADD(name, function)                                                                        \
  g_test_add ("/exports/" name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("names follow install, update, rollback, uninstall and restore", test_life);
  ADD ("deployments without an export directory", test_without);
  ADD ("an installation without its directory", test_without_directory);
  ADD ("several branches and architectures of one ID", test_branches);
  ADD ("an ID that is the beginning of another", test_prefix);
  ADD ("what is not ours stays", test_foreign);
  ADD ("no symlink is followed", test_symlinked);
  ADD ("no name is made without its owner", test_foreign_owner);
  ADD ("settling makes what is missing", test_settle_missing);
  ADD ("settling removes what nothing exports", test_settle_strays);
  ADD ("settling follows the active deployment", test_settle_flipped);
  ADD ("a damaged list of names", test_damaged);
  ADD ("a dry run counts what goes", test_dry_run);
  ADD ("the configuration can forbid it", test_configuration);
  return g_test_run ();
}
