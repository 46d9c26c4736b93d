/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * JSON for programs: one document a command, with keys that stay.  The manual's page of each
 * lists them.
 *
 * A document is built as a GVariant, and turned into text by json-glib in a module of its own: that
 * library brings GIO along, and loading both takes as long as all the rest of a start, which those
 * pay only who ask for JSON.
 */
#include "libexec.h"
#include "output.h"

#include "base/error.h"

#include <dlfcn.h>
#include <stdio.h>

#define MODULE "holdfast-json.so"

/**
 * hf_json_add_string:
 * @builder: inside an object
 * @key: the member's name
 * @value: (nullable): its value; %NULL becomes `null`
 */
void
hf_json_add_string (GVariantBuilder *builder, const char *key, const char *value)
{
  /* A path may hold any bytes, a JSON document may not. */
  g_autofree char *valid = value != NULL ? g_utf8_make_valid (value, -1) : NULL;
  g_variant_builder_add (builder, "{sv}", key,
                         valid != NULL ? g_variant_new_string (valid)
                                       : g_variant_new_maybe (G_VARIANT_TYPE_STRING, NULL));
}

/**
 * hf_json_add_int:
 * @builder: inside an object
 * @key: the member's name
 * @value: its value
 */
void
hf_json_add_int (GVariantBuilder *builder, const char *key, gint64 value)
{
  g_variant_builder_add (builder, "{sv}", key, g_variant_new_int64 (value));
}

/**
 * hf_json_add_bool:
 * @builder: inside an object
 * @key: the member's name
 * @value: its value
 */
void
hf_json_add_bool (GVariantBuilder *builder, const char *key, gboolean value)
{
  g_variant_builder_add (builder, "{sv}", key, g_variant_new_boolean (value));
}

/**
 * hf_json_begin_object:
 * @builder: inside a list of objects
 */
void
hf_json_begin_object (GVariantBuilder *builder)
{
  g_variant_builder_open (builder, HF_JSON_OBJECT);
}

/**
 * hf_json_end_object:
 * @builder: inside an object of a list
 */
void
hf_json_end_object (GVariantBuilder *builder)
{
  g_variant_builder_close (builder);
}

/**
 * hf_json_begin_list:
 * @builder: inside an object
 * @key: the name of a member that is a list, which the caller fills
 * @type: of the list
 */
void
hf_json_begin_list (GVariantBuilder *builder, const char *key, const GVariantType *type)
{
  g_variant_builder_open (builder, G_VARIANT_TYPE ("{sv}"));
  g_variant_builder_add (builder, "s", key);
  g_variant_builder_open (builder, G_VARIANT_TYPE_VARIANT);
  g_variant_builder_open (builder, type);
}

/**
 * hf_json_end_list:
 * @builder: inside a list that is a member
 */
void
hf_json_end_list (GVariantBuilder *builder)
{
  g_variant_builder_close (builder);
  g_variant_builder_close (builder);
  g_variant_builder_close (builder);
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
hf_json_add_deployed (GVariantBuilder *builder, const HfInstallation *installation,
                      const HfDeployed *deployed)
{
  g_autofree char *serial = NULL;
  (void)hf_deployment_name_parse (deployed->name, NULL, &serial);
  g_autofree char *path = hf_output_deployment_path (installation, deployed);
  g_autofree char *state = hf_output_state (deployed);
  hf_json_add_string (builder, "ref", deployed->ref->full);
  hf_json_add_string (builder, "kind", deployed->ref->kind);
  hf_json_add_string (builder, "id", deployed->ref->id);
  hf_json_add_string (builder, "arch", deployed->ref->arch);
  hf_json_add_string (builder, "branch", deployed->ref->branch);
  hf_json_add_string (builder, "commit", deployed->info->commit);
  hf_json_add_string (builder, "origin", deployed->info->origin);
  hf_json_add_string (builder, "serial", serial);
  hf_json_add_bool (builder, "active", deployed->standing == HF_STANDING_ACTIVE);
  hf_json_add_string (builder, "state", state);
  hf_json_add_string (builder, "runtime", deployed->info->runtime);
  hf_json_add_int (builder, "size", (gint64)deployed->info->installed_size);
  hf_json_add_int (builder, "time", deployed->info->time);
  hf_json_add_string (builder, "path", path);
  hf_json_add_string (builder, "installation", hf_output_installation (installation));
}

/**
 * hf_json_print:
 * @builder: a whole document; it is used up
 *
 * Returns: %FALSE with @error set if the module is missing
 */
gboolean
hf_json_print (GVariantBuilder *builder, GError **error)
{
  g_autoptr (GVariant) document = g_variant_ref_sink (g_variant_builder_end (builder));
  g_autofree char *path = hf_libexec_path (MODULE, error);
  if (path == NULL)
    return FALSE;
  /* Never unloaded: libraries with types registered cannot be. */
  void *module = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  char *(*render) (GVariant *)
      = module == NULL ? NULL : (char *(*)(GVariant *))dlsym (module, "hf_json_render");
  if (render == NULL)
    return hf_throw (error, HF_ERROR_FAILED, "Cannot print JSON: %s", dlerror ());
  g_autofree char *text = render (document);
  fprintf (stdout, "%s\n", text);
  return TRUE;
}
