/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reasons: each is found for what it is about and for nothing else, and what has none is what a sweep deletes.
 */
#include "core/why.h"

#include "core/lease.h"
#include "sweeping.h"

#include <string.h>
#include <unistd.h>

static HfWhy *
load (HfInstallation *installation)
{
  g_autoptr (GError) error = NULL;
  HfWhy *why = hf_why_load (installation, &error);
  g_assert_no_error (error);
  return why;
}

static const HfWhySubject *
subject_of (const HfWhy *why, char digit)
{
  const HfWhySubject *found = NULL;
  for (guint i = 0; i < why->subjects->len; i++)
    {
      const HfWhySubject *one = why->subjects->pdata[i];
      if (one->info == NULL || one->info->commit[0] != digit)
        continue;
      g_assert_null (found);
      found = one;
    }
  g_assert_nonnull (found);
  return found;
}

static const HfWhyReason *
reason_of (const HfWhySubject *subject, HfWhyCode code)
{
  for (guint i = 0; i < subject->reasons->len; i++)
    if (((const HfWhyReason *)subject->reasons->pdata[i])->code == code)
      return subject->reasons->pdata[i];
  return NULL;
}

/* These reasons and no others: a letter for each, in alphabetical order. */
static char *
letters_of (const HfWhySubject *subject)
{
  static const char letters[]
      = { [HF_WHY_ACTIVE] = 'a',   [HF_WHY_PREVIOUS] = 'p', [HF_WHY_PENDING] = 'n',
          [HF_WHY_ROOT] = 'r',     [HF_WHY_SPARED] = 's',   [HF_WHY_HELD] = 'h',
          [HF_WHY_BUILDING] = 'b', [HF_WHY_SWEEPING] = 'w', [HF_WHY_DAMAGED] = 'd',
          [HF_WHY_NEEDED] = 'e',   [HF_WHY_PINNED] = 'i' };
  char *found = g_strnfill (subject->reasons->len, '?');
  for (guint i = 0; i < subject->reasons->len; i++)
    found[i] = letters[((const HfWhyReason *)subject->reasons->pdata[i])->code];
  return found;
}

static void
assert_reasons (HfInstallation *installation, char digit, const char *expected)
{
  g_autoptr (HfWhy) why = load (installation);
  g_autofree char *letters = letters_of (subject_of (why, digit));
  g_assert_cmpstr (letters, ==, expected);
}

static void
test_in_service (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  configure (installation, "keep-previous=2");
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy (installation, APP, 'b');
  add_root (installation, "local/mine", APP, NULL);
  g_autofree char *c = deploy (installation, APP, 'c');
  assert_reasons (installation, 'a', "p");
  assert_reasons (installation, 'b', "r");
  assert_reasons (installation, 'c', "a");
  g_autoptr (HfWhy) why = load (installation);
  const HfWhyReason *root = reason_of (subject_of (why, 'b'), HF_WHY_ROOT);
  g_assert_cmpstr (root->root->path, ==, "local/mine");
  g_assert_cmpstr (subject_of (why, 'c')->name, ==, c);
  g_assert_cmpuint (why->subjects->len, ==, 3);
  /* Written by hand, so that nothing has been done about it yet: more is there than is to be kept. */
  configure (installation, "keep-previous=0");
  assert_reasons (installation, 'a', "n");
}

static void
test_out_of_service (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autofree char *a = removed (installation, APP, 'a');
  assert_reasons (installation, 'a', "");
  configure (installation, "keep-removed=1h");
  assert_reasons (installation, 'a', "s");
  g_autoptr (HfWhy) why = load (installation);
  const HfWhyReason *spared = reason_of (subject_of (why, 'a'), HF_WHY_SPARED);
  g_assert_cmpint (spared->until, ==, hf_removed_name_time (strchr (a, '/') + 1) + 3600);
  g_autofree char *b = deploy (installation, OTHER, 'b');
  add_root (installation, "local/mine", OTHER, NULL);
  uninstall (installation, OTHER);
  assert_reasons (installation, 'b', "r");
  fall_to (installation, a, HF_STATE_DELETING);
  assert_reasons (installation, 'a', "");
}

static void
hold_posix (gpointer data)
{
  lock_posix_shared (*(int *)data, HF_REF_FILE);
}

/* Who it is, as far as the kernel tells: of bubblewrap's kind of lock it does. */
static void
test_held (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autofree char *path = removed (installation, APP, 'a');
  hf_autofd int fd = open_dir_at (installation->root_fd, path);
  pid_t pid = child_start (hold_posix, &fd);
  {
    g_autoptr (HfWhy) why = load (installation);
    const HfWhyReason *held = reason_of (subject_of (why, 'a'), HF_WHY_HELD);
    g_assert_nonnull (held);
    g_assert_cmpuint (held->holders->len, ==, 1);
    const HfHolder *holder = held->holders->pdata[0];
    g_assert_cmpint (holder->pid, ==, pid);
    g_assert_cmpuint (holder->uid, ==, getuid ());
    g_assert_cmpstr (holder->command, ==, "test-why");
    g_assert_cmpuint (holder->start, <=, (guint64)(g_get_real_time () / G_USEC_PER_SEC));
  }
  child_kill (pid);
  assert_reasons (installation, 'a', "");
}

static void
test_at_work (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autofree char *path = removed (installation, APP, 'a');
  g_autoptr (HfDeploymentInfo) info = info_of (OTHER, 'b', NULL);
  g_autoptr (HfStaging) staging = stage (installation, info);
  g_autoptr (HfTrashEntry) entry = entry_at (installation, path);
  g_assert_cmpint (hf_trash_entry_lock (entry, NULL), ==, HF_TRASH_LOCKED);
  assert_reasons (installation, 'a', "w");
  assert_reasons (installation, 'b', "b");
}

/* A person is needed, and that is why they are there. */
static void
test_damaged (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autofree char *a = removed (installation, APP, 'a');
  g_autofree char *b = removed (installation, OTHER, 'b');
  hf_autofd int a_fd = open_dir_at (installation->root_fd, a);
  hf_autofd int b_fd = open_dir_at (installation->root_fd, b);
  g_assert_no_errno (unlinkat (a_fd, HF_REF_FILE, 0));
  g_assert_no_errno (unlinkat (b_fd, HF_DEPLOYMENT_FILE, 0));
  put_file (b_fd, HF_DEPLOYMENT_FILE, "garbage", 0644);
  put_dir (installation->root_fd, HF_REMOVED_DIR "/empty", 0755);
  g_autoptr (HfWhy) why = load (installation);
  g_assert_cmpuint (why->subjects->len, ==, 3);
  for (guint i = 0; i < why->subjects->len; i++)
    {
      const HfWhySubject *one = why->subjects->pdata[i];
      g_autofree char *letters = letters_of (one);
      g_assert_cmpstr (letters, ==, strcmp (one->name, "empty") == 0 ? "" : "d");
    }
}

static void
test_needed (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autofree char *a = deploy (installation, RUNTIME, 'a');
  assert_reasons (installation, 'a', "a");
  g_autofree char *b = deploy_needing (installation, APP, 'b', RUNTIME);
  configure (installation, "keep-previous=0\npinned=org.test.*");
  assert_reasons (installation, 'a', "aei");
  assert_reasons (installation, 'b', "a");
  g_autoptr (HfWhy) why = load (installation);
  g_assert_cmpstr (reason_of (subject_of (why, 'a'), HF_WHY_NEEDED)->text, ==, APP);
  g_assert_cmpstr (reason_of (subject_of (why, 'a'), HF_WHY_PINNED)->text, ==, "org.test.*");
}

/* Everything at once: without a reason, gone; with one, there.  And the question changes nothing. */
static void
test_sweep_agrees (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  configure (installation, "keep-previous=1");
  g_autofree char *link = g_build_filename (sweeping->base.dir, "link", NULL);
  g_autofree char *a = deploy (installation, APP, 'a');
  add_root (installation, "local/ends", APP, link);
  g_autofree char *b = deploy (installation, APP, 'b');
  g_autofree char *c = deploy (installation, APP, 'c');
  g_autofree char *d = removed (installation, OTHER, 'd');
  g_autofree char *e = deploy (installation, OTHER, 'e');
  add_root (installation, "local/stays", OTHER, NULL);
  uninstall (installation, OTHER);
  g_autofree char *orphan = deploy_orphan (installation, RUNTIME, 'f', HF_STATE_COMPLETE);
  set_mark (installation);
  g_assert_no_errno (unlinkat (sweeping->base.dir_fd, "link", 0));
  g_autoptr (HfWhy) before = load (installation);
  g_assert_true (is_marked (installation));
  g_assert_true (exists (installation->root_fd, HF_ROOTS_DIR "/local/ends"));
  g_assert_cmpuint (before->subjects->len, ==, 6);
  g_autoptr (HfSweepReport) report = sweep (installation, sweeping->store);
  g_assert_cmpuint (report->swept, ==, 3);
  g_autoptr (HfWhy) after = load (installation);
  g_assert_cmpuint (after->subjects->len, ==, 3);
  for (char digit = 'a'; digit <= 'f'; digit++)
    {
      gboolean reasoned = subject_of (before, digit)->reasons->len > 0, there = FALSE;
      for (guint i = 0; i < after->subjects->len; i++)
        there |= ((HfWhySubject *)after->subjects->pdata[i])->info->commit[0] == digit;
      g_assert_cmpint (reasoned, ==, there);
    }
}

/* An object is needed by whoever pins it, or names it in what is pinned. */
static void
test_objects (Sweeping *sweeping, gconstpointer data)
{
  HfInstallation *installation = sweeping->installation;
  g_autofree char *path = removed (installation, APP, 'a');
  hf_autofd int fd = open_dir_at (installation->root_fd, path);
  g_autofree char *tree = g_strdup_printf (HF_PINS_DIR "/%064x.dirtree", 1);
  put_file (fd, tree,
            "name\x12\x34\x56\x78"
            "bcdefghijklmnopqrstuvwxyz12",
            0644);
  g_autoptr (HfWhy) why = load (installation);
  const HfWhySubject *subject = subject_of (why, 'a');
  g_autofree char *commit = g_strconcat (subject->info->commit, ".commit", NULL);
  g_autofree char *pinned = g_strdup_printf ("%064x.dirtree", 1);
  static const char named[] = "1234567862636465666768696a6b6c6d6e6f707172737475767778797a313200";
  g_autofree char *file = g_strconcat (named, ".file", NULL);
  g_autofree char *other = g_strdup_printf ("%064x.file", 2);
  g_assert_true (hf_why_needs_object (why, subject, commit));
  g_assert_true (hf_why_needs_object (why, subject, pinned));
  g_assert_false (hf_why_needs_object (why, subject, other));
  g_assert_false (hf_why_needs_object (why, subject, file));
  /* The last byte of it, too. */
  g_assert_no_errno (unlinkat (fd, tree, 0));
  const char bytes[] = "name\x12\x34\x56\x78"
                       "bcdefghijklmnopqrstuvwxyz12";
  hf_autofd int new = openat (fd, tree, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  g_assert_cmpint (write (new, bytes, sizeof bytes), ==, sizeof bytes);
  g_assert_true (hf_why_needs_object (why, subject, file));
  fall_to (installation, path, HF_STATE_PRUNED);
  g_autoptr (HfWhy) pruned = load (installation);
  g_assert_false (hf_why_needs_object (pruned, subject_of (pruned, 'a'), file));
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/why/" promise, Sweeping, NULL, sweeping_set_up, function, sweeping_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("what is in service is active, previous, rooted or pending", test_in_service);
  ADD ("what was removed is spared, rooted or nothing", test_out_of_service);
  ADD ("what is held is told with who holds it", test_held);
  ADD ("a builder and a sweeper are told apart from users", test_at_work);
  ADD ("what is damaged stays for that", test_damaged);
  ADD ("a runtime is needed by an application, or pinned", test_needed);
  ADD ("a sweep deletes what has no reason, and nothing else", test_sweep_agrees);
  ADD ("an object is needed by what pins or names it", test_objects);
  return g_test_run ();
}
