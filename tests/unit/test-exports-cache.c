/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Caches of what is exported: known to be out of date by every change of what they are made of, and taken only
 * if they are of what there is.
 */
#include "core/exports-cache.h"

#include "exporting.h"

#include <string.h>

static guint
stale (HfInstallation *installation)
{
  return hf_caches_any_stale (installation);
}

static HfStaleCaches
look (HfInstallation *installation)
{
  HfStaleCaches caches;
  g_autoptr (GError) error = NULL;
  (void)!hf_caches_look (installation, &caches, &error);
  g_assert_no_error (error);
  return caches;
}

static void
replace (HfInstallation *installation, const HfStaleCaches *caches, const char *path,
         const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_cache_file_free);
  if (path != NULL)
    {
      HfCacheFile *file = g_new0 (HfCacheFile, 1);
      file->path = g_strdup (path);
      file->contents = g_bytes_new (text, strlen (text));
      g_ptr_array_add (files, file);
    }
  (void)!hf_caches_replace (installation, caches, files, &error);
  g_assert_no_error (error);
}

/* A change of anything that a cache is made of marks it, and only that. */
static void
test_stale (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  configure (installation, "keep-previous=0");
  g_autofree char *plain = deploy_exporting (installation, PLAIN, 'a', "bin/org.test.Plain");
  g_assert_cmpuint (stale (installation), ==, 0);
  g_autofree char *first = deploy_exporting (installation, APP, 'a', ENTRY " " ICON);
  g_assert_cmpuint (stale (installation), ==, HF_CACHE_DESKTOP | HF_CACHE_ICONS);
  HfStaleCaches caches = look (installation);
  replace (installation, &caches, "share/applications/mimeinfo.cache", "one");
  g_assert_cmpuint (stale (installation), ==, 0);
  assert_leads (installation, "share/applications/mimeinfo.cache", "one");
  /* The names are the same, what they lead to is not. */
  g_autofree char *second = deploy_exporting (installation, APP, 'b', ENTRY " " ICON);
  g_assert_cmpuint (stale (installation), ==, HF_CACHE_DESKTOP | HF_CACHE_ICONS);
  caches = look (installation);
  replace (installation, &caches, NULL, NULL);
  assert_leads (installation, "share/applications/mimeinfo.cache", NULL);
  g_assert_cmpuint (stale (installation), ==, 0);
  g_autofree char *other = deploy_exporting (installation, PLAIN, 'b', "bin/org.test.Plain");
  g_assert_cmpuint (stale (installation), ==, 0);
}

/* What was made while something changed is of no use. */
static void
test_late (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *first = deploy_exporting (installation, APP, 'a', ENTRY);
  HfStaleCaches caches = look (installation);
  g_autofree char *second = deploy_exporting (installation, APP, 'b', ENTRY);
  replace (installation, &caches, "share/applications/mimeinfo.cache", "late");
  assert_leads (installation, "share/applications/mimeinfo.cache", NULL);
  g_assert_cmpuint (stale (installation), ==, HF_CACHE_DESKTOP);
}

/* Only files of caches, whatever comes out of the sandbox. */
static void
test_forged (Fixture *fixture, gconstpointer data)
{
  static const char *const forged[] = { "share/applications/evil.desktop",
                                        ENTRY,
                                        "../config",
                                        "owners/org.test.App",
                                        "share/icons/evil/icon-theme.cache",
                                        "share/icons/icon-theme.cache",
                                        "share/icons/hicolor/48x48/icon-theme.cache",
                                        "share/mime/packages/evil.xml",
                                        "share/mime/evil",
                                        "share/mime/../../../config.xml",
                                        "share/mime/a/b/c.xml",
                                        "/etc/passwd",
                                        "bin/ls" };
  HfInstallation *installation = fixture->installation;
  g_autofree char *first = deploy_exporting (
      installation, APP, 'a', ENTRY " " ICON " share/mime/packages/org.test.App.xml");
  for (gsize i = 0; i < G_N_ELEMENTS (forged); i++)
    {
      HfStaleCaches caches = { .stale = HF_CACHE_DESKTOP | HF_CACHE_ICONS | HF_CACHE_MIME };
      g_autofree char *again
          = deploy_exporting (installation, APP, (char)('b' + i % 4),
                              ENTRY " " ICON " share/mime/packages/org.test.App.xml");
      caches = look (installation);
      replace (installation, &caches, forged[i], "evil");
      g_autofree char *text = read_name (installation, forged[i]);
      g_test_message ("%s", forged[i]);
      g_assert_cmpstr (text, !=, "evil");
      g_assert_cmpuint (stale (installation), ==, 0);
    }
  g_assert_false (exists (installation->root_fd, HF_EXPORTS_DIR "/share/icons/evil"));
}

/* With the last name its caches go, and their directories. */
static void
test_last (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  g_autofree char *first
      = deploy_exporting (installation, APP, 'a', ENTRY " share/mime/packages/org.test.App.xml");
  HfStaleCaches caches = look (installation);
  replace (installation, &caches, "share/mime/text/x-test.xml", "<type/>");
  assert_leads (installation, "share/mime/text/x-test.xml", "<type/>");
  undeploy (installation, APP);
  assert_leads (installation, "share/mime/text/x-test.xml", "<type/>");
  caches = look (installation);
  g_assert_cmpuint (caches.stale, ==, HF_CACHE_MIME); /* the other directory has gone */
  replace (installation, &caches, NULL, NULL);
  assert_empty (installation);
}

/* GTK takes a cache of icons for out of date if it is older than the directory of the theme. */
static void
test_icon_times (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  const char *theme = HF_EXPORTS_DIR "/share/icons/hicolor";
  const char *cache = HF_EXPORTS_DIR "/share/icons/hicolor/icon-theme.cache";
  struct stat dir, file;
  g_autofree char *first = deploy_exporting (installation, APP, 'a', ICON);
  HfStaleCaches caches = look (installation);
  replace (installation, &caches, "share/icons/hicolor/icon-theme.cache", "icons");
  g_assert_no_errno (fstatat (installation->root_fd, theme, &dir, 0));
  g_assert_no_errno (fstatat (installation->root_fd, cache, &file, 0));
  g_assert_cmpint (file.st_mtim.tv_sec, ==, dir.st_mtim.tv_sec);
  g_assert_cmpint (file.st_mtim.tv_nsec, ==, dir.st_mtim.tv_nsec);
  /* A new name in a directory below the theme's changes no time of the theme's own. */
  g_autofree char *second = deploy_exporting (
      installation, APP, 'b', "share/icons/hicolor/48x48/apps/org.test.App-2.png " ICON);
  g_assert_no_errno (fstatat (installation->root_fd, theme, &dir, 0));
  g_assert_true (
      dir.st_mtim.tv_sec > file.st_mtim.tv_sec
      || (dir.st_mtim.tv_sec == file.st_mtim.tv_sec && dir.st_mtim.tv_nsec > file.st_mtim.tv_nsec));
}

#define ADD(name, function)                                                                        \
  g_test_add ("/exports-cache/" name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("caches are known to be out of date", test_stale);
  ADD ("a cache that comes late is not taken", test_late);
  ADD ("nothing but caches is taken", test_forged);
  ADD ("caches go with the last name", test_last);
  ADD ("a cache of icons is as old as its theme", test_icon_times);
  return g_test_run ();
}
