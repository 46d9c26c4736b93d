/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Checksums of objects, as a repository of mode bare-user-only has them: of metadata, of its bytes;
 * of content, of its kind, mode and what it holds or where it leads.  Called from several threads.
 */
#include "verify.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct HfVerify
{
  HfStore *store;        /* not owned */
  HfProgress *progress;  /* not owned; or NULL */
  pthread_mutex_t mutex; /* of @verdicts */
  GHashTable *verdicts;  /* owned; HfVerdict by CHECKSUM.SUFFIX */
};

/**
 * hf_verify_new:
 * @store: the installation's store; it outlives the result
 * @progress: (nullable): where to tell of each stored object that was read; it outlives the result
 *
 * Returns: (transfer full): nothing verified yet
 */
HfVerify *
hf_verify_new (HfStore *store, HfProgress *progress)
{
  HfVerify *verify = g_new0 (HfVerify, 1);
  verify->store = store;
  verify->progress = progress;
  (void)pthread_mutex_init (&verify->mutex, NULL);
  verify->verdicts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return verify;
}

/**
 * hf_verify_free:
 * @verify: (nullable) (transfer full): what no thread uses any more
 */
void
hf_verify_free (HfVerify *verify)
{
  if (verify == NULL)
    return;
  g_hash_table_unref (verify->verdicts);
  (void)pthread_mutex_destroy (&verify->mutex);
  g_free (verify);
}

/* A shortage of our own, which says nothing about the file: its number, or 0. */
static int
find_shortage (const GError *failed)
{
  static const int shortages[] = { EMFILE, ENFILE, ENOMEM };
  for (gsize i = 0; i < G_N_ELEMENTS (shortages); i++)
    if (strstr (failed->message, g_strerror (shortages[i])) != NULL)
      return shortages[i];
  return 0;
}

static gboolean
verify_content (int dfd, const char *name, const char *checksum, const struct stat *st,
                gboolean *out_whole, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autofree char *actual = NULL;
  struct stat as = *st;
  *out_whole = FALSE;
  /* An object is nobody's: the canonical permissions see to that only for regular files. */
  as.st_uid = as.st_gid = 0;
  if (!S_ISREG (st->st_mode) && !S_ISLNK (st->st_mode))
    return TRUE;
  if (ostree_checksum_file_at (dfd, name, &as, OSTREE_OBJECT_TYPE_FILE,
                               OSTREE_CHECKSUM_FLAGS_IGNORE_XATTRS
                                   | OSTREE_CHECKSUM_FLAGS_CANONICAL_PERMISSIONS,
                               &actual, NULL, &failed))
    {
      *out_whole = strcmp (actual, checksum) == 0;
      return TRUE;
    }
  int shortage = find_shortage (failed);
  if (shortage == 0)
    {
      /* Nor does a mode that keeps its owner from reading it. */
      *out_whole = g_error_matches (failed, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
      return TRUE;
    }
  errno = shortage;
  return hf_throw_at (error, "Cannot verify %s", dfd, name);
}

static gboolean
verify_metadata (int dfd, const char *name, const char *checksum, gboolean *out_whole,
                 GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GBytes) bytes = hf_file_read (dfd, name, OSTREE_MAX_METADATA_SIZE, &failed);
  *out_whole = FALSE;
  if (bytes == NULL && find_shortage (failed) != 0)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  if (bytes != NULL)
    {
      g_autofree char *actual = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
      *out_whole = strcmp (actual, checksum) == 0;
    }
  return TRUE;
}

/**
 * hf_verify_file:
 * @dfd: a directory
 * @name: a name in it
 * @checksum: of the object that it should be
 * @suffix: its type; detached metadata has no checksum of its own, and is whole if it is a file
 * @mode: the permissions to take it to have, or 0 for those that it has
 * @out_whole: (out): whether it is that object
 *
 * What cannot be read is not whole, unless only its own mode forbids it.
 *
 * Returns: %FALSE with @error set if this process is short of something
 */
gboolean
hf_verify_file (int dfd, const char *name, const char *checksum, const char *suffix, mode_t mode,
                gboolean *out_whole, GError **error)
{
  struct stat st;
  *out_whole = FALSE;
  if (fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return TRUE;
  if (strcmp (suffix, HF_SUFFIX_FILE) == 0)
    {
      if (mode != 0)
        st.st_mode = (st.st_mode & S_IFMT) | mode;
      return verify_content (dfd, name, checksum, &st, out_whole, error);
    }
  if (strcmp (suffix, HF_SUFFIX_COMMIT_META) != 0)
    return verify_metadata (dfd, name, checksum, out_whole, error);
  *out_whole = S_ISREG (st.st_mode);
  return TRUE;
}

/* A change of mode changes the checksum of content: whether that is all that is wrong. */
static gboolean
find_mode (int dfd, const char *name, const char *checksum, HfVerdict *verdict, GError **error)
{
  static const mode_t usual[] = { 0644, 0755, 0664, 0775, 0444, 0555, 0600, 0700, 0640, 0750 };
  for (gsize i = 0; i < G_N_ELEMENTS (usual) && S_ISREG (verdict->st.st_mode); i++)
    {
      gboolean whole;
      if (!hf_verify_file (dfd, name, checksum, HF_SUFFIX_FILE, usual[i], &whole, error))
        return FALSE;
      if (!whole)
        continue;
      verdict->health = HF_OBJECT_WRONG_MODE;
      verdict->mode = usual[i];
      break;
    }
  return TRUE;
}

static gboolean
look (HfVerify *verify, const char *loose, const char *checksum, const char *suffix,
      HfVerdict *verdict, GError **error)
{
  int objects_fd = verify->store->objects_fd;
  const char digits[] = { checksum[0], checksum[1], '\0' };
  gboolean whole;
  hf_autofd int dfd = hf_open_beneath (objects_fd, digits, O_RDONLY | O_DIRECTORY, 0);
  if (dfd < 0)
    return hf_throw_at (error, "Cannot open directory %s", objects_fd, digits);
  if (!hf_verify_file (dfd, loose + 3, checksum, suffix, 0, &whole, error))
    return FALSE;
  verdict->health = whole ? HF_OBJECT_WHOLE : HF_OBJECT_CORRUPT;
  return whole || strcmp (suffix, HF_SUFFIX_FILE) != 0
         || find_mode (dfd, loose + 3, checksum, verdict, error);
}

/* Whether a verdict is still about what is there.  Links come and go, which changes only the ctime. */
static gboolean
still_holds (const HfVerdict *verdict, const struct stat *st)
{
  return verdict != NULL && hf_stat_same_file (&verdict->st, st)
         && verdict->st.st_size == st->st_size && verdict->st.st_mode == st->st_mode
         && verdict->st.st_mtim.tv_sec == st->st_mtim.tv_sec
         && verdict->st.st_mtim.tv_nsec == st->st_mtim.tv_nsec;
}

/**
 * hf_verify_stored:
 * @verify: what was verified so far
 * @checksum: an object
 * @suffix: its type
 * @out: (out): what is known of it
 *
 * Locks: none; what is stored may be changed, by a rename, at any time.
 *
 * Returns: %FALSE with @error set if it cannot be told
 */
gboolean
hf_verify_stored (HfVerify *verify, const char *checksum, const char *suffix, HfVerdict *out,
                  GError **error)
{
  HfObjectPath loose, name;
  hf_object_loose_path (loose, checksum, suffix);
  hf_object_pin_name (name, checksum, suffix);
  *out = (HfVerdict){ .health = HF_OBJECT_MISSING };
  if (fstatat (verify->store->objects_fd, loose, &out->st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT
           || hf_throw_at (error, "Cannot look at object %s", verify->store->objects_fd, loose);
  (void)pthread_mutex_lock (&verify->mutex);
  const HfVerdict *known = g_hash_table_lookup (verify->verdicts, name);
  gboolean holds = still_holds (known, &out->st);
  if (holds)
    *out = *known;
  (void)pthread_mutex_unlock (&verify->mutex);
  if (holds)
    return TRUE;
  /* Two threads that meet the same object read it both, which is rare and does no harm. */
  if (!look (verify, loose, checksum, suffix, out, error))
    return FALSE;
  (void)pthread_mutex_lock (&verify->mutex);
  g_hash_table_replace (verify->verdicts, g_strdup (name), g_memdup2 (out, sizeof *out));
  (void)pthread_mutex_unlock (&verify->mutex);
  hf_progress_add (verify->progress, 1, (guint64)out->st.st_size);
  return TRUE;
}

/* A look at all that is stored. */
typedef struct
{
  HfVerify *verify;
  GHashTable *out;
  GCancellable *cancellable;
} VerifyAll;

static gboolean
verify_one (const guint8 *bytes, const char *suffix, gpointer data, GError **error)
{
  const VerifyAll *all = data;
  HfVerdict verdict;
  g_autofree char *checksum = ostree_checksum_from_bytes (bytes);
  if (g_cancellable_set_error_if_cancelled (all->cancellable, error)
      || !hf_verify_stored (all->verify, checksum, suffix, &verdict, error))
    return FALSE;
  if (verdict.health != HF_OBJECT_WHOLE)
    g_hash_table_replace (all->out, g_strconcat (checksum, ".", suffix, NULL),
                          g_memdup2 (&verdict, sizeof verdict));
  return TRUE;
}

/**
 * hf_verify_all:
 * @verify: what was verified so far
 * @out: (element-type utf8 HfVerdict): what is stored and not whole, CHECKSUM.SUFFIX; added to
 * @cancellable: (nullable): ends it early
 *
 * Reads all of the repository that was not read yet.
 *
 * Locks: none; as hf_verify_stored().
 *
 * Returns: %FALSE with @error set if it cannot be told
 */
gboolean
hf_verify_all (HfVerify *verify, GHashTable *out, GCancellable *cancellable, GError **error)
{
  VerifyAll all = { verify, out, cancellable };
  return hf_objects_visit (verify->store->objects_fd, verify_one, &all, error);
}
