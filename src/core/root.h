/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A root: one file, roots.d/NAMESPACE/NAME, that keeps one deployment.  Programs may write their own into
 * a namespace of theirs; holdfast-format(5) says how.
 */
#pragma once

#include "ref.h"

#include <sys/stat.h>

typedef enum
{
  HF_ROOT_HOLDS,
  HF_ROOT_ENDED,      /* its link has gone, or leads elsewhere */
  HF_ROOT_UNREADABLE, /* its link cannot be looked at: it holds, and `why` says what is wrong */
} HfRootStanding;

typedef struct
{
  char *path;       /* owned; NAMESPACE/NAME */
  HfRef *ref;       /* owned */
  char *deployment; /* owned; COMMIT.SERIAL */
  gint64 time;      /* of its making, seconds since 1970 */
  char *link; /* owned; the absolute path of the symlink that it stands and falls with, or %NULL */
  char *target;     /* owned; what that symlink says; with @link */
  char *filesystem; /* owned; where that symlink was made, or %NULL if it may go with a reboot */
  ino_t inode; /* of its file; by this and the next a file made anew is told from a former one */
  struct timespec changed;
  HfRootStanding standing;
  char *why; /* owned; or %NULL */
} HfRoot;

HfRoot *hf_root_new (const char *path, const HfRef *ref, const char *deployment);
void hf_root_free (HfRoot *root);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfRoot, hf_root_free)

HfRoot *hf_root_parse (const char *path, GBytes *bytes, GError **error);
char *hf_root_to_data (const HfRoot *root, gsize *out_length);
char *hf_root_path_parse (const char *text, GError **error);
