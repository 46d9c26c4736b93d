# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs holdfast on one installation, to the end or until it is killed, and knows what must then be
deployed: nothing but what the commands were asked for, and each ref as before or as wanted."""
import collections
import dataclasses
import json
import os
import shutil
import signal
import stat
import subprocess
import time

from image_pool import ENVIRONMENT, RUNTIME
from observed import SETTLED, Installation, Wrong, compare, usage

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(SOURCE, "build"))
HOLDFAST = os.environ.get("HOLDFAST", os.path.join(BUILD, "root/usr/bin/holdfast"))

LAST = 20  # steps that a failure shows
LONGEST = 0.2  # seconds before a kill, where it cannot be at a system call

# Where commands are killed: at one of that many calls, the first ones most often.
IN_SWEEP = [("unlinkat", 300), ("unlinkat", 100), ("fchmod", 12), ("fsync", 60), ("fsync", 20)]
AT_PINS = [("unlinkat", 10)]
IN_INSTALL = [("linkat", 80), ("renameat", 12), ("renameat2", 2), ("mkdirat", 40), ("fchmod", 60),
              ("unlinkat", 60), ("fsync", 30), ("syncfs", 6), ("symlinkat", 5)]
IN_ROLLBACK = [("renameat", 2), ("symlinkat", 3), ("unlinkat", 4), ("fsync", 12), ("renameat2", 2)]
IN_ROOT = [("renameat2", 2), ("unlinkat", 4), ("fsync", 10), ("mkdirat", 2), ("symlinkat", 2)]
IN_REMOVAL = [("renameat2", 4), ("unlinkat", 8), ("symlinkat", 4), ("fsync", 20), ("fchmodat", 4)]


def sanitized():
    return "libasan" in subprocess.run(["ldd", HOLDFAST], capture_output=True, text=True,
                                       check=False).stdout


def can_trace():
    """Whether a command can be killed at a chosen system call: it cannot where nothing may be traced,
    and with the sanitizers it takes too long."""
    return not sanitized() and shutil.which("strace") is not None and subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "true"], check=False,
        stderr=subprocess.DEVNULL).returncode == 0


def check_told(told, done, same_status):
    """A dry run told of what was then done.  What is still in service then, lies elsewhere later."""
    def essence(report):
        found = {key: sorted((entry["serial"] or entry["path"]) for entry in report[key])
                 for key in ("swept", "held", "kept")}
        found["damaged"] = sorted(entry["path"] for entry in report["damaged"])
        return {**found, **{key: report[key] for key in (
            "objects", "bytes", "inodes", "full", "full_reason")}}
    if essence(told) != essence(done) or not same_status or not told["dry_run"]:
        raise Wrong("a dry run told of %s, and this was done: %s" % (essence(told), essence(done)))


class Actor:
    """What was done to an installation, and what came of it."""

    def __init__(self, directory, pool, rng):
        self.directory, self.pool, self.rng = directory, pool, rng
        committed = [image for images in pool.of.values() for image in images]
        self.installation = Installation(os.path.join(directory, "installation"),
                                         {image.commit: image.objects for image in committed})
        self.detached = {image.commit for image in committed if image.detached}
        self.environment = dict(ENVIRONMENT, HOME=directory, ASAN_OPTIONS="exitcode=99",
                                UBSAN_OPTIONS="exitcode=99:halt_on_error=1:print_stacktrace=1")
        self.trace = can_trace()
        self.deployed = {}  # of each ref the name of its deployment, and the image
        self.images = {}  # of each name that a deployment had
        self.previous = {}  # of each ref the names of those before, the one that left last first
        self.held_back = {}  # of each ref the name of what a rollback went to
        self.roots = {}  # of each root the name of what it keeps
        self.keep_previous = 1
        self.spared = False  # whether the trash is
        self.seen = collections.Counter()
        self.log = collections.deque(maxlen=LAST)
        self.step = 0

    # --- Commands ---------------------------------------------------------------------------------

    def note(self, text, *words):
        self.log.append("%d: %s" % (self.step, text % words if words else text))

    def start(self, words, wrapper=()):
        command = [*wrapper, HOLDFAST, "--installation=" + self.installation.path, *words]
        return subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, process, expected):
        """Returns (exit status, what it printed)."""
        out, err = process.communicate()
        self.log[-1] += " -> %d" % process.returncode
        if process.returncode not in expected:
            raise Wrong("exit status %d, expected %s: %s\n%s%s" % (
                process.returncode, list(expected), process.args, out, err))
        return process.returncode, out

    def run(self, *words, expected=(0,)):
        self.note(" ".join(words))
        return self.end(self.start(words), expected)

    def run_killed(self, where, words, expected=(0,), path=None):
        """Runs until it is killed, and tells whether it was: sometimes it is faster.  Only calls that
        are about @path count, if there is one."""
        if self.trace:
            process = self.start_killed(where, words, ["-P", path] if path else [])
        else:
            delay = self.rng.random() * LONGEST
            self.note("killed after %.4f s: %s", delay, " ".join(words))
            process = self.start(words)
            time.sleep(delay)
            process.kill()
        status, _ = self.end(process, (-signal.SIGKILL, *expected))
        self.seen["killed" if status < 0 else "not killed"] += 1
        return status < 0

    def start_killed(self, where, words, options):
        call, most = self.rng.choice(where)
        when = self.rng.choice([int((most + 1) ** self.rng.random()), self.rng.randint(1, most)])
        self.note("killed at %s %d%s: %s", call, when, " ".join(["", *options]), " ".join(words))
        # On one processor it has one thread, and dies at the same place each time.
        processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(processors)})
        try:
            return self.start(words, ["strace", "-f", "-qq", "-o", "/dev/null", *options,
                                      "-e", "trace=" + call,
                                      "-e", "inject=%s:signal=KILL:when=%d" % (call, when)])
        finally:
            os.sched_setaffinity(0, processors)

    def sweep(self, words):
        """Sweeps, after a dry run of it that changes nothing and tells of just that.  Returns (exit
        status, report)."""
        before = self.installation.everything()
        dry_status, out = self.run(*words, "--dry-run", expected=(0, 4))
        told = json.loads(out)
        if self.installation.everything() != before:
            raise Wrong("a dry run changed %s" % dict(
                self.installation.everything().items() ^ before.items()))
        status, out = self.run(*words, expected=(0, 4))
        done = json.loads(out)
        # What it takes out of service and has to leave is forwarded to: those links are not counted.
        after = {path: what for path, what in self.installation.everything().items()
                 if not (stat.S_ISLNK(what[1]) and path in before and stat.S_ISDIR(before[path][1]))}
        check_told(told, done, dry_status == status)
        freed = [one - other for one, other in zip(usage(before), usage(after))]
        if freed != [done["inodes"], done["bytes"]]:
            raise Wrong("it frees %s inodes and bytes, and tells of %s" % (
                freed, [done["inodes"], done["bytes"]]))
        self.seen["dry runs that tell of something"] += done["inodes"] > 0
        return status, done

    # --- What is deployed ---------------------------------------------------------------------------

    def settled(self, plan, may_stay=False):
        """Each ref in @plan is deployed anew as one of its images, None being none; all others, and if
        it @may_stay these too, as before."""
        found = self.installation.deployed()
        for ref in {*found, *self.deployed, *plan}:
            entry, (name, _) = found.get(ref), self.deployed.get(ref, (None, None))
            same = name == (entry.name if entry else None)
            if same and (ref not in plan or may_stay or (name is None and None in plan[ref])):
                continue
            options = [image for image in plan.get(ref, []) if (
                image is None if entry is None else
                image is not None and image.commit in (None, entry.commit))]
            if not options or same:
                raise Wrong("%s is deployed as %s and was %s" % (ref, entry and entry.name, name))
            if name is not None:
                self.previous[ref] = [name] + self.previous.get(ref, [])
            if entry is None:
                del self.deployed[ref]
                continue
            self.deployed[ref] = (entry.name, options[0])
            self.images[entry.name] = options[0]
            self.installation.reached(entry.commit)
            compare(options[0].manifest, os.path.join(entry.path, "tree"), ref)
        for ref, (_, image) in self.deployed.items():
            if image.runtime and RUNTIME not in self.deployed:
                raise Wrong("%s is deployed without its runtime" % ref)
        self.retained({ref for ref in plan if may_stay and None in plan[ref]})

    def retained(self, going=frozenset()):
        """Beside each active deployment there are those that are to be kept, and while a command that
        was killed is not yet settled maybe more; less if it is a removal of those in @going, which
        takes the active one last."""
        found = self.installation.previous()
        marked = self.installation.is_marked()
        for ref in {*found, *self.previous, *self.deployed}:
            present = [entry.name for entry in found.get(ref, [])]
            active = self.deployed.get(ref, (None, None))[0]
            before = {name for name in self.previous.get(ref, []) if name != active}
            expected = {*self.earlier(ref)} if not (marked and ref in going) else set()
            possible = before | {name for name in present if active is None}
            if not (expected <= {*present} <= possible if marked else expected == {*present}):
                raise Wrong("%s has the earlier deployments %s; kept are %s of %s" % (
                    ref, present, sorted(expected), sorted(before)))
            # Of what is not active yet after a restore that was killed, settling leaves nothing beside.
            self.previous[ref] = present if active is not None else []
            if active != self.held_back.get(ref):
                self.held_back.pop(ref, None)
        if self.installation.holds_back() != {*self.held_back}:
            raise Wrong("held by a rollback are %s and not %s" % (
                sorted(self.installation.holds_back()), self.held_back))

    def earlier(self, ref):
        """The names of those that are to be kept, the one that left service last first."""
        active = self.deployed.get(ref, (None, None))[0]
        before = [name for name in self.previous.get(ref, []) if active not in (None, name)]
        spare = [name for name in before if name not in self.roots.values()][:self.keep_previous]
        return [name for name in before if name in self.roots.values() or name in spare]

    def kept(self):
        """The entries out of service that a sweep leaves though nobody holds them."""
        return [entry for entry in self.installation.out_of_service()
                if entry.state() == SETTLED and (self.spared or entry.name in self.roots.values())]

    def commit_of(self, ref):
        return self.deployed[ref][0].split(".")[0]

    def from_remote(self, remote, ref):
        return dataclasses.replace(self.pool.offered(remote, ref), origin=remote)

    def plan_remote(self, remote, ref, update=False):
        """What an install or update of a ref is to change."""
        wanted = self.from_remote(remote, ref)
        if ref in self.deployed and (not update or self.commit_of(ref) == wanted.commit):
            return {}
        plan = {ref: [wanted]}
        if wanted.runtime and RUNTIME not in self.deployed:
            plan[RUNTIME] = [self.from_remote(remote, RUNTIME)]
        return plan

    def check_deployed(self):
        """Every deployment is what was built."""
        for ref, entry in self.installation.deployed().items():
            compare(self.deployed[ref][1].manifest, os.path.join(entry.path, "tree"), ref)
        for entries in [*self.installation.previous().values(), self.kept()]:
            for entry in entries:
                compare(self.images[entry.name].manifest, os.path.join(entry.path, "tree"), entry.path)
