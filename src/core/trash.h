/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entries: deployments out of service, in removed/, in staging/ or in place, and the steps by which
 * one of them goes (DESIGN section 5, Sweep).  Each step leaves something that the next sweep
 * carries on with.
 */
#pragma once

#include "deployment.h"
#include "installation.h"

typedef struct
{
  HfInstallation *installation; /* not owned */
  char *path;                   /* owned; below the root, e.g. removed/NAME */
  const char *name;             /* the last component of @path */
  gboolean staging;             /* in staging/ */
  gboolean in_place;            /* in deploy/ */
  gboolean busy;                /* another sweeper is at it; @ref_fd is open, and not locked */
  gboolean leaving;        /* still in service there; a real run would have taken it out by now */
  int dir_fd;              /* owned; -1 until locked */
  int ref_fd;              /* owned; its `.ref`, exclusively locked; -1 until then */
  HfDeploymentState state; /* valid once locked */
  HfDeploymentInfo *info;  /* owned; NULL without a `deployment` */
} HfTrashEntry;

typedef enum
{
  HF_TRASH_LOCKED,    /* ours to delete */
  HF_TRASH_HELD,      /* somebody holds its `.ref`, which is open in the entry */
  HF_TRASH_GONE,      /* somebody else has dealt with it, or is at it */
  HF_TRASH_DAMAGED,   /* the error says why */
  HF_TRASH_EXHAUSTED, /* this process is short of something; the error says of what */
} HfTrashOutcome;

void hf_trash_entry_free (HfTrashEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfTrashEntry, hf_trash_entry_free)

GPtrArray *hf_trash_list (HfInstallation *installation, GError **error);
gboolean hf_trash_any (HfInstallation *installation, gboolean *removed, gboolean *staging,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
HfTrashEntry *hf_trash_entry_new_leaving (HfInstallation *installation, const char *path);
HfTrashEntry *hf_trash_entry_new_at (HfInstallation *installation, const char *path);

gboolean hf_trash_entry_may_be_pruned (const HfTrashEntry *entry);
HfTrashOutcome hf_trash_entry_lock (HfTrashEntry *entry, GError **error);
HfTrashOutcome hf_trash_entry_lock_previous (HfTrashEntry *entry, GError **error);
gboolean hf_trash_entry_delete_tree (HfTrashEntry *entry, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_trash_entry_delete_rest (HfTrashEntry *entry, GError **error) G_GNUC_WARN_UNUSED_RESULT;
