/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What takes how much space: every byte is counted once, and goes with whom a sweep would take it with.
 */
#include "core/usage-private.h"

#include "support.h"

#include <ftw.h>
#include <string.h>
#include <unistd.h>

static HfUsage *
read_usage (HfInstallation *installation, const char *ref)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) refs = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_ref_free);
  if (ref != NULL)
    g_ptr_array_add (refs, ref_of (ref));
  /* Blocks are counted that are there, not that will be. */
  hf_autofd int fd = openat (installation->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_no_errno (syncfs (fd));
  HfUsage *usage = hf_usage_read (installation, refs, &error);
  g_assert_no_error (error);
  return usage;
}

static const HfUsageRow *
row_of (const HfUsage *usage, char digit)
{
  for (guint i = 0; i < usage->rows->len; i++)
    {
      const HfUsageRow *row = usage->rows->pdata[i];
      if (row->info != NULL && row->info->commit[0] == digit)
        return row;
    }
  g_assert_not_reached ();
}

/* As du(1) does it, and by none of our code. */
static guint64 du_blocks;
static GHashTable *du_seen;

static int
du_visit (const char *path, const struct stat *st, int type, struct FTW *at)
{
  if (S_ISDIR (st->st_mode) || st->st_nlink == 1
      || g_hash_table_add (du_seen, GSIZE_TO_POINTER ((gsize)st->st_ino)))
    du_blocks += (guint64)st->st_blocks;
  return 0;
}

static guint64
du (HfInstallation *installation)
{
  du_blocks = 0;
  du_seen = g_hash_table_new (NULL, NULL);
  g_assert_no_errno (nftw (installation->path, du_visit, 64, FTW_PHYS));
  g_hash_table_unref (du_seen);
  return du_blocks * 512;
}

static guint64
bytes_at (int dfd, const char *path)
{
  struct stat st;
  g_assert_no_errno (fstatat (dfd, path, &st, AT_SYMLINK_NOFOLLOW));
  return hf_usage_bytes (&st);
}

static void
assert_adds_up (HfInstallation *installation, const HfUsage *usage)
{
  guint64 sum = usage->shared + usage->rest;
  for (guint i = 0; i < usage->rows->len; i++)
    {
      const HfUsageRow *row = usage->rows->pdata[i];
      g_assert_cmpuint (row->exclusive, <=, row->total);
      sum += row->exclusive;
    }
  g_assert_cmpuint (usage->total, ==, sum);
  g_assert_cmpuint (usage->total, ==, du (installation));
}

/* A file of some blocks, stored as an object and linked into the deployments at these paths. */
static guint64
put_object (HfInstallation *installation, const char *name, const char *first, const char *second)
{
  g_autofree char *text = g_strnfill (20000, 'x');
  g_autofree char *object = g_strconcat (HF_REPO_DIR "/" HF_OBJECTS_DIR "/aa/", name, NULL);
  const char *const paths[] = { first, second };
  static const char *const above[]
      = { HF_REPO_DIR "/" HF_OBJECTS_DIR, HF_REPO_DIR "/" HF_OBJECTS_DIR "/aa" };
  for (gsize i = 0; i < G_N_ELEMENTS (above); i++)
    put_dir (installation->root_fd, above[i], 0755);
  put_file (installation->root_fd, object, text, 0644);
  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    if (paths[i] != NULL)
      {
        g_autofree char *link = g_strconcat (paths[i], "/" HF_TREE_DIR "/", name, NULL);
        g_assert_no_errno (linkat (installation->root_fd, object, installation->root_fd, link, 0));
      }
  return bytes_at (installation->root_fd, object);
}

static void
test_states (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=1");
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy (installation, APP, 'b');
  g_autofree char *c = removed (installation, OTHER, 'c');
  g_autoptr (HfDeploymentInfo) info = info_of (RUNTIME, 'd', NULL);
  g_autoptr (HfStaging) staging = stage (installation, info);
  g_autofree char *in_place = deploy_orphan (installation, RUNTIME, 'e', HF_STATE_RETIRED);
  g_autoptr (HfUsage) usage = read_usage (installation, APP);
  g_assert_cmpuint (usage->rows->len, ==, 5);
  g_assert_cmpint (row_of (usage, 'a')->state, ==, HF_USAGE_PREVIOUS);
  g_assert_cmpint (row_of (usage, 'b')->state, ==, HF_USAGE_ACTIVE);
  g_assert_cmpint (row_of (usage, 'c')->state, ==, HF_USAGE_REMOVED);
  g_assert_cmpint (row_of (usage, 'd')->state, ==, HF_USAGE_STAGING);
  g_assert_cmpint (row_of (usage, 'e')->state, ==, HF_USAGE_REMOVED);
  g_assert_cmpstr (row_of (usage, 'c')->path, ==, c);
  for (char digit = 'a'; digit <= 'e'; digit++)
    g_assert_cmpint (row_of (usage, digit)->chosen, ==, digit <= 'b');
  assert_adds_up (installation, usage);
}

/* A stored file goes with the last deployment that has it. */
static void
test_shared (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *b = deploy (installation, OTHER, 'b');
  g_autofree char *a_path = deployed_path (APP, a);
  g_autofree char *b_path = deployed_path (OTHER, b);
  g_autoptr (HfUsage) before = read_usage (installation, NULL);
  guint64 own = put_object (installation, "own", a_path, NULL);
  guint64 both = put_object (installation, "both", a_path, b_path);
  guint64 none = put_object (installation, "none", NULL, NULL);
  g_autoptr (HfUsage) usage = read_usage (installation, APP);
  const HfUsageRow *row = row_of (usage, 'a'), *old = row_of (before, 'a');
  g_assert_cmpuint (row->total, >=, old->total + own + both);
  g_assert_cmpuint (row->exclusive, >=, old->exclusive + own);
  g_assert_cmpuint (row->exclusive, <, old->exclusive + own + both);
  g_assert_cmpuint (row_of (usage, 'b')->exclusive, <, row_of (before, 'b')->exclusive + both);
  g_assert_cmpuint (usage->shared, ==, before->shared + both);
  g_assert_cmpuint (usage->rest, >=, before->rest + none);
  assert_adds_up (installation, usage);
  /* Of one ref alone, what it shares stays; of both, nothing. */
  g_assert_cmpuint (usage->chosen, ==, row->exclusive);
  uninstall (installation, OTHER);
  g_autoptr (HfUsage) after = read_usage (installation, NULL);
  g_assert_cmpuint (after->trash, >=, row_of (after, 'b')->exclusive);
  uninstall (installation, APP);
  g_autoptr (HfUsage) gone = read_usage (installation, NULL);
  g_assert_cmpuint (gone->trash, >=,
                    row_of (gone, 'a')->exclusive + row_of (gone, 'b')->exclusive + both);
  assert_adds_up (installation, gone);
}

/* Whoever made a link of his own keeps the file, so that nobody's removal frees it. */
static void
test_foreign_link (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *a = deploy (installation, APP, 'a');
  g_autofree char *path = deployed_path (APP, a);
  guint64 bytes = put_object (installation, "own", path, NULL);
  (void)put_object (installation, "none", NULL, NULL); /* so that their directory is nobody's */
  g_autoptr (HfUsage) before = read_usage (installation, APP);
  g_autofree char *file = g_strconcat (path, "/" HF_TREE_DIR "/own", NULL);
  g_assert_no_errno (linkat (installation->root_fd, file, fixture->dir_fd, "mine", 0));
  g_autoptr (HfUsage) after = read_usage (installation, APP);
  g_assert_cmpuint (row_of (after, 'a')->total, ==, row_of (before, 'a')->total);
  g_assert_cmpuint (row_of (after, 'a')->exclusive, ==, row_of (before, 'a')->exclusive - bytes);
  g_assert_cmpuint (after->shared, ==, before->shared + bytes);
  g_assert_cmpuint (after->chosen, ==, before->chosen - bytes);
}

/* As another user, who sees deploy/ and not what is out of service. */
static void
read_unprivileged (gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (HfUsage) usage = read_usage (fixture->installation, NULL);
  g_assert_cmpuint (usage->rows->len, ==, 1);
  g_assert_cmpint (row_of (usage, 'a')->state, ==, HF_USAGE_ACTIVE);
  g_assert_true (
      g_ptr_array_find_with_equal_func (usage->unread, HF_REMOVED_DIR, g_str_equal, NULL));
}

static void
test_unread (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("another user looks"))
    return;
  g_assert_no_errno (fchmod (fixture->dir_fd, 0755));
  g_autofree char *a = deploy (fixture->installation, APP, 'a');
  g_autofree char *b = removed (fixture->installation, OTHER, 'b');
  run_unprivileged (read_unprivileged, fixture);
  g_autoptr (HfUsage) usage = read_usage (fixture->installation, NULL);
  g_assert_cmpuint (usage->unread->len, ==, 0);
}

static void
test_inodes (void)
{
  HfUsageInodes inodes;
  hf_usage_inodes_init (&inodes);
  for (guint64 dev = 1; dev <= 2; dev++)
    for (guint64 ino = 1; ino <= 5000; ino++)
      hf_usage_inodes_add (&inodes, dev, ino)->bytes = dev * 5000 + ino;
  for (guint64 dev = 1; dev <= 2; dev++)
    for (guint64 ino = 1; ino <= 5000; ino++)
      {
        g_assert_cmpuint (hf_usage_inodes_find (&inodes, dev, ino)->bytes, ==, dev * 5000 + ino);
        g_assert_cmpuint (hf_usage_inodes_add (&inodes, dev, ino)->bytes, ==, dev * 5000 + ino);
      }
  g_assert_cmpuint (inodes.inodes->len, ==, 10000);
  g_assert_null (hf_usage_inodes_find (&inodes, 3, 1));
  hf_usage_inodes_clear (&inodes);
}

/* A directory goes with whoever has all that is in it. */
static void
test_directory (void)
{
  const HfUsageOwner one = { 1, TRUE, FALSE }, two = { 2, TRUE, TRUE };
  HfUsageDirectory directory = { 0 };
  hf_usage_directory_add (&directory, &one);
  hf_usage_directory_add (&directory, &one);
  g_assert_cmpuint (directory.owner.row, ==, 1);
  g_assert_true (directory.owner.chosen);
  g_assert_false (directory.owner.removed);
  hf_usage_directory_add (&directory, &two);
  g_assert_cmpuint (directory.owner.row, ==, HF_USAGE_MANY);
  g_assert_true (directory.owner.chosen);
  g_assert_false (directory.owner.removed);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/usage/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("every deployment has a row, with what it is", test_states);
  ADD ("what is shared goes with the last that has it", test_shared);
  ADD ("a link of somebody's own keeps a file", test_foreign_link);
  ADD ("what may not be read is named", test_unread);
  g_test_add_func ("/usage/inodes are told apart, however many", test_inodes);
  g_test_add_func ("/usage/a directory goes with all that is in it", test_directory);
  return g_test_run ();
}
