/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patterns of refs with wildcards, as `mask` and `pin` take them: `[KIND/]ID[/ARCH[/BRANCH]]`, where `*`
 * stands for any text in a component and `?` for one character.  What is left out matches anything.
 */
#pragma once

#include "ref.h"

gboolean hf_ref_glob_is_valid (const char *glob);
gboolean hf_ref_glob_matches (const char *glob, const HfRef *ref);
const char *hf_ref_glob_find (char **globs, const HfRef *ref);
