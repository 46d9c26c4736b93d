/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A deployment's `deployment` file, whose mode is its state, and the names that deployments have.
 */
#include "core/deployment.h"

#include "support.h"

#include <string.h>
#include <unistd.h>

static void
test_round_trip (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', RUNTIME);
  info->copies = TRUE;
  info->installed_size = G_GUINT64_CONSTANT (18000000000000000000);
  (void)!hf_deployment_write (fixture->dir_fd, info, &error);
  g_assert_no_error (error);
  g_autoptr (HfDeploymentInfo) read = hf_deployment_read (fixture->dir_fd, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (read->ref->full, ==, APP);
  g_assert_cmpstr (read->commit, ==, info->commit);
  g_assert_cmpstr (read->origin, ==, "local");
  g_assert_cmpstr (read->runtime, ==, RUNTIME);
  g_assert_cmpuint (read->installed_size, ==, info->installed_size);
  g_assert_cmpint (read->time, ==, info->time);
  g_assert_true (read->copies);
  g_autofree char *only = only_name (fixture->dir_fd, ".");
  g_assert_cmpstr (only, ==, HF_DEPLOYMENT_FILE);
}

static HfDeploymentState
state_of (const Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  HfDeploymentState state;
  (void)!hf_deployment_get_state (fixture->dir_fd, &state, &error);
  g_assert_no_error (error);
  return state;
}

static void
test_states (Fixture *fixture, gconstpointer data)
{
  static const HfDeploymentState falling[]
      = { HF_STATE_SETTLED, HF_STATE_RETIRED, HF_STATE_DELETING, HF_STATE_PRUNED };
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', NULL);
  g_assert_cmpuint (state_of (fixture), ==, HF_STATE_ABSENT);
  mode_t mask = umask (077);
  (void)!hf_deployment_write (fixture->dir_fd, info, &error);
  (void)umask (mask);
  g_assert_no_error (error);
  g_assert_cmpuint (state_of (fixture), ==, HF_STATE_COMPLETE);
  g_assert_true (hf_state_in_service (HF_STATE_COMPLETE));
  for (gsize i = 0; i < G_N_ELEMENTS (falling); i++)
    {
      (void)!hf_deployment_set_state (fixture->dir_fd, falling[i], &error);
      g_assert_no_error (error);
      g_assert_cmpuint (state_of (fixture), ==, falling[i]);
      g_assert_cmpuint (mode_at (fixture->dir_fd, HF_DEPLOYMENT_FILE), ==, falling[i]);
      g_assert_cmpint (hf_state_in_service (falling[i]), ==, falling[i] == HF_STATE_SETTLED);
    }
  g_assert_false (hf_state_in_service (HF_STATE_ABSENT));
}

static void
assert_no_state (const Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  HfDeploymentState state = HF_STATE_SETTLED;
  g_assert_false (hf_deployment_get_state (fixture->dir_fd, &state, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
}

static void
test_no_state (Fixture *fixture, gconstpointer data)
{
  static const mode_t modes[] = { 0, 0400 | 02000, 0600, 0640, 0644 | 04000, 0755, 0777 };
  put_file (fixture->dir_fd, HF_DEPLOYMENT_FILE, "", 0644);
  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_assert_no_errno (fchmodat (fixture->dir_fd, HF_DEPLOYMENT_FILE, modes[i], 0));
      assert_no_state (fixture);
    }
  g_assert_no_errno (unlinkat (fixture->dir_fd, HF_DEPLOYMENT_FILE, 0));
  put_file (fixture->dir_fd, "other", "", 0644);
  g_assert_no_errno (symlinkat ("other", fixture->dir_fd, HF_DEPLOYMENT_FILE));
  assert_no_state (fixture);
  g_autoptr (GError) error = NULL;
  g_assert_false (hf_deployment_set_state (fixture->dir_fd, HF_STATE_PRUNED, &error));
  g_assert_cmpuint (mode_at (fixture->dir_fd, "other"), ==, 0644);
  g_assert_no_errno (unlinkat (fixture->dir_fd, HF_DEPLOYMENT_FILE, 0));
  put_dir (fixture->dir_fd, HF_DEPLOYMENT_FILE, 0755);
  assert_no_state (fixture);
  g_assert_no_errno (unlinkat (fixture->dir_fd, HF_DEPLOYMENT_FILE, AT_REMOVEDIR));
  g_assert_no_errno (mkfifoat (fixture->dir_fd, HF_DEPLOYMENT_FILE, 0644));
  assert_no_state (fixture);
}

static void
test_absent (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (hf_deployment_read (fixture->dir_fd, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
}

static void
test_unreadable (Fixture *fixture, gconstpointer data)
{
  g_autofree char *commit = g_strnfill (64, 'a');
  g_autofree char *large = g_strnfill (1024 * 1024, '#');
  g_autofree char *bad_ref
      = g_strdup_printf ("[Deployment]\nref=app/../x/y\ncommit=%s\norigin=local\n", commit);
  g_autofree char *no_ref = g_strdup_printf ("[Deployment]\ncommit=%s\norigin=local\n", commit);
  g_autofree char *no_origin = g_strdup_printf ("[Deployment]\nref=" APP "\ncommit=%s\n", commit);
  const char *const texts[] = { "",
                                "rubbish",
                                "[Other]\nref=x\n",
                                large,
                                bad_ref,
                                no_ref,
                                no_origin,
                                "[Deployment]\nref=" APP "\ncommit=../../etc\norigin=local\n",
                                "[Deployment]\nref=" APP "\norigin=local\n" };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      put_file (fixture->dir_fd, HF_DEPLOYMENT_FILE, texts[i], 0644);
      g_assert_null (hf_deployment_read (fixture->dir_fd, &error));
      g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
      g_assert_no_errno (unlinkat (fixture->dir_fd, HF_DEPLOYMENT_FILE, 0));
    }
}

static void
test_names (void)
{
  g_autofree char *commit = g_strnfill (64, 'c');
  g_autofree char *serial = hf_serial_new ();
  g_autofree char *name = hf_deployment_name (commit, serial);
  g_autofree char *read_commit = NULL, *read_serial = NULL;
  g_assert_true (hf_deployment_name_parse (name, &read_commit, &read_serial));
  g_assert_cmpstr (read_commit, ==, commit);
  g_assert_cmpstr (read_serial, ==, serial);
  g_assert_true (hf_deployment_name_parse (name, NULL, NULL));

  g_autofree char *gone = hf_removed_name (name);
  g_assert_cmpstr (hf_removed_name_deployment (gone), ==, name);
  g_assert_false (hf_deployment_name_parse (gone, NULL, NULL));
  g_assert_null (hf_removed_name_deployment (name));
  g_assert_null (hf_removed_name_deployment ("12.34"));
  g_assert_null (hf_removed_name_deployment ("12"));
  g_assert_null (hf_removed_name_deployment (""));

  g_autofree char *no_serial = g_strconcat (commit, ".", NULL);
  g_autofree char *upwards = g_strconcat (commit, ".../", NULL);
  g_autofree char *deeper = g_strconcat (commit, ".0/x", NULL);
  const char *const others[] = { "",
                                 ".",
                                 "..",
                                 "x",
                                 commit,
                                 no_serial,
                                 upwards,
                                 deeper,
                                 "abc.1",
                                 HF_ACTIVE_LINK,
                                 HF_ACTIVE_LINK_NEW };
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    g_assert_false (hf_deployment_name_parse (others[i], NULL, NULL));
}

static void
test_serials (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < 1000; i++)
    g_assert_true (g_hash_table_add (seen, hf_serial_new ()));
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/deployment/" promise, Fixture, NULL, fixture_set_up_empty, function,               \
              fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("what is recorded is read back", test_round_trip);
  ADD ("the mode is the state whatever the umask", test_states);
  ADD ("any other mode or kind of file is damage", test_no_state);
  ADD ("a deployment without its file is told apart", test_absent);
  ADD ("a file that makes no sense is damage", test_unreadable);
  g_test_add_func ("/deployment/only names of deployments are taken for them", test_names);
  g_test_add_func ("/deployment/no serial comes twice", test_serials);
  return g_test_run ();
}
