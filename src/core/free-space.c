/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The arithmetic of min-free and max-free.  Room is wanted from the moment that there is less than the one
 * until there is as much as the other, for bytes and for inodes each by itself.
 */
#include "free-space.h"

#include "base/error.h"
#include "base/language.h"

static void
weigh (HfRoom *room, guint64 free, guint64 all, const HfAmount *least, const HfAmount *goal)
{
  room->free = free;
  room->least = hf_amount_of (least, all);
  room->goal = MAX (hf_amount_of (goal, all), room->least);
  room->wanted = room->least > 0 && room->free < (room->wanted ? room->goal : room->least);
}

/**
 * hf_free_space_weigh:
 * @space: (inout): zeroed at first; then what it was before, as what is wanted depends on that
 * @config: the limits
 * @st: what the file system says; without a number of inodes, as on btrfs, they cannot run out
 *
 * What is kept for root does not count as free: nobody else could use it.
 */
void
hf_free_space_weigh (HfFreeSpace *space, const HfConfig *config, const struct statvfs *st)
{
  const HfAmount none = { 0 };
  gboolean counted = st->f_files > 0;
  weigh (&space->bytes, (guint64)st->f_bavail * st->f_frsize, (guint64)st->f_blocks * st->f_frsize,
         &config->min_free, &config->max_free);
  weigh (&space->inodes, st->f_favail, st->f_files, counted ? &config->min_free_inodes : &none,
         counted ? &config->max_free_inodes : &none);
}

/**
 * hf_free_space_measure:
 * @space: (inout): as for hf_free_space_weigh()
 * @installation: an installation
 * @config: its configuration
 *
 * Returns: %FALSE with @error set if the file system does not tell
 */
gboolean
hf_free_space_measure (HfFreeSpace *space, HfInstallation *installation, const HfConfig *config,
                       GError **error)
{
  struct statvfs st;
  if (fstatvfs (installation->root_fd, &st) != 0)
    return hf_throw_errno (error, "Cannot tell how much is free for %s", installation->path);
  hf_free_space_weigh (space, config, &st);
  return TRUE;
}

/**
 * hf_free_space_is_limited:
 * @config: a configuration
 *
 * Returns: whether it wants anything to be free
 */
gboolean
hf_free_space_is_limited (const HfConfig *config)
{
  return config->min_free.value > 0 || config->min_free_inodes.value > 0;
}

/**
 * hf_free_space_is_wanted:
 * @space: as it was measured
 *
 * Returns: whether something is to be given up
 */
gboolean
hf_free_space_is_wanted (const HfFreeSpace *space)
{
  return space->bytes.wanted || space->inodes.wanted;
}

/**
 * hf_free_space_is_short:
 * @space: as it was measured
 *
 * Returns: whether there is less than the least that is to be free
 */
gboolean
hf_free_space_is_short (const HfFreeSpace *space)
{
  return space->bytes.free < space->bytes.least || space->inodes.free < space->inodes.least;
}

static char *
amount_text (const HfAmount *amount, gboolean bytes)
{
  if (amount->percent)
    return g_strdup_printf ("%" G_GUINT64_FORMAT "%%", amount->value);
  return bytes ? g_format_size (amount->value)
               : g_strdup_printf ("%" G_GUINT64_FORMAT, amount->value);
}

/**
 * hf_free_space_describe:
 * @space: as it was measured; something is wanted
 * @config: the configuration that wants it
 *
 * Returns: (transfer full): what is free and what it is less than, for people
 */
char *
hf_free_space_describe (const HfFreeSpace *space, const HfConfig *config)
{
  gboolean bytes = space->bytes.wanted;
  const HfRoom *room = bytes ? &space->bytes : &space->inodes;
  gboolean least = room->free < room->least;
  const HfAmount *amount = bytes ? (least ? &config->min_free : &config->max_free)
                                 : (least ? &config->min_free_inodes : &config->max_free_inodes);
  const char *key
      = bytes ? (least ? "min-free" : "max-free") : (least ? "min-free-inodes" : "max-free-inodes");
  gulong inodes = (gulong)room->free;
  g_autofree char *free
      = bytes ? g_format_size (room->free)
              : g_strdup_printf (ngettext ("%lu inode", "%lu inodes", inodes), inodes);
  g_autofree char *limit = amount_text (amount, bytes);
  return g_strdup_printf (_ ("%s free, less than %s %s"), free, key, limit);
}
