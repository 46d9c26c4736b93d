/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Examining one object of a deployment: what is stored of it, its pin, its place in the tree.  Every
 * link that counts must be there and be the stored inode (DESIGN section 6), unless the record says
 * that copies stand in.  Where the store does not have it whole, a link or copy that is whole is
 * what it can be mended from, without asking anybody.
 */
#include "examine-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/layout.h"

#include <errno.h>
#include <string.h>

/* What one of two links of an object looks like. */
typedef struct
{
  struct stat st;
  gboolean present, same, whole; /* @same: it is what is stored */
} Link;

static gboolean
list_pins (HfExamine *examine, GError **error)
{
  g_autoptr (DIR) dir = hf_dir_open (examine->pins_fd, ".", error);
  const struct dirent *entry;
  if (dir == NULL)
    return FALSE;
  for (;;)
    {
      if (!hf_dir_next (dir, &entry, error))
        return FALSE;
      if (entry == NULL)
        return TRUE;
      g_hash_table_add (examine->strange, g_strdup (entry->d_name));
    }
}

/**
 * hf_examine_begin:
 * @examine: (out caller-allocates): zeroes
 * @out: where to put what is found
 *
 * Returns: %FALSE with @error set on failure; to be ended in any case
 */
gboolean
hf_examine_begin (HfExamine *examine, HfExamination *out, GCancellable *cancellable, GError **error)
{
  examine->out = out;
  examine->cancellable = cancellable;
  (void)pthread_mutex_init (&examine->mutex, NULL);
  examine->seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  examine->strange = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  examine->pins_fd = -1;
  if (out->dir_fd < 0)
    return TRUE;
  examine->pins_fd = hf_open_beneath (out->dir_fd, HF_PINS_DIR, O_RDONLY | O_DIRECTORY, 0);
  if (examine->pins_fd >= 0)
    return list_pins (examine, error);
  if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
    return hf_throw_at (error, "Cannot open directory %s", out->dir_fd, HF_PINS_DIR);
  hf_examine_add_damage (examine, HF_PINS_DIR, "is missing");
  return TRUE;
}

/**
 * hf_examine_end:
 * @examine: zeroes, or what was begun
 */
void
hf_examine_end (HfExamine *examine)
{
  if (examine->out == NULL)
    return;
  hf_fd_clear (&examine->pins_fd);
  g_hash_table_unref (examine->seen);
  g_hash_table_unref (examine->strange);
  (void)pthread_mutex_destroy (&examine->mutex);
  examine->out = NULL;
}

/**
 * hf_examine_add_damage:
 * @examine: an examination
 * @place: what is damaged, below the deployment
 * @cause: what is wrong with it
 */
void
hf_examine_add_damage (HfExamine *examine, const char *place, const char *cause)
{
  (void)pthread_mutex_lock (&examine->mutex);
  hf_damage_add (examine->out->damages, place, cause);
  (void)pthread_mutex_unlock (&examine->mutex);
}

/* @source, below the deployment, has it whole; or NULL. */
static void
add_bad (HfExamine *examine, const char *checksum, const char *suffix, const HfVerdict *verdict,
         const char *source)
{
  HfObjectPath name;
  hf_object_pin_name (name, checksum, suffix);
  (void)pthread_mutex_lock (&examine->mutex);
  HfBadObject *bad = g_hash_table_lookup (examine->out->bad, name);
  if (bad == NULL)
    {
      bad = g_new0 (HfBadObject, 1);
      bad->checksum = g_strdup (checksum);
      bad->suffix = suffix;
      g_hash_table_insert (examine->out->bad, g_strdup (name), bad);
    }
  bad->verdict = *verdict;
  if (bad->source == NULL && source != NULL)
    bad->source = g_strconcat (examine->out->path, "/", source, NULL);
  g_hash_table_add (examine->out->needs, bad);
  (void)pthread_mutex_unlock (&examine->mutex);
}

static gboolean
look_at (int dfd, const char *name, const char *checksum, const char *suffix,
         const HfVerdict *stored, Link *out, GError **error)
{
  *out = (Link){ .present = FALSE };
  if (dfd < 0)
    return TRUE;
  if (fstatat (dfd, name, &out->st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || hf_throw_at (error, "Cannot look at %s", dfd, name);
  out->present = TRUE;
  out->same = stored->health != HF_OBJECT_MISSING && hf_stat_same_file (&out->st, &stored->st);
  out->whole = out->same && stored->health == HF_OBJECT_WHOLE;
  return out->same || hf_verify_file (dfd, name, checksum, suffix, 0, &out->whole, error);
}

/* What is wrong with a place that should be a link of a stored object. */
static void
judge (HfExamine *examine, const char *place, const Link *link, const HfVerdict *stored)
{
  if (!link->present)
    hf_examine_add_damage (examine, place, "is missing");
  else if (!link->whole && !(link->same && stored->health == HF_OBJECT_WRONG_MODE))
    hf_examine_add_damage (examine, place, "is altered");
  else if (!link->same && stored->health == HF_OBJECT_WHOLE && !examine->out->copies)
    hf_examine_add_damage (examine, place,
                           "is a copy, where it should be a link to the stored object");
}

/**
 * hf_examine_pin:
 * @examine: an examination
 * @checksum: an object that pins/ should have
 * @suffix: its type
 * @stored: (out): what is stored of it
 * @out_pinned: (out): whether pins/ has it whole
 *
 * Returns: %FALSE with @error set if it cannot be told
 */
gboolean
hf_examine_pin (HfExamine *examine, const char *checksum, const char *suffix, HfVerdict *stored,
                gboolean *out_pinned, GError **error)
{
  HfObjectPath pin;
  Link link;
  hf_object_pin_name (pin, checksum, suffix);
  if (!hf_verify_stored (examine->out->verify, checksum, suffix, stored, error)
      || !look_at (examine->pins_fd, pin, checksum, suffix, stored, &link, error))
    return FALSE;
  *out_pinned = link.whole;
  (void)pthread_mutex_lock (&examine->mutex);
  gboolean first = g_hash_table_add (examine->seen, g_strdup (pin));
  (void)g_hash_table_remove (examine->strange, pin);
  (void)pthread_mutex_unlock (&examine->mutex);
  gboolean optional = strcmp (suffix, HF_SUFFIX_COMMIT_META) == 0;
  if (!first || (optional && stored->health == HF_OBJECT_MISSING && !link.present))
    return TRUE;
  g_autofree char *place = g_strconcat (HF_PINS_DIR "/", pin, NULL);
  if (stored->health != HF_OBJECT_WHOLE)
    add_bad (examine, checksum, suffix, stored, link.whole && !link.same ? place : NULL);
  if (examine->pins_fd >= 0)
    judge (examine, place, &link, stored);
  return TRUE;
}

static gboolean
is_linkable (const struct stat *st)
{
  return S_ISREG (st->st_mode) && st->st_size > 0 && (st->st_mode & S_IRUSR) != 0;
}

/* A copy in the tree of what is pinned: its owner can read it, whatever the object's mode. */
static gboolean
examine_copy (HfExamine *examine, int dfd, const char *name, const char *place,
              const char *checksum, const HfVerdict *stored, const Link *link, GError **error)
{
  gboolean whole = link->whole;
  mode_t mode = stored->st.st_mode & 07777;
  if (dfd < 0)
    return TRUE;
  if (link->present && S_ISREG (stored->st.st_mode)
      && !hf_verify_file (dfd, name, checksum, HF_SUFFIX_FILE, mode, &whole, error))
    return FALSE;
  if (!link->present)
    hf_examine_add_damage (examine, place, "is missing");
  else if (!whole)
    hf_examine_add_damage (examine, place, "is altered");
  else if (S_ISREG (stored->st.st_mode) && (link->st.st_mode & 07777) != (mode | S_IRUSR))
    hf_examine_add_damage (examine, place, "has another mode than it should");
  return TRUE;
}

/* An object of the tree that is not stored as it should be. */
static gboolean
examine_unstored (HfExamine *examine, const char *place, const char *checksum,
                  const HfVerdict *stored, const Link *link, gboolean visible, GError **error)
{
  HfObjectPath pin;
  HfVerdict again;
  gboolean pinned = FALSE;
  struct stat st;
  hf_object_pin_name (pin, checksum, HF_SUFFIX_FILE);
  gboolean by_pin
      = (examine->pins_fd >= 0 && fstatat (examine->pins_fd, pin, &st, AT_SYMLINK_NOFOLLOW) == 0)
        || (link->present && !link->same && !is_linkable (&link->st));
  if (by_pin && !hf_examine_pin (examine, checksum, HF_SUFFIX_FILE, &again, &pinned, error))
    return FALSE;
  add_bad (examine, checksum, HF_SUFFIX_FILE, stored,
           link->whole && !link->same && !pinned ? place : NULL);
  /* With the pin whole, what the tree's copy should look like can be told when it is stored again. */
  if (visible && (!by_pin || !link->present))
    judge (examine, place, link, stored);
  return TRUE;
}

/**
 * hf_examine_file:
 * @examine: an examination
 * @dfd: a directory of the tree, or -1 if it is not there
 * @name: a name that it should have
 * @place: the same, below the deployment
 * @checksum: what it should be
 *
 * Called from several threads.
 *
 * Returns: %FALSE with @error set if it cannot be told
 */
gboolean
hf_examine_file (HfExamine *examine, int dfd, const char *name, const char *place,
                 const char *checksum, GError **error)
{
  HfVerdict stored;
  HfObjectPath pin;
  Link link;
  gboolean pinned;
  if (!hf_verify_stored (examine->out->verify, checksum, HF_SUFFIX_FILE, &stored, error)
      || !look_at (dfd, name, checksum, HF_SUFFIX_FILE, &stored, &link, error))
    return FALSE;
  if (stored.health != HF_OBJECT_WHOLE)
    return examine_unstored (examine, place, checksum, &stored, &link, dfd >= 0, error);
  if (!is_linkable (&stored.st))
    return hf_examine_pin (examine, checksum, HF_SUFFIX_FILE, &stored, &pinned, error)
           && examine_copy (examine, dfd, name, place, checksum, &stored, &link, error);
  /* A pin besides the link is no more than another link. */
  hf_object_pin_name (pin, checksum, HF_SUFFIX_FILE);
  (void)pthread_mutex_lock (&examine->mutex);
  (void)g_hash_table_remove (examine->strange, pin);
  (void)pthread_mutex_unlock (&examine->mutex);
  if (dfd >= 0)
    judge (examine, place, &link, &stored);
  return TRUE;
}

/**
 * hf_examine_cannot_tell:
 * @examine: an examination that has met metadata which is nowhere whole
 *
 * Remembers that not every object of the commit is met.
 */
void
hf_examine_cannot_tell (HfExamine *examine)
{
  (void)pthread_mutex_lock (&examine->mutex);
  examine->unknown = TRUE;
  (void)pthread_mutex_unlock (&examine->mutex);
}

/**
 * hf_examine_strange_pins:
 * @examine: an examination that is over
 *
 * Notes what pins/ has besides the objects of the commit: links that count and mean nothing.
 */
void
hf_examine_strange_pins (HfExamine *examine)
{
  GHashTableIter iter;
  gpointer name;
  if (examine->unknown)
    return;
  g_hash_table_iter_init (&iter, examine->strange);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    {
      g_autofree char *place = g_strconcat (HF_PINS_DIR "/", (const char *)name, NULL);
      hf_examine_add_damage (examine, place, "does not belong to the image");
    }
}
