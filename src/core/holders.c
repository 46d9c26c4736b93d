/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who holds a `.ref`.  Everything here comes from /proc and is stale the moment it is read, so it
 * only ever tells people; what cannot be seen (another user's descriptors, a process that is gone,
 * a lock in flight in a socket) is left out and is never an error.
 */
#include "holders.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/ofd-lock.h"
#include "layout.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* A process that has a `.ref` open through a description that holds a lock on it. */
typedef struct
{
  gint64 pid;
  dev_t device; /* as stat(2) gives them */
  ino_t inode;
} Opener;

/* One line of /proc/locks, proc_locks(5).  Waiters ("->") and leases are not locks held. */
static gboolean
parse_lock (const char *line, HfKernelLock *out)
{
  char type[16], mode[16];
  long long pid;
  unsigned int major_number, minor_number;
  unsigned long long inode;
  if (sscanf (line, "%*s %15s %*s %15s %lld %x:%x:%llu", type, mode, &pid, &major_number,
              &minor_number, &inode)
      != 6)
    return FALSE;
  if (strcmp (type, "POSIX") == 0)
    out->kind = HF_KERNEL_LOCK_POSIX;
  else if (strcmp (type, "FLOCK") == 0)
    out->kind = HF_KERNEL_LOCK_FLOCK;
  else if (strcmp (type, "OFDLCK") == 0)
    out->kind = HF_KERNEL_LOCK_OFD;
  else
    return FALSE;
  out->exclusive = strcmp (mode, "WRITE") == 0;
  out->pid = pid;
  out->file.device = makedev (major_number, minor_number);
  out->file.inode = inode;
  return TRUE;
}

/* The kernel hands /proc/locks out a page at a time, by position in a list that may change in
 * between, so that an entry can be missed: read until two readings agree. */
static char *
read_proc_locks (GError **error)
{
  g_autofree char *text = NULL;
  for (int attempt = 0; attempt < 4; attempt++)
    {
      g_autoptr (GError) failure = NULL;
      char *again = NULL;
      if (!g_file_get_contents ("/proc/locks", &again, NULL, &failure))
        {
          (void)hf_throw (error, HF_ERROR_FAILED, "Cannot see who holds what: %s",
                          failure->message);
          return NULL;
        }
      gboolean same = g_strcmp0 (text, again) == 0;
      g_free (text);
      text = again;
      if (same)
        break;
    }
  return g_steal_pointer (&text);
}

/**
 * hf_holders_read:
 *
 * Returns: (transfer full): a snapshot of the locks held on this machine, or %NULL with @error set
 *   if there is no /proc/locks
 */
HfHolders *
hf_holders_read (GError **error)
{
  g_autofree char *text = read_proc_locks (error);
  if (text == NULL)
    return NULL;
  HfHolders *self = g_new0 (HfHolders, 1);
  self->locks = g_array_new (FALSE, TRUE, sizeof (HfKernelLock));
  char *rest = text;
  for (char *line = strsep (&rest, "\n"); line != NULL; line = strsep (&rest, "\n"))
    {
      HfKernelLock lock = { 0 };
      if (parse_lock (line, &lock))
        g_array_append_val (self->locks, lock);
    }
  return self;
}

/**
 * hf_holders_free:
 * @self: (nullable) (transfer full): a snapshot
 */
void
hf_holders_free (HfHolders *self)
{
  if (self == NULL)
    return;
  g_array_unref (self->locks);
  g_clear_pointer (&self->openers, g_array_unref);
  g_free (self->mounts);
  g_free (self);
}

static gboolean
find_mount_device (HfHolders *self, guint64 mount_id, dev_t *out)
{
  if (self->mounts == NULL
      && !g_file_get_contents ("/proc/self/mountinfo", &self->mounts, NULL, NULL))
    self->mounts = g_strdup ("");
  for (const char *line = self->mounts; line != NULL && *line != '\0';)
    {
      unsigned long long id;
      unsigned int major_number, minor_number;
      if (sscanf (line, "%llu %*u %u:%u", &id, &major_number, &minor_number) == 3 && id == mount_id)
        {
          *out = makedev (major_number, minor_number);
          return TRUE;
        }
      line = strchr (line, '\n');
      if (line != NULL)
        line++;
    }
  return FALSE;
}

/**
 * hf_holders_identify:
 * @self: a snapshot
 * @fd: a file, O_PATH is enough
 * @out: (out): how the snapshot's locks name it
 *
 * On btrfs stat(2) gives a device of the subvolume's own, while /proc/locks prints the
 * superblock's, as /proc/self/mountinfo does for the mount that @fd came through.
 *
 * Returns: %FALSE with @error set if @fd cannot be examined
 */
gboolean
hf_holders_identify (HfHolders *self, int fd, HfLockedFile *out, GError **error)
{
  struct statx st;
  if (statx (fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &st) != 0)
    return hf_throw_errno (error, "Cannot examine a lock file");
  out->inode = st.stx_ino;
  out->device = makedev (st.stx_dev_major, st.stx_dev_minor);
  if (st.stx_mask & STATX_MNT_ID)
    (void)find_mount_device (self, st.stx_mnt_id, &out->device);
  return TRUE;
}

/* A descriptor's own part of fdinfo lists the locks that its open file description holds. */
static gboolean
description_holds_lock (int process_fd, const char *descriptor)
{
  g_autofree char *path = g_strconcat ("fdinfo/", descriptor, NULL);
  hf_autofd int fd = openat (process_fd, path, O_RDONLY | O_CLOEXEC);
  char text[4096];
  ssize_t length = fd < 0 ? -1 : read (fd, text, sizeof text - 1);
  if (length <= 0)
    return FALSE;
  text[length] = '\0';
  return strstr (text, "\nlock:") != NULL;
}

static void
collect_from_process (GArray *openers, int process_fd, gint64 pid)
{
  /* Only its owner may look; the path is the kernel's, so a magic link is what is wanted here. */
  hf_autofd int fd = openat (process_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (DIR) dir = fd < 0 ? NULL : fdopendir (fd);
  if (dir == NULL)
    return;
  int dir_fd = hf_fd_steal (&fd);
  const struct dirent *entry = NULL;
  while (hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      /* The name first: a stat of somebody's dead network file would wait for ever. */
      g_autofree char *target = hf_link_read (dir_fd, entry->d_name);
      if (target == NULL || !g_str_has_suffix (target, "/" HF_REF_FILE))
        continue;
      struct stat st;
      if (fstatat (dir_fd, entry->d_name, &st, 0) != 0
          || !description_holds_lock (process_fd, entry->d_name))
        continue;
      Opener opener = { .pid = pid, .device = st.st_dev, .inode = st.st_ino };
      g_array_append_val (openers, opener);
    }
}

static const GArray *
get_openers (HfHolders *self)
{
  if (self->openers != NULL)
    return self->openers;
  self->openers = g_array_new (FALSE, TRUE, sizeof (Opener));
  g_autoptr (DIR) proc = opendir ("/proc");
  const struct dirent *entry = NULL;
  while (proc != NULL && hf_dir_next (proc, &entry, NULL) && entry != NULL)
    {
      guint64 pid;
      if (!g_ascii_string_to_unsigned (entry->d_name, 10, 1, G_MAXINT32, &pid, NULL)
          || pid == (guint64)getpid ())
        continue;
      hf_autofd int fd = openat (dirfd (proc), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
      if (fd >= 0)
        collect_from_process (self->openers, fd, (gint64)pid);
    }
  return self->openers;
}

/* Whether a living process stands for the lock now. */
static gboolean
add_holder (GPtrArray *holders, gint64 pid)
{
  for (guint i = 0; i < holders->len; i++)
    if (((HfHolder *)holders->pdata[i])->pid == pid)
      return TRUE;
  HfHolder *holder = pid > 0 ? hf_holder_read (pid) : NULL;
  if (holder != NULL)
    g_ptr_array_add (holders, holder);
  return holder != NULL;
}

/**
 * hf_holders_of:
 * @self: a snapshot
 * @ref_fd: a `.ref`, O_PATH is enough
 *
 * A lock without a living process of its own (an open-file-description lock, or a flock whose taker
 * has ended and left the descriptor to others) is attributed to the processes that have the file
 * open with a lock on it, as far as we may see them.  Locks of this process are left out.
 *
 * Returns: (transfer full) (element-type HfHolder): who holds it, each process once; empty if
 *   nobody can be named; %NULL with @error set if @ref_fd cannot be examined
 */
GPtrArray *
hf_holders_of (HfHolders *self, int ref_fd, GError **error)
{
  HfLockedFile file;
  struct stat st;
  if (!hf_holders_identify (self, ref_fd, &file, error))
    return NULL;
  if (fstat (ref_fd, &st) != 0)
    {
      (void)hf_throw_errno (error, "Cannot examine a lock file");
      return NULL;
    }
  GPtrArray *holders = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_holder_free);
  gboolean anonymous = FALSE;
  for (guint i = 0; i < self->locks->len; i++)
    {
      const HfKernelLock *lock = &g_array_index (self->locks, HfKernelLock, i);
      if (lock->file.device != file.device || lock->file.inode != file.inode
          || lock->pid == (gint64)getpid ())
        continue;
      anonymous = !add_holder (holders, lock->pid) || anonymous;
    }
  const GArray *openers = anonymous ? get_openers (self) : NULL;
  for (guint i = 0; openers != NULL && i < openers->len; i++)
    {
      const Opener *opener = &g_array_index (openers, Opener, i);
      if (opener->device == st.st_dev && opener->inode == st.st_ino)
        (void)add_holder (holders, opener->pid);
    }
  return holders;
}

/**
 * hf_holders_is_held:
 * @self: (nullable): a snapshot, or %NULL if there is none
 * @ref_fd: a `.ref`
 *
 * Whether a sweeper would be refused its lock.  It asks the kernel, and takes no lock; nothing may be
 * done because of it.  A flock(2) of a process outside of our pid namespace is not seen.
 *
 * Returns: whether somebody else holds it
 */
gboolean
hf_holders_is_held (HfHolders *self, int ref_fd)
{
  HfLockedFile file;
  if (hf_ofd_is_locked (ref_fd))
    return TRUE;
  if (self == NULL || !hf_holders_identify (self, ref_fd, &file, NULL))
    return FALSE;
  for (guint i = 0; i < self->locks->len; i++)
    {
      const HfKernelLock *lock = &g_array_index (self->locks, HfKernelLock, i);
      if (lock->file.device == file.device && lock->file.inode == file.inode)
        return TRUE;
    }
  return FALSE;
}

/* When the machine started, by the clock of now: start times are counted from there. */
static double
boot_time (void)
{
  struct timespec now = { 0 }, up = { 0 };
  (void)clock_gettime (CLOCK_REALTIME, &now);
  (void)clock_gettime (CLOCK_BOOTTIME, &up);
  return (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9;
}

/* The name of a process is its own choice, and ends up on terminals. */
static char *
printable (const char *name, gsize length)
{
  char *text = g_utf8_make_valid (name, (gssize)length);
  for (char *at = text; *at != '\0'; at++)
    if (g_ascii_iscntrl (*at))
      *at = '?';
  return text;
}

/* proc_pid_stat(5): the name stands in parentheses and may contain any; field 22 is the start. */
static gboolean
parse_stat (HfHolder *holder, const char *text)
{
  const char *open = strchr (text, '('), *close = strrchr (text, ')');
  unsigned long long start;
  if (open == NULL || close == NULL || close < open
      || sscanf (
             close + 1,
             " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
             &start)
             != 1)
    return FALSE;
  holder->command = printable (open + 1, (gsize)(close - open - 1));
  holder->start = (guint64)(boot_time () + (double)start / (double)sysconf (_SC_CLK_TCK));
  return TRUE;
}

/* proc_pid_status(5): NSpid lists the process's number in each namespace from ours inwards. */
static void
parse_status (HfHolder *holder, const char *text)
{
  const char *uid = strstr (text, "\nUid:"), *nspid = strstr (text, "\nNSpid:");
  if (uid != NULL)
    (void)sscanf (uid, "\nUid: %u", &holder->uid);
  if (nspid == NULL)
    return;
  nspid += strlen ("\nNSpid:");
  g_autofree char *line = g_strndup (nspid, strcspn (nspid, "\n"));
  g_auto (GStrv) numbers = g_strsplit (g_strstrip (line), "\t", -1);
  guint levels = g_strv_length (numbers);
  holder->first_of_sandbox = levels > 1 && strcmp (numbers[levels - 1], "1") == 0;
}

/**
 * hf_holder_read:
 * @pid: a process, in our pid namespace
 *
 * Returns: (transfer full) (nullable): what there is to tell about it, or %NULL if it is gone
 */
HfHolder *
hf_holder_read (gint64 pid)
{
  char path[64];
  g_autofree char *stat_text = NULL, *status_text = NULL;
  (void)g_snprintf (path, sizeof path, "/proc/%" G_GINT64_FORMAT "/stat", pid);
  if (!g_file_get_contents (path, &stat_text, NULL, NULL))
    return NULL;
  (void)g_snprintf (path, sizeof path, "/proc/%" G_GINT64_FORMAT "/status", pid);
  if (!g_file_get_contents (path, &status_text, NULL, NULL))
    return NULL;
  g_autoptr (HfHolder) holder = g_new0 (HfHolder, 1);
  holder->pid = pid;
  if (!parse_stat (holder, stat_text))
    return NULL;
  parse_status (holder, status_text);
  return g_steal_pointer (&holder);
}

/**
 * hf_holder_free:
 * @holder: (nullable) (transfer full): a holder
 */
void
hf_holder_free (HfHolder *holder)
{
  if (holder == NULL)
    return;
  g_free (holder->command);
  g_free (holder);
}
