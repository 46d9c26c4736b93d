/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of whole sweeps have in common: an installation with a store that records what it
 * is asked for.
 */
#pragma once

#include "support.h"

typedef struct
{
  Fixture base;
  HfInstallation *installation; /* not owned */
  FakeStore *store;             /* owned */
} Sweeping;

void sweeping_set_up (Sweeping *sweeping, gconstpointer data);
void sweeping_tear_down (Sweeping *sweeping, gconstpointer data);

void sweep_counts (Sweeping *sweeping, guint swept, guint held, guint damaged);
void assert_clean (Sweeping *sweeping);
void assert_calls (Sweeping *sweeping, const char *expected);
void make_pruned (Sweeping *sweeping, const char *path);
