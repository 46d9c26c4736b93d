/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rewriting .desktop and D-Bus service files: what a maker of images could put into them that would have
 * the host run, open or trust something.
 */
#include "core/export-entry.h"

#include "base/error.h"

#include <string.h>

#define ID      "org.test.App"
#define RUN     "/usr/bin/holdfast --user run --branch=stable --arch=x86_64 "
#define HEAD    "[Desktop Entry]\nType=Application\nName=App\n"
#define SERVICE "[D-BUS Service]\nName=" ID "\n"

typedef GBytes *(*Rewrite) (GBytes *bytes, const HfExportTarget *target, GError **error);

static GBytes *
rewrite_service (GBytes *bytes, const HfExportTarget *target, GError **error)
{
  return hf_export_service_rewrite (bytes, ID, target, error);
}

static GBytes *
rewrite (Rewrite function, const char *text, gsize length, const char *command, GError **error)
{
  g_autoptr (HfRef) ref = hf_ref_new ("app", ID, "x86_64", "stable");
  g_autoptr (GBytes) bytes = g_bytes_new_static (text, length);
  const HfExportTarget target = { "/usr/bin/holdfast", "--user", ref, command };
  return function (bytes, &target, error);
}

/* The result as a keyfile. */
static GKeyFile *
rewritten (Rewrite function, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = rewrite (function, text, strlen (text), "app", &error);
  GKeyFile *keyfile = g_key_file_new ();
  g_assert_no_error (error);
  (void)g_key_file_load_from_bytes (keyfile, bytes, G_KEY_FILE_KEEP_TRANSLATIONS, &error);
  g_assert_no_error (error);
  return keyfile;
}

static void
assert_refused (Rewrite function, const char *text, gsize length, const char *why)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = rewrite (function, text, length, NULL, &error);
  g_test_message ("%s", text);
  g_assert_null (bytes);
  g_assert_error (error, HF_ERROR, HF_ERROR_UNSAFE);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, why));
}

static void
assert_key (GKeyFile *keyfile, const char *group, const char *key, const char *expected)
{
  g_autofree char *value = g_key_file_get_string (keyfile, group, key, NULL);
  g_assert_cmpstr (value, ==, expected);
}

static void
test_whole (void)
{
  g_autoptr (GKeyFile) keyfile = rewritten (
      hf_export_entry_rewrite,
      "# a comment\n[Desktop Entry]\nVersion=1.5\nType=Application\nName=App\nName[de]=Äpp\n"
      "Name[sr@latin]=Ap\nGenericName[pt_BR]=Coisa\nComment=Does things\nIcon=" ID "\n"
      "Exec=/app/bin/app --new %U\nTerminal=false\nMimeType=text/plain;text/html;\n"
      "Categories=Utility;\nKeywords=a;b;\nKeywords[de]=c;\nStartupNotify=true\n"
      "StartupWMClass=App\nNoDisplay=false\nOnlyShowIn=GNOME;\nSingleMainWindow=true\n"
      "X-GNOME-UsesNotifications=true\nActions=new;\n\n"
      "[Desktop Action new]\nName=New\nName[fr]=Nouveau\nIcon=list-add\nExec=app --new\n");
  assert_key (keyfile, "Desktop Entry", "Exec", RUN "--command=/app/bin/app " ID " --new %U");
  assert_key (keyfile, "Desktop Entry", "Name[de]", "Äpp");
  assert_key (keyfile, "Desktop Entry", "Name[sr@latin]", "Ap");
  assert_key (keyfile, "Desktop Entry", "GenericName[pt_BR]", "Coisa");
  assert_key (keyfile, "Desktop Entry", "MimeType", "text/plain;text/html;");
  assert_key (keyfile, "Desktop Entry", "Keywords[de]", "c;");
  assert_key (keyfile, "Desktop Entry", "X-GNOME-UsesNotifications", "true");
  assert_key (keyfile, "Desktop Entry", "SingleMainWindow", "true");
  assert_key (keyfile, "Desktop Entry", "Actions", "new;");
  assert_key (keyfile, "Desktop Action new", "Exec", RUN "--command=app " ID " --new");
  assert_key (keyfile, "Desktop Action new", "Name[fr]", "Nouveau");
  assert_key (keyfile, "Desktop Action new", "Icon", "list-add");
}

/* Keys that would have a desktop start, open or trust something, and those of tomorrow. */
static void
test_dropped (void)
{
  static const char *const keys[] = { "TryExec",
                                      "Path",
                                      "DBusActivatable",
                                      "URL",
                                      "X-GNOME-Bugzilla-ExtraInfoScript",
                                      "X-GNOME-Autostart-enabled",
                                      "X-GNOME-Autostart-Phase",
                                      "X-KDE-SubstituteUID",
                                      "X-KDE-Library",
                                      "X-KDE-Shortcuts",
                                      "X-KDE-Wayland-Interfaces",
                                      "X-KDE-DBUS-Restricted-Interfaces",
                                      "X-XFCE-Commands",
                                      "X-Flatpak",
                                      "X-Unknown",
                                      "Unknown",
                                      "exec",
                                      "EXEC",
                                      "Exec[de]",
                                      "Type[de]" };
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autofree char *text = g_strconcat (HEAD "Exec=app\n", keys[i], "=/usr/bin/evil\n", NULL);
      g_autoptr (GKeyFile) keyfile = rewritten (hf_export_entry_rewrite, text);
      g_test_message ("%s", keys[i]);
      g_assert_false (g_key_file_has_key (keyfile, "Desktop Entry", keys[i], NULL));
      assert_key (keyfile, "Desktop Entry", "Exec", RUN "--command=app " ID);
    }
}

static void
test_groups (void)
{
  g_autoptr (GKeyFile) keyfile
      = rewritten (hf_export_entry_rewrite,
                   HEAD "Exec=app\nActions=good;absent;nameless;execless;bad;../x;good;\n"
                        "[Desktop Action good]\nName=Good\nExec=app %f\nTryExec=/bin/sh\nX-Run=x\n"
                        "[Desktop Action nameless]\nExec=app\n"
                        "[Desktop Action execless]\nName=Without\n"
                        "[Desktop Action bad]\nName=Bad\nExec=app %z\n"
                        "[Desktop Action ../x]\nName=Up\nExec=app\n"
                        "[Desktop Action unlisted]\nName=Hidden\nExec=evil\n"
                        "[NewWindow Shortcut Group]\nName=Old\nExec=evil\n"
                        "[X-Evil]\nExec=evil\n");
  g_auto (GStrv) groups = g_key_file_get_groups (keyfile, NULL);
  const char *const expected[] = { "Desktop Entry", "Desktop Action good", NULL };
  g_assert_cmpstrv (groups, expected);
  assert_key (keyfile, "Desktop Entry", "Actions", "good;");
  g_assert_false (g_key_file_has_key (keyfile, "Desktop Action good", "TryExec", NULL));
  g_assert_false (g_key_file_has_key (keyfile, "Desktop Action good", "X-Run", NULL));
}

/* A second [Desktop Entry] adds to the first, and the last of two keys counts: in the result there is one. */
static void
test_twice (void)
{
  g_autoptr (GKeyFile) keyfile = rewritten (
      hf_export_entry_rewrite, HEAD "Exec=one\nExec=two\n[X]\na=b\n[Desktop Entry]\nExec=three\n");
  g_autofree char *data = g_key_file_to_data (keyfile, NULL, NULL);
  const char *first = strstr (data, "Exec=");
  g_assert_null (strstr (first + 1, "Exec="));
  g_assert_null (strstr (strstr (data, "[Desktop Entry]") + 1, "[Desktop Entry]"));
  assert_key (keyfile, "Desktop Entry", "Exec", RUN "--command=three " ID);
}

static void
test_newlines (void)
{
  static const char *const keys[] = { "Name[de]", "Comment", "Icon", "Keywords", "Categories" };
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autofree char *text
          = g_strconcat (HEAD "Exec=app\n", keys[i], "=x\\nExec=/usr/bin/evil\\n[Other]\n", NULL);
      g_autoptr (GKeyFile) keyfile = rewritten (hf_export_entry_rewrite, text);
      g_assert_false (g_key_file_has_key (keyfile, "Desktop Entry", keys[i], NULL));
      assert_key (keyfile, "Desktop Entry", "Exec", RUN "--command=app " ID);
    }
  static const char smuggled[] = HEAD "Exec=app\\nExec=/usr/bin/evil\n";
  assert_refused (hf_export_entry_rewrite, smuggled, strlen (smuggled), "control characters");
  static const char carriage[] = HEAD "Exec=app\rExec=/usr/bin/evil\n";
  assert_refused (hf_export_entry_rewrite, carriage, strlen (carriage), "no text");
  g_autoptr (GKeyFile) dos = rewritten (
      hf_export_entry_rewrite, "[Desktop Entry]\r\nType=Application\r\nName=App\r\nExec=app\r\n");
  assert_key (dos, "Desktop Entry", "Exec", RUN "--command=app " ID);
}

static void
test_icons (void)
{
  g_autoptr (GKeyFile) keyfile
      = rewritten (hf_export_entry_rewrite, HEAD "Exec=app\nIcon=/home/user/secret.png\n"
                                                 "Icon[de]=../../x.png\nIcon[fr]=good-name\n");
  g_assert_false (g_key_file_has_key (keyfile, "Desktop Entry", "Icon", NULL));
  g_assert_false (g_key_file_has_key (keyfile, "Desktop Entry", "Icon[de]", NULL));
  assert_key (keyfile, "Desktop Entry", "Icon[fr]", "good-name");
}

static void
test_without_exec (void)
{
  static const char text[] = HEAD "DBusActivatable=true\n";
  g_autoptr (GKeyFile) keyfile = rewritten (hf_export_entry_rewrite, text);
  assert_key (keyfile, "Desktop Entry", "Exec", RUN ID);
  assert_refused (hf_export_entry_rewrite, text, strlen (text), "no Exec");
}

static void
test_refused (void)
{
  static const struct
  {
    const char *text, *why;
  } files[] = {
    { "", "no text" },
    { "\n\n", "does not begin" },
    { "nonsense", "no keyfile" },
    { "Exec=app\n[Desktop Entry]\n", "no keyfile" },
    { "[Desktop Entry\nExec=app\n", "no keyfile" },
    { "[Other]\nExec=app\n", "does not begin" },
    { "[X]\na=b\n" HEAD "Exec=app\n", "does not begin" },
    { "[Desktop Entry]\nName=App\nExec=app\n", "Type" },
    { "[Desktop Entry]\nType=Link\nName=App\nURL=file:///\n", "Type" },
    { "[Desktop Entry]\nType=Directory\nName=App\n", "Type" },
    { "[Desktop Entry]\nType=Application\nExec=app\n", "Name" },
    { "[Desktop Entry]\nType=Application\nName=a\\nb\nExec=app\n", "Name" },
    { HEAD "Exec=app\nName[../../x]=y\n", "no keyfile" },
    { HEAD "Exec=\n", "Exec" },
    { HEAD "Exec=%U\n", "field code" },
    { HEAD "Exec=app \"open\n", "Exec" },
    { HEAD "Exec=app\\q\n", "escape" },
    { HEAD "Exec=app\x01\n", "no text" },
    { HEAD "Exec=app\xff\n", "no text" },
    { "\xef\xbb\xbf" HEAD "Exec=app\n", "no keyfile" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    assert_refused (hf_export_entry_rewrite, files[i].text, strlen (files[i].text), files[i].why);
  static const char nul[] = HEAD "Exec=app\n\0Exec=evil\n";
  assert_refused (hf_export_entry_rewrite, nul, sizeof nul - 1, "no text");
}

/* A line that cannot be read is repeated only as far as people read it. */
static void
test_error_is_short (void)
{
  g_autofree char *line = g_strnfill (100000, 'x');
  g_autofree char *text = g_strconcat (HEAD, line, "\n", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = rewrite (hf_export_entry_rewrite, text, strlen (text), "app", &error);
  g_assert_null (bytes);
  g_assert_cmpuint (strlen (error->message), <, 300);
}

static void
test_many_keys (void)
{
  g_autoptr (GString) text = g_string_new (HEAD "Exec=app\nActions=");
  for (guint i = 0; i < 1000; i++)
    g_string_append_printf (text, "a%u;", i);
  g_string_append_c (text, '\n');
  for (guint i = 0; i < 1000; i++)
    g_string_append_printf (text, "[Desktop Action a%u]\nName=A\nExec=app\n", i);
  g_autoptr (GKeyFile) keyfile = rewritten (hf_export_entry_rewrite, text->str);
  g_auto (GStrv) groups = g_key_file_get_groups (keyfile, NULL);
  g_assert_cmpuint (g_strv_length (groups), <, 100);
}

static void
test_service (void)
{
  g_autoptr (GKeyFile) keyfile
      = rewritten (rewrite_service, SERVICE "Exec=/app/bin/app --service 100%\nUser=root\n"
                                            "SystemdService=evil.service\n"
                                            "AssumedAppArmorLabel=unconfined\n"
                                            "[Other]\nExec=evil\n");
  g_auto (GStrv) groups = g_key_file_get_groups (keyfile, NULL);
  g_auto (GStrv) keys = g_key_file_get_keys (keyfile, "D-BUS Service", NULL, NULL);
  g_assert_cmpuint (g_strv_length (groups), ==, 1);
  g_assert_cmpuint (g_strv_length (keys), ==, 2);
  assert_key (keyfile, "D-BUS Service", "Name", ID);
  assert_key (keyfile, "D-BUS Service", "Exec", RUN "--command=/app/bin/app " ID " --service 100%");
}

static void
test_service_refused (void)
{
  static const char *const files[] = {
    "[D-BUS Service]\nName=org.freedesktop.Notifications\nExec=app\n",
    "[D-BUS Service]\nName=" ID ".Other\nExec=app\n",
    "[D-BUS Service]\nExec=app\n",
    "[D-BUS Service]\nName=" ID "\\n\nExec=app\n",
    "[Desktop Entry]\nName=" ID "\nExec=app\n",
    SERVICE "Exec=\n",
    SERVICE "Exec='open\n",
    SERVICE,
  };
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    assert_refused (rewrite_service, files[i], strlen (files[i]), "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/export-entry/all that is useful is kept", test_whole);
  g_test_add_func ("/export-entry/keys that are not known to be harmless go", test_dropped);
  g_test_add_func ("/export-entry/groups but the entry and its actions go", test_groups);
  g_test_add_func ("/export-entry/of two there is one", test_twice);
  g_test_add_func ("/export-entry/nothing smuggles a line", test_newlines);
  g_test_add_func ("/export-entry/icons are names", test_icons);
  g_test_add_func ("/export-entry/without a command line it is the image's own", test_without_exec);
  g_test_add_func ("/export-entry/what makes no sense is refused", test_refused);
  g_test_add_func ("/export-entry/an error is short", test_error_is_short);
  g_test_add_func ("/export-entry/many actions are bounded", test_many_keys);
  g_test_add_func ("/export-entry/a D-Bus service", test_service);
  g_test_add_func ("/export-entry/a D-Bus service of another", test_service_refused);
  return g_test_run ();
}
