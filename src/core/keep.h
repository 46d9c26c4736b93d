/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a sweep leaves though nothing holds it: entries that a root names, and those that are spared for a
 * while so that they can be restored (DESIGN section 8).  `why` asks here, too.
 */
#pragma once

#include "config.h"
#include "roots.h"
#include "trash.h"

typedef struct
{
  HfInstallation *installation; /* not owned */
  HfConfig *config;             /* owned */
  HfRoots *roots;               /* owned; their links looked at when this was loaded */
  gboolean now;                 /* nothing is spared */
} HfKeep;

/* One of the two. */
typedef struct
{
  const char *root; /* NAMESPACE/NAME; owned by the roots */
  gint64 until;     /* seconds since 1970 */
} HfKeepReason;

HfKeep *hf_keep_load (HfInstallation *installation, gboolean now, GError **error);
void hf_keep_free (HfKeep *keep);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfKeep, hf_keep_free)

gboolean hf_keep_refresh (HfKeep *keep, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_keep_keeps (const HfKeep *keep, HfTrashEntry *entry, HfKeepReason *out);
gboolean hf_keep_rooted (const HfKeep *keep, const HfTrashEntry *entry, HfKeepReason *out);
guint hf_keep_warn (const HfKeep *keep, GPtrArray *warnings);
