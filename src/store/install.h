/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Installing and updating: resolve, fetch, import, publish (DESIGN section 5), the runtime first.
 */
#pragma once

#include "base/progress.h"
#include "core/ref.h"
#include "store.h"

typedef enum
{
  HF_INSTALL_BEGINS,
  HF_UPDATE_BEGINS,
  HF_INSTALL_DONE,
  HF_UPDATE_DONE,
} HfInstallStep;

/* Called as things happen. */
typedef void (*HfInstallNotify) (HfInstallStep step, const HfRef *ref, const char *commit,
                                 gpointer data);

/* Called with what an image brings and must not export, in one line each. */
typedef void (*HfInstallWarn) (const char *text, gpointer data);

typedef struct
{
  HfStore *store;         /* not owned */
  const char *program;    /* not owned; the absolute path of holdfast, for what is exported */
  HfInstallNotify notify; /* or %NULL */
  HfInstallWarn warn;     /* or %NULL */
  gpointer notify_data;
  HfProgress *progress;      /* not owned; or %NULL */
  GCancellable *cancellable; /* not owned; or %NULL */
} HfInstallContext;

typedef enum
{
  HF_INSTALL_NEW,                /* already deployed: nothing to do */
  HF_INSTALL_UPDATE,             /* must be deployed: replace it if the remote has another commit */
  HF_INSTALL_UPDATE_UNLESS_HELD, /* the same, but what a rollback holds needs nothing */
} HfInstallKind;

gboolean hf_install_remote (const HfInstallContext *context, const char *remote, const HfRef *ref,
                            HfInstallKind kind, gboolean *out_changed,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_install_local (const HfInstallContext *context, const char *source, const HfRef *ref,
                           const char *command, GError **error) G_GNUC_WARN_UNUSED_RESULT;
