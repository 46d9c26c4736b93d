/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Open-file-description record locks on whole files, fcntl(2) F_OFD_SETLK and F_OFD_SETLKW.  The
 * only kind of record lock that holdfast takes: an F_SETLK lock goes with any close(2) of the file.
 */
#pragma once

#include <glib.h>

typedef enum
{
  HF_OFD_SHARED,
  HF_OFD_EXCLUSIVE,
} HfOfdMode;

typedef enum
{
  HF_OFD_TRY,
  HF_OFD_WAIT,
} HfOfdWait;

gboolean hf_ofd_lock (int fd, HfOfdMode mode, HfOfdWait wait) G_GNUC_WARN_UNUSED_RESULT;
void hf_ofd_unlock (int fd);
gboolean hf_ofd_held_exclusively (int fd);
gboolean hf_ofd_is_locked (int fd);
gboolean hf_ofd_refused (int errsv);
