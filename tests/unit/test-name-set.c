/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A set of object names: it has what was added, once, and is as large as that.
 */
#include "base/name-set.h"

#include <string.h>
#include <sys/resource.h>

#define MANY 1000000

/* A name that looks like a checksum; the same for the same @i. */
static void
make_name (guint64 i, guint8 name[HF_NAME_BYTES])
{
  for (gsize at = 0; at < HF_NAME_BYTES; at += sizeof i)
    {
      i = (i + 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
      i ^= i >> 31;
      memcpy (name + at, &i, sizeof i);
    }
}

static void
add (HfNameSet *set, guint64 i)
{
  guint8 name[HF_NAME_BYTES];
  make_name (i, name);
  hf_name_set_add (set, name);
}

static gboolean
contains (const HfNameSet *set, guint64 i)
{
  guint8 name[HF_NAME_BYTES];
  make_name (i, name);
  return hf_name_set_contains (set, name);
}

static void
test_empty (void)
{
  HfNameSet set = { 0 };
  hf_name_set_sort (&set);
  g_assert_false (contains (&set, 1));
  hf_name_set_clear (&set);
}

static void
test_contains (void)
{
  HfNameSet set = { 0 };
  for (guint64 i = 0; i < MANY / 5; i++)
    add (&set, i * 2);
  hf_name_set_sort (&set);
  for (guint64 i = 0; i < MANY / 5; i++)
    {
      g_assert_true (contains (&set, i * 2));
      g_assert_false (contains (&set, i * 2 + 1));
    }
  add (&set, 1);
  hf_name_set_sort (&set);
  g_assert_true (contains (&set, 1));
  g_assert_cmpuint (set.len, ==, MANY / 5 + 1);
  hf_name_set_clear (&set);
}

/* Checksums are spread evenly; a hostile image's names need not be. */
static void
test_alike (void)
{
  HfNameSet set = { 0 };
  guint8 name[HF_NAME_BYTES] = { 0 };
  for (guint i = 0; i < MANY / 5; i++)
    {
      memcpy (name + HF_NAME_BYTES - sizeof i, &i, sizeof i);
      hf_name_set_add (&set, name);
    }
  hf_name_set_sort (&set);
  g_assert_cmpuint (set.len, ==, MANY / 5);
  g_assert_true (hf_name_set_contains (&set, name));
  name[0] = 1;
  g_assert_false (hf_name_set_contains (&set, name));
  hf_name_set_clear (&set);
}

/* AddressSanitizer keeps what was freed. */
#ifndef __SANITIZE_ADDRESS__
static glong
peak_memory (void)
{
  struct rusage usage;
  g_assert_cmpint (getrusage (RUSAGE_SELF, &usage), ==, 0);
  return usage.ru_maxrss;
}

/* Each name comes four times, as files that deployments share do. */
static void
test_memory (void)
{
  HfNameSet set = { 0 };
  glong before = peak_memory ();
  for (guint64 i = 0; i < 4 * MANY; i++)
    add (&set, i * 7919 % MANY);
  hf_name_set_sort (&set);
  g_assert_cmpuint (set.len, ==, MANY);
  g_assert_cmpint ((peak_memory () - before) * 1024, <, MANY * HF_NAME_BYTES * 3 / 2);
  hf_name_set_clear (&set);
}
#endif

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/name-set/an empty one has nothing", test_empty);
  g_test_add_func ("/name-set/it has what was added", test_contains);
  g_test_add_func ("/name-set/names may be alike", test_alike);
#ifndef __SANITIZE_ADDRESS__
  g_test_add_func ("/name-set/a million take little more than their bytes", test_memory);
#endif
  return g_test_run ();
}
