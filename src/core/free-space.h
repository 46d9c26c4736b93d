/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How much room the file system of an installation has, beside what its configuration wants free.
 */
#pragma once

#include "config.h"

#include <sys/statvfs.h>

/* One of the two things that can run out. */
typedef struct
{
  guint64 free;        /* bytes or inodes, of those that anybody may use */
  guint64 least, goal; /* the limits in the same unit; 0: none */
  gboolean wanted;     /* it was below @least, and has not come to @goal since */
} HfRoom;

typedef struct
{
  HfRoom bytes;
  HfRoom inodes;
} HfFreeSpace;

void hf_free_space_weigh (HfFreeSpace *space, const HfConfig *config, const struct statvfs *st);
gboolean hf_free_space_measure (HfFreeSpace *space, HfInstallation *installation,
                                const HfConfig *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_free_space_is_limited (const HfConfig *config);
gboolean hf_free_space_is_wanted (const HfFreeSpace *space);
gboolean hf_free_space_is_short (const HfFreeSpace *space);
char *hf_free_space_describe (const HfFreeSpace *space, const HfConfig *config);
