/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sweep that a command leaves behind when it has taken something out of service.
 */
#pragma once

#include "command.h"

void hf_auto_sweep_start (HfProgram *program);
