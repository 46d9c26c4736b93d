/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Private repositories.  libostree's transactions rename staged objects over stored ones, hard-link
 * from other repositories and leave things behind when they fail; so they never happen in the
 * installation's own.  A scratch repository has that one as its parent: what is stored is not
 * fetched again, and remotes with their keys are inherited.
 */
#include "scratch.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "base/tree-delete.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/**
 * hf_scratch_free:
 * @scratch: (nullable) (transfer full): a scratch repository
 *
 * A temporary one is deleted; one in an entry goes with the entry.
 */
void
hf_scratch_free (HfScratch *scratch)
{
  if (scratch == NULL)
    return;
  g_clear_object (&scratch->repo);
  hf_shadow_free (scratch->shadow);
  g_autoptr (GError) ignored = NULL;
  if (scratch->temporary && scratch->name != NULL)
    (void)!hf_tree_delete (scratch->parent_fd, scratch->name, NULL, &ignored);
  hf_fd_clear (&scratch->parent_fd);
  g_free (scratch->name);
  g_free (scratch);
}

static gboolean
configure (HfScratch *scratch, int parent_repo_fd, GError **error)
{
  g_autoptr (GKeyFile) config = ostree_repo_copy_config (scratch->repo);
  /* libostree wants a path here: the descriptor's, which is right wherever the installation is. */
  g_autofree char *parent = g_strdup_printf ("/proc/self/fd/%d", parent_repo_fd);
  g_key_file_set_string (config, "core", "parent", parent);
  /* A disk is full when the kernel says so; keeping some of it free is the sweeper's. */
  g_key_file_set_string (config, "core", "min-free-space-percent", "0");
  return ostree_repo_write_config (scratch->repo, config, error)
         && ostree_repo_reload_config (scratch->repo, NULL, error);
}

static HfScratch *
create (int parent_repo_fd, int parent_fd, const char *name, GError **error)
{
  g_autoptr (HfScratch) scratch = g_new0 (HfScratch, 1);
  g_autoptr (GError) failed = NULL;
  scratch->parent_fd = fcntl (parent_fd, F_DUPFD_CLOEXEC, 3);
  scratch->name = g_strdup (name);
  scratch->repo = ostree_repo_create_at (parent_fd, name, OSTREE_REPO_MODE_BARE_USER_ONLY, NULL,
                                         NULL, &failed);
  if (scratch->repo == NULL || !configure (scratch, parent_repo_fd, &failed))
    {
      (void)hf_throw_ostree (error, failed, "Cannot create a private repository");
      return NULL;
    }
  /* Import syncs the file system once, when all is there. */
  ostree_repo_set_disable_fsync (scratch->repo, TRUE);
  return g_steal_pointer (&scratch);
}

/**
 * hf_scratch_create:
 * @store: the installation's store; it outlives the scratch repository
 * @parent_fd: a directory
 * @name: the name of the repository to create there
 *
 * Returns: (transfer full): a new repository, or %NULL with @error set
 */
HfScratch *
hf_scratch_create (HfStore *store, int parent_fd, const char *name, GError **error)
{
  return create (store->repo_fd, parent_fd, name, error);
}

/**
 * hf_scratch_create_without:
 * @store: the installation's store; it outlives the scratch repository
 * @parent_fd: an entry
 * @name: the name of the repository to create there
 * @distrusted: (element-type utf8 gpointer): stored objects, CHECKSUM.SUFFIX, that are to be fetched
 *   as if they were not stored
 *
 * Returns: (transfer full): a new repository, or %NULL with @error set
 */
HfScratch *
hf_scratch_create_without (HfStore *store, int parent_fd, const char *name, GHashTable *distrusted,
                           GError **error)
{
  g_autoptr (HfShadow) shadow = hf_shadow_create (store, parent_fd, distrusted, error);
  if (shadow == NULL)
    return NULL;
  HfScratch *scratch = create (shadow->dir_fd, parent_fd, name, error);
  if (scratch != NULL)
    scratch->shadow = g_steal_pointer (&shadow);
  return scratch;
}

/**
 * hf_scratch_create_temporary:
 * @store: the installation's store; it outlives the scratch repository
 *
 * Returns: (transfer full): a new repository in the directory for temporary files, or %NULL with
 *   @error set
 */
HfScratch *
hf_scratch_create_temporary (HfStore *store, GError **error)
{
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "holdfast-XXXXXX", NULL);
  if (g_mkdtemp (path) == NULL)
    {
      (void)hf_throw_errno (error, "Cannot create a directory in %s", g_get_tmp_dir ());
      return NULL;
    }
  g_autofree char *name = g_path_get_basename (path);
  hf_autofd int parent_fd = open (g_get_tmp_dir (), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  HfScratch *scratch = parent_fd < 0 ? NULL : hf_scratch_create (store, parent_fd, name, error);
  if (scratch == NULL)
    (void)!hf_tree_delete (parent_fd, name, NULL, NULL);
  else
    scratch->temporary = TRUE;
  return scratch;
}

/* What libostree says of contents that are not what their name says. */
static gboolean
says_corrupt (const GError *cause)
{
  return g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT)
         || g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_INVALID_DATA)
         || strstr (cause->message, "orrupted") != NULL
         || strstr (cause->message, "Parsing ") != NULL
         || strstr (cause->message, "hecksum") != NULL;
}

static gboolean
says_unsafe (const GError *cause)
{
  return strstr (cause->message, "invalid bits") != NULL
         || strstr (cause->message, "bare-user-only") != NULL
         || strstr (cause->message, "Unsupported file type") != NULL
         || strstr (cause->message, "Not a regular file or symlink") != NULL;
}

/**
 * hf_throw_ostree:
 * @cause: (nullable): what libostree said
 * @format: what was tried, on what; it is translated here
 *
 * Translates an error of libostree or GIO into ours.  A cancelled operation stays
 * %G_IO_ERROR_CANCELLED.
 *
 * Returns: %FALSE always
 */
gboolean
hf_throw_ostree (GError **error, const GError *cause, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (hf_text (format), args);
  va_end (args);
  if (cause == NULL) /* libostree has failed without a word */
    return hf_throw (error, HF_ERROR_FAILED, "%s", what);
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_error_copy (cause));
      return FALSE;
    }
  HfErrorCode code = HF_ERROR_FAILED;
  if (cause->domain == HF_ERROR)
    code = (HfErrorCode)cause->code;
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_NO_SPACE)
           || strstr (cause->message, g_strerror (ENOSPC)) != NULL
           || strstr (cause->message, g_strerror (EDQUOT)) != NULL)
    code = HF_ERROR_NO_SPACE;
  else if (says_corrupt (cause))
    return hf_throw (error, HF_ERROR_UNTRUSTED, "%s: an object is damaged or cut short: %s", what,
                     cause->message);
  else if (cause->domain == OSTREE_GPG_ERROR || strstr (cause->message, "ref binding") != NULL)
    code = HF_ERROR_UNTRUSTED;
  else if (says_unsafe (cause))
    code = HF_ERROR_UNSAFE;
  return hf_throw (error, code, "%s: %s", what, cause->message);
}
