/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Looking for a deployment in what the kernel tells of each process: mounts, mapped files, open
 * files, working and root directory.  The kernel gives the paths as they are now, wherever the
 * deployment was moved since, and says of deleted files where they were; and a serial is part of no
 * other path.  An instance always has the trees mounted, in its own namespace, so it is found by that
 * although its locks are in a message that no process has open.
 */
#include "openers.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The inode of the first pid namespace's file: see the kernel's include/linux/proc_ns.h. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCU

#define LARGEST             (64 * 1024 * 1024) /* bytes that a process's list of mounts or maps may have */

typedef struct
{
  const char *part;
  HfOpeners *out;
  GHashTable
      *namespaces; /* owned; names of mount namespaces that were looked at, and did not have it */
} Search;

/**
 * hf_openers_free:
 * @openers: (nullable) (transfer full): what was found
 */
void
hf_openers_free (HfOpeners *openers)
{
  if (openers == NULL)
    return;
  g_array_unref (openers->pids);
  g_free (openers);
}

/* A process that ends meanwhile uses nothing. */
static void
note_failure (Search *search)
{
  if (errno != ENOENT && errno != ESRCH && errno != EINVAL && errno != ENOTDIR)
    search->out->certain = FALSE;
}

static gboolean
text_has_part (Search *search, int process_fd, const char *name)
{
  hf_autofd int fd = openat (process_fd, name, O_RDONLY | O_CLOEXEC);
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[16 * 1024];
  ssize_t got = fd < 0 ? -1 : 0;
  while (fd >= 0 && text->len < LARGEST && (got = read (fd, buffer, sizeof buffer)) > 0)
    g_string_append_len (text, buffer, got);
  if (got < 0)
    note_failure (search);
  else if (got > 0)
    search->out->certain = FALSE;
  return strstr (text->str, search->part) != NULL;
}

static gboolean
link_has_part (Search *search, int dfd, const char *name)
{
  g_autofree char *target = hf_link_read (dfd, name);
  if (target == NULL)
    note_failure (search);
  return target != NULL && strstr (target, search->part) != NULL;
}

static gboolean
open_files_have_part (Search *search, int process_fd)
{
  hf_autofd int fd = openat (process_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *opened = fd < 0 ? NULL : fdopendir (fd);
  g_autoptr (DIR) dir = opened;
  const struct dirent *entry = NULL;
  if (dir == NULL)
    {
      note_failure (search);
      return FALSE;
    }
  (void)hf_fd_steal (&fd);
  while (hf_dir_next (dir, &entry, NULL) && entry != NULL)
    if (link_has_part (search, dirfd (dir), entry->d_name))
      return TRUE;
  return FALSE;
}

static gboolean
mounts_have_part (Search *search, int process_fd)
{
  g_autofree char *namespace = hf_link_read (process_fd, "ns/mnt");
  if (namespace == NULL)
    note_failure (search);
  if (namespace == NULL || g_hash_table_contains (search->namespaces, namespace))
    return FALSE;
  if (text_has_part (search, process_fd, "mountinfo"))
    return TRUE;
  g_hash_table_add (search->namespaces, g_steal_pointer (&namespace));
  return FALSE;
}

/* Kernel threads have nothing of all that, and say so by ENOENT. */
static void
search_process (Search *search, int process_fd, gint64 pid)
{
  if (mounts_have_part (search, process_fd) || text_has_part (search, process_fd, "maps")
      || link_has_part (search, process_fd, "cwd") || link_has_part (search, process_fd, "root")
      || open_files_have_part (search, process_fd))
    g_array_append_val (search->out->pids, pid);
}

/* In another pid namespace than the first one, whoever is outside it is not seen. */
static gboolean
sees_all_processes (void)
{
  struct stat st;
  return geteuid () == 0 && stat ("/proc/self/ns/pid", &st) == 0
         && st.st_ino == FIRST_PID_NAMESPACE;
}

/**
 * hf_openers_find:
 * @part: a part of the paths that are looked for, and of no other's: a serial
 *
 * Returns: (transfer full): who uses something of it, this process left out
 */
HfOpeners *
hf_openers_find (const char *part)
{
  HfOpeners *out = g_new0 (HfOpeners, 1);
  out->pids = g_array_new (FALSE, FALSE, sizeof (gint64));
  out->certain = sees_all_processes ();
  g_autoptr (GHashTable) namespaces = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Search search = { part, out, namespaces };
  g_autoptr (DIR) proc = opendir ("/proc");
  const struct dirent *entry = NULL;
  out->certain &= proc != NULL;
  while (proc != NULL && hf_dir_next (proc, &entry, NULL) && entry != NULL)
    {
      guint64 pid;
      if (!g_ascii_string_to_unsigned (entry->d_name, 10, 1, G_MAXINT32, &pid, NULL)
          || pid == (guint64)getpid ())
        continue;
      hf_autofd int fd = openat (dirfd (proc), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
      if (fd >= 0)
        search_process (&search, fd, (gint64)pid);
    }
  return out;
}
