/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether a deployment's tree/ and pins/ are exactly what its commit says, and whether everything
 * that the commit reaches is stored.
 */
#pragma once

#include "verify.h"

/* Something in a deployment that is not as it should be. */
typedef struct
{
  char *place; /* owned; below the deployment */
  char *cause; /* owned */
} HfDamage;

/* An object that is not stored as it should be, whatever deployments need it. */
typedef struct
{
  char *checksum;     /* owned */
  const char *suffix; /* static */
  HfVerdict verdict;
  char *source; /* owned; where an intact link or copy lies, below the root; or %NULL */
} HfBadObject;

typedef struct
{
  HfStore *store;     /* not owned */
  HfVerify *verify;   /* not owned */
  const char *path;   /* of the deployment, below the root */
  int dir_fd;         /* of the deployment */
  const char *commit; /* which it should be */
  gboolean copies;    /* its record says that copies stand in for links */
  GHashTable *bad;    /* not owned; HfBadObject by CHECKSUM.SUFFIX; added to */
  GPtrArray *damages; /* not owned; of HfDamage; added to */
  GHashTable *needs;  /* not owned; those HfBadObject that it needs, a set; added to */
  gboolean
      unknown; /* set if some of its metadata is nowhere, so that not all that it needs is known */
} HfExamination;

void hf_damage_free (HfDamage *damage);
void hf_damage_add (GPtrArray *damages, const char *place, const char *cause);
GHashTable *hf_bad_objects_new (void);

gboolean hf_examine (HfExamination *examination, GCancellable *cancellable,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
