/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tarballs.  Before libostree makes a commit of one, all of its headers are read and checked here:
 * some things that a tarball can say end libostree 2022.7 by an assertion.  What passes is a tree of
 * files, directories and symlinks, each below a real directory and named once for what it is.
 */
#include "tarball.h"

#include "base/error.h"
#include "base/language.h"

#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK_SIZE (128 * 1024) /* bytes that libarchive reads at once */

/**
 * hf_archive_clear:
 * @archive: (inout): an open archive, or a pointer to %NULL
 */
void
hf_archive_clear (struct archive **archive)
{
  if (*archive != NULL)
    (void)archive_read_free (*archive);
  *archive = NULL;
}

/**
 * hf_tarball_open:
 * @path: a file
 *
 * Returns: (transfer full): the archive, compressed in whatever way, or %NULL with @error set
 */
struct archive *
hf_tarball_open (const char *path, GError **error)
{
  hf_autoarchive struct archive *archive = archive_read_new ();
  if (archive != NULL)
    {
      (void)archive_read_support_format_tar (archive);
      (void)archive_read_support_filter_all (archive);
      if (archive_read_open_filename (archive, path, BLOCK_SIZE) == ARCHIVE_OK)
        return g_steal_pointer (&archive);
    }
  (void)hf_throw (error, HF_ERROR_FAILED, "%s is neither a directory nor a tarball: %s", path,
                  archive != NULL ? archive_error_string (archive) : g_strerror (ENOMEM));
  return NULL;
}

static gboolean
refuse (const char *tarball, const char *name, const char *why, GError **error)
{
  return hf_throw (error, HF_ERROR_UNSAFE, "%s: '%s' %s", tarball, name != NULL ? name : "",
                   hf_text (why));
}

/* Returns @name without what means nothing (`./`, doubled slashes), "" for the root, or NULL if it
 * leads anywhere but down. */
static char *
canonicalize (const char *name)
{
  g_autoptr (GString) path = g_string_new (NULL);
  if (name == NULL || name[0] == '\0' || name[0] == '/')
    return NULL;
  g_auto (GStrv) parts = g_strsplit (name, "/", -1);
  for (char **part = parts; *part != NULL; part++)
    {
      if (strcmp (*part, "..") == 0)
        return NULL;
      if (**part == '\0' || strcmp (*part, ".") == 0)
        continue;
      if (path->len > 0)
        g_string_append_c (path, '/');
      g_string_append (path, *part);
    }
  return g_string_free (g_steal_pointer (&path), FALSE);
}

/* Notes what a path is; whether it was not something else before. */
static gboolean
note (GHashTable *seen, const char *path, mode_t type)
{
  gpointer before = g_hash_table_lookup (seen, path);
  if (before != NULL)
    return ((mode_t)GPOINTER_TO_UINT (before) == S_IFDIR) == (type == S_IFDIR);
  g_hash_table_insert (seen, g_strdup (path), GUINT_TO_POINTER (type));
  return TRUE;
}

/* A parent that was not named is a directory from now on. */
static gboolean
note_parents (GHashTable *seen, const char *path)
{
  for (const char *slash = strchr (path, '/'); slash != NULL; slash = strchr (slash + 1, '/'))
    {
      g_autofree char *parent = g_strndup (path, (gsize)(slash - path));
      if (!note (seen, parent, S_IFDIR))
        return FALSE;
    }
  return TRUE;
}

static gboolean
check_hard_link (const char *tarball, GHashTable *seen, const char *name, const char *target,
                 GError **error)
{
  g_autofree char *path = canonicalize (target);
  if (path == NULL || (mode_t)GPOINTER_TO_UINT (g_hash_table_lookup (seen, path)) != S_IFREG)
    return refuse (tarball, name, N_ ("is a hard link to no file of the tarball before it"), error);
  return TRUE;
}

static gboolean
check_type (const char *tarball, const char *name, struct archive_entry *entry, GError **error)
{
  mode_t type = archive_entry_filetype (entry), mode = archive_entry_perm (entry);
  const char *target = archive_entry_symlink (entry);
  if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK)
    return refuse (tarball, name, N_ ("is neither a file, a directory nor a symlink"), error);
  if (type == S_IFREG && (mode & 07000) != 0)
    return refuse (tarball, name,
                   N_ ("is setuid, setgid or sticky, which no file of an image may be"), error);
  if (type == S_IFDIR && (mode & 0500) != 0500)
    return refuse (tarball, name, N_ ("is a directory that its owner could not enter"), error);
  if (type == S_IFLNK && (target == NULL || target[0] == '\0'))
    return refuse (tarball, name, N_ ("is a symlink to nothing"), error);
  return TRUE;
}

static gboolean
check_entry (const char *tarball, GHashTable *seen, struct archive_entry *entry, GError **error)
{
  const char *name = archive_entry_pathname (entry);
  const char *hard_link = archive_entry_hardlink (entry);
  mode_t type = hard_link != NULL ? S_IFREG : archive_entry_filetype (entry);
  g_autofree char *path = canonicalize (name);
  if (path == NULL)
    return refuse (tarball, name, N_ ("is not a path below the image"), error);
  if (hard_link != NULL ? !check_hard_link (tarball, seen, name, hard_link, error)
                        : !check_type (tarball, name, entry, error))
    return FALSE;
  if (path[0] == '\0')
    return type == S_IFDIR
           || refuse (tarball, name, N_ ("is the image itself, and no directory"), error);
  return (note_parents (seen, path) && note (seen, path, type))
         || refuse (tarball, name, N_ ("is, or is below, something that is no directory"), error);
}

/**
 * hf_tarball_check:
 * @path: a tarball
 * @progress: (nullable): where to tell how far it is
 *
 * Reads all of it.
 *
 * Returns: %FALSE with %HF_ERROR_UNSAFE if an image may not have what is in it, or another error
 */
gboolean
hf_tarball_check (const char *path, HfProgress *progress, GError **error)
{
  hf_autoarchive struct archive *archive = hf_tarball_open (path, error);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (archive == NULL)
    return FALSE;
  hf_progress_begin (progress, "Checking", 0);
  for (;;)
    {
      struct archive_entry *entry;
      int result = archive_read_next_header (archive, &entry);
      if (result == ARCHIVE_EOF)
        return TRUE;
      if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
        return hf_throw (error, HF_ERROR_FAILED, "Cannot read tarball %s: %s", path,
                         archive_error_string (archive));
      if (!check_entry (path, seen, entry, error))
        return FALSE;
      /* What it has is read on the way to the next header. */
      hf_progress_add (progress, 1, (guint64)MAX (archive_entry_size (entry), 0));
    }
}
