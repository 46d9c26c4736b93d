/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entries with structured fields for systemd's journal, where there is one.
 */
#pragma once

#include <glib.h>

typedef struct HfJournalEntry HfJournalEntry;

HfJournalEntry *hf_journal_entry_new (void);
void hf_journal_entry_free (HfJournalEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfJournalEntry, hf_journal_entry_free)

void hf_journal_entry_add (HfJournalEntry *entry, const char *field, const char *value);
gboolean hf_journal_entry_send (const HfJournalEntry *entry);
