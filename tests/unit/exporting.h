/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Deployments that export names, for the tests of exports/, and what these names lead to.
 */
#pragma once

#include "support.h"

#define PLAIN   "app/org.test.Plain/x86_64/stable"

#define ENTRY   "share/applications/org.test.App.desktop"
#define SECOND  "share/applications/org.test.App.Two.desktop"
#define ICON    "share/icons/hicolor/48x48/apps/org.test.App.png"
#define WRAPPER "bin/org.test.App"

char *deploy_exporting (HfInstallation *installation, const char *full, char digit,
                        const char *names);
void undeploy (HfInstallation *installation, const char *full);
char *read_name (HfInstallation *installation, const char *path);
void assert_leads (HfInstallation *installation, const char *path, const char *expected);
void assert_empty (HfInstallation *installation);
