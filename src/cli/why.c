/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdfast why: what keeps something on the disk.
 */
#include "core/why.h"
#include "base/fd.h"
#include "base/language.h"
#include "core/layout.h"
#include "options.h"
#include "output.h"
#include "why-report.h"

#include <errno.h>
#include <string.h>

#define FEWEST_DIGITS 4 /* of a commit or an object */

typedef struct
{
  const HfWhy *why;
  HfWhyAnswer answer;
  char *path; /* owned; below the installation, if a path was given */
} Question;

static void
question_clear (Question *question)
{
  g_clear_pointer (&question->answer.subjects, g_ptr_array_unref);
  g_clear_pointer (&question->answer.objects, g_ptr_array_unref);
  g_free (question->path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Question, question_clear)

static gboolean
is_found (const Question *question)
{
  return question->answer.subjects->len > 0 || question->answer.objects->len > 0
         || question->answer.fixture != NULL;
}

static gboolean
has_foreign_refs (const HfInstallation *installation)
{
  static const char *const places[] = { HF_REPO_REFS, HF_REPO_REMOTE_REFS, HF_REPO_MIRROR_REFS };
  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_autofree char *path = g_build_filename (HF_REPO_DIR, places[i], NULL);
      g_autoptr (DIR) dir = hf_dir_open (installation->root_fd, path, NULL);
      const struct dirent *entry = NULL;
      while (dir != NULL && hf_dir_next (dir, &entry, NULL) && entry != NULL)
        if (i > 0 || strcmp (entry->d_name, HF_REPO_DEPLOY_REFS) != 0)
          return TRUE;
    }
  return FALSE;
}

static void
add_object (Question *question, const char *name)
{
  const HfWhy *why = question->why;
  HfWhyObject *object = g_new0 (HfWhyObject, 1);
  object->name = g_strdup (name);
  object->sharers = g_ptr_array_new ();
  object->foreign = has_foreign_refs (why->installation);
  for (guint i = 0; i < why->subjects->len; i++)
    {
      HfWhySubject *subject = why->subjects->pdata[i];
      if (!hf_why_needs_object (why, subject, name))
        continue;
      object->named = TRUE;
      if (subject->reasons->len > 0)
        g_ptr_array_add (object->sharers, subject);
    }
  g_ptr_array_add (question->answer.objects, object);
}

/* Stored objects whose name begins with @text: some digits, or all and a type. */
static void
find_objects (Question *question, const char *text)
{
  g_autofree char *path = g_strdup_printf (HF_REPO_DIR "/" HF_OBJECTS_DIR "/%.2s", text);
  g_autoptr (DIR) dir = hf_dir_open (question->why->installation->root_fd, path, NULL);
  const struct dirent *entry = NULL;
  while (dir != NULL && hf_dir_next (dir, &entry, NULL) && entry != NULL)
    {
      g_autofree char *name = g_strdup_printf ("%.2s%s", text, entry->d_name);
      gboolean meant = strlen (text) > HF_OBJECT_NAME_BYTES ? strcmp (name, text) == 0
                                                            : g_str_has_prefix (name, text);
      if (meant && strlen (name) > HF_OBJECT_NAME_BYTES && name[HF_OBJECT_NAME_BYTES] == '.')
        add_object (question, name);
    }
}

/* A commit, a serial, the name of a deployment or of an entry. */
static void
find_named (Question *question, const char *text)
{
  const GPtrArray *all = question->why->subjects;
  for (guint i = 0; i < all->len; i++)
    {
      const HfWhySubject *subject = all->pdata[i];
      if (hf_deployment_name_is_meant (subject->name, text) || strcmp (subject->name, text) == 0
          || strcmp (strrchr (subject->path, '/') + 1, text) == 0)
        g_ptr_array_add (question->answer.subjects, all->pdata[i]);
    }
}

/* Those of which @fits says so. */
static void
find_ref (Question *question, const char *text,
          gboolean (*fits) (const HfRefPattern *pattern, const HfRef *ref))
{
  const GPtrArray *all = question->why->subjects;
  g_autoptr (HfRefPattern) pattern = hf_ref_pattern_parse (text, NULL);
  for (guint i = 0; pattern != NULL && i < all->len; i++)
    {
      const HfWhySubject *subject = all->pdata[i];
      if (subject->info != NULL && fits (pattern, subject->info->ref))
        g_ptr_array_add (question->answer.subjects, all->pdata[i]);
    }
}

/* What lies at a path below the installation: in a deployment, an object, all of a ref, or what belongs
 * to the installation itself. */
static void
find_below (Question *question, const char *path)
{
  const GPtrArray *all = question->why->subjects;
  const char *objects = HF_REPO_DIR "/" HF_OBJECTS_DIR "/";
  for (guint i = 0; i < all->len; i++)
    {
      const HfWhySubject *subject = all->pdata[i];
      gsize length = strlen (subject->path);
      if ((strncmp (path, subject->path, length) == 0
           && (path[length] == '\0' || path[length] == '/'))
          || (g_str_has_prefix (path, HF_DEPLOY_DIR "/") && g_str_has_prefix (subject->path, path)
              && subject->path[strlen (path)] == '/'))
        g_ptr_array_add (question->answer.subjects, all->pdata[i]);
    }
  if (g_str_has_prefix (path, objects) && strlen (path) > strlen (objects) + HF_OBJECT_NAME_BYTES)
    {
      g_auto (GStrv) parts = g_strsplit (path + strlen (objects), "/", 2);
      g_autofree char *name = g_strjoinv ("", parts);
      find_objects (question, name);
    }
  if (!is_found (question))
    question->answer.fixture = path;
}

/* Where a path of this machine leads, links followed, if that is in the installation. */
static char *
resolve (const HfInstallation *installation, const char *path)
{
  char link[64];
  hf_autofd int fd = open (path, O_PATH | O_CLOEXEC);
  if (fd < 0)
    return NULL;
  (void)g_snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  g_autofree char *there = hf_link_read (AT_FDCWD, link);
  (void)g_snprintf (link, sizeof link, "/proc/self/fd/%d", installation->root_fd);
  g_autofree char *root = hf_link_read (AT_FDCWD, link);
  if (there == NULL || root == NULL || !g_str_has_prefix (there, root))
    return NULL;
  const char *rest = there + strlen (root);
  return *rest == '/' ? g_strdup (rest + 1) : *rest == '\0' ? g_strdup (".") : NULL;
}

static gboolean
is_path (const char *text)
{
  static const char *const beginnings[] = {
    "/", "./", "../", HF_DEPLOY_DIR "/", HF_REMOVED_DIR "/", HF_STAGING_DIR "/", HF_REPO_DIR "/"
  };
  for (gsize i = 0; i < G_N_ELEMENTS (beginnings); i++)
    if (g_str_has_prefix (text, beginnings[i]))
      return TRUE;
  return strcmp (text, ".") == 0;
}

static void
find_path (Question *question, const char *text)
{
  const HfInstallation *installation = question->why->installation;
  question->path = resolve (installation, text);
  if (question->path == NULL && text[0] != '/' && text[0] != '.')
    {
      g_autofree char *below = g_build_filename (installation->path, text, NULL);
      question->path = resolve (installation, below);
    }
  if (question->path != NULL)
    find_below (question, question->path);
}

static void
find (Question *question, const char *text)
{
  if (is_path (text))
    {
      find_path (question, text);
      return;
    }
  find_named (question, text);
  gsize digits = strspn (text, "0123456789abcdef");
  if (digits >= FEWEST_DIGITS
      && (text[digits] == '\0' || (digits == HF_OBJECT_NAME_BYTES && text[digits] == '.')))
    find_objects (question, text);
  if (!is_found (question))
    find_ref (question, text, hf_ref_pattern_matches);
  /* As people complete it in a deployment's directory: a path that only looks like a name. */
  if (!is_found (question))
    find_path (question, text);
  /* As every other command takes it: a part of an ID. */
  if (!is_found (question))
    find_ref (question, text, hf_ref_pattern_resembles);
}

/* Whether something was found in @installation, and told. */
static gboolean
answer (HfProgram *program, HfInstallation *installation, const char *text, gboolean *out_found,
        GError **error)
{
  g_autoptr (HfWhy) why = hf_why_load (installation, error);
  if (why == NULL)
    return FALSE;
  g_auto (Question) question = { .why = why };
  question.answer.installation = hf_output_installation (installation);
  question.answer.subjects = g_ptr_array_new ();
  question.answer.objects = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_why_object_free);
  find (&question, text);
  *out_found = is_found (&question);
  if (!*out_found)
    return TRUE;
  if (program->json)
    return hf_why_answer_print_json (&question.answer, error);
  /* The paths that are printed are below it. */
  g_autofree char *chosen = hf_program_path (program);
  if (strcmp (installation->path, chosen) != 0)
    hf_output_heading (installation);
  hf_why_answer_print (&question.answer);
  return TRUE;
}

/* Until it is found.  What is wrong with an installation that was not chosen is its own affair. */
static gboolean
look_through (HfProgram *program, const char *text, gboolean *out_found, GError **error)
{
  g_autoptr (GPtrArray) installations = hf_program_open_all (program, error);
  if (installations == NULL)
    return FALSE;
  for (guint i = 0; i < installations->len && !*out_found; i++)
    {
      g_autoptr (GError) failed = NULL;
      hf_program_share (program, installations->pdata[i]);
      if (answer (program, installations->pdata[i], text, out_found, &failed))
        continue;
      if (i == 0 || *out_found)
        {
          g_propagate_error (error, g_steal_pointer (&failed));
          return FALSE;
        }
      hf_output_warning (failed->message);
    }
  return TRUE;
}

/**
 * hf_command_why:
 *
 * Locks: none.
 *
 * See #HfCommandFunc.
 */
gboolean
hf_command_why (HfProgram *program, int argc, char **argv, int *status, GError **error)
{
  const HfSyntax syntax = {
    .min_arguments = 1,
    .max_arguments = 1,
    .description = N_ ("What has no reason goes with the next sweep.\n"),
  };
  if (!hf_options_parse (program, &syntax, &argc, &argv, error))
    return FALSE;
  gboolean found = FALSE;
  return look_through (program, argv[1], &found, error)
         && (found
             || hf_throw (error, HF_ERROR_NOT_FOUND, "There is nothing here that is %s", argv[1]));
}
