/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The file of a root, and its name.
 */
#include "root.h"

#include "base/error.h"
#include "base/language.h"
#include "deployment.h"
#include "layout.h"

#include <limits.h>
#include <string.h>

#define GROUP "Root"

/**
 * hf_root_new:
 * @path: NAMESPACE/NAME
 * @ref: the ref of what it keeps
 * @deployment: the name of what it keeps
 *
 * Returns: (transfer full): a root that stands by itself
 */
HfRoot *
hf_root_new (const char *path, const HfRef *ref, const char *deployment)
{
  HfRoot *root = g_new0 (HfRoot, 1);
  root->path = g_strdup (path);
  root->ref = hf_ref_copy (ref);
  root->deployment = g_strdup (deployment);
  root->time = g_get_real_time () / G_USEC_PER_SEC;
  return root;
}

/**
 * hf_root_free:
 * @root: (nullable) (transfer full): a root
 */
void
hf_root_free (HfRoot *root)
{
  if (root == NULL)
    return;
  hf_ref_free (root->ref);
  g_free (root->path);
  g_free (root->deployment);
  g_free (root->link);
  g_free (root->target);
  g_free (root->filesystem);
  g_free (root->why);
  g_free (root);
}

static gboolean
is_component (const char *text)
{
  gsize length = strlen (text);
  return length > 0 && length <= 200 && (g_ascii_isalnum (text[0]) || text[0] == '_')
         && strspn (text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-.") == length;
}

/**
 * hf_root_path_parse:
 * @text: what a person typed for a root: NAME or NAMESPACE/NAME
 *
 * Returns: (transfer full): NAMESPACE/NAME, or %NULL with %HF_ERROR_USAGE
 */
char *
hf_root_path_parse (const char *text, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", 3);
  guint length = g_strv_length (parts);
  if (length == 1 && is_component (parts[0]))
    return g_strconcat (HF_ROOTS_OWN "/", parts[0], NULL);
  if (length == 2 && is_component (parts[0]) && is_component (parts[1]))
    return g_strdup (text);
  (void)hf_throw (error, HF_ERROR_USAGE,
                  "'%s' cannot name a root: expected NAME or NAMESPACE/NAME, of letters, digits,"
                  " '-', '_' and '.'",
                  text);
  return NULL;
}

static gboolean
is_valid (const HfRoot *root)
{
  return root->ref != NULL && root->deployment != NULL
         && hf_deployment_name_parse (root->deployment, NULL, NULL)
         && (root->link == NULL
             || (g_path_is_absolute (root->link) && strlen (root->link) < PATH_MAX
                 && root->target != NULL));
}

/**
 * hf_root_parse:
 * @path: NAMESPACE/NAME
 * @bytes: the contents of its file
 *
 * Returns: (transfer full): the root, or %NULL with %HF_ERROR_DAMAGED
 */
HfRoot *
hf_root_parse (const char *path, GBytes *bytes, GError **error)
{
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  g_autoptr (GError) failed = NULL;
  if (g_bytes_get_size (bytes) == 0
      || !g_key_file_load_from_bytes (keyfile, bytes, G_KEY_FILE_NONE, &failed))
    {
      (void)hf_throw (error, HF_ERROR_DAMAGED, "it is not a keyfile: %s",
                      failed != NULL ? failed->message : _ ("it is empty"));
      return NULL;
    }
  g_autoptr (HfRoot) root = g_new0 (HfRoot, 1);
  g_autofree char *ref = g_key_file_get_string (keyfile, GROUP, "ref", NULL);
  root->path = g_strdup (path);
  root->ref = ref == NULL ? NULL : hf_ref_parse (ref, NULL);
  root->deployment = g_key_file_get_string (keyfile, GROUP, "keeps", NULL);
  root->time = g_key_file_get_int64 (keyfile, GROUP, "time", NULL);
  root->link = g_key_file_get_string (keyfile, GROUP, "link", NULL);
  root->target = g_key_file_get_string (keyfile, GROUP, "target", NULL);
  root->filesystem = g_key_file_get_string (keyfile, GROUP, "filesystem", NULL);
  if (is_valid (root))
    return g_steal_pointer (&root);
  (void)hf_throw (error, HF_ERROR_DAMAGED,
                  "it lacks a valid ref, the name of a deployment, or a link with its target");
  return NULL;
}

/**
 * hf_root_to_data:
 * @root: a root
 * @out_length: (out): bytes of the result
 *
 * Returns: (transfer full): the contents of its file
 */
char *
hf_root_to_data (const HfRoot *root, gsize *out_length)
{
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  g_key_file_set_string (keyfile, GROUP, "ref", root->ref->full);
  g_key_file_set_string (keyfile, GROUP, "keeps", root->deployment);
  g_key_file_set_int64 (keyfile, GROUP, "time", root->time);
  if (root->link != NULL)
    {
      g_key_file_set_string (keyfile, GROUP, "link", root->link);
      g_key_file_set_string (keyfile, GROUP, "target", root->target);
    }
  if (root->filesystem != NULL)
    g_key_file_set_string (keyfile, GROUP, "filesystem", root->filesystem);
  return g_key_file_to_data (keyfile, out_length, NULL);
}
