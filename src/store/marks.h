/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a full prune keeps: the names of all objects that some deployment, entry or foreign ref
 * reaches, as a sorted array.
 */
#pragma once

#include "core/sweep.h"
#include "store.h"

typedef struct HfMarks HfMarks;

HfMarks *hf_marks_new (HfStore *store, HfSweepTarget *const *targets, gsize n_targets);
void hf_marks_free (HfMarks *marks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfMarks, hf_marks_free)

gboolean hf_marks_refresh (HfMarks *marks, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_marks_any_copies (const HfMarks *marks);
gboolean hf_marks_contain (const HfMarks *marks, const guint8 *checksum);
