/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What may be given up, and that each is decided on again when it is taken.  Whole sweeps that give up are in
 * test-pressure.c.
 */
#include "core/surplus.h"

#include "core/rollback.h"
#include "support.h"

#include <string.h>
#include <unistd.h>

static GPtrArray *
list (HfInstallation *installation, HfSurplusKind kind)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *found = hf_surplus_list (installation, kind, &error);
  g_assert_no_error (error);
  return found;
}

/* The first digits of their commits, in this order. */
static void
assert_listed (HfInstallation *installation, HfSurplusKind kind, const char *expected)
{
  g_autoptr (GString) digits = g_string_new (NULL);
  g_autoptr (GPtrArray) found = list (installation, kind);
  for (guint i = 0; i < found->len; i++)
    {
      const HfSurplus *one = found->pdata[i];
      g_assert_cmpint (one->kind, ==, kind);
      g_assert_cmpint (one->entry != NULL, ==, kind == HF_SURPLUS_REMOVED);
      g_string_append_c (digits, one->name[0]);
    }
  g_assert_cmpstr (digits->str, ==, expected);
}

/* Takes it: what is to be deleted is then ours, or there is a reason. */
static GPtrArray *
take (HfInstallation *installation, const HfSurplus *surplus, const char *why)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfTrashEntry) held = NULL;
  g_autofree char *told = NULL;
  GPtrArray *entries = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_trash_entry_free);
  (void)!hf_surplus_take (installation, surplus, entries, &told, &held, &error);
  g_assert_no_error (error);
  g_assert_cmpint (entries->len > 0, ==, why == NULL);
  if (why == NULL)
    g_assert_null (told);
  else
    {
      g_test_message ("%s", told);
      g_assert_nonnull (strstr (told, why));
    }
  g_assert_cmpint (held != NULL, ==, why != NULL && strcmp (why, "in use") == 0);
  g_assert_false (is_marked (installation));
  return entries;
}

static void
assert_stays (HfInstallation *installation, const HfSurplus *surplus, const char *why)
{
  g_autoptr (GPtrArray) none = take (installation, surplus, why);
}

/* Out of service, in removed/, and nobody else's until it is freed. */
static void
assert_taken (HfInstallation *installation, const HfSurplus *surplus, guint expected)
{
  g_autoptr (GPtrArray) entries = take (installation, surplus, NULL);
  g_assert_cmpuint (entries->len, ==, expected);
  for (guint i = 0; i < entries->len; i++)
    {
      const HfTrashEntry *entry = entries->pdata[i];
      g_assert_true (g_str_has_prefix (entry->path, HF_REMOVED_DIR "/"));
      g_assert_cmpuint (entry->state, ==, HF_STATE_SETTLED);
      hf_autofd int fd = open_dir_at (installation->root_fd, entry->path);
      g_assert_true (is_locked (fd, HF_REF_FILE));
    }
}

static void
test_lists (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=5\nkeep-removed=1h");
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy (installation, APP, 'b');
  g_autofree char *c = deploy (installation, APP, 'c');
  g_autofree char *d = deploy (installation, RUNTIME, 'd');
  g_autofree char *gone = removed (installation, OTHER, 'e');
  assert_listed (installation, HF_SURPLUS_REMOVED, "e");
  assert_listed (installation, HF_SURPLUS_PREVIOUS, "ab");
  assert_listed (installation, HF_SURPLUS_UNUSED, "d");
}

/* What somebody asked to keep is nothing to give up. */
static void
test_rooted (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=5");
  g_autofree char *a = deploy (installation, APP, 'a');
  add_root (installation, "local/one", APP, NULL);
  g_autofree char *b = deploy (installation, APP, 'b');
  g_autofree char *c = deploy (installation, APP, 'c');
  g_autofree char *d = deploy (installation, OTHER, 'd');
  add_root (installation, "local/two", OTHER, NULL);
  uninstall (installation, OTHER);
  assert_listed (installation, HF_SURPLUS_PREVIOUS, "b");
  assert_listed (installation, HF_SURPLUS_REMOVED, "");
}

static void
test_taken (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=5");
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy (installation, APP, 'b');
  g_autofree char *gone = removed (installation, OTHER, 'e');
  g_autofree char *c = deploy (installation, RUNTIME, 'c');
  g_autofree char *d = deploy (installation, RUNTIME, 'd');
  g_autoptr (GPtrArray) old = list (installation, HF_SURPLUS_REMOVED);
  assert_taken (installation, old->pdata[0], 1);
  g_autoptr (GPtrArray) previous = list (installation, HF_SURPLUS_PREVIOUS);
  assert_taken (installation, previous->pdata[0], 1);
  g_autofree char *active = active_of (installation, APP);
  g_assert_cmpstr (active, ==, b);
  /* A runtime goes with all that is kept of it. */
  g_autoptr (GPtrArray) unused = list (installation, HF_SURPLUS_UNUSED);
  assert_taken (installation, unused->pdata[0], 2);
  g_assert_null (active_of (installation, RUNTIME));
  g_assert_cmpuint (count_names (installation->root_fd, HF_REMOVED_DIR), ==, 4);
}

static void
test_changed_since (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) app = ref_of (APP);
  g_autofree char *commit = NULL;
  configure (installation, "keep-previous=5");
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy (installation, APP, 'b');
  g_autoptr (GPtrArray) previous = list (installation, HF_SURPLUS_PREVIOUS);
  (void)!hf_rollback (installation, app, NULL, &commit, &error);
  g_assert_no_error (error);
  assert_stays (installation, previous->pdata[0], "it is active by now");
  add_root (installation, "local/mine", APP, NULL);
  g_clear_pointer (&commit, g_free);
  (void)!hf_rollback (installation, app, NULL, &commit, &error);
  g_assert_no_error (error);
  assert_stays (installation, previous->pdata[0], "root local/mine keeps it by now");
  uninstall (installation, APP);
  assert_stays (installation, previous->pdata[0], "it is gone by now");
}

static void
test_removed_since (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *gone = removed (installation, OTHER, 'e');
  g_autoptr (GPtrArray) old = list (installation, HF_SURPLUS_REMOVED);
  fall_to (installation, gone, HF_STATE_DELETING);
  assert_stays (installation, old->pdata[0], "it is gone by now");
  g_autofree char *runtime = deploy (installation, RUNTIME, 'c');
  g_autoptr (GPtrArray) unused = list (installation, HF_SURPLUS_UNUSED);
  g_autofree char *app = deploy_needing (installation, APP, 'd', RUNTIME);
  assert_stays (installation, unused->pdata[0], "is needed by now");
  g_autofree char *active = active_of (installation, RUNTIME);
  g_assert_cmpstr (active, ==, runtime);
}

static void
test_held (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=5");
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy (installation, APP, 'b');
  g_autofree char *path = deployed_path (APP, a);
  hf_autofd int fd = open_dir_at (installation->root_fd, path);
  lock_posix_shared (fd, HF_REF_FILE);
  g_autoptr (GPtrArray) previous = list (installation, HF_SURPLUS_PREVIOUS);
  assert_stays (installation, previous->pdata[0], "in use");
  g_assert_cmpuint (state_at (installation, path), ==, HF_STATE_SETTLED);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/surplus/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("each kind is listed, what is so longest first", test_lists);
  ADD ("what a root names is not listed", test_rooted);
  ADD ("what is taken is out of service, and locked", test_taken);
  ADD ("what is wanted again by then stays", test_changed_since);
  ADD ("so does what is needed again, or being deleted", test_removed_since);
  ADD ("what is in use stays in service", test_held);
  return g_test_run ();
}
