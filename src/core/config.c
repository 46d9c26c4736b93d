/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The file `config`.  It is replaced whole, by a rename under `lock`, and what a person wrote between the
 * keys stays.
 */
#include "config.h"

#include "base/error.h"
#include "base/fd.h"
#include "config-value.h"
#include "layout.h"
#include "lock.h"
#include "ref-glob.h"
#include "settle.h"

#include <errno.h>
#include <string.h>

#define GROUP       "Installation"
#define CONFIG_SIZE (1024 * 1024) /* bytes; far more than anybody writes */

/**
 * hf_config_free:
 * @config: (nullable) (transfer full): a configuration
 */
void
hf_config_free (HfConfig *config)
{
  if (config == NULL)
    return;
  g_strfreev (config->masked);
  g_strfreev (config->pinned);
  g_free (config);
}

static GKeyFile *
keyfile_from_bytes (GBytes *bytes, GError **error)
{
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  g_autoptr (GError) failed = NULL;
  if (g_bytes_get_size (bytes) > 0
      && !g_key_file_load_from_bytes (keyfile, bytes, G_KEY_FILE_KEEP_COMMENTS, &failed))
    {
      (void)hf_throw (error, HF_ERROR_USAGE, "it is not a keyfile: %s", failed->message);
      return NULL;
    }
  return g_steal_pointer (&keyfile);
}

static HfConfig *
config_from_keyfile (GKeyFile *keyfile, GError **error)
{
  g_autoptr (HfConfig) config = hf_config_new_default ();
  g_auto (GStrv) names = g_key_file_get_keys (keyfile, GROUP, NULL, NULL);
  for (char **name = names; name != NULL && *name != NULL; name++)
    {
      g_autoptr (GError) failed = NULL;
      const HfConfigKey *key = hf_config_key_find (*name, error);
      g_autofree char *value = g_key_file_get_string (keyfile, GROUP, *name, &failed);
      if (key == NULL)
        return NULL;
      if (value == NULL)
        {
          (void)hf_throw (error, HF_ERROR_USAGE, "%s: %s", *name, failed->message);
          return NULL;
        }
      if (!hf_config_value_parse (key, value, config, error))
        return NULL;
    }
  return g_steal_pointer (&config);
}

/**
 * hf_config_parse:
 * @bytes: the contents of a configuration
 *
 * Returns: (transfer full): what it says, or %NULL with %HF_ERROR_USAGE if a key is not known or a value
 *   makes no sense
 */
HfConfig *
hf_config_parse (GBytes *bytes, GError **error)
{
  g_autoptr (GKeyFile) keyfile = keyfile_from_bytes (bytes, error);
  return keyfile == NULL ? NULL : config_from_keyfile (keyfile, error);
}

/* No file is an empty one. */
static GBytes *
read_file (HfInstallation *installation, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GBytes) bytes
      = hf_file_read (installation->root_fd, HF_CONFIG_FILE, CONFIG_SIZE, &failed);
  if (bytes != NULL)
    return g_steal_pointer (&bytes);
  if (errno == ENOENT)
    return g_bytes_new (NULL, 0);
  g_propagate_error (error, g_steal_pointer (&failed));
  return NULL;
}

/**
 * hf_config_load:
 * @installation: an installation
 *
 * Locks: none; `config` is replaced whole.
 *
 * Returns: (transfer full): its configuration, or %NULL with %HF_ERROR_USAGE if that makes no sense, or
 *   an errno error
 */
HfConfig *
hf_config_load (HfInstallation *installation, GError **error)
{
  g_autoptr (GBytes) bytes = read_file (installation, error);
  if (bytes == NULL)
    return NULL;
  HfConfig *config = hf_config_parse (bytes, error);
  if (config == NULL)
    g_prefix_error (error, "%s/%s: ", installation->path, HF_CONFIG_FILE);
  return config;
}

static GKeyFile *
load_keyfile (HfInstallation *installation, GError **error)
{
  g_autoptr (GBytes) bytes = read_file (installation, error);
  GKeyFile *keyfile = bytes == NULL ? NULL : keyfile_from_bytes (bytes, error);
  if (keyfile == NULL)
    g_prefix_error (error, "%s/%s: ", installation->path, HF_CONFIG_FILE);
  return keyfile;
}

/**
 * hf_config_get:
 * @installation: an installation
 * @key: a key
 * @out_is_default: (out): whether nothing is configured
 *
 * Returns: (transfer full): its value as text, whether it makes sense or not, or %NULL with
 *   %HF_ERROR_USAGE if there is no such key, or an errno error
 */
char *
hf_config_get (HfInstallation *installation, const char *key, gboolean *out_is_default,
               GError **error)
{
  const HfConfigKey *found = hf_config_key_find (key, error);
  g_autoptr (GKeyFile) keyfile = found == NULL ? NULL : load_keyfile (installation, error);
  if (keyfile == NULL)
    return NULL;
  char *value = g_key_file_get_string (keyfile, GROUP, key, NULL);
  *out_is_default = value == NULL;
  return value != NULL ? value : g_strdup (found->fallback);
}

/* A crash before the rename leaves a file that settling removes, after it the new contents. */
static gboolean
write_keyfile (HfInstallation *installation, GKeyFile *keyfile, GError **error)
{
  gsize length;
  g_autofree char *data = g_key_file_to_data (keyfile, &length, NULL);
  return hf_file_replace (installation->root_fd, HF_CONFIG_FILE_NEW, HF_CONFIG_FILE, data, length,
                          0644, error);
}

/* What is kept may be less now: settling sees to it (DESIGN section 8).  The mark comes first: a crash
 * after the rename would else leave more than is to be kept, which no sweep would look for. */
static gboolean
apply (HfInstallation *installation, GKeyFile *keyfile, GError **error)
{
  gboolean pending;
  return hf_change_begin (installation, &pending, error)
         && write_keyfile (installation, keyfile, error) && hf_settle (installation, error);
}

/**
 * hf_config_set:
 * @installation: an installation
 * @key: a key
 * @value: (nullable): its value, or %NULL for the default
 *
 * Other keys stay as they are, whether they make sense or not, so that a bad one can be set right.
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_USAGE if there is no such key or it cannot have that value, or another
 *   error
 */
gboolean
hf_config_set (HfInstallation *installation, const char *key, const char *value, GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  const HfConfigKey *found = hf_config_key_find (key, error);
  g_autoptr (HfConfig) scratch = hf_config_new_default ();
  if (found == NULL || (value != NULL && !hf_config_value_parse (found, value, scratch, error))
      || !hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return FALSE;
  g_autoptr (GKeyFile) keyfile = load_keyfile (installation, error);
  if (keyfile == NULL)
    return FALSE;
  if (value != NULL)
    g_key_file_set_string (keyfile, GROUP, key, value);
  else
    (void)g_key_file_remove_key (keyfile, GROUP, key, NULL);
  return apply (installation, keyfile, error);
}

static char **
patterns_of (HfConfig *config, const char *key)
{
  return strcmp (key, "masked") == 0 ? config->masked : config->pinned;
}

/* Reads, changes and writes the list under `lock`, so that two of these do not lose one another's. */
static gboolean
change_patterns (HfInstallation *installation, const char *key, const char *pattern, gboolean add,
                 GError **error)
{
  g_auto (HfLock) lock = HF_LOCK_INIT;
  if (!hf_lock_take (installation, HF_LOCK_CHANGE, &lock, error))
    return FALSE;
  g_autoptr (HfConfig) config = hf_config_load (installation, error);
  g_autoptr (GKeyFile) keyfile = config == NULL ? NULL : load_keyfile (installation, error);
  if (keyfile == NULL)
    return FALSE;
  g_autoptr (GPtrArray) patterns = g_ptr_array_new ();
  gboolean found = FALSE;
  for (char **present = patterns_of (config, key); *present != NULL; present++)
    {
      gboolean same = strcmp (*present, pattern) == 0;
      found |= same;
      if (add || !same)
        g_ptr_array_add (patterns, *present);
    }
  if (!add && !found)
    return hf_throw (error, HF_ERROR_NOT_FOUND, "%s is not %s in %s", pattern, key,
                     installation->path);
  if (add && found)
    return TRUE;
  if (add)
    g_ptr_array_add (patterns, (gpointer)pattern);
  g_ptr_array_add (patterns, NULL);
  g_autofree char *value = g_strjoinv (";", (char **)patterns->pdata);
  if (*value != '\0')
    g_key_file_set_string (keyfile, GROUP, key, value);
  else
    (void)g_key_file_remove_key (keyfile, GROUP, key, NULL);
  return apply (installation, keyfile, error);
}

/**
 * hf_config_add_pattern:
 * @installation: an installation
 * @key: "masked" or "pinned"
 * @pattern: what to add to it; once it is there, adding it again changes nothing
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_USAGE if @pattern can match no ref, or another error
 */
gboolean
hf_config_add_pattern (HfInstallation *installation, const char *key, const char *pattern,
                       GError **error)
{
  if (!hf_ref_glob_is_valid (pattern))
    return hf_throw (error, HF_ERROR_USAGE,
                     "'%s' can match no ref: expected an ID or a ref, which may have * and ? in it,"
                     " for example org.example.*//stable",
                     pattern);
  return change_patterns (installation, key, pattern, TRUE, error);
}

/**
 * hf_config_remove_pattern:
 * @installation: an installation
 * @key: "masked" or "pinned"
 * @pattern: what to take out of it
 *
 * Locks: takes `lock`.
 *
 * Returns: %FALSE with %HF_ERROR_NOT_FOUND if it is not there, or another error
 */
gboolean
hf_config_remove_pattern (HfInstallation *installation, const char *key, const char *pattern,
                          GError **error)
{
  return change_patterns (installation, key, pattern, FALSE, error);
}
