/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One deployment's own directory.  The state is a file mode because a mode can be changed on a full
 * disk, and because one fsync of one inode makes it durable.
 */
#include "deployment.h"

#include "base/error.h"
#include "base/fd.h"
#include "layout.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define GROUP           "Deployment"
#define DEPLOYMENT_SIZE (64 * 1024) /* bytes; far more than we ever write */

/**
 * hf_deployment_info_free:
 * @info: (nullable) (transfer full): what a `deployment` file says
 */
void
hf_deployment_info_free (HfDeploymentInfo *info)
{
  if (info == NULL)
    return;
  hf_ref_free (info->ref);
  g_free (info->commit);
  g_free (info->origin);
  g_free (info->runtime);
  g_free (info);
}

/**
 * hf_state_in_service:
 * @state: a state
 *
 * Returns: whether a deployment of this state, where it lies in deploy/, may be run
 */
gboolean
hf_state_in_service (HfDeploymentState state)
{
  return state == HF_STATE_COMPLETE || state == HF_STATE_SETTLED;
}

/**
 * hf_deployment_get_state:
 * @dfd: a deployment's directory
 * @out: (out): its state
 *
 * Returns: %FALSE with @error set: %HF_ERROR_DAMAGED if `deployment` is not a file of ours, or an
 *   errno error
 */
gboolean
hf_deployment_get_state (int dfd, HfDeploymentState *out, GError **error)
{
  struct stat st;
  if (fstatat (dfd, HF_DEPLOYMENT_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
    {
      *out = HF_STATE_ABSENT;
      return errno == ENOENT || hf_throw_errno (error, "Cannot look at %s", HF_DEPLOYMENT_FILE);
    }
  HfDeploymentState state = (HfDeploymentState)(st.st_mode & 07777);
  if (!S_ISREG (st.st_mode)
      || (!hf_state_in_service (state) && state != HF_STATE_RETIRED && state != HF_STATE_DELETING
          && state != HF_STATE_PRUNED))
    return hf_throw (error, HF_ERROR_DAMAGED, "its %s has mode %04o, which means nothing",
                     HF_DEPLOYMENT_FILE, st.st_mode & 07777);
  *out = state;
  return TRUE;
}

/**
 * hf_deployment_set_state:
 * @dfd: a deployment's directory, with a `deployment` file
 * @state: its new state, lower than the present one
 *
 * Durable when this returns, on a full disk too.
 *
 * Locks: its `.ref` exclusively, or `lock`.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_deployment_set_state (int dfd, HfDeploymentState state, GError **error)
{
  hf_autofd int fd = hf_open_beneath (dfd, HF_DEPLOYMENT_FILE, O_RDONLY | O_NONBLOCK, 0);
  if (fd < 0 || fchmod (fd, (mode_t)state) != 0)
    return hf_throw_errno (error, "Cannot set the mode of %s", HF_DEPLOYMENT_FILE);
  return hf_fd_sync (fd, error);
}

static HfDeploymentInfo *
info_from_keyfile (GKeyFile *keyfile, GError **error)
{
  g_autoptr (HfDeploymentInfo) info = g_new0 (HfDeploymentInfo, 1);
  g_autofree char *ref = g_key_file_get_string (keyfile, GROUP, "ref", NULL);
  info->commit = g_key_file_get_string (keyfile, GROUP, "commit", NULL);
  info->origin = g_key_file_get_string (keyfile, GROUP, "origin", NULL);
  info->runtime = g_key_file_get_string (keyfile, GROUP, "runtime", NULL);
  info->installed_size = g_key_file_get_uint64 (keyfile, GROUP, "installed-size", NULL);
  info->time = g_key_file_get_int64 (keyfile, GROUP, "time", NULL);
  info->copies = g_key_file_get_boolean (keyfile, GROUP, "copies", NULL);
  info->ref = ref == NULL ? NULL : hf_ref_parse (ref, NULL);
  if (info->ref == NULL || info->commit == NULL || !hf_commit_is_valid (info->commit)
      || info->origin == NULL)
    {
      (void)hf_throw (error, HF_ERROR_DAMAGED, "its %s lacks a valid ref, commit or origin",
                      HF_DEPLOYMENT_FILE);
      return NULL;
    }
  return g_steal_pointer (&info);
}

/**
 * hf_deployment_read:
 * @dfd: a deployment's directory
 *
 * Returns: (transfer full): what its `deployment` file says, or %NULL with %HF_ERROR_NOT_FOUND if
 * it has none, %HF_ERROR_DAMAGED if it makes no sense, or an errno error
 */
HfDeploymentInfo *
hf_deployment_read (int dfd, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GBytes) bytes = hf_file_read (dfd, HF_DEPLOYMENT_FILE, DEPLOYMENT_SIZE, &failed);
  if (bytes == NULL)
    {
      int code = errno == ENOENT ? HF_ERROR_NOT_FOUND : failed->code;
      g_set_error_literal (error, HF_ERROR, code == HF_ERROR_UNSAFE ? HF_ERROR_DAMAGED : code,
                           failed->message);
      return NULL;
    }
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  if (!g_key_file_load_from_bytes (keyfile, bytes, G_KEY_FILE_NONE, &failed))
    {
      (void)hf_throw (error, HF_ERROR_DAMAGED, "its %s is not a keyfile: %s", HF_DEPLOYMENT_FILE,
                      failed->message);
      return NULL;
    }
  return info_from_keyfile (keyfile, error);
}

/**
 * hf_deployment_write:
 * @dfd: the directory of a deployment being built, everything else in it complete and on disk
 * @info: what to record
 *
 * Makes the deployment %HF_STATE_COMPLETE.  The file appears whole, by a rename: a crash before it
 * leaves %HF_STATE_ABSENT, which a sweep deletes.
 *
 * Locks: its `.ref` shared.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_deployment_write (int dfd, const HfDeploymentInfo *info, GError **error)
{
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  g_key_file_set_string (keyfile, GROUP, "ref", info->ref->full);
  g_key_file_set_string (keyfile, GROUP, "commit", info->commit);
  g_key_file_set_string (keyfile, GROUP, "origin", info->origin);
  if (info->runtime != NULL)
    g_key_file_set_string (keyfile, GROUP, "runtime", info->runtime);
  g_key_file_set_uint64 (keyfile, GROUP, "installed-size", info->installed_size);
  g_key_file_set_int64 (keyfile, GROUP, "time", info->time);
  if (info->copies)
    g_key_file_set_boolean (keyfile, GROUP, "copies", TRUE);
  gsize length;
  g_autofree char *data = g_key_file_to_data (keyfile, &length, NULL);
  return hf_file_replace (dfd, HF_DEPLOYMENT_FILE_NEW, HF_DEPLOYMENT_FILE, data, length,
                          HF_STATE_COMPLETE, error);
}

/**
 * hf_serial_new:
 *
 * Returns: (transfer full): a serial that no deployment had before: microseconds since 1970 and 32
 *   random bits, in hexadecimal digits
 */
char *
hf_serial_new (void)
{
  guint32 random = 0;
  /* Not GLib's generator: two children forked from one process would share its state. */
  (void)!getrandom (&random, sizeof random, 0);
  return g_strdup_printf ("%016" G_GINT64_MODIFIER "x%08x", (guint64)g_get_real_time (), random);
}

/**
 * hf_deployment_name:
 * @commit: a commit's checksum
 * @serial: from hf_serial_new()
 *
 * Returns: (transfer full): the name of a deployment's directory, COMMIT.SERIAL
 */
char *
hf_deployment_name (const char *commit, const char *serial)
{
  return g_strconcat (commit, ".", serial, NULL);
}

/**
 * hf_deployment_name_parse:
 * @name: any text
 * @commit: (out) (optional) (transfer full): its commit
 * @serial: (out) (optional) (transfer full): its serial
 *
 * Returns: whether @name is a deployment's
 */
gboolean
hf_deployment_name_parse (const char *name, char **commit, char **serial)
{
  const char *dot = strchr (name, '.');
  if (dot == NULL || dot[1] == '\0' || strspn (dot + 1, "0123456789abcdef") != strlen (dot + 1))
    return FALSE;
  g_autofree char *checksum = g_strndup (name, (gsize)(dot - name));
  if (!hf_commit_is_valid (checksum))
    return FALSE;
  if (commit != NULL)
    *commit = g_steal_pointer (&checksum);
  if (serial != NULL)
    *serial = g_strdup (dot + 1);
  return TRUE;
}

/**
 * hf_deployment_name_is_meant:
 * @name: a deployment's name
 * @text: what a person typed for it: its commit, four or more of that one's first digits, or its serial
 *
 * Returns: whether @text means it
 */
gboolean
hf_deployment_name_is_meant (const char *name, const char *text)
{
  g_autofree char *serial = NULL;
  return hf_deployment_name_parse (name, NULL, &serial)
         && (strcmp (serial, text) == 0 || (strlen (text) >= 4 && g_str_has_prefix (name, text)));
}

/**
 * hf_removed_name:
 * @deployment_name: a deployment's name
 *
 * Returns: (transfer full): its name in removed/, if removed now: TIME.COMMIT.SERIAL, with seconds
 *   since 1970, so that names sort by age
 */
char *
hf_removed_name (const char *deployment_name)
{
  return g_strdup_printf ("%012" G_GINT64_FORMAT ".%s", g_get_real_time () / G_USEC_PER_SEC,
                          deployment_name);
}

/**
 * hf_removed_name_deployment:
 * @removed_name: a name in removed/
 *
 * Returns: (transfer none) (nullable): the name that the deployment had in deploy/, a part of
 *   @removed_name, or %NULL if it is none of ours
 */
const char *
hf_removed_name_deployment (const char *removed_name)
{
  const char *dot = strchr (removed_name, '.');
  gsize digits = strspn (removed_name, "0123456789");
  if (dot == NULL || digits == 0 || removed_name + digits != dot
      || !hf_deployment_name_parse (dot + 1, NULL, NULL))
    return NULL;
  return dot + 1;
}

/**
 * hf_removed_name_time:
 * @removed_name: a name in removed/
 *
 * Returns: when it was taken out of service, in seconds since 1970, or -1 if it is no name of ours
 */
gint64
hf_removed_name_time (const char *removed_name)
{
  return hf_removed_name_deployment (removed_name) == NULL
             ? -1
             : g_ascii_strtoll (removed_name, NULL, 10);
}
