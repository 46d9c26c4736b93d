/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The user's language.  Messages are translated where they are made for somebody to read: hf_throw() and its kin,
 * hf_output_line() and what else po/meson.build lists as keywords call gettext() on their formats themselves.
 * So their callers write plain literals, which xgettext finds by those names, and nobody can forget to
 * mark one.  What gets there by way of a table, a variable or the second arm of ?: is marked with N_(); a
 * text that is put together before, with _() or ngettext(), where it is.
 */
#pragma once

#include <glib.h>
#include <glib/gi18n.h>

void hf_language_begin (const char *locale_dir);
void hf_language_end (void);
gboolean hf_language_is_utf8 (void);
const char *hf_text (const char *message) G_GNUC_FORMAT (1);
char *hf_text_about (const char *message, const char *name);
