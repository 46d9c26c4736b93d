/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `deployment`, the record of a deployment.  holdfast writes it, but a power cut or a hand may leave
 * anything there.  What is read can be written, and is then the same.
 */
#include "base/fd.h"
#include "core/deployment.h"
#include "core/layout.h"

#include "fuzz.h"

#include <stdlib.h>
#include <unistd.h>

static int scratch_fd = -1;
static char scratch[] = "/dev/shm/holdfast-fuzz.XXXXXX";

static void
remove_scratch (void)
{
  (void)unlinkat (scratch_fd, HF_DEPLOYMENT_FILE, 0);
  (void)rmdir (scratch);
}

static void
check (const HfDeploymentInfo *info)
{
  g_assert_nonnull (info->ref);
  g_assert_true (hf_commit_is_valid (info->commit));
  g_assert_cmpint (unlinkat (scratch_fd, HF_DEPLOYMENT_FILE, 0), ==, 0);
  g_autoptr (GError) error = NULL;
  (void)!hf_deployment_write (scratch_fd, info, &error);
  g_assert_no_error (error);
  g_autoptr (HfDeploymentInfo) again = hf_deployment_read (scratch_fd, &error);
  g_assert_no_error (error);
  g_assert_cmpint (hf_ref_compare (info->ref, again->ref), ==, 0);
  g_assert_cmpstr (info->commit, ==, again->commit);
  g_assert_cmpstr (info->origin, ==, again->origin);
  g_assert_cmpstr (info->runtime, ==, again->runtime);
  g_assert_cmpuint (info->installed_size, ==, again->installed_size);
  g_assert_cmpint (info->time, ==, again->time);
  g_assert_cmpint (info->copies, ==, again->copies);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (scratch_fd < 0)
    {
      g_assert_nonnull (mkdtemp (scratch));
      scratch_fd = open (scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      g_assert_cmpint (atexit (remove_scratch), ==, 0);
    }
  (void)unlinkat (scratch_fd, HF_DEPLOYMENT_FILE, 0);
  hf_autofd int fd
      = openat (scratch_fd, HF_DEPLOYMENT_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  g_assert_true (fd >= 0 && hf_fd_write_all (fd, data, size));
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeploymentInfo) info = hf_deployment_read (scratch_fd, &error);
  g_assert_true ((info == NULL) == (error != NULL));
  if (info != NULL)
    check (info);
  return 0;
}
