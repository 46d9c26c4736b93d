/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading SYSCONFDIR/holdfast/installations.d/NAME.conf.  See holdfast-installations(5).
 */
#include "named.h"

#include "base/error.h"
#include "base/fd.h"
#include "layout.h"

#include <errno.h>
#include <string.h>

#define GROUP_BEGIN "Installation \""
#define GROUP_END   "\""
#define FILE_SIZE   (64 * 1024) /* bytes; far more than anybody writes */
#define NAME_LENGTH 64

static void
named_free (HfNamed *named)
{
  g_free (named->name);
  g_free (named->path);
  g_free (named->display_name);
  g_free (named->source);
  g_free (named);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfNamed, named_free)

/**
 * hf_named_list_new:
 *
 * Returns: (transfer full): no named installation
 */
HfNamedList *
hf_named_list_new (void)
{
  HfNamedList *list = g_new0 (HfNamedList, 1);
  list->all = g_ptr_array_new_with_free_func ((GDestroyNotify)named_free);
  list->problems = g_ptr_array_new_with_free_func (g_free);
  return list;
}

/**
 * hf_named_list_free:
 * @list: (nullable) (transfer full): a list
 */
void
hf_named_list_free (HfNamedList *list)
{
  if (list == NULL)
    return;
  g_ptr_array_unref (list->all);
  g_ptr_array_unref (list->problems);
  g_free (list);
}

static void add_problem (HfNamedList *list, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
add_problem (HfNamedList *list, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_ptr_array_add (list->problems, g_strdup_vprintf (format, args));
  va_end (args);
}

/**
 * hf_named_check_name:
 * @name: what somebody takes for the name of an installation
 *
 * Returns: %FALSE with %HF_ERROR_USAGE if no installation can have it
 */
gboolean
hf_named_check_name (const char *name, GError **error)
{
  static const char rest[] = G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_-.";
  gsize length = strlen (name);
  if (g_ascii_isalnum (name[0]) && length <= NAME_LENGTH && strspn (name, rest) == length)
    return TRUE;
  return hf_throw (
      error, HF_ERROR_USAGE,
      "'%s' is no name of an installation: it has letters and digits of ASCII, and -, _"
      " and . between them, %d at most",
      name, NAME_LENGTH);
}

/* NAME of [Installation "NAME"]. */
static char *
name_of_group (const char *group, GError **error)
{
  gsize length = strlen (group), begin = strlen (GROUP_BEGIN), end = strlen (GROUP_END);
  if (!g_str_has_prefix (group, GROUP_BEGIN) || !g_str_has_suffix (group, GROUP_END)
      || length < begin + end)
    {
      (void)hf_throw (error, HF_ERROR_USAGE, "it is not [" GROUP_BEGIN "NAME" GROUP_END "]");
      return NULL;
    }
  g_autofree char *name = g_strndup (group + begin, length - begin - end);
  if (!hf_named_check_name (name, error))
    return NULL;
  if (strcmp (name, HF_NAME_USER) == 0 || strcmp (name, HF_NAME_SYSTEM) == 0)
    {
      (void)hf_throw (error, HF_ERROR_USAGE, "that name is taken");
      return NULL;
    }
  return g_steal_pointer (&name);
}

static gboolean
is_printable (const char *text)
{
  for (; *text != '\0'; text = g_utf8_next_char (text))
    if (g_unichar_iscntrl (g_utf8_get_char (text)))
      return FALSE;
  return TRUE;
}

static gboolean
take_value (HfNamed *named, const char *key, const char *value, GError **error)
{
  if (*value == '\0' || !is_printable (value))
    return hf_throw (error, HF_ERROR_USAGE, "%s is empty or has control characters", key);
  if ((strcmp (key, "path") == 0 && named->path != NULL)
      || (strcmp (key, "display-name") == 0 && named->display_name != NULL))
    return hf_throw (error, HF_ERROR_USAGE, "%s is there twice", key);
  if (strcmp (key, "path") == 0)
    {
      if (!g_path_is_absolute (value))
        return hf_throw (error, HF_ERROR_USAGE, "path is '%s', which does not begin with a slash",
                         value);
      named->path = g_canonicalize_filename (value, NULL);
      return strcmp (named->path, "/") != 0
             || hf_throw (error, HF_ERROR_USAGE, "path cannot be the root directory");
    }
  if (strcmp (key, "display-name") == 0)
    {
      named->display_name = g_strdup (value);
      return TRUE;
    }
  if (strcmp (key, "priority") != 0)
    return hf_throw (error, HF_ERROR_USAGE,
                     "'%s' is no key: there are path, display-name and priority", key);
  return g_ascii_string_to_signed (value, 10, G_MININT32, G_MAXINT32, &named->priority, NULL)
         || hf_throw (error, HF_ERROR_USAGE, "priority is '%s', which is no number", value);
}

static HfNamed *
read_group (GKeyFile *keyfile, const char *group, GError **error)
{
  g_autoptr (HfNamed) named = g_new0 (HfNamed, 1);
  g_auto (GStrv) keys = g_key_file_get_keys (keyfile, group, NULL, NULL);
  named->name = name_of_group (group, error);
  if (named->name == NULL)
    return NULL;
  for (char **key = keys; key != NULL && *key != NULL; key++)
    {
      g_autoptr (GError) failed = NULL;
      g_autofree char *value = g_key_file_get_string (keyfile, group, *key, &failed);
      if (failed != NULL) /* GLib may return the part before a bad escape as well */
        {
          (void)hf_throw (error, HF_ERROR_USAGE, "%s: %s", *key, failed->message);
          return NULL;
        }
      if (!take_value (named, *key, value, error))
        return NULL;
    }
  if (named->path == NULL)
    {
      (void)hf_throw (error, HF_ERROR_USAGE, "it has no path");
      return NULL;
    }
  return g_steal_pointer (&named);
}

static gboolean
is_within (const char *path, const char *directory)
{
  gsize length = strlen (directory);
  return strncmp (path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static gboolean
overlap (const char *a, const char *b)
{
  return is_within (a, b) || is_within (b, a);
}

/* One directory is one installation, and no part of another. */
static gboolean
check_apart (const HfNamedList *list, const HfNamed *named, GError **error)
{
  if (overlap (named->path, HF_SYSTEM_INSTALLATION))
    return hf_throw (error, HF_ERROR_USAGE, "%s and the system's installation, %s, overlap",
                     named->path, HF_SYSTEM_INSTALLATION);
  for (guint i = 0; i < list->all->len; i++)
    {
      const HfNamed *other = list->all->pdata[i];
      if (strcmp (other->name, named->name) == 0)
        return hf_throw (error, HF_ERROR_USAGE, "%s has that name already", other->source);
      if (overlap (named->path, other->path))
        return hf_throw (error, HF_ERROR_USAGE, "%s and %s of installation %s overlap", named->path,
                         other->path, other->name);
    }
  return TRUE;
}

/**
 * hf_named_list_parse:
 * @list: what is named in @bytes is added to it, and so is what is wrong there
 * @source: where @bytes are from
 * @bytes: the contents of a file
 *
 * What an earlier file has named stays.
 */
void
hf_named_list_parse (HfNamedList *list, const char *source, GBytes *bytes)
{
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  g_autoptr (GError) failed = NULL;
  if (g_bytes_get_size (bytes) > 0
      && !g_key_file_load_from_bytes (keyfile, bytes, G_KEY_FILE_NONE, &failed))
    {
      add_problem (list, "%s is passed over: it is not a keyfile: %s", source, failed->message);
      return;
    }
  g_auto (GStrv) groups = g_key_file_get_groups (keyfile, NULL);
  for (char **group = groups; *group != NULL; group++)
    {
      g_autoptr (GError) why = NULL;
      g_autoptr (HfNamed) named = read_group (keyfile, *group, &why);
      if (named == NULL || !check_apart (list, named, &why))
        {
          add_problem (list, "[%s] of %s is passed over: %s", *group, source, why->message);
          continue;
        }
      named->source = g_strdup (source);
      g_ptr_array_add (list->all, g_steal_pointer (&named));
    }
}

/* --- Files ----------------------------------------------------------------------------------------- */

/* By an access control list, too: its mask is what the group's bits show. */
static gboolean
is_roots_alone (const struct stat *st)
{
  return st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static const char symlink_found[] = "it is a symlink";
static const char untrusted[]
    = "others than root own or can write it (chown root and chmod go-w make it root's alone)";

/* Returns -1, and adds a problem unless there is nothing of that name. */
static int
open_trusted (HfNamedList *list, int dfd, const char *parent, const char *name, int flags)
{
  struct stat st;
  hf_autofd int fd = hf_open_beneath (dfd, name, flags | O_DIRECTORY, 0);
  if (fd < 0 && errno == ENOENT)
    return -1;
  if (fd < 0 || fstat (fd, &st) != 0)
    add_problem (list, "%s/%s is passed over: %s", parent, name,
                 errno == ELOOP ? symlink_found : g_strerror (errno));
  else if (!is_roots_alone (&st))
    add_problem (list, "%s/%s is passed over: %s", parent, name, untrusted);
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
      add_problem (list, "%s is passed over: %s", source,
                   S_ISLNK (st.st_mode) ? symlink_found : untrusted);
      return;
    }
  /* Nobody but root can have put something else there in between: the directory is root's, too. */
  g_autoptr (GBytes) bytes = hf_file_read (dfd, name, FILE_SIZE, &failed);
  if (bytes != NULL)
    hf_named_list_parse (list, source, bytes);
  else
    add_problem (list, "%s is passed over: %s", source, failed->message);
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

static int
compare_named (gconstpointer a, gconstpointer b)
{
  const HfNamed *left = *(HfNamed *const *)a;
  const HfNamed *right = *(HfNamed *const *)b;
  if (left->priority != right->priority)
    return left->priority > right->priority ? -1 : 1;
  return strcmp (left->name, right->name);
}

/**
 * hf_named_list_sort:
 * @list: a list
 *
 * Puts the installations into the order in which they are looked through.
 */
void
hf_named_list_sort (HfNamedList *list)
{
  g_ptr_array_sort (list->all, compare_named);
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
    add_problem (list, "%s/" HF_NAMED_DIR " is passed over: %s", own, failed->message);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      g_autofree char *source = g_build_filename (own, HF_NAMED_DIR, names->pdata[i], NULL);
      read_file (list, dfd, names->pdata[i], source);
    }
  hf_named_list_sort (list);
  return list;
}

/**
 * hf_named_list_find:
 * @list: a list
 * @name: a name
 *
 * Returns: (transfer none) (nullable): the installation of that name
 */
const HfNamed *
hf_named_list_find (const HfNamedList *list, const char *name)
{
  for (guint i = 0; i < list->all->len; i++)
    if (strcmp (((const HfNamed *)list->all->pdata[i])->name, name) == 0)
      return list->all->pdata[i];
  return NULL;
}

/**
 * hf_named_check_owner:
 * @named: a named installation
 * @installation: the same, open
 *
 * A named installation is the system's.  Whoever else owned its directory could hold its locks for ever,
 * and root's sweep would wait for him; and could give everybody applications to run (G8).  That
 * this directory is root's is enough: others who can write one above it can only put another directory
 * of root's in its place.
 *
 * Returns: %FALSE with %HF_ERROR_UNTRUSTED if others than root could change it
 */
gboolean
hf_named_check_owner (const HfNamed *named, const HfInstallation *installation, GError **error)
{
  struct stat st;
  if (fstat (installation->root_fd, &st) != 0)
    return hf_throw_errno (error, "Cannot look at %s", installation->path);
  return is_roots_alone (&st)
         || hf_throw (error, HF_ERROR_UNTRUSTED,
                      "Installation %s is not trusted: %s belongs to others than root, or they can"
                      " write it.  It can be had by its path, with --installation=%s",
                      named->name, installation->path, installation->path);
}
