/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A deployment being built.  It needs no clean-up of its own: once its lock is gone, with its
 * builder or before, a sweep deletes whatever is there.
 */
#include "staging.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/ofd-lock.h"
#include "deployment.h"
#include "layout.h"
#include "lock.h"

#include <errno.h>

/**
 * hf_staging_free:
 * @self: (nullable) (transfer full): an entry
 *
 * Gives its lock up.  An entry that was not published by now is a sweeper's.
 */
void
hf_staging_free (HfStaging *self)
{
  if (self == NULL)
    return;
  hf_staging_unlock (self);
  hf_fd_clear (&self->dir_fd);
  g_free (self->name);
  g_free (self);
}

/**
 * hf_staging_unlock:
 * @self: an entry
 *
 * Gives its lock up, so that it can be swept.
 */
void
hf_staging_unlock (HfStaging *self)
{
  if (self->lock_fd < 0)
    return;
  hf_ofd_unlock (self->lock_fd);
  hf_fd_clear (&self->lock_fd);
}

/* Under `lock`: a sweeper looks at staging/ under it too.  A crash before `.ref` exists leaves an
 * empty directory, which a sweep removes by rmdir alone. */
static gboolean
make_entry (HfStaging *self, GError **error)
{
  HfInstallation *installation = self->installation;
  if (!hf_mkdir (installation->staging_fd, self->name, HF_MODE_DIR, error))
    return FALSE;
  self->dir_fd = hf_open_beneath (installation->staging_fd, self->name, O_RDONLY | O_DIRECTORY, 0);
  if (self->dir_fd < 0)
    return hf_throw_errno (error, "Cannot open %s/%s", HF_STAGING_DIR, self->name);
  self->lock_fd
      = hf_open_beneath (self->dir_fd, HF_REF_FILE, O_RDWR | O_CREAT | O_EXCL, HF_MODE_REF);
  if (self->lock_fd < 0 || fchmod (self->lock_fd, HF_MODE_REF) != 0
      || !hf_ofd_lock (self->lock_fd, HF_OFD_SHARED, HF_OFD_TRY))
    return hf_throw_errno (error, "Cannot create %s/%s/%s", HF_STAGING_DIR, self->name,
                           HF_REF_FILE);
  return TRUE;
}

/**
 * hf_staging_create:
 * @installation: an installation; it outlives the entry
 *
 * Locks: takes `lock`.
 *
 * Returns: (transfer full): a new entry, locked, or %NULL with @error set
 */
HfStaging *
hf_staging_create (HfInstallation *installation, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return NULL;
  g_autoptr (HfStaging) self = g_new0 (HfStaging, 1);
  self->installation = installation;
  self->name = hf_serial_new ();
  self->dir_fd = self->lock_fd = -1;
  if (make_entry (self, error))
    return g_steal_pointer (&self);
  /* No lock is had, so nobody but a sweeper will clean up; it may take a while, so try now. */
  g_autofree char *ref = g_strconcat (self->name, "/" HF_REF_FILE, NULL);
  (void)unlinkat (installation->staging_fd, ref, 0);
  (void)unlinkat (installation->staging_fd, self->name, AT_REMOVEDIR);
  return NULL;
}
