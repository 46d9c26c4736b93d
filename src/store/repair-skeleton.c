/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What every installation has at its root: without some of it no command can do anything, so it is
 * looked at before the installation is opened.
 */
#include "repair-private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "core/layout.h"
#include "core/openers.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* These bits mean something by themselves: see core/layout.h. */
#define MARKS (HF_MODE_UNSETTLED | HF_MODE_COPIES)

G_STATIC_ASSERT (HF_MODE_UNSETTLED == HF_MODE_COPIES);

/* Who holds a lock file that somebody has deleted goes on believing that he is alone.  Only the owner
 * and root can have it open; of root's processes the owner may not be told. */
static char *
find_holder (int root_fd, const char *name)
{
  char link[64];
  (void)g_snprintf (link, sizeof link, "/proc/self/fd/%d", root_fd);
  g_autofree char *root = hf_link_read (AT_FDCWD, link);
  if (root == NULL)
    return NULL;
  g_autofree char *deleted = g_strconcat (root, "/", name, " (deleted)", NULL);
  g_autoptr (HfOpeners) openers = hf_openers_find (deleted);
  if (openers->pids->len == 0)
    return NULL;
  return g_strdup_printf (_ ("PID %d has the former one open: let it end and repair again"),
                          (int)g_array_index (openers->pids, gint64, 0));
}

static gboolean
make_part (int root_fd, const HfInstallationPart *part, GError **error)
{
  if (part->directory)
    return hf_mkdir (root_fd, part->name, part->mode, error) && hf_dir_sync (root_fd, ".", error);
  /* Two repairs at once make it once. */
  hf_autofd int fd = hf_open_beneath (root_fd, part->name, O_RDWR | O_CREAT, part->mode);
  return fd >= 0 || hf_throw_errno (error, "Cannot create %s", part->name);
}

static void
mend_missing (HfRepair *repair, int root_fd, const HfInstallationPart *part)
{
  g_autofree char *holder = part->directory ? NULL : find_holder (root_fd, part->name);
  if (holder != NULL)
    {
      (void)hf_repair_find_left (repair, part->name, N_ ("is missing"), holder);
      return;
    }
  HfFinding *finding = hf_repair_find (repair, part->name, N_ ("is missing"), N_ ("is made anew"));
  if (repair->options.dry_run)
    return;
  g_autoptr (GError) failed = NULL;
  (void)!make_part (root_fd, part, &failed);
  hf_finding_settle (finding, failed);
}

/* Returns whether the part is there, now. */
static gboolean
look_at_part (HfRepair *repair, int root_fd, const HfInstallationPart *part)
{
  struct stat st;
  if (fstatat (root_fd, part->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    {
      mend_missing (repair, root_fd, part);
      return fstatat (root_fd, part->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    }
  if (part->directory ? !S_ISDIR (st.st_mode) : !S_ISREG (st.st_mode))
    {
      (void)hf_repair_find_left (
          repair, part->name, part->directory ? N_ ("is no directory") : N_ ("is no regular file"),
          N_ ("move it away and repair again"));
      return FALSE;
    }
  mode_t marks = part->directory ? st.st_mode & MARKS : 0;
  hf_repair_mode (repair, root_fd, part->name, part->name, part->mode | marks);
  return TRUE;
}

/* Somebody's own directory is not taken for an installation because of one name in it. */
static gboolean
looks_like_ours (int root_fd)
{
  static const char *const names[]
      = { HF_DEPLOY_DIR, HF_REMOVED_DIR, HF_REPO_DIR "/" HF_REPO_LOCK };
  struct stat st;
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (fstatat (root_fd, names[i], &st, AT_SYMLINK_NOFOLLOW) != 0)
      return FALSE;
  return TRUE;
}

static gboolean
look_at_format (HfRepair *repair, int root_fd, const char *path, gboolean *all, GError **error)
{
  struct stat st;
  if (fstatat (root_fd, HF_FORMAT_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return TRUE;
  if (!looks_like_ours (root_fd))
    return hf_throw (error, HF_ERROR_NOT_FOUND, "There is no installation at %s", path);
  HfFinding *finding
      = hf_repair_find (repair, HF_FORMAT_FILE, N_ ("is missing"), N_ ("is written again"));
  *all = !repair->options.dry_run;
  if (repair->options.dry_run)
    return TRUE;
  g_autoptr (GError) failed = NULL;
  g_autoptr (HfInstallation) created = hf_installation_open (path, HF_OPEN_OR_CREATE, &failed);
  hf_finding_settle (finding, failed);
  return TRUE;
}

/**
 * hf_repair_skeleton:
 * @repair: a repair
 * @path: of an installation
 *
 * Locks: none, as they may be what is missing.  All that is made anew is empty.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if there is nothing like an installation, with
 *   %HF_ERROR_DAMAGED if it cannot be opened as it is, or with another error
 */
gboolean
hf_repair_skeleton (HfRepair *repair, const char *path, GError **error)
{
  hf_autofd int root_fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root_fd < 0 && errno == ENOENT)
    return hf_throw (error, HF_ERROR_NOT_FOUND, "There is no installation at %s", path);
  if (root_fd < 0)
    return hf_throw_errno (error, "Cannot open %s", path);
  gsize n;
  gboolean all = TRUE;
  if (!look_at_format (repair, root_fd, path, &all, error))
    return FALSE;
  const HfInstallationPart *parts = hf_installation_parts (&n);
  for (gsize i = 0; i < n; i++)
    all &= look_at_part (repair, root_fd, &parts[i]);
  return all
         || hf_throw (error, HF_ERROR_DAMAGED,
                      "%s is damaged: it lacks what no command can do without, and the rest is"
                      " looked at when that is there",
                      path);
}
