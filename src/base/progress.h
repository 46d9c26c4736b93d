/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How far a long piece of work has come.  Any thread counts, and one of them at a time shows it.
 */
#pragma once

#include <glib.h>

typedef struct HfProgress HfProgress;

typedef struct
{
  const char *what; /* what is being done: a word or two, for people */
  guint64 objects;  /* done */
  guint64 expected; /* objects that there are in all, or 0 if that is not known */
  guint64 bytes;    /* done; 0 where they mean nothing */
  gint64 elapsed;   /* microseconds since it began */
} HfProgressState;

/* Shows @state, without waiting for anything. */
typedef void (*HfProgressFunc) (const HfProgressState *state, gpointer data);

HfProgress *hf_progress_new (HfProgressFunc func, gpointer data);
void hf_progress_free (HfProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfProgress, hf_progress_free)

void hf_progress_begin (HfProgress *progress, const char *what, guint64 expected);
void hf_progress_add (HfProgress *progress, guint64 objects, guint64 bytes);
void hf_progress_set (HfProgress *progress, guint64 objects, guint64 expected, guint64 bytes);
