/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Command lines that start what is exported: read as desktops read them, and written so that every
 * desktop reads the same.
 */
#pragma once

#include "ref.h"

/* What is started in place of what an image names. */
typedef struct
{
  const char *program; /* not owned; the absolute path of holdfast */
  const char *scope;   /* not owned; the option that names the installation */
  const HfRef *ref;    /* not owned */
  const char *command; /* not owned; the image's own, or %NULL if it has none */
} HfExportTarget;

/* Who reads the line. */
typedef enum
{
  HF_EXEC_DESKTOP, /* a desktop, that replaces field codes such as %U */
  HF_EXEC_BUS,     /* D-Bus, to which % is a character like others */
} HfExecReader;

typedef struct
{
  char *command; /* owned */
  char **args;   /* owned */
} HfExec;

void hf_exec_clear (HfExec *exec);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (HfExec, hf_exec_clear)

gboolean hf_exec_parse (const char *line, HfExecReader reader, HfExec *out,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
char *hf_exec_line (const HfExportTarget *target, const HfExec *exec, HfExecReader reader);
char *hf_exec_wrapper (const HfExportTarget *target);
gboolean hf_exec_is_plain (const char *text);
