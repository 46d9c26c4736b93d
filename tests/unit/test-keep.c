/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a sweep leaves though nothing holds it, and no longer than it is to.
 */
#include "core/keep.h"

#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static HfKeep *
load (HfInstallation *installation, gboolean now)
{
  g_autoptr (GError) error = NULL;
  HfKeep *keep = hf_keep_load (installation, now, &error);
  g_assert_no_error (error);
  return keep;
}

/* Whether the entry is kept; `now` for `sweep --now`. */
static gboolean
is_kept (HfInstallation *installation, const char *path, gboolean now, HfKeepReason *out)
{
  g_autoptr (HfKeep) keep = load (installation, now);
  g_autoptr (HfTrashEntry) entry = entry_at (installation, path);
  HfKeepReason reason;
  gboolean kept = hf_keep_keeps (keep, entry, &reason);
  g_assert_cmpint (entry->info != NULL, ==, kept);
  if (kept && out != NULL)
    *out = (HfKeepReason){ .root = reason.root != NULL ? "a root" : NULL, .until = reason.until };
  return kept;
}

/* Has it removed then, for tests that do not wait for a clock; returns its new path. */
static char *
removed_at (HfInstallation *installation, const char *path, gint64 seconds)
{
  const char *deployment = hf_removed_name_deployment (strchr (path, '/') + 1);
  char *moved = g_strdup_printf (HF_REMOVED_DIR "/%012" G_GINT64_FORMAT ".%s", seconds, deployment);
  g_assert_no_errno (renameat (installation->root_fd, path, installation->root_fd, moved));
  g_assert_cmpint (hf_removed_name_time (strchr (moved, '/') + 1), ==, seconds);
  return moved;
}

static void
test_nothing (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = removed (fixture->installation, APP, 'a');
  g_assert_false (is_kept (fixture->installation, path, FALSE, NULL));
}

static void
test_spared (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  HfKeepReason reason;
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  configure (installation, "keep-removed=1h");
  g_autofree char *path = removed (installation, APP, 'a');
  g_assert_true (is_kept (installation, path, FALSE, &reason));
  g_assert_null (reason.root);
  g_assert_cmpint (reason.until, >=, now + 3600);
  g_assert_false (is_kept (installation, path, TRUE, NULL));
  /* Also where something else has to be looked for. */
  g_autofree char *other = deploy (installation, OTHER, 'b');
  add_root (installation, "local/mine", OTHER, NULL);
  g_assert_false (is_kept (installation, path, TRUE, NULL));
  /* Over by far, and far from over: no test takes an hour. */
  g_autofree char *old = removed_at (installation, path, now - 7200);
  g_assert_false (is_kept (installation, old, FALSE, NULL));
  g_autofree char *ahead = removed_at (installation, old, now + 7200);
  g_assert_true (is_kept (installation, ahead, FALSE, &reason));
  g_assert_cmpint (reason.until, ==, now + 7200 + 3600);
  configure (installation, "keep-removed=0");
  g_assert_false (is_kept (installation, ahead, FALSE, NULL));
}

static void
test_rooted (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  HfKeepReason reason;
  g_autofree char *app = deploy (installation, APP, 'a');
  add_root (installation, "local/mine", APP, NULL);
  uninstall (installation, APP);
  g_autofree char *name = only_name (installation->root_fd, HF_REMOVED_DIR);
  g_autofree char *path = g_strconcat (HF_REMOVED_DIR "/", name, NULL);
  g_assert_true (is_kept (installation, path, FALSE, &reason));
  g_assert_nonnull (reason.root);
  g_assert_true (is_kept (installation, path, TRUE, NULL));
  g_autofree char *other = removed (installation, OTHER, 'b');
  g_assert_false (is_kept (installation, other, FALSE, NULL));
}

/* From there on it cannot be brought back, so that keeping it would be of no use. */
static void
test_begun (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-removed=1h");
  g_autofree char *app = deploy (installation, APP, 'a');
  add_root (installation, "local/mine", APP, NULL);
  uninstall (installation, APP);
  g_autofree char *name = only_name (installation->root_fd, HF_REMOVED_DIR);
  g_autofree char *path = g_strconcat (HF_REMOVED_DIR "/", name, NULL);
  for (guint pruned = 0; pruned < 2; pruned++)
    {
      fall_to (installation, path, pruned > 0 ? HF_STATE_PRUNED : HF_STATE_DELETING);
      g_assert_false (is_kept (installation, path, FALSE, NULL));
    }
}

/* Where it could not be moved out of service, it lies under the name that the root has. */
static void
test_in_place (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-removed=1h");
  g_autofree char *path = deploy_orphan (installation, APP, 'a', HF_STATE_RETIRED);
  set_mark (installation);
  g_assert_false (is_kept (installation, path, FALSE, NULL));
  g_autofree char *text
      = g_strdup_printf ("[Root]\nref=%s\nkeeps=%s\n", APP, strrchr (path, '/') + 1);
  put_dir (installation->root_fd, HF_ROOTS_DIR "/os", 0755);
  put_file (installation->root_fd, HF_ROOTS_DIR "/os/root", text, 0644);
  g_assert_true (is_kept (installation, path, FALSE, NULL));
}

static void
test_staging (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-removed=1h");
  g_autoptr (HfDeploymentInfo) info = info_of (APP, 'a', NULL);
  g_autoptr (HfStaging) staging = stage (installation, info);
  g_autofree char *path = g_strconcat (HF_STAGING_DIR "/", staging->name, NULL);
  g_assert_false (is_kept (installation, path, FALSE, NULL));
}

/* A root that came since is seen by whoever has the entry locked, after a fresh look. */
static void
test_refreshed (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GError) error = NULL;
  HfKeepReason reason;
  g_autofree char *path = removed (installation, APP, 'a');
  g_autoptr (HfKeep) keep = load (installation, FALSE);
  g_autoptr (HfTrashEntry) entry = entry_at (installation, path);
  g_assert_cmpint (hf_trash_entry_lock (entry, &error), ==, HF_TRASH_LOCKED);
  g_autofree char *text = g_strdup_printf ("[Root]\nref=%s\nkeeps=%s\n", APP,
                                           hf_removed_name_deployment (entry->name));
  put_dir (installation->root_fd, HF_ROOTS_DIR "/os", 0755);
  put_file (installation->root_fd, HF_ROOTS_DIR "/os/root", text, 0644);
  g_assert_false (hf_keep_rooted (keep, entry, &reason));
  (void)!hf_keep_refresh (keep, &error);
  g_assert_no_error (error);
  g_assert_true (hf_keep_rooted (keep, entry, &reason));
  g_assert_cmpstr (reason.root, ==, "os/root");
}

static void
test_cannot_tell (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GError) error = NULL;
  configure (installation, "keep-removed=soon");
  g_assert_null (hf_keep_load (installation, FALSE, &error));
  g_assert_nonnull (strstr (error->message, "keep-removed"));
  g_clear_error (&error);
  configure (installation, "keep-removed=0");
  g_assert_no_errno (unlinkat (installation->root_fd, HF_ROOTS_DIR, AT_REMOVEDIR));
  put_file (installation->root_fd, HF_ROOTS_DIR, "x", 0644);
  g_assert_null (hf_keep_load (installation, FALSE, &error));
  g_assert_nonnull (error);
  g_assert_no_errno (unlinkat (installation->root_fd, HF_ROOTS_DIR, 0));
}

static void
test_warns (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *name = deploy (installation, APP, 'a');
  add_root (installation, "local/good", APP, NULL);
  put_file (installation->root_fd, HF_ROOTS_DIR "/local/bad", "garbage", 0644);
  g_autofree char *text = g_strdup_printf (
      "[Root]\nref=%s\nkeeps=%s\nlink=/nonesuch\ntarget=/x\nfilesystem=0123456789abcdef\n", APP,
      name);
  put_file (installation->root_fd, HF_ROOTS_DIR "/local/away", text, 0644);
  g_autoptr (HfKeep) keep = load (installation, FALSE);
  g_assert_cmpuint (hf_keep_warn (keep, warnings), ==, 1);
  g_assert_cmpuint (warnings->len, ==, 2);
  g_assert_true (g_str_has_prefix (warnings->pdata[0], "Root local/bad protects nothing: "));
  g_assert_true (g_str_has_prefix (warnings->pdata[1], "Root local/away goes on protecting: "));
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/keep/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("nothing is kept unless somebody says so", test_nothing);
  ADD ("what was removed is spared so long and no longer", test_spared);
  ADD ("what a root names is kept", test_rooted);
  ADD ("what is being deleted is not kept", test_begun);
  ADD ("what lies out of service in place is kept by a root only", test_in_place);
  ADD ("what is being built is not kept", test_staging);
  ADD ("a root that came since counts", test_refreshed);
  ADD ("whoever cannot tell is told so", test_cannot_tell);
  ADD ("bad roots are told, and links that cannot be seen", test_warns);
  return g_test_run ();
}
