/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one error domain.  Codes are what a caller branches on, and what the exit status is made
 * from; everything else that can be said stands in the message.  Used by every layer.
 */
#pragma once

#include <glib.h>

typedef enum
{
  HF_ERROR_FAILED,
  HF_ERROR_USAGE,     /* the command line, or a name on it, is malformed */
  HF_ERROR_NOT_FOUND, /* no such ref, remote, runtime, installation */
  HF_ERROR_IN_USE,    /* a lock is held by somebody else */
  HF_ERROR_DAMAGED,   /* an entry that only a person can put right */
  HF_ERROR_UNTRUSTED, /* a signature, a binding or a checksum is wrong */
  HF_ERROR_UNSAFE,    /* content that no image may have */
  HF_ERROR_NO_SPACE,  /* ENOSPC, EDQUOT */
  HF_ERROR_FORMAT,    /* an installation of another format */
  HF_ERROR_CHANGED,   /* somebody else was faster: start over */
} HfErrorCode;

#define HF_ERROR (hf_error_quark ())
GQuark hf_error_quark (void);

gboolean hf_throw (GError **error, HfErrorCode code, const char *format, ...) G_GNUC_PRINTF (3, 4);
gboolean hf_throw_errno (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);
gboolean hf_errno_is_shortage (int errsv);
gboolean hf_error_is (const GError *error, HfErrorCode code);
