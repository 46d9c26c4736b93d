/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What gettext(3) leaves to a program.  A message of ours is English, so for English no catalogue is looked for.
 * What programs read is English whoever runs them: `LC_MESSAGES` is C then, as it is for gettext()
 * in every library below us.
 */
#include "language.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>

/* Whether a locale, or the first of $LANGUAGE, needs no translation. */
static gboolean
is_english (const char *name)
{
  static const char *const english[] = { "C", "POSIX", "en" };
  gsize length = strcspn (name, "_.@:");
  for (gsize i = 0; i < G_N_ELEMENTS (english); i++)
    if (strlen (english[i]) == length && strncmp (name, english[i], length) == 0)
      return TRUE;
  return FALSE;
}

/* $LANGUAGE counts only where there is a locale.  gettext() itself would go on to its second language if there is no
 * catalogue for the first, and there is none for English. */
static gboolean
wants_translation (void)
{
  const char *locale = setlocale (LC_MESSAGES, NULL), *languages = g_getenv ("LANGUAGE");
  if (locale == NULL || strcmp (locale, "C") == 0 || g_str_has_prefix (locale, "C.")
      || strcmp (locale, "POSIX") == 0)
    return FALSE;
  return !is_english (languages != NULL && *languages != '\0' ? languages : locale);
}

/* What the user's locale says, whatever is made of it. */
static gboolean is_utf8 = TRUE;

/* Names of files are bytes, and those of an image are UTF-8 wherever it is made.  libarchive has other names for
 * what is in a tarball, or none, where the locale says another character set. */
static void
use_utf8 (void)
{
  is_utf8 = strcmp (nl_langinfo (CODESET), "UTF-8") == 0;
  if (!is_utf8)
    (void)setlocale (LC_CTYPE, "C.UTF-8");
}

/**
 * hf_language_is_utf8:
 *
 * Returns: whether the user's locale says that the terminal shows more than ASCII
 */
gboolean
hf_language_is_utf8 (void)
{
  return is_utf8;
}

/**
 * hf_language_begin:
 * @locale_dir: where the catalogues are, as seen from the directory of the running executable
 *
 * To be called before there are threads.  Messages are in the user's language from now on, and what is printed is
 * UTF-8 in every locale.  For English, no catalogue is looked for.
 */
void
hf_language_begin (const char *locale_dir)
{
  (void)setlocale (LC_ALL, "");
  use_utf8 ();
  if (!wants_translation ())
    {
      hf_language_end ();
      return;
    }
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *directory = self != NULL ? g_path_get_dirname (self) : g_strdup ("/");
  g_autofree char *path = g_canonicalize_filename (locale_dir, directory);
  (void)bindtextdomain (GETTEXT_PACKAGE, path);
  (void)bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  (void)textdomain (GETTEXT_PACKAGE);
}

/**
 * hf_language_end:
 *
 * To be called before there are threads, as soon as it is known that a program reads what is said.  All
 * is English from now on, what libraries say, too.
 */
void
hf_language_end (void)
{
  (void)setlocale (LC_MESSAGES, "C");
}

/**
 * hf_text:
 * @message: a message, or what is none of ours and stays as it is
 *
 * Returns: (transfer none): it in the user's language.  Of an empty one gettext() would return the head of
 *   its catalogue.
 */
const char *
hf_text (const char *message)
{
  return *message != '\0' ? gettext (message) : message;
}

/**
 * hf_text_about:
 * @message: a message with one %s in it
 * @name: what it is about
 *
 * For sinks that make what their message names, and so cannot leave it to printf() and the compiler's eye.
 *
 * Returns: (transfer full): it in the user's language, with @name in its place
 */
char *
hf_text_about (const char *message, const char *name)
{
  const char *text = hf_text (message), *place = strstr (text, "%s");
  g_autoptr (GString) line = g_string_new (NULL);
  g_string_append_len (line, text, place != NULL ? place - text : (gssize)strlen (text));
  g_string_append (line, name);
  g_string_append (line, place != NULL ? place + strlen ("%s") : "");
  return g_string_free (g_steal_pointer (&line), FALSE);
}
