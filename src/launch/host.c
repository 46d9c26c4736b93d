/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Facts of the host.  Nothing here can fail a launch: what the host does not have, the sandbox does
 * without.
 */
#include "host.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Name resolution, users and the time zone are the machine's, not the image's. */
static const char *const host_etc[] = { "resolv.conf", "hosts", "host.conf", "gai.conf",
                                        "passwd",      "group", "localtime", "timezone" };

/* Everything else of the caller's environment may carry secrets or name host paths. */
static const char *const passed[]
    = { "TERM", "COLORTERM", "LANG", "LANGUAGE", "TZ", "NO_COLOR", "USER", "LOGNAME" };
#define PASSED_PREFIX "LC_"

static const char *const data_dirs[] = { "data", "config", "cache" };

static char **
read_etc (void)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (host_etc); i++)
    {
      g_autofree char *path = g_strconcat ("/etc/", host_etc[i], NULL);
      struct stat st;
      if (stat (path, &st) == 0 && S_ISREG (st.st_mode))
        g_ptr_array_add (names, g_strdup (host_etc[i]));
    }
  g_ptr_array_add (names, NULL);
  return (char **)g_ptr_array_steal (names, NULL);
}

static char **
read_environment (void)
{
  g_autoptr (GPtrArray) variables = g_ptr_array_new ();
  for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
    {
      const char *equals = strchr (*variable, '=');
      gsize length = equals == NULL ? 0 : (gsize)(equals - *variable);
      gboolean pass = length > 0 && g_str_has_prefix (*variable, PASSED_PREFIX);
      for (gsize i = 0; length > 0 && !pass && i < G_N_ELEMENTS (passed); i++)
        pass = strlen (passed[i]) == length && strncmp (*variable, passed[i], length) == 0;
      if (pass)
        g_ptr_array_add (variables, g_strdup (*variable));
    }
  g_ptr_array_add (variables, NULL);
  return (char **)g_ptr_array_steal (variables, NULL);
}

/* The user may keep any of these elsewhere behind a symlink; only what is below the last one can be
 * changed by the app, and nothing is opened there. */
static int
make_dir (int parent_fd, const char *name)
{
  if (mkdirat (parent_fd, name, 0700) != 0 && errno != EEXIST)
    return -1;
  return openat (parent_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static gboolean
make_data (const char *home, const char *app_id)
{
  hf_autofd int home_fd = open (home, O_PATH | O_DIRECTORY | O_CLOEXEC);
  hf_autofd int var_fd = home_fd < 0 ? -1 : make_dir (home_fd, ".var");
  hf_autofd int app_fd = var_fd < 0 ? -1 : make_dir (var_fd, "app");
  hf_autofd int id_fd = app_fd < 0 ? -1 : make_dir (app_fd, app_id);
  if (id_fd < 0 || faccessat (id_fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (data_dirs); i++)
    if (mkdirat (id_fd, data_dirs[i], 0700) != 0 && errno != EEXIST)
      return FALSE;
  return TRUE;
}

/**
 * hf_host_read:
 * @app_id: the ID of what is to run
 *
 * Creates the directory of its data, ~/.var/app/ID, if it can.
 *
 * Returns: (transfer full): the facts
 */
HfHost *
hf_host_read (const char *app_id)
{
  HfHost *self = g_new0 (HfHost, 1);
  const char *home = g_get_home_dir ();
  self->uid = getuid ();
  self->home = g_canonicalize_filename (home != NULL && *home == '/' ? home : "/", "/");
  if (make_data (self->home, app_id))
    self->data = g_build_filename (self->home, ".var", "app", app_id, NULL);
  self->environment = read_environment ();
  self->etc = read_etc ();
  return self;
}

/**
 * hf_host_free:
 * @host: (nullable) (transfer full): facts
 */
void
hf_host_free (HfHost *host)
{
  if (host == NULL)
    return;
  g_free (host->home);
  g_free (host->data);
  g_strfreev (host->environment);
  g_strfreev (host->etc);
  g_free (host);
}
