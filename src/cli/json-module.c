/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The module that knows json-glib.  output-json.c loads it.
 */
#include "json-module.h"

#include <json-glib/json-glib.h>

/**
 * hf_json_render:
 * @document: a list of objects, or an object
 *
 * Returns: (transfer full): it as JSON text, without a line end
 */
char *
hf_json_render (GVariant *document)
{
  g_autoptr (JsonNode) root = json_gvariant_serialize (document);
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  json_generator_set_root (generator, root);
  json_generator_set_pretty (generator, TRUE);
  return json_generator_to_data (generator, NULL);
}
