/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What install and update tell while they work.
 */
#include "install-notify.h"

#include "base/error.h"
#include "base/interrupt.h"
#include "base/language.h"
#include "output.h"

#include <stdio.h>

/* That it begins is progress, for people; what comes of it is for everybody. */
static void
notify (HfInstallStep step, const HfRef *ref, const char *commit, gpointer data)
{
  static const char *const messages[] = { [HF_INSTALL_BEGINS] = N_ ("Installing %s"),
                                          [HF_UPDATE_BEGINS] = N_ ("Updating %s"),
                                          [HF_INSTALL_DONE] = N_ ("Installed %s"),
                                          [HF_UPDATE_DONE] = N_ ("Updated %s") };
  if ((step != HF_INSTALL_BEGINS && step != HF_UPDATE_BEGINS) || hf_output_is_terminal ())
    hf_output_change (messages[step], ref, commit);
}

static void
warn (const char *text, gpointer data)
{
  hf_output_warning (text);
}

/**
 * hf_install_context:
 * @store: the store to install into
 * @holdfast: from hf_libexec_holdfast(); outlives what is installed by it
 * @progress: (nullable): from hf_progress_line_new()
 * @cancellable: from hf_interrupt_watch()
 *
 * Returns: how install and update call the store
 */
HfInstallContext
hf_install_context (HfStore *store, const char *holdfast, HfProgress *progress,
                    GCancellable *cancellable)
{
  return (HfInstallContext){ .store = store,
                             .program = holdfast,
                             .notify = notify,
                             .warn = warn,
                             .progress = progress,
                             .cancellable = cancellable };
}

/**
 * hf_install_failed:
 * @not_done: what did not happen, as a sentence; it is translated here
 * @cause: (transfer full): why
 *
 * Raises @cause; where a signal was behind it, says so in place of whatever the cancellation looked
 * like down where it was noticed.
 *
 * Returns: %FALSE always
 */
gboolean
hf_install_failed (const char *not_done, GError *cause, GError **error)
{
  if (hf_interrupt_signal () == 0)
    {
      g_propagate_error (error, cause);
      return FALSE;
    }
  g_debug ("Interrupted: %s", cause->message);
  g_error_free (cause);
  return hf_throw (error, HF_ERROR_FAILED, "Interrupted: %s", hf_text (not_done));
}
