/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The options of the commands that holdfast-store runs.  It parses them; holdfast, which loads no libostree,
 * knows them from here, to complete them (complete.c).
 */
#pragma once

#include "base/language.h"

#include <glib.h>

#define HF_REMOTE_ADD_OPTIONS(key, no_verify, if_not_exists)                                       \
  {                                                                                                \
    "gpg-import", 0, 0, G_OPTION_ARG_FILENAME, (key), N_ ("Trust the public keys in FILE"), "FILE" \
  },                                                                                               \
      { "no-verify", 0, 0, G_OPTION_ARG_NONE, (no_verify), N_ ("Do not check signatures"), NULL }, \
  {                                                                                                \
    "if-not-exists", 0, 0, G_OPTION_ARG_NONE, (if_not_exists),                                     \
        N_ ("Do nothing if there is a remote of this name"), NULL                                  \
  }

#define HF_INSTALL_OPTIONS(ref, command)                                                           \
  {                                                                                                \
    "ref", 0, 0, G_OPTION_ARG_STRING, (ref), N_ ("Install a directory or tarball as REF"), "REF"   \
  },                                                                                               \
  {                                                                                                \
    "command", 0, 0, G_OPTION_ARG_STRING, (command), N_ ("What it runs, with --ref"), "COMMAND"    \
  }

#define HF_REPAIR_OPTIONS(dry_run)                                                                 \
  {                                                                                                \
    "dry-run", 0, 0, G_OPTION_ARG_NONE, (dry_run), N_ ("Only say what is damaged"), NULL           \
  }
