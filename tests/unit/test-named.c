/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The files that name installations: what is believed, in which order, and that what is not is told of and harms
 * nothing else.
 */
#include "core/named.h"

#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONF_DIR HF_SYSCONF_NAME "/" HF_NAMED_DIR

static HfNamedList *
parse (const char *text)
{
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));
  HfNamedList *list = hf_named_list_new ();
  hf_named_list_parse (list, "a.conf", bytes);
  return list;
}

/* The names, with spaces between them. */
static void
assert_names (const HfNamedList *list, const char *expected, guint problems)
{
  g_autoptr (GString) names = g_string_new (NULL);
  for (guint i = 0; i < list->all->len; i++)
    g_string_append_printf (names, "%s%s", i > 0 ? " " : "",
                            ((const HfNamed *)list->all->pdata[i])->name);
  for (guint i = 0; i < list->problems->len; i++)
    g_test_message ("%s", (const char *)list->problems->pdata[i]);
  g_assert_cmpstr (names->str, ==, expected);
  g_assert_cmpuint (list->problems->len, ==, problems);
}

static void
assert_problem (const HfNamedList *list, const char *source, const char *why)
{
  for (guint i = 0; i < list->problems->len; i++)
    if (strstr (list->problems->pdata[i], source) != NULL
        && strstr (list->problems->pdata[i], why) != NULL)
      return;
  g_test_message ("no problem of %s with %s", source, why);
  g_test_fail ();
}

static void
test_keys (void)
{
  g_autoptr (HfNamedList) list = parse ("# a comment\n"
                                        "[Installation \"extra-1.b_c\"]\n"
                                        "path=/srv//extra/\n"
                                        "display-name=Extra \303\244\n"
                                        "priority=-7\n"
                                        "[Installation \"2\"]\n"
                                        "path=/srv/two\n");
  assert_names (list, "extra-1.b_c 2", 0);
  const HfNamed *first = hf_named_list_find (list, "extra-1.b_c");
  g_assert_cmpstr (first->path, ==, "/srv/extra");
  g_assert_cmpstr (first->display_name, ==, "Extra \303\244");
  g_assert_cmpint (first->priority, ==, -7);
  g_assert_cmpstr (first->source, ==, "a.conf");
  const HfNamed *second = hf_named_list_find (list, "2");
  g_assert_null (second->display_name);
  g_assert_cmpint (second->priority, ==, 0);
  g_assert_null (hf_named_list_find (list, "3"));
}

static void
test_nothing (void)
{
  g_autoptr (HfNamedList) empty = parse ("");
  g_autoptr (HfNamedList) comment = parse ("# nothing\n");
  assert_names (empty, "", 0);
  assert_names (comment, "", 0);
}

/* One group that is wrong harms only itself. */
static void
test_refused (void)
{
  static const struct
  {
    const char *group, *why;
  } cases[] = {
    { "[Installation]\npath=/a\n", "is not [Installation \"NAME\"]" },
    { "[Installation \"]\npath=/a\n", "is not [Installation \"NAME\"]" },
    { "[Installation \"a\"b]\npath=/a\n", "is not [Installation \"NAME\"]" },
    { "[Installation \"\"]\npath=/a\n", "no name" },
    { "[Installation \"-a\"]\npath=/a\n", "no name" },
    { "[Installation \".\"]\npath=/a\n", "no name" },
    { "[Installation \"a/b\"]\npath=/a\n", "no name" },
    { "[Installation \"a b\"]\npath=/a\n", "no name" },
    { "[Installation \"\303\244\"]\npath=/a\n", "no name" },
    { "[Installation "
      "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]\npath=/a\n",
      "64 at most" },
    { "[Installation \"user\"]\npath=/a\n", "taken" },
    { "[Installation \"system\"]\npath=/a\n", "taken" },
    { "[Installation \"a\"]\n", "no path" },
    { "[Installation \"a\"]\npath=\n", "path is empty" },
    { "[Installation \"a\"]\npath=srv\n", "slash" },
    { "[Installation \"a\"]\npath=/\n", "root directory" },
    { "[Installation \"a\"]\npath=/srv/..\n", "root directory" },
    { "[Installation \"a\"]\npath=/a\\nb\n", "control" },
    { "[Installation \"a\"]\npath=/a\\q\n", "path: " },
    { "[Installation \"a\"]\npath=/a\npath=/b\n", "twice" },
    { "[Installation \"a\"]\npath=/a\ndisplay-name=b\ndisplay-name=c\n", "twice" },
    { "[Installation \"a\"]\npath=/a\ndisplay-name=\\t\n", "display-name" },
    { "[Installation \"a\"]\npath=/a\npriority=high\n", "priority" },
    { "[Installation \"a\"]\npath=/a\npriority=1.5\n", "priority" },
    { "[Installation \"a\"]\npath=/a\npriority=99999999999\n", "priority" },
    { "[Installation \"a\"]\npath=/a\nPath=/b\n", "'Path' is no key" },
    { "[Installation \"a\"]\npath=" HF_SYSTEM_INSTALLATION "\n", "overlap" },
    { "[Installation \"a\"]\npath=" HF_SYSTEM_INSTALLATION "/deploy/x\n", "overlap" },
    { "[Installation \"a\"]\npath=/var/lib\n", "overlap" },
    { "[Installation \"a\"]\npath=/good\n", "overlap" },
    { "[Installation \"a\"]\npath=/good/below\n", "overlap" },
    { "[Other]\npath=/a\n", "is not [Installation \"NAME\"]" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strconcat ("[Installation \"good\"]\npath=/good\n", cases[i].group,
                                           "[Installation \"fine\"]\npath=/goodness\n", NULL);
      g_test_message ("%s", cases[i].group);
      g_autoptr (HfNamedList) list = parse (text);
      assert_names (list, "good fine", 1);
      assert_problem (list, "a.conf", cases[i].why);
    }
}

static void
test_no_keyfile (void)
{
  static const char *const texts[] = { "nonsense", "[Installation \"a\"\n", "\303", "path=/a\n" };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (HfNamedList) list = parse (texts[i]);
      assert_names (list, "", 1);
      assert_problem (list, "a.conf", "keyfile");
    }
}

static void
test_first_counts (void)
{
  g_autoptr (HfNamedList) list = parse ("[Installation \"a\"]\npath=/a\n");
  g_autoptr (GBytes) later = g_bytes_new_static ("[Installation \"a\"]\npath=/b\n", 28);
  hf_named_list_parse (list, "b.conf", later);
  assert_names (list, "a", 1);
  assert_problem (list, "b.conf", "a.conf has that name");
  g_assert_cmpstr (hf_named_list_find (list, "a")->path, ==, "/a");
}

/* --- Files ------------------------------------------------------------------------------------------ */

static void
put_conf (const Fixture *fixture, const char *name, const char *installation, int priority)
{
  g_autofree char *path = g_build_filename (CONF_DIR, name, NULL);
  g_autofree char *text = g_strdup_printf ("[Installation \"%s\"]\npath=/srv/%s\npriority=%d\n",
                                           installation, installation, priority);
  put_file (fixture->dir_fd, path, text, 0644);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture_set_up_empty (fixture, data);
  put_dir (fixture->dir_fd, HF_SYSCONF_NAME, 0755);
  put_dir (fixture->dir_fd, CONF_DIR, 0755);
}

static void
test_absent (Fixture *fixture, gconstpointer data)
{
  g_autofree char *nowhere = g_build_filename (fixture->dir, "nowhere", NULL);
  g_autoptr (HfNamedList) without = hf_named_list_load (nowhere);
  assert_names (without, "", 0);
  g_autoptr (HfNamedList) empty = hf_named_list_load (fixture->dir);
  assert_names (empty, "", 0);
  put_dir (fixture->dir_fd, HF_SYSCONF_NAME, 0755);
  g_autoptr (HfNamedList) half = hf_named_list_load (fixture->dir);
  /* Others than root are not believed that there is nothing. */
  assert_names (half, "", geteuid () == 0 ? 0 : 1);
}

static void
test_order (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("it is about root's files"))
    return;
  put_conf (fixture, "10.conf", "b", 0);
  put_conf (fixture, "20.conf", "c", 5);
  put_conf (fixture, "30.conf", "a", 0);
  put_conf (fixture, "40.conf", "d", -1);
  put_conf (fixture, "50.conf", "c", 9);
  put_conf (fixture, ".hidden.conf", "hidden", 0);
  put_conf (fixture, "e.conf~", "backup", 0);
  put_conf (fixture, "e.conf.dpkg-new", "package", 0);
  g_autoptr (HfNamedList) list = hf_named_list_load (fixture->dir);
  assert_names (list, "c a b d", 1);
  assert_problem (list, "50.conf", "20.conf");
}

/* What others than root can write is not believed: the file, and every directory on the way. */
static void
test_untrusted (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("it is about root's files"))
    return;
  static const struct
  {
    const char *path;
    uid_t uid;
    mode_t mode;
    const char *names;
  } cases[] = {
    { CONF_DIR "/10.conf", 0, 0664, "b" },
    { CONF_DIR "/10.conf", 0, 0646, "b" },
    { CONF_DIR "/10.conf", 1, 0644, "b" },
    { CONF_DIR "/10.conf", 0, 0600, "a b" },
    { CONF_DIR, 0, 0775, "" },
    { CONF_DIR, 0, 01777, "" },
    { CONF_DIR, 1, 0755, "" },
    { CONF_DIR, 0, 0700, "a b" },
    { HF_SYSCONF_NAME, 0, 0757, "" },
    { HF_SYSCONF_NAME, 1, 0755, "" },
  };
  put_conf (fixture, "10.conf", "a", 0);
  put_conf (fixture, "20.conf", "b", 0);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      struct stat before;
      const char *path = cases[i].path;
      g_test_message ("%s %u %o", path, cases[i].uid, cases[i].mode);
      g_assert_no_errno (fstatat (fixture->dir_fd, path, &before, 0));
      g_assert_no_errno (fchownat (fixture->dir_fd, path, cases[i].uid, 0, 0));
      g_assert_no_errno (fchmodat (fixture->dir_fd, path, cases[i].mode, 0));
      g_autoptr (HfNamedList) list = hf_named_list_load (fixture->dir);
      gboolean fine = strcmp (cases[i].names, "a b") == 0;
      assert_names (list, cases[i].names, fine ? 0 : 1);
      if (!fine)
        assert_problem (list, path, "others than root");
      g_assert_no_errno (fchownat (fixture->dir_fd, path, 0, 0, 0));
      g_assert_no_errno (fchmodat (fixture->dir_fd, path, before.st_mode & 07777, 0));
    }
}

static void
test_odd_files (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("it is about root's files"))
    return;
  g_autofree char *huge = g_strnfill (100 * 1024, '#');
  put_conf (fixture, "10.conf", "a", 0);
  g_assert_no_errno (symlinkat ("10.conf", fixture->dir_fd, CONF_DIR "/20.conf"));
  g_assert_no_errno (symlinkat ("nowhere", fixture->dir_fd, CONF_DIR "/25.conf"));
  put_dir (fixture->dir_fd, CONF_DIR "/30.conf", 0755);
  g_assert_no_errno (mkfifoat (fixture->dir_fd, CONF_DIR "/40.conf", 0644));
  put_file (fixture->dir_fd, CONF_DIR "/50.conf", huge, 0644);
  put_conf (fixture, "60.conf", "b", 0);
  g_autoptr (HfNamedList) list = hf_named_list_load (fixture->dir);
  assert_names (list, "a b", 5);
  assert_problem (list, "20.conf", "symlink");
  assert_problem (list, "25.conf", "symlink");
  assert_problem (list, "30.conf", "regular");
  assert_problem (list, "40.conf", "regular");
  assert_problem (list, "50.conf", "bytes");
}

static void
test_symlinked_directory (Fixture *fixture, gconstpointer data)
{
  put_conf (fixture, "10.conf", "a", 0);
  g_assert_no_errno (renameat (fixture->dir_fd, HF_SYSCONF_NAME, fixture->dir_fd, "elsewhere"));
  g_assert_no_errno (symlinkat ("elsewhere", fixture->dir_fd, HF_SYSCONF_NAME));
  g_autoptr (HfNamedList) list = hf_named_list_load (fixture->dir);
  assert_names (list, "", 1);
  assert_problem (list, HF_SYSCONF_NAME, "passed over");
}

/* --- Owners ----------------------------------------------------------------------------------------- */

static void
test_owner (Fixture *fixture, gconstpointer data)
{
  if (skip_unless_root ("it gives a directory away"))
    return;
  static const struct
  {
    uid_t uid;
    mode_t mode;
    gboolean trusted;
  } cases[] = {
    { 0, 0755, TRUE },  { 0, 0700, TRUE },  { 1, 0755, FALSE },
    { 0, 0775, FALSE }, { 0, 0757, FALSE },
  };
  HfInstallation *installation = fixture->installation;
  g_autoptr (HfNamedList) list = parse ("[Installation \"extra\"]\npath=/srv/extra\n");
  const HfNamed *named = hf_named_list_find (list, "extra");
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_no_errno (chown (installation->path, cases[i].uid, 0));
      g_assert_no_errno (chmod (installation->path, cases[i].mode));
      struct stat st;
      g_assert_no_errno (fstat (installation->root_fd, &st));
      g_assert_cmpint (hf_named_check_owner (named, &st, &error), ==, cases[i].trusted);
      if (!cases[i].trusted)
        g_assert_error (error, HF_ERROR, HF_ERROR_UNTRUSTED);
    }
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/named/" promise, Fixture, NULL, set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/named/a file names any number of installations", test_keys);
  g_test_add_func ("/named/an empty file names none", test_nothing);
  g_test_add_func ("/named/what is wrong with one harms only that", test_refused);
  g_test_add_func ("/named/what is no keyfile is told of", test_no_keyfile);
  g_test_add_func ("/named/of two of one name the first counts", test_first_counts);
  g_test_add ("/named/without the directory there are none", Fixture, NULL, fixture_set_up_empty,
              test_absent, fixture_tear_down);
  ADD ("priorities and then names are the order, whatever the files are called", test_order);
  ADD ("what others than root can write is not believed", test_untrusted);
  ADD ("what is no file is told of, and not waited for", test_odd_files);
  ADD ("a directory that is a symlink is not followed", test_symlinked_directory);
  g_test_add ("/named/an installation that others own is not trusted", Fixture, NULL,
              fixture_set_up, test_owner, fixture_tear_down);
  return g_test_run ();
}
