/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What was done to an installation: one record for each change that was carried out, in a file of
 * bounded size and, where there is one, in the journal.
 */
#pragma once

#include "installation.h"

typedef enum
{
  HF_HISTORY_INSTALL,
  HF_HISTORY_UPDATE,
  HF_HISTORY_ROLLBACK,
  HF_HISTORY_UNINSTALL,
  HF_HISTORY_RESTORE,
  HF_HISTORY_SWEEP,
  HF_HISTORY_REPAIR,
} HfHistoryKind;

/* In what is to be recorded all strings are the caller's, and %NULL where there is nothing to say. */
typedef struct
{
  HfHistoryKind kind;
  char *ref;           /* of what was changed; %NULL for a sweep or repair */
  char *commit;        /* that was deployed, or that was removed */
  char *previous;      /* the commit that it took the place of */
  char *origin;        /* the remote that it came from, or "local" */
  guint64 bytes;       /* of the image's files; of a sweep or repair, freed */
  guint64 objects;     /* of a sweep or repair: unlinked */
  guint64 deployments; /* of a sweep or repair: deleted */
  gint64 time;         /* microseconds since 1970; set by recording it */
  guint32 uid;         /* of who did it; set by recording it */
} HfHistoryEvent;

void hf_history_event_free (HfHistoryEvent *event);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfHistoryEvent, hf_history_event_free)

const char *hf_history_kind_name (HfHistoryKind kind);
void hf_history_record (HfInstallation *installation, const HfHistoryEvent *event);
GPtrArray *hf_history_read (HfInstallation *installation, GError **error);
