/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an application may be called outside of its image: nothing that another, or the system, is.
 */
#include "core/export-name.h"

#include "base/error.h"

#define ID "org.test.App"

static const struct
{
  const char *path;
  HfExportKind kind;
} taken[] = {
  { "share/applications/org.test.App.desktop", HF_EXPORT_ENTRY },
  { "share/applications/org.test.App.Settings.desktop", HF_EXPORT_ENTRY },
  { "share/applications/org.test.App-settings.desktop", HF_EXPORT_ENTRY },
  { "share/dbus-1/services/org.test.App.service", HF_EXPORT_SERVICE },
  { "share/dbus-1/services/org.test.App.Deep-er._2nd.service", HF_EXPORT_SERVICE },
  { "share/icons/hicolor/48x48/apps/org.test.App.png", HF_EXPORT_AS_IT_IS },
  { "share/icons/hicolor/48x48@2/apps/org.test.App-symbolic.svg", HF_EXPORT_AS_IT_IS },
  { "share/icons/hicolor/scalable/apps/org.test.App.svgz", HF_EXPORT_AS_IT_IS },
  { "share/icons/Other/16x16/mimetypes/org.test.App.document.ico", HF_EXPORT_AS_IT_IS },
  { "share/metainfo/org.test.App.metainfo.xml", HF_EXPORT_AS_IT_IS },
  { "share/appdata/org.test.App.appdata.xml", HF_EXPORT_AS_IT_IS },
  { "share/mime/packages/org.test.App.xml", HF_EXPORT_AS_IT_IS },
  { "share/man/man1/org.test.App.1", HF_EXPORT_AS_IT_IS },
  { "share/man/man6/org.test.App-game.6.gz", HF_EXPORT_AS_IT_IS },
  { "share/man/pt_BR/man1/org.test.App.1", HF_EXPORT_AS_IT_IS },
};

static void
test_taken (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (taken); i++)
    {
      HfExportKind kind;
      g_autoptr (GError) error = NULL;
      g_test_message ("%s", taken[i].path);
      (void)!hf_export_name_check (taken[i].path, ID, &kind, &error);
      g_assert_no_error (error);
      g_assert_cmpint (kind, ==, taken[i].kind);
      g_assert_cmpint (hf_export_name_kind (taken[i].path), ==, taken[i].kind);
      g_autofree char *stem = hf_export_name_stem (taken[i].path);
      g_assert_true (hf_export_name_belongs (stem, ID));
    }
}

static const char *const refused[] = {
  /* Somebody else's. */
  "share/applications/firefox.desktop",
  "share/applications/org.test.Other.desktop",
  "share/applications/org.test.Application.desktop",
  "share/applications/org.test.App_2.desktop",
  "share/applications/org.test.App2.desktop",
  "share/applications/org.test.desktop",
  "share/applications/ORG.TEST.APP.desktop",
  "share/applications/.org.test.App.desktop",
  "share/dbus-1/services/org.freedesktop.Notifications.service",
  "share/dbus-1/services/org.test.App-other.service",
  "share/dbus-1/services/org.test.App..Two.service",
  "share/dbus-1/services/org.test.App.2nd.service",
  "share/dbus-1/services/org.test.App..service",
  "share/dbus-1/services/org.mpris.MediaPlayer2.org.test.App.service",
  "share/icons/hicolor/48x48/apps/folder.png",
  "share/icons/hicolor/index.theme",
  "share/man/man1/ls.1",
  /* Other endings, and none. */
  "share/applications/org.test.App.desktop~",
  "share/applications/org.test.App.service",
  "share/applications/org.test.App",
  "share/applications/.desktop",
  "share/icons/hicolor/48x48/apps/org.test.App.cache",
  "share/icons/hicolor/48x48/apps/org.test.App.gif",
  "share/mime/packages/org.test.App.desktop",
  "share/man/man1/org.test.App.2",
  "share/man/man1/org.test.App.1.xz",
  "share/man/org.test.App.1",
  "share/man/manual/org.test.App.1",
  /* Other places. */
  "org.test.App.desktop",
  "bin/org.test.App",
  "share/org.test.App.desktop",
  "share/applications/sub/org.test.App.desktop",
  "share/dbus-1/system-services/org.test.App.service",
  "share/systemd/user/org.test.App.service",
  "share/mime/org.test.App.xml",
  "share/gnome-shell/search-providers/org.test.App.ini",
  "lib/org.test.App.so",
  /* No names at all. */
  "",
  "/",
  "share/applications/",
  "/share/applications/org.test.App.desktop",
  "share//applications/org.test.App.desktop",
  "share/applications/../applications/org.test.App.desktop",
  "share/icons/../applications/org.test.App.png",
  "share/icons/./org.test.App.png",
  "share/applications/org.test.App.a b.desktop",
  "share/applications/org.test.App.\n.desktop",
  "share/applications/org.test.App.\xff.desktop",
  "share/applications/org.test.App.ä.desktop",
  "share/applications/org.test.App.%f.desktop",
  "share/icons/a/b/c/d/e/f/g/org.test.App.png",
};

static void
test_refused (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      HfExportKind kind;
      g_autoptr (GError) error = NULL;
      g_test_message ("%s", refused[i]);
      g_assert_false (hf_export_name_check (refused[i], ID, &kind, &error));
      g_assert_error (error, HF_ERROR, HF_ERROR_UNSAFE);
    }
}

static void
test_too_long (void)
{
  HfExportKind kind;
  g_autofree char *filler = g_strnfill (600, 'a');
  g_autofree char *path
      = g_strconcat ("share/applications/org.test.App.", filler, ".desktop", NULL);
  g_assert_false (hf_export_name_check (path, ID, &kind, NULL));
}

static void
test_directories (void)
{
  static const char *const go_on[] = { "share",
                                       "share/applications",
                                       "share/dbus-1",
                                       "share/dbus-1/services",
                                       "share/icons",
                                       "share/icons/hicolor/48x48/apps",
                                       "share/mime",
                                       "share/mime/packages",
                                       "share/man/de/man1",
                                       "share/metainfo" };
  static const char *const stop[] = { "lib",
                                      "share/applications/sub",
                                      "share/dbus-1/system-services",
                                      "share/iconsets",
                                      "share/mime/text",
                                      "etc",
                                      "shared",
                                      "share/icons/.hidden",
                                      "share/icons/a b" };
  static const char *const silent[]
      = { "bin", "share/gnome-shell", "share/gnome-shell/search-providers" };
  for (gsize i = 0; i < G_N_ELEMENTS (go_on); i++)
    g_assert_cmpint (hf_export_dir_check (go_on[i]), ==, HF_EXPORT_DIR_TAKEN);
  for (gsize i = 0; i < G_N_ELEMENTS (stop); i++)
    g_assert_cmpint (hf_export_dir_check (stop[i]), ==, HF_EXPORT_DIR_REFUSED);
  for (gsize i = 0; i < G_N_ELEMENTS (silent); i++)
    g_assert_cmpint (hf_export_dir_check (silent[i]), ==, HF_EXPORT_DIR_IGNORED);
}

/* The wrapper is ours, and none that an image brings. */
static void
test_wrapper (void)
{
  g_assert_cmpint (hf_export_name_kind ("bin/org.test.App"), ==, HF_EXPORT_WRAPPER);
  g_autofree char *stem = hf_export_name_stem ("bin/org.test.App");
  g_assert_cmpstr (stem, ==, ID);
}

static void
test_caches (void)
{
  g_assert_cmpint (hf_export_name_cache (taken[0].path), ==, HF_CACHE_DESKTOP);
  g_assert_cmpint (hf_export_name_cache (taken[5].path), ==, HF_CACHE_ICONS);
  g_assert_cmpint (hf_export_name_cache (taken[11].path), ==, HF_CACHE_MIME);
  g_assert_cmpint (hf_export_name_cache (taken[3].path), ==, 0);
  g_assert_cmpint (hf_export_name_cache ("owners/org.test.App"), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/export-name/what belongs to the ID is taken", test_taken);
  g_test_add_func ("/export-name/nothing else is", test_refused);
  g_test_add_func ("/export-name/nor what is too long", test_too_long);
  g_test_add_func ("/export-name/directories", test_directories);
  g_test_add_func ("/export-name/the wrapper", test_wrapper);
  g_test_add_func ("/export-name/caches that a name spoils", test_caches);
  return g_test_run ();
}
