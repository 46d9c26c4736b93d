/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bringing back what was uninstalled, in use or not, as long as its deletion has not begun.
 */
#pragma once

#include "installation.h"
#include "previous.h"
#include "ref.h"

/* What of removed/ can be brought back. */
typedef struct
{
  HfRef *ref;      /* owned */
  char *path_name; /* owned; in removed/ */
  char *commit;    /* owned */
  HfRef *runtime;  /* owned; what it needs, or %NULL */
  gint64 removed;  /* seconds since 1970 */
} HfRestorable;

void hf_restorable_free (HfRestorable *restorable);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfRestorable, hf_restorable_free)

GPtrArray *hf_restorable_list (HfInstallation *installation, GPtrArray **out_unread,
                               GError **error);
gboolean hf_restorable_check_read (HfInstallation *installation, const HfRef *ref,
                                   const GPtrArray *unread,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
GPtrArray *hf_restorable_previous (const GPtrArray *list, const HfRestorable *chosen,
                                   const HfRetention *retention);
gboolean hf_restore (HfInstallation *installation, const HfRestorable *restorable, gboolean despite,
                     GPtrArray **out_previous, GError **error) G_GNUC_WARN_UNUSED_RESULT;
