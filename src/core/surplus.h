/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an installation keeps though nothing needs it, and may give up for want of room: removed deployments
 * that are spared, previous ones, and unused runtimes.  Never what is active, rooted or held.
 */
#pragma once

#include "deployed.h"
#include "trash.h"

/* In the order in which they are given up. */
typedef enum
{
  HF_SURPLUS_REMOVED,  /* in removed/, spared for restore */
  HF_SURPLUS_PREVIOUS, /* beside the active one, for rollback */
  HF_SURPLUS_UNUSED,   /* a runtime that nothing needs, with all that is kept of it */
} HfSurplusKind;

typedef struct
{
  HfSurplusKind kind;
  HfRef *ref;   /* owned */
  char *name;   /* owned; COMMIT.SERIAL; of a runtime, what is active of it */
  char *entry;  /* owned; its name in removed/, if it is there */
  char *unfit;  /* owned; why it must stay, or %NULL */
  gint64 since; /* microseconds since 1970: when it left service, or, of a runtime, was deployed */
} HfSurplus;

void hf_surplus_free (HfSurplus *surplus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfSurplus, hf_surplus_free)

GPtrArray *hf_surplus_list (HfInstallation *installation, HfSurplusKind kind, GError **error);
gboolean hf_surplus_take (HfInstallation *installation, const HfSurplus *surplus,
                          GPtrArray *entries, char **out_why, HfTrashEntry **out_held,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
