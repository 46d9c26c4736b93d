/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Running instances, derived from the locks that their sandboxes hold: nothing is recorded when one
 * starts, so nothing can be stale after a crash.
 */
#pragma once

#include "deployment.h"
#include "installation.h"

typedef struct
{
  gint64 pid;                         /* the sandbox's first process */
  guint64 start;                      /* seconds since 1970 */
  HfRef *ref;                         /* owned; the app, or the runtime where it runs by itself */
  char *commit;                       /* owned */
  HfRef *runtime;                     /* owned; the runtime beside an app, or %NULL */
  char *runtime_commit;               /* owned; or %NULL */
  const HfInstallation *installation; /* not owned; where the ref is deployed */
  const HfInstallation *runtime_installation; /* not owned; or %NULL */
} HfInstance;

void hf_instance_free (HfInstance *instance);
GPtrArray *hf_instances_list (const GPtrArray *installations, GError **error);
