/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast mask and holdfast pin: two lists of patterns in the configuration.
 */
#include "base/language.h"
#include "core/config.h"
#include "options.h"
#include "output.h"

static gboolean
print_list (const char *key, char **patterns, gboolean json, GError **error)
{
  if (!json)
    {
      for (; *patterns != NULL; patterns++)
        hf_output_line ("%s", *patterns);
      return TRUE;
    }
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_OBJECT);
  g_variant_builder_add (builder, "{sv}", key,
                         g_variant_new_strv ((const char *const *)patterns, -1));
  return hf_json_print (builder, error);
}

static gboolean
list (HfProgram *program, const char *key, GError **error)
{
  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  char *none[] = { NULL };
  if (installation == NULL)
    return print_list (key, none, program->json, error);
  g_autoptr (HfConfig) config = hf_config_load (installation, error);
  return config != NULL
         && print_list (key, g_str_equal (key, "masked") ? config->masked : config->pinned,
                        program->json, error);
}

static gboolean
change (HfProgram *program, const char *key, char **patterns, gboolean remove, GError **error)
{
  g_autoptr (HfInstallation) installation = NULL;
  program->changes = TRUE;
  if (!hf_program_open (program, HF_OPEN_OR_CREATE, &installation, error))
    return FALSE;
  for (; *patterns != NULL; patterns++)
    if (!(remove ? hf_config_remove_pattern : hf_config_add_pattern) (installation, key, *patterns,
                                                                      error))
      return FALSE;
  return TRUE;
}

static gboolean
run (HfProgram *program, const char *key, const char *description, int argc, char **argv,
     GError **error)
{
  gboolean remove = FALSE;
  const GOptionEntry entries[] = {
    { "remove", 0, 0, G_OPTION_ARG_NONE, &remove, N_ ("Take the patterns off the list"), NULL },
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = { .entries = entries, .description = description, .max_arguments = -1 };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  if (remove && argc < 2)
    return hf_throw (error, HF_ERROR_USAGE, "--remove needs a PATTERN: see holdfast %s --help",
                     argv[0]);
  return argc < 2 ? list (program, key, error) : change (program, key, argv + 1, remove, error);
}

/**
 * hf_command_mask:
 *
 * Locks: takes `lock` to change the list.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_mask (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  return run (
      program, "masked",
      N_ ("holdfast update passes over what matches, and holdfast install refuses it.  A pattern\n"
          "is a ref or a part of one, which may have * and ? in it.  Without one, lists them.\n"),
      argc, argv, error);
}

/**
 * hf_command_pin:
 *
 * Locks: takes `lock` to change the list.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_pin (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  return run (
      program, "pinned",
      N_ ("holdfast uninstall --unused leaves runtimes that match.  A pattern is a ref or a part\n"
          "of one, which may have * and ? in it.  Without one, lists them.\n"),
      argc, argv, error);
}
