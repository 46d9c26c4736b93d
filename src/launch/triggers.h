/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs of the host that make caches of what is exported: update-desktop-database and the like.
 */
#pragma once

#include "core/installation.h"

void hf_triggers_run (HfInstallation *installation);
