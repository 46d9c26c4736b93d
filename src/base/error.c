/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one error domain, and the two ways to raise an error in it.  Both return FALSE, so that a
 * failing step reads `return hf_throw (...)`.
 */
#include "error.h"

#include "language.h"

#include <errno.h>
#include <stdarg.h>

/**
 * hf_error_quark:
 *
 * Returns: the domain of #HfErrorCode
 */
/* clang-format off */
G_DEFINE_QUARK (hf-error-quark, hf_error)
/* clang-format on */

/**
 * hf_throw:
 * @error: where to put the error, or %NULL
 * @code: what a caller branches on
 * @format: a message that names the thing, the cause and, where there is one, the way out; it is translated here
 *
 * Returns: %FALSE always
 */
gboolean
hf_throw (GError **error, HfErrorCode code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autoptr (GError) raised = g_error_new_valist (HF_ERROR, code, hf_text (format), args);
  va_end (args);
  g_propagate_error (error, g_steal_pointer (&raised));
  return FALSE;
}

/**
 * hf_throw_errno:
 * @error: where to put the error, or %NULL
 * @format: the operation and the path it was tried on, translated here; the cause is added from `errno`
 *
 * A full disk or an exhausted quota becomes %HF_ERROR_NO_SPACE, everything else %HF_ERROR_FAILED.
 * `errno` is preserved.
 *
 * Returns: %FALSE always
 */
gboolean
hf_throw_errno (GError **error, const char *format, ...)
{
  int saved = errno;
  va_list args;
  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (hf_text (format), args);
  va_end (args);
  HfErrorCode code = saved == ENOSPC || saved == EDQUOT ? HF_ERROR_NO_SPACE : HF_ERROR_FAILED;
  g_set_error (error, HF_ERROR, (int)code, "%s: %s", what, g_strerror (saved));
  errno = saved;
  return FALSE;
}

/**
 * hf_errno_is_shortage:
 * @errsv: why something could not be opened or read
 *
 * Returns: whether it is for a shortage of our own, which says nothing about the thing
 */
gboolean
hf_errno_is_shortage (int errsv)
{
  return errsv == EMFILE || errsv == ENFILE || errsv == ENOMEM;
}

/**
 * hf_error_is:
 * @error: an error, or %NULL
 * @code: the code asked for
 *
 * Returns: whether @error is of this domain and has @code
 */
gboolean
hf_error_is (const GError *error, HfErrorCode code)
{
  return g_error_matches (error, HF_ERROR, (int)code);
}
