/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starting bubblewrap, and passing signals on to the sandbox until it reports how the app ended.
 */
#pragma once

#include "sandbox.h"

#include <signal.h>

#define HF_BWRAP "bwrap" /* as found in PATH */

typedef struct
{
  pid_t pid;        /* bubblewrap's, and of its process group */
  pid_t sandbox;    /* the sandbox's first process, or 0 as long as it is not known */
  int info_fd;      /* a file in memory where bubblewrap says it */
  int ended_by;     /* the signal for which we killed a sandbox without an app yet, or 0 */
  sigset_t signals; /* those that we wait for, blocked */
  sigset_t before;  /* the mask before that */
} HfRelay;

#define HF_RELAY_INIT                                                                              \
  {                                                                                                \
    .info_fd = -1                                                                                  \
  }

gboolean hf_relay_start (HfRelay *self, const HfBwrapOptions *options, const char *command,
                         const char *const *args, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_relay_wait (HfRelay *self, int *status, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_relay_clear (HfRelay *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (HfRelay, hf_relay_clear)
