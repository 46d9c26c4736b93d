/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An installation: one root directory, opened once.  Owns the long-lived directory descriptors that
 * every path in holdfast is relative to.  Every function that touches a disk takes one.
 */
#pragma once

#include "base/ledger.h"

typedef struct
{
  char *path;  /* absolute; for messages, and for libraries that insist on paths */
  int root_fd; /* O_PATH, as the following: opening needs no permission to list */
  int deploy_fd;
  int staging_fd;
  int removed_fd;
  HfLedger *ledger;  /* not owned; where a sweep counts what goes, or %NULL while none works */
  char *name;        /* owned; what --installation takes for it beside its path, or %NULL */
  GPtrArray *others; /* owned; of HfInstallation: which share runtimes with it; or %NULL */
  GPtrArray *unread; /* owned; of strings: which of those cannot be opened, and why; or %NULL */
} HfInstallation;

typedef enum
{
  HF_OPEN_EXISTING,
  HF_OPEN_OR_CREATE,
} HfOpenMode;

/* What an installation must have besides `format`. */
typedef struct
{
  const char *name;
  unsigned int mode;
  gboolean directory; /* else a lock file */
} HfInstallationPart;

const HfInstallationPart *hf_installation_parts (gsize *out_n);
char *hf_installation_default_path (gboolean system);
HfInstallation *hf_installation_open (const char *path, HfOpenMode mode, GError **error);
void hf_installation_free (HfInstallation *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfInstallation, hf_installation_free)

gboolean hf_installation_is_changeable (const HfInstallation *self);
gboolean hf_throw_no_creation (const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_throw_no_permission (const HfInstallation *installation,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
