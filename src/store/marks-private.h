/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the two halves of marking share: finding the deployments, and walking their commits.
 */
#pragma once

#include "base/name-set.h"
#include "marks.h"
#include "object.h"

G_STATIC_ASSERT (HF_NAME_BYTES == HF_CHECKSUM_BYTES);

struct HfMarks
{
  HfStore *store;       /* not owned */
  GHashTable *excluded; /* owned; serials of the entries being swept */
  GHashTable *marked;   /* owned; serials of the deployments that were walked */
  GHashTable *trees;    /* owned; checksums of the commits and dirtrees that were walked */
  HfNameSet names;      /* what is needed */
  gboolean copies;      /* a marked deployment has copies where it should have links */
  GArray *incomplete;   /* owned; directories in staging/ that were not complete when last seen */
  struct timespec seen; /* when staging/ had last changed, when last seen */
  gboolean stable;      /* whether a later change of it must show in that */
};

/* marks-walk.c */
gboolean hf_marks_walk (HfMarks *marks, int pins_fd, const char *commit,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_marks_walk_foreign (HfMarks *marks, GError **error) G_GNUC_WARN_UNUSED_RESULT;
