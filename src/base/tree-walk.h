/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Looking at every name in a directory tree that nothing vouches for, in the order in which it would be
 * deleted, without changing anything.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct HfTreeWalk HfTreeWalk;

/* Called with each name, those in a directory before its own.  @inode may be wrong for what something is
 * mounted on.  Returns whether to go on. */
typedef gboolean (*HfTreeVisit) (const HfTreeWalk *walk, int dfd, const char *name, ino_t inode,
                                 gpointer data);

gboolean hf_tree_walk (int dfd, const char *name, HfTreeVisit visit, gpointer data,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
char *hf_tree_walk_path (const HfTreeWalk *walk, const char *name);
