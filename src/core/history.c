/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The history of an installation.  Recording it can fail, and then the change has happened all the
 * same: no command fails or waits because of it.
 *
 * The file is written whether there is a journal or not, and is what `history` reads: whoever may
 * see what is installed may read it too, while a journal is for those in a group of its own; it goes
 * where the installation goes; and it is there in containers and on other systems.  The journal gets
 * the same as fields, for those who look at all that happens on a machine in one place.
 *
 * One line a record, of NAME=VALUE between tabs, with a full stop as its last part.  A line without
 * that is of a writer that died or that found no room, and is no record; the next writer begins a new
 * line.  A line is appended by one write(2) with O_APPEND, which the kernel does not mix with another
 * one's: so nobody waits for a lock, least of all for one on this file, which anybody can open and so
 * could hold for ever.
 *
 * A file that has grown to its limit is renamed over the former one, under `lock`: without it two writers
 * could both do that, and the second would lose what the first has put away.  A line that is written to
 * the file while it is renamed is in the former one then, which is read as well.
 */
#include "history.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/journal.h"
#include "layout.h"
#include "lock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Bytes of one file, of which there are two: some 500 records each. */
#define LIMIT (128 * 1024)

/* What is taken for a file of ours: a line that many were writing at once may end past the limit. */
#define MOST     (2 * LIMIT)

#define LINE_END "."
#define MODE     0644

/* journalctl MESSAGE_ID=…, see holdfast-history(1). */
#define MESSAGE_ID "5896d93f94bf422892f3de3457caea36"

static const struct
{
  const char *name;
  const char *done; /* for people */
} kinds[] = {
  [HF_HISTORY_INSTALL] = { "install", "Installed" },
  [HF_HISTORY_UPDATE] = { "update", "Updated" },
  [HF_HISTORY_ROLLBACK] = { "rollback", "Rolled back" },
  [HF_HISTORY_UNINSTALL] = { "uninstall", "Uninstalled" },
  [HF_HISTORY_RESTORE] = { "restore", "Restored" },
  [HF_HISTORY_SWEEP] = { "sweep", "Swept" },
  [HF_HISTORY_REPAIR] = { "repair", "Repaired" },
};

/**
 * hf_history_event_free:
 * @event: (transfer full): an event that was read
 */
void
hf_history_event_free (HfHistoryEvent *event)
{
  g_free (event->ref);
  g_free (event->commit);
  g_free (event->previous);
  g_free (event->origin);
  g_free (event);
}

/**
 * hf_history_kind_name:
 * @kind: a kind of event
 *
 * Returns: its name, which stays
 */
const char *
hf_history_kind_name (HfHistoryKind kind)
{
  return kinds[kind].name;
}

/* --- One line ------------------------------------------------------------------------------------ */

static void
append_text (GString *line, const char *name, const char *value)
{
  if (value == NULL)
    return;
  g_autofree char *escaped = g_strescape (value, NULL);
  g_string_append_printf (line, "%s=%s\t", name, escaped);
}

static void
append_number (GString *line, const char *name, guint64 value)
{
  if (value != 0)
    g_string_append_printf (line, "%s=%" G_GUINT64_FORMAT "\t", name, value);
}

static char *
line_of (const HfHistoryEvent *event)
{
  g_autoptr (GString) line = g_string_new (NULL);
  append_number (line, "time", (guint64)event->time);
  append_text (line, "event", kinds[event->kind].name);
  append_text (line, "ref", event->ref);
  append_text (line, "commit", event->commit);
  append_text (line, "previous", event->previous);
  append_text (line, "origin", event->origin);
  append_number (line, "bytes", event->bytes);
  append_number (line, "unlinked", event->objects);
  append_number (line, "deployments", event->deployments);
  append_number (line, "uid", event->uid);
  g_string_append (line, LINE_END "\n");
  return g_string_free (g_steal_pointer (&line), FALSE);
}

static gboolean
take_kind (HfHistoryEvent *event, const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i].name, name) == 0)
      {
        event->kind = (HfHistoryKind)i;
        return TRUE;
      }
  return FALSE;
}

/* Names that are not known are a newer holdfast's, and passed over. */
static gboolean
take_part (HfHistoryEvent *event, const char *name, const char *value)
{
  const struct
  {
    const char *name;
    char **text;
    guint64 *number;
  } parts[] = {
    { "ref", &event->ref, NULL },
    { "commit", &event->commit, NULL },
    { "previous", &event->previous, NULL },
    { "origin", &event->origin, NULL },
    { "bytes", NULL, &event->bytes },
    { "unlinked", NULL, &event->objects },
    { "deployments", NULL, &event->deployments },
  };
  if (strcmp (name, "event") == 0)
    return take_kind (event, value);
  if (strcmp (name, "time") == 0)
    event->time = g_ascii_strtoll (value, NULL, 10);
  if (strcmp (name, "uid") == 0)
    event->uid = (guint32)g_ascii_strtoull (value, NULL, 10);
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      if (strcmp (name, parts[i].name) != 0)
        continue;
      if (parts[i].number != NULL)
        *parts[i].number = g_ascii_strtoull (value, NULL, 10);
      else
        {
          g_free (*parts[i].text);
          *parts[i].text = g_strcompress (value);
        }
    }
  return TRUE;
}

/* Returns NULL for what is no whole record, or one of a kind that is not known. */
static HfHistoryEvent *
event_of (const char *line)
{
  g_auto (GStrv) parts = g_strsplit (line, "\t", -1);
  guint n = g_strv_length (parts);
  g_autoptr (HfHistoryEvent) event = g_new0 (HfHistoryEvent, 1);
  gboolean named = FALSE;
  if (n < 2 || strcmp (parts[n - 1], LINE_END) != 0)
    return NULL;
  for (guint i = 0; i + 1 < n; i++)
    {
      char *value = strchr (parts[i], '=');
      if (value == NULL)
        return NULL;
      *value++ = '\0';
      if (!take_part (event, parts[i], value))
        return NULL;
      named |= strcmp (parts[i], "event") == 0;
    }
  return named && event->time > 0 ? g_steal_pointer (&event) : NULL;
}

/* --- Writing ------------------------------------------------------------------------------------- */

static int
open_file (HfInstallation *installation, struct stat *st)
{
  hf_autofd int fd = hf_open_beneath (installation->root_fd, HF_HISTORY_FILE,
                                      O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, MODE);
  if (fd < 0 || fstat (fd, st) != 0)
    return -1;
  if (!S_ISREG (st->st_mode))
    {
      errno = EINVAL;
      return -1;
    }
  return hf_fd_steal (&fd);
}

/* A crash leaves the file under one name or the other. */
static gboolean
put_away (HfInstallation *installation, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  struct stat st;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return FALSE;
  /* Somebody else may have been faster. */
  if (fstatat (installation->root_fd, HF_HISTORY_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0
      || st.st_size < LIMIT)
    return TRUE;
  return renameat (installation->root_fd, HF_HISTORY_FILE, installation->root_fd,
                   HF_HISTORY_OLD_FILE)
             == 0
         || hf_throw_errno (error, "Cannot rename %s", HF_HISTORY_FILE);
}

static gboolean
append_line (HfInstallation *installation, const char *line, GError **error)
{
  struct stat st;
  hf_autofd int fd = open_file (installation, &st);
  if (fd >= 0 && st.st_size >= LIMIT)
    {
      if (!put_away (installation, error))
        return FALSE;
      hf_fd_clear (&fd);
      fd = open_file (installation, &st);
    }
  if (fd < 0)
    return hf_throw_errno (error, "Cannot open %s", HF_HISTORY_FILE);
  char last = '\n';
  if (st.st_size > 0)
    (void)!pread (fd, &last, 1, st.st_size - 1);
  g_autofree char *text = g_strconcat (last == '\n' ? "" : "\n", line, NULL);
  gsize length = strlen (text);
  ssize_t written = write (fd, text, length);
  /* Not the rest of it: that could come after another one's line. */
  if (written != (ssize_t)length)
    return hf_throw_errno (error, "Cannot write %s", HF_HISTORY_FILE);
  return TRUE;
}

static void
add_number (HfJournalEntry *entry, const char *field, guint64 value)
{
  g_autofree char *text = g_strdup_printf ("%" G_GUINT64_FORMAT, value);
  hf_journal_entry_add (entry, field, text);
}

static gboolean
tell_journal (const HfInstallation *installation, const HfHistoryEvent *event)
{
  g_autoptr (HfJournalEntry) entry = hf_journal_entry_new ();
  g_autofree char *message
      = g_strjoin (" ", kinds[event->kind].done,
                   event->ref != NULL ? event->ref : installation->path, event->commit, NULL);
  hf_journal_entry_add (entry, "MESSAGE", message);
  hf_journal_entry_add (entry, "MESSAGE_ID", MESSAGE_ID);
  hf_journal_entry_add (entry, "PRIORITY", "6");
  hf_journal_entry_add (entry, "SYSLOG_IDENTIFIER", g_get_prgname ());
  hf_journal_entry_add (entry, "HOLDFAST_INSTALLATION", installation->path);
  hf_journal_entry_add (entry, "HOLDFAST_EVENT", kinds[event->kind].name);
  hf_journal_entry_add (entry, "HOLDFAST_REF", event->ref);
  hf_journal_entry_add (entry, "HOLDFAST_COMMIT", event->commit);
  hf_journal_entry_add (entry, "HOLDFAST_PREVIOUS_COMMIT", event->previous);
  hf_journal_entry_add (entry, "HOLDFAST_ORIGIN", event->origin);
  add_number (entry, "HOLDFAST_BYTES", event->bytes);
  add_number (entry, "HOLDFAST_OBJECTS", event->objects);
  add_number (entry, "HOLDFAST_DEPLOYMENTS", event->deployments);
  return hf_journal_entry_send (entry);
}

/**
 * hf_history_record:
 * @installation: an installation that was changed
 * @event: what was done; its time and user are now, and who calls
 *
 * Whatever goes wrong here is said where --verbose is asked for, and nowhere else.
 *
 * Locks: the caller holds none of the installation's permanent locks; takes `lock` once in some hundred calls.
 */
void
hf_history_record (HfInstallation *installation, const HfHistoryEvent *event)
{
  HfHistoryEvent now = *event;
  g_autoptr (GError) failed = NULL;
  now.time = g_get_real_time ();
  now.uid = getuid ();
  g_autofree char *line = line_of (&now);
  if (!append_line (installation, line, &failed))
    g_debug ("This is not recorded: %s", failed->message);
  if (!tell_journal (installation, &now) && errno != ENOENT)
    g_debug ("The journal does not take this: %s", g_strerror (errno));
}

/* --- Reading ------------------------------------------------------------------------------------- */

static gboolean
read_file (HfInstallation *installation, const char *name, GPtrArray *events, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GBytes) bytes = hf_file_read (installation->root_fd, name, MOST, &failed);
  gsize size;
  if (bytes == NULL && errno == ENOENT)
    return TRUE;
  if (bytes == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  const char *data = g_bytes_get_data (bytes, &size);
  for (gsize at = 0; at < size;)
    {
      const char *end = memchr (data + at, '\n', size - at);
      gsize length = end != NULL ? (gsize)(end - data) - at : size - at;
      g_autofree char *line = g_strndup (data + at, length);
      HfHistoryEvent *event = event_of (line);
      if (event != NULL)
        g_ptr_array_add (events, event);
      at += length + 1;
    }
  return TRUE;
}

static int
compare_events (gconstpointer a, gconstpointer b)
{
  const HfHistoryEvent *left = *(HfHistoryEvent *const *)a;
  const HfHistoryEvent *right = *(HfHistoryEvent *const *)b;
  return (left->time > right->time) - (left->time < right->time);
}

/* Whether the present file is still the one that was opened, or there is none, as before. */
static gboolean
is_present (HfInstallation *installation, int fd)
{
  struct stat opened, st;
  if (fstatat (installation->root_fd, HF_HISTORY_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return fd < 0;
  return fd >= 0 && fstat (fd, &opened) == 0 && hf_stat_same_file (&st, &opened);
}

/**
 * hf_history_read:
 * @installation: an installation
 *
 * Locks: none; if a file is put away meanwhile, both are read again.
 *
 * Returns: (transfer full) (element-type HfHistoryEvent): what is known, newest last, or %NULL with
 *   @error set
 */
GPtrArray *
hf_history_read (HfInstallation *installation, GError **error)
{
  for (;;)
    {
      g_autoptr (GPtrArray) events
          = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_history_event_free);
      /* Open until the end, so that no other file has its inode. */
      hf_autofd int present = hf_open_beneath (installation->root_fd, HF_HISTORY_FILE, O_PATH, 0);
      if (!read_file (installation, HF_HISTORY_OLD_FILE, events, error)
          || !read_file (installation, HF_HISTORY_FILE, events, error))
        return NULL;
      if (!is_present (installation, present))
        continue;
      g_ptr_array_sort (events, compare_events);
      return g_steal_pointer (&events);
    }
}
