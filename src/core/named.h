/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The installations that an administrator has given a name, in keyfiles below the system's configuration.
 * They are the system's: what is told of them is believed only of files that nobody but root can write,
 * and of directories that are root's.  One bad file or installation harms only itself: it is told of and
 * passed over.
 */
#pragma once

#include <glib.h>
#include <sys/stat.h>

/* What the two that are always there are called; no other can have these names. */
#define HF_NAME_USER   "user"
#define HF_NAME_SYSTEM "system"

typedef struct
{
  char *name;         /* owned; what --installation takes for it: no slash is in it */
  char *path;         /* owned; absolute */
  char *display_name; /* owned; for people, or %NULL */
  gint64 priority;    /* of two, the one with the higher is looked through first */
  char *source;       /* owned; the path of the file that names it */
} HfNamed;

typedef struct
{
  GPtrArray *all;      /* owned; of HfNamed, in the order in which they are looked through */
  GPtrArray *problems; /* owned; of strings: what was passed over, and why */
} HfNamedList;

HfNamedList *hf_named_list_new (void);
HfNamedList *hf_named_list_load (const char *sysconf_dir);
void hf_named_list_parse (HfNamedList *list, const char *source, GBytes *bytes);
void hf_named_list_add_problem (HfNamedList *list, const char *format, ...) G_GNUC_PRINTF (2, 3);
void hf_named_list_sort (HfNamedList *list);
const HfNamed *hf_named_list_find (const HfNamedList *list, const char *name);
void hf_named_list_free (HfNamedList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfNamedList, hf_named_list_free)

gboolean hf_named_check_name (const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_named_check_owner (const HfNamed *named, const struct stat *st,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
