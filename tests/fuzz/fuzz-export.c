/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * .desktop and D-Bus service files of an image, which nobody has vouched for, as they are rewritten for the
 * host: whatever goes in, what comes out starts holdfast, with the application's ID, and nothing else.
 */
#include "core/export-entry.h"

#include "fuzz.h"

#include <string.h>

#define ID      "org.test.App"
#define PROGRAM "/usr/bin/holdfast"

/* What a desktop or D-Bus reads in the line. */
static void
check_line (GKeyFile *keyfile, const char *group)
{
  static const char *const expected[]
      = { PROGRAM, "--user", "run", "--branch=stable", "--arch=x86_64" };
  g_auto (GStrv) words = NULL;
  g_autofree char *line = g_key_file_get_string (keyfile, group, "Exec", NULL);
  g_assert_nonnull (line);
  g_assert_true (g_shell_parse_argv (line, NULL, &words, NULL));
  g_assert_cmpuint (g_strv_length (words), >, G_N_ELEMENTS (expected));
  for (gsize i = 0; i < G_N_ELEMENTS (expected); i++)
    g_assert_cmpstr (words[i], ==, expected[i]);
  gsize next = G_N_ELEMENTS (expected);
  if (g_str_has_prefix (words[next], "--command="))
    next++;
  g_assert_cmpstr (words[next], ==, ID);
}

static void
check (GBytes *bytes)
{
  static const char *const never[]
      = { "TryExec", "DBusActivatable", "Path", "URL", "SystemdService", "User", "Implements[de]" };
  gsize length;
  const char *data = g_bytes_get_data (bytes, &length);
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  g_assert_true (g_utf8_validate_len (data, length, NULL));
  g_assert_null (memchr (data, '\r', length));
  g_assert_true (
      g_key_file_load_from_data (keyfile, data, length, G_KEY_FILE_KEEP_TRANSLATIONS, NULL));
  g_auto (GStrv) groups = g_key_file_get_groups (keyfile, NULL);
  g_assert_nonnull (groups[0]);
  for (char **group = groups; *group != NULL; group++)
    {
      check_line (keyfile, *group);
      for (gsize i = 0; i < G_N_ELEMENTS (never); i++)
        g_assert_false (g_key_file_has_key (keyfile, *group, never[i], NULL));
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (HfRef) ref = hf_ref_new ("app", ID, "x86_64", "stable");
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (GError) error = NULL;
      const HfExportTarget target = { PROGRAM, "--user", ref, i % 2 == 0 ? "app" : NULL };
      g_autoptr (GBytes) made = i < 2 ? hf_export_entry_rewrite (bytes, &target, &error)
                                      : hf_export_service_rewrite (bytes, ID, &target, &error);
      g_assert_true ((made == NULL) == (error != NULL));
      if (made != NULL)
        check (made);
    }
  return 0;
}
