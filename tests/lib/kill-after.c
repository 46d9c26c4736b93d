/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * kill-after DIRECTORY LOG N COMMAND [ARG...]: runs a command and kills it with SIGKILL right after its
 * Nth change of what has a name below DIRECTORY; with N 0 it only counts.  LOG gets a line "CALL NAME"
 * for each change; a call that fails changes nothing, and does not count.
 *
 * kill-after --fail=ERRNO DIRECTORY LOG N COMMAND [ARG...]: makes the Nth call that is about something
 * below DIRECTORY fail with that error (a number) in place of carrying it out.  Here calls that only
 * open, read, write, sync or lock count as well, and those that fail.  An open is logged as `create` if
 * it may create the file, else as `open`; waiting for a lock as `lock`.
 *
 * strace can do nearly that, but counts each system call and each thread by itself: what a thread
 * does that starts late is out of its reach.  Here changes are counted over all threads, in the order
 * in which they happen; while one is carried out, no other thread begins another.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#define NONE (-1)

/* Which argument is the directory and which the name that is made, changed or removed; without a name
 * the directory argument is the file itself. */
static const struct call
{
  int number;
  const char *name;
  int directory;
  int path;
} calls[] = {
#ifdef SYS_link
  { SYS_link, "link", NONE, 1 },
  { SYS_unlink, "unlink", NONE, 0 },
  { SYS_symlink, "symlink", NONE, 1 },
  { SYS_rename, "rename", NONE, 1 },
  { SYS_mkdir, "mkdir", NONE, 0 },
  { SYS_rmdir, "rmdir", NONE, 0 },
  { SYS_chmod, "chmod", NONE, 0 },
  { SYS_open, "open", NONE, 0 },
  { SYS_creat, "creat", NONE, 0 },
#endif
#ifdef SYS_renameat
  { SYS_renameat, "renameat", 2, 3 },
#endif
  { SYS_linkat, "linkat", 2, 3 },
  { SYS_unlinkat, "unlinkat", 0, 1 },
  { SYS_symlinkat, "symlinkat", 1, 2 },
  { SYS_renameat2, "renameat2", 2, 3 },
  { SYS_mkdirat, "mkdirat", 0, 1 },
  { SYS_fchmod, "fchmod", 0, NONE },
  { SYS_fchmodat, "fchmodat", 0, 1 },
  { SYS_ftruncate, "ftruncate", 0, NONE },
  { SYS_openat, "openat", 0, 1 },
  { SYS_openat2, "openat2", 0, 1 },
  /* From here on, nothing is changed that has a name. */
  { SYS_read, "read", 0, NONE },
  { SYS_write, "write", 0, NONE },
  { SYS_fsync, "fsync", 0, NONE },
  { SYS_syncfs, "syncfs", 0, NONE },
  { SYS_fcntl, "fcntl", 0, NONE },
  { SYS_getdents64, "getdents64", 0, NONE },
  { SYS_utimensat, "utimensat", 0, 1 },
  { SYS_sendfile, "sendfile", 0, NONE },
};
#define N_CALLS   (sizeof calls / sizeof calls[0])
#define N_CHANGES (N_CALLS - 8)

typedef struct
{
  const char *below; /* the directory, resolved */
  FILE *log;
  long wanted;
  int error; /* what the wanted call fails with; 0 to kill after it */
  long count;
  pid_t child;
  int end; /* the exit status, as a shell would tell it */
} Run;

static void
die (const char *what)
{
  fprintf (stderr, "kill-after: %s: %s\n", what, strerror (errno));
  exit (126);
}

/* Stops the tracer at each of the calls, and at nothing else. */
static void
install_filter (size_t n_calls)
{
  struct sock_filter code[N_CALLS + 3];
  size_t n = 0;
  code[n++]
      = (struct sock_filter)BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr));
  for (size_t i = 0; i < n_calls; i++)
    code[n++] = (struct sock_filter)BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number,
                                              n_calls - i, 0);
  code[n++] = (struct sock_filter)BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  code[n++] = (struct sock_filter)BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_TRACE);
  struct sock_fprog program = { .len = (unsigned short)n, .filter = code };
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
      || prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
    die ("seccomp");
}

static bool
read_memory (pid_t tid, uint64_t address, void *buffer, size_t size, bool string)
{
  struct iovec local = { buffer, size };
  struct iovec remote = { (void *)(uintptr_t)address, size };
  if (process_vm_readv (tid, &local, 1, &remote, 1, 0) == (ssize_t)size)
    return true;
  /* A name may end right before what is not mapped. */
  for (size_t i = 0; string && i < size; i++)
    {
      local = (struct iovec){ (char *)buffer + i, 1 };
      remote = (struct iovec){ (void *)(uintptr_t)(address + i), 1 };
      if (process_vm_readv (tid, &local, 1, &remote, 1, 0) != 1)
        return false;
      if (((char *)buffer)[i] == '\0')
        return true;
    }
  return false;
}

static bool
read_link (pid_t tid, int fd, char *out)
{
  char path[64];
  if (fd == AT_FDCWD)
    (void)snprintf (path, sizeof path, "/proc/%d/cwd", (int)tid);
  else
    (void)snprintf (path, sizeof path, "/proc/%d/fd/%d", (int)tid, fd);
  ssize_t length = readlink (path, out, PATH_MAX - 1);
  out[length < 0 ? 0 : length] = '\0';
  return length > 0;
}

/* An open is a change only if it may create. */
static bool
creates (pid_t tid, const struct call *call, const __u64 *args)
{
  struct open_how how;
  switch (call->number)
    {
    case SYS_openat:
      return (args[2] & O_CREAT) != 0;
    case SYS_openat2:
      return read_memory (tid, args[2], &how, sizeof how, false) && (how.flags & O_CREAT) != 0;
#ifdef SYS_open
    case SYS_open:
      return (args[1] & O_CREAT) != 0;
#endif
    default:
      return true;
    }
}

/* What the call is about, if it is below the directory: relative to that. */
static const char *
changed_name (const Run *run, pid_t tid, const struct call *call, const __u64 *args, char *out)
{
  char name[PATH_MAX] = "";
  size_t length = strlen (run->below);
  if (call->path != NONE && args[call->path] != 0
      && !read_memory (tid, args[call->path], name, sizeof name - 1, true))
    return NULL;
  name[sizeof name - 1] = '\0';
  out[0] = '\0';
  if (name[0] != '/'
      && !read_link (tid, call->directory == NONE ? AT_FDCWD : (int)args[call->directory], out))
    return NULL;
  size_t end = strlen (out);
  (void)snprintf (out + end, PATH_MAX, "%s%s", end > 0 && name[0] != '\0' ? "/" : "", name);
  return strncmp (out, run->below, length) == 0 && out[length] == '/' ? out + length + 1 : NULL;
}

static void
note_end (Run *run, pid_t tid, int status)
{
  if (tid == run->child && !WIFSTOPPED (status))
    run->end = WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}

/* Lets the call happen, before anything else does, and tells how it went. */
static bool
carry_out (Run *run, pid_t tid, long long *result)
{
  struct ptrace_syscall_info info;
  int status;
  if (ptrace (PTRACE_SYSCALL, tid, 0, 0) != 0 || waitpid (tid, &status, __WALL) != tid)
    return false;
  note_end (run, tid, status);
  if (!WIFSTOPPED (status) || ptrace (PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0
      || info.op != PTRACE_SYSCALL_INFO_EXIT)
    return false;
  *result = info.exit.rval;
  return true;
}

/* Has the call that the thread is about to make fail: another number, which is no call, is put in its
 * place, and then the result. */
static bool
fail_call (const Run *run, pid_t tid)
{
  int status;
#if defined __x86_64__
  struct user_regs_struct regs;
  if (ptrace (PTRACE_POKEUSER, tid, offsetof (struct user_regs_struct, orig_rax), -1L) != 0
      || ptrace (PTRACE_SYSCALL, tid, 0, 0) != 0 || waitpid (tid, &status, __WALL) != tid
      || ptrace (PTRACE_GETREGS, tid, 0, &regs) != 0)
    return false;
  regs.rax = (unsigned long long)-run->error;
  return ptrace (PTRACE_SETREGS, tid, 0, &regs) == 0;
#elif defined __aarch64__
  struct user_regs_struct regs;
  int none = -1;
  struct iovec call = { &none, sizeof none };
  struct iovec all = { &regs, sizeof regs };
  if (ptrace (PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &call) != 0
      || ptrace (PTRACE_SYSCALL, tid, 0, 0) != 0 || waitpid (tid, &status, __WALL) != tid
      || ptrace (PTRACE_GETREGSET, tid, NT_PRSTATUS, &all) != 0)
    return false;
  regs.regs[0] = (unsigned long long)-run->error;
  return ptrace (PTRACE_SETREGSET, tid, NT_PRSTATUS, &all) == 0;
#else
#  error "how a system call is made to fail is not known for this machine"
#endif
}

/* What the call is called in the log: two of them are of two kinds. */
static const char *
kind_of (const struct call *call, const __u64 *args, bool creating)
{
  if (strncmp (call->name, "open", 4) == 0)
    return creating ? "create" : "open";
  return call->number == SYS_fcntl && args[1] == F_OFD_SETLKW ? "lock" : call->name;
}

static void
fail_at (Run *run, pid_t tid, const char *kind, const char *name)
{
  fprintf (run->log, "%s %s\n", kind, name);
  if (++run->count == run->wanted && !fail_call (run, tid))
    die ("a call could not be made to fail");
}

static void
at_call (Run *run, pid_t tid)
{
  struct ptrace_syscall_info info;
  char path[2 * PATH_MAX];
  const struct call *call = calls;
  if (ptrace (PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0
      || info.op != PTRACE_SYSCALL_INFO_SECCOMP)
    return;
  while (call < calls + N_CALLS && call->number != (int)info.seccomp.nr)
    call++;
  if (call == calls + N_CALLS)
    return;
  bool creating = creates (tid, call, info.seccomp.args);
  if (!creating && run->error == 0)
    return;
  const char *name = changed_name (run, tid, call, info.seccomp.args, path);
  if (name == NULL)
    return;
  if (run->error != 0)
    {
      fail_at (run, tid, kind_of (call, info.seccomp.args, creating), name);
      return;
    }
  long long result;
  if (!carry_out (run, tid, &result) || result < 0)
    return;
  fprintf (run->log, "%s %s\n", call->name, name);
  if (++run->count == run->wanted)
    {
      (void)kill (tid, SIGKILL);
      (void)kill (run->child, SIGKILL);
    }
}

/* Until the command has ended, with all that it started. */
static void
trace (Run *run)
{
  int status;
  pid_t tid;
  while ((tid = waitpid (-1, &status, __WALL)) > 0)
    {
      int signal = 0;
      note_end (run, tid, status);
      if (!WIFSTOPPED (status))
        continue;
      if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
        at_call (run, tid);
      else if (status >> 16 == 0 && WSTOPSIG (status) != SIGSTOP)
        signal = WSTOPSIG (status);
      (void)ptrace (PTRACE_CONT, tid, 0, signal);
    }
}

int
main (int argc, char **argv)
{
  int error = 0;
  if (argc > 1 && sscanf (argv[1], "--fail=%d", &error) == 1)
    {
      argc--;
      argv++;
    }
  if (argc < 5)
    {
      fprintf (stderr, "usage: kill-after [--fail=ERRNO] DIRECTORY LOG N COMMAND [ARG...]\n");
      return 2;
    }
  Run run = { .error = error, .below = realpath (argv[1], NULL), .wanted = atol (argv[3]) };
  if (run.below == NULL)
    die (argv[1]);
  run.log = fopen (argv[2], "we");
  if (run.log == NULL)
    die (argv[2]);
  run.child = fork ();
  if (run.child == 0)
    {
      (void)ptrace (PTRACE_TRACEME, 0, 0, 0);
      (void)raise (SIGSTOP);
      install_filter (error != 0 ? N_CALLS : N_CHANGES);
      execvp (argv[4], argv + 4);
      die (argv[4]);
    }
  int status;
  if (run.child < 0 || waitpid (run.child, &status, 0) != run.child || !WIFSTOPPED (status)
      || ptrace (PTRACE_SETOPTIONS, run.child, 0,
                 PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD
                     | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK
                     | PTRACE_O_TRACEEXEC)
             != 0
      || ptrace (PTRACE_CONT, run.child, 0, 0) != 0)
    die ("ptrace");
  trace (&run);
  free ((char *)run.below);
  return fclose (run.log) == 0 ? run.end : 126;
}
