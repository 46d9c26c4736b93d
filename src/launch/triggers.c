/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Making caches of exports/ anew.  The programs that do it read what images brought, so they run in a sandbox of
 * their own: with nothing to write to but memory, no network, and only so much of time and space.  There they
 * work on a directory of links to what is exported, and what they made comes back through a pipe, as lines
 * `SIZE PATH`, each followed by as many bytes.
 *
 * No failure here is one of the command that changed something: it is told only with --verbose.
 */
#include "triggers.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/test-hook.h"
#include "core/exports-cache.h"
#include "core/layout.h"
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_SECONDS 60
#define MOST_OUTPUT  (32 * 1024 * 1024) /* bytes */
#define MOST_FILES   4000
#define MEMORY       "268435456" /* bytes, of the sandbox's files */
#define BEGUN        "begun\n"
#define ENDED        "ended\n"

/* The first that the host has makes the cache. */
static const struct
{
  HfExportCache cache;
  const char *word; /* of the script */
  const char *programs[2];
} triggers[] = {
  { HF_CACHE_DESKTOP, "desktop", { "update-desktop-database" } },
  { HF_CACHE_ICONS, "icons", { "gtk-update-icon-cache", "gtk4-update-icon-cache" } },
  { HF_CACHE_MIME, "mime", { "update-mime-database" } },
};

/* Each argument is WORD=PROGRAM.  What a program prints must not be taken for a cache, and of nothing there is
 * none. */
static const char script[]
    = "ulimit -c 0; ulimit -t 30\n"
      "copy() { mkdir -p \"$1\" && cp -rs \"/i/" HF_EXPORTS_DIR "/" HF_EXPORT_SHARE
      "/$1/.\" \"$1\"; }\n"
      "any() { rm -f \"$1/$2\" && ! rmdir \"$1\" 2>/dev/null; }\n"
      "put() { [ -f \"$1\" ] && [ ! -h \"$1\" ] &&"
      " printf '%s share/%s\\n' \"$(wc -c <\"$1\")\" \"$1\" && cat \"$1\"; }\n"
      "cd /tmp; printf 'begun\\n'\n"
      "for each; do program=${each#*=}; case ${each%%=*} in\n"
      "desktop) copy applications && any applications mimeinfo.cache &&"
      " \"$program\" -q applications >&2 && put applications/mimeinfo.cache ;;\n"
      "icons) copy icons && for theme in icons/*/; do theme=${theme%/}\n"
      " any \"$theme\" icon-theme.cache &&"
      " \"$program\" -q -t -f \"$theme\" >&2 && put \"$theme/icon-theme.cache\"; done ;;\n"
      "mime) copy mime/packages && \"$program\" mime >&2 && for file in mime/* mime/*/*.xml; do\n"
      " case $file in mime/packages*) ;; *) put \"$file\" ;; esac; done ;;\n"
      "esac; done\n"
      "printf 'ended\\n'\n";

static const char *const program_dirs[]
    = { "/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin" };

/* Only what lies below /usr can be had in the sandbox. */
static const char *
find_program (const char *const *programs, gsize n_programs)
{
  for (gsize i = 0; i < n_programs && programs[i] != NULL; i++)
    for (gsize j = 0; j < G_N_ELEMENTS (program_dirs); j++)
      {
        g_autofree char *path = g_build_filename (program_dirs[j], programs[i], NULL);
        if (access (path, X_OK) == 0)
          return programs[i];
      }
  return NULL;
}

/* What the sandbox is to do; nothing if the host has no program for it. */
static char **
work_for (guint stale)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (triggers); i++)
    {
      const char *program
          = (stale & triggers[i].cache) == 0
                ? NULL
                : find_program (triggers[i].programs, G_N_ELEMENTS (triggers[i].programs));
      if (program != NULL)
        g_ptr_array_add (words, g_strconcat (triggers[i].word, "=", program, NULL));
    }
  g_ptr_array_add (words, NULL);
  return (char **)g_ptr_array_steal (words, NULL);
}

static void
add_words (GPtrArray *words, const char *const *more)
{
  for (; *more != NULL; more++)
    g_ptr_array_add (words, g_strdup (*more));
}

static void
add_bind (GPtrArray *words, int fd, const char *destination)
{
  g_ptr_array_add (words, g_strdup ("--ro-bind-fd"));
  g_ptr_array_add (words, g_strdup_printf ("%d", fd));
  g_ptr_array_add (words, g_strdup (destination));
}

/* Where programs find their libraries, which differs between systems with and without a merged /usr. */
static char **
command_line (int exports_fd, int deploy_fd, char **work)
{
  static const char *const first[] = { HF_BWRAP,
                                       "--unshare-user-try",
                                       "--unshare-ipc",
                                       "--unshare-pid",
                                       "--unshare-net",
                                       "--unshare-uts",
                                       "--unshare-cgroup-try",
                                       "--die-with-parent",
                                       "--new-session",
                                       "--cap-drop",
                                       "ALL",
                                       "--clearenv",
                                       "--setenv",
                                       "PATH",
                                       "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin",
                                       "--setenv",
                                       "LC_ALL",
                                       "C.UTF-8",
                                       "--ro-bind",
                                       "/usr",
                                       "/usr",
                                       NULL };
  static const char *const dirs[] = { "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32" };
  static const char *const last[] = { "--ro-bind-try",
                                      "/etc/ld.so.cache",
                                      "/etc/ld.so.cache",
                                      "--proc",
                                      "/proc",
                                      "--dev",
                                      "/dev",
                                      "--size",
                                      MEMORY,
                                      "--tmpfs",
                                      "/tmp",
                                      "--",
                                      "/bin/sh",
                                      "-c",
                                      script,
                                      "sh",
                                      NULL };
  GPtrArray *words = g_ptr_array_new ();
  add_words (words, first);
  for (gsize i = 0; i < G_N_ELEMENTS (dirs); i++)
    {
      g_autofree char *target = hf_link_read (AT_FDCWD, dirs[i]);
      const char *const link[] = { "--symlink", target, dirs[i], NULL };
      const char *const bind[] = { "--ro-bind-try", dirs[i], dirs[i], NULL };
      add_words (words, target != NULL ? link : bind);
    }
  add_bind (words, exports_fd, "/i/" HF_EXPORTS_DIR);
  add_bind (words, deploy_fd, "/i/" HF_DEPLOY_DIR);
  add_words (words, last);
  add_words (words, (const char *const *)work);
  g_ptr_array_add (words, NULL);
  return (char **)g_ptr_array_free (words, FALSE);
}

static gboolean
start (const int *fds, gsize n_fds, int output_fd, char **words, pid_t *out, GError **error)
{
  posix_spawn_file_actions_t actions;
  if (posix_spawn_file_actions_init (&actions) != 0)
    return hf_throw (error, HF_ERROR_FAILED, "Cannot run %s", HF_BWRAP);
  int failed
      = posix_spawn_file_actions_addopen (&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        || posix_spawn_file_actions_adddup2 (&actions, output_fd, STDOUT_FILENO)
        || posix_spawn_file_actions_addopen (&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  /* A descriptor passes an exec in the child alone if it is duplicated onto itself. */
  for (gsize i = 0; i < n_fds; i++)
    failed |= posix_spawn_file_actions_adddup2 (&actions, fds[i], fds[i]);
  errno = failed ? ENOMEM : posix_spawnp (out, HF_BWRAP, &actions, NULL, words, environ);
  gboolean started = errno == 0 || hf_throw_errno (error, "Cannot run %s", HF_BWRAP);
  (void)posix_spawn_file_actions_destroy (&actions);
  return started;
}

/* To its end, or as far as the limits allow. */
static GByteArray *
read_output (int fd)
{
  gint64 limit = g_get_monotonic_time () + MOST_SECONDS * G_USEC_PER_SEC;
  GByteArray *output = g_byte_array_new ();
  while (output->len < MOST_OUTPUT)
    {
      guint8 buffer[65536];
      struct pollfd ready = { .fd = fd, .events = POLLIN };
      gint64 left = limit - g_get_monotonic_time ();
      int any = left <= 0 ? 0 : poll (&ready, 1, (int)(left / 1000) + 1);
      if (any < 0 && errno == EINTR)
        continue;
      ssize_t got = any <= 0 ? 0 : read (fd, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        break;
      g_byte_array_append (output, buffer, (guint)got);
    }
  return output;
}

static GByteArray *
run_sandboxed (HfInstallation *installation, char **work, GError **error)
{
  int pipe_fds[2];
  pid_t pid;
  if (pipe2 (pipe_fds, O_CLOEXEC) != 0)
    {
      (void)hf_throw_errno (error, "Cannot make a pipe");
      return NULL;
    }
  hf_autofd int from = pipe_fds[0];
  hf_autofd int to = pipe_fds[1];
  hf_autofd int exports_fd
      = hf_open_beneath (installation->root_fd, HF_EXPORTS_DIR, O_PATH | O_DIRECTORY, 0);
  if (exports_fd < 0)
    {
      (void)hf_throw_at (error, "Cannot open directory %s", installation->root_fd, HF_EXPORTS_DIR);
      return NULL;
    }
  const int fds[] = { exports_fd, installation->deploy_fd };
  g_auto (GStrv) words = command_line (exports_fd, installation->deploy_fd, work);
  if (!start (fds, G_N_ELEMENTS (fds), to, words, &pid, error))
    return NULL;
  hf_fd_clear (&to);
  GByteArray *output = read_output (from);
  /* It has ended, or has to. */
  (void)kill (pid, SIGKILL);
  while (waitpid (pid, NULL, 0) < 0 && errno == EINTR)
    continue;
  return output;
}

/* Takes `SIZE PATH` and as many bytes from the front of @at. */
static HfCacheFile *
take_file (const char **at, gsize *left)
{
  const char *newline = memchr (*at, '\n', *left);
  g_autofree char *line = newline == NULL ? NULL : g_strndup (*at, (gsize)(newline - *at));
  char *space = line == NULL ? NULL : strchr (line, ' ');
  guint64 size;
  if (space == NULL)
    return NULL;
  *space = '\0';
  gsize rest = *left - (gsize)(newline + 1 - *at);
  if (!g_ascii_string_to_unsigned (line, 10, 0, rest, &size, NULL))
    return NULL;
  HfCacheFile *file = g_new0 (HfCacheFile, 1);
  file->path = g_strdup (space + 1);
  file->contents = g_bytes_new (newline + 1, size);
  *at = newline + 1 + size;
  *left = rest - size;
  return file;
}

/* %NULL if the sandbox did not come to begin its work. */
static GPtrArray *
parse_output (const GByteArray *output)
{
  const char *at = (const char *)output->data;
  gsize left = output->len;
  if (left < strlen (BEGUN) || memcmp (at, BEGUN, strlen (BEGUN)) != 0)
    return NULL;
  GPtrArray *files = g_ptr_array_new_with_free_func ((GDestroyNotify)hf_cache_file_free);
  at += strlen (BEGUN);
  left -= strlen (BEGUN);
  while (files->len < MOST_FILES)
    {
      HfCacheFile *file = take_file (&at, &left);
      if (file == NULL)
        break;
      g_ptr_array_add (files, file);
    }
  if (left != strlen (ENDED) || memcmp (at, ENDED, left) != 0)
    g_info ("What makes caches of exports/ was cut short");
  return files;
}

static gboolean
refresh (HfInstallation *installation, GError **error)
{
  HfStaleCaches stale;
  if (!hf_caches_look (installation, &stale, error))
    return FALSE;
  HF_TEST_HOOK ("caches-looked-at");
  g_auto (GStrv) work = work_for (stale.stale);
  g_autoptr (GPtrArray) files = NULL;
  if (work[0] != NULL)
    {
      g_autoptr (GByteArray) output = run_sandboxed (installation, work, error);
      files = output == NULL ? NULL : parse_output (output);
      if (output != NULL && files == NULL)
        return hf_throw (error, HF_ERROR_FAILED, "no sandbox could be made for it");
    }
  else
    files = g_ptr_array_new ();
  return files != NULL && hf_caches_replace (installation, &stale, files, error);
}

/**
 * hf_triggers_run:
 * @installation: an installation
 *
 * Makes those caches of what is exported anew that are out of date, by whatever change or crash.  One that
 * no program makes here is dropped.  If no sandbox can be had, all stays as it is, and the next change tries again.
 *
 * Locks: takes `lock` for a moment before and after; not while the programs run.
 */
void
hf_triggers_run (HfInstallation *installation)
{
  g_autoptr (GError) failed = NULL;
  if (hf_caches_any_stale (installation) != 0 && !refresh (installation, &failed))
    g_info ("The caches of %s/%s were not made anew: %s", installation->path, HF_EXPORTS_DIR,
            failed->message);
}
