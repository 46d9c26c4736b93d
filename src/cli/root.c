/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast root: standing reasons to keep a deployment.
 */
#include "base/language.h"
#include "core/roots.h"
#include "options.h"
#include "output.h"

#include <string.h>

static const char *
standing_name (const HfRoot *root)
{
  if (root->standing == HF_ROOT_ENDED)
    return "ended";
  return root->standing == HF_ROOT_UNREADABLE ? "unreadable" : "holds";
}

static void
print_table (const HfRoots *roots)
{
  static const char *const titles[]
      = { N_ ("Name"), N_ ("Ref"), N_ ("Commit"), N_ ("Serial"), N_ ("Link"), N_ ("State") };
  g_autoptr (HfTable) table = hf_table_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (titles); i++)
    hf_table_add_column (table, titles[i]);
  for (guint i = 0; i < roots->all->len; i++)
    {
      const HfRoot *root = roots->all->pdata[i];
      g_autofree char *commit = NULL;
      char *serial = NULL;
      (void)hf_deployment_name_parse (root->deployment, &commit, &serial);
      hf_table_add_cell (table, root->path);
      hf_table_add_cell (table, root->ref->full);
      hf_table_take_cell (table, hf_output_commit (commit));
      hf_table_take_cell (table, serial);
      hf_table_add_cell (table, root->link);
      hf_table_add_cell (table, standing_name (root));
    }
  hf_table_print (table);
}

static gboolean
print_json (const HfRoots *roots, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_LIST);
  for (guint i = 0; i < roots->all->len; i++)
    {
      const HfRoot *root = roots->all->pdata[i];
      g_autofree char *commit = NULL;
      g_autofree char *serial = NULL;
      (void)hf_deployment_name_parse (root->deployment, &commit, &serial);
      hf_json_begin_object (builder);
      hf_json_add_string (builder, "name", root->path);
      hf_json_add_string (builder, "ref", root->ref->full);
      hf_json_add_string (builder, "commit", commit);
      hf_json_add_string (builder, "serial", serial);
      hf_json_add_string (builder, "link", root->link);
      hf_json_add_string (builder, "state", standing_name (root));
      hf_json_add_string (builder, "reason", root->why);
      hf_json_add_int (builder, "time", root->time);
      hf_json_end_object (builder);
    }
  return hf_json_print (builder, error);
}

static gboolean
check_problems (const HfRoots *roots, GError **error)
{
  for (guint i = 0; i < roots->problems->len; i++)
    {
      g_autofree char *text = hf_root_problem_describe (roots->problems->pdata[i]);
      hf_output_warning (text);
    }
  return roots->problems->len == 0
         || hf_throw (
             error, HF_ERROR_DAMAGED,
             ngettext (
                 "%u of the roots makes no sense or cannot be read: remove it, or write it anew",
                 "%u of the roots make no sense or cannot be read: remove them, or write them anew",
                 roots->problems->len),
             roots->problems->len);
}

static gboolean
list (HfProgram *program, GError **error)
{
  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  if (installation == NULL)
    return TRUE;
  g_autoptr (HfRoots) roots = hf_roots_load (installation, error);
  if (roots == NULL)
    return FALSE;
  hf_roots_check_links (installation, roots);
  if (!program->json)
    print_table (roots);
  else if (!print_json (roots, error))
    return FALSE;
  return check_problems (roots, error);
}

static gboolean
add (HfProgram *program, const char *name, const char *ref, const char *link, GError **error)
{
  g_autofree char *path = hf_root_path_parse (name, error);
  g_autoptr (HfInstallation) installation = NULL;
  if (path == NULL || !hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  g_autoptr (HfDeployed) deployed = hf_program_find_own (program, installation, ref, error);
  if (deployed == NULL || !hf_root_add (installation, path, deployed->ref, link, error))
    return FALSE;
  hf_output_line ("Root %s keeps %s", path, deployed->ref->full);
  return TRUE;
}

static gboolean
remove_root (HfProgram *program, const char *name, GError **error)
{
  g_autofree char *path = hf_root_path_parse (name, error);
  g_autoptr (HfInstallation) installation = NULL;
  if (path == NULL || !hf_program_open (program, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  if (installation == NULL)
    return hf_throw (error, HF_ERROR_NOT_FOUND, "There is no root %s", path);
  if (!hf_root_remove (installation, path, error))
    return FALSE;
  hf_output_line ("Removed root %s", path);
  return TRUE;
}

/**
 * hf_command_root:
 *
 * Locks: see hf_root_add() and hf_root_remove(); none to list.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_root (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_autofree char *link = NULL;
  const GOptionEntry entries[] = {
    { "link", 0, 0, G_OPTION_ARG_FILENAME, &link,
      N_ ("With add: make this symlink, and end the root when it goes or leads elsewhere"),
      "PATH" },
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .description
    = N_ ("  holdfast root add NAME REF    keep what is deployed for REF now\n"
          "  holdfast root list            show the roots, and whether they hold\n"
          "  holdfast root remove ROOT     keep it no longer\n"
          "\nNAME and ROOT are a name, or NAMESPACE/NAME so that programs keep theirs apart.\n"),
    .min_arguments = 1,
    .max_arguments = 3,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  gboolean adds = strcmp (argv[1], "add") == 0;
  program->changes = strcmp (argv[1], "list") != 0;
  if (link != NULL && !adds)
    return hf_throw (error, HF_ERROR_USAGE, "--link goes with `root add` only");
  if (adds && argc == 4)
    return add (program, argv[2], argv[3], link, error);
  if (strcmp (argv[1], "list") == 0 && argc == 2)
    return list (program, error);
  if (strcmp (argv[1], "remove") == 0 && argc == 3)
    return remove_root (program, argv[2], error);
  return hf_throw (error, HF_ERROR_USAGE,
                   "root takes `add NAME REF`, `list` or `remove ROOT`: see holdfast root --help");
}
