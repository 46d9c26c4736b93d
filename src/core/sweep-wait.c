/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Waiting for what a sweep found in use.  Nothing is held meanwhile, and whatever is seen here only leads
 * to another sweep, which looks at everything anew.  An entry that somebody brings back into service is no
 * longer waited for as soon as it leaves removed/, or the wait would end with an exclusive lock, for a moment,
 * on what is active; a launcher that meets that moment waits it out, see hf_lease_acquire().
 */
#include "sweep-wait.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/lock-wait.h"
#include "layout.h"

#include <errno.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Entries that are waited for at a time, each by a process.  Those after them come later. */
#define MOST 256

struct HfSweepWait
{
  HfInstallation *installation;
  int moves_fd; /* owned; inotify(7), of removed/ and deploy/ */
  int turn_fd;  /* owned; staging/, locked by flock(2), or -1 */
};

static gboolean
watch (int inotify_fd, int dir_fd, guint32 events)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", dir_fd);
  return inotify_fd >= 0 && inotify_add_watch (inotify_fd, path, events | IN_ONLYDIR) >= 0;
}

/**
 * hf_sweep_wait_new:
 * @installation: an installation
 *
 * Returns: (transfer full): what to wait with, or %NULL with @error set
 */
HfSweepWait *
hf_sweep_wait_new (HfInstallation *installation, GError **error)
{
  g_autoptr (HfSweepWait) wait = g_new0 (HfSweepWait, 1);
  wait->installation = installation;
  wait->turn_fd = -1;
  wait->moves_fd = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  /* A sweep itself moves nothing: what it deletes is not to be seen here.  What cannot be moved is removed in
   * place, of which only the mark on deploy/ tells. */
  if (!watch (wait->moves_fd, installation->removed_fd, IN_MOVED_TO | IN_MOVED_FROM)
      || !watch (wait->moves_fd, installation->deploy_fd, IN_ATTRIB))
    {
      (void)hf_throw_errno (error, "Cannot watch %s", installation->path);
      return NULL;
    }
  return g_steal_pointer (&wait);
}

/**
 * hf_sweep_wait_free:
 * @wait: (nullable) (transfer full): what to wait with
 */
void
hf_sweep_wait_free (HfSweepWait *wait)
{
  if (wait == NULL)
    return;
  hf_sweep_wait_end_turn (wait);
  hf_fd_clear (&wait->moves_fd);
  g_free (wait);
}

/**
 * hf_sweep_wait_take_turn:
 * @wait: what to wait with
 *
 * Of the sweepers that commands start in the background one is enough: it notices whatever comes.
 * Nothing is unsafe with more.  The lock is an flock(2) of staging/, which no other user can open, and for
 * which there need be no file; where it cannot be had for another reason than that somebody has it, as on
 * NFS, there are more of them.
 *
 * Returns: %FALSE if another process has its turn
 */
gboolean
hf_sweep_wait_take_turn (HfSweepWait *wait)
{
  wait->turn_fd = hf_open_dir (wait->installation->root_fd, HF_STAGING_DIR, NULL);
  if (wait->turn_fd < 0 || flock (wait->turn_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
    return TRUE;
  hf_fd_clear (&wait->turn_fd);
  return FALSE;
}

/**
 * hf_sweep_wait_end_turn:
 * @wait: what to wait with
 *
 * To be followed by a look at hf_sweep_wait_is_pending(): what came before this, another one may have left
 * to us.
 */
void
hf_sweep_wait_end_turn (HfSweepWait *wait)
{
  if (wait->turn_fd >= 0)
    (void)flock (wait->turn_fd, LOCK_UN);
  hf_fd_clear (&wait->turn_fd);
}

/**
 * hf_sweep_wait_begin:
 * @wait: what to wait with
 *
 * To be called before each sweep: what has come until then, that sweep sees for itself.
 */
void
hf_sweep_wait_begin (HfSweepWait *wait)
{
  char events[4096];
  while (read (wait->moves_fd, events, sizeof events) > 0)
    ;
}

/**
 * hf_sweep_wait_is_pending:
 * @wait: what to wait with
 *
 * Returns: whether something may have been taken out of service, or brought back, since
 *   hf_sweep_wait_begin()
 */
gboolean
hf_sweep_wait_is_pending (const HfSweepWait *wait)
{
  struct pollfd moves = { .fd = wait->moves_fd, .events = POLLIN };
  return poll (&moves, 1, 0) > 0;
}

/* One that has gone meanwhile is nothing to wait for: *@out is -1 then. */
static gboolean
start_one (HfInstallation *installation, const HfSweepEntry *entry, int *out, GError **error)
{
  g_autofree char *path = g_strconcat (entry->path, "/", HF_REF_FILE, NULL);
  hf_autofd int fd = hf_open_beneath (installation->root_fd, path, O_RDWR | O_NONBLOCK, 0);
  *out = -1;
  if (fd < 0)
    return errno == ENOENT || errno == ELOOP || errno == ENOTDIR
           || hf_throw_errno (error, "Cannot open %s", path);
  *out = hf_lock_wait_start (fd);
  return *out >= 0 || hf_throw_errno (error, "Cannot wait for %s", path);
}

/* Appends to @polled, in the order of the entries that are held. */
static gboolean
start_all (HfInstallation *installation, const HfSweepReport *report, GArray *polled,
           gboolean *out_gone, GError **error)
{
  *out_gone = FALSE;
  for (guint i = 0; i < report->entries->len && polled->len <= MOST; i++)
    {
      const HfSweepEntry *entry = report->entries->pdata[i];
      struct pollfd one = { .events = POLLIN };
      if (entry->outcome != HF_SWEEP_HELD)
        continue;
      if (!start_one (installation, entry, &one.fd, error))
        return FALSE;
      *out_gone |= one.fd < 0;
      if (one.fd >= 0)
        g_array_append_val (polled, one);
    }
  return TRUE;
}

static gboolean
end_all (const GArray *polled, GError **error)
{
  gboolean all = TRUE;
  for (guint i = 1; i < polled->len; i++)
    all &= hf_lock_wait_end (g_array_index (polled, struct pollfd, i).fd);
  return all || hf_throw (error, HF_ERROR_FAILED, "The file system cannot wait for a lock");
}

static gboolean
poll_all (const GArray *polled, gint64 deadline, gboolean *out_any, GError **error)
{
  int ready = hf_lock_wait_poll ((struct pollfd *)polled->data, polled->len, deadline);
  *out_any = ready > 0;
  return ready >= 0 || hf_throw_errno (error, "Cannot wait");
}

/**
 * hf_sweep_wait:
 * @wait: what to wait with, begun with before that sweep
 * @report: what the last sweep found in use
 * @deadline: in microseconds of g_get_monotonic_time(), or -1 to wait as long as it takes
 * @out_again: (out): whether there is a reason for another sweep: something has been given up, or may have been
 *   taken out of service; %FALSE if nothing is held, or @deadline has passed
 *
 * Locks: needs none, and the caller must hold none.  Waits, in other processes, for the `.ref` of each entry,
 * exclusively; entries of staging/ are never in @report.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_sweep_wait (HfSweepWait *wait, const HfSweepReport *report, gint64 deadline, gboolean *out_again,
               GError **error)
{
  g_autoptr (GArray) polled = g_array_new (FALSE, FALSE, sizeof (struct pollfd));
  const struct pollfd moves = { .fd = wait->moves_fd, .events = POLLIN };
  g_array_append_val (polled, moves);
  gboolean gone;
  *out_again = FALSE;
  if (report->held == 0)
    return TRUE;
  gboolean done = start_all (wait->installation, report, polled, &gone, error)
                  && (gone || poll_all (polled, deadline, out_again, error));
  /* First the processes: until they have ended, none of them may be met by that other sweep. */
  if (!end_all (polled, done ? error : NULL) || !done)
    return FALSE;
  *out_again |= gone;
  return TRUE;
}
