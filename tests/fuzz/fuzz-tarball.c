/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tarballs: the check that all of them must pass before libostree sees them.
 */
#include "base/fd.h"
#include "store/tarball.h"

#include "fuzz.h"

#include <sys/mman.h>

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  hf_autofd int fd = memfd_create ("tarball", MFD_CLOEXEC);
  g_assert_true (fd >= 0 && hf_fd_write_all (fd, data, size));
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_assert_true (hf_tarball_check (path, NULL, &error) == (error == NULL));
  return 0;
}
