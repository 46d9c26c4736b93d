/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast install: from a remote, or from a directory or tarball of one's own.
 */
#include "store/install.h"

#include "base/interrupt.h"
#include "base/language.h"
#include "core/active.h"
#include "core/patterns.h"
#include "install-notify.h"
#include "libexec.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "store-options.h"
#include "store/remotes.h"

#include <string.h>
#include <unistd.h>

/* What is to be installed from where. */
typedef struct
{
  char *remote; /* owned */
  HfRef *ref;   /* owned */
} Wanted;

static void
wanted_free (Wanted *wanted)
{
  g_free (wanted->remote);
  hf_ref_free (wanted->ref);
  g_free (wanted);
}

static gboolean
fail (const char *ref, GError *cause, GError **error)
{
  g_autofree char *not_done = g_strdup_printf (_ ("%s was not installed"), ref);
  return hf_install_failed (not_done, cause, error);
}

/* Whether some remote has an image that is called so. */
static gboolean
names_an_image (const HfInstallContext *context, const char *name)
{
  g_autoptr (HfRefPattern) pattern = hf_ref_pattern_parse (name, NULL);
  g_autoptr (HfRemote) remote = NULL;
  g_autoptr (HfRef) ref = NULL;
  return pattern != NULL
         && hf_remote_find (context->store, NULL, pattern, &remote, &ref, context->cancellable,
                            NULL);
}

/* With several arguments, the first may name a remote; else each remote is asked.  A word that is
 * neither a remote nor an image is taken for a mistyped remote. */
static gboolean
take_remote (const HfInstallContext *context, char ***names, char **out, GError **error)
{
  *out = NULL;
  const char *first = (*names)[0];
  if ((*names)[1] == NULL)
    return TRUE;
  g_autoptr (GError) local = NULL;
  g_autoptr (HfRemote) remote = hf_remote_get (context->store, first, &local);
  if (remote != NULL)
    {
      *out = g_strdup (first);
      (*names)++;
      return TRUE;
    }
  if (hf_error_is (local, HF_ERROR_NOT_FOUND)
      && (strchr (first, '.') != NULL || names_an_image (context, first)))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static HfRefPattern *
parse_name (const char *name, GError **error)
{
  g_autoptr (GError) local = NULL;
  HfRefPattern *pattern = hf_ref_pattern_parse (name, &local);
  if (pattern != NULL)
    return pattern;
  if (access (name, F_OK) == 0)
    (void)hf_throw (error, HF_ERROR_USAGE,
                    "To install the directory or tarball %s, say with --ref=REF what it is to be",
                    name);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

/* A mask keeps from nothing what is there. */
static gboolean
may_install (const HfInstallContext *context, const HfRef *ref, GError **error)
{
  HfInstallation *installation = context->store->installation;
  g_autofree char *active = NULL;
  GError *masked = NULL;
  if (!hf_active_read (installation, ref, &active, error))
    return FALSE;
  return active != NULL || hf_mask_check (installation, ref, &masked)
         || fail (ref->full, masked, error);
}

/* Finds all of them before any is installed, so that a mistake in one changes nothing. */
static GPtrArray *
find_all (const HfInstallContext *context, char **names, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify)wanted_free);
  g_autofree char *only = NULL;
  if (!take_remote (context, &names, &only, error))
    return NULL;
  for (; *names != NULL; names++)
    {
      g_autoptr (HfRef) pattern = parse_name (*names, error);
      if (pattern == NULL)
        return NULL;
      g_autoptr (HfRemote) remote = NULL;
      g_autoptr (HfRef) ref = NULL;
      GError *local = NULL;
      if (!hf_remote_find (context->store, only, pattern, &remote, &ref, context->cancellable,
                           &local))
        {
          (void)fail (*names, local, error);
          return NULL;
        }
      if (!may_install (context, ref, error))
        return NULL;
      Wanted *wanted = g_new0 (Wanted, 1);
      wanted->remote = g_strdup (remote->name);
      wanted->ref = g_steal_pointer (&ref);
      g_ptr_array_add (found, wanted);
    }
  return g_steal_pointer (&found);
}

/* What is pinned before it is installed no sweep takes for unused in between.  A crash leaves at worst a pin that
 * pins nothing. */
typedef struct
{
  const HfInstallContext *context; /* not owned */
  const HfRef *ref;                /* not owned */
  gboolean made;
} Pin;

static gboolean
pin (Pin *self, const HfInstallContext *context, const HfRef *ref, GError **error)
{
  GError *local = NULL;
  *self = (Pin){ context, ref, FALSE };
  return hf_pin_named (context->store->installation, ref, &self->made, &local)
         || fail (ref->full, local, error);
}

static void
pin_end (const Pin *self, gboolean installed)
{
  if (self->made && installed)
    hf_output_pinned (self->ref);
  else if (self->made)
    (void)hf_pin_drop (self->context->store->installation, self->ref);
}

static gboolean
install_one (const HfInstallContext *context, const Wanted *wanted, GError **error)
{
  Pin named;
  gboolean changed = FALSE;
  GError *local = NULL;
  if (!pin (&named, context, wanted->ref, error))
    return FALSE;
  gboolean done
      = hf_install_remote (context, wanted->remote, wanted->ref, HF_INSTALL_NEW, &changed, &local);
  if (done && !changed)
    hf_output_line ("%s is already installed", wanted->ref->full);
  pin_end (&named, done);
  return done || fail (wanted->ref->full, local, error);
}

static gboolean
install_remote (const HfInstallContext *context, char **names, GError **error)
{
  g_autoptr (GPtrArray) all = find_all (context, names, error);
  if (all == NULL)
    return FALSE;
  for (guint i = 0; i < all->len; i++)
    if (!install_one (context, all->pdata[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
install_local (const HfInstallContext *context, const char *source, const HfRef *ref,
               const char *command, GError **error)
{
  Pin named;
  GError *local = NULL;
  if (!hf_mask_check (context->store->installation, ref, &local))
    return fail (ref->full, local, error);
  if (!pin (&named, context, ref, error))
    return FALSE;
  gboolean done = hf_install_local (context, source, ref, command, &local);
  pin_end (&named, done);
  return done || fail (ref->full, local, error);
}

static gboolean
check_arguments (int argc, const char *ref, const char *command, GError **error)
{
  if (ref != NULL && argc != 2)
    return hf_throw (error, HF_ERROR_USAGE,
                     "With --ref there must be exactly one DIRECTORY or TARBALL");
  if (ref == NULL && command != NULL)
    return hf_throw (error, HF_ERROR_USAGE, "--command needs --ref");
  return TRUE;
}

/**
 * hf_command_install:
 *
 * Locks: see hf_install_remote() and hf_install_local().
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_install (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_autofree char *name = NULL;
  g_autofree char *command = NULL;
  const GOptionEntry entries[] = {
    HF_INSTALL_OPTIONS (&name, &command),
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .description
    = N_ ("REF is a full ref, KIND/ID/ARCH/BRANCH, or a part of one: ID, or ID//BRANCH.\n"
          "The runtime that an application needs is installed first.\n"),
    .min_arguments = 1,
    .max_arguments = -1,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error)
      || !check_arguments (argc, name, command, error))
    return FALSE;
  g_autoptr (HfRef) ref = name != NULL ? hf_ref_parse (name, error) : NULL;
  if (name != NULL && ref == NULL)
    return FALSE;

  GCancellable *cancellable = hf_interrupt_watch (HF_INSTALL_INTERRUPTED);
  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open (program, HF_OPEN_OR_CREATE, &installation, error))
    return FALSE;
  g_autofree char *holdfast = hf_libexec_holdfast (error);
  if (holdfast == NULL)
    return FALSE;
  program->changes = TRUE;
  g_autoptr (HfStore) store = hf_store_open (installation, HF_OPEN_OR_CREATE, error);
  if (store == NULL)
    return FALSE;
  g_autoptr (HfProgress) progress = hf_progress_line_new (program);
  const HfInstallContext context = hf_install_context (store, holdfast, progress, cancellable);
  return ref != NULL ? install_local (&context, argv[1], ref, command, error)
                     : install_remote (&context, argv + 1, error);
}
