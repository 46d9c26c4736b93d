/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Roots, which other programs may write, and what people type for the name of one.  What is read can be
 * written, and is then the same.
 */
#include "core/deployment.h"
#include "core/root.h"

#include "fuzz.h"

#include <string.h>

static void
check_path (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *)data, size);
  g_autofree char *path = hf_root_path_parse (text, NULL);
  if (path == NULL)
    return;
  const char *slash = strchr (path, '/');
  g_assert_true (slash != NULL && slash != path && slash[1] != '\0' && slash[1] != '.');
  g_assert_true (path[0] != '.' && strchr (slash + 1, '/') == NULL);
}

static void
check (const HfRoot *root)
{
  gsize length;
  g_assert_true (hf_deployment_name_parse (root->deployment, NULL, NULL));
  g_assert_true (root->link == NULL || (root->link[0] == '/' && root->target != NULL));
  g_autofree char *text = hf_root_to_data (root, &length);
  g_autoptr (GBytes) bytes = g_bytes_new_static (text, length);
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRoot) again = hf_root_parse (root->path, bytes, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (root->ref->full, ==, again->ref->full);
  g_assert_cmpstr (root->deployment, ==, again->deployment);
  g_assert_cmpstr (root->link, ==, again->link);
  g_assert_cmpint (root->time, ==, again->time);
  if (root->link != NULL)
    g_assert_cmpstr (root->target, ==, again->target);
  g_assert_cmpstr (root->filesystem, ==, again->filesystem);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRoot) root = hf_root_parse ("local/fuzz", bytes, &error);
  g_assert_true ((root == NULL) == (error != NULL));
  if (root != NULL)
    check (root);
  check_path (data, size);
  return 0;
}
