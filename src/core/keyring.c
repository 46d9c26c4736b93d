/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The key rings of remotes.  A ring is there before the configuration names its remote, and goes after that: so
 * one whose remote is not named is the rest of a change that was cut short.  What is on it is trusted by nobody
 * any more, and must not come to be trusted with another remote of that name.
 */
#include "keyring.h"

#include "base/fd.h"
#include "layout.h"

#define CONFIG_SIZE (1024 * 1024) /* bytes; far more than anybody writes */

/* %NULL where nothing can be told. */
static GKeyFile *
load_config (int repo_fd)
{
  g_autoptr (GKeyFile) config = g_key_file_new ();
  g_autoptr (GBytes) bytes = hf_file_read (repo_fd, HF_REPO_CONFIG, CONFIG_SIZE, NULL);
  return bytes != NULL && g_key_file_load_from_bytes (config, bytes, G_KEY_FILE_NONE, NULL)
             ? g_steal_pointer (&config)
             : NULL;
}

static gboolean
is_nobodys (GKeyFile *config, const char *name)
{
  if (!g_str_has_suffix (name, HF_KEYRING_SUFFIX))
    return FALSE;
  g_autofree char *remote = g_strndup (name, strlen (name) - strlen (HF_KEYRING_SUFFIX));
  g_autofree char *group = g_strdup_printf (HF_REPO_REMOTE_GROUP, remote);
  return !g_key_file_has_group (config, group);
}

/**
 * hf_keyrings_prune:
 * @installation: an installation
 *
 * Removes key rings without a remote, and what was being written beside them.
 *
 * Locks: needs `lock`, so that nobody is about to add or to delete a remote.
 */
void
hf_keyrings_prune (HfInstallation *installation)
{
  HfLedger *ledger = installation->ledger;
  g_autoptr (DIR) dir = hf_dir_open (installation->root_fd, HF_REPO_DIR, NULL);
  g_autoptr (GKeyFile) config = dir == NULL ? NULL : load_config (dirfd (dir));
  const struct dirent *entry;
  gboolean any;
  if (config == NULL)
    return;
  any = hf_ledger_unlink (ledger, dirfd (dir), HF_REPO_CONFIG_NEW, 0) == 0;
  any |= hf_ledger_unlink (ledger, dirfd (dir), HF_KEYRING_NEW, 0) == 0;
  while (hf_dir_next (dir, &entry, NULL) && entry != NULL)
    if (is_nobodys (config, entry->d_name))
      any |= hf_ledger_unlink (ledger, dirfd (dir), entry->d_name, 0) == 0;
  /* On disk before the mark is cleared, after which nobody looks for it any more. */
  if (any && !hf_ledger_is_dry (ledger))
    (void)!hf_dir_sync (dirfd (dir), ".", NULL);
}
