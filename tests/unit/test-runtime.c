/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runtimes that installations share: an application may be published, rolled back and restored on one of another
 * installation, and what others need there counts as needed.
 */
#include "core/runtime.h"

#include "core/deployed.h"
#include "core/publish.h"
#include "core/remove.h"
#include "core/restore.h"
#include "core/rollback.h"
#include "core/unused.h"
#include "support.h"

#include <string.h>

#define PREVIOUS_KEPT "keep-previous=1"

typedef struct
{
  Fixture base;
  HfInstallation *first;  /* not owned; it knows the two others */
  HfInstallation *second; /* not owned; it knows the first and the third */
  HfInstallation *third;  /* not owned */
} Shared;

static HfInstallation *
open_at (const Shared *shared, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (shared->base.dir, name, NULL);
  HfInstallation *installation = hf_installation_open (path, HF_OPEN_OR_CREATE, &error);
  g_assert_no_error (error);
  return installation;
}

/* Each with descriptors of its own, as the program has them. */
static void
share (const Shared *shared, HfInstallation *installation, const char *one, const char *other)
{
  installation->others = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_installation_free);
  g_ptr_array_add (installation->others, open_at (shared, one));
  g_ptr_array_add (installation->others, open_at (shared, other));
}

static void
set_up (Shared *shared, gconstpointer data)
{
  fixture_set_up_empty (&shared->base, data);
  shared->first = open_at (shared, "first");
  shared->second = open_at (shared, "second");
  shared->third = open_at (shared, "third");
  share (shared, shared->first, "second", "third");
  share (shared, shared->second, "first", "third");
  share (shared, shared->third, "first", "second");
}

static void
tear_down (Shared *shared, gconstpointer data)
{
  hf_installation_free (shared->first);
  hf_installation_free (shared->second);
  hf_installation_free (shared->third);
  fixture_tear_down (&shared->base, data);
}

static gboolean
publish (HfInstallation *installation, const char *ref, char digit, GError **error)
{
  g_autoptr (HfDeploymentInfo) info = info_of (ref, digit, RUNTIME);
  g_autoptr (HfStaging) staging = stage (installation, info);
  g_autofree char *before = active_of (installation, ref);
  return hf_publish (staging, info, before, FALSE, error);
}

static void
assert_published (HfInstallation *installation, const char *ref, char digit)
{
  g_autoptr (GError) error = NULL;
  (void)!publish (installation, ref, digit, &error);
  g_assert_no_error (error);
}

static void
remove_ref (HfInstallation *installation, const char *text, gboolean force, int code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (text);
  g_assert_cmpint (hf_remove_ref (installation, ref, force, &error), ==, code < 0);
  if (code >= 0)
    g_assert_error (error, HF_ERROR, code);
}

/* The applications, with the names of where they are. */
static void
assert_dependents (HfInstallation *installation, const char *expected)
{
  g_autoptr (GString) found = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) dependents = hf_runtime_dependents (installation, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < dependents->len; i++)
    {
      const HfDependent *one = dependents->pdata[i];
      g_autofree char *where = g_path_get_basename (one->where->path);
      g_string_append_printf (found, "%s%s of %s", i > 0 ? ", " : "", one->deployed->ref->id,
                              where);
    }
  g_assert_cmpstr (found->str, ==, expected);
}

static void
test_publish (Shared *shared, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (publish (shared->first, APP, 'a', &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
  g_autofree char *name = deploy (shared->third, RUNTIME, 'b');
  assert_published (shared->first, APP, 'a');
}

/* By itself an installation shares nothing. */
static void
test_alone (Shared *shared, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = deploy (shared->third, RUNTIME, 'b');
  g_clear_pointer (&shared->first->others, g_ptr_array_unref);
  g_assert_false (publish (shared->first, APP, 'a', &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
  assert_dependents (shared->first, "");
}

static void
test_back (Shared *shared, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) app = ref_of (APP);
  g_autofree char *commit = NULL;
  g_autofree char *name = deploy (shared->second, RUNTIME, 'b');
  configure (shared->first, PREVIOUS_KEPT);
  assert_published (shared->first, APP, 'a');
  assert_published (shared->first, APP, 'c');
  (void)!hf_rollback (shared->first, app, NULL, &commit, &error);
  g_assert_no_error (error);
  g_assert_cmpint (commit[0], ==, 'a');
  remove_ref (shared->first, APP, FALSE, -1);
  g_autoptr (GPtrArray) list = hf_restorable_list (shared->first, NULL, &error);
  g_assert_no_error (error);
  (void)!hf_restore (shared->first, list->pdata[0], FALSE, NULL, &error);
  g_assert_no_error (error);
  /* And not without it. */
  remove_ref (shared->second, RUNTIME, TRUE, -1);
  g_clear_pointer (&commit, g_free);
  g_assert_false (hf_rollback (shared->first, app, NULL, &commit, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_NOT_FOUND);
}

static void
test_needed (Shared *shared, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) runtime = ref_of (RUNTIME);
  g_autofree char *name = deploy (shared->second, RUNTIME, 'b');
  assert_published (shared->first, APP, 'a');
  assert_published (shared->third, OTHER, 'c');
  assert_dependents (shared->second, "org.test.App of first, org.test.Other of third");
  assert_dependents (shared->first, "");
  remove_ref (shared->second, RUNTIME, FALSE, HF_ERROR_IN_USE);
  g_assert_false (hf_remove_unused (shared->second, runtime, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_IN_USE);
  g_autoptr (GPtrArray) unused = hf_unused_list (shared->second, NULL);
  g_assert_cmpuint (unused->len, ==, 0);
  /* With another one they can do without it, and that one can go as well as this. */
  g_autofree char *own = deploy (shared->first, RUNTIME, 'd');
  assert_dependents (shared->second, "");
  assert_dependents (shared->first, "");
  remove_ref (shared->second, RUNTIME, FALSE, -1);
  assert_dependents (shared->first, "org.test.Other of third");
  remove_ref (shared->third, OTHER, FALSE, -1);
  assert_dependents (shared->first, "");
}

/* What is kept for rollback counts, too. */
static void
test_previous (Shared *shared, gconstpointer data)
{
  g_autofree char *runtime = deploy (shared->second, RUNTIME, 'b');
  configure (shared->first, PREVIOUS_KEPT);
  assert_published (shared->first, APP, 'a');
  g_autofree char *name = deploy (shared->first, APP, 'c');
  assert_dependents (shared->second, "org.test.App of first");
  remove_ref (shared->second, RUNTIME, FALSE, HF_ERROR_IN_USE);
  remove_ref (shared->second, RUNTIME, TRUE, -1);
}

/* Whatever may be needed there stays, unless it is forced to go; and what needs no look goes. */
static void
assert_untold (HfInstallation *installation)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) runtime = ref_of (RUNTIME);
  g_assert_null (hf_runtime_dependents (installation, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
  g_clear_error (&error);
  g_assert_null (hf_unused_list (installation, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
  g_clear_error (&error);
  g_assert_false (hf_remove_ref (installation, runtime, FALSE, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_DAMAGED);
  g_assert_nonnull (strstr (error->message, "--force-remove"));
  g_clear_error (&error);
  g_autofree char *app = deploy (installation, OTHER, 'c');
  uninstall (installation, OTHER);
  (void)!hf_remove_ref (installation, runtime, TRUE, &error);
  g_assert_no_error (error);
}

static void
test_not_opened (Shared *shared, gconstpointer data)
{
  g_autofree char *name = deploy (shared->first, RUNTIME, 'b');
  shared->first->unread = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (shared->first->unread, g_strdup ("it has format 2"));
  assert_untold (shared->first);
}

static void
test_not_listed (Shared *shared, gconstpointer data)
{
  g_autofree char *name = deploy (shared->first, RUNTIME, 'b');
  HfInstallation *other = shared->first->others->pdata[0];
  hf_fd_clear (&other->deploy_fd);
  assert_untold (shared->first);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/runtime/" promise, Shared, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("an application is published on the runtime of another installation", test_publish);
  ADD ("an installation by itself has only its own", test_alone);
  ADD ("rollback and restore find the runtime there, too", test_back);
  ADD ("a runtime that others find nowhere else is needed", test_needed);
  ADD ("what others keep for rollback needs it, too", test_previous);
  ADD ("one that cannot be opened may need any", test_not_opened);
  ADD ("and one that cannot be listed", test_not_listed);
  return g_test_run ();
}
