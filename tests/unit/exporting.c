/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Deployments that export names, put into service and taken out of it as a command does it.
 */
#include "exporting.h"

#include "core/publish.h"
#include "core/remove.h"

#include <string.h>

/* Puts a deployment into service that exports these names, which stand in @names with spaces between. */
char *
deploy_exporting (HfInstallation *installation, const char *full, char digit, const char *names)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfDeploymentInfo) info = info_of (full, digit, NULL);
  g_autoptr (HfStaging) staging = stage (installation, info);
  g_autofree char *before = active_of (installation, full);
  g_autoptr (GString) manifest = g_string_new (NULL);
  g_auto (GStrv) paths = g_strsplit (names, " ", -1);
  put_dir (staging->dir_fd, HF_EXPORT_DIR, HF_MODE_DIR);
  for (char **path = paths; *path != NULL; path++)
    {
      gboolean icon = g_str_has_prefix (*path, HF_EXPORT_ICONS);
      g_autofree char *whole
          = g_strconcat (icon ? HF_TREE_DIR "/" HF_EXPORT_DIR "/" : HF_EXPORT_DIR "/", *path, NULL);
      g_autofree char *dir = g_path_get_dirname (whole);
      hf_autofd int fd = hf_make_dirs (staging->dir_fd, dir, HF_MODE_DIR, &error);
      g_assert_no_error (error);
      g_autofree char *text = g_strdup_printf ("%c\n", digit);
      put_file (staging->dir_fd, whole, text, 0644);
      g_string_append_printf (manifest, "%s\n", *path);
    }
  put_file (staging->dir_fd, HF_EXPORT_DIR "/" HF_EXPORT_MANIFEST, manifest->str, 0644);
  (void)!hf_publish (staging, info, before, FALSE, &error);
  g_assert_no_error (error);
  return hf_deployment_name (info->commit, staging->name);
}

void
undeploy (HfInstallation *installation, const char *full)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRef) ref = ref_of (full);
  (void)!hf_remove_ref (installation, ref, FALSE, &error);
  g_assert_no_error (error);
}

/* What the name leads to, as anybody follows it: the digit of the deployment, or NULL if it is not there. */
char *
read_name (HfInstallation *installation, const char *path)
{
  struct stat st;
  g_autofree char *whole = g_build_filename (installation->path, HF_EXPORTS_DIR, path, NULL);
  char *text = NULL;
  if (fstatat (AT_FDCWD, whole, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return NULL;
  if (!g_file_get_contents (whole, &text, NULL, NULL))
    return g_strdup ("dangling");
  return g_strchomp (text);
}

void
assert_leads (HfInstallation *installation, const char *path, const char *expected)
{
  g_autofree char *text = read_name (installation, path);
  g_test_message ("%s", path);
  g_assert_cmpstr (text, ==, expected);
}

/* No name at all, and no directory. */
void
assert_empty (HfInstallation *installation)
{
  g_assert_cmpuint (count_names (installation->root_fd, HF_EXPORTS_DIR), ==, 0);
}
