# SPDX-License-Identifier: LGPL-2.1-or-later
"""The images, the commands that the machine runs with them, and what must be deployed after a part of
these.  Each command tells when it begins and when it has come to its end, by a write behind the
file system that flushes nothing.
"""
import os
import shlex
from dataclasses import dataclass, field

from image_pool import APPS, ARCH, ENVIRONMENT, RUNTIME, Directory, Pool

A, B, D, E = (next(ref for ref in APPS if "org.example.%s/%s/stable" % (name, ARCH) in ref)
              for name in "ABDE")
# Never in the workload: what shares objects with what was cut short, and is installed after that.
OTHER = "app/org.example.A/%s/beta" % ARCH
BUSYBOX = "/bin/busybox"
# So many steps only prepare what is to be deployed.
PREPARATION = 2

# Where the machine has the installation.
INSTALLATION = "/data/installation"

SCRIPT = r"""
fs=$(sed 's/.*fs=\([a-z0-9]*\).*/\1/' /proc/cmdline)
end=$(sed 's/.*end=\([0-9]*\).*/\1/' /proc/cmdline)
mount -t "$fs" /dev/vda /data || echo "FAILED: mount"
if grep -q busy=1 /proc/cmdline; then
  while :; do sync; usleep 10000; done &
fi
mark() {
  printf '%-4096s' "$*" >/tmp/mark
  dd if=/tmp/mark of=/dev/vda bs=4096 count=1 seek="$end" conv=notrunc oflag=direct 2>/dev/null ||
    echo "FAILED: mark"
}
step() {
  local number=$1 status=0
  shift
  mark begin "$number"
  "$@" >/tmp/said 2>&1 || status=$?
  mark end "$number"
  [ $status -eq 0 ] || { echo "FAILED: status $status: $*"; cat /tmp/said; }
}
"""


class Images(Pool):
    """As everywhere, but for a runtime in which something can run."""

    def make_commits(self):
        rng, trees = self.rng, self.trees
        first = trees.files()
        with open(BUSYBOX, "rb") as file:
            programs = Directory(0o755, {"busybox": (0o755, file.read()), "sh": "busybox"})
        base = trees.files()
        for files in (base, trees.changed(base)):
            files.entries["bin"] = programs
            self.commit([RUNTIME], files, False)
        for ref in APPS:
            files = rng.choice([first, trees.files()])
            self.commit([ref], files, ref == A)
            self.commit([ref], trees.changed(files), ref == A, detached=ref == B)
            self.commit([ref], files, ref == A, "command=other\n")


@dataclass
class Step:
    """A command, what the remote offers by then, and what each ref that it changes is afterwards."""
    words: list
    changes: dict = field(default_factory=dict)
    publish: list = field(default_factory=list)


def steps(pool):
    """What comes between is what has a crash to fear: all that writes, on an installation that has
    something in service and out of it."""
    def image(ref, number):
        return pool.of[ref][number]

    def local(ref, of_kind):
        return next(image for image in pool.local[ref] if of_kind(image.path))

    directory, tarball = local(D, os.path.isdir), local(E, os.path.isfile)
    first = [(ref, image(ref, 0)) for ref in pool.of]
    return [
        Step(["remote-add", "--no-verify", "test", pool.remotes["archive"]], publish=first),
        Step(["config", "--set", "keep-previous", "0"]),
        Step(["install", "test", A], {RUNTIME: image(RUNTIME, 0), A: image(A, 0)}),
        Step(["install", "test", B], {B: image(B, 0)}),
        Step(["update", A], {A: image(A, 1)}, [(A, image(A, 1))]),
        Step(["sweep"]),
        Step(["install", directory.path, "--ref=" + D], {D: directory}),
        Step(["uninstall", B], {B: None}),
        Step(["install", "test", B], {B: image(B, 1)}, [(B, image(B, 1))]),
        Step(["sweep", "--full"]),
        Step(["update"], {RUNTIME: image(RUNTIME, 1), A: image(A, 2)},
             [(RUNTIME, image(RUNTIME, 1)), (A, image(A, 2))]),
        Step(["uninstall", D, A], {D: None, A: None}),
        Step(["sweep"]),
        Step(["install", tarball.path, "--ref=" + E], {E: tarball}),
        Step(["install", "test", A], {A: image(A, 2)}),
        Step(["uninstall", A, B, E, RUNTIME], {A: None, B: None, E: None, RUNTIME: None}),
        Step(["sweep"]),
    ]


def script(pool, work):
    """What the machine runs."""
    lines = [SCRIPT]
    lines += ["export %s=%s" % (name, shlex.quote(value))
              for name, value in ENVIRONMENT.items() if name != "PATH"]
    for number, step in enumerate(work):
        for ref, image in step.publish:
            path = os.path.join(pool.remotes["archive"], "refs/heads", ref)
            lines.append("mkdir -p %s && echo %s >%s" % (
                shlex.quote(os.path.dirname(path)), image.commit, shlex.quote(path)))
        lines.append("step %d holdfast --installation=%s %s" % (
            number, INSTALLATION, " ".join(shlex.quote(word) for word in step.words)))
    lines.append("echo COMPLETE")
    return "\n".join(lines) + "\n"


def offered(work, number):
    """What the remote offers when a step begins: a commit for each ref."""
    found = {}
    for step in work[:number + 1]:
        found.update((ref, image.commit) for ref, image in step.publish)
    return found


def deployed_after(work, number):
    """The image of each ref after so many steps."""
    found = {}
    for step in work[:number]:
        found.update(step.changes)
    return {ref: image for ref, image in found.items() if image is not None}


@dataclass
class Progress:
    """How far the machine had come at a place in the log."""
    ended: int  # so many steps had told that they were done
    begun: int  # the same, or one more

    @classmethod
    def at(cls, log, place):
        told = [mark.decode().split() for where, mark in log.marks if where <= place]
        return cls(sum(words[0] == "end" for words in told),
                   sum(words[0] == "begin" for words in told))
