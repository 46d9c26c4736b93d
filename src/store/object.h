/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names of backing objects, in the repository and in pins/, and reading their metadata without
 * libostree's caches.
 */
#pragma once

#include "base/ledger.h"

#include <ostree.h>

/* "ab/cdef….dirtree" and its NUL; the longest type is commitmeta. */
#define HF_OBJECT_PATH_SIZE 96
#define HF_CHECKSUM_BYTES   32

/* The types of objects, as the file names of a bare repository end. */
#define HF_SUFFIX_COMMIT      "commit"
#define HF_SUFFIX_COMMIT_META "commitmeta"
#define HF_SUFFIX_DIR_TREE    "dirtree"
#define HF_SUFFIX_DIR_META    "dirmeta"
#define HF_SUFFIX_FILE        "file"

typedef char HfObjectPath[HF_OBJECT_PATH_SIZE];

/* Called for a stored object; @checksum has 32 bytes.  %FALSE with @error set ends the visit. */
typedef gboolean (*HfObjectVisit) (const guint8 *checksum, const char *suffix, gpointer data,
                                   GError **error);

void hf_object_loose_path (HfObjectPath out, const char *checksum, const char *suffix);
void hf_object_pin_name (HfObjectPath out, const char *checksum, const char *suffix);
const char *hf_object_suffix (OstreeObjectType type);
gboolean hf_object_is_plain (OstreeRepo *repo, const char *checksum, const char *suffix);
gboolean hf_object_name_parse (const char *name, const char *prefix, guint8 *out_checksum,
                               const char **out_suffix);
void hf_checksum_to_bytes (const char *checksum, guint8 *out);
gboolean hf_objects_visit (int objects_fd, HfObjectVisit visit, gpointer data,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

GVariant *hf_object_parse (OstreeObjectType type, const char *checksum, GBytes *bytes,
                           GError **error);
GVariant *hf_pin_load (int pins_fd, OstreeObjectType type, const char *checksum, GError **error);
gboolean hf_object_dir_remove (int objects_fd, const char *digits, HfLedger *ledger,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_object_copy (int from_dfd, const char *from, int to_dfd, const char *to, mode_t mode_or,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
char *hf_checksum_from_variant (GVariant *ay);
gboolean hf_object_copy_across (int from_dfd, const char *from, int to_dfd, const char *to,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
