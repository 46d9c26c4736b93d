/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The installations that a command may work on or look through: the user's, the system's, and those that
 * an administrator has named; or the one that the options choose.
 */
#pragma once

#include "command.h"

/* Where an installation is, or would be. */
typedef struct
{
  char *name;           /* owned; what --installation takes for it, or %NULL if a path was given */
  char *path;           /* owned */
  const HfNamed *named; /* not owned; for a named one, or %NULL */
} HfPlace;

void hf_place_free (HfPlace *place);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfPlace, hf_place_free)
char *hf_place_option (const HfPlace *place);
HfInstallation *hf_place_open (const HfPlace *place, HfOpenMode mode, GError **error);

const HfNamedList *hf_program_named (HfProgram *program);
gboolean hf_program_check_named (HfProgram *program, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_program_resolve_name (HfProgram *program, GError **error) G_GNUC_WARN_UNUSED_RESULT;

HfPlace *hf_place_at (HfProgram *program, guint index);
GPtrArray *hf_places_all (HfProgram *program);
GPtrArray *hf_places_own (HfProgram *program);
GPtrArray *hf_places_changed (HfProgram *program);

gboolean hf_program_open_place (HfProgram *program, const HfPlace *place, HfOpenMode mode,
                                HfInstallation **out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What is done to each of several installations. */
typedef gboolean (*HfEach) (HfProgram *program, HfInstallation *installation, gpointer data,
                            GError **error);
gboolean hf_places_visit (HfProgram *program, const GPtrArray *places, HfEach each, gpointer data,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
