/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading an image's export/.  Whoever made the image chose every name, kind and size in it.  No symlink is
 * followed, only regular files are taken, and how much is looked at and kept has a limit.  What is refused
 * is said and left out: an application without its icon is better than none.
 */
#include "export-image.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "export-entry.h"
#include "layout.h"

#include <errno.h>
#include <string.h>

#define MOST_IN_DIRECTORY 1000
#define MOST_REFUSED      20                /* that are told one by one */
#define MOST_REWRITTEN    (4 * 1024 * 1024) /* bytes, of all that is rewritten */
#define MOST_LINKED       (8 * 1024 * 1024) /* bytes, of one that is not */

typedef struct
{
  const HfExportTarget *target;
  int export_fd;      /* the image's export/ */
  GPtrArray *files;   /* of HfExportFile */
  GPtrArray *refused; /* of strings */
  guint looked_at;
  gsize rewritten; /* bytes */
} Collect;

static void
file_free (HfExportFile *file)
{
  g_free (file->path);
  g_clear_pointer (&file->contents, g_bytes_unref);
  g_free (file);
}

static void
add_file (Collect *collect, const char *path, GBytes *contents)
{
  HfExportFile *file = g_new0 (HfExportFile, 1);
  file->path = g_strdup (path);
  file->contents = contents;
  g_ptr_array_add (collect->files, file);
}

static void
refuse (Collect *collect, const char *path, const char *why)
{
  g_autofree char *name = g_strescape (path, NULL);
  if (collect->refused->len < MOST_REFUSED)
    g_ptr_array_add (collect->refused, g_strconcat (name, ": ", hf_text (why), NULL));
  else if (collect->refused->len == MOST_REFUSED)
    g_ptr_array_add (collect->refused, g_strdup (_ ("and more that is not said here")));
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/* Sorted, so that with too many it does not depend on chance which are looked at; and with far too many none
 * is, so that they are not even kept in memory. */
static GPtrArray *
list_directory (Collect *collect, const char *path, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (DIR) dir = hf_dir_open (collect->export_fd, path, error);
  if (dir == NULL)
    return NULL;
  for (;;)
    {
      const struct dirent *entry;
      if (!hf_dir_next (dir, &entry, error))
        return NULL;
      if (entry == NULL)
        break;
      g_ptr_array_add (names, g_strdup (entry->d_name));
      if (names->len <= MOST_IN_DIRECTORY)
        continue;
      refuse (collect, path, N_ ("it has more names than any directory of an application's"));
      g_ptr_array_set_size (names, 0);
      break;
    }
  g_ptr_array_sort (names, compare_names);
  return g_steal_pointer (&names);
}

static GBytes *
rewrite (Collect *collect, const char *path, HfExportKind kind, GBytes *bytes, GError **error)
{
  g_autoptr (GBytes) made = NULL;
  if (kind == HF_EXPORT_SERVICE)
    {
      g_autofree char *name = hf_export_name_stem (path);
      made = hf_export_service_rewrite (bytes, name, collect->target, error);
    }
  else
    made = hf_export_entry_rewrite (bytes, collect->target, error);
  if (made == NULL)
    return NULL;
  collect->rewritten += g_bytes_get_size (made);
  if (collect->rewritten <= MOST_REWRITTEN)
    return g_steal_pointer (&made);
  (void)hf_throw (error, HF_ERROR_UNSAFE, "with it there is more than an application's need to be");
  return NULL;
}

/* %FALSE only where reading failed; what must not be exported is refused. */
static gboolean
take_file (Collect *collect, const char *path, const struct stat *st, GError **error)
{
  HfExportKind kind;
  g_autoptr (GError) failed = NULL;
  g_autoptr (GBytes) bytes = NULL;
  GBytes *made = NULL;
  if (!hf_export_name_check (path, collect->target->ref->id, &kind, &failed))
    {
      refuse (collect, path, failed->message);
      return TRUE;
    }
  gboolean rewritten = kind != HF_EXPORT_AS_IT_IS;
  if (st->st_size > (rewritten ? HF_EXPORT_ENTRY_LIMIT : MOST_LINKED))
    {
      refuse (collect, path, N_ ("it is larger than any such file needs to be"));
      return TRUE;
    }
  if (rewritten)
    {
      bytes = hf_file_read (collect->export_fd, path, HF_EXPORT_ENTRY_LIMIT, error);
      if (bytes == NULL)
        return FALSE;
      made = rewrite (collect, path, kind, bytes, &failed);
      if (made == NULL)
        refuse (collect, path, failed->message);
    }
  if (!rewritten || made != NULL)
    add_file (collect, path, made);
  return TRUE;
}

static gboolean visit_directory (Collect *collect, const char *path, GError **error);

static gboolean
visit_subdirectory (Collect *collect, const char *path, GError **error)
{
  switch (hf_export_dir_check (path))
    {
    case HF_EXPORT_DIR_TAKEN:
      return visit_directory (collect, path, error);
    case HF_EXPORT_DIR_REFUSED:
      refuse (collect, path, N_ ("it is no directory that applications export"));
      break;
    case HF_EXPORT_DIR_IGNORED:
      break;
    default:
      g_assert_not_reached ();
    }
  return TRUE;
}

static gboolean
visit_name (Collect *collect, const char *path, GError **error)
{
  struct stat st;
  if (fstatat (collect->export_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return hf_throw_at (error, "Cannot look at %s", collect->export_fd, path);
  if (S_ISDIR (st.st_mode))
    return visit_subdirectory (collect, path, error);
  if (S_ISREG (st.st_mode))
    return take_file (collect, path, &st, error);
  refuse (collect, path,
          S_ISLNK (st.st_mode) ? N_ ("it is a symlink") : N_ ("it is no regular file"));
  return TRUE;
}

/* Its depth is that of the directories that are taken, a few. */
static gboolean
visit_directory (Collect *collect, const char *path, GError **error)
{
  g_autoptr (GPtrArray) names = list_directory (collect, path, error);
  gboolean top = strcmp (path, ".") == 0;
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      g_autofree char *child
          = top ? g_strdup (names->pdata[i]) : g_strconcat (path, "/", names->pdata[i], NULL);
      if (++collect->looked_at > HF_EXPORT_MOST_FILES)
        {
          if (collect->looked_at == HF_EXPORT_MOST_FILES + 1)
            refuse (collect, child,
                    N_ ("it and what follows is more than an application needs to have"));
          return TRUE;
        }
      if (!visit_name (collect, child, error))
        return FALSE;
    }
  return names != NULL;
}

/* By which the application is called in a shell. */
static void
add_wrapper (Collect *collect)
{
  const HfExportTarget *target = collect->target;
  if (target->command == NULL)
    return;
  char *script = hf_exec_wrapper (target);
  g_autofree char *path = g_strconcat (HF_EXPORT_WRAPPERS "/", target->ref->id, NULL);
  add_file (collect, path, g_bytes_new_take (script, strlen (script)));
}

static int
compare_files (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(HfExportFile *const *)a)->path, (*(HfExportFile *const *)b)->path);
}

/**
 * hf_export_files:
 * @tree_fd: an image, laid out
 * @target: the image, as it is started
 * @refused: (element-type utf8): what is not exported, and why, is added to it
 *
 * An image without an export/ exports nothing.
 *
 * Returns: (transfer full) (element-type HfExportFile): what is exported, sorted by path, or %NULL with
 *   @error set if it cannot be read
 */
GPtrArray *
hf_export_files (int tree_fd, const HfExportTarget *target, GPtrArray *refused, GError **error)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func ((GDestroyNotify)file_free);
  hf_autofd int export_fd = hf_open_beneath (tree_fd, HF_EXPORT_DIR, O_PATH | O_DIRECTORY, 0);
  Collect collect
      = { .target = target, .export_fd = export_fd, .files = files, .refused = refused };
  if (export_fd < 0 && errno == ENOENT)
    return g_steal_pointer (&files);
  if (export_fd < 0)
    {
      (void)hf_throw_at (error, "Cannot open directory %s", tree_fd, HF_EXPORT_DIR);
      return NULL;
    }
  if (!hf_exec_is_plain (target->program) || !hf_exec_is_plain (target->scope))
    {
      refuse (&collect, HF_EXPORT_DIR,
              N_ ("the path of holdfast or of the installation is no plain text"));
      return g_steal_pointer (&files);
    }
  if (!visit_directory (&collect, ".", error))
    return NULL;
  add_wrapper (&collect);
  g_ptr_array_sort (files, compare_files);
  return g_steal_pointer (&files);
}
