/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether files are what their checksums say.  Each stored object is read once, however many
 * deployments link it, and again only if it has been changed since.
 */
#pragma once

#include "base/progress.h"
#include "object.h"
#include "store.h"

#include <sys/stat.h>

typedef enum
{
  HF_OBJECT_WHOLE,
  HF_OBJECT_MISSING,
  HF_OBJECT_CORRUPT,
  HF_OBJECT_WRONG_MODE, /* with another mode it would be whole */
} HfObjectHealth;

typedef struct
{
  HfObjectHealth health;
  struct stat st; /* of what is there */
  mode_t mode;    /* the right one */
} HfVerdict;

typedef struct HfVerify HfVerify;

HfVerify *hf_verify_new (HfStore *store, HfProgress *progress);
void hf_verify_free (HfVerify *verify);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfVerify, hf_verify_free)

gboolean hf_verify_stored (HfVerify *verify, const char *checksum, const char *suffix,
                           HfVerdict *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_verify_all (HfVerify *verify, GHashTable *out, GCancellable *cancellable,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_verify_file (int dfd, const char *name, const char *checksum, const char *suffix,
                         mode_t mode, gboolean *out_whole,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
