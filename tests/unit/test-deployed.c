/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is deployed, as readers see it: `active` decides, and one bad deployment hides no other.
 */
#include "core/active.h"
#include "core/deployed.h"

#include "support.h"

#include <string.h>
#include <unistd.h>

static char *complaint; /* owned; what was printed on standard error */

static void
keep_complaint (const char *text)
{
  g_free (complaint);
  complaint = g_strdup (text);
}

/* The refs that are deployed, joined by spaces. */
static char *
listed (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) all = hf_deployed_list (fixture->installation, &error);
  g_assert_no_error (error);
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < all->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? " " : "",
                            ((HfDeployed *)all->pdata[i])->ref->full);
  return g_string_free (text, FALSE);
}

static void
assert_not_installed (Fixture *fixture, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (text);
  g_assert_null (hf_deployed_get (fixture->installation, ref, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, text));
}

static void
test_nothing (Fixture *fixture, gconstpointer data)
{
  g_autofree char *all = listed (fixture);
  g_autofree char *name = active_of (fixture->installation, APP);
  g_assert_cmpstr (all, ==, "");
  g_assert_null (name);
  assert_not_installed (fixture, APP);
}

static void
test_get (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autofree char *old = deploy (fixture->installation, APP, 'a');
  g_autofree char *new = deploy (fixture->installation, APP, 'b');
  g_autoptr (HfDeployed) deployed = hf_deployed_get (fixture->installation, ref, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (deployed->name, ==, new);
  g_assert_cmpint (deployed->info->commit[0], ==, 'b');
}

static void
test_list (Fixture *fixture, gconstpointer data)
{
  g_autofree char *one = deploy (fixture->installation, RUNTIME, 'a');
  g_autofree char *two = deploy (fixture->installation, OTHER, 'b');
  g_autofree char *three = deploy (fixture->installation, APP, 'c');
  g_autofree char *gone = removed (fixture->installation, "app/org.test.Gone/x86_64/1", 'd');
  g_autofree char *all = listed (fixture);
  g_assert_cmpstr (all, ==, APP " " OTHER " " RUNTIME);
}

static void
set_active (Fixture *fixture, const char *target)
{
  hf_autofd int branch_fd = open_dir_at (fixture->installation->deploy_fd, APP);
  (void)unlinkat (branch_fd, HF_ACTIVE_LINK, 0);
  g_assert_no_errno (symlinkat (target, branch_fd, HF_ACTIVE_LINK));
}

static void
test_foreign_active (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autofree char *path = g_strconcat ("./", name, NULL);
  const char *const targets[] = { "..", "/etc", "../../..", "x", path };
  for (gsize i = 0; i < G_N_ELEMENTS (targets); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (HfRef) ref = ref_of (APP);
      g_autofree char *active = NULL;
      set_active (fixture, targets[i]);
      g_assert_false (hf_active_read (fixture->installation, ref, &active, &error));
      g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
      g_assert_null (active);
    }
}

static void
test_out_of_service (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  g_autofree char *path = deployed_path (APP, name);
  fall_to (fixture->installation, path, HF_STATE_RETIRED);
  assert_not_installed (fixture, APP);
  g_autofree char *all = listed (fixture);
  g_assert_cmpstr (all, ==, "");
}

static void
test_forwarding (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = removed (fixture->installation, APP, 'a');
  set_active (fixture, hf_removed_name_deployment (strrchr (path, '/') + 1));
  assert_not_installed (fixture, APP);
}

static void
test_damaged (Fixture *fixture, gconstpointer data)
{
  g_autofree char *bad = deploy (fixture->installation, APP, 'a');
  g_autofree char *good = deploy (fixture->installation, OTHER, 'b');
  g_autofree char *path = deployed_path (APP, bad);
  g_autofree char *file = g_strconcat (path, "/", HF_DEPLOYMENT_FILE, NULL);
  g_assert_no_errno (fchmodat (fixture->installation->root_fd, file, 0666, 0));
  GPrintFunc before = g_set_printerr_handler (keep_complaint);
  g_autofree char *all = listed (fixture);
  (void)g_set_printerr_handler (before);
  g_assert_cmpstr (all, ==, OTHER);
  g_assert_nonnull (complaint);
  g_assert_nonnull (strstr (complaint, APP));
  g_clear_pointer (&complaint, g_free);
}

static void
test_strangers (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = deploy (fixture->installation, APP, 'a');
  int deploy_fd = fixture->installation->deploy_fd;
  put_file (deploy_fd, "README", "x", 0644);
  put_file (deploy_fd, "app/README", "x", 0644);
  put_file (deploy_fd, "app/org.test.App/README", "x", 0644);
  put_file (deploy_fd, "app/org.test.App/x86_64/README", "x", 0644);
  put_dir (deploy_fd, "app/lost+found", 0700);
  put_dir (deploy_fd, "app/org.test.App/x86_64/.bad", 0755);
  g_assert_no_errno (symlinkat ("org.test.App", deploy_fd, "app/org.test.Link"));
  g_assert_no_errno (symlinkat ("stable", deploy_fd, "app/org.test.App/x86_64/link"));
  g_autofree char *all = listed (fixture);
  g_assert_cmpstr (all, ==, APP);
}

typedef struct
{
  const char *text;
  const char *branch;
  const char *found; /* or NULL */
  HfErrorCode code;  /* where nothing is found */
} Find;

static const Find finds[] = {
  { "org.test.App", NULL, NULL, HF_ERROR_USAGE }, /* two branches */
  { "org.test.App", "stable", APP, 0 },
  { "org.test.App//stable", NULL, APP, 0 },
  { "org.test.App//stable", "beta", "app/org.test.App/x86_64/beta", 0 },
  { "other", NULL, OTHER, 0 },
  { "org.test.Both", NULL, "app/org.test.Both/x86_64/1", 0 },
  { "runtime/org.test.Both", NULL, "runtime/org.test.Both/x86_64/1", 0 },
  { "org.test.Absent", NULL, NULL, HF_ERROR_NOT_FOUND },
  { "org.test.App//edge", NULL, NULL, HF_ERROR_NOT_FOUND },
  { "org.test", NULL, NULL, HF_ERROR_NOT_FOUND },
  { "../x", NULL, NULL, HF_ERROR_USAGE },
};

static void
test_find (Fixture *fixture, gconstpointer data)
{
  static const char *const refs[]
      = { APP, "app/org.test.App/x86_64/beta", OTHER, "app/org.test.Both/x86_64/1",
          "runtime/org.test.Both/x86_64/1" };
  for (gsize i = 0; i < G_N_ELEMENTS (refs); i++)
    g_free (deploy (fixture->installation, refs[i], 'a'));
  for (gsize i = 0; i < G_N_ELEMENTS (finds); i++)
    {
      g_autoptr (GError) error = NULL;
      g_test_message ("%s", finds[i].text);
      g_autoptr (HfDeployed) deployed
          = hf_deployed_find (fixture->installation, finds[i].text, finds[i].branch, &error);
      if (finds[i].found == NULL)
        g_assert_error (error, HF_ERROR, (int)finds[i].code);
      else
        g_assert_no_error (error);
      g_assert_cmpstr (deployed == NULL ? NULL : deployed->ref->full, ==, finds[i].found);
    }
}

static void
test_native (Fixture *fixture, gconstpointer data)
{
  g_autofree char *native = g_strdup_printf ("app/org.test.Many/%s/1", hf_ref_default_arch ());
  g_autofree char *one = deploy (fixture->installation, native, 'a');
  g_autofree char *two = deploy (fixture->installation, "app/org.test.Many/sparc/1", 'b');
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeployed) deployed
      = hf_deployed_find (fixture->installation, "org.test.Many", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (deployed->ref->full, ==, native);
}

static void
test_never_published (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *active = deploy (fixture->installation, APP, 'a');
  g_autofree char *beside = deploy_orphan (fixture->installation, APP, 'b', HF_STATE_COMPLETE);
  g_autofree char *alone = deploy_orphan (fixture->installation, OTHER, 'c', HF_STATE_COMPLETE);
  g_autoptr (GPtrArray) all = hf_deployed_list_in_service (fixture->installation, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (all->len, ==, 1);
  g_assert_cmpstr (((HfDeployed *)all->pdata[0])->name, ==, active);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/deployed/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("an empty installation has nothing", test_nothing);
  ADD ("what active names is deployed", test_get);
  ADD ("a list has every deployed ref in order and no removed one", test_list);
  ADD ("an active that names no deployment is damage and followed nowhere", test_foreign_active);
  ADD ("what is out of service in place is not installed", test_out_of_service);
  ADD ("an active that forwards is not installed", test_forwarding);
  ADD ("a damaged deployment is named and hides no other", test_damaged);
  ADD ("what is not ours below deploy is passed over", test_strangers);
  ADD ("what a person typed finds the one ref that is meant", test_find);
  ADD ("what was never published is not in service", test_never_published);
  ADD ("of two architectures this machine's is meant", test_native);
  return g_test_run ();
}
