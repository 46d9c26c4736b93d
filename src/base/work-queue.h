/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Work that makes more work, done by as many threads as the machine has processors.
 */
#pragma once

#include <glib.h>

typedef struct HfWorkQueue HfWorkQueue;

/* Does one task, and may push more.  A failure ends the whole. */
typedef gboolean (*HfWorkFunc) (HfWorkQueue *queue, gpointer task, gpointer data, GError **error);

typedef enum
{
  HF_WORK_NORMAL,
  HF_WORK_IDLE, /* by threads that run when nobody else wants to; this one waits for them */
} HfWorkPriority;

void hf_work_queue_push (HfWorkQueue *queue, gpointer task);
gboolean hf_work_queue_run (GPtrArray *tasks, HfWorkPriority priority, HfWorkFunc func,
                            gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;
