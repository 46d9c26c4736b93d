/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * JSON for programs: one document a command, with keys that stay.  holdfast(1) lists them.
 */
#include "output.h"

#include <stdio.h>

/**
 * hf_json_add_string:
 * @builder: inside an object
 * @key: the member's name
 * @value: (nullable): its value; %NULL becomes `null`
 */
void
hf_json_add_string (JsonBuilder *builder, const char *key, const char *value)
{
  json_builder_set_member_name (builder, key);
  if (value == NULL)
    {
      json_builder_add_null_value (builder);
      return;
    }
  /* A path may hold any bytes, a JSON document may not. */
  g_autofree char *valid = g_utf8_make_valid (value, -1);
  json_builder_add_string_value (builder, valid);
}

/**
 * hf_json_add_int:
 * @builder: inside an object
 * @key: the member's name
 * @value: its value
 */
void
hf_json_add_int (JsonBuilder *builder, const char *key, gint64 value)
{
  json_builder_set_member_name (builder, key);
  json_builder_add_int_value (builder, value);
}

/**
 * hf_json_add_bool:
 * @builder: inside an object
 * @key: the member's name
 * @value: its value
 */
void
hf_json_add_bool (JsonBuilder *builder, const char *key, gboolean value)
{
  json_builder_set_member_name (builder, key);
  json_builder_add_boolean_value (builder, value);
}

/**
 * hf_json_begin_list:
 * @builder: inside an object
 * @key: the name of a member that is a list, which the caller fills and ends
 */
void
hf_json_begin_list (JsonBuilder *builder, const char *key)
{
  json_builder_set_member_name (builder, key);
  json_builder_begin_array (builder);
}

/**
 * hf_json_add_deployed:
 * @builder: inside an object
 * @installation: where it is deployed
 * @deployed: a deployed ref
 *
 * Adds the members that `list` and `info` have in common.
 */
void
hf_json_add_deployed (JsonBuilder *builder, const HfInstallation *installation,
                      const HfDeployed *deployed)
{
  g_autofree char *serial = NULL;
  (void)hf_deployment_name_parse (deployed->name, NULL, &serial);
  g_autofree char *path = hf_output_deployment_path (installation, deployed);
  hf_json_add_string (builder, "ref", deployed->ref->full);
  hf_json_add_string (builder, "kind", deployed->ref->kind);
  hf_json_add_string (builder, "id", deployed->ref->id);
  hf_json_add_string (builder, "arch", deployed->ref->arch);
  hf_json_add_string (builder, "branch", deployed->ref->branch);
  hf_json_add_string (builder, "commit", deployed->info->commit);
  hf_json_add_string (builder, "origin", deployed->info->origin);
  hf_json_add_string (builder, "serial", serial);
  hf_json_add_bool (builder, "active", TRUE);
  hf_json_add_string (builder, "runtime", deployed->info->runtime);
  hf_json_add_int (builder, "size", (gint64)deployed->info->installed_size);
  hf_json_add_int (builder, "time", deployed->info->time);
  hf_json_add_string (builder, "path", path);
}

/**
 * hf_json_print:
 * @builder: a whole document
 */
void
hf_json_print (JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  json_generator_set_root (generator, root);
  json_generator_set_pretty (generator, TRUE);
  g_autofree char *text = json_generator_to_data (generator, NULL);
  fprintf (stdout, "%s\n", text);
}
