/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The installation's permanent locks.  Always taken in the order of this enumeration; none is
 * ever upgraded.  What each is for stands in holdfast-locking(7).
 */
#pragma once

#include "installation.h"

typedef enum
{
  HF_LOCK_PRUNE,       /* one pruner at a time */
  HF_LOCK_REPO_IMPORT, /* the repository, shared: objects are being linked */
  HF_LOCK_REPO_PRUNE,  /* the repository, exclusive: objects are being unlinked */
  HF_LOCK_CHANGE,      /* `lock`: short changes of what is published */
} HfLockKind;

typedef struct
{
  int fd;
} HfLock;

#define HF_LOCK_INIT                                                                               \
  {                                                                                                \
    .fd = -1                                                                                       \
  }

gboolean hf_lock_take (HfInstallation *installation, HfLockKind kind, HfLock *out,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_lock_release (HfLock *lock);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (HfLock, hf_lock_release)
