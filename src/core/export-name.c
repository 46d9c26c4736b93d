/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The names that an application may have outside of its image: those that are its ID, or begin with
 * it and a dot or a dash, with one of the endings that belong to their directory.  So no application
 * can take the place of another, or of anything of the system's.
 */
#include "export-name.h"

#include "base/error.h"
#include "layout.h"

#include <string.h>

#define MOST_BYTES      512 /* of a path */
#define MOST_COMPONENTS 8   /* of a path; share/icons/hicolor/48x48@2/apps/ID.png has six */
#define ENDINGS         4

typedef struct
{
  const char *dir;
  gboolean deep; /* directories may follow */
  HfExportKind kind;
  const char *endings[ENDINGS]; /* none: that of the section, as manual pages have it */
} Place;

static const Place places[] = {
  { HF_EXPORT_DESKTOP, FALSE, HF_EXPORT_ENTRY, { ".desktop" } },
  { HF_EXPORT_SERVICES, FALSE, HF_EXPORT_SERVICE, { ".service" } },
  { HF_EXPORT_ICONS, TRUE, HF_EXPORT_AS_IT_IS, { ".png", ".svg", ".svgz", ".ico" } },
  { HF_EXPORT_METAINFO, FALSE, HF_EXPORT_AS_IT_IS, { ".xml" } },
  { HF_EXPORT_APPDATA, FALSE, HF_EXPORT_AS_IT_IS, { ".xml" } },
  { HF_EXPORT_PACKAGES, FALSE, HF_EXPORT_AS_IT_IS, { ".xml" } },
  { HF_EXPORT_MAN, TRUE, HF_EXPORT_AS_IT_IS, { NULL } },
};

/* An image's programs are run in the sandbox only, by a wrapper of ours; and a search provider is asked
 * over D-Bus, which reaches no sandbox yet: each search of the user's would start it in vain. */
static const char *const ignored[] = { HF_EXPORT_WRAPPERS, HF_EXPORT_SHARE "/gnome-shell" };

/* Whether @path is @dir or lies below it. */
static gboolean
is_within (const char *path, const char *dir)
{
  gsize length = strlen (dir);
  return strncmp (path, dir, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static const Place *
find_place (const char *dir)
{
  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    if (places[i].deep ? is_within (dir, places[i].dir) : strcmp (dir, places[i].dir) == 0)
      return &places[i];
  return NULL;
}

/**
 * hf_export_name_is_valid:
 * @path: any text
 *
 * Returns: whether it is a relative path of few and harmless characters, as all that is exported has
 */
gboolean
hf_export_name_is_valid (const char *path)
{
  guint components = 1;
  for (const char *at = path; *at != '\0'; at++)
    {
      gboolean first = at == path || at[-1] == '/';
      if (*at == '/' ? first || ++components > MOST_COMPONENTS
                     : !g_ascii_isalnum (*at) && (first || strchr ("._+-@", *at) == NULL))
        return FALSE;
    }
  gsize length = strlen (path);
  return length > 0 && length <= MOST_BYTES && path[length - 1] != '/';
}

/**
 * hf_export_dir_check:
 * @path: a directory below an image's export/
 *
 * Returns: whether what is in it may be exported
 */
HfExportDir
hf_export_dir_check (const char *path)
{
  for (gsize i = 0; i < G_N_ELEMENTS (ignored); i++)
    if (is_within (path, ignored[i]))
      return HF_EXPORT_DIR_IGNORED;
  if (!hf_export_name_is_valid (path))
    return HF_EXPORT_DIR_REFUSED;
  if (find_place (path) != NULL)
    return HF_EXPORT_DIR_TAKEN;
  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    if (is_within (places[i].dir, path))
      return HF_EXPORT_DIR_TAKEN;
  return HF_EXPORT_DIR_REFUSED;
}

/* Of share/man/man1 or share/man/de/man1: "1".  %NULL if it is no section. */
static const char *
section_of (const char *dir)
{
  const char *last = strrchr (dir, '/');
  if (last == NULL || strncmp (last, "/man", 4) != 0 || !g_ascii_isdigit (last[4])
      || last[5] != '\0')
    return NULL;
  return last + 4;
}

/* How long the ending of @name is that belongs to @place; 0 if it has none. */
static gsize
ending_of (const Place *place, const char *dir, const char *name)
{
  if (place->endings[0] != NULL)
    {
      for (gsize i = 0; i < ENDINGS && place->endings[i] != NULL; i++)
        if (g_str_has_suffix (name, place->endings[i]))
          return strlen (place->endings[i]);
      return 0;
    }
  const char *section = section_of (dir);
  if (section == NULL)
    return 0;
  g_autofree char *plain = g_strconcat (".", section, NULL);
  g_autofree char *compressed = g_strconcat (plain, ".gz", NULL);
  return g_str_has_suffix (name, plain)        ? strlen (plain)
         : g_str_has_suffix (name, compressed) ? strlen (compressed)
                                               : 0;
}

typedef struct
{
  const Place *place; /* %NULL: a wrapper */
  char *stem;         /* owned; the name without its ending */
} Parsed;

static void
parsed_clear (Parsed *parsed)
{
  g_clear_pointer (&parsed->stem, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Parsed, parsed_clear)

static gboolean
parse (const char *path, Parsed *out)
{
  const char *slash = strrchr (path, '/');
  if (slash == NULL || !hf_export_name_is_valid (path))
    return FALSE;
  g_autofree char *dir = g_strndup (path, (gsize)(slash - path));
  const char *name = slash + 1;
  out->place = find_place (dir);
  if (out->place == NULL && strcmp (dir, HF_EXPORT_WRAPPERS) != 0)
    return FALSE;
  gsize ending = out->place == NULL ? 0 : ending_of (out->place, dir, name);
  if ((out->place != NULL && ending == 0) || ending >= strlen (name))
    return FALSE;
  out->stem = g_strndup (name, strlen (name) - ending);
  return TRUE;
}

/**
 * hf_export_name_belongs:
 * @stem: from hf_export_name_stem()
 * @id: an ID
 *
 * Returns: whether an application of @id may have it
 */
gboolean
hf_export_name_belongs (const char *stem, const char *id)
{
  gsize length = strlen (id);
  return strncmp (stem, id, length) == 0
         && (stem[length] == '\0' || stem[length] == '.' || stem[length] == '-');
}

/* What follows an ID, which is a name on D-Bus by itself: nothing, or further elements. */
static gboolean
are_bus_elements (const char *text)
{
  for (; *text != '\0'; text++)
    if (*text == '.' ? text[1] == '\0' || text[1] == '.' || g_ascii_isdigit (text[1])
                     : !g_ascii_isalnum (*text) && *text != '_' && *text != '-')
      return FALSE;
  return TRUE;
}

/**
 * hf_export_name_check:
 * @path: of a file below an image's export/
 * @id: the image's ID
 * @out_kind: (out): how it is exported
 *
 * A D-Bus service's file has the name that the service asks for, which is the ID or begins with it and a
 * dot, as for a sandbox no other can be meant; see the D-Bus specification, "Valid Names".
 *
 * Returns: %FALSE with %HF_ERROR_UNSAFE, whose message says why it cannot be exported
 */
gboolean
hf_export_name_check (const char *path, const char *id, HfExportKind *out_kind, GError **error)
{
  g_auto (Parsed) parsed = { NULL };
  if (!parse (path, &parsed) || parsed.place == NULL)
    return hf_throw (error, HF_ERROR_UNSAFE,
                     "its name has not the characters or not the ending that files there have");
  *out_kind = parsed.place->kind;
  if (!hf_export_name_belongs (parsed.stem, id))
    return hf_throw (error, HF_ERROR_UNSAFE, "its name does not begin with %s", id);
  if (parsed.place->kind == HF_EXPORT_SERVICE
      && (parsed.stem[strlen (id)] == '-' || !are_bus_elements (parsed.stem + strlen (id))))
    return hf_throw (error, HF_ERROR_UNSAFE, "%s is no name of %s on D-Bus", parsed.stem, id);
  return TRUE;
}

/**
 * hf_export_name_stem:
 * @path: of something that is exported
 *
 * Returns: (transfer full) (nullable): its name without directories and ending, or %NULL if nothing of
 *   this name can be exported
 */
char *
hf_export_name_stem (const char *path)
{
  g_auto (Parsed) parsed = { NULL };
  return parse (path, &parsed) ? g_steal_pointer (&parsed.stem) : NULL;
}

/**
 * hf_export_name_kind:
 * @path: of something that is exported
 *
 * Returns: how it is exported
 */
HfExportKind
hf_export_name_kind (const char *path)
{
  g_auto (Parsed) parsed = { NULL };
  return !parse (path, &parsed) ? HF_EXPORT_AS_IT_IS
         : parsed.place == NULL ? HF_EXPORT_WRAPPER
                                : parsed.place->kind;
}

/**
 * hf_export_name_cache:
 * @path: of something that is exported
 *
 * Returns: the cache that has to be made anew when it changes, or 0
 */
HfExportCache
hf_export_name_cache (const char *path)
{
  return is_within (path, HF_EXPORT_DESKTOP)    ? HF_CACHE_DESKTOP
         : is_within (path, HF_EXPORT_ICONS)    ? HF_CACHE_ICONS
         : is_within (path, HF_EXPORT_PACKAGES) ? HF_CACHE_MIME
                                                : 0;
}

/**
 * hf_export_cache_dir:
 * @cache: one of them
 *
 * Returns: the path below exports/ of the directory in which it is, and whose mode says whether it is out
 *   of date
 */
const char *
hf_export_cache_dir (HfExportCache cache)
{
  return cache == HF_CACHE_DESKTOP ? HF_EXPORT_DESKTOP
         : cache == HF_CACHE_ICONS ? HF_EXPORT_ICONS
                                   : HF_EXPORT_MIME;
}
