/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the words in capitals of a help stand for, as it is in the installation that was chosen.  What cannot
 * be read is not offered.
 */
#include "complete.h"

#include "base/fd.h"
#include "columns.h"
#include "core/branch.h"
#include "core/config.h"
#include "core/inventory.h"
#include "core/layout.h"
#include "core/roots.h"
#include "output.h"
#include "places.h"

#include <string.h>

#define CONFIG_SIZE (1024 * 1024) /* bytes; far more than a repository's has */
#define REF_PARTS   4
#define SHORT       12 /* digits of a commit, as people see it */

static gboolean
is_command (const HfCompletion *self, const char *name)
{
  return strcmp (self->program->command->name, name) == 0;
}

static GPtrArray *
open_places (const HfCompletion *self, gboolean everywhere)
{
  HfProgram *program = self->program;
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_installation_free);
  gboolean known = hf_program_resolve_name (program, NULL);
  for (guint i = 0; known && (i == 0 || everywhere); i++)
    {
      g_autoptr (HfPlace) place = hf_place_at (program, i);
      HfInstallation *found = place == NULL ? NULL : hf_place_open (place, HF_OPEN_EXISTING, NULL);
      if (place == NULL)
        break;
      if (found != NULL)
        g_ptr_array_add (list, found);
    }
  return list;
}

/* Of the commands that look everywhere, everything. */
static GPtrArray *
installations (const HfCompletion *self)
{
  return open_places (self, is_command (self, "run") || is_command (self, "info")
                                || is_command (self, "hold") || is_command (self, "why"));
}

/* The one that is worked on, or %NULL. */
static HfInstallation *
installation (const HfCompletion *self)
{
  g_autoptr (GPtrArray) list = open_places (self, FALSE);
  return list->len == 0 ? NULL : g_ptr_array_steal_index (list, 0);
}

/* --- Refs ---------------------------------------------------------------------------------------- */

static gboolean
add_deployed (const HfRef *ref, int branch_fd, gpointer refs, GError **error)
{
  struct stat st;
  if (fstatat (branch_fd, HF_ACTIVE_LINK, &st, AT_SYMLINK_NOFOLLOW) == 0)
    g_ptr_array_add (refs, hf_ref_copy (ref));
  return TRUE;
}

static void
add_removed (HfInstallation *from, GPtrArray *refs)
{
  g_autoptr (GPtrArray) all = hf_inventory_list (from, NULL);
  for (guint i = 0; all != NULL && i < all->len; i++)
    {
      const HfDeployed *deployed = all->pdata[i];
      if (deployed->standing == HF_STANDING_REMOVED)
        g_ptr_array_add (refs, hf_ref_copy (deployed->ref));
    }
}

/* Names below refs/heads/ of a repository, which are files: KIND/ID/ARCH/BRANCH, at most @levels below. */
static void
add_heads (int parent_fd, const char *name, const char *path, guint levels, GPtrArray *refs)
{
  g_autoptr (HfRef) ref = hf_ref_parse (path, NULL);
  if (ref != NULL)
    {
      g_ptr_array_add (refs, g_steal_pointer (&ref));
      return;
    }
  g_autoptr (DIR) dir = levels == 0 ? NULL : hf_dir_open (parent_fd, name, NULL);
  const struct dirent *entry = NULL;
  while (dir != NULL && hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      g_autofree char *below
          = *path == '\0' ? g_strdup (entry->d_name) : g_strconcat (path, "/", entry->d_name, NULL);
      add_heads (dirfd (dir), entry->d_name, below, levels - 1, refs);
    }
}

static gboolean
is_known (GHashTable *counts, const char *name)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (counts, name)) > 0;
}

static gboolean
is_ambiguous (GHashTable *counts, const char *name)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (counts, name)) > 1;
}

static void
count (GHashTable *counts, const char *name)
{
  guint before = GPOINTER_TO_UINT (g_hash_table_lookup (counts, name));
  g_hash_table_insert (counts, g_strdup (name), GUINT_TO_POINTER (before + 1));
}

static char *
with_branch (const HfRef *ref)
{
  return g_strconcat (ref->id, "//", ref->branch, NULL);
}

/* Each by the shortest name that means it alone, and whole to who types it so. */
static void
offer_refs (HfCompletion *self, const GPtrArray *refs)
{
  g_autoptr (GHashTable) counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < refs->len; i++)
    {
      const HfRef *ref = refs->pdata[i];
      g_autofree char *branch = with_branch (ref);
      if (is_known (counts, ref->full))
        continue; /* the user's and the system's */
      count (counts, ref->full);
      count (counts, ref->id);
      count (counts, branch);
    }
  for (guint i = 0; i < refs->len; i++)
    {
      const HfRef *ref = refs->pdata[i];
      g_autofree char *branch = with_branch (ref);
      const char *name = !is_ambiguous (counts, ref->id)  ? ref->id
                         : !is_ambiguous (counts, branch) ? branch
                                                          : ref->full;
      if (!self->of_option && (hf_ref_is_app (ref) || !is_command (self, "run")))
        hf_completion_add (self, name, ref->full);
      if (self->of_option || *self->text != '\0')
        hf_completion_add (self, ref->full, NULL);
    }
}

static GPtrArray *
refs_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify)hf_ref_free);
}

static GPtrArray *
deployed_refs (const HfCompletion *self)
{
  GPtrArray *refs = refs_new ();
  g_autoptr (GPtrArray) all = installations (self);
  for (guint i = 0; i < all->len; i++)
    (void)!hf_branches_visit (all->pdata[i], add_deployed, refs, NULL);
  return refs;
}

/* --- Remotes ------------------------------------------------------------------------------------- */

typedef void (*RemoteVisit) (HfCompletion *self, const char *name, const char *url, gpointer data);

/* As libostree writes them.  It is not asked: loading it takes longer than all the rest. */
static void
visit_remotes (HfCompletion *self, RemoteVisit visit, gpointer data)
{
  static const char before[] = "remote \"";
  g_autoptr (HfInstallation) chosen = installation (self);
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  g_autoptr (GBytes) bytes
      = chosen == NULL
            ? NULL
            : hf_file_read (chosen->root_fd, HF_REPO_DIR "/" HF_REPO_CONFIG, CONFIG_SIZE, NULL);
  if (bytes == NULL || !g_key_file_load_from_bytes (keyfile, bytes, G_KEY_FILE_NONE, NULL))
    return;
  g_auto (GStrv) groups = g_key_file_get_groups (keyfile, NULL);
  for (char **group = groups; *group != NULL; group++)
    {
      gsize length = strlen (*group);
      if (!g_str_has_prefix (*group, before) || (*group)[length - 1] != '"')
        continue;
      g_autofree char *name = g_strndup (*group + strlen (before), length - strlen (before) - 1);
      /* Another program can have called one what a shell would not take for a word. */
      if (strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-.") != strlen (name))
        continue;
      g_autofree char *url = g_key_file_get_string (keyfile, *group, "url", NULL);
      visit (self, name, url != NULL ? url : "", data);
    }
}

static void
add_remote (HfCompletion *self, const char *name, const char *url, gpointer data)
{
  g_autofree char *where = hf_output_escape (url);
  hf_completion_add (self, name, where);
}

static void
offer_remotes (HfCompletion *self)
{
  visit_remotes (self, add_remote, NULL);
}

/* A repository on this machine can be asked at once; nobody waits for the network. */
static void
add_remote_refs (HfCompletion *self, const char *name, const char *url, gpointer refs)
{
  const GPtrArray *arguments = self->arguments;
  g_autofree char *path = g_filename_from_uri (url, NULL, NULL);
  g_autofree char *heads = path == NULL ? NULL : g_build_filename (path, HF_REPO_REFS, NULL);
  if (heads == NULL || (arguments->len > 0 && strcmp (arguments->pdata[0], name) != 0))
    return;
  hf_autofd int fd = open (heads, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0)
    add_heads (fd, ".", "", REF_PARTS, refs);
}

static void
offer_ref (HfCompletion *self)
{
  g_autoptr (GPtrArray) refs = NULL;
  if (is_command (self, "install") && !self->of_option)
    {
      refs = refs_new ();
      visit_remotes (self, add_remote_refs, refs);
    }
  else if (is_command (self, "restore"))
    {
      g_autoptr (HfInstallation) chosen = installation (self);
      refs = refs_new ();
      if (chosen != NULL)
        add_removed (chosen, refs);
    }
  else
    refs = deployed_refs (self);
  offer_refs (self, refs);
}

/* --- All else ------------------------------------------------------------------------------------ */

static void
offer_branch (HfCompletion *self)
{
  g_autoptr (GPtrArray) refs = deployed_refs (self);
  for (guint i = 0; i < refs->len; i++)
    hf_completion_add (self, ((const HfRef *)refs->pdata[i])->branch, NULL);
}

/* What `rollback` and `restore` can go back to, of the ref that is named or of all. */
static void
offer_deployments (HfCompletion *self, gboolean serials)
{
  HfStanding wanted = is_command (self, "restore") ? HF_STANDING_REMOVED : HF_STANDING_PREVIOUS;
  g_autoptr (HfInstallation) chosen = installation (self);
  g_autoptr (GPtrArray) all = chosen == NULL ? NULL : hf_inventory_list (chosen, NULL);
  g_autoptr (HfRefPattern) pattern
      = self->arguments->len == 0 ? NULL : hf_ref_pattern_parse (self->arguments->pdata[0], NULL);
  for (guint i = 0; self->of_option && all != NULL && i < all->len; i++)
    {
      const HfDeployed *deployed = all->pdata[i];
      g_autofree char *commit = g_strndup (deployed->info->commit, SHORT);
      g_autofree char *time = hf_output_time (deployed->info->time);
      g_autofree char *what = g_strconcat (deployed->ref->full, ", ", time, NULL);
      const char *dot = strchr (deployed->name, '.');
      if (deployed->standing == wanted
          && (pattern == NULL || hf_ref_pattern_matches (pattern, deployed->ref)
              || hf_ref_pattern_resembles (pattern, deployed->ref)))
        hf_completion_add (self, serials && dot != NULL ? dot + 1 : commit, what);
    }
}

static void
offer_commit (HfCompletion *self)
{
  offer_deployments (self, FALSE);
}

static void
offer_serial (HfCompletion *self)
{
  offer_deployments (self, TRUE);
}

static void
offer_root (HfCompletion *self)
{
  g_autoptr (HfInstallation) chosen = installation (self);
  g_autoptr (HfRoots) roots = chosen == NULL ? NULL : hf_roots_load (chosen, NULL);
  for (guint i = 0; roots != NULL && i < roots->all->len; i++)
    {
      const HfRoot *root = roots->all->pdata[i];
      const char *own = HF_ROOTS_OWN "/";
      if (g_str_has_prefix (root->path, own))
        hf_completion_add (self, root->path + strlen (own), root->ref->full);
      else
        hf_completion_add (self, root->path, root->ref->full);
    }
}

/* Those to remove, or what may become one. */
static void
offer_pattern (HfCompletion *self)
{
  if (!hf_completion_has_option (self, "remove"))
    {
      offer_ref (self);
      return;
    }
  g_autoptr (HfInstallation) chosen = installation (self);
  g_autoptr (HfConfig) config = chosen == NULL ? NULL : hf_config_load (chosen, NULL);
  if (config == NULL)
    return;
  for (char **pattern = is_command (self, "mask") ? config->masked : config->pinned;
       *pattern != NULL; pattern++)
    hf_completion_add (self, *pattern, NULL);
}

static void
offer_key (HfCompletion *self)
{
  gsize n;
  g_autofree const HfConfigKey **keys = hf_config_keys (&n);
  for (gsize i = 0; i < n; i++)
    hf_completion_add (self, keys[i]->name, keys[i]->summary);
}

/* The default stands for what a value looks like. */
static void
offer_key_value (HfCompletion *self)
{
  gsize n;
  g_autofree const HfConfigKey **keys = hf_config_keys (&n);
  for (gsize i = 0; i < n; i++)
    {
      if (g_strcmp0 (keys[i]->name, self->key) != 0)
        continue;
      if (*keys[i]->fallback != '\0')
        hf_completion_add (self, keys[i]->fallback, keys[i]->range);
      if (strcmp (keys[i]->fallback, "no") == 0)
        hf_completion_add (self, "yes", keys[i]->range);
      if (strcmp (keys[i]->fallback, "yes") == 0)
        hf_completion_add (self, "no", keys[i]->range);
    }
}

/* The last of several, with commas between them. */
static void
offer_column (HfCompletion *self)
{
  const char *comma = strrchr (self->text, ',');
  self->text = comma != NULL ? comma + 1 : self->text;
  g_auto (GStrv) names = self->columns == NULL ? NULL : hf_columns_names (self->columns);
  for (char **name = names; name != NULL && *name != NULL; name++)
    hf_completion_add (self, *name, NULL);
}

/* What an argument is to be called nobody knows; an option chooses an installation. */
static void
offer_name (HfCompletion *self)
{
  g_autoptr (GPtrArray) places = self->of_option ? hf_places_all (self->program) : NULL;
  for (guint i = 0; places != NULL && i < places->len; i++)
    {
      const HfPlace *place = places->pdata[i];
      g_autofree char *path = hf_output_escape (place->path);
      hf_completion_add (self, place->name, path);
    }
}

static void
offer_files (HfCompletion *self)
{
  self->files = TRUE;
}

/* What an option runs is in the image. */
static void
offer_command (HfCompletion *self)
{
  self->commands |= !self->of_option;
}

static const struct
{
  const char *what;
  void (*offer) (HfCompletion *self);
} offers[] = {
  { "ARG", offer_files },       { "BRANCH", offer_branch },  { "COLUMN", offer_column },
  { "COMMAND", offer_command }, { "COMMIT", offer_commit },  { "DIRECTORY", offer_files },
  { "FILE", offer_files },      { "KEY", offer_key },        { "LOCATION", offer_files },
  { "NAME", offer_name },       { "PATH", offer_files },     { "PATTERN", offer_pattern },
  { "REF", offer_ref },         { "REMOTE", offer_remotes }, { "ROOT", offer_root },
  { "SERIAL", offer_serial },   { "TARBALL", offer_files },  { "VALUE", offer_key_value },
};

/**
 * hf_completion_offer:
 * @self: what is completed
 * @what: what it is for, in capitals; of what is not known here, nothing is offered
 */
void
hf_completion_offer (HfCompletion *self, const char *what)
{
  for (gsize i = 0; i < G_N_ELEMENTS (offers); i++)
    if (strcmp (offers[i].what, what) == 0)
      offers[i].offer (self);
}
