/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Why things are still on the disk: for every deployment and entry, what keeps it from the next sweep, by
 * the functions by which that decides.  For people and programs to look at; nothing is done because of
 * it, and no lock is taken.
 */
#pragma once

#include "holders.h"
#include "keep.h"

typedef enum
{
  HF_WHY_ACTIVE,   /* it is what runs if its ref is run */
  HF_WHY_PREVIOUS, /* it is kept for rollback */
  HF_WHY_PENDING,  /* not kept any more, but only a change of its ref takes it out of service */
  HF_WHY_ROOT,
  HF_WHY_SPARED,   /* removed lately */
  HF_WHY_HELD,     /* somebody holds its `.ref` */
  HF_WHY_BUILDING, /* the same, in staging/ */
  HF_WHY_SWEEPING, /* a sweeper has locked it */
  HF_WHY_DAMAGED,  /* a person is needed */
  HF_WHY_NEEDED,   /* as the runtime of something deployed; beside one of the others */
  HF_WHY_PINNED,   /* it counts as needed; beside one of the others */
  HF_WHY_UNTOLD,   /* the same, as another installation cannot be read */
} HfWhyCode;

typedef struct
{
  HfWhyCode code;
  char *
      text; /* owned; what is damaged or cannot be read, the app that needs it, or the pattern; or %NULL */
  char *where;        /* owned; the path of the installation that the app is in, if it is another */
  const HfRoot *root; /* not owned; for a root */
  gint64 until;       /* seconds since 1970, for what is spared */
  GPtrArray *holders; /* owned; of HfHolder, may be empty, for what is locked; or %NULL */
} HfWhyReason;

typedef struct
{
  char *path;              /* owned; below the installation */
  const char *name;        /* COMMIT.SERIAL, or its name in staging/; a part of @path */
  HfDeploymentState state; /* absent if it cannot be told */
  HfDeploymentInfo *info;  /* owned; %NULL if it is not complete, or damaged */
  GPtrArray *reasons;      /* owned; of HfWhyReason; none: the next sweep deletes it */
} HfWhySubject;

typedef struct
{
  HfInstallation *installation; /* not owned */
  HfKeep *keep;                 /* owned */
  HfHolders *holders;           /* owned; or %NULL */
  GPtrArray *subjects;          /* owned; of HfWhySubject, all there are */
} HfWhy;

HfWhy *hf_why_load (HfInstallation *installation, GError **error);
void hf_why_free (HfWhy *why);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfWhy, hf_why_free)

gboolean hf_why_needs_object (const HfWhy *why, const HfWhySubject *subject, const char *object);
