/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The program: the one table of commands, the one table of exit statuses, and what is common to all
 * commands.  Built twice: as holdfast, and with HF_WITH_STORE as holdfast-store, which runs those
 * that need libostree.
 */
#include "auto-sweep.h"
#include "base/language.h"
#include "command.h"
#include "libexec.h"
#include "options.h"
#include "output.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HF_WITH_STORE
#  include "base/interrupt.h"
#  include <gio/gio.h>
#  define STORE(function) function
#else
#  define STORE(function) NULL
#endif

static const HfCommand commands[] = {
  { "remote-add", NULL, "NAME LOCATION", N_ ("Add a remote repository"),
    STORE (hf_command_remote_add), FALSE },
  { "remote-delete", NULL, "REMOTE", N_ ("Delete a remote"), STORE (hf_command_remote_delete),
    FALSE },
  { "remotes", "remote-list", NULL, N_ ("List the remotes"), STORE (hf_command_remotes), FALSE },
  { "remote-ls", NULL, "[REMOTE]", N_ ("List the images of remotes"), STORE (hf_command_remote_ls),
    FALSE },
  { "install", NULL, "[REMOTE] REF… | DIRECTORY | TARBALL", N_ ("Install images"),
    STORE (hf_command_install), TRUE },
  { "update", NULL, "[REF…]", N_ ("Update images"), STORE (hf_command_update), TRUE },
  { "uninstall", "remove", "[REF…]", N_ ("Take images out of service"), hf_command_uninstall,
    TRUE },
  { "rollback", NULL, "REF", N_ ("Go back to an earlier deployment"), hf_command_rollback, TRUE },
  { "restore", NULL, "REF…", N_ ("Bring back what was uninstalled"), hf_command_restore, FALSE },
  { "list", NULL, NULL, N_ ("List what is installed"), hf_command_list, FALSE },
  { "installations", "installation-list", NULL, N_ ("List the installations"),
    hf_command_installations, FALSE },
  { "info", NULL, "REF", N_ ("Show what is known of an image"), hf_command_info, FALSE },
  { "df", NULL, "[REF…]", N_ ("Show what takes how much space"), hf_command_df, FALSE },
  { "history", NULL, NULL, N_ ("Show what was changed, and when"), hf_command_history, FALSE },
  { "run", NULL, "REF [ARG…]", N_ ("Run an image"), hf_command_run, FALSE },
  { "ps", NULL, NULL, N_ ("List running instances"), hf_command_ps, FALSE },
  { "why", NULL, "PATH | REF | COMMIT | OBJECT", N_ ("Tell why something is still on the disk"),
    hf_command_why, FALSE },
  { "hold", NULL, "REF -- COMMAND [ARG…]", N_ ("Keep an image while a command runs"),
    hf_command_hold, FALSE },
  { "root", NULL, "add NAME REF | list | remove ROOT", N_ ("Keep deployments for good"),
    hf_command_root, TRUE },
  { "mask", NULL, "[PATTERN…]", N_ ("Keep images from being installed and updated"),
    hf_command_mask, FALSE },
  { "pin", NULL, "[PATTERN…]", N_ ("Keep runtimes from being unused"), hf_command_pin, FALSE },
  { "config", NULL, NULL, N_ ("Show or change the configuration"), hf_command_config, TRUE },
  { "sweep", NULL, NULL, N_ ("Free what is out of service and not in use"), hf_command_sweep,
    FALSE },
  { "repair", NULL, "[REF…]", N_ ("Find and mend what is damaged"), STORE (hf_command_repair),
    TRUE },
  /* For shells, and in no help. */
  { "complete", NULL, NULL, NULL, hf_command_complete, FALSE },
};

/* holdfast(1), EXIT STATUS, describes them. */
enum
{
  EXIT_USAGE = 2,
  EXIT_NOT_FOUND = 3,
  EXIT_IN_USE = 4,
  EXIT_DAMAGED = 5,
  EXIT_UNTRUSTED = 6,
  EXIT_NO_SPACE = 7,
};

static const int exit_statuses[] = {
  [HF_ERROR_FAILED] = EXIT_FAILURE,      [HF_ERROR_USAGE] = EXIT_USAGE,
  [HF_ERROR_NOT_FOUND] = EXIT_NOT_FOUND, [HF_ERROR_IN_USE] = EXIT_IN_USE,
  [HF_ERROR_DAMAGED] = EXIT_DAMAGED,     [HF_ERROR_UNTRUSTED] = EXIT_UNTRUSTED,
  [HF_ERROR_UNSAFE] = EXIT_UNTRUSTED,    [HF_ERROR_NO_SPACE] = EXIT_NO_SPACE,
  [HF_ERROR_FORMAT] = EXIT_FAILURE,      [HF_ERROR_CHANGED] = EXIT_FAILURE,
};

static const struct
{
  int status;
  const char *meaning;
} exit_meanings[] = {
  { EXIT_SUCCESS, N_ ("Done") },
  { EXIT_FAILURE, N_ ("Failed") },
  { EXIT_USAGE, N_ ("The command line, or a name in it, is malformed") },
  { EXIT_NOT_FOUND, N_ ("Not found, or not installed") },
  { EXIT_IN_USE, N_ ("In use") },
  { EXIT_DAMAGED, N_ ("Damaged: a person is needed, or holdfast repair") },
  { EXIT_UNTRUSTED, N_ ("Untrusted or unsafe") },
  { EXIT_NO_SPACE, N_ ("No space left") },
};

static int
exit_status_of (const GError *error)
{
  if (error->domain == HF_ERROR)
    return exit_statuses[error->code];
#ifdef HF_WITH_STORE
  /* libostree raises GIO's errors. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE))
    return EXIT_NO_SPACE;
#endif
  return EXIT_FAILURE;
}

static char *
global_help (HfProgram *program)
{
  g_autoptr (GString) end = g_string_new (_ ("Exit Status:"));
  for (gsize i = 0; i < G_N_ELEMENTS (exit_meanings); i++)
    g_string_append_printf (end, "\n  %-15d%s", exit_meanings[i].status,
                            hf_text (exit_meanings[i].meaning));
  return hf_options_global_help (program, end->str);
}

/* What root installs is for everybody, whatever root's umask; other people's says whom they let look at
 * theirs, but nobody lets others write there.  What an image or a command is started with stays as it is. */
static void
set_umask (const HfCommand *command)
{
  if (command->run == hf_command_run || command->run == hf_command_hold)
    return;
  mode_t mask = umask (S_IWGRP | S_IWOTH);
  if (geteuid () != 0)
    (void)umask (mask | S_IWGRP | S_IWOTH);
}

static gboolean
run_program (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  if (!hf_options_parse_global (program, &argc, &argv, error))
    return FALSE;
  if (argc > 1 && strcmp (argv[1], "help") == 0)
    {
      program->help = TRUE;
      argc--;
      argv++;
    }
  if (argc < 2)
    {
      g_autofree char *help = global_help (program);
      fputs (help, program->help ? stdout : stderr);
      *status = program->help ? EXIT_SUCCESS : EXIT_USAGE;
      return TRUE;
    }
  const HfCommand *command = hf_program_command (program, argv[1]);
  program->command = command;
  if (command == NULL)
    return hf_throw (error, HF_ERROR_USAGE, "%s is not a command: see holdfast --help", argv[1]);
  set_umask (command);
  if (command->run == NULL)
    return hf_store_exec (program, error);
  gboolean done = command->run (program, argc - 1, argv + 1, status, error);
  if (command->retires)
    hf_auto_sweep_start (program);
  return done;
}

/* Else the first file that is opened would become standard output or standard error, and messages
 * would be written into it. */
static void
ensure_standard_fds (void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl (fd, F_GETFD) < 0 && open ("/dev/null", O_RDWR) != fd)
      abort ();
}

int
main (int argc, char **argv)
{
  ensure_standard_fds ();
  hf_language_begin (HF_LOCALE_DIR);
  hf_output_begin ();
  g_set_prgname ("holdfast");
  g_log_writer_default_set_use_stderr (TRUE); /* standard output is for results */

  g_autofree char **arguments = g_memdup2 (argv, ((gsize)argc + 1) * sizeof *argv);
  HfProgram program = { .argv = argv,
                        .commands = commands,
                        .n_commands = G_N_ELEMENTS (commands),
                        .reclaim = STORE (hf_reclaim_with_store) };
  g_autoptr (GError) error = NULL;
  int status = EXIT_SUCCESS;
  gboolean done = run_program (&program, argc, arguments, &status, &error);
  if (done)
    done = hf_output_finish (&error);
  hf_program_warn (&program);
  if (!done)
    {
      hf_output_error (error);
      status = exit_status_of (error);
    }
#ifdef HF_WITH_STORE
  if (hf_interrupt_signal () != 0)
    hf_interrupt_die ();
#endif
  hf_program_refresh (&program);
  hf_program_clear (&program);
  return status;
}
