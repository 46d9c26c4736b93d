/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What main.c and the commands share: the program's global choices, how a command is called, and
 * how it finds its installation and what is deployed there.
 */
#pragma once

#include "base/error.h"
#include "core/deployed.h"
#include "core/installation.h"
#include "core/named.h"
#include "core/sweep.h"

typedef struct _HfCommand HfCommand;
typedef struct _HfCompletion HfCompletion;

typedef enum
{
  HF_SCOPE_DEFAULT, /* nothing was said: the system's for root, else the user's */
  HF_SCOPE_USER,
  HF_SCOPE_SYSTEM,
  HF_SCOPE_NAMED, /* --installation=NAME */
  HF_SCOPE_PATH,  /* --installation=PATH */
} HfScope;

/* Sweeps with the store's help.  %NULL where only holdfast-store can. */
typedef gboolean (*HfReclaim) (HfInstallation *installation, HfSweepReport *report, GError **error);

typedef struct
{
  char **argv;               /* not owned; how the program was called, whole */
  const HfCommand *commands; /* not owned; all that there are */
  gsize n_commands;
  const HfCommand *command; /* not owned; the one that runs */
  HfScope scope;
  char *installation_name; /* owned; for %HF_SCOPE_NAMED */
  char *installation_path; /* owned; for %HF_SCOPE_PATH, and for %HF_SCOPE_NAMED once it is known */
  HfNamedList *named;      /* owned; read when it is first needed */
  gboolean json;
  gboolean quiet;
  gboolean verbose;
  gboolean help;
  gboolean version;
  gboolean stopped;     /* a signal came: what is not begun is left */
  gboolean changed_all; /* the command was about all of hf_places_own() */
  gboolean changes;     /* what the command does may change what is exported */
  HfReclaim reclaim;
  HfCompletion
      *completion; /* not owned; what a shell wants to know instead of having it run, or %NULL */
} HfProgram;

/* Runs one command.  @argv holds its name and arguments, %NULL-terminated; @status is the exit
 * status on success, 0 unless the command says otherwise.  On failure the status follows from the
 * error. */
typedef gboolean (*HfCommandFunc) (HfProgram *program, int argc, char **argv, int *status,
                                   GError **error);

struct _HfCommand
{
  const char *name;
  const char *alias;     /* or %NULL */
  const char *arguments; /* for the help; or %NULL */
  const char *summary;   /* or %NULL: it is in no help */
  HfCommandFunc run;     /* %NULL: holdfast-store runs it */
  gboolean retires;      /* may take something out of service */
};

gboolean hf_command_remote_add (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_remote_delete (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_remote_ls (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_remotes (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_install (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_update (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_uninstall (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_installations (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_list (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_history (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_df (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_info (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_run (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_ps (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_sweep (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_rollback (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_restore (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_why (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_hold (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_root (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_mask (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_pin (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_config (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_repair (HfProgram *, int, char **, int *, GError **);
gboolean hf_command_complete (HfProgram *, int, char **, int *, GError **);

gboolean hf_reclaim_with_store (HfInstallation *installation, HfSweepReport *report,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A ref found in one of the installations that were asked. */
typedef struct
{
  HfInstallation *installation; /* owned; where it is deployed */
  HfDeployed *deployed;         /* owned */
} HfFound;

void hf_found_clear (HfFound *found);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (HfFound, hf_found_clear)

void hf_program_clear (HfProgram *program);
void hf_program_warn (const HfProgram *program);
const HfCommand *hf_program_command (const HfProgram *program, const char *name);
char *hf_program_path (HfProgram *program);
void hf_program_refresh (HfProgram *program);
gboolean hf_program_open (HfProgram *program, HfOpenMode mode, HfInstallation **out,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
GPtrArray *hf_program_open_all (HfProgram *program, GError **error);
GPtrArray *hf_program_open_others (HfProgram *program, const HfInstallation *installation);
void hf_program_share (HfProgram *program, HfInstallation *installation);
gboolean hf_program_find (HfProgram *program, const char *text, const char *branch, HfFound *out,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
HfDeployed *hf_program_find_in (HfInstallation *installation, const char *text, const char *branch,
                                GError **error);
HfDeployed *hf_program_find_own (HfProgram *program, HfInstallation *installation, const char *text,
                                 GError **error);
GPtrArray *hf_program_list (HfInstallation *installation, GError **error);
