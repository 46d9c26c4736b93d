/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a change of `active` changes in exports/.
 *
 * Before `active` changes, what the next deployment does not export is withdrawn, and after it, what is new
 * is offered: so no name of ours ever leads nowhere.  An application that goes is withdrawn before it is
 * taken out of service.  A crash in between leaves fewer names than there should be, and the mark.
 *
 * Names lead on by their owner, which so comes before them and goes after them.  After an error no more of them
 * are made; only one that could not be withdrawn leads nowhere, until settling has done it.
 */
#include "exports.h"

#include "active.h"
#include "base/error.h"
#include "base/language.h"
#include "exports-private.h"
#include "layout.h"

#include <stdlib.h>
#include <string.h>

static int
compare_names (const void *path, const void *name)
{
  return strcmp (path, *(char *const *)name);
}

static gboolean
has_name (const HfOffer *offer, const char *path)
{
  return offer != NULL
         && bsearch (path, offer->names, g_strv_length (offer->names), sizeof *offer->names,
                     compare_names)
                != NULL;
}

/* What is exported for an ID now, as far as exports/owners says so. */
static gboolean
current_offer (HfInstallation *installation, const char *id, HfOffer **out, GError **error)
{
  g_autofree char *name = NULL;
  g_autoptr (HfRef) owner = NULL;
  *out = NULL;
  if (!hf_owner_read (installation, id, &owner, error)
      || (owner != NULL && !hf_active_read (installation, owner, &name, error)))
    return FALSE;
  return name == NULL || hf_offer_of (installation, owner, name, out, error);
}

/* Whether another ID that may have the name has it. */
static gboolean
exports_name (HfExportsChange *change, const char *id, const char *path)
{
  g_autoptr (HfOffer) offer = NULL;
  g_autoptr (GError) failed = NULL;
  (void)!current_offer (change->installation, id, &offer, &failed);
  hf_exports_change_failed (change, failed);
  return has_name (offer, path);
}

/* An ID has three elements or more. */
static gboolean
may_be_id (const char *text)
{
  const char *dot = strchr (text, '.');
  return dot != NULL && strchr (dot + 1, '.') != NULL;
}

/* An ID can be the beginning of another, and a name then belong to both: to the longer one first.  Here, to
 * the next after @id that exports it; %NULL if there is none. */
static char *
find_heir (HfExportsChange *change, const char *path, const char *id)
{
  g_autofree char *shorter = g_strdup (id);
  for (gsize length = strlen (shorter); length-- > 0 && may_be_id (shorter);)
    {
      if (shorter[length] != '.' && shorter[length] != '-')
        continue;
      shorter[length] = '\0';
      if (exports_name (change, shorter, path))
        return g_steal_pointer (&shorter);
    }
  return NULL;
}

/* @id exports the name no more. */
static void
release (HfExportsChange *change, const char *path, const char *id)
{
  g_autofree char *target = NULL;
  g_autofree char *ours = hf_export_link_target (path, id);
  if (!hf_exports_link_read (change, path, &target, NULL) || g_strcmp0 (target, ours) != 0)
    return;
  g_autofree char *heir = find_heir (change, path, id);
  if (heir == NULL)
    {
      hf_exports_link_drop (change, path);
      return;
    }
  g_autofree char *theirs = hf_export_link_target (path, heir);
  hf_exports_link_set (change, path, theirs);
}

/* Whatever a person put there stays: that is no failure, as trying again would end the same. */
static void
say_taken (const char *path)
{
  g_printerr (_ ("holdfast: %s/%s is not made, as something else is there: move that away\n"),
              HF_EXPORTS_DIR, path);
}

/* @id exports the name from now on, or still.  %FALSE after an error only. */
static gboolean
take (HfExportsChange *change, const char *path, const char *id)
{
  gboolean taken;
  g_autofree char *target = NULL;
  g_autofree char *ours = hf_export_link_target (path, id);
  if (!hf_exports_link_read (change, path, &target, &taken))
    return FALSE;
  if (g_strcmp0 (target, ours) == 0)
    return TRUE;
  g_autofree char *other = hf_export_link_owner (path, target);
  if (taken || (target != NULL && other == NULL))
    {
      say_taken (path);
      return TRUE;
    }
  if (other != NULL && strlen (other) > strlen (id) && exports_name (change, other, path))
    return TRUE;
  return hf_exports_link_set (change, path, ours);
}

static void
release_all (HfExportsChange *change, const HfOffer *before, const HfOffer *after, const char *id)
{
  for (guint i = 0; before->names[i] != NULL; i++)
    if (!has_name (after, before->names[i]))
      release (change, before->names[i], id);
}

static void
take_all (HfExportsChange *change, const HfOffer *offer)
{
  guint i = 0;
  while (offer->names[i] != NULL && take (change, offer->names[i], offer->ref->id))
    i++;
}

/* What is reached by the names is about to be another, whether names come and go or not. */
static void
spoil_all (HfExportsChange *change, const HfOffer *offer)
{
  for (guint i = 0; offer != NULL && offer->names[i] != NULL; i++)
    hf_exports_spoil (change, offer->names[i]);
}

/* Whether names of its ID lead on to what @ref exports. */
static gboolean
set_owner (HfExportsChange *change, const HfRef *ref)
{
  g_autofree char *path = hf_owner_path (ref->id);
  g_autofree char *target = hf_owner_target (ref);
  g_autofree char *present = NULL;
  gboolean taken;
  if (!hf_exports_link_read (change, path, &present, &taken))
    return FALSE;
  g_autoptr (HfRef) former = hf_owner_parse (present, ref->id);
  taken |= present != NULL && former == NULL;
  if (taken)
    say_taken (path);
  return !taken && (g_strcmp0 (present, target) == 0 || hf_exports_link_set (change, path, target));
}

static void
drop_owner (HfExportsChange *change, const char *id)
{
  g_autofree char *path = hf_owner_path (id);
  hf_exports_link_drop (change, path);
}

/* What exports the names of @ref's ID once @next is its active deployment, or none is. */
static gboolean
next_offer (HfInstallation *installation, const HfRef *ref, const char *next, HfOffer **out,
            GError **error)
{
  gboolean wanted;
  *out = NULL;
  if (!hf_exports_wanted (installation, &wanted, error))
    return FALSE;
  if (!wanted)
    return TRUE;
  if (next != NULL && !hf_offer_of (installation, ref, next, out, error))
    return FALSE;
  return *out != NULL || hf_offer_choose (installation, ref->id, ref, out, error);
}

/* From what @ref exports to what is exported of its ID then, by itself or by another; either may be
 * nothing. */
static void
hand_over (HfExportsChange *change, const HfRef *ref, const HfOffer *before, const HfOffer *after)
{
  gboolean other = after != NULL && hf_ref_compare (after->ref, ref) != 0;
  spoil_all (change, before);
  if (before != NULL)
    release_all (change, before, after, ref->id);
  if (other && set_owner (change, after->ref))
    take_all (change, after);
  if (after == NULL && !change->failed)
    drop_owner (change, ref->id);
}

/**
 * hf_exports_withdraw:
 * @installation: an installation
 * @ref: a ref whose active deployment is about to change
 * @next: (nullable): the name of the one that comes, which is in its place already; %NULL if none comes
 *
 * Takes the names out of exports/ that nothing exports then.  If @ref goes, the next branch or architecture
 * of its ID gets them.
 *
 * Locks: needs `lock` and the unsettled mark.
 *
 * Returns: whether all of it was done; the mark has to stay if not
 */
gboolean
hf_exports_withdraw (HfInstallation *installation, const HfRef *ref, const char *next)
{
  g_auto (HfExportsChange) change = { .fd = -1 };
  g_autoptr (HfRef) owner = NULL;
  g_autoptr (HfOffer) before = NULL;
  g_autoptr (HfOffer) after = NULL;
  g_autoptr (GError) failed = NULL;
  if (!hf_ref_is_app (ref))
    return TRUE;
  gboolean told = hf_owner_read (installation, ref->id, &owner, &failed);
  if (told && (owner == NULL || hf_ref_compare (owner, ref) != 0))
    return TRUE;
  gboolean known = told && hf_exports_change_begin (&change, installation, FALSE)
                   && current_offer (installation, ref->id, &before, &failed);
  gboolean decided = known && next_offer (installation, ref, next, &after, &failed);
  /* Then all of exports/ has to be looked at. */
  if (decided && before == NULL)
    (void)hf_throw (&failed, HF_ERROR_DAMAGED, "what %s exports cannot be told", ref->full);
  hf_exports_change_failed (&change, failed);
  /* Of what goes, no name would lead on, whoever comes. */
  if (decided || (known && next == NULL))
    hand_over (&change, ref, before, after);
  return hf_exports_change_end (&change);
}

/**
 * hf_exports_offer:
 * @installation: an installation
 * @ref: a ref whose active deployment has changed
 *
 * Puts the names into exports/ that it exports now, unless another branch or architecture of its ID owns
 * them.
 *
 * Locks: needs `lock` and the unsettled mark.
 *
 * Returns: whether all of it was done; the mark has to stay if not
 */
gboolean
hf_exports_offer (HfInstallation *installation, const HfRef *ref)
{
  g_auto (HfExportsChange) change = { .fd = -1 };
  g_autoptr (HfOffer) offer = NULL;
  g_autoptr (GError) failed = NULL;
  if (!hf_ref_is_app (ref))
    return TRUE;
  gboolean wanted = TRUE, told = hf_offer_choose (installation, ref->id, NULL, &offer, &failed);
  if (told && offer != NULL)
    told = hf_exports_wanted (installation, &wanted, &failed);
  if (told && (offer == NULL || !wanted))
    return TRUE;
  if (hf_exports_change_begin (&change, installation, TRUE) && told
      && set_owner (&change, offer->ref))
    take_all (&change, offer);
  hf_exports_change_failed (&change, failed);
  return hf_exports_change_end (&change);
}

/**
 * hf_exports_of:
 * @installation: an installation
 * @ref: a ref
 *
 * Locks: none.
 *
 * Returns: (transfer full): the paths below exports/ of what it exports, none if another branch or
 *   architecture of its ID does
 */
char **
hf_exports_of (HfInstallation *installation, const HfRef *ref)
{
  g_autoptr (HfOffer) offer = NULL;
  if (!current_offer (installation, ref->id, &offer, NULL) || offer == NULL
      || hf_ref_compare (offer->ref, ref) != 0)
    return g_new0 (char *, 1);
  return g_steal_pointer (&offer->names);
}
