/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What changes of exports/ share: who owns the names of an ID, what names there are, and single links.
 */
#pragma once

#include "exports.h"

/* What a deployment offers for an ID. */
typedef struct
{
  HfRef *ref;   /* owned; the branch whose active deployment it is */
  char **names; /* owned */
} HfOffer;

void hf_offer_free (HfOffer *offer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfOffer, hf_offer_free)

/* exports-owner.c */
char *hf_owner_path (const char *id);
char *hf_owner_target (const HfRef *ref);
HfRef *hf_owner_parse (const char *target, const char *id);
gboolean hf_owner_read (HfInstallation *installation, const char *id, HfRef **out,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_exports_wanted (HfInstallation *installation, gboolean *out,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_offer_of (HfInstallation *installation, const HfRef *ref, const char *name,
                      HfOffer **out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_offer_choose (HfInstallation *installation, const char *id, const HfRef *except,
                          HfOffer **out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* exports-link.c: a change of some links, of which it is noted what is to be made durable. */
typedef struct
{
  HfInstallation *installation; /* not owned */
  int fd;                       /* exports/, or -1 if it is not there */
  GHashTable *directories;      /* owned; paths below it, in which a name was changed */
  GHashTable *filled;           /* owned; in a dry run, those in which a name would be made */
  guint caches;                 /* that are marked as out of date; of HfExportCache */
  gboolean failed;
} HfExportsChange;

char *hf_export_link_target (const char *path, const char *id);
char *hf_export_link_owner (const char *path, const char *target);

gboolean hf_exports_change_begin (HfExportsChange *change, HfInstallation *installation,
                                  gboolean create);
void hf_exports_change_failed (HfExportsChange *change, const GError *failed);
gboolean hf_exports_link_read (HfExportsChange *change, const char *path, char **out_target,
                               gboolean *out_taken) G_GNUC_WARN_UNUSED_RESULT;
void hf_exports_spoil (HfExportsChange *change, const char *path);
gboolean hf_exports_link_set (HfExportsChange *change, const char *path, const char *target);
void hf_exports_link_drop (HfExportsChange *change, const char *path);
gboolean hf_exports_dir_drop (HfExportsChange *change, const char *path);
gboolean hf_exports_change_end (HfExportsChange *change);
void hf_exports_change_clear (HfExportsChange *change);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (HfExportsChange, hf_exports_change_clear)
