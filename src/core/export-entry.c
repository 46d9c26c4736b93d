/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rewriting keyfiles.  The result is a new file, into which only what is known to be harmless is taken
 * over.  So a key of tomorrow that runs something, or that gives a program more than others have, is
 * dropped today.  See the Desktop Entry Specification, and the D-Bus Specification, "Message Bus
 * Starting Services".
 */
#include "export-entry.h"

#include "base/error.h"
#include "base/language.h"

#include <string.h>

#define ENTRY         G_KEY_FILE_DESKTOP_GROUP
#define ACTION        "Desktop Action "
#define SERVICE       "D-BUS Service"
#define SERVICE_NAME  "Name"
#define MOST_ACTIONS  32
#define MOST_REPEATED 200 /* bytes */

typedef struct
{
  const char *name;
  gboolean translated;
} Key;

/* Dropped on purpose: TryExec and Path, which name files of the image; DBusActivatable, as no sandbox
 * can be reached over D-Bus yet, and who tried would wait in vain; and every X- key that is not here: some
 * start programs, and some give privileges, such as X-KDE-Wayland-Interfaces. */
static const Key entry_keys[] = {
  { G_KEY_FILE_DESKTOP_KEY_TYPE, FALSE },
  { G_KEY_FILE_DESKTOP_KEY_VERSION, FALSE },
  { G_KEY_FILE_DESKTOP_KEY_NAME, TRUE },
  { G_KEY_FILE_DESKTOP_KEY_GENERIC_NAME, TRUE },
  { G_KEY_FILE_DESKTOP_KEY_NO_DISPLAY, FALSE },
  { G_KEY_FILE_DESKTOP_KEY_COMMENT, TRUE },
  { G_KEY_FILE_DESKTOP_KEY_ICON, TRUE },
  { G_KEY_FILE_DESKTOP_KEY_HIDDEN, FALSE },
  { G_KEY_FILE_DESKTOP_KEY_ONLY_SHOW_IN, FALSE },
  { G_KEY_FILE_DESKTOP_KEY_NOT_SHOW_IN, FALSE },
  { G_KEY_FILE_DESKTOP_KEY_TERMINAL, FALSE },
  { G_KEY_FILE_DESKTOP_KEY_MIME_TYPE, FALSE },
  { G_KEY_FILE_DESKTOP_KEY_CATEGORIES, FALSE },
  { G_KEY_FILE_DESKTOP_KEY_STARTUP_NOTIFY, FALSE },
  { G_KEY_FILE_DESKTOP_KEY_STARTUP_WM_CLASS, FALSE },
  { "Implements", FALSE },
  { "Keywords", TRUE },
  { "PrefersNonDefaultGPU", FALSE },
  { "SingleMainWindow", FALSE },
  { "X-GNOME-FullName", TRUE },
  { "X-GNOME-UsesNotifications", FALSE },
  { "X-GNOME-SingleWindow", FALSE },
  { "X-Geoclue-Reason", TRUE },
  { "X-KDE-FormFactors", FALSE },
  { "X-Purism-FormFactor", FALSE },
};

static const Key action_keys[] = {
  { G_KEY_FILE_DESKTOP_KEY_NAME, TRUE },
  { G_KEY_FILE_DESKTOP_KEY_ICON, TRUE },
};

/* Any other control character would be read in one way here and in another elsewhere. */
static gboolean
is_text (const char *data, gsize length)
{
  for (gsize i = 0; i < length; i++)
    if (g_ascii_iscntrl (data[i]) && data[i] != '\n' && data[i] != '\t'
        && !(data[i] == '\r' && i + 1 < length && data[i + 1] == '\n'))
      return FALSE;
  return g_utf8_validate_len (data, length, NULL);
}

static GKeyFile *
load (GBytes *bytes, const char *group, GError **error)
{
  gsize length;
  const char *data = g_bytes_get_data (bytes, &length);
  g_autoptr (GKeyFile) keyfile = g_key_file_new ();
  g_autoptr (GError) failed = NULL;
  if (length == 0 || !is_text (data, length))
    {
      (void)hf_throw (error, HF_ERROR_UNSAFE, "it is no text in UTF-8");
      return NULL;
    }
  if (!g_key_file_load_from_data (keyfile, data, length, G_KEY_FILE_KEEP_TRANSLATIONS, &failed))
    {
      /* Which repeats the line that it could not read. */
      (void)hf_throw (error, HF_ERROR_UNSAFE, "it is no keyfile: %s",
                      strlen (failed->message) < MOST_REPEATED ? failed->message
                                                               : _ ("a line of it is too long"));
      return NULL;
    }
  g_autofree char *first = g_key_file_get_start_group (keyfile);
  if (g_strcmp0 (first, group) == 0)
    return g_steal_pointer (&keyfile);
  (void)hf_throw (error, HF_ERROR_UNSAFE, "it does not begin with [%s]", group);
  return NULL;
}

/* %NULL also where GLib returns what stands before an escape that there is not. */
static char *
read_string (GKeyFile *keyfile, const char *group, const char *key)
{
  g_autoptr (GError) failed = NULL;
  g_autofree char *value = g_key_file_get_string (keyfile, group, key, &failed);
  return failed == NULL ? g_steal_pointer (&value) : NULL;
}

/* A locale, as in Name[sr@latin]; @bracket is where it begins. */
static gboolean
is_locale (const char *bracket)
{
  gsize length = strspn (bracket + 1, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_@.-");
  return length > 0 && strcmp (bracket + 1 + length, "]") == 0;
}

static gboolean
is_known (const Key *keys, gsize n_keys, const char *key)
{
  const char *bracket = strchr (key, '[');
  gsize length = bracket == NULL ? strlen (key) : (gsize)(bracket - key);
  for (gsize i = 0; i < n_keys; i++)
    if (strlen (keys[i].name) == length && strncmp (keys[i].name, key, length) == 0)
      return bracket == NULL || (keys[i].translated && is_locale (bracket));
  return FALSE;
}

/* An icon is looked up by its name: a path would have the desktop open any file of the host's. */
static gboolean
is_harmless (const char *key, const char *value)
{
  gboolean icon = g_str_has_prefix (key, G_KEY_FILE_DESKTOP_KEY_ICON);
  return hf_exec_is_plain (value) && !(icon && strchr (value, '/') != NULL);
}

static void
take_over (GKeyFile *from, GKeyFile *to, const char *group, const Key *keys, gsize n_keys)
{
  g_auto (GStrv) names = g_key_file_get_keys (from, group, NULL, NULL);
  for (char **key = names; key != NULL && *key != NULL; key++)
    {
      g_autofree char *text = NULL;
      g_autofree char *value = NULL;
      if (!is_known (keys, n_keys, *key))
        continue;
      text = read_string (from, group, *key);
      if (text == NULL || !is_harmless (*key, text))
        continue;
      value = g_key_file_get_value (from, group, *key, NULL);
      g_key_file_set_value (to, group, *key, value);
    }
}

/* Without an Exec it is the image's own command. */
static gboolean
set_exec (GKeyFile *from, GKeyFile *to, const char *group, const HfExportTarget *target,
          HfExecReader reader, GError **error)
{
  g_auto (HfExec) exec = { NULL };
  g_autofree char *line = read_string (from, group, G_KEY_FILE_DESKTOP_KEY_EXEC);
  if (line == NULL && g_key_file_has_key (from, group, G_KEY_FILE_DESKTOP_KEY_EXEC, NULL))
    return hf_throw (error, HF_ERROR_UNSAFE, "its Exec has an escape that there is not");
  if (line == NULL && target->command == NULL)
    return hf_throw (error, HF_ERROR_UNSAFE, "it has no Exec, and the image no command of its own");
  if (line != NULL && !hf_exec_parse (line, reader, &exec, error))
    return FALSE;
  g_autofree char *made = hf_exec_line (target, line == NULL ? NULL : &exec, reader);
  g_key_file_set_string (to, group, G_KEY_FILE_DESKTOP_KEY_EXEC, made);
  return TRUE;
}

static gboolean
is_action_name (const char *name)
{
  return *name != '\0'
         && strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-") == strlen (name);
}

/* What an action lacks takes away the action alone. */
static gboolean
take_action (GKeyFile *from, GKeyFile *to, const char *name, const HfExportTarget *target)
{
  g_autofree char *group = g_strconcat (ACTION, name, NULL);
  if (!is_action_name (name) || g_key_file_has_group (to, group)
      || !g_key_file_has_key (from, group, G_KEY_FILE_DESKTOP_KEY_EXEC, NULL))
    return FALSE;
  take_over (from, to, group, action_keys, G_N_ELEMENTS (action_keys));
  if (g_key_file_has_key (to, group, G_KEY_FILE_DESKTOP_KEY_NAME, NULL)
      && set_exec (from, to, group, target, HF_EXEC_DESKTOP, NULL))
    return TRUE;
  (void)g_key_file_remove_group (to, group, NULL);
  return FALSE;
}

/* A group that is no action of the entry's is nobody's. */
static void
take_actions (GKeyFile *from, GKeyFile *to, const HfExportTarget *target)
{
  g_autoptr (GPtrArray) taken = g_ptr_array_new ();
  g_auto (GStrv) names
      = g_key_file_get_string_list (from, ENTRY, G_KEY_FILE_DESKTOP_KEY_ACTIONS, NULL, NULL);
  for (char **name = names; name != NULL && *name != NULL && taken->len < MOST_ACTIONS; name++)
    if (take_action (from, to, *name, target))
      g_ptr_array_add (taken, *name);
  if (taken->len > 0)
    g_key_file_set_string_list (to, ENTRY, G_KEY_FILE_DESKTOP_KEY_ACTIONS,
                                (const char *const *)taken->pdata, taken->len);
}

static GBytes *
finish (GKeyFile *keyfile)
{
  gsize length;
  char *data = g_key_file_to_data (keyfile, &length, NULL);
  return g_bytes_new_take (data, length);
}

/**
 * hf_export_entry_rewrite:
 * @bytes: an image's .desktop file
 * @target: what it is to start
 *
 * Returns: (transfer full): the one to export, or %NULL with %HF_ERROR_UNSAFE, whose message says what
 *   is wrong with it
 */
GBytes *
hf_export_entry_rewrite (GBytes *bytes, const HfExportTarget *target, GError **error)
{
  g_autoptr (GKeyFile) from = load (bytes, ENTRY, error);
  g_autoptr (GKeyFile) to = g_key_file_new ();
  if (from == NULL)
    return NULL;
  take_over (from, to, ENTRY, entry_keys, G_N_ELEMENTS (entry_keys));
  g_autofree char *type = read_string (to, ENTRY, G_KEY_FILE_DESKTOP_KEY_TYPE);
  if (g_strcmp0 (type, G_KEY_FILE_DESKTOP_TYPE_APPLICATION) != 0)
    {
      (void)hf_throw (error, HF_ERROR_UNSAFE, "its Type is not Application");
      return NULL;
    }
  if (!g_key_file_has_key (to, ENTRY, G_KEY_FILE_DESKTOP_KEY_NAME, NULL))
    {
      (void)hf_throw (error, HF_ERROR_UNSAFE, "it has no Name that can be shown");
      return NULL;
    }
  if (!set_exec (from, to, ENTRY, target, HF_EXEC_DESKTOP, error))
    return NULL;
  take_actions (from, to, target);
  return finish (to);
}

/**
 * hf_export_service_rewrite:
 * @bytes: an image's D-Bus service file
 * @name: the bus name that its file is called by
 * @target: what it is to start
 *
 * Nothing but the name and the command line is taken over: SystemdService would have any unit of the host
 * started.
 *
 * Returns: (transfer full): the one to export, or %NULL with %HF_ERROR_UNSAFE, whose message says what
 *   is wrong with it
 */
GBytes *
hf_export_service_rewrite (GBytes *bytes, const char *name, const HfExportTarget *target,
                           GError **error)
{
  g_autoptr (GKeyFile) from = load (bytes, SERVICE, error);
  g_autoptr (GKeyFile) to = g_key_file_new ();
  if (from == NULL)
    return NULL;
  g_autofree char *asked = read_string (from, SERVICE, SERVICE_NAME);
  if (g_strcmp0 (asked, name) != 0)
    {
      (void)hf_throw (error, HF_ERROR_UNSAFE, "its Name is not %s, as its file is called", name);
      return NULL;
    }
  g_key_file_set_string (to, SERVICE, SERVICE_NAME, name);
  return set_exec (from, to, SERVICE, target, HF_EXEC_BUS, error) ? finish (to) : NULL;
}
