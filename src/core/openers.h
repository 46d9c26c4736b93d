/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which processes use a deployment whose `.ref` cannot tell, as its lock file has gone: who has
 * something of it open, mapped or mounted.  A look at all processes of the machine, and only as good
 * as what may be seen of them, which is told.
 */
#pragma once

#include <glib.h>

typedef struct
{
  GArray *pids;     /* owned; of gint64, who uses it */
  gboolean certain; /* everything was seen that there is to see */
} HfOpeners;

HfOpeners *hf_openers_find (const char *part);
void hf_openers_free (HfOpeners *openers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfOpeners, hf_openers_free)
