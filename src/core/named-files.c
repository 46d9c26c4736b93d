/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which files and directories are believed that name installations: SYSCONFDIR/holdfast/installations.d/NAME.conf,
 * and where these lead to.
 */
#include "named.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "layout.h"

#include <errno.h>
#include <string.h>

#define FILE_SIZE (64 * 1024) /* bytes; far more than anybody writes */

/* By an access control list, too: its mask is what the group's bits show. */
static gboolean
is_roots_alone (const struct stat *st)
{
  return st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static const char *const symlink_found = N_ ("it is a symlink");
static const char *const untrusted
    = N_ ("others than root own or can write it (chown root and chmod go-w make it root's alone)");

/* Returns -1, and adds a problem unless there is nothing of that name. */
static int
open_trusted (HfNamedList *list, int dfd, const char *parent, const char *name, int flags)
{
  struct stat st;
  hf_autofd int fd = hf_open_beneath (dfd, name, flags | O_DIRECTORY, 0);
  if (fd < 0 && errno == ENOENT)
    return -1;
  if (fd < 0 || fstat (fd, &st) != 0)
    hf_named_list_add_problem (list, "%s/%s is passed over: %s", parent, name,
                               errno == ELOOP ? hf_text (symlink_found) : g_strerror (errno));
  else if (!is_roots_alone (&st))
    hf_named_list_add_problem (list, "%s/%s is passed over: %s", parent, name, hf_text (untrusted));
  else
    return hf_fd_steal (&fd);
  return -1;
}

static void
read_file (HfNamedList *list, int dfd, const char *name, const char *source)
{
  struct stat st;
  g_autoptr (GError) failed = NULL;
  if (fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return; /* it went */
  if (S_ISLNK (st.st_mode) || !is_roots_alone (&st))
    {
      hf_named_list_add_problem (list, "%s is passed over: %s", source,
                                 hf_text (S_ISLNK (st.st_mode) ? symlink_found : untrusted));
      return;
    }
  /* Nobody but root can have put something else there in between: the directory is root's, too. */
  g_autoptr (GBytes) bytes = hf_file_read (dfd, name, FILE_SIZE, &failed);
  if (bytes != NULL)
    hf_named_list_parse (list, source, bytes);
  else
    hf_named_list_add_problem (list, "%s is passed over: %s", source, failed->message);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/* What editors and package managers leave beside a file has another ending. */
static GPtrArray *
list_files (int dfd, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (DIR) dir = hf_dir_open (dfd, ".", error);
  const struct dirent *entry = NULL;
  if (dir == NULL)
    return NULL;
  for (;;)
    {
      if (!hf_dir_next (dir, &entry, error))
        return NULL;
      if (entry == NULL)
        break;
      if (entry->d_name[0] != '.' && g_str_has_suffix (entry->d_name, HF_NAMED_SUFFIX))
        g_ptr_array_add (names, g_strdup (entry->d_name));
    }
  g_ptr_array_sort (names, compare_names);
  return g_steal_pointer (&names);
}

/**
 * hf_named_list_load:
 * @sysconf_dir: where the machine's configuration is, which is trusted to be root's
 *
 * Files are read in the order of their names, so that of two that name the same the first counts.
 *
 * Returns: (transfer full): what is named there; nothing, if there is no such directory
 */
HfNamedList *
hf_named_list_load (const char *sysconf_dir)
{
  HfNamedList *list = hf_named_list_new ();
  hf_autofd int root_fd = open (sysconf_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root_fd < 0)
    return list;
  hf_autofd int own_fd = open_trusted (list, root_fd, sysconf_dir, HF_SYSCONF_NAME, O_PATH);
  if (own_fd < 0)
    return list;
  g_autoptr (GError) failed = NULL;
  g_autofree char *own = g_build_filename (sysconf_dir, HF_SYSCONF_NAME, NULL);
  hf_autofd int dfd = open_trusted (list, own_fd, own, HF_NAMED_DIR, O_RDONLY);
  g_autoptr (GPtrArray) names = dfd < 0 ? NULL : list_files (dfd, &failed);
  if (failed != NULL)
    hf_named_list_add_problem (list, "%s/%s is passed over: %s", own, HF_NAMED_DIR,
                               failed->message);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      g_autofree char *source = g_build_filename (own, HF_NAMED_DIR, names->pdata[i], NULL);
      read_file (list, dfd, names->pdata[i], source);
    }
  hf_named_list_sort (list);
  return list;
}

/**
 * hf_named_check_owner:
 * @named: a named installation
 * @st: its directory
 *
 * A named installation is the system's.  Whoever else owned its directory could hold its locks for ever,
 * and root's sweep would wait for him; and could give everybody applications to run (G8).  That
 * this directory is root's is enough: others who can write one above it can only put another directory
 * of root's in its place.
 *
 * Returns: %FALSE with %HF_ERROR_UNTRUSTED if others than root could change it
 */
gboolean
hf_named_check_owner (const HfNamed *named, const struct stat *st, GError **error)
{
  return is_roots_alone (st)
         || hf_throw (error, HF_ERROR_UNTRUSTED,
                      "Installation %s is not trusted: %s belongs to others than root, or they can"
                      " write it.  It can be had by its path, with --installation=%s",
                      named->name, named->path, named->path);
}
