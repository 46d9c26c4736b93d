/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What holdfast why has to tell, as a tree for people or a document for programs.
 */
#pragma once

#include "core/why.h"

/* A stored object, and what it is kept by. */
typedef struct
{
  char *name;         /* owned; CHECKSUM.TYPE */
  GPtrArray *sharers; /* owned; of HfWhySubject, which are not */
  gboolean named;     /* whether anything names it that is there, kept or not */
  gboolean foreign;   /* whether the repository has refs that are not ours */
} HfWhyObject;

typedef struct
{
  const char *installation; /* not owned; what --installation takes for where all of this is */
  GPtrArray *subjects;      /* owned; of HfWhySubject, which are not */
  GPtrArray *objects;       /* owned; of HfWhyObject */
  const char *fixture;      /* not owned; a path of the installation that is neither, or %NULL */
} HfWhyAnswer;

void hf_why_object_free (HfWhyObject *object);
void hf_why_answer_print (const HfWhyAnswer *answer);
gboolean hf_why_answer_print_json (const HfWhyAnswer *answer,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
