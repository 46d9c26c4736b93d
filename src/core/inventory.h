/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every deployment that there is, in service or not, with what it stands for.  For people and programs to
 * look at; nothing is done because of it.
 */
#pragma once

#include "deployed.h"

GPtrArray *hf_inventory_list (HfInstallation *installation, GError **error);
