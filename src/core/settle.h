/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The unsettled mark, the sticky bit of deploy/: set before a change of several steps and cleared
 * when all is done, so that whoever finds it set under `lock` knows that a crash cut one short.
 */
#pragma once

#include "installation.h"

gboolean hf_unsettled_is_marked (HfInstallation *installation, gboolean *out,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_change_begin (HfInstallation *installation, gboolean *out_pending,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_change_end (HfInstallation *installation, gboolean pending,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_settle (HfInstallation *installation, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_settle_look (HfInstallation *installation, GPtrArray *leaving,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_settle_if_marked (HfInstallation *installation,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
