/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Refs, `KIND/ID/ARCH/BRANCH` in flatpak's grammar, and the shorter patterns that people type for
 * them.  A parsed ref has no component that could leave a directory.
 */
#pragma once

#include <glib.h>

typedef struct
{
  char *kind; /* "app" or "runtime" */
  char *id;
  char *arch;
  char *branch;
  char *full; /* all four, joined by slashes */
} HfRef;

/* What a person typed: %NULL components match anything. */
typedef HfRef HfRefPattern;

HfRef *hf_ref_parse (const char *text, GError **error);
HfRef *hf_ref_new (const char *kind, const char *id, const char *arch, const char *branch);
HfRef *hf_ref_copy (const HfRef *ref);
void hf_ref_free (HfRef *ref);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfRef, hf_ref_free)

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfRefPattern, hf_ref_free)

HfRefPattern *hf_ref_pattern_parse (const char *text, GError **error);
gboolean hf_ref_pattern_matches (const HfRefPattern *pattern, const HfRef *ref);
gboolean hf_ref_pattern_resembles (const HfRefPattern *pattern, const HfRef *ref);

gboolean hf_ref_is_app (const HfRef *ref);
int hf_ref_compare (const HfRef *a, const HfRef *b);
const char *hf_ref_default_arch (void);

gboolean hf_commit_is_valid (const char *checksum);
