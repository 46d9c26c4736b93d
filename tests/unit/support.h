/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of base and core have in common: a temporary installation, fake deployments in it,
 * a store that only records what a sweep asks of it, and child processes that hold locks, have few
 * rights or mounts of their own.  Everything here asserts: what fails ends the test.
 */
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "core/installation.h"
#include "core/layout.h"
#include "core/staging.h"
#include "core/sweep.h"
#include "core/trash.h"

#define APP     "app/org.test.App/x86_64/stable"
#define OTHER   "app/org.test.Other/x86_64/stable"
#define RUNTIME "runtime/org.test.Platform/x86_64/1"
#define SERIAL  "0006000000000000aaaaaaaa" /* one that no clock gives any more */

typedef struct
{
  char *dir; /* owned; temporary, everything is in it */
  int dir_fd;
  HfInstallation *installation; /* owned; in DIR/holdfast; NULL if only the directory is wanted */
} Fixture;

void fixture_set_up (Fixture *fixture, gconstpointer data);
void fixture_set_up_empty (Fixture *fixture, gconstpointer data);
void fixture_reopen (Fixture *fixture);
void fixture_tear_down (Fixture *fixture, gconstpointer data);

/* Files, by directory descriptor. */
void put_file (int dfd, const char *path, const char *text, mode_t mode);
void put_dir (int dfd, const char *path, mode_t mode);
gboolean exists (int dfd, const char *path);
mode_t mode_at (int dfd, const char *path);
guint count_names (int dfd, const char *path);
char *only_name (int dfd, const char *path);
int open_dir_at (int dfd, const char *path);

/* Deployments.  COMMIT is 64 times the digit. */
HfRef *ref_of (const char *text);
void configure (HfInstallation *installation, const char *line);
HfDeploymentInfo *info_of (const char *ref, char digit, const char *runtime);
HfStaging *stage (HfInstallation *installation, const HfDeploymentInfo *info);
char *deploy (HfInstallation *installation, const char *ref, char digit);
char *deploy_needing (HfInstallation *installation, const char *ref, char digit,
                      const char *runtime);
void uninstall (HfInstallation *installation, const char *ref);
void add_root (HfInstallation *installation, const char *path, const char *ref, const char *link);
char *removed (HfInstallation *installation, const char *ref, char digit);
char *active_of (HfInstallation *installation, const char *ref);
char *deployed_path (const char *ref, const char *name);
void fall_to (HfInstallation *installation, const char *path, HfDeploymentState state);
HfDeploymentState state_at (HfInstallation *installation, const char *path);

/* The unsettled mark, as a crash leaves it. */
void set_mark (HfInstallation *installation);
gboolean is_marked (HfInstallation *installation);
void settle (HfInstallation *installation);

/* A crash that leaves DEPLOYMENT in deploy/ of @ref without `active` naming it. */
char *deploy_orphan (HfInstallation *installation, const char *ref, char digit,
                     HfDeploymentState state);

/* The store's part of a sweep, recorded. */
typedef struct FakeStore FakeStore;
struct FakeStore
{
  HfSweepStore table;
  HfInstallation *installation; /* not owned */
  GPtrArray *calls;     /* owned; of char *: "release PATH", "links PATH" or "marks PATH..." */
  const char *reason;   /* why it asks for a prune by marks, or NULL for one by links */
  const char *fails;    /* the calls that fail, of "release", "links" and "marks"; or NULL */
  const char *fails_at; /* the entry for which they do, the first of several; or NULL for each */
  void (*look) (FakeStore *store, const char *call, const HfSweepTarget *target);
  gpointer data; /* for @look */
};

FakeStore *fake_store_new (HfInstallation *installation);
void fake_store_free (FakeStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FakeStore, fake_store_free)
char *fake_store_calls (const FakeStore *store);

HfSweepReport *sweep (HfInstallation *installation, FakeStore *store);
HfTrashEntry *entry_at (HfInstallation *installation, const char *path);

/* Whether anybody else's lock keeps us from an exclusive one. */
gboolean is_locked (int dfd, const char *path);
void lock_posix_shared (int dfd, const char *path);

/* Children. */
typedef void (*ChildBody) (gpointer data);
void run_child (ChildBody body, gpointer data);
void run_unprivileged (ChildBody body, gpointer data);
void run_in_mounts (ChildBody body, gpointer data);
pid_t child_start (ChildBody body, gpointer data);
void child_kill (pid_t pid);
void child_wait (pid_t pid);
gboolean skip_unless_root (const char *why);
