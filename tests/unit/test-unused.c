/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which runtimes are unused: what counts as a need, and that whoever cannot tell says so and takes nothing.
 */
#include "core/unused.h"

#include "core/lease.h"
#include "core/remove.h"
#include "core/roots.h"
#include "support.h"

#include <string.h>
#include <sys/resource.h>

#define SECOND "runtime/org.test.Second/x86_64/1"

/* The refs, with a star after what is in use. */
static void
assert_unused (HfInstallation *installation, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) found = g_string_new (NULL);
  g_autoptr (GPtrArray) unused = hf_unused_list (installation, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < unused->len; i++)
    {
      const HfDeployed *one = unused->pdata[i];
      g_assert_cmpint (one->standing, ==, HF_STANDING_ACTIVE);
      g_string_append_printf (found, "%s%s%s", i > 0 ? " " : "", one->ref->full,
                              one->in_use ? "*" : "");
    }
  g_assert_cmpstr (found->str, ==, expected);
}

static void
assert_check (HfInstallation *installation, const char *text, int code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (text);
  g_assert_cmpint (hf_unused_check (installation, ref, &error), ==, code < 0);
  if (code >= 0)
    g_assert_error (error, HF_ERROR, code);
}

static void
test_needed (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  assert_unused (installation, "");
  assert_check (installation, RUNTIME, HF_ERROR_NOT_FOUND);
  g_autofree char *name = deploy (installation, RUNTIME, 'a');
  g_autofree char *other = deploy (installation, SECOND, 'b');
  g_free (deploy_needing (installation, SECOND, 'd', SECOND));
  assert_unused (installation, RUNTIME " " SECOND);
  g_free (deploy_needing (installation, APP, 'c', RUNTIME));
  assert_unused (installation, SECOND);
  assert_check (installation, RUNTIME, HF_ERROR_IN_USE);
  assert_check (installation, APP, HF_ERROR_IN_USE);
  assert_check (installation, SECOND, -1);
}

/* The one before counts as long as it is kept. */
static void
test_previous (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=1");
  g_autofree char *first = deploy (installation, RUNTIME, 'a');
  g_autofree char *second = deploy (installation, SECOND, 'b');
  g_free (deploy_needing (installation, APP, 'c', RUNTIME));
  g_free (deploy_needing (installation, APP, 'd', SECOND));
  assert_unused (installation, "");
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (RUNTIME);
  g_assert_false (hf_remove_ref (installation, ref, FALSE, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_IN_USE);
  g_assert_nonnull (strstr (error->message, "rollback"));
  g_free (deploy_needing (installation, APP, 'e', SECOND));
  assert_unused (installation, RUNTIME);
}

/* Damage keeps nothing else. */
static void
test_damaged (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *name = deploy (installation, RUNTIME, 'a');
  g_free (deploy_needing (installation, APP, 'b', RUNTIME));
  g_autofree char *app = active_of (installation, APP);
  g_autofree char *path = deployed_path (APP, app);
  hf_autofd int fd = open_dir_at (installation->root_fd, path);
  g_assert_no_errno (unlinkat (fd, HF_DEPLOYMENT_FILE, 0));
  put_file (fd, HF_DEPLOYMENT_FILE, "garbage", 0644);
  assert_unused (installation, RUNTIME);
}

static void
test_held (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (RUNTIME);
  g_autofree char *name = deploy (installation, RUNTIME, 'a');
  g_autoptr (HfLease) lease = hf_lease_acquire (installation, ref, &error);
  g_assert_no_error (error);
  assert_unused (installation, RUNTIME "*");
  g_assert_false (hf_remove_unused (installation, ref, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_IN_USE);
  g_clear_error (&error);
  g_clear_pointer (&lease, hf_lease_free);
  assert_unused (installation, RUNTIME);
  (void)!hf_remove_unused (installation, ref, &error);
  g_assert_no_error (error);
  g_assert_false (hf_remove_unused (installation, ref, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
  g_assert_false (is_marked (installation));
}

static void
test_rooted (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GError) error = NULL;
  g_autofree char *first = deploy (installation, RUNTIME, 'a');
  g_free (deploy_needing (installation, APP, 'b', RUNTIME));
  add_root (installation, "local/mine", APP, NULL);
  uninstall (installation, APP);
  assert_unused (installation, "");
  (void)!hf_root_remove (installation, "local/mine", &error);
  g_assert_no_error (error);
  assert_unused (installation, RUNTIME);
}

/* With too few descriptors an application looks as if it were not there: nothing is unused then. */
static void
starved (gpointer data)
{
  HfInstallation *installation = data;
  g_autoptr (HfRef) ref = ref_of (RUNTIME);
  guint refused = 0;
  for (rlim_t most = 3; most < 40; most++)
    {
      g_autoptr (GError) error = NULL;
      const struct rlimit limit = { most, 40 };
      g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &limit));
      g_assert_false (hf_remove_unused (installation, ref, &error));
      refused += hf_error_is (error, HF_ERROR_FAILED) ? 1 : 0;
      g_clear_error (&error);
      g_assert_false (hf_remove_ref (installation, ref, FALSE, &error));
    }
  g_assert_cmpuint (refused, >, 0);
}

static void
test_starved (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, RUNTIME, 'a');
  g_free (deploy_needing (fixture->installation, APP, 'b', RUNTIME));
  run_child (starved, fixture->installation);
}

#define ADD(path, function)                                                                        \
  g_test_add ("/unused/" path, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("what-something-deployed-names-is-needed", test_needed);
  ADD ("what-an-earlier-deployment-names-is-needed", test_previous);
  ADD ("what-is-damaged-needs-nothing", test_damaged);
  ADD ("what-is-held-is-marked-and-stays", test_held);
  ADD ("what-a-rooted-deployment-needs-is-needed", test_rooted);
  ADD ("a-shortage-of-descriptors-makes-nothing-unused", test_starved);
  return g_test_run ();
}
