/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What takes how much space: of every deployment, in service or not, what it has in all and what
 * would be free without it, from link counts.  The parts add up to what du(1) finds.
 */
#pragma once

#include "deployment.h"
#include "installation.h"

typedef enum
{
  HF_USAGE_ACTIVE,   /* what `run` starts */
  HF_USAGE_PREVIOUS, /* in deploy/ beside it, and in service */
  HF_USAGE_REMOVED,  /* out of service: the next sweep's, unless something holds it */
  HF_USAGE_STAGING,  /* being built, or left behind by a builder that died */
} HfUsageState;

/* Bytes are those of disk blocks, as du(1) counts them. */
typedef struct
{
  char *path;             /* owned; below the installation */
  HfRef *ref;             /* owned; %NULL if nothing tells */
  HfDeploymentInfo *info; /* owned; %NULL if it cannot be read */
  HfUsageState state;
  gboolean chosen;   /* it is of a ref that was asked for */
  guint64 total;     /* all that it has, each file once */
  guint64 exclusive; /* what goes with it; the rest of @total is shared */
} HfUsageRow;

typedef struct
{
  GPtrArray *rows;   /* owned; of HfUsageRow, sorted by ref, state and path */
  guint64 shared;    /* counted once: files that no single row takes along when it goes */
  guint64 rest;      /* the repository's own, objects that no row links, and all other names */
  guint64 total;     /* of all that there is: every @exclusive, @shared and @rest */
  guint64 chosen;    /* what goes if all chosen rows go */
  guint64 trash;     /* what goes if all removed rows go */
  guint64 available; /* to whoever asks, on the installation's file system */
  guint64 capacity;  /* of that file system */
  GPtrArray *unread; /* owned; of strings: paths below the installation that could not be read */
} HfUsage;

HfUsage *hf_usage_new (void);
HfUsage *hf_usage_read (HfInstallation *installation, const GPtrArray *refs, GError **error);
void hf_usage_free (HfUsage *usage);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfUsage, hf_usage_free)
