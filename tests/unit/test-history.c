/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The history: what is recorded is read back, whatever it says and however many write at once, and its
 * size has a bound.
 */
#include "core/history.h"

#include "support.h"

#include <string.h>
#include <unistd.h>

#define WRITERS 8
#define BOUND   (2 * 128 * 1024 + WRITERS * 1024)

static GPtrArray *
read_all (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *events = hf_history_read (fixture->installation, &error);
  g_assert_no_error (error);
  return events;
}

static goffset
size_of (Fixture *fixture, const char *name)
{
  struct stat st;
  if (fstatat (fixture->installation->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return 0;
  return st.st_size;
}

static void
test_read_back (Fixture *fixture, gconstpointer data)
{
  HfHistoryEvent event = { .kind = HF_HISTORY_ROLLBACK,
                           .ref = (char *)"a\tb\nc=\\d.\xc3\xa4\xff",
                           .commit = (char *)"",
                           .origin = (char *)"=.",
                           .bytes = G_MAXUINT64,
                           .objects = 3,
                           .deployments = 4 };
  gint64 before = g_get_real_time ();
  hf_history_record (fixture->installation, &event);
  event.kind = HF_HISTORY_REPAIR;
  event.ref = NULL;
  hf_history_record (fixture->installation, &event);
  g_autoptr (GPtrArray) events = read_all (fixture);
  g_assert_cmpuint (events->len, ==, 2);
  const HfHistoryEvent *first = events->pdata[0];
  const HfHistoryEvent *second = events->pdata[1];
  g_assert_cmpint (first->kind, ==, HF_HISTORY_ROLLBACK);
  g_assert_cmpstr (first->ref, ==, "a\tb\nc=\\d.\xc3\xa4\xff");
  g_assert_cmpstr (first->commit, ==, "");
  g_assert_cmpstr (first->previous, ==, NULL);
  g_assert_cmpstr (first->origin, ==, "=.");
  g_assert_cmpuint (first->bytes, ==, G_MAXUINT64);
  g_assert_cmpuint (first->objects, ==, 3);
  g_assert_cmpuint (first->deployments, ==, 4);
  g_assert_cmpuint (first->uid, ==, getuid ());
  g_assert_cmpint (first->time, >=, before);
  g_assert_cmpint (second->kind, ==, HF_HISTORY_REPAIR);
  g_assert_cmpstr (second->ref, ==, NULL);
}

/* Every kind has a name of its own, by which it is known again. */
static void
test_kinds (Fixture *fixture, gconstpointer data)
{
  for (int kind = HF_HISTORY_INSTALL; kind <= HF_HISTORY_REPAIR; kind++)
    {
      const HfHistoryEvent event = { .kind = (HfHistoryKind)kind };
      g_assert_cmpstr (hf_history_kind_name (event.kind), !=, NULL);
      hf_history_record (fixture->installation, &event);
    }
  g_autoptr (GPtrArray) events = read_all (fixture);
  g_assert_cmpuint (events->len, ==, HF_HISTORY_REPAIR + 1);
  for (guint i = 0; i < events->len; i++)
    g_assert_cmpint (((HfHistoryEvent *)events->pdata[i])->kind, ==, (int)i);
}

typedef struct
{
  Fixture *fixture;
  guint number, count;
} Writer;

static void
write_many (gpointer data)
{
  const Writer *writer = data;
  char ref[200];
  memset (ref, 'a' + (int)writer->number, sizeof ref - 1);
  ref[sizeof ref - 1] = '\0';
  for (guint i = 1; i <= writer->count; i++)
    {
      const HfHistoryEvent event = { .kind = HF_HISTORY_UPDATE, .ref = ref, .objects = i };
      hf_history_record (writer->fixture->installation, &event);
    }
}

/* Returns at once: they are to write side by side. */
static pid_t
start (Writer *writer)
{
  pid_t pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid > 0)
    return pid;
  write_many (writer);
  _exit (0);
}

/* Whole lines only, each at most once; of each writer the newest, without a gap. */
static void
check_lines (GPtrArray *events, guint count, gboolean all)
{
  for (guint number = 0; number < WRITERS; number++)
    {
      guint64 next = 0;
      for (guint i = 0; i < events->len; i++)
        {
          const HfHistoryEvent *event = events->pdata[i];
          if (event->ref[0] != 'a' + (char)number)
            continue;
          g_assert_cmpuint (strspn (event->ref, (char[]){ event->ref[0], '\0' }), ==, 199);
          g_assert_true (next == 0 || event->objects == next);
          next = event->objects + 1;
        }
      g_assert_true (all ? next == count + 1 : next <= count + 1);
    }
}

static void
write_at_once (Fixture *fixture, guint count)
{
  Writer writers[WRITERS];
  pid_t children[WRITERS];
  for (guint i = 0; i < WRITERS; i++)
    {
      writers[i] = (Writer){ fixture, i, count };
      children[i] = start (&writers[i]);
    }
  for (guint i = 0; i < WRITERS; i++)
    child_wait (children[i]);
}

static void
test_many_writers (Fixture *fixture, gconstpointer data)
{
  /* They fit in one file. */
  write_at_once (fixture, 50);
  g_autoptr (GPtrArray) events = read_all (fixture);
  g_assert_cmpuint (events->len, ==, WRITERS * 50);
  check_lines (events, 50, TRUE);
  g_assert_cmpint (size_of (fixture, HF_HISTORY_OLD_FILE), ==, 0);
}

static void
test_bound (Fixture *fixture, gconstpointer data)
{
  write_at_once (fixture, 500);
  g_assert_cmpint (size_of (fixture, HF_HISTORY_FILE), >, 0);
  /* Only a full file is put away, and once: with two of them nothing of the newer is lost. */
  g_assert_cmpint (size_of (fixture, HF_HISTORY_OLD_FILE), >=, 128 * 1024);
  g_assert_cmpint (size_of (fixture, HF_HISTORY_FILE) + size_of (fixture, HF_HISTORY_OLD_FILE), <=,
                   BOUND);
  g_autoptr (GPtrArray) events = read_all (fixture);
  g_assert_cmpuint (events->len, >, 128 * 1024 / 300);
  check_lines (events, 500, FALSE);
}

/* A reader meets files that are put away: what it has seen once is there the next time. */
static void
test_reader (Fixture *fixture, gconstpointer data)
{
  Writer writer = { fixture, 0, 3000 };
  pid_t child = start (&writer);
  guint64 newest = 0;
  while (newest < 3000)
    {
      g_autoptr (GPtrArray) events = read_all (fixture);
      check_lines (events, 3000, FALSE);
      guint64 last
          = events->len == 0 ? 0 : ((HfHistoryEvent *)events->pdata[events->len - 1])->objects;
      g_assert_cmpuint (last, >=, newest);
      newest = last;
    }
  child_wait (child);
}

static void
test_torn (Fixture *fixture, gconstpointer data)
{
  const HfHistoryEvent event = { .kind = HF_HISTORY_INSTALL, .ref = (char *)APP };
  hf_history_record (fixture->installation, &event);
  hf_autofd int fd = hf_open_beneath (fixture->installation->root_fd, HF_HISTORY_FILE, O_WRONLY, 0);
  g_assert_no_errno (ftruncate (fd, size_of (fixture, HF_HISTORY_FILE) - 3));
  hf_history_record (fixture->installation, &event);
  hf_history_record (fixture->installation, &event);
  g_autoptr (GPtrArray) events = read_all (fixture);
  g_assert_cmpuint (events->len, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function)                                                                        \
  g_test_add ("/history/" path, Fixture, NULL, fixture_set_up, function, fixture_tear_down)
  ADD ("what is recorded is read back", test_read_back);
  ADD ("every kind of event is known again", test_kinds);
  ADD ("many writers at once lose nothing", test_many_writers);
  ADD ("its size has a bound, and the newest stay", test_bound);
  ADD ("a reader misses nothing while files are put away", test_reader);
  ADD ("a torn line harms no other", test_torn);
  return g_test_run ();
}
