/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Refs and the patterns that people type for them.  The grammar is flatpak's: an ID of at least
 * three dot-separated elements, an architecture of letters, digits and `_`, a branch that may also
 * have `-` and `.`.  No component can be empty, `.`, `..` or hold a slash, so a parsed ref is safe
 * as a path.
 */
#include "ref.h"

#include "base/error.h"

#include <string.h>

#define KIND_APP     "app"
#define KIND_RUNTIME "runtime"

static gboolean
is_kind (const char *text)
{
  return strcmp (text, KIND_APP) == 0 || strcmp (text, KIND_RUNTIME) == 0;
}

static gboolean
is_element (const char *text, gsize length, gboolean dash)
{
  if (length == 0 || g_ascii_isdigit (text[0]) || text[0] == '-')
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '_' && !(dash && text[i] == '-'))
      return FALSE;
  return TRUE;
}

/* flatpak allows `-` in the last element only. */
static gboolean
is_id (const char *text)
{
  gsize length = strlen (text);
  if (length == 0 || length > 255)
    return FALSE;
  guint elements = 1;
  const char *dot;
  for (; (dot = strchr (text, '.')) != NULL; text = dot + 1, elements++)
    if (!is_element (text, (gsize)(dot - text), FALSE))
      return FALSE;
  return elements >= 3 && is_element (text, strlen (text), TRUE);
}

static gboolean
is_arch (const char *text)
{
  gsize length = strlen (text);
  return length > 0 && length <= 255
         && strspn (text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_") == length;
}

static gboolean
is_branch (const char *text)
{
  gsize length = strlen (text);
  return length > 0 && length <= 255 && (g_ascii_isalnum (text[0]) || text[0] == '_')
         && strspn (text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-.") == length;
}

/**
 * hf_ref_new:
 * @kind: (nullable): a valid kind
 * @id: (nullable): a valid ID
 * @arch: (nullable): a valid architecture
 * @branch: (nullable): a valid branch
 *
 * Puts a ref, or with %NULL components a pattern, together from components known to be valid.
 *
 * Returns: (transfer full): the ref
 */
HfRef *
hf_ref_new (const char *kind, const char *id, const char *arch, const char *branch)
{
  HfRef *ref = g_new0 (HfRef, 1);
  ref->kind = g_strdup (kind);
  ref->id = g_strdup (id);
  ref->arch = g_strdup (arch);
  ref->branch = g_strdup (branch);
  if (kind != NULL && id != NULL && arch != NULL && branch != NULL)
    ref->full = g_strjoin ("/", kind, id, arch, branch, NULL);
  return ref;
}

/**
 * hf_ref_copy:
 * @ref: a ref
 *
 * Returns: (transfer full): another of the same
 */
HfRef *
hf_ref_copy (const HfRef *ref)
{
  return hf_ref_new (ref->kind, ref->id, ref->arch, ref->branch);
}

/**
 * hf_ref_free:
 * @ref: (nullable) (transfer full): a ref or pattern
 */
void
hf_ref_free (HfRef *ref)
{
  if (ref == NULL)
    return;
  g_free (ref->kind);
  g_free (ref->id);
  g_free (ref->arch);
  g_free (ref->branch);
  g_free (ref->full);
  g_free (ref);
}

/**
 * hf_ref_parse:
 * @text: a full ref, `KIND/ID/ARCH/BRANCH`
 *
 * Returns: (transfer full): the ref, or %NULL with %HF_ERROR_USAGE
 */
HfRef *
hf_ref_parse (const char *text, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", 5);
  if (g_strv_length (parts) != 4 || !is_kind (parts[0]) || !is_id (parts[1]) || !is_arch (parts[2])
      || !is_branch (parts[3]))
    {
      (void)hf_throw (error, HF_ERROR_USAGE,
                      "'%s' is not a ref: expected app/ID/ARCH/BRANCH or runtime/ID/ARCH/BRANCH,"
                      " for example app/org.example.Hello/%s/stable",
                      text, hf_ref_default_arch ());
      return NULL;
    }
  return hf_ref_new (parts[0], parts[1], parts[2], parts[3]);
}

/* A pattern's ID may be a part of one: the last element, say. */
static gboolean
is_partial_id (const char *text)
{
  gsize length = strlen (text);
  return length > 0 && length <= 255 && g_ascii_isalnum (text[0])
         && strspn (text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-.") == length;
}

static const char *
component (GStrv parts, guint length, guint index)
{
  return index < length && parts[index][0] != '\0' ? parts[index] : NULL;
}

/**
 * hf_ref_pattern_parse:
 * @text: `[KIND/]ID[/[ARCH][/[BRANCH]]]`; an empty or missing component matches anything
 *
 * Returns: (transfer full): the pattern, or %NULL with %HF_ERROR_USAGE
 */
HfRefPattern *
hf_ref_pattern_parse (const char *text, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", 5);
  guint length = g_strv_length (parts);
  guint first = length > 1 && is_kind (parts[0]) ? 1 : 0;
  const char *id = component (parts, length, first);
  const char *arch = component (parts, length, first + 1);
  const char *branch = component (parts, length, first + 2);
  if (length > first + 3 || id == NULL || !is_partial_id (id) || (arch != NULL && !is_arch (arch))
      || (branch != NULL && !is_branch (branch)))
    {
      (void)hf_throw (error, HF_ERROR_USAGE,
                      "'%s' is not a ref: expected ID, ID//BRANCH or app/ID/ARCH/BRANCH,"
                      " for example org.example.Hello//stable",
                      text);
      return NULL;
    }
  return hf_ref_new (first == 1 ? parts[0] : NULL, id, arch, branch);
}

static gboolean
agrees (const char *wanted, const char *have)
{
  return wanted == NULL || strcmp (wanted, have) == 0;
}

/**
 * hf_ref_pattern_matches:
 * @pattern: a pattern
 * @ref: a full ref
 *
 * Returns: whether every component that @pattern gives is that of @ref
 */
gboolean
hf_ref_pattern_matches (const HfRefPattern *pattern, const HfRef *ref)
{
  return agrees (pattern->kind, ref->kind) && agrees (pattern->id, ref->id)
         && agrees (pattern->arch, ref->arch) && agrees (pattern->branch, ref->branch);
}

/**
 * hf_ref_pattern_resembles:
 * @pattern: a pattern
 * @ref: a full ref
 *
 * Like hf_ref_pattern_matches(), but the pattern's ID may be the last element of the ref's, in any
 * letter case: `hello` for org.example.Hello.  For names that match nothing exactly.
 *
 * Returns: whether @ref may be meant
 */
gboolean
hf_ref_pattern_resembles (const HfRefPattern *pattern, const HfRef *ref)
{
  const char *last = strrchr (ref->id, '.');
  return agrees (pattern->kind, ref->kind) && agrees (pattern->arch, ref->arch)
         && agrees (pattern->branch, ref->branch) && last != NULL
         && g_ascii_strcasecmp (pattern->id, last + 1) == 0;
}

/**
 * hf_ref_is_app:
 * @ref: a ref
 *
 * Returns: whether it is an application's, not a runtime's
 */
gboolean
hf_ref_is_app (const HfRef *ref)
{
  return strcmp (ref->kind, KIND_APP) == 0;
}

/**
 * hf_ref_compare:
 * @a: a ref
 * @b: another
 *
 * Returns: their order, as strcmp() says it
 */
int
hf_ref_compare (const HfRef *a, const HfRef *b)
{
  return strcmp (a->full, b->full);
}

/**
 * hf_ref_default_arch:
 *
 * Returns: (transfer none): this machine's architecture, in flatpak's spelling
 */
const char *
hf_ref_default_arch (void)
{
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#elif defined(__i386__)
  return "i386";
#elif defined(__arm__)
  return "arm";
#elif defined(__riscv) && __riscv_xlen == 64
  return "riscv64";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
  return "ppc64le";
#elif defined(__s390x__)
  return "s390x";
#else
#  error "this architecture has no name in flatpak's refs yet"
#endif
}

/**
 * hf_commit_is_valid:
 * @checksum: any text
 *
 * Returns: whether it is a commit's checksum: 64 lower-case hexadecimal digits
 */
gboolean
hf_commit_is_valid (const char *checksum)
{
  return strlen (checksum) == 64 && strspn (checksum, "0123456789abcdef") == 64;
}
