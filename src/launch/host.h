/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a sandbox takes from the machine and the user it runs for, gathered before its command line
 * is built.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct
{
  uid_t uid;
  char *home;         /* owned; absolute and without `.` or `..`; "/" if there is none */
  char *data;         /* owned; where the app's own data is kept on the host, or %NULL */
  char **environment; /* owned; NAME=VALUE of the caller's that pass into a sandbox */
  char **etc;         /* owned; the files below /etc that replace the image's */
} HfHost;

HfHost *hf_host_read (const char *app_id);
void hf_host_free (HfHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfHost, hf_host_free)
