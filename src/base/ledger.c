/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Counting what is freed.  That a name is an inode's last one is told by a look right before the unlink;
 * for two threads that unlink two names of one inode that takes a lock from the look to the unlink, one
 * of several, by inode, so that they seldom wait for each other.
 *
 * A dry run's ledger notes of each inode with several names how many of them go: the inode goes if all of
 * them do.  It needs memory for these, 32 to 64 bytes each, and for nothing that stays.
 */
#include "ledger.h"

#include "fd.h"
#include "inode-table.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#define STRIPES 64

/* Notes of inodes. */
enum
{
  NOTE_GONE = 1 << 0,  /* by its own name: an object, a symlink, a directory */
  NOTE_BEGUN = 1 << 1, /* of a directory: the deletion of the entry began */
  NOTE_MADE = 1 << 2,  /* it was not there before */
};

typedef struct
{
  pthread_mutex_t mutex; /* of one inode's names, and of the sums */
  guint64 blocks, inodes;
} Stripe;

struct HfLedger
{
  gboolean dry;
  Stripe stripes[STRIPES];
  pthread_mutex_t mutex; /* of @notes, and in a dry run of the first stripe's sums */
  HfInodeTable notes;
  HfProgress *progress; /* not owned; or NULL */
};

/**
 * hf_ledger_new:
 * @dry: whether it is of what would be done
 * @progress: (nullable): where to tell of each name that goes, and of what that frees; it outlives the
 *   ledger
 *
 * Returns: (transfer full): an empty ledger
 */
HfLedger *
hf_ledger_new (gboolean dry, HfProgress *progress)
{
  HfLedger *ledger = g_new0 (HfLedger, 1);
  ledger->dry = dry;
  ledger->progress = progress;
  (void)pthread_mutex_init (&ledger->mutex, NULL);
  for (gsize i = 0; i < STRIPES; i++)
    (void)pthread_mutex_init (&ledger->stripes[i].mutex, NULL);
  return ledger;
}

/**
 * hf_ledger_free:
 * @ledger: (nullable) (transfer full): a ledger
 */
void
hf_ledger_free (HfLedger *ledger)
{
  if (ledger == NULL)
    return;
  for (gsize i = 0; i < STRIPES; i++)
    (void)pthread_mutex_destroy (&ledger->stripes[i].mutex);
  (void)pthread_mutex_destroy (&ledger->mutex);
  hf_inode_table_clear (&ledger->notes);
  g_free (ledger);
}

/**
 * hf_ledger_is_dry:
 * @ledger: (nullable): a ledger
 *
 * Returns: whether nothing may be changed
 */
gboolean
hf_ledger_is_dry (const HfLedger *ledger)
{
  return ledger != NULL && ledger->dry;
}

/**
 * hf_ledger_get:
 * @ledger: a ledger
 * @bytes: (out): that are freed
 * @inodes: (out): that are freed
 */
void
hf_ledger_get (HfLedger *ledger, guint64 *bytes, guint64 *inodes)
{
  *bytes = *inodes = 0;
  for (gsize i = 0; i < STRIPES; i++)
    {
      Stripe *stripe = &ledger->stripes[i];
      (void)pthread_mutex_lock (&stripe->mutex);
      *bytes += stripe->blocks * 512;
      *inodes += stripe->inodes;
      (void)pthread_mutex_unlock (&stripe->mutex);
    }
}

static guint32
flags_of (HfLedger *ledger, const struct stat *st)
{
  (void)pthread_mutex_lock (&ledger->mutex);
  const HfInodeNote *note = hf_inode_table_find (&ledger->notes, st);
  guint32 flags = note == NULL ? 0 : note->flags;
  (void)pthread_mutex_unlock (&ledger->mutex);
  return flags;
}

static void
set_flag (HfLedger *ledger, const struct stat *st, guint32 flag)
{
  (void)pthread_mutex_lock (&ledger->mutex);
  hf_inode_table_note (&ledger->notes, st)->flags |= flag;
  (void)pthread_mutex_unlock (&ledger->mutex);
}

static gboolean
is_last_name (const struct stat *st)
{
  return S_ISDIR (st->st_mode) || st->st_nlink == 1;
}

/* In a dry run: one name of an inode goes.  @flag is what to note besides; returns whether it was not noted
 * already. */
static gboolean
note_name (HfLedger *ledger, const struct stat *st, guint32 flag)
{
  gboolean last = is_last_name (st);
  (void)pthread_mutex_lock (&ledger->mutex);
  if (!last || flag != 0)
    {
      HfInodeNote *note = hf_inode_table_note (&ledger->notes, st);
      if ((note->flags & flag) != 0)
        {
          (void)pthread_mutex_unlock (&ledger->mutex);
          return FALSE;
        }
      note->flags |= flag;
      note->names++;
      last = last || note->names == st->st_nlink;
    }
  if (last)
    {
      ledger->stripes[0].inodes++;
      ledger->stripes[0].blocks += (guint64)st->st_blocks;
    }
  (void)pthread_mutex_unlock (&ledger->mutex);
  return TRUE;
}

static void
count_freed (Stripe *stripe, const struct stat *st)
{
  stripe->inodes++;
  stripe->blocks += (guint64)st->st_blocks;
}

/* With no lock of an inode held: it may be shown at once. */
static void
tell (HfLedger *ledger, const struct stat *st, gboolean freed)
{
  hf_progress_add (ledger->progress, 1, freed ? (guint64)st->st_blocks * 512 : 0);
}

static Stripe *
stripe_of (HfLedger *ledger, guint64 inode)
{
  return &ledger->stripes[inode % STRIPES];
}

/* Whether all names in a directory have gone; sets `errno` if not. */
static gboolean
is_emptied (HfLedger *ledger, int dfd, const char *path)
{
  g_autoptr (DIR) dir = hf_dir_open (dfd, path, NULL);
  const struct dirent *entry = NULL;
  if (dir == NULL)
    return FALSE;
  while (hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      struct stat st;
      if (hf_ledger_stat (ledger, dirfd (dir), entry->d_name, &st) == 0)
        {
          errno = ENOTEMPTY;
          return FALSE;
        }
    }
  return TRUE;
}

static int
fail (int errsv)
{
  errno = errsv;
  return -1;
}

/* Nothing but what unlinkat(2) would say. */
static int
unlink_dry (HfLedger *ledger, int dfd, const char *path, int flags)
{
  struct stat st;
  gboolean directory = (flags & AT_REMOVEDIR) != 0;
  if (hf_ledger_stat (ledger, dfd, path, &st) != 0)
    return -1;
  if (directory != S_ISDIR (st.st_mode))
    return fail (directory ? ENOTDIR : EISDIR);
  if (directory && !is_emptied (ledger, dfd, path))
    return -1;
  /* As it is on disk, where its other names are that go, too. */
  if (fstatat (dfd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return -1;
  return note_name (ledger, &st, NOTE_GONE) ? 0 : fail (ENOENT);
}

/**
 * hf_ledger_unlink:
 * @ledger: (nullable): where to count what is freed, or %NULL
 * @dfd: a directory
 * @path: a name below it
 * @flags: as for unlinkat(2)
 *
 * Returns: as unlinkat(2)
 */
int
hf_ledger_unlink (HfLedger *ledger, int dfd, const char *path, int flags)
{
  struct stat st;
  if (ledger == NULL)
    return unlinkat (dfd, path, flags);
  if (ledger->dry)
    return unlink_dry (ledger, dfd, path, flags);
  if (fstatat (dfd, path, &st, AT_SYMLINK_NOFOLLOW) != 0 || unlinkat (dfd, path, flags) != 0)
    return -1;
  gboolean counts = is_last_name (&st) && (flags_of (ledger, &st) & NOTE_MADE) == 0;
  Stripe *stripe = stripe_of (ledger, st.st_ino);
  (void)pthread_mutex_lock (&stripe->mutex);
  if (counts)
    count_freed (stripe, &st);
  (void)pthread_mutex_unlock (&stripe->mutex);
  tell (ledger, &st, counts);
  return 0;
}

/**
 * hf_ledger_unlink_known:
 * @ledger: (nullable): where to count what is freed, or %NULL
 * @dfd: a directory
 * @path: a name below it
 * @st: what lies there, by a look since which nobody else unlinked a name of it
 *
 * Unlinks a file or removes a directory; in a dry run a file only.
 *
 * Returns: as unlinkat(2)
 */
int
hf_ledger_unlink_known (HfLedger *ledger, int dfd, const char *path, const struct stat *st)
{
  if (hf_ledger_is_dry (ledger))
    return unlink_dry (ledger, dfd, path, 0);
  if (unlinkat (dfd, path, S_ISDIR (st->st_mode) ? AT_REMOVEDIR : 0) != 0)
    return -1;
  if (ledger == NULL)
    return 0;
  gboolean last = is_last_name (st);
  Stripe *stripe = stripe_of (ledger, st->st_ino);
  (void)pthread_mutex_lock (&stripe->mutex);
  if (last)
    count_freed (stripe, st);
  (void)pthread_mutex_unlock (&stripe->mutex);
  tell (ledger, st, last);
  return 0;
}

/**
 * hf_ledger_unlink_listed:
 * @ledger: (nullable): where to count what is freed, or %NULL; not a dry run's
 * @dfd: a directory
 * @entry: a name in it; other threads may unlink other names of the same inode
 *
 * Returns: as unlinkat(2)
 */
int
hf_ledger_unlink_listed (HfLedger *ledger, int dfd, const struct dirent *entry)
{
  struct stat st;
  if (ledger == NULL)
    return unlinkat (dfd, entry->d_name, 0);
  Stripe *stripe = stripe_of (ledger, entry->d_ino);
  (void)pthread_mutex_lock (&stripe->mutex);
  int result = fstatat (dfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW);
  if (result == 0)
    result = unlinkat (dfd, entry->d_name, 0);
  int errsv = errno;
  gboolean last = result == 0 && is_last_name (&st);
  if (last)
    count_freed (stripe, &st);
  (void)pthread_mutex_unlock (&stripe->mutex);
  if (result == 0)
    tell (ledger, &st, last);
  errno = errsv;
  return result;
}

/**
 * hf_ledger_remove_dir:
 * @ledger: (nullable): where to count what is freed, or %NULL
 * @dfd: a directory
 * @path: a directory below it, all that was in it having gone
 *
 * Returns: as rmdir(2); in a dry run @path is not looked into
 */
int
hf_ledger_remove_dir (HfLedger *ledger, int dfd, const char *path)
{
  struct stat st;
  if (!hf_ledger_is_dry (ledger))
    return hf_ledger_unlink (ledger, dfd, path, AT_REMOVEDIR);
  if (hf_ledger_stat (ledger, dfd, path, &st) != 0)
    return -1;
  return note_name (ledger, &st, NOTE_GONE) ? 0 : fail (ENOENT);
}

/**
 * hf_ledger_made:
 * @ledger: (nullable): a ledger, not of a dry run, or %NULL
 * @dfd: a directory
 * @name: a symlink in it that was just made: to unlink it frees nothing
 */
void
hf_ledger_made (HfLedger *ledger, int dfd, const char *name)
{
  struct stat st;
  if (ledger != NULL && fstatat (dfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    set_flag (ledger, &st, NOTE_MADE);
}

/**
 * hf_ledger_take:
 * @ledger: a dry run's ledger
 * @st: what a name that goes leads to, in a tree that goes
 */
void
hf_ledger_take (HfLedger *ledger, const struct stat *st)
{
  (void)note_name (ledger, st, 0);
}

/**
 * hf_ledger_stat:
 * @ledger: (nullable): a ledger, or %NULL
 * @dfd: a directory
 * @path: a name below it that is not in a tree which may go
 * @out: (out): what is there; without the names of trees that go
 *
 * Returns: as fstatat(2), which does not follow a symlink here; ENOENT for what has gone
 */
int
hf_ledger_stat (HfLedger *ledger, int dfd, const char *path, struct stat *out)
{
  if (fstatat (dfd, path, out, AT_SYMLINK_NOFOLLOW) != 0)
    return -1;
  if (!hf_ledger_is_dry (ledger))
    return 0;
  (void)pthread_mutex_lock (&ledger->mutex);
  const HfInodeNote *note = hf_inode_table_find (&ledger->notes, out);
  gboolean gone = note != NULL && (note->flags & NOTE_GONE) != 0;
  if (note != NULL && !S_ISDIR (out->st_mode))
    out->st_nlink -= MIN (note->names, out->st_nlink);
  (void)pthread_mutex_unlock (&ledger->mutex);
  return gone ? fail (ENOENT) : 0;
}

static gboolean
is_noted (HfLedger *ledger, int dir_fd, guint32 flag)
{
  struct stat st;
  return hf_ledger_is_dry (ledger) && fstat (dir_fd, &st) == 0
         && (flags_of (ledger, &st) & flag) != 0;
}

/**
 * hf_ledger_has_gone:
 * @ledger: (nullable): a ledger, or %NULL
 * @dir_fd: a directory
 *
 * Returns: whether a real run would have removed it by now
 */
gboolean
hf_ledger_has_gone (HfLedger *ledger, int dir_fd)
{
  return is_noted (ledger, dir_fd, NOTE_GONE);
}

/**
 * hf_ledger_begin:
 * @ledger: a dry run's ledger
 * @dir_fd: the directory of an entry whose deletion begins
 */
void
hf_ledger_begin (HfLedger *ledger, int dir_fd)
{
  struct stat st;
  if (fstat (dir_fd, &st) == 0)
    set_flag (ledger, &st, NOTE_BEGUN);
}

/**
 * hf_ledger_has_begun:
 * @ledger: (nullable): a ledger, or %NULL
 * @dir_fd: the directory of an entry
 *
 * Returns: whether a real run would have begun to delete it by now
 */
gboolean
hf_ledger_has_begun (HfLedger *ledger, int dir_fd)
{
  return is_noted (ledger, dir_fd, NOTE_BEGUN);
}
