/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Running an image.  From the first lease to the last process of the sandbox the locks are always
 * held by something: first by this process, then by the bundle, which bubblewrap takes along, and
 * later besides by the locks that the sandbox's first process takes itself.
 */
#include "launch.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/language.h"
#include "bundle.h"
#include "core/layout.h"
#include "core/lease.h"
#include "relay.h"

#include <errno.h>
#include <unistd.h>

#define METADATA_PATH HF_TREE_DIR "/" HF_METADATA_FILE

/* Each one that fails saw an update, and the end of a runtime. */
#define TRIES 8

/* All that a launch holds until bubblewrap has it. */
typedef struct
{
  HfLease *lease;         /* owned; of what is run */
  HfLease *runtime_lease; /* owned; or NULL */
  HfMetadata *metadata;   /* owned */
  HfImage *image;         /* owned */
  HfImage *runtime;       /* owned; or NULL */
} Parts;

static void
parts_clear (Parts *parts)
{
  g_clear_pointer (&parts->image, hf_image_free);
  g_clear_pointer (&parts->runtime, hf_image_free);
  g_clear_pointer (&parts->metadata, hf_metadata_free);
  g_clear_pointer (&parts->lease, hf_lease_free);
  g_clear_pointer (&parts->runtime_lease, hf_lease_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Parts, parts_clear)

static HfMetadata *
read_metadata (const HfLease *lease, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GBytes) bytes
      = hf_file_read (lease->dir_fd, METADATA_PATH, HF_METADATA_LIMIT, &failure);
  if (bytes != NULL)
    return hf_metadata_parse (bytes, lease->ref, error);
  if (errno == ELOOP)
    (void)hf_throw (error, HF_ERROR_UNSAFE, "%s of the image %s is a symlink", METADATA_PATH,
                    lease->ref->full);
  else
    (void)hf_throw (error, errno == ENOENT ? HF_ERROR_DAMAGED : (HfErrorCode)failure->code,
                    "%s: %s", lease->ref->full, failure->message);
  return NULL;
}

/* Returns FALSE with an error only if there may be one that cannot be had. */
static gboolean
try_runtime (HfInstallation *installation, const HfRef *runtime, HfLease **out, GError **error)
{
  g_autoptr (GError) failure = NULL;
  *out = hf_lease_acquire (installation, runtime, &failure);
  if (*out != NULL || hf_error_is (failure, HF_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

/* In the app's own installation, else in one of the others. */
static HfLease *
acquire_runtime (const HfLaunch *launch, const HfRef *runtime, GError **error)
{
  HfLease *lease;
  if (!try_runtime (launch->installation, runtime, &lease, error) || lease != NULL)
    return lease;
  const GPtrArray *others = launch->others == NULL ? NULL : launch->others (launch->others_data);
  for (guint i = 0; others != NULL && i < others->len; i++)
    if (!try_runtime (others->pdata[i], runtime, &lease, error) || lease != NULL)
      return lease;
  (void)hf_throw (error, HF_ERROR_NOT_FOUND,
                  "%s needs %s, which is not installed: try `holdfast install %s`",
                  launch->ref->full, runtime->full, runtime->full);
  return NULL;
}

static HfImageRole
role_of (const HfRef *ref, const HfMetadata *metadata)
{
  if (!hf_ref_is_app (ref))
    return HF_IMAGE_USR;
  return metadata->runtime != NULL ? HF_IMAGE_APP : HF_IMAGE_ROOT;
}

static gboolean
lease (const HfLaunch *launch, Parts *parts, GError **error)
{
  parts_clear (parts);
  parts->lease = hf_lease_acquire (launch->installation, launch->ref, error);
  if (parts->lease == NULL)
    return FALSE;
  parts->metadata = read_metadata (parts->lease, error);
  if (parts->metadata == NULL)
    return FALSE;
  if (role_of (launch->ref, parts->metadata) != HF_IMAGE_APP)
    return TRUE;
  parts->runtime_lease = acquire_runtime (launch, parts->metadata->runtime, error);
  return parts->runtime_lease != NULL;
}

/* An update may overtake us between the two leases, and nothing in service needs the former runtime then:
 * it may be uninstalled.  What is deployed by now is run in its place.  If that is the same deployment as
 * before, it is its runtime that is missing. */
static gboolean
lease_what_is_deployed (const HfLaunch *launch, Parts *parts, GError **error)
{
  g_autofree char *lacking = NULL;
  for (guint tries = 0;; tries++)
    {
      g_autoptr (GError) failed = NULL;
      if (lease (launch, parts, &failed))
        return TRUE;
      if (parts->lease == NULL || !hf_error_is (failed, HF_ERROR_NOT_FOUND)
          || g_strcmp0 (parts->lease->name, lacking) == 0 || tries + 1 >= TRIES)
        {
          g_propagate_error (error, g_steal_pointer (&failed));
          return FALSE;
        }
      g_free (lacking);
      lacking = g_strdup (parts->lease->name);
    }
}

static gboolean
gather (const HfLaunch *launch, Parts *parts, GError **error)
{
  if (!lease_what_is_deployed (launch, parts, error))
    return FALSE;
  if (parts->runtime_lease != NULL)
    {
      parts->runtime = hf_image_open (parts->runtime_lease, HF_IMAGE_USR, error);
      if (parts->runtime == NULL)
        return FALSE;
    }
  parts->image = hf_image_open (parts->lease, role_of (launch->ref, parts->metadata), error);
  return parts->image != NULL;
}

static const char *
choose_command (const HfLaunch *launch, const Parts *parts, GError **error)
{
  if (launch->command != NULL)
    return launch->command;
  if (parts->metadata->command != NULL)
    return parts->metadata->command;
  if (parts->image->role == HF_IMAGE_USR)
    return faccessat (parts->image->files_fd, "bin/bash", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? "bash"
                                                                                          : "sh";
  (void)hf_throw (error, HF_ERROR_USAGE, "%s names no command to run: give one with --command",
                  launch->ref->full);
  return NULL;
}

static gboolean
start (const HfLaunch *launch, const Parts *parts, int sync_fd, HfRelay *relay, GError **error)
{
  const char *command = choose_command (launch, parts, error);
  if (command == NULL)
    return FALSE;
  g_autoptr (HfHost) host = hf_host_read (launch->ref->id);
  if (host->data == NULL)
    g_printerr (
        _ ("holdfast: ~/.var/app/%s cannot be written: what the app saves is lost at its end\n"),
        launch->ref->id);
  gboolean by_itself = parts->image->role == HF_IMAGE_USR;
  HfSandbox sandbox = { .ref = launch->ref,
                        .metadata = parts->metadata,
                        .app = by_itself ? NULL : parts->image,
                        .runtime = by_itself ? parts->image : parts->runtime,
                        .host = host,
                        .sync_fd = sync_fd };
  g_autoptr (HfBwrapOptions) options = hf_sandbox_options (&sandbox);
  return hf_relay_start (relay, options, command, launch->args, error);
}

/**
 * hf_launch:
 * @launch: what to run
 * @status: (out): the instance's exit status, or 128 + N if signal N ended it
 *
 * Runs an image until its main process ends, passing signals on to it.  What that process leaves
 * running keeps the locks.  What is deployed all the time is never refused, whoever updates it.
 *
 * Locks: takes a shared lock on the `.ref` of the image and of its runtime, without waiting.
 *
 * Returns: %FALSE with @error set if it could not be started: %HF_ERROR_NOT_FOUND if the image or
 * its runtime is not installed, %HF_ERROR_UNSAFE where the image is not as it must be
 */
gboolean
hf_launch (const HfLaunch *launch, int *status, GError **error)
{
  g_auto (Parts) parts = { 0 };
  g_auto (HfRelay) relay = HF_RELAY_INIT;
  int locks[2];
  gsize n_locks = 0;
  hf_autofd int bundle_fd = -1;
  if (!gather (launch, &parts, error))
    return FALSE;
  locks[n_locks++] = parts.lease->lock_fd;
  if (parts.runtime_lease != NULL)
    locks[n_locks++] = parts.runtime_lease->lock_fd;
  if (!hf_bundle_new (locks, n_locks, &bundle_fd, error)
      || !start (launch, &parts, bundle_fd, &relay, error))
    return FALSE;
  /* Without a bundle the locks are ours to hold as long as we stay. */
  if (bundle_fd >= 0)
    parts_clear (&parts);
  hf_fd_clear (&bundle_fd);
  return hf_relay_wait (&relay, status, error);
}
