/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the walk over a deployment and the look at each of its links share.
 */
#pragma once

#include "examine.h"

#include <pthread.h>

typedef struct
{
  HfExamination *out;        /* not owned */
  GCancellable *cancellable; /* not owned; or %NULL */
  int pins_fd;               /* owned; -1 without pins/ */
  pthread_mutex_t mutex;     /* of what follows, and of what is added to @out */
  GHashTable *seen;          /* owned; names of the pins that were looked at */
  gboolean unknown;          /* some of its metadata is nowhere */
  GHashTable *strange;       /* owned; names in pins/ that nothing has asked for */
} HfExamine;

/* examine-link.c */
gboolean hf_examine_begin (HfExamine *examine, HfExamination *out, GCancellable *cancellable,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_examine_end (HfExamine *examine);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (HfExamine, hf_examine_end)

void hf_examine_add_damage (HfExamine *examine, const char *place, const char *cause);
gboolean hf_examine_pin (HfExamine *examine, const char *checksum, const char *suffix,
                         HfVerdict *stored, gboolean *out_pinned,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_examine_file (HfExamine *examine, int dfd, const char *name, const char *place,
                          const char *checksum, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_examine_cannot_tell (HfExamine *examine);
void hf_examine_strange_pins (HfExamine *examine);
