/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a file system can be trusted with.
 */
#pragma once

#include <glib.h>

gboolean hf_filesystem_is_plain (int fd);
