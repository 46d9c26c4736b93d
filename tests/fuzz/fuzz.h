/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A fuzz target: libFuzzer calls it with inputs of its own, replay.c with those that are kept.  What
 * a target finds wrong, it aborts on.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
