/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast run: starts an instance.  Options end at the ref: whatever follows is the instance's
 * own.
 */
#include "base/language.h"
#include "launch/launch.h"
#include "options.h"

typedef struct
{
  HfProgram *program;
  const HfFound *found;
  GPtrArray *opened; /* owned; or %NULL */
} Others;

static void
others_clear (Others *others)
{
  g_clear_pointer (&others->opened, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Others, others_clear)

static const GPtrArray *
open_others (gpointer data)
{
  Others *others = data;
  if (others->opened == NULL)
    others->opened = hf_program_open_others (others->program, others->found->installation);
  return others->opened;
}

/* @text with @arch in it, whatever it says of that itself. */
static char *
name_arch (const char *text, const char *arch, GError **error)
{
  g_autoptr (HfRef) pattern = hf_ref_pattern_parse (text, error);
  if (pattern == NULL)
    return NULL;
  return g_strconcat (pattern->kind != NULL ? pattern->kind : "", pattern->kind != NULL ? "/" : "",
                      pattern->id, "/", arch, "/", pattern->branch != NULL ? pattern->branch : "",
                      NULL);
}

/**
 * hf_command_run:
 *
 * Locks: takes leases, which the instance keeps.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_run (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  g_autofree char *command = NULL;
  g_autofree char *branch = NULL;
  g_autofree char *arch = NULL;
  const GOptionEntry entries[] = {
    { "command", 0, 0, G_OPTION_ARG_FILENAME, &command,
      N_ ("Run COMMAND instead of the image's own"), "COMMAND" },
    { "branch", 0, 0, G_OPTION_ARG_STRING, &branch, N_ ("Run this branch"), "BRANCH" },
    { "arch", 0, 0, G_OPTION_ARG_STRING, &arch, N_ ("Run the image for this architecture"),
      "ARCH" },
    G_OPTION_ENTRY_NULL,
  };
  const HfSyntax syntax = {
    .entries = entries,
    .description = N_ ("Everything after REF is passed on.  The exit status is the instance's.\n"),
    .min_arguments = 1,
    .max_arguments = -1,
    .strict = TRUE,
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;

  g_auto (HfFound) found = { NULL };
  g_autofree char *name = arch == NULL ? g_strdup (argv[1]) : name_arch (argv[1], arch, error);
  if (name == NULL || !hf_program_find (program, name, branch, &found, error))
    return FALSE;
  g_auto (Others) others = { program, &found, NULL };
  const HfLaunch launch = {
    .installation = found.installation,
    .others = open_others,
    .others_data = &others,
    .ref = found.deployed->ref,
    .command = command,
    .args = (const char *const *)argv + 2,
  };
  return hf_launch (&launch, status, error);
}
