/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The `metadata` keyfile of an image, in flatpak's format.  Whoever made the image wrote it, so an
 * error never repeats its bytes unescaped, and a value that cannot be right refuses the image: a
 * guess would run something other than what its maker meant.
 */
#include "metadata.h"

#include "base/error.h"
#include "base/language.h"

#include <string.h>

#define QUOTED_LIMIT 80 /* characters of a bad value that an error repeats */

static gboolean
refuse (const HfRef *ref, const char *message, GError **error)
{
  g_autofree char *text = hf_text_about (message, ref->full);
  return hf_throw (error, HF_ERROR_UNSAFE, "%s", text);
}

/* %FALSE only for a malformed value; an absent or empty one is %NULL. */
static gboolean
read_string (GKeyFile *keyfile, const char *group, const char *key, char **out)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *value = g_key_file_get_string (keyfile, group, key, &failure);
  if (failure != NULL) /* GLib may return the part before a bad escape as well */
    return g_error_matches (failure, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND)
           || g_error_matches (failure, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND);
  if (*value != '\0')
    *out = g_steal_pointer (&value);
  return TRUE;
}

static gboolean
read_runtime (HfMetadata *self, GKeyFile *keyfile, const HfRef *ref, GError **error)
{
  g_autofree char *value = NULL;
  if (!read_string (keyfile, "Application", "runtime", &value))
    return refuse (ref, N_ ("The metadata of %s has a malformed runtime"), error);
  if (value == NULL)
    return TRUE;
  g_autofree char *full = g_strconcat ("runtime/", value, NULL);
  self->runtime = hf_ref_parse (full, NULL);
  if (self->runtime != NULL)
    return TRUE;
  g_autofree char *quoted = g_strescape (value, NULL);
  return hf_throw (error, HF_ERROR_UNSAFE,
                   "The metadata of %s names the runtime \"%.*s\", which is not ID/ARCH/BRANCH",
                   ref->full, QUOTED_LIMIT, quoted);
}

static gboolean
has_control_character (const char *text)
{
  for (const char *at = text; *at != '\0'; at++)
    if (g_ascii_iscntrl (*at))
      return TRUE;
  return FALSE;
}

static gboolean
read_command (HfMetadata *self, GKeyFile *keyfile, const char *group, const HfRef *ref,
              GError **error)
{
  if (!read_string (keyfile, group, "command", &self->command)
      || (self->command != NULL && has_control_character (self->command)))
    return refuse (ref, N_ ("The metadata of %s has a malformed command"), error);
  return TRUE;
}

static gboolean
read_shared (HfMetadata *self, GKeyFile *keyfile, const HfRef *ref, GError **error)
{
  g_autofree char *raw = NULL;
  if (!read_string (keyfile, "Context", "shared", &raw))
    return refuse (ref, N_ ("The metadata of %s has a malformed [Context] shared"), error);
  if (raw == NULL)
    return TRUE;
  g_auto (GStrv) entries = g_strsplit (raw, ";", -1);
  /* What is not known here is not shared: the sandbox only ever gets tighter. */
  for (char **entry = entries; *entry != NULL; entry++)
    {
      gboolean share = **entry != '!';
      const char *name = share ? *entry : *entry + 1;
      if (strcmp (name, "network") == 0)
        self->share_network = share;
      else if (strcmp (name, "ipc") == 0)
        self->share_ipc = share;
    }
  return TRUE;
}

static gboolean
read_environment (HfMetadata *self, GKeyFile *keyfile, const HfRef *ref, GError **error)
{
  g_auto (GStrv) names = g_key_file_get_keys (keyfile, "Environment", NULL, NULL);
  g_autoptr (GPtrArray) variables = g_ptr_array_new_with_free_func (g_free);
  for (char **name = names; name != NULL && *name != NULL; name++)
    {
      g_autofree char *value = NULL;
      if (**name == '\0' || strchr (*name, '=') != NULL || has_control_character (*name)
          || !read_string (keyfile, "Environment", *name, &value))
        return refuse (ref, N_ ("The metadata of %s has a malformed [Environment]"), error);
      g_ptr_array_add (variables, g_strconcat (*name, "=", value != NULL ? value : "", NULL));
    }
  g_ptr_array_add (variables, NULL);
  self->environment = (char **)g_ptr_array_steal (variables, NULL);
  return TRUE;
}

/**
 * hf_metadata_parse:
 * @bytes: the contents of the file
 * @ref: the image's ref: its kind decides which group there must be
 *
 * See flatpak-metadata(5).  Groups and keys that holdfast does not know are ignored.
 *
 * Returns: (transfer full): what it says, or %NULL with %HF_ERROR_UNSAFE
 */
HfMetadata *
hf_metadata_parse (GBytes *bytes, const HfRef *ref, GError **error)
{
  gsize length = 0;
  const char *data = g_bytes_get_data (bytes, &length);
  if (length == 0 || length > HF_METADATA_LIMIT || !g_utf8_validate (data, (gssize)length, NULL))
    {
      (void)refuse (ref,
                    length == 0 ? N_ ("The metadata of %s is empty")
                                : N_ ("The metadata of %s is too large or not UTF-8 text"),
                    error);
      return NULL;
    }
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  if (!g_key_file_load_from_data (keyfile, data, length, G_KEY_FILE_NONE, NULL))
    {
      (void)refuse (ref, N_ ("The metadata of %s is not a keyfile"), error);
      return NULL;
    }
  const char *group = hf_ref_is_app (ref) ? "Application" : "Runtime";
  if (!g_key_file_has_group (keyfile, group))
    {
      (void)hf_throw (error, HF_ERROR_UNSAFE, "The metadata of %s has no [%s] group", ref->full,
                      group);
      return NULL;
    }
  g_autoptr (HfMetadata) self = g_new0 (HfMetadata, 1);
  if ((hf_ref_is_app (ref) && !read_runtime (self, keyfile, ref, error))
      || !read_command (self, keyfile, group, ref, error)
      || !read_shared (self, keyfile, ref, error) || !read_environment (self, keyfile, ref, error))
    return NULL;
  return g_steal_pointer (&self);
}

/**
 * hf_metadata_free:
 * @metadata: (nullable) (transfer full): what hf_metadata_parse() returned
 */
void
hf_metadata_free (HfMetadata *metadata)
{
  if (metadata == NULL)
    return;
  hf_ref_free (metadata->runtime);
  g_free (metadata->command);
  g_strfreev (metadata->environment);
  g_free (metadata);
}
