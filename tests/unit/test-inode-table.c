/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Notes of inodes: each has one of its own, and keeps it however many come after.
 */
#include "base/inode-table.h"

#define MANY 20000

static struct stat
inode_of (guint64 device, guint64 number)
{
  return (struct stat){ .st_dev = device, .st_ino = number };
}

static void
test_empty (void)
{
  HfInodeTable table = { 0 };
  const struct stat one = inode_of (1, 1);
  g_assert_null (hf_inode_table_find (&table, &one));
  hf_inode_table_clear (&table);
}

static void
test_new_note (void)
{
  HfInodeTable table = { 0 };
  const struct stat one = inode_of (1, 1), two = inode_of (1, 2);
  HfInodeNote *note = hf_inode_table_note (&table, &one);
  g_assert_cmpuint (note->names, ==, 0);
  g_assert_cmpuint (note->flags, ==, 0);
  note->names = 7;
  g_assert_true (hf_inode_table_note (&table, &one) == note);
  g_assert_true (hf_inode_table_find (&table, &one) == note);
  g_assert_null (hf_inode_table_find (&table, &two));
  hf_inode_table_clear (&table);
  g_assert_null (hf_inode_table_find (&table, &one));
}

/* Neighbours, as a file system hands them out, on two devices with the same numbers. */
static void
test_many (void)
{
  HfInodeTable table = { 0 };
  for (guint64 device = 1; device <= 2; device++)
    for (guint64 i = 1; i <= MANY; i++)
      {
        const struct stat st = inode_of (device, i);
        hf_inode_table_note (&table, &st)->names = (guint32)(device * MANY + i);
      }
  for (guint64 device = 1; device <= 2; device++)
    for (guint64 i = 1; i <= MANY; i++)
      {
        const struct stat st = inode_of (device, i);
        const HfInodeNote *note = hf_inode_table_find (&table, &st);
        g_assert_nonnull (note);
        g_assert_cmpuint (note->names, ==, device * MANY + i);
      }
  const struct stat other = inode_of (3, 1), next = inode_of (1, MANY + 1);
  g_assert_null (hf_inode_table_find (&table, &other));
  g_assert_null (hf_inode_table_find (&table, &next));
  g_assert_cmpuint (table.used, ==, 2 * MANY);
  g_assert_cmpuint (table.allocated, <=, 4 * MANY);
  hf_inode_table_clear (&table);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/inode-table/nothing is noted in an empty one", test_empty);
  g_test_add_func ("/inode-table/a note is found again, and only it", test_new_note);
  g_test_add_func ("/inode-table/notes stay apart, and stay, however many there are", test_many);
  return g_test_run ();
}
