/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The array grows by a small part of itself, which the allocator does by moving pages and not by
 * copying; and it is sorted where it is, as a sort with a buffer would need as much again.
 */
#include "name-set.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 256

/* Names that are added before the array is sorted, and doubles dropped: so many, or this part of what
 * it has. */
#define UNSORTED_NAMES 65536
#define UNSORTED_PART  4

static guint8 *
name_at (const HfNameSet *set, gsize i)
{
  return set->data + i * HF_NAME_BYTES;
}

/**
 * hf_name_set_clear:
 * @set: a set, or zeroes
 *
 * Frees what it has.
 */
void
hf_name_set_clear (HfNameSet *set)
{
  g_free (set->data);
  *set = (HfNameSet){ 0 };
}

static int
compare_names (const void *a, const void *b)
{
  return memcmp (a, b, HF_NAME_BYTES);
}

static void
swap_names (guint8 *a, guint8 *b)
{
  guint8 other[HF_NAME_BYTES];
  memcpy (other, a, HF_NAME_BYTES);
  memcpy (a, b, HF_NAME_BYTES);
  memcpy (b, other, HF_NAME_BYTES);
}

/* Moves every name to where those with its first byte belong.  Checksums are spread evenly, so that
 * each of these parts is small. */
static void
sort_into_buckets (HfNameSet *set, gsize ends[BUCKETS])
{
  gsize next[BUCKETS], counts[BUCKETS] = { 0 }, at = 0;
  for (gsize i = 0; i < set->len; i++)
    counts[name_at (set, i)[0]]++;
  for (guint bucket = 0; bucket < BUCKETS; bucket++)
    {
      next[bucket] = at;
      at += counts[bucket];
      ends[bucket] = at;
    }
  for (guint bucket = 0; bucket < BUCKETS; bucket++)
    while (next[bucket] < ends[bucket])
      {
        guint8 *name = name_at (set, next[bucket]);
        if (name[0] == bucket)
          next[bucket]++;
        else
          swap_names (name, name_at (set, next[name[0]]++));
      }
}

static void
drop_doubles (HfNameSet *set)
{
  gsize kept = 0;
  for (gsize i = 0; i < set->len; i++)
    {
      if (kept > 0 && compare_names (name_at (set, i), name_at (set, kept - 1)) == 0)
        continue;
      if (kept < i)
        memcpy (name_at (set, kept), name_at (set, i), HF_NAME_BYTES);
      kept++;
    }
  set->len = kept;
}

/**
 * hf_name_set_sort:
 * @set: a set
 *
 * Puts the names in order, and drops those that are there twice: to be called before a name is
 * looked for.
 */
void
hf_name_set_sort (HfNameSet *set)
{
  gsize ends[BUCKETS], begin = 0;
  if (set->sorted == set->len)
    return;
  sort_into_buckets (set, ends);
  for (guint bucket = 0; bucket < BUCKETS; bucket++)
    {
      qsort (name_at (set, begin), ends[bucket] - begin, HF_NAME_BYTES, compare_names);
      begin = ends[bucket];
    }
  drop_doubles (set);
  set->sorted = set->len;
}

/**
 * hf_name_set_add:
 * @set: a set, or zeroes
 * @name: %HF_NAME_BYTES bytes
 *
 * Adds a name, which may be there already.
 */
void
hf_name_set_add (HfNameSet *set, const guint8 *name)
{
  if (set->len - set->sorted >= MAX (set->sorted / UNSORTED_PART, UNSORTED_NAMES))
    hf_name_set_sort (set);
  if (set->len == set->allocated)
    {
      set->allocated += set->allocated / 16 + 1024;
      set->data = g_realloc_n (set->data, set->allocated, HF_NAME_BYTES);
    }
  memcpy (name_at (set, set->len++), name, HF_NAME_BYTES);
}

/**
 * hf_name_set_contains:
 * @set: a set, sorted
 * @name: %HF_NAME_BYTES bytes
 *
 * Returns: whether @name was added
 */
gboolean
hf_name_set_contains (const HfNameSet *set, const guint8 *name)
{
  return set->len > 0 && bsearch (name, set->data, set->len, HF_NAME_BYTES, compare_names) != NULL;
}
