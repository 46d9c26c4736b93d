/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The keys of `config`, what each can be, and how text becomes a value.  Knows nothing of files.  Used by
 * config.c only.
 */
#pragma once

#include "config.h"

gboolean hf_config_value_parse (const HfConfigKey *key, const char *text, HfConfig *config,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
const HfConfigKey *hf_config_key_find (const char *name, GError **error);
