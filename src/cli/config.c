/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast config: shows and changes an installation's configuration.
 */
#include "core/config.h"
#include "base/language.h"
#include "options.h"
#include "output.h"

#include <string.h>

/* Of an installation that does not exist yet, everything is as it comes. */
static char *
value_of (HfInstallation *installation, const HfConfigKey *key, gboolean *out_is_default,
          GError **error)
{
  *out_is_default = TRUE;
  return installation == NULL ? g_strdup (key->fallback)
                              : hf_config_get (installation, key->name, out_is_default, error);
}

static gboolean
list_json (HfInstallation *installation, const HfConfigKey **keys, gsize n, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_LIST);
  for (gsize i = 0; i < n; i++)
    {
      gboolean is_default;
      g_autofree char *value = value_of (installation, keys[i], &is_default, error);
      if (value == NULL)
        return FALSE;
      hf_json_begin_object (builder);
      hf_json_add_string (builder, "key", keys[i]->name);
      hf_json_add_string (builder, "value", value);
      hf_json_add_string (builder, "default", keys[i]->fallback);
      hf_json_add_bool (builder, "is_default", is_default);
      hf_json_end_object (builder);
    }
  return hf_json_print (builder, error);
}

static gboolean
list (HfProgram *program, HfInstallation *installation, GError **error)
{
  gsize n;
  g_autofree const HfConfigKey **keys = hf_config_keys (&n);
  if (program->json)
    return list_json (installation, keys, n, error);
  g_autoptr (HfTable) table = hf_table_new ();
  hf_table_add_column (table, "Key");
  hf_table_add_column (table, "Value");
  hf_table_add_column (table, "Default");
  for (gsize i = 0; i < n; i++)
    {
      gboolean is_default;
      char *value = value_of (installation, keys[i], &is_default, error);
      if (value == NULL)
        return FALSE;
      hf_table_add_cell (table, keys[i]->name);
      hf_table_take_cell (table, value);
      hf_table_add_cell (table, keys[i]->fallback);
    }
  hf_table_print (table);
  return TRUE;
}

static gboolean
get (HfInstallation *installation, const char *name, GError **error)
{
  gsize n;
  gboolean is_default;
  g_autofree const HfConfigKey **keys = hf_config_keys (&n);
  for (gsize i = 0; i < n; i++)
    if (strcmp (keys[i]->name, name) == 0)
      {
        g_autofree char *value = value_of (installation, keys[i], &is_default, error);
        if (value != NULL)
          hf_output_line ("%s", value);
        return value != NULL;
      }
  return hf_throw (error, HF_ERROR_USAGE,
                   "'%s' is no key of the configuration: `holdfast config` shows them", name);
}

static char *
describe_keys (void)
{
  gsize n;
  g_autofree const HfConfigKey **keys = hf_config_keys (&n);
  g_autoptr (GString) text = g_string_new (_ ("Keys:\n"));
  for (gsize i = 0; i < n; i++)
    g_string_append_printf (text, _ ("  %s (default: %s)\n    %s\n    %s\n"), keys[i]->name,
                            keys[i]->fallback[0] != '\0' ? keys[i]->fallback : _ ("none"),
                            hf_text (keys[i]->summary), hf_text (keys[i]->range));
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* What was asked for. */
typedef struct
{
  gboolean list;
  char *get;   /* owned */
  char *set;   /* owned */
  char *unset; /* owned */
} Request;

static void
request_clear (Request *request)
{
  g_free (request->get);
  g_free (request->set);
  g_free (request->unset);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Request, request_clear)

static gboolean
check (const Request *request, int argc, GError **error)
{
  guint asked = (request->list ? 1 : 0) + (request->get != NULL ? 1 : 0)
                + (request->set != NULL ? 1 : 0) + (request->unset != NULL ? 1 : 0);
  if (asked > 1)
    return hf_throw (error, HF_ERROR_USAGE,
                     "Only one of --list, --get, --set and --unset can be given");
  if (argc != (request->set != NULL ? 2 : 1))
    return hf_throw (error, HF_ERROR_USAGE,
                     request->set != NULL
                         ? N_ ("--set takes a KEY and a VALUE: see holdfast config --help")
                         : N_ ("There is an argument too many: see holdfast config --help"));
  return TRUE;
}

/**
 * hf_command_config:
 *
 * Locks: takes `lock` to change something.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_config (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_auto (Request) request = { 0 };
  const GOptionEntry entries[] = {
    { "list", 0, 0, G_OPTION_ARG_NONE, &request.list, N_ ("List all keys; this is the default"),
      NULL },
    { "get", 0, 0, G_OPTION_ARG_STRING, &request.get, N_ ("Show one value"), "KEY" },
    { "set", 0, 0, G_OPTION_ARG_STRING, &request.set, N_ ("Set KEY to VALUE"), "KEY VALUE" },
    { "unset", 0, 0, G_OPTION_ARG_STRING, &request.unset, N_ ("Go back to the default"), "KEY" },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *keys = describe_keys ();
  const HfSyntax syntax = { .entries = entries, .description = keys, .max_arguments = 1 };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error) || !check (&request, argc, error))
    return FALSE;
  gboolean changes = program->changes = request.set != NULL || request.unset != NULL;
  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, changes ? HF_OPEN_OR_CREATE : HF_OPEN_EXISTING, &installation,
                        error))
    return FALSE;
  if (request.get != NULL)
    return get (installation, request.get, error);
  if (changes)
    return hf_config_set (installation, request.set != NULL ? request.set : request.unset,
                          request.set != NULL ? argv[1] : NULL, error);
  return list (program, installation, error);
}
