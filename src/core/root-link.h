/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The symlinks of indirect roots, which lie anywhere on the machine, on anybody's file systems: made once,
 * and looked at from a process of its own, so that a mount that does not answer stops nobody.
 */
#pragma once

#include "installation.h"
#include "root.h"

gboolean hf_root_link_make (HfRoot *root, const char *link, const char *target,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_root_links_look (HfInstallation *installation, const GPtrArray *roots);
