/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Running an image: leases on it and its runtime, a bubblewrap command line from its metadata, and
 * the start.
 */
#pragma once

#include "core/installation.h"
#include "core/ref.h"

/* Tells in which installations a runtime may be that is not where the application is: (transfer none)
 * (element-type HfInstallation), to be looked at in that order. */
typedef const GPtrArray *(*HfLaunchOthers) (gpointer data);

typedef struct
{
  HfInstallation *installation; /* not owned; where the ref is deployed */
  HfLaunchOthers others;        /* or %NULL; called only if the runtime is not there */
  gpointer others_data;
  const HfRef *ref;
  const char *command;     /* instead of the image's own, or %NULL */
  const char *const *args; /* for the command, %NULL-terminated */
} HfLaunch;

gboolean hf_launch (const HfLaunch *launch, int *status, GError **error) G_GNUC_WARN_UNUSED_RESULT;
