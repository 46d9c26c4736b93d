/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a sandbox is made from: the parts of one image's tree, opened below its deployment's
 * directory without following anything that the image contains.
 */
#pragma once

#include "core/lease.h"

typedef enum
{
  HF_IMAGE_APP,  /* its files at /app */
  HF_IMAGE_USR,  /* its files at /usr: a runtime */
  HF_IMAGE_ROOT, /* its files as /: an app that brings everything itself */
} HfImageRole;

typedef struct
{
  char *name;   /* owned; one component */
  char *target; /* owned; where a symlink points, or %NULL for anything else */
  int fd;       /* O_PATH, of a directory or regular file to bind; -1 if there is nothing to */
} HfImageEntry;

typedef struct
{
  HfImageRole role;
  int ref_fd;         /* `.ref`, O_PATH */
  int files_fd;       /* its files, O_PATH */
  int etc_fd;         /* files/etc, O_PATH; -1 if there is none, or for HF_IMAGE_APP */
  GPtrArray *entries; /* owned; of HfImageEntry, of files: all with descriptors for HF_IMAGE_ROOT,
                         else the directories of programs and libraries, without */
  GPtrArray *etc;     /* owned; of HfImageEntry, of files/etc, without descriptors */
} HfImage;

HfImage *hf_image_open (const HfLease *lease, HfImageRole role, GError **error);
void hf_image_free (HfImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfImage, hf_image_free)
gboolean hf_image_has (const HfImage *image, const char *name);
GPtrArray *hf_image_entries_new (void);
void hf_image_entries_add (GPtrArray *entries, const char *name, const char *target, int fd);
