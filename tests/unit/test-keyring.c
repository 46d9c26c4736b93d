/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Key rings without a remote, and what was being written beside them.
 */
#include "core/keyring.h"

#include "support.h"

#define CONFIG "[core]\nrepo_version=1\nmode=bare-user-only\n[remote \"one\"]\nurl=file:///one\n"

static void
put (HfInstallation *installation, const char *name, const char *text)
{
  g_autofree char *path = g_strconcat (HF_REPO_DIR "/", name, NULL);
  put_file (installation->root_fd, path, text, 0644);
}

static gboolean
has (HfInstallation *installation, const char *name)
{
  g_autofree char *path = g_strconcat (HF_REPO_DIR "/", name, NULL);
  return exists (installation->root_fd, path);
}

static void
test_prune (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  put (installation, HF_REPO_CONFIG, CONFIG);
  put (installation, "one" HF_KEYRING_SUFFIX, "x");
  put (installation, "two" HF_KEYRING_SUFFIX, "x");
  put (installation, HF_REPO_CONFIG_NEW, "x");
  put (installation, HF_KEYRING_NEW, "x");
  put (installation, "notes", "x");
  set_mark (installation);
  settle (installation);
  g_assert_true (has (installation, HF_REPO_CONFIG));
  g_assert_true (has (installation, "one" HF_KEYRING_SUFFIX));
  g_assert_true (has (installation, "notes"));
  g_assert_false (has (installation, "two" HF_KEYRING_SUFFIX));
  g_assert_false (has (installation, HF_REPO_CONFIG_NEW));
  g_assert_false (has (installation, HF_KEYRING_NEW));
}

/* Nothing tells then what there is a remote for. */
static void
test_no_config (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  put (installation, "one" HF_KEYRING_SUFFIX, "x");
  hf_keyrings_prune (installation);
  g_assert_true (has (installation, "one" HF_KEYRING_SUFFIX));
  put (installation, HF_REPO_CONFIG, "garbage");
  hf_keyrings_prune (installation);
  g_assert_true (has (installation, "one" HF_KEYRING_SUFFIX));
}

static void
test_dry (Fixture *fixture, gconstpointer data)
{
  HfInstallation *installation = fixture->installation;
  put (installation, HF_REPO_CONFIG, CONFIG);
  put (installation, "two" HF_KEYRING_SUFFIX, "x");
  installation->ledger = hf_ledger_new (TRUE, NULL);
  hf_keyrings_prune (installation);
  guint64 bytes, inodes;
  hf_ledger_get (installation->ledger, &bytes, &inodes);
  g_assert_cmpuint (inodes, ==, 1);
  hf_ledger_free (installation->ledger);
  installation->ledger = NULL;
  g_assert_true (has (installation, "two" HF_KEYRING_SUFFIX));
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/keyring/" promise, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("one without a remote goes, and nothing else", test_prune);
  ADD ("without a configuration that can be read all stay", test_no_config);
  ADD ("a dry run only counts them", test_dry);
  return g_test_run ();
}
