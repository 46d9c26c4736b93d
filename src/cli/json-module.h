/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The module that knows json-glib, loaded when JSON was asked for.
 */
#pragma once

#include <glib.h>

char *hf_json_render (GVariant *document);
