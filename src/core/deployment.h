/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One deployment's own directory: its `deployment` keyfile, whose mode is its state, and its name.
 * A state only ever falls, and a change of it needs no disk space.
 */
#pragma once

#include "ref.h"

#include <glib.h>

/* In falling order.  Each but the first is the mode of `deployment`. */
typedef enum
{
  HF_STATE_ABSENT = 0,      /* no `deployment`: being built, or all but gone */
  HF_STATE_COMPLETE = 0744, /* complete, not known to be published */
  HF_STATE_SETTLED = 0644,  /* in service, or removed and restorable */
  HF_STATE_RETIRED = 0444,  /* out of service in place, where it could not be moved */
  HF_STATE_DELETING = 0440, /* deletion began */
  HF_STATE_PRUNED = 0400,   /* pruned, pins not yet dropped */
} HfDeploymentState;

typedef struct
{
  HfRef *ref;             /* owned */
  char *commit;           /* owned */
  char *origin;           /* owned; the remote it came from, or "local" */
  char *runtime;          /* owned; the full ref of the runtime it needs, or %NULL */
  guint64 installed_size; /* bytes of regular files */
  gint64 time;            /* of deployment, seconds since 1970 */
  gboolean copies;        /* some of its files are copies where links were wanted */
} HfDeploymentInfo;

void hf_deployment_info_free (HfDeploymentInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfDeploymentInfo, hf_deployment_info_free)

gboolean hf_deployment_get_state (int dfd, HfDeploymentState *out,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_deployment_set_state (int dfd, HfDeploymentState state,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
HfDeploymentInfo *hf_deployment_read (int dfd, GError **error);
gboolean hf_deployment_write (int dfd, const HfDeploymentInfo *info,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

gboolean hf_state_in_service (HfDeploymentState state);

/* Names of deployments (COMMIT.SERIAL) and of their entries in removed/ (TIME.COMMIT.SERIAL). */
char *hf_serial_new (void);
char *hf_deployment_name (const char *commit, const char *serial);
gboolean hf_deployment_name_parse (const char *name, char **commit, char **serial);
gboolean hf_deployment_name_is_meant (const char *name, const char *text);
char *hf_removed_name (const char *deployment_name);
const char *hf_removed_name_deployment (const char *removed_name);
gint64 hf_removed_name_time (const char *removed_name);
