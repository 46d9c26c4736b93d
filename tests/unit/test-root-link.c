/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The links of indirect roots: one ends its root only where it is certain that it has gone or leads elsewhere.
 */
#include "core/root-link.h"

#include "support.h"

#include <string.h>
#include <unistd.h>

typedef struct
{
  Fixture base;
  char *link;     /* owned; its path */
  char *deployed; /* owned; where it should lead */
  HfRoot *root;   /* owned */
} Linked;

static void
set_up (Linked *linked, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  fixture_set_up (&linked->base, data);
  g_autoptr (HfRef) ref = ref_of (APP);
  g_autofree char *name = deploy (linked->base.installation, APP, 'a');
  put_dir (linked->base.dir_fd, "elsewhere", 0755);
  linked->link = g_build_filename (linked->base.dir, "elsewhere", "link", NULL);
  linked->deployed
      = g_build_filename (linked->base.installation->path, HF_DEPLOY_DIR, APP, name, NULL);
  linked->root = hf_root_new ("local/mine", ref, name);
  (void)!hf_root_link_make (linked->root, linked->link, linked->deployed, &error);
  g_assert_no_error (error);
}

static void
tear_down (Linked *linked, gconstpointer data)
{
  hf_root_free (linked->root);
  g_free (linked->deployed);
  g_free (linked->link);
  fixture_tear_down (&linked->base, data);
}

static void
assert_standing (Linked *linked, HfRootStanding standing, const char *why)
{
  g_autoptr (GPtrArray) roots = g_ptr_array_new ();
  g_ptr_array_add (roots, linked->root);
  hf_root_links_look (linked->base.installation, roots);
  g_assert_cmpint (linked->root->standing, ==, standing);
  g_assert_cmpint (linked->root->why != NULL, ==, why != NULL);
  if (why != NULL)
    g_assert_nonnull (strstr (linked->root->why, why));
}

static void
relink (Linked *linked, const char *target)
{
  g_assert_no_errno (unlink (linked->link));
  if (target != NULL)
    g_assert_no_errno (symlink (target, linked->link));
}

static void
test_holds (Linked *linked, gconstpointer data)
{
  g_autofree char *target = g_file_read_link (linked->link, NULL);
  g_assert_cmpstr (target, ==, linked->deployed);
  g_assert_cmpstr (linked->root->link, ==, linked->link);
  g_assert_cmpstr (linked->root->target, ==, linked->deployed);
  assert_standing (linked, HF_ROOT_HOLDS, NULL);
}

/* Also where the deployment was removed meanwhile: the link says the same. */
static void
test_holds_removed (Linked *linked, gconstpointer data)
{
  uninstall (linked->base.installation, APP);
  assert_standing (linked, HF_ROOT_HOLDS, NULL);
}

static void
test_other_way (Linked *linked, gconstpointer data)
{
  g_autofree char *relative
      = g_strconcat ("../holdfast/" HF_DEPLOY_DIR "/" APP "/", linked->root->deployment, NULL);
  relink (linked, relative);
  assert_standing (linked, HF_ROOT_HOLDS, NULL);
  relink (linked, "../holdfast/" HF_DEPLOY_DIR "/" APP "/active");
  assert_standing (linked, HF_ROOT_HOLDS, NULL);
  g_autofree char *next = deploy (linked->base.installation, APP, 'b');
  assert_standing (linked, HF_ROOT_ENDED, "no longer leads to the deployment");
}

static void
test_ended (Linked *linked, gconstpointer data)
{
  relink (linked, "/");
  assert_standing (linked, HF_ROOT_ENDED, "no longer leads to the deployment");
  relink (linked, "nowhere");
  assert_standing (linked, HF_ROOT_ENDED, "no longer leads to the deployment");
  relink (linked, NULL);
  assert_standing (linked, HF_ROOT_ENDED, "has gone");
  put_file (linked->base.dir_fd, "elsewhere/link", "x", 0644);
  assert_standing (linked, HF_ROOT_ENDED, "no longer leads to the deployment");
  relink (linked, NULL);
  g_assert_no_errno (unlinkat (linked->base.dir_fd, "elsewhere", AT_REMOVEDIR));
  assert_standing (linked, HF_ROOT_ENDED, "has gone");
}

/* The same name on another file system says nothing; without one recorded, a reboot may have taken it. */
static void
test_not_mounted (Linked *linked, gconstpointer data)
{
  relink (linked, NULL);
  g_free (linked->root->filesystem);
  linked->root->filesystem = g_strdup ("0123456789abcdef");
  assert_standing (linked, HF_ROOT_UNREADABLE, "neither is the file system it was on");
  g_clear_pointer (&linked->root->filesystem, g_free);
  assert_standing (linked, HF_ROOT_ENDED, "has gone");
}

static void
look_forbidden (gpointer data)
{
  Linked *linked = data;
  assert_standing (linked, HF_ROOT_UNREADABLE, "Permission denied");
}

static void
test_forbidden (Linked *linked, gconstpointer data)
{
  g_assert_no_errno (fchmodat (linked->base.dir_fd, "elsewhere", 0, 0));
  g_assert_no_errno (fchmod (linked->base.dir_fd, 0755));
  run_unprivileged (look_forbidden, linked);
  g_assert_no_errno (fchmodat (linked->base.dir_fd, "elsewhere", 0755, 0));
  assert_standing (linked, HF_ROOT_HOLDS, NULL);
}

/* One answer for each, whatever the others are like; direct roots are not asked about. */
static void
test_many (Linked *linked, gconstpointer data)
{
  g_autoptr (GPtrArray) roots = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_root_free);
  for (guint i = 0; i < 600; i++)
    {
      HfRoot *root = hf_root_new ("local/mine", linked->root->ref, linked->root->deployment);
      if (i % 3 > 0)
        {
          root->link = i % 3 == 1 ? g_strdup (linked->link) : g_strdup ("/nonesuch");
          root->target = g_strdup (linked->deployed);
        }
      g_ptr_array_add (roots, root);
    }
  hf_root_links_look (linked->base.installation, roots);
  for (guint i = 0; i < roots->len; i++)
    g_assert_cmpint (((HfRoot *)roots->pdata[i])->standing, ==,
                     i % 3 == 2 ? HF_ROOT_ENDED : HF_ROOT_HOLDS);
}

static void
test_made (Linked *linked, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfRoot) again
      = hf_root_new ("local/again", linked->root->ref, linked->root->deployment);
  /* A crash before the root was written left the link. */
  (void)!hf_root_link_make (again, linked->link, linked->deployed, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (again->link, ==, linked->link);
  g_autoptr (HfRoot) other
      = hf_root_new ("local/other", linked->root->ref, linked->root->deployment);
  g_assert_false (hf_root_link_make (other, linked->link, "/somewhere/else", &error));
  g_assert_nonnull (strstr (error->message, g_strerror (EEXIST)));
  g_clear_error (&error);
  g_assert_false (hf_root_link_make (other, "/nonesuch/link", linked->deployed, &error));
  g_clear_error (&error);
  g_assert_false (hf_root_link_make (other, "/tmp/\xff", linked->deployed, &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_USAGE);
  g_assert_null (other->link);
}

#define ADD(promise, function)                                                                     \
  g_test_add ("/root-link/" promise, Linked, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("a root holds as long as its link says the same", test_holds);
  ADD ("it holds what was removed", test_holds_removed);
  ADD ("another way to the same directory holds", test_other_way);
  ADD ("it ends when its link goes or leads elsewhere", test_ended);
  ADD ("it holds where the link's file system is not there", test_not_mounted);
  ADD ("it holds where its link may not be looked at", test_forbidden);
  ADD ("many get each its own answer", test_many);
  ADD ("a link is made, or what is there left alone", test_made);
  return g_test_run ();
}
