/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The key rings of remotes, beside the repository's configuration.
 */
#pragma once

#include "installation.h"

void hf_keyrings_prune (HfInstallation *installation);
