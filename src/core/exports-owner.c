/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who exports the names of an ID, of which several architectures and branches may be deployed: exports/owners
 * says it.  Who has them keeps them as long as it exports anything; then the next has them, this machine's
 * own architecture first, and in the order of refs.
 */
#include "exports-private.h"

#include "active.h"
#include "base/error.h"
#include "base/fd.h"
#include "branch.h"
#include "config.h"
#include "deployment.h"
#include "export.h"
#include "layout.h"

#include <errno.h>
#include <string.h>

/* From exports/owners/ to the installation's root. */
#define TO_ROOT "../../"

/**
 * hf_offer_free:
 * @offer: (nullable) (transfer full): an offer
 */
void
hf_offer_free (HfOffer *offer)
{
  if (offer == NULL)
    return;
  hf_ref_free (offer->ref);
  g_strfreev (offer->names);
  g_free (offer);
}

/**
 * hf_owner_path:
 * @id: an ID
 *
 * Returns: (transfer full): the path of the link that says who owns its names, below exports/
 */
char *
hf_owner_path (const char *id)
{
  return g_strconcat (HF_EXPORTS_OWNERS "/", id, NULL);
}

/**
 * hf_owner_target:
 * @ref: a ref
 *
 * Returns: (transfer full): where that link leads if @ref owns them
 */
char *
hf_owner_target (const HfRef *ref)
{
  return g_strconcat (TO_ROOT HF_DEPLOY_DIR "/", ref->full, "/" HF_ACTIVE_LINK, NULL);
}

/**
 * hf_owner_parse:
 * @target: (nullable): where such a link leads
 * @id: the ID that it is for
 *
 * Returns: (transfer full) (nullable): the ref that owns the names, or %NULL if the link is none of ours
 */
HfRef *
hf_owner_parse (const char *target, const char *id)
{
  static const char prefix[] = TO_ROOT HF_DEPLOY_DIR "/", suffix[] = "/" HF_ACTIVE_LINK;
  if (target == NULL || !g_str_has_prefix (target, prefix) || !g_str_has_suffix (target, suffix)
      || strlen (target) < sizeof prefix + sizeof suffix)
    return NULL;
  g_autofree char *full
      = g_strndup (target + strlen (prefix), strlen (target) - strlen (prefix) - strlen (suffix));
  g_autoptr (HfRef) ref = hf_ref_parse (full, NULL);
  return ref != NULL && hf_ref_is_app (ref) && strcmp (ref->id, id) == 0 ? g_steal_pointer (&ref)
                                                                         : NULL;
}

/**
 * hf_owner_read:
 * @installation: an installation
 * @id: an ID
 * @out: (out) (transfer full) (nullable): the ref that owns its names, or %NULL if none does
 *
 * Returns: %FALSE with @error set if it cannot be told
 */
gboolean
hf_owner_read (HfInstallation *installation, const char *id, HfRef **out, GError **error)
{
  *out = NULL;
  hf_autofd int fd = hf_open_beneath (installation->root_fd, HF_EXPORTS_DIR "/" HF_EXPORTS_OWNERS,
                                      O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    return errno == ENOENT
           || hf_throw_at (error, "Cannot open directory %s", installation->root_fd,
                           HF_EXPORTS_DIR "/" HF_EXPORTS_OWNERS);
  g_autofree char *target = hf_link_read (fd, id);
  if (target == NULL)
    return errno == ENOENT || errno == EINVAL || hf_throw_at (error, "Cannot read %s", fd, id);
  *out = hf_owner_parse (target, id);
  return TRUE;
}

/**
 * hf_exports_wanted:
 * @installation: an installation
 * @out: (out): whether it is configured to export anything, which it is if its configuration makes no sense
 *
 * Returns: %FALSE with @error set if it cannot be told
 */
gboolean
hf_exports_wanted (HfInstallation *installation, gboolean *out, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (HfConfig) config = hf_config_load (installation, &failed);
  *out = config == NULL || config->exports;
  if (config != NULL || hf_error_is (failed, HF_ERROR_USAGE))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failed));
  return FALSE;
}

/**
 * hf_offer_of:
 * @installation: an installation
 * @ref: a ref
 * @name: the name of one of its deployments
 * @out: (out) (transfer full) (nullable): what that exports, or %NULL if it is nothing, or is damaged
 *
 * Returns: %FALSE with @error set if it cannot be told
 */
gboolean
hf_offer_of (HfInstallation *installation, const HfRef *ref, const char *name, HfOffer **out,
             GError **error)
{
  *out = NULL;
  g_autofree char *path = g_strconcat (ref->full, "/", name, NULL);
  g_autoptr (GError) failed = NULL;
  hf_autofd int fd = hf_open_beneath (installation->deploy_fd, path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
           || hf_throw_at (error, "Cannot open directory %s", installation->deploy_fd, path);
  g_auto (GStrv) names = hf_export_names (fd, ref->id, &failed);
  if (hf_error_is (failed, HF_ERROR_DAMAGED) || hf_error_is (failed, HF_ERROR_UNSAFE))
    g_info ("%s: %s", path, failed->message);
  else if (failed != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  if (names == NULL || names[0] == NULL)
    return TRUE;
  *out = g_new0 (HfOffer, 1);
  (*out)->ref = hf_ref_copy (ref);
  (*out)->names = g_steal_pointer (&names);
  return TRUE;
}

typedef struct
{
  HfInstallation *installation;
  const HfRef *except;
  HfRef *owner;
  HfOffer *best;
} Choice;

static gboolean
is_native (const HfRef *ref)
{
  return strcmp (ref->arch, hf_ref_default_arch ()) == 0;
}

static gboolean
comes_before (const Choice *choice, const HfRef *ref, const HfRef *other)
{
  if (choice->owner != NULL && hf_ref_compare (choice->owner, ref) == 0)
    return TRUE;
  if (choice->owner != NULL && hf_ref_compare (choice->owner, other) == 0)
    return FALSE;
  if (is_native (ref) != is_native (other))
    return is_native (ref);
  return hf_ref_compare (ref, other) < 0;
}

/* In a dry run what is deployed may have gone by now, as far as the ledger knows. */
static gboolean
consider (const HfRef *ref, int branch_fd, gpointer data, GError **error)
{
  Choice *choice = data;
  struct stat st;
  HfDeploymentState state;
  g_autofree char *name = hf_link_read (branch_fd, HF_ACTIVE_LINK);
  if (!hf_ref_is_app (ref) || name == NULL || !hf_deployment_name_parse (name, NULL, NULL)
      || (choice->except != NULL && hf_ref_compare (choice->except, ref) == 0)
      || hf_ledger_stat (choice->installation->ledger, branch_fd, HF_ACTIVE_LINK, &st) != 0)
    return TRUE;
  hf_autofd int fd = hf_open_beneath (branch_fd, name, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
    return hf_throw_at (error, "Cannot open %s", branch_fd, name);
  if (fd < 0 || !hf_deployment_get_state (fd, &state, NULL) || !hf_state_in_service (state))
    return TRUE;
  g_autoptr (HfOffer) offer = NULL;
  if (!hf_offer_of (choice->installation, ref, name, &offer, error))
    return FALSE;
  if (offer == NULL || (choice->best != NULL && !comes_before (choice, ref, choice->best->ref)))
    return TRUE;
  hf_offer_free (choice->best);
  choice->best = g_steal_pointer (&offer);
  return TRUE;
}

/**
 * hf_offer_choose:
 * @installation: an installation
 * @id: an ID
 * @except: (nullable): a ref that does not count, as it is about to go
 * @out: (out) (transfer full) (nullable): what is exported for @id, or %NULL if it is nothing
 *
 * Locks: none; under `lock` the answer stays true.
 *
 * Returns: %FALSE with @error set if it cannot be told
 */
gboolean
hf_offer_choose (HfInstallation *installation, const char *id, const HfRef *except, HfOffer **out,
                 GError **error)
{
  g_autoptr (HfRef) owner = NULL;
  *out = NULL;
  if (!hf_owner_read (installation, id, &owner, error))
    return FALSE;
  Choice choice = { .installation = installation, .except = except, .owner = owner };
  gboolean done = hf_branches_visit_id (installation, id, consider, &choice, error);
  if (!done)
    g_clear_pointer (&choice.best, hf_offer_free);
  *out = choice.best;
  return done;
}
