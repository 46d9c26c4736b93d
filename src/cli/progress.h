/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One line on a terminal that tells how far a command is, and that is gone before anything else is
 * printed.
 */
#pragma once

#include "base/progress.h"
#include "command.h"

HfProgress *hf_progress_line_new (const HfProgram *program);
void hf_progress_line_clear (void);
