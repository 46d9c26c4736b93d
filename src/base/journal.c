/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The journal's native protocol: one datagram an entry, see systemd's JOURNAL_NATIVE_PROTOCOL.
 * g_log_writer_journald() speaks it too, but waits for a journal that does not read; nothing of ours
 * may hang on that.
 */
#include "journal.h"

#include "fd.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET "/run/systemd/journal/socket"

struct HfJournalEntry
{
  GByteArray *data; /* owned */
};

/**
 * hf_journal_entry_new:
 *
 * Returns: (transfer full): an entry without fields
 */
HfJournalEntry *
hf_journal_entry_new (void)
{
  HfJournalEntry *entry = g_new0 (HfJournalEntry, 1);
  entry->data = g_byte_array_new ();
  return entry;
}

/**
 * hf_journal_entry_free:
 * @entry: (transfer full): an entry
 */
void
hf_journal_entry_free (HfJournalEntry *entry)
{
  g_byte_array_unref (entry->data);
  g_free (entry);
}

static void
append (HfJournalEntry *entry, const void *data, gsize length)
{
  g_byte_array_append (entry->data, data, (guint)length);
}

/**
 * hf_journal_entry_add:
 * @entry: an entry
 * @field: a field's name: capitals, digits and underscores
 * @value: (nullable): its value, of any bytes; without one there will be no such field
 */
void
hf_journal_entry_add (HfJournalEntry *entry, const char *field, const char *value)
{
  if (value == NULL)
    return;
  append (entry, field, strlen (field));
  gsize length = strlen (value);
  if (strchr (value, '\n') != NULL)
    {
      /* A line of its own would be another field. */
      const guint64 size = GUINT64_TO_LE ((guint64)length);
      append (entry, "\n", 1);
      append (entry, &size, sizeof size);
    }
  else
    append (entry, "=", 1);
  append (entry, value, length);
  append (entry, "\n", 1);
}

/**
 * hf_journal_entry_send:
 * @entry: an entry
 *
 * Sends it at once or not at all, and never waits.
 *
 * Returns: whether there is a journal that took it; `errno` is set if not
 */
gboolean
hf_journal_entry_send (const HfJournalEntry *entry)
{
  const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
  hf_autofd int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return fd >= 0
         && sendto (fd, entry->data->data, entry->data->len, MSG_DONTWAIT | MSG_NOSIGNAL,
                    (const struct sockaddr *)&address, sizeof address)
                >= 0;
}
