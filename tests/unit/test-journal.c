/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entries for the journal: a socket of ours stands where systemd's would.
 */
#include "base/journal.h"

#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET "/run/systemd/journal/socket"
#define MOST   100000 /* entries; far more than any socket's queue has room for */

/* In mounts of its own: nobody else sees it. */
static int
become_journal (void)
{
  const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
  g_assert_no_errno (mount ("tmpfs", "/run", "tmpfs", 0, NULL));
  g_assert_no_errno (g_mkdir_with_parents ("/run/systemd/journal", 0755));
  int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  g_assert_no_errno (fd);
  g_assert_no_errno (bind (fd, (const struct sockaddr *)&address, sizeof address));
  return fd;
}

static void
send_fields (gpointer data)
{
  /* The length of a value of several lines: 64 bits, the lowest byte first. */
  static const char expected[] = "MESSAGE=hello = there\nEMPTY=\nLINES\n"
                                 "\x03\0\0\0\0\0\0\0"
                                 "a\nb\nLAST=\xff\n";
  char received[256];
  hf_autofd int fd = become_journal ();
  g_autoptr (HfJournalEntry) entry = hf_journal_entry_new ();
  hf_journal_entry_add (entry, "MESSAGE", "hello = there");
  hf_journal_entry_add (entry, "EMPTY", "");
  hf_journal_entry_add (entry, "ABSENT", NULL);
  hf_journal_entry_add (entry, "LINES", "a\nb");
  hf_journal_entry_add (entry, "LAST", "\xff");
  g_assert_true (hf_journal_entry_send (entry));
  ssize_t length = recv (fd, received, sizeof received, MSG_DONTWAIT);
  g_assert_cmpmem (received, length, expected, sizeof expected - 1);
  g_assert_cmpint (recv (fd, received, sizeof received, MSG_DONTWAIT), ==, -1);
}

static void
test_fields (void)
{
  if (!skip_unless_root ("it mounts"))
    run_in_mounts (send_fields, NULL);
}

static void
send_too_many (gpointer data)
{
  hf_autofd int fd = become_journal ();
  g_autoptr (HfJournalEntry) entry = hf_journal_entry_new ();
  guint sent = 0;
  hf_journal_entry_add (entry, "MESSAGE", "hello");
  while (sent < MOST && hf_journal_entry_send (entry))
    sent++;
  g_assert_cmpint (errno, ==, EAGAIN);
  g_assert_cmpuint (sent, >, 0);
  g_assert_cmpuint (sent, <, MOST);
}

static void
test_not_reading (void)
{
  if (!skip_unless_root ("it mounts"))
    run_in_mounts (send_too_many, NULL);
}

static void
send_to_nobody (gpointer data)
{
  hf_autofd int fd = become_journal ();
  g_autoptr (HfJournalEntry) entry = hf_journal_entry_new ();
  hf_journal_entry_add (entry, "MESSAGE", "hello");
  hf_fd_clear (&fd);
  g_assert_false (hf_journal_entry_send (entry));
  g_assert_cmpint (errno, ==, ECONNREFUSED);
  g_assert_no_errno (unlink (SOCKET));
  g_assert_false (hf_journal_entry_send (entry));
  g_assert_cmpint (errno, ==, ENOENT);
}

static void
test_none (void)
{
  if (!skip_unless_root ("it mounts"))
    run_in_mounts (send_to_nobody, NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/journal/a field has its value, whatever bytes that has", test_fields);
  g_test_add_func ("/journal/a journal that does not read keeps nobody waiting", test_not_reading);
  g_test_add_func ("/journal/without a journal it says so", test_none);
  return g_test_run ();
}
