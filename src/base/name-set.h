/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A set of object names, for a million of them: 32 bytes each in one sorted array, and little more.
 */
#pragma once

#include <glib.h>

#define HF_NAME_BYTES 32

typedef struct
{
  guint8 *data; /* owned; names, of which the first @sorted are in order and without doubles */
  gsize len, sorted, allocated; /* in names */
} HfNameSet;

void hf_name_set_clear (HfNameSet *set);
void hf_name_set_add (HfNameSet *set, const guint8 *name);
void hf_name_set_sort (HfNameSet *set);
gboolean hf_name_set_contains (const HfNameSet *set, const guint8 *name);
