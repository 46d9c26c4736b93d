/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Disk pressure: with less than min-free, a sweep gives up what is only kept, until there is max-free (DESIGN
 * section 8).
 */
#pragma once

#include "free-space.h"
#include "surplus.h"
#include "sweep.h"

/* What was decided about one candidate. */
typedef struct
{
  HfSurplus *surplus; /* owned */
  gboolean given_up;  /* else it was passed over */
  char *why;          /* owned; for people */
  GPtrArray *holders; /* owned; of HfHolder, if it is held; or %NULL */
} HfDecision;

struct HfPressure
{
  GPtrArray *decisions; /* owned; of HfDecision, in their order */
  char
      *short_of; /* owned; if there is less than min-free at the end: what, and what has the rest */
};

void hf_pressure_free (HfPressure *pressure);

gboolean hf_pressure_is_on (HfInstallation *installation, const HfConfig *config);
gboolean hf_pressure_relieve (HfInstallation *installation, const HfSweepStore *store,
                              HfSweepReport *report, GError **error) G_GNUC_WARN_UNUSED_RESULT;
