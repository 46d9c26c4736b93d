/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The answer of holdfast why.  Whatever has no reason goes with the next sweep, and the answer says so.
 */
#include "why-report.h"

#include "base/language.h"
#include "output.h"

#include <pwd.h>

/**
 * hf_why_object_free:
 * @object: (nullable) (transfer full): an object
 */
void
hf_why_object_free (HfWhyObject *object)
{
  if (object == NULL)
    return;
  g_free (object->name);
  g_ptr_array_unref (object->sharers);
  g_free (object);
}

static const char *const codes[] = {
  [HF_WHY_ACTIVE] = "active",     [HF_WHY_PREVIOUS] = "previous", [HF_WHY_PENDING] = "pending",
  [HF_WHY_ROOT] = "root",         [HF_WHY_SPARED] = "spared",     [HF_WHY_HELD] = "held",
  [HF_WHY_BUILDING] = "building", [HF_WHY_SWEEPING] = "sweeping", [HF_WHY_DAMAGED] = "damaged",
  [HF_WHY_NEEDED] = "needed",     [HF_WHY_PINNED] = "pinned",     [HF_WHY_UNTOLD] = "untold",
};

static const char *
state_name (const HfWhySubject *subject)
{
  switch (subject->state)
    {
    case HF_STATE_COMPLETE:
      return "complete";
    case HF_STATE_SETTLED:
      return "settled";
    case HF_STATE_RETIRED:
      return "retired";
    case HF_STATE_DELETING:
      return "deleting";
    case HF_STATE_PRUNED:
      return "pruned";
    case HF_STATE_ABSENT:
    default:
      return "incomplete";
    }
}

static char *
describe_subject (const HfWhySubject *subject)
{
  if (subject->info == NULL)
    return g_strdup (subject->path);
  g_autofree char *commit = hf_output_commit (subject->info->commit);
  return g_strdup_printf ("%s %s, %s", subject->info->ref->full, commit, subject->path);
}

/* The user's name, if that can be had. */
static char *
user_name (guint uid)
{
  const struct passwd *user = getpwuid (uid);
  return user != NULL ? g_strdup (user->pw_name) : g_strdup_printf ("%u", uid);
}

static char *
describe_root (const HfRoot *root)
{
  if (root->link != NULL && root->why != NULL)
    return g_strdup_printf (_ ("root %s, by the link %s: %s"), root->path, root->link, root->why);
  if (root->link != NULL)
    return g_strdup_printf (_ ("root %s, by the link %s"), root->path, root->link);
  if (root->why != NULL)
    return g_strdup_printf (_ ("root %s: %s"), root->path, root->why);
  return g_strdup_printf (_ ("root %s"), root->path);
}

static char *
describe_reason (const HfWhyReason *reason)
{
  g_autofree char *until = hf_output_time (reason->until);
  switch (reason->code)
    {
    case HF_WHY_ACTIVE:
      return g_strdup (_ ("active: it is what runs"));
    case HF_WHY_PREVIOUS:
      return g_strdup (_ ("previous: it is kept for rollback"));
    case HF_WHY_PENDING:
      return g_strdup (_ ("pending: not kept any more, but in service until its ref changes"));
    case HF_WHY_ROOT:
      return describe_root (reason->root);
    case HF_WHY_SPARED:
      return g_strdup_printf (_ ("spared until %s"), until);
    case HF_WHY_HELD:
      return g_strdup (_ ("held by"));
    case HF_WHY_BUILDING:
      return g_strdup (_ ("being built by"));
    case HF_WHY_SWEEPING:
      return g_strdup (_ ("locked by a sweep that deletes it"));
    case HF_WHY_DAMAGED:
      return g_strdup_printf (_ ("damaged: %s"), reason->text);
    case HF_WHY_NEEDED:
      return reason->where != NULL
                 ? g_strdup_printf (_ ("the runtime of %s of %s"), reason->text, reason->where)
                 : g_strdup_printf (_ ("the runtime of %s"), reason->text);
    case HF_WHY_UNTOLD:
      return g_strdup (reason->text);
    case HF_WHY_PINNED:
    default:
      return g_strdup_printf (_ ("pinned by %s"), reason->text);
    }
}

static void
print_holders (const HfWhyReason *reason)
{
  if (reason->code != HF_WHY_HELD && reason->code != HF_WHY_BUILDING)
    return;
  for (guint i = 0; reason->holders != NULL && i < reason->holders->len; i++)
    {
      const HfHolder *holder = reason->holders->pdata[i];
      g_autofree char *user = user_name (holder->uid);
      /* Since when it has held it, the kernel does not tell. */
      g_autofree char *started = hf_output_time ((gint64)holder->start);
      hf_output_line ("    PID %d (%s) of %s, a process that started %s", (int)holder->pid,
                      holder->command, user, started);
    }
  if (reason->holders == NULL || reason->holders->len == 0)
    hf_output_line ("    a process that the kernel does not name");
}

static void
print_subject (const HfWhySubject *subject)
{
  g_autofree char *what = describe_subject (subject);
  hf_output_line ("%s", what);
  for (guint i = 0; i < subject->reasons->len; i++)
    {
      const HfWhyReason *reason = subject->reasons->pdata[i];
      g_autofree char *text = describe_reason (reason);
      hf_output_line ("  %s", text);
      print_holders (reason);
    }
  if (subject->reasons->len == 0)
    hf_output_line ("  nothing: the next sweep deletes it");
}

static const char *
stray_code (const HfWhyObject *object)
{
  if (object->sharers->len > 0 || object->named)
    return NULL;
  return object->foreign ? "foreign" : "unreferenced";
}

static void
print_object (const HfWhyObject *object)
{
  const char *stray = stray_code (object);
  hf_output_line ("%s", object->name);
  for (guint i = 0; i < object->sharers->len; i++)
    {
      g_autofree char *what = describe_subject (object->sharers->pdata[i]);
      hf_output_line (object->sharers->len > 1 ? N_ ("  shared by %s") : N_ ("  needed by %s"),
                      what);
    }
  if (stray == NULL && object->sharers->len == 0)
    hf_output_line ("  nothing: the next sweep deletes it");
  else if (stray != NULL)
    hf_output_line (object->foreign
                        ? N_ ("  a ref in the repository that is not holdfast's, maybe")
                        : N_ ("  no deployment needs it: `holdfast sweep --full` frees it"));
}

/**
 * hf_why_answer_print:
 * @answer: an answer
 *
 * Prints it for people.
 */
void
hf_why_answer_print (const HfWhyAnswer *answer)
{
  for (guint i = 0; i < answer->subjects->len; i++)
    print_subject (answer->subjects->pdata[i]);
  for (guint i = 0; i < answer->objects->len; i++)
    print_object (answer->objects->pdata[i]);
  if (answer->fixture != NULL)
    {
      hf_output_line ("%s", answer->fixture);
      hf_output_line ("  it is a part of the installation");
    }
}

static void
add_holders (GVariantBuilder *builder, const GPtrArray *holders)
{
  hf_json_begin_list (builder, "holders", HF_JSON_LIST);
  for (guint i = 0; holders != NULL && i < holders->len; i++)
    {
      const HfHolder *holder = holders->pdata[i];
      g_autofree char *user = user_name (holder->uid);
      hf_json_begin_object (builder);
      hf_json_add_int (builder, "pid", holder->pid);
      hf_json_add_string (builder, "command", holder->command);
      hf_json_add_int (builder, "uid", holder->uid);
      hf_json_add_string (builder, "user", user);
      hf_json_add_int (builder, "started", (gint64)holder->start);
      hf_json_end_object (builder);
    }
  hf_json_end_list (builder);
}

static void
add_reason (GVariantBuilder *builder, const HfWhyReason *reason)
{
  hf_json_begin_object (builder);
  hf_json_add_string (builder, "code", codes[reason->code]);
  if (reason->code == HF_WHY_ROOT)
    {
      hf_json_add_string (builder, "root", reason->root->path);
      hf_json_add_string (builder, "link", reason->root->link);
      hf_json_add_string (builder, "problem", reason->root->why);
    }
  if (reason->code == HF_WHY_SPARED)
    hf_json_add_int (builder, "until", reason->until);
  if (reason->code == HF_WHY_HELD || reason->code == HF_WHY_BUILDING)
    add_holders (builder, reason->holders);
  if (reason->code == HF_WHY_DAMAGED)
    hf_json_add_string (builder, "problem", reason->text);
  if (reason->code == HF_WHY_NEEDED)
    {
      hf_json_add_string (builder, "ref", reason->text);
      hf_json_add_string (builder, "installation", reason->where);
    }
  if (reason->code == HF_WHY_PINNED)
    hf_json_add_string (builder, "pattern", reason->text);
  hf_json_end_object (builder);
}

static void
add_identity (GVariantBuilder *builder, const HfWhySubject *subject)
{
  g_autofree char *serial = NULL;
  (void)hf_deployment_name_parse (subject->name, NULL, &serial);
  hf_json_add_string (builder, "path", subject->path);
  hf_json_add_string (builder, "ref", subject->info != NULL ? subject->info->ref->full : NULL);
  hf_json_add_string (builder, "commit", subject->info != NULL ? subject->info->commit : NULL);
  hf_json_add_string (builder, "serial", serial);
}

/* What is told of everything. */
static void
begin_object (GVariantBuilder *builder, const HfWhyAnswer *answer, const char *kind)
{
  hf_json_begin_object (builder);
  hf_json_add_string (builder, "kind", kind);
  hf_json_add_string (builder, "installation", answer->installation);
}

static void
add_subject (GVariantBuilder *builder, const HfWhyAnswer *answer, const HfWhySubject *subject)
{
  begin_object (builder, answer, "deployment");
  add_identity (builder, subject);
  hf_json_add_string (builder, "state", state_name (subject));
  hf_json_begin_list (builder, "reasons", HF_JSON_LIST);
  for (guint i = 0; i < subject->reasons->len; i++)
    add_reason (builder, subject->reasons->pdata[i]);
  hf_json_end_list (builder);
  hf_json_end_object (builder);
}

static void
add_object (GVariantBuilder *builder, const HfWhyAnswer *answer, const HfWhyObject *object)
{
  const char *stray = stray_code (object);
  begin_object (builder, answer, "object");
  hf_json_add_string (builder, "object", object->name);
  hf_json_begin_list (builder, "reasons", HF_JSON_LIST);
  for (guint i = 0; i < object->sharers->len; i++)
    {
      hf_json_begin_object (builder);
      hf_json_add_string (builder, "code", "shared");
      add_identity (builder, object->sharers->pdata[i]);
      hf_json_end_object (builder);
    }
  if (stray != NULL)
    {
      hf_json_begin_object (builder);
      hf_json_add_string (builder, "code", stray);
      hf_json_end_object (builder);
    }
  hf_json_end_list (builder);
  hf_json_end_object (builder);
}

/**
 * hf_why_answer_print_json:
 * @answer: an answer
 *
 * Returns: %FALSE with @error set if it cannot be printed
 */
gboolean
hf_why_answer_print_json (const HfWhyAnswer *answer, GError **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (HF_JSON_LIST);
  for (guint i = 0; i < answer->subjects->len; i++)
    add_subject (builder, answer, answer->subjects->pdata[i]);
  for (guint i = 0; i < answer->objects->len; i++)
    add_object (builder, answer, answer->objects->pdata[i]);
  if (answer->fixture != NULL)
    {
      begin_object (builder, answer, "installation");
      hf_json_add_string (builder, "path", answer->fixture);
      hf_json_begin_list (builder, "reasons", HF_JSON_LIST);
      hf_json_begin_object (builder);
      hf_json_add_string (builder, "code", "installation");
      hf_json_end_object (builder);
      hf_json_end_list (builder);
      hf_json_end_object (builder);
    }
  return hf_json_print (builder, error);
}
