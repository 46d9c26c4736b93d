/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The symlinks of indirect roots.  A link ends its root only where it is known to have gone or to lead
 * elsewhere; whatever cannot be told, for want of permission, of an answer, or of the file system that the
 * link was made on, leaves the root standing (DESIGN section 8).
 *
 * The look is taken by a forked child, which calls nothing that needs memory or a lock.  A child that hangs
 * is killed and left to the kernel: nobody waits for it.
 */
#include "root-link.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* Milliseconds for one link, and for all that do not answer. */
#define PATIENCE        2000
#define PATIENCE_ALL    10000
#define FSID_DIGITS     16
#define NOT_MOUNTED     (-1)
#define LEADS_ELSEWHERE (-2)

/* What the child says of one root: 0 if its link holds, one of the above, or an errno. */
typedef struct
{
  guint index;
  int verdict;
} Answer;

/* Everything that the child needs, made before the fork. */
typedef struct
{
  const HfRoot *root;
  char *deployed; /* owned; where the deployment lies in deploy/, below @deploy_fd */
  int deploy_fd;
} Question;

/* f_fsid identifies a file system for ext4 and btrfs also after a reboot.  What a tmpfs held goes with
 * it, so that nothing on one is ever waited for. */
static gboolean
filesystem_id (const struct statfs *st, char out[FSID_DIGITS + 1])
{
  static const char digits[] = "0123456789abcdef";
  guint64 id;
  G_STATIC_ASSERT (sizeof st->f_fsid == sizeof id);
  memcpy (&id, &st->f_fsid, sizeof id);
  for (guint i = 0; i < FSID_DIGITS; i++)
    out[i] = digits[(id >> (4 * (FSID_DIGITS - 1 - i))) & 0xf];
  out[FSID_DIGITS] = '\0';
  return id != 0 && st->f_type != TMPFS_MAGIC;
}

/* Looks at the nearest directory above @path that there is. */
static gboolean
on_same_filesystem (const char *path, const char *expected)
{
  char above[PATH_MAX];
  char id[FSID_DIGITS + 1];
  struct statfs st;
  strncpy (above, path, sizeof above - 1);
  above[sizeof above - 1] = '\0';
  for (char *slash = strrchr (above, '/'); slash != NULL; slash = strrchr (above, '/'))
    {
      *slash = '\0';
      if (statfs (slash == above ? "/" : above, &st) == 0)
        {
          (void)filesystem_id (&st, id);
          return strcmp (id, expected) == 0;
        }
      if (errno != ENOENT && errno != ENOTDIR)
        return FALSE;
    }
  return FALSE;
}

/* Runs in the child. */
static int
look (const Question *question)
{
  char target[PATH_MAX];
  struct stat linked, deployed;
  const HfRoot *root = question->root;
  ssize_t length = readlink (root->link, target, sizeof target);
  if (length < 0 && (errno == ENOENT || errno == ENOTDIR))
    return root->filesystem == NULL || on_same_filesystem (root->link, root->filesystem)
               ? ENOENT
               : NOT_MOUNTED;
  if (length < 0)
    return errno == EINVAL ? LEADS_ELSEWHERE : errno;
  if ((gsize)length == strlen (root->target) && memcmp (target, root->target, (gsize)length) == 0)
    return 0;
  /* Another way to the same directory. */
  return stat (root->link, &linked) == 0
                 && fstatat (question->deploy_fd, question->deployed, &deployed, 0) == 0
                 && hf_stat_same_file (&linked, &deployed)
             ? 0
             : LEADS_ELSEWHERE;
}

static pid_t
start_child (const GArray *questions, guint first, int *out_fd)
{
  int fds[2];
  if (pipe2 (fds, O_CLOEXEC) != 0)
    return -1;
  pid_t child = fork ();
  if (child == 0)
    {
      for (guint i = first; i < questions->len; i++)
        {
          Answer answer = { i, look (&g_array_index (questions, Question, i)) };
          if (write (fds[1], &answer, sizeof answer) != (ssize_t)sizeof answer)
            break;
        }
      _exit (0);
    }
  (void)close (fds[1]);
  *out_fd = fds[0];
  if (child < 0)
    hf_fd_clear (out_fd);
  return child;
}

static void
judge (HfRoot *root, int verdict)
{
  g_clear_pointer (&root->why, g_free);
  root->standing = HF_ROOT_UNREADABLE;
  if (verdict == 0)
    root->standing = HF_ROOT_HOLDS;
  else if (verdict == ENOENT || verdict == LEADS_ELSEWHERE)
    {
      root->standing = HF_ROOT_ENDED;
      root->why = g_strdup_printf (verdict == ENOENT ? _ ("%s has gone")
                                                     : _ ("%s no longer leads to the deployment"),
                                   root->link);
    }
  else if (verdict == NOT_MOUNTED)
    root->why = g_strdup_printf (_ ("%s is not there, and neither is the file system it was on"),
                                 root->link);
  else
    root->why = g_strdup_printf (_ ("%s cannot be read: %s"), root->link, g_strerror (verdict));
}

/* Takes the answers of one child, until it has no more or does not answer in time.  Returns how many
 * questions are behind us, the one that hung included. */
static guint
take_answers (const GArray *questions, guint first, gint64 deadline)
{
  hf_autofd int fd = -1;
  guint next = first;
  pid_t child = start_child (questions, first, &fd);
  int status;
  while (child > 0 && next < questions->len)
    {
      Answer answer;
      struct pollfd waiting = { .fd = fd, .events = POLLIN };
      gint64 left = MIN (PATIENCE, (deadline - g_get_monotonic_time ()) / 1000);
      int ready = poll (&waiting, 1, (int)MAX (left, 0));
      if (ready < 0 && errno == EINTR)
        continue;
      if (ready <= 0 || read (fd, &answer, sizeof answer) != (ssize_t)sizeof answer)
        break;
      judge ((HfRoot *)g_array_index (questions, Question, answer.index).root, answer.verdict);
      next = answer.index + 1;
    }
  if (child > 0 && next < questions->len)
    (void)kill (child, SIGKILL);
  /* One that hangs in the kernel is reaped by whoever reaps us. */
  if (child > 0)
    (void)waitpid (child, &status, next < questions->len ? WNOHANG : 0);
  return MIN (next + 1, questions->len);
}

static void
question_clear (gpointer data)
{
  g_free (((Question *)data)->deployed);
}

/**
 * hf_root_links_look:
 * @installation: an installation
 * @roots: (element-type HfRoot): roots, the standing of which is set, with the reason where it is not
 *   %HF_ROOT_HOLDS
 *
 * Waits two seconds at most for a link, and ten for all of those that do not answer.
 *
 * Locks: none; better none are held.
 */
void
hf_root_links_look (HfInstallation *installation, const GPtrArray *roots)
{
  g_autoptr (GArray) questions = g_array_new (FALSE, FALSE, sizeof (Question));
  g_array_set_clear_func (questions, question_clear);
  for (guint i = 0; i < roots->len; i++)
    {
      HfRoot *root = roots->pdata[i];
      if (root->link == NULL)
        continue;
      Question question = { root, g_strconcat (root->ref->full, "/", root->deployment, NULL),
                            installation->deploy_fd };
      judge (root, ETIMEDOUT);
      g_array_append_val (questions, question);
    }
  gint64 deadline = g_get_monotonic_time () + PATIENCE_ALL * G_TIME_SPAN_MILLISECOND;
  for (guint next = 0; next < questions->len && g_get_monotonic_time () < deadline;)
    next = take_answers (questions, next, deadline);
}

/* A link that says the same already is as good: a crash left it, before its root was written. */
static gboolean
make_link (const char *link, const char *target, GError **error)
{
  if (symlinkat (target, AT_FDCWD, link) == 0)
    return TRUE;
  int errsv = errno;
  g_autofree char *present = errsv == EEXIST ? hf_link_read (AT_FDCWD, link) : NULL;
  if (g_strcmp0 (present, target) == 0)
    return TRUE;
  errno = errsv;
  return hf_throw_errno (error, "Cannot create symlink %s", link);
}

/* The link has to be on disk before the root: a power cut that left the root alone would have ended it,
 * and the next sweep would drop what it keeps.  The path is the user's own, and may lead through symlinks. */
static gboolean
sync_directory (const char *path, GError **error)
{
  hf_autofd int fd = openat (AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 ? hf_throw_errno (error, "Cannot open %s", path) : hf_fd_sync (fd, error);
}

/**
 * hf_root_link_make:
 * @root: a root that stands by itself
 * @link: the path of a symlink to make, absolute or from the working directory
 * @target: where it is to lead: the deployment's path
 *
 * Makes the symlink and has @root stand and fall with it.  It is made before the root is written: a crash
 * in between leaves a symlink that protects nothing, and a root that ended at once would be worse.
 *
 * Returns: %FALSE with %HF_ERROR_USAGE if @link is no text that a keyfile can hold, or an errno error:
 *   EEXIST if something else is there
 */
gboolean
hf_root_link_make (HfRoot *root, const char *link, const char *target, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (link, NULL);
  g_autofree char *directory = g_path_get_dirname (path);
  struct statfs st;
  char id[FSID_DIGITS + 1];
  if (!g_utf8_validate (path, -1, NULL) || strlen (path) >= PATH_MAX)
    return hf_throw (error, HF_ERROR_USAGE, "%s: the link's path is too long, or not UTF-8", link);
  if (!make_link (path, target, error) || !sync_directory (directory, error))
    return FALSE;
  if (statfs (directory, &st) != 0)
    return hf_throw_errno (error, "Cannot look at %s", directory);
  root->link = g_steal_pointer (&path);
  root->target = g_strdup (target);
  if (filesystem_id (&st, id))
    root->filesystem = g_strdup (id);
  return TRUE;
}
