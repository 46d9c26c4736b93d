/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What deleting frees, as du(1) and df(1) see it: an inode and its blocks go with its last name.  A
 * ledger is either of what is done, or of what would be: then nothing is unlinked, and what the ledger
 * has gone is no longer there for those who look through it.  So a dry run takes the way of a real one.
 */
#pragma once

#include "progress.h"

#include <dirent.h>
#include <glib.h>
#include <sys/stat.h>

typedef struct HfLedger HfLedger;

HfLedger *hf_ledger_new (gboolean dry, HfProgress *progress);
void hf_ledger_free (HfLedger *ledger);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfLedger, hf_ledger_free)

gboolean hf_ledger_is_dry (const HfLedger *ledger);
void hf_ledger_get (HfLedger *ledger, guint64 *bytes, guint64 *inodes);

int hf_ledger_unlink (HfLedger *ledger, int dfd, const char *path, int flags);
int hf_ledger_unlink_known (HfLedger *ledger, int dfd, const char *path, const struct stat *st);
int hf_ledger_unlink_listed (HfLedger *ledger, int dfd, const struct dirent *entry);
int hf_ledger_remove_dir (HfLedger *ledger, int dfd, const char *path);
void hf_ledger_made (HfLedger *ledger, int dfd, const char *name);

/* Of a dry run only. */
void hf_ledger_take (HfLedger *ledger, const struct stat *st);
int hf_ledger_stat (HfLedger *ledger, int dfd, const char *path, struct stat *out);
gboolean hf_ledger_has_gone (HfLedger *ledger, int dir_fd);
void hf_ledger_begin (HfLedger *ledger, int dir_fd);
gboolean hf_ledger_has_begun (HfLedger *ledger, int dir_fd);
