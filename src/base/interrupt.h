/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SIGINT, SIGTERM and SIGHUP as a GCancellable, for commands that have something to put in order
 * before they end.  The process then dies of the signal, as its parent expects.
 */
#pragma once

#include <gio/gio.h>

GCancellable *hf_interrupt_watch (const char *last_words);
int hf_interrupt_signal (void);
void hf_interrupt_die (void) G_GNUC_NORETURN;
