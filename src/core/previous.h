/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a ref keeps beside its active deployment: those that were in service before, for rollback
 * (DESIGN section 8).  They lie beside it in their branch directory, and their `deployment` has the state
 * of one in service; its modification time is when they left service.
 */
#pragma once

#include "deployment.h"
#include "installation.h"
#include "roots.h"

typedef struct
{
  char *name; /* owned; COMMIT.SERIAL */
  struct timespec left;
} HfPrevious;

GPtrArray *hf_previous_list (int branch_fd, const char *active, GError **error);
HfPrevious *hf_previous_find (const GPtrArray *list, const char *text, GError **error);
void hf_previous_leave (int branch_fd, const char *name);

/* How much of it is kept. */
typedef struct
{
  guint64 most;   /* besides what roots name */
  HfRoots *roots; /* owned */
} HfRetention;

void hf_retention_clear (HfRetention *retention);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (HfRetention, hf_retention_clear)

gboolean hf_retention_load (HfInstallation *installation, HfRetention *out,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_retention_keeps (const HfRetention *retention, const char *name, guint64 *left);
GHashTable *hf_previous_kept (int branch_fd, const char *active, const HfRetention *retention,
                              GError **error);
GPtrArray *hf_previous_leaving (int branch_fd, const char *active, const HfRetention *retention,
                                GError **error);
gboolean hf_previous_retain (HfInstallation *installation, const HfRef *ref, int branch_fd,
                             const char *active, const HfRetention *retention,
                             gboolean *out_in_place, GError **error) G_GNUC_WARN_UNUSED_RESULT;
