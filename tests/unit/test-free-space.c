/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The arithmetic of min-free and max-free: from when until when room is wanted.
 */
#include "core/free-space.h"

#include "support.h"

#include <string.h>

static HfConfig *
config_of (const char *lines)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = g_strconcat ("[Installation]\n", lines, "\n", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));
  HfConfig *config = hf_config_parse (bytes, &error);
  g_assert_no_error (error);
  return config;
}

/* A file system of 1,000 blocks of 1 KiB and 500 inodes. */
static void
weigh (HfFreeSpace *space, const HfConfig *config, guint blocks, guint inodes)
{
  const struct statvfs st = { .f_frsize = 1024,
                              .f_blocks = 1000,
                              .f_bfree = blocks + 50, /* of which 50 are root's */
                              .f_bavail = blocks,
                              .f_files = 500,
                              .f_favail = inodes };
  hf_free_space_weigh (space, config, &st);
}

static void
test_unlimited (void)
{
  HfFreeSpace space = { 0 };
  g_autoptr (HfConfig) config = config_of ("max-free=90%\nmax-free-inodes=400");
  g_assert_false (hf_free_space_is_limited (config));
  weigh (&space, config, 0, 0);
  g_assert_false (hf_free_space_is_wanted (&space));
  g_assert_false (hf_free_space_is_short (&space));
}

static void
test_from_least_to_goal (void)
{
  HfFreeSpace space = { 0 };
  g_autoptr (HfConfig) config = config_of ("min-free=10%\nmax-free=300K");
  g_assert_true (hf_free_space_is_limited (config));
  weigh (&space, config, 100, 0);
  g_assert_false (hf_free_space_is_wanted (&space));
  weigh (&space, config, 99, 0);
  g_assert_true (hf_free_space_is_wanted (&space));
  g_assert_true (hf_free_space_is_short (&space));
  weigh (&space, config, 299, 0);
  g_assert_true (hf_free_space_is_wanted (&space));
  g_assert_false (hf_free_space_is_short (&space));
  g_autofree char *why = hf_free_space_describe (&space, config);
  g_assert_nonnull (strstr (why, "free, less than max-free "));
  weigh (&space, config, 300, 0);
  g_assert_false (hf_free_space_is_wanted (&space));
  weigh (&space, config, 299, 0);
  g_assert_false (hf_free_space_is_wanted (&space));
}

/* A goal below the least means nothing. */
static void
test_no_goal (void)
{
  const char *const lines[] = { "min-free=10%", "min-free=10%\nmax-free=5%" };
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      HfFreeSpace space = { 0 };
      g_autoptr (HfConfig) config = config_of (lines[i]);
      weigh (&space, config, 99, 0);
      g_assert_true (hf_free_space_is_wanted (&space));
      weigh (&space, config, 100, 0);
      g_assert_false (hf_free_space_is_wanted (&space));
    }
}

/* Each by itself: that there are few bytes makes nobody want inodes. */
static void
test_inodes (void)
{
  HfFreeSpace space = { 0 };
  g_autoptr (HfConfig) config
      = config_of ("min-free=10%\nmax-free=20%\nmin-free-inodes=10%\nmax-free-inodes=100");
  weigh (&space, config, 99, 60);
  g_assert_true (hf_free_space_is_wanted (&space));
  weigh (&space, config, 200, 60);
  g_assert_false (hf_free_space_is_wanted (&space));
  weigh (&space, config, 200, 49);
  g_assert_true (hf_free_space_is_wanted (&space));
  g_autofree char *why = hf_free_space_describe (&space, config);
  g_assert_cmpstr (why, ==, "49 inodes free, less than min-free-inodes 10%");
  weigh (&space, config, 150, 99);
  g_assert_true (hf_free_space_is_wanted (&space));
  weigh (&space, config, 150, 100);
  g_assert_false (hf_free_space_is_wanted (&space));
}

static void
test_uncounted_inodes (void)
{
  HfFreeSpace space = { 0 };
  g_autoptr (HfConfig) config = config_of ("min-free-inodes=100");
  const struct statvfs st = { .f_frsize = 1024, .f_blocks = 1000, .f_bavail = 1 };
  hf_free_space_weigh (&space, config, &st);
  g_assert_false (hf_free_space_is_wanted (&space));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/free-space/without-a-least-nothing-is-wanted", test_unlimited);
  g_test_add_func ("/free-space/it-is-wanted-from-the-least-to-the-goal", test_from_least_to_goal);
  g_test_add_func ("/free-space/without-a-goal-it-is-the-least", test_no_goal);
  g_test_add_func ("/free-space/bytes-and-inodes-are-wanted-each-by-themselves", test_inodes);
  g_test_add_func ("/free-space/inodes-that-are-not-counted-cannot-run-out", test_uncounted_inodes);
  return g_test_run ();
}
