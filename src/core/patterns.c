/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Masks refuse, and pins come and go with what was named.  A runtime that somebody asked for by name is wanted for
 * itself, and no application has to need it: its own full ref is its pin, which goes when it is uninstalled.  What
 * comes as a dependency gets none.
 */
#include "patterns.h"

#include "base/error.h"
#include "config.h"
#include "ref-glob.h"

#include <string.h>

/**
 * hf_mask_check:
 * @installation: an installation
 * @ref: what is about to be installed or updated
 *
 * Returns: %FALSE with @error set if a mask keeps it from that, or the masks cannot be read
 */
gboolean
hf_mask_check (HfInstallation *installation, const HfRef *ref, GError **error)
{
  g_autoptr (HfConfig) config = hf_config_load (installation, error);
  const char *mask = config == NULL ? NULL : hf_ref_glob_find (config->masked, ref);
  if (config == NULL)
    return FALSE;
  return mask == NULL
         || hf_throw (error, HF_ERROR_FAILED,
                      "%s is masked: `holdfast mask --remove '%s'` unmasks it", ref->full, mask);
}

/**
 * hf_pin_named:
 * @installation: an installation
 * @ref: what somebody named to have it installed or restored
 * @out_pinned: (out): whether it is a runtime that no pattern matched, and its own does now
 *
 * To be called before it is in service: nothing may take it for unused in between.
 *
 * Locks: takes `lock` if there is something to do.
 *
 * Returns: %FALSE with @error set on failure
 */
gboolean
hf_pin_named (HfInstallation *installation, const HfRef *ref, gboolean *out_pinned, GError **error)
{
  *out_pinned = FALSE;
  if (hf_ref_is_app (ref))
    return TRUE;
  g_autoptr (HfConfig) config = hf_config_load (installation, error);
  if (config == NULL)
    return FALSE;
  if (hf_ref_glob_find (config->pinned, ref) != NULL)
    return TRUE;
  *out_pinned = hf_config_add_pattern (installation, "pinned", ref->full, error);
  return *out_pinned;
}

/**
 * hf_pin_drop:
 * @installation: an installation
 * @ref: what was uninstalled, or was not installed after all
 *
 * A pin that stays pins nothing, and keeps nobody from anything: a failure does not matter.
 *
 * Locks: takes `lock` if there is something to do.
 *
 * Returns: whether there was a pin of just this ref, and is none any more
 */
gboolean
hf_pin_drop (HfInstallation *installation, const HfRef *ref)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (HfConfig) config = hf_ref_is_app (ref) ? NULL : hf_config_load (installation, &failed);
  if (config == NULL || !g_strv_contains ((const char *const *)config->pinned, ref->full))
    return FALSE;
  gboolean dropped = hf_config_remove_pattern (installation, "pinned", ref->full, &failed);
  if (!dropped)
    g_debug ("%s is still pinned: %s", ref->full, failed->message);
  return dropped;
}
