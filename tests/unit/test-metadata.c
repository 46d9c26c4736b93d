/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An image's metadata: what is read from it, and that nothing malformed gets through.
 */
#include "core/metadata.h"

#include "base/error.h"

#include <string.h>

#define APP     "app/org.example.Hello/x86_64/stable"
#define RUNTIME "runtime/org.example.Platform/x86_64/1"

static HfMetadata *
parse (const char *ref_text, const char *text, gssize length, GError **error)
{
  g_autoptr (HfRef) ref = hf_ref_parse (ref_text, NULL);
  g_autoptr (GBytes) bytes = g_bytes_new (text, length < 0 ? strlen (text) : (gsize)length);
  return hf_metadata_parse (bytes, ref, error);
}

static void
test_application (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfMetadata) metadata = parse (APP,
                                           "[Application]\n"
                                           "name=org.example.Hello\n"
                                           "runtime=org.example.Platform/x86_64/1\n"
                                           "command=hello\n"
                                           "[Context]\n"
                                           "shared=network;ipc;!ipc;sound;\n"
                                           "[Environment]\n"
                                           "A=b=c\n"
                                           "EMPTY=\n",
                                           -1, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (metadata->runtime->full, ==, RUNTIME);
  g_assert_cmpstr (metadata->command, ==, "hello");
  g_assert_true (metadata->share_network);
  g_assert_false (metadata->share_ipc);
  g_assert_cmpuint (g_strv_length (metadata->environment), ==, 2);
  g_assert_cmpstr (metadata->environment[0], ==, "A=b=c");
  g_assert_cmpstr (metadata->environment[1], ==, "EMPTY=");
}

static void
test_least (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfMetadata) metadata = parse (APP, "[Application]\n", -1, &error);
  g_assert_no_error (error);
  g_assert_null (metadata->runtime);
  g_assert_null (metadata->command);
  g_assert_false (metadata->share_network);
  g_assert_false (metadata->share_ipc);
  g_assert_cmpuint (g_strv_length (metadata->environment), ==, 0);
}

/* flatpak's runtimes name themselves as their runtime. */
static void
test_runtime (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfMetadata) metadata
      = parse (RUNTIME, "[Runtime]\nruntime=org.example.Platform/x86_64/1\n", -1, &error);
  g_assert_no_error (error);
  g_assert_null (metadata->runtime);
}

static const struct
{
  const char *name, *ref, *text;
  gssize length; /* -1: up to the NUL */
} refused[] = {
  { "empty", APP, "", -1 },
  { "no group at all", APP, "# nothing\n", -1 },
  { "the group of another kind", APP, "[Runtime]\nname=x\n", -1 },
  { "an app's group in a runtime", RUNTIME, "[Application]\nname=x\n", -1 },
  { "not a keyfile", APP, "one two three\n", -1 },
  { "not UTF-8", APP, "[Application]\ncommand=\xff\xfe\n", -1 },
  { "a NUL", APP, "[Application]\ncommand=a\0b\n", 26 },
  { "a runtime that is no ref", APP, "[Application]\nruntime=../../etc/x\n", -1 },
  { "a runtime with too many parts", APP, "[Application]\nruntime=a.b.c/x86_64/1/2\n", -1 },
  { "a runtime with a bad escape", APP, "[Application]\nruntime=a\\xb\n", -1 },
  { "a command with a newline", APP, "[Application]\ncommand=a\\nb\n", -1 },
  { "a shared list with a bad escape", APP, "[Application]\n[Context]\nshared=a\\q;\n", -1 },
  { "a variable with a bad escape", APP, "[Application]\n[Environment]\nA=\\q\n", -1 },
};

static void
test_refused (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (GError) error = NULL;
  HfMetadata *metadata = parse (refused[i].ref, refused[i].text, refused[i].length, &error);
  g_assert_null (metadata);
  g_assert_true (hf_error_is (error, HF_ERROR_UNSAFE));
  g_assert_nonnull (strstr (error->message, refused[i].ref));
  g_assert_null (strchr (error->message, '\n'));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

static void
test_large (void)
{
  gsize size = HF_METADATA_LIMIT + 1;
  g_autofree char *text = g_malloc (size);
  g_autoptr (GError) error = NULL;
  memset (text, '#', size);
  g_assert_null (parse (APP, text, (gssize)size, &error));
  g_assert_true (hf_error_is (error, HF_ERROR_UNSAFE));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/metadata/every value of an application is read", test_application);
  g_test_add_func ("/metadata/what is not said is not shared", test_least);
  g_test_add_func ("/metadata/a runtime needs no runtime", test_runtime);
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autofree char *path
          = g_strconcat ("/metadata/refused in one line: ", refused[i].name, NULL);
      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_refused);
    }
  g_test_add_func ("/metadata/refused: more than the limit", test_large);
  return g_test_run ();
}
