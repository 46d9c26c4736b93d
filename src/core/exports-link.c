/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Single links of exports/, and what has to be made durable or known to be out of date after them.  All of
 * them are relative, and none is ever followed here, nor any other symlink that somebody put there.
 */
#include "exports-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/**
 * hf_export_link_target:
 * @path: of something that is exported
 * @id: the ID of what exports it
 *
 * Returns: (transfer full): where the link of this name in exports/ leads
 */
char *
hf_export_link_target (const char *path, const char *id)
{
  GString *target = g_string_new (NULL);
  for (const char *slash = strchr (path, '/'); slash != NULL; slash = strchr (slash + 1, '/'))
    g_string_append (target, "../");
  gboolean as_it_is = hf_export_name_kind (path) == HF_EXPORT_AS_IT_IS;
  g_string_append_printf (target, "%s/%s/%s/%s", HF_EXPORTS_OWNERS, id,
                          as_it_is ? HF_TREE_DIR "/" HF_EXPORT_DIR : HF_EXPORT_DIR, path);
  return g_string_free (target, FALSE);
}

/**
 * hf_export_link_owner:
 * @path: of a link in exports/
 * @target: (nullable): where it leads
 *
 * Returns: (transfer full) (nullable): the ID of what exports it, or %NULL if it is none of ours
 */
char *
hf_export_link_owner (const char *path, const char *target)
{
  if (target == NULL)
    return NULL;
  while (g_str_has_prefix (target, "../"))
    target += strlen ("../");
  if (!g_str_has_prefix (target, HF_EXPORTS_OWNERS "/"))
    return NULL;
  target += strlen (HF_EXPORTS_OWNERS "/");
  g_autofree char *id = g_strndup (target, strcspn (target, "/"));
  g_autofree char *stem = hf_export_name_stem (path);
  return stem != NULL && hf_export_name_belongs (stem, id) ? g_steal_pointer (&id) : NULL;
}

/**
 * hf_exports_change_begin:
 * @change: (out): a change of what is exported
 * @installation: an installation; it outlives the change
 * @create: whether exports/ is made if it is missing
 *
 * Locks: needs `lock` and the unsettled mark, but for looking.
 *
 * Returns: whether there is an exports/
 */
gboolean
hf_exports_change_begin (HfExportsChange *change, HfInstallation *installation, gboolean create)
{
  g_autoptr (GError) failed = NULL;
  int root_fd = installation->root_fd;
  *change = (HfExportsChange){ .installation = installation };
  change->directories = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  change->filled = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  change->fd = hf_open_beneath (root_fd, HF_EXPORTS_DIR, O_PATH | O_DIRECTORY, 0);
  if (change->fd < 0 && errno == ENOENT && create && !hf_ledger_is_dry (installation->ledger))
    {
      change->fd = hf_make_dirs (root_fd, HF_EXPORTS_DIR, HF_MODE_DIR, &failed);
      if (change->fd >= 0)
        (void)!hf_dir_sync (root_fd, ".", &failed);
    }
  else if (change->fd < 0 && errno != ENOENT)
    (void)hf_throw_at (&failed, "Cannot open directory %s", root_fd, HF_EXPORTS_DIR);
  hf_exports_change_failed (change, failed);
  return change->fd >= 0;
}

/**
 * hf_exports_change_clear:
 * @change: what to free the contents of
 */
void
hf_exports_change_clear (HfExportsChange *change)
{
  hf_fd_clear (&change->fd);
  g_clear_pointer (&change->directories, g_hash_table_unref);
  g_clear_pointer (&change->filled, g_hash_table_unref);
}

/**
 * hf_exports_change_failed:
 * @change: a change
 * @failed: (nullable): what could not be done
 *
 * Says the first thing of a change that could not be done; the others mostly have the same cause.
 */
void
hf_exports_change_failed (HfExportsChange *change, const GError *failed)
{
  if (failed == NULL)
    return;
  if (!change->failed)
    g_printerr (
        _ ("holdfast: Not everything is exported as it should be; the next change tries again:"
           " %s\n"),
        failed->message);
  change->failed = TRUE;
}

/* There is nothing of that name that could be ours, or nothing below it. */
static gboolean
is_absence (int number)
{
  return number == ENOENT || number == ENOTDIR || number == ELOOP;
}

static gboolean
set_time (int dfd, const char *path)
{
  struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
  /* Not UTIME_NOW, which can be the same for two changes in a row. */
  return clock_gettime (CLOCK_REALTIME, &times[1]) == 0
         && utimensat (dfd, path, times, AT_SYMLINK_NOFOLLOW) == 0;
}

/**
 * hf_exports_spoil:
 * @change: a change
 * @path: below exports/, of a name that is about to change, or to lead to something else
 *
 * Marks the cache that is made of it as out of date, durably, so that no crash leaves a wrong one that
 * nobody makes anew.  Its time tells whoever is making one now that it is of no use any more.
 */
void
hf_exports_spoil (HfExportsChange *change, const char *path)
{
  struct stat st;
  g_autoptr (GError) failed = NULL;
  HfExportCache cache = hf_export_name_cache (path);
  if (cache == 0 || (change->caches & cache) != 0
      || hf_ledger_is_dry (change->installation->ledger))
    return;
  hf_autofd int fd
      = hf_open_beneath (change->fd, hf_export_cache_dir (cache), O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0 && is_absence (errno))
    return; /* there is nothing of which there could be one */
  change->caches |= cache;
  if (fd < 0)
    (void)hf_throw_at (&failed, "Cannot open directory %s", change->fd,
                       hf_export_cache_dir (cache));
  else if (fstat (fd, &st) != 0 || !set_time (fd, ".")
           || fchmod (fd, (st.st_mode & 07777) | HF_MODE_STALE) != 0)
    (void)hf_throw_at (&failed, "Cannot set the mode of %s", fd, ".");
  else
    (void)!hf_fd_sync (fd, &failed);
  hf_exports_change_failed (change, failed);
}

/* The directory of @path, and those above it, which may be new or about to go. */
static void
note_directories (GHashTable *directories, const char *path)
{
  g_autofree char *dir = g_strdup (path);
  for (char *slash = strrchr (dir, '/'); slash != NULL; slash = strrchr (dir, '/'))
    {
      *slash = '\0';
      (void)g_hash_table_add (directories, g_strdup (dir));
    }
  (void)g_hash_table_add (directories, g_strdup ("."));
}

static const char *
last_component (const char *path)
{
  const char *slash = strrchr (path, '/');
  return slash == NULL ? path : slash + 1;
}

/* -1 without an error if it is not there. */
static int
open_parent (const HfExportsChange *change, const char *path, GError **error)
{
  const char *slash = strrchr (path, '/');
  g_autofree char *dir = slash == NULL ? g_strdup (".") : g_strndup (path, (gsize)(slash - path));
  int fd = hf_open_beneath (change->fd, dir, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 && !is_absence (errno))
    (void)hf_throw_at (error, "Cannot open directory %s", change->fd, dir);
  return fd;
}

/**
 * hf_exports_link_read:
 * @change: a change
 * @path: below exports/
 * @out_target: (out) (transfer full) (nullable): where the symlink there leads, or %NULL if there is none
 * @out_taken: (out) (optional): whether there is something that is no symlink
 *
 * Returns: %FALSE if it cannot be told; the change has failed then
 */
gboolean
hf_exports_link_read (HfExportsChange *change, const char *path, char **out_target,
                      gboolean *out_taken)
{
  g_autoptr (GError) failed = NULL;
  hf_autofd int parent_fd = open_parent (change, path, &failed);
  *out_target = parent_fd < 0 ? NULL : hf_link_read (parent_fd, last_component (path));
  gboolean taken = parent_fd >= 0 && *out_target == NULL && errno == EINVAL;
  if (parent_fd >= 0 && *out_target == NULL && !taken && errno != ENOENT)
    (void)hf_throw_at (&failed, "Cannot read %s", parent_fd, last_component (path));
  if (out_taken != NULL)
    *out_taken = taken;
  hf_exports_change_failed (change, failed);
  return failed == NULL;
}

/* A crash before the rename leaves a name that is replaced the next time, or that settling removes. */
static gboolean
replace_link (int parent_fd, const char *name, const char *target, GError **error)
{
  (void)unlinkat (parent_fd, HF_EXPORTS_NEW, 0);
  return (symlinkat (target, parent_fd, HF_EXPORTS_NEW) == 0
          && renameat (parent_fd, HF_EXPORTS_NEW, parent_fd, name) == 0)
         || hf_throw_at (error, "Cannot set %s", parent_fd, name);
}

/**
 * hf_exports_link_set:
 * @change: a change
 * @path: below exports/, where there is a symlink or nothing
 * @target: where it is to lead
 *
 * There is always the former link or the new one.  In a dry run nothing is made.
 *
 * Returns: whether it leads there; if not, the change has failed
 */
gboolean
hf_exports_link_set (HfExportsChange *change, const char *path, const char *target)
{
  g_autoptr (GError) failed = NULL;
  if (hf_ledger_is_dry (change->installation->ledger))
    {
      note_directories (change->filled, path);
      return TRUE;
    }
  const char *name = last_component (path);
  g_autofree char *dir = g_strndup (path, (gsize)(name - 1 - path));
  hf_autofd int parent_fd = hf_make_dirs (change->fd, dir, HF_MODE_DIR, &failed);
  note_directories (change->directories, path);
  hf_exports_spoil (change, path);
  if (parent_fd >= 0 && symlinkat (target, parent_fd, name) != 0)
    {
      if (errno != EEXIST)
        (void)hf_throw_at (&failed, "Cannot create %s", parent_fd, name);
      else
        (void)!replace_link (parent_fd, name, target, &failed);
    }
  hf_exports_change_failed (change, failed);
  return failed == NULL;
}

/**
 * hf_exports_dir_drop:
 * @change: a change
 * @path: of a directory below exports/
 *
 * Returns: whether it was empty, and has gone; if it is empty and cannot go, the change has failed
 */
gboolean
hf_exports_dir_drop (HfExportsChange *change, const char *path)
{
  g_autoptr (GError) failed = NULL;
  hf_autofd int parent_fd = open_parent (change, path, &failed);
  if (parent_fd >= 0 && g_hash_table_contains (change->filled, path))
    return FALSE;
  if (parent_fd >= 0
      && hf_ledger_unlink (change->installation->ledger, parent_fd, last_component (path),
                           AT_REMOVEDIR)
             == 0)
    {
      note_directories (change->directories, path);
      return TRUE;
    }
  /* A mount is somebody else's, like a name in it. */
  if (parent_fd >= 0 && !is_absence (errno) && errno != ENOTEMPTY && errno != EEXIST
      && errno != EBUSY)
    (void)hf_throw_at (&failed, "Cannot remove %s", parent_fd, last_component (path));
  hf_exports_change_failed (change, failed);
  return FALSE;
}

/* Those that became empty, up to exports/ itself. */
static void
prune (HfExportsChange *change, const char *path)
{
  g_autofree char *dir = g_strdup (path);
  for (char *slash = strrchr (dir, '/'); slash != NULL; slash = strrchr (dir, '/'))
    {
      *slash = '\0';
      if (!hf_exports_dir_drop (change, dir))
        return;
    }
}

/**
 * hf_exports_link_drop:
 * @change: a change
 * @path: of a symlink below exports/
 *
 * Also removes the directories that it leaves empty.
 */
void
hf_exports_link_drop (HfExportsChange *change, const char *path)
{
  g_autoptr (GError) failed = NULL;
  hf_autofd int parent_fd = open_parent (change, path, &failed);
  note_directories (change->directories, path);
  hf_exports_spoil (change, path);
  if (parent_fd >= 0
      && hf_ledger_unlink (change->installation->ledger, parent_fd, last_component (path), 0) != 0
      && errno != ENOENT)
    (void)hf_throw_at (&failed, "Cannot remove %s", parent_fd, last_component (path));
  hf_exports_change_failed (change, failed);
  prune (change, path);
}

/* Whoever has a cache of a theme's icons believes it as long as the theme's directory is not younger. */
static gboolean
is_theme (const char *dir)
{
  return g_str_has_prefix (dir, HF_EXPORT_ICONS "/")
         && strchr (dir + strlen (HF_EXPORT_ICONS "/"), '/') == NULL;
}

/**
 * hf_exports_change_end:
 * @change: a change
 *
 * Makes it durable.
 *
 * Returns: whether all of it was done
 */
gboolean
hf_exports_change_end (HfExportsChange *change)
{
  GHashTableIter iter;
  gpointer dir;
  if (change->fd < 0 || hf_ledger_is_dry (change->installation->ledger))
    return !change->failed;
  g_hash_table_iter_init (&iter, change->directories);
  while (g_hash_table_iter_next (&iter, &dir, NULL))
    {
      g_autoptr (GError) failed = NULL;
      hf_autofd int fd = hf_open_beneath (change->fd, dir, O_RDONLY | O_DIRECTORY, 0);
      if (fd < 0 && errno == ENOENT)
        continue;
      if (fd < 0)
        (void)hf_throw_at (&failed, "Cannot open directory %s", change->fd, dir);
      else
        (void)!hf_fd_sync (fd, &failed);
      if (fd >= 0 && is_theme (dir))
        (void)set_time (fd, ".");
      hf_exports_change_failed (change, failed);
    }
  return !change->failed;
}
