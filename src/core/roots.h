/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All roots of an installation, roots.d/: standing reasons to keep a deployment, in service or not
 * (DESIGN section 8).  Whoever is about to give a deployment up asks hf_roots_find() first.
 */
#pragma once

#include "installation.h"
#include "root.h"

/* A file of roots.d/ that is no root, or cannot be read. */
typedef struct
{
  char *path; /* owned; NAMESPACE/NAME */
  char *why;  /* owned */
  gboolean unread;
} HfRootProblem;

typedef struct
{
  GPtrArray *all;      /* owned; of HfRoot, by name */
  GPtrArray *problems; /* owned; of HfRootProblem */
  GHashTable *by_deployment;
  HfRoot *unread; /* owned; one that cannot be read, and so may keep anything; else NULL */
} HfRoots;

HfRoots *hf_roots_load (HfInstallation *installation, GError **error);
void hf_roots_free (HfRoots *roots);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfRoots, hf_roots_free)

char *hf_root_problem_describe (const HfRootProblem *problem);
const HfRoot *hf_roots_find (const HfRoots *roots, const char *deployment);
void hf_roots_check_links (HfInstallation *installation, HfRoots *roots);
gboolean hf_roots_any_ended (const HfRoots *roots);

gboolean hf_root_add (HfInstallation *installation, const char *path, const HfRef *ref,
                      const char *link, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_root_remove (HfInstallation *installation, const char *path,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_roots_move (HfInstallation *installation, const char *from, const char *to,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_roots_prune (HfInstallation *installation) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_roots_drop_ended (HfInstallation *installation, HfRoots *roots, GPtrArray *leaving,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
