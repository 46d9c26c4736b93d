/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether a file is what its checksum says.  The checksums are ostree's own, of files that `ostree commit
 * --canonical-permissions` stored.
 */
#include "store/verify.h"

#include "core/layout.h"
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HELLO_0644 "afd2231b1fa521726d822282338af4736b56a2a4b3f121b5e2446458bb8c4e10"
#define HELLO_0755 "1abea86c5946bbdaed9710ecdcdd2c90e359543e9e4514ad67c0493e955f4cee"
#define SYMLINK    "c1f3ce9114dc8c6df78678c3845b2df0f16e298058366a2db27e1dcfa18725e8" /* to "plain" */
#define HELLO      "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" /* sha256sum */

typedef struct
{
  Fixture base;
  HfStore store;
  HfVerify *verify; /* owned */
} Verifying;

static void
set_up (Verifying *verifying, gconstpointer data)
{
  fixture_set_up_empty (&verifying->base, data);
  put_dir (verifying->base.dir_fd, "af", 0755);
  verifying->store.objects_fd = verifying->base.dir_fd;
  verifying->verify = hf_verify_new (&verifying->store, NULL);
}

static void
tear_down (Verifying *verifying, gconstpointer data)
{
  hf_verify_free (verifying->verify);
  fixture_tear_down (&verifying->base, data);
}

static gboolean
is_whole (int dfd, const char *name, const char *checksum, const char *suffix, mode_t mode)
{
  g_autoptr (GError) error = NULL;
  gboolean whole;
  (void)!hf_verify_file (dfd, name, checksum, suffix, mode, &whole, &error);
  g_assert_no_error (error);
  return whole;
}

static void
test_content (Verifying *verifying, gconstpointer data)
{
  int dfd = verifying->base.dir_fd;
  put_file (dfd, "plain", "hello", 0644);
  put_file (dfd, "program", "hello", 0755);
  put_file (dfd, "other", "hellO", 0644);
  put_dir (dfd, "directory", 0755);
  g_assert_no_errno (symlinkat ("plain", dfd, "link"));
  g_assert_no_errno (symlinkat ("Plain", dfd, "other-link"));
  g_assert_true (is_whole (dfd, "plain", HELLO_0644, HF_SUFFIX_FILE, 0));
  g_assert_true (is_whole (dfd, "program", HELLO_0755, HF_SUFFIX_FILE, 0));
  g_assert_true (is_whole (dfd, "link", SYMLINK, HF_SUFFIX_FILE, 0));
  g_assert_false (is_whole (dfd, "program", HELLO_0644, HF_SUFFIX_FILE, 0));
  g_assert_false (is_whole (dfd, "other", HELLO_0644, HF_SUFFIX_FILE, 0));
  g_assert_false (is_whole (dfd, "other-link", SYMLINK, HF_SUFFIX_FILE, 0));
  /* A symlink to the right file is not that. */
  g_assert_false (is_whole (dfd, "link", HELLO_0644, HF_SUFFIX_FILE, 0));
  g_assert_false (is_whole (dfd, "directory", HELLO_0644, HF_SUFFIX_FILE, 0));
  g_assert_false (is_whole (dfd, "absent", HELLO_0644, HF_SUFFIX_FILE, 0));
  /* A copy in a tree may have another mode than the object has. */
  g_assert_true (is_whole (dfd, "program", HELLO_0644, HF_SUFFIX_FILE, 0644));
  g_assert_false (is_whole (dfd, "other", HELLO_0644, HF_SUFFIX_FILE, 0644));
}

static void
test_metadata (Verifying *verifying, gconstpointer data)
{
  int dfd = verifying->base.dir_fd;
  put_file (dfd, "good", "hello", 0600);
  put_file (dfd, "bad", "hello ", 0600);
  g_assert_true (is_whole (dfd, "good", HELLO, HF_SUFFIX_COMMIT, 0));
  g_assert_false (is_whole (dfd, "bad", HELLO, HF_SUFFIX_COMMIT, 0));
  g_assert_false (is_whole (dfd, "absent", HELLO, HF_SUFFIX_COMMIT, 0));
  /* Detached metadata is named by its commit. */
  g_assert_true (is_whole (dfd, "bad", HELLO, HF_SUFFIX_COMMIT_META, 0));
  g_assert_false (is_whole (dfd, "af", HELLO, HF_SUFFIX_COMMIT_META, 0));
}

static HfVerdict
verdict_of (Verifying *verifying)
{
  g_autoptr (GError) error = NULL;
  HfVerdict verdict;
  (void)!hf_verify_stored (verifying->verify, HELLO_0644, HF_SUFFIX_FILE, &verdict, &error);
  g_assert_no_error (error);
  return verdict;
}

static void
store_object (Verifying *verifying, const char *text, mode_t mode)
{
  g_autofree char *path = g_strconcat ("af/", HELLO_0644 + 2, "." HF_SUFFIX_FILE, NULL);
  (void)unlinkat (verifying->base.dir_fd, path, 0);
  put_file (verifying->base.dir_fd, path, text, mode);
}

static void
test_stored (Verifying *verifying, gconstpointer data)
{
  g_assert_cmpint (verdict_of (verifying).health, ==, HF_OBJECT_MISSING);
  store_object (verifying, "hello", 0644);
  g_assert_cmpint (verdict_of (verifying).health, ==, HF_OBJECT_WHOLE);
  store_object (verifying, "hello", 0755);
  g_assert_cmpint (verdict_of (verifying).health, ==, HF_OBJECT_WRONG_MODE);
  g_assert_cmpuint (verdict_of (verifying).mode, ==, 0644);
  store_object (verifying, "hellO", 0755);
  g_assert_cmpint (verdict_of (verifying).health, ==, HF_OBJECT_CORRUPT);
}

/* Contents that change behind the back of size and times are not seen: so the file was not read again. */
static void
test_once (Verifying *verifying, gconstpointer data)
{
  struct stat st;
  g_autofree char *path = g_strconcat ("af/", HELLO_0644 + 2, "." HF_SUFFIX_FILE, NULL);
  store_object (verifying, "hello", 0644);
  g_assert_cmpint (verdict_of (verifying).health, ==, HF_OBJECT_WHOLE);
  g_assert_no_errno (fstatat (verifying->base.dir_fd, path, &st, 0));
  hf_autofd int fd = openat (verifying->base.dir_fd, path, O_WRONLY | O_CLOEXEC);
  g_assert_cmpint (pwrite (fd, "H", 1, 0), ==, 1);
  const struct timespec times[] = { st.st_atim, st.st_mtim };
  g_assert_no_errno (futimens (fd, times));
  g_assert_cmpint (verdict_of (verifying).health, ==, HF_OBJECT_WHOLE);
  const struct timespec later[] = { st.st_atim, { .tv_sec = st.st_mtim.tv_sec + 1 } };
  g_assert_no_errno (futimens (fd, later));
  g_assert_cmpint (verdict_of (verifying).health, ==, HF_OBJECT_CORRUPT);
}

/* What its mode keeps from us is not damaged by that.  Root may read it anyway. */
static void
verify_unreadable (gpointer data)
{
  const Verifying *verifying = data;
  int dfd = verifying->base.dir_fd;
  g_assert_true (is_whole (dfd, "unreadable", HELLO_0644, HF_SUFFIX_FILE, 0));
  g_assert_false (is_whole (dfd, "unreadable", HELLO, HF_SUFFIX_COMMIT, 0));
}

static void
test_unreadable (Verifying *verifying, gconstpointer data)
{
  g_assert_no_errno (fchmod (verifying->base.dir_fd, 0755));
  put_file (verifying->base.dir_fd, "unreadable", "hello", 0);
  run_unprivileged (verify_unreadable, verifying);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/verify/" promise, Verifying, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("content is its bytes, kind and mode", test_content);
  ADD ("metadata is its bytes", test_metadata);
  ADD ("what is stored is whole, missing, corrupt or only of a wrong mode", test_stored);
  ADD ("what is stored is read once, until it changes", test_once);
  ADD ("what may not be read is not called corrupt", test_unreadable);
  return g_test_run ();
}
