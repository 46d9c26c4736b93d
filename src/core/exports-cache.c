/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Putting caches in their place.  What they hold was made by programs that read what images brought, so only
 * files are taken that a cache consists of, each by its name.  One that could not be made is dropped: programs
 * do without, and a wrong one hides what is there.
 */
#include "exports-cache.h"

#include "base/error.h"
#include "base/fd.h"
#include "exports-private.h"
#include "layout.h"
#include "lock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DESKTOP_CACHE HF_EXPORT_DESKTOP "/mimeinfo.cache"
#define ICON_CACHE    "icon-theme.cache"
#define MOST_LEVELS   2 /* below share/icons and share/mime: MEDIA/SUBTYPE.xml */

static const HfExportCache kinds[HF_CACHES] = { HF_CACHE_DESKTOP, HF_CACHE_ICONS, HF_CACHE_MIME };

/* See the Shared MIME-info Database specification, "Unified system". */
static const char *const mime_files[]
    = { "XMLnamespaces", "aliases",    "generic-icons", "globs",     "globs2", "icons",
        "magic",         "mime.cache", "subclasses",    "treemagic", "types",  "version" };

/**
 * hf_cache_file_free:
 * @file: (transfer full): a file of a cache
 */
void
hf_cache_file_free (HfCacheFile *file)
{
  g_free (file->path);
  g_bytes_unref (file->contents);
  g_free (file);
}

static const char *
below (const char *path, const char *dir)
{
  gsize length = strlen (dir);
  return strncmp (path, dir, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

static gboolean
is_mime_file (const char *path)
{
  const char *slash = strchr (path, '/');
  if (slash != NULL)
    return strchr (slash + 1, '/') == NULL && g_str_has_suffix (path, ".xml");
  for (gsize i = 0; i < G_N_ELEMENTS (mime_files); i++)
    if (strcmp (path, mime_files[i]) == 0)
      return TRUE;
  return FALSE;
}

/* Which cache a file of this name is of, or 0. */
static HfExportCache
cache_of (const char *path)
{
  const char *icons = below (path, HF_EXPORT_ICONS), *mime = below (path, HF_EXPORT_MIME);
  if (!hf_export_name_is_valid (path) || below (path, HF_EXPORT_PACKAGES) != NULL)
    return 0;
  if (icons != NULL)
    {
      const char *slash = strchr (icons, '/');
      return slash != NULL && strcmp (slash + 1, ICON_CACHE) == 0 ? HF_CACHE_ICONS : 0;
    }
  if (mime != NULL)
    return is_mime_file (mime) ? HF_CACHE_MIME : 0;
  return strcmp (path, DESKTOP_CACHE) == 0 ? HF_CACHE_DESKTOP : 0;
}

static gboolean
look_at (HfInstallation *installation, HfExportCache cache, struct timespec *out_time)
{
  struct stat st;
  g_autofree char *path = g_strconcat (HF_EXPORTS_DIR "/", hf_export_cache_dir (cache), NULL);
  hf_autofd int fd = hf_open_beneath (installation->root_fd, path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 || fstat (fd, &st) != 0 || (st.st_mode & HF_MODE_STALE) == 0)
    return FALSE;
  *out_time = st.st_mtim;
  return TRUE;
}

/**
 * hf_caches_any_stale:
 * @installation: an installation
 *
 * Locks: none.
 *
 * Returns: which caches are out of date, of #HfExportCache
 */
guint
hf_caches_any_stale (HfInstallation *installation)
{
  struct timespec time;
  guint stale = 0;
  for (gsize i = 0; i < HF_CACHES; i++)
    stale |= look_at (installation, kinds[i], &time) ? kinds[i] : 0;
  return stale;
}

/**
 * hf_caches_look:
 * @installation: an installation
 * @out: (out): which caches are out of date, for hf_caches_replace()
 *
 * Locks: takes `lock`: while somebody changes what is exported, it is not told apart from what it will be.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_caches_look (HfInstallation *installation, HfStaleCaches *out, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  *out = (HfStaleCaches){ 0 };
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return FALSE;
  for (gsize i = 0; i < HF_CACHES; i++)
    out->stale |= look_at (installation, kinds[i], &out->times[i]) ? kinds[i] : 0;
  return TRUE;
}

static const HfCacheFile *
find_file (const GPtrArray *files, const char *path)
{
  for (guint i = 0; i < files->len; i++)
    if (strcmp (((const HfCacheFile *)files->pdata[i])->path, path) == 0)
      return files->pdata[i];
  return NULL;
}

/* The kernel takes a directory for younger than what is renamed into it; a cache of icons is believed only if
 * it is not older than its theme. */
static gboolean
put_file (int exports_fd, const HfCacheFile *file, GError **error)
{
  struct stat st;
  gsize length;
  const char *data = g_bytes_get_data (file->contents, &length);
  const char *name = strrchr (file->path, '/') + 1;
  g_autofree char *dir = g_strndup (file->path, (gsize)(name - 1 - file->path));
  /* Only directories of types are the cache's own to make. */
  hf_autofd int fd = cache_of (file->path) == HF_CACHE_MIME
                         ? hf_make_dirs (exports_fd, dir, HF_MODE_DIR, error)
                         : hf_open_beneath (exports_fd, dir, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    return cache_of (file->path) != HF_CACHE_MIME;
  (void)unlinkat (fd, HF_EXPORTS_NEW, 0);
  if (!hf_file_write_new (fd, HF_EXPORTS_NEW, data, length, 0644, error))
    return FALSE;
  /* A crash before the rename leaves a name that the next one replaces, and the mark of the directory. */
  if (renameat (fd, HF_EXPORTS_NEW, fd, name) != 0 || fstatat (fd, name, &st, 0) != 0)
    return hf_throw_at (error, "Cannot replace %s", fd, name);
  if (strcmp (name, ICON_CACHE) == 0)
    {
      const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, st.st_mtim };
      (void)utimensat (exports_fd, dir, times, AT_SYMLINK_NOFOLLOW);
    }
  return TRUE;
}

/* Files of the cache that the new one has not, and directories that this leaves empty.  Whatever cannot be
 * looked at or removed stays. */
static void
drop_others (HfExportsChange *change, const char *path, const GPtrArray *files, guint levels)
{
  g_autoptr (DIR) dir = hf_dir_open (change->fd, path, NULL);
  const struct dirent *entry = NULL;
  while (dir != NULL && hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      struct stat st;
      g_autofree char *child = g_strconcat (path, "/", entry->d_name, NULL);
      if (fstatat (dirfd (dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        continue;
      if (S_ISDIR (st.st_mode) && levels > 0)
        drop_others (change, child, files, levels - 1);
      else if (S_ISREG (st.st_mode) && cache_of (child) != 0 && find_file (files, child) == NULL)
        (void)unlinkat (dirfd (dir), entry->d_name, 0);
    }
  if (dir != NULL)
    (void)hf_exports_dir_drop (change, path);
}

/* An error leaves the mark, and whatever was replaced by then. */
static gboolean
replace_cache (HfExportsChange *change, HfExportCache cache, const GPtrArray *files, GError **error)
{
  const char *dir = hf_export_cache_dir (cache);
  struct stat st;
  for (guint i = 0; i < files->len; i++)
    if (cache_of (((const HfCacheFile *)files->pdata[i])->path) == cache
        && !put_file (change->fd, files->pdata[i], error))
      return FALSE;
  drop_others (change, dir, files, MOST_LEVELS);
  (void)hf_exports_dir_drop (change, HF_EXPORT_SHARE);
  hf_autofd int fd = hf_open_beneath (change->fd, dir, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0 && errno == ENOENT)
    return TRUE; /* nothing is exported there any more */
  if (fd < 0 || fstat (fd, &st) != 0)
    return hf_throw_at (error, "Cannot open directory %s", change->fd, dir);
  return hf_fd_sync (fd, error)
         && (fchmod (fd, st.st_mode & 07777 & ~(mode_t)HF_MODE_STALE) == 0
             || hf_throw_at (error, "Cannot set the mode of %s", fd, "."));
}

/**
 * hf_caches_replace:
 * @installation: an installation
 * @stale: from hf_caches_look()
 * @files: (element-type HfCacheFile): the new caches; of one that is not there the old one goes, too
 *
 * Whatever has changed since hf_caches_look() is left to whoever changed it.
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_caches_replace (HfInstallation *installation, const HfStaleCaches *stale, const GPtrArray *files,
                   GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  g_auto (HfExportsChange) change = { .fd = -1 };
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return FALSE;
  if (!hf_exports_change_begin (&change, installation, FALSE))
    return TRUE;
  for (gsize i = 0; i < HF_CACHES; i++)
    {
      struct timespec now;
      if ((stale->stale & kinds[i]) == 0 || !look_at (installation, kinds[i], &now)
          || now.tv_sec != stale->times[i].tv_sec || now.tv_nsec != stale->times[i].tv_nsec)
        continue;
      if (!replace_cache (&change, kinds[i], files, error))
        return FALSE;
    }
  return TRUE;
}
