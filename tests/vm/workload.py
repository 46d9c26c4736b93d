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

# On the disk: the installation, and the link that a root stands and falls with.
INSTALLATION, LINK = "installation", "link"

SCRIPT = r"""
fs=$(sed 's/.*fs=\([a-z0-9]*\).*/\1/' /proc/cmdline)
end=$(sed 's/.*end=\([0-9]*\).*/\1/' /proc/cmdline)
mkdir -p "$mounted"
mount -t "$fs" /dev/vda "$mounted" || echo "FAILED: mount"
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
    """A command, what the remote offers by then, and what is otherwise afterwards: the image of each ref,
    or None; what it keeps beside that; whether it is held; what of it a root keeps out of service."""
    words: list
    changes: dict = field(default_factory=dict)
    publish: list = field(default_factory=list)
    keeps: dict = field(default_factory=dict)
    held: dict = field(default_factory=dict)
    spared: dict = field(default_factory=dict)
    roots: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)


@dataclass
class State:
    """What there is, once a sweep was there."""
    deployed: dict = field(default_factory=dict)  # images by ref
    keeps: dict = field(default_factory=dict)  # lists of them
    spared: dict = field(default_factory=dict)  # the same, in removed/
    held: set = field(default_factory=set)
    roots: dict = field(default_factory=dict)  # (ref, image) by name
    remote: bool = False
    most: str = "1"  # keep-previous

    def apply(self, step):
        for mine, changes in ((self.deployed, step.changes), (self.keeps, step.keeps),
                              (self.spared, step.spared), (self.roots, step.roots)):
            for name, value in changes.items():
                mine.pop(name, None)
                if value:
                    mine[name] = value
        for ref, is_held in step.held.items():
            (self.held.add if is_held else self.held.discard)(ref)
        for name, value in step.settings.items():
            setattr(self, name, value)

    def common(self):
        """What is of no single ref."""
        return set(self.roots), self.remote, self.most

    def take(self, ref, other):
        """Of one ref, of which this has nothing, what the other one has."""
        for mine, theirs in ((self.deployed, other.deployed), (self.keeps, other.keeps),
                             (self.spared, other.spared)):
            if ref in theirs:
                mine[ref] = theirs[ref]
        if ref in other.held:
            self.held.add(ref)

    def refs(self):
        return {*self.deployed, *self.keeps, *self.spared}

    def key(self):
        return (tuple(sorted((ref, id(self.deployed.get(ref)), tuple(map(id, self.keeps.get(ref, []))),
                              tuple(map(id, self.spared.get(ref, []))), ref in self.held)
                             for ref in self.refs())),
                tuple(sorted((name, ref, id(image)) for name, (ref, image) in self.roots.items())),
                self.remote, self.most)


def steps(pool, mounted):
    """What comes between is what has a crash to fear: all that writes, on an installation that has
    something in service and out of it, first without and then with earlier deployments that stay."""
    def image(ref, number):
        return pool.of[ref][number]

    def local(ref, of_kind):
        return next(image for image in pool.local[ref] if of_kind(image.path))

    directory, tarball = local(D, os.path.isdir), local(E, os.path.isfile)
    first = [(ref, image(ref, 0)) for ref in pool.of]
    return [
        Step(["remote-add", "--no-verify", "test", pool.remotes["archive"]], publish=first,
             settings={"remote": True}),
        Step(["config", "--set", "keep-previous", "0"], settings={"most": "0"}),
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
        Step(["config", "--set", "keep-previous", "1"], settings={"most": "1"}),
        Step(["update", A], {A: image(A, 0)}, [(A, image(A, 0))], keeps={A: [image(A, 2)]}),
        Step(["rollback", A], {A: image(A, 2)}, keeps={A: [image(A, 0)]}, held={A: True}),
        Step(["update"], {B: image(B, 2)}, [(B, image(B, 2))], keeps={B: [image(B, 1)]}),
        Step(["root", "add", "mine", B], roots={"mine": (B, image(B, 2))}),
        Step(["rollback", "--to=" + image(B, 1).commit[:12], B], {B: image(B, 1)},
             keeps={B: [image(B, 2)]}, held={B: True}),
        Step(["update", A], {A: image(A, 1)}, [(A, image(A, 1))], keeps={A: [image(A, 2)]},
             held={A: False}),
        Step(["root", "add", "--link=" + os.path.join(mounted, LINK), "linked", A],
             roots={"linked": (A, image(A, 1))}),
        Step(["config", "--set", "keep-previous", "0"], keeps={A: None}, settings={"most": "0"}),
        Step(["uninstall", B], {B: None}, keeps={B: None}, spared={B: [image(B, 2)]},
             held={B: False}),
        Step(["sweep"]),
        Step(["restore", B], {B: image(B, 2)}, spared={B: None}),
        Step(["uninstall", A, RUNTIME, E], {A: None, RUNTIME: None, E: None},
             spared={A: [image(A, 1)]}),
        Step(["restore", A, E], {RUNTIME: image(RUNTIME, 1), A: image(A, 1), E: tarball},
             spared={A: None}),
        Step(["root", "remove", "mine"], roots={"mine": None}),
        Step(["remote-delete", "test"], settings={"remote": False}),
        Step(["uninstall", A, B, E, RUNTIME], {A: None, B: None, E: None, RUNTIME: None},
             spared={A: [image(A, 1)]}),
        Step(["sweep"]),
        Step(["root", "remove", "linked"], spared={A: None}, roots={"linked": None}),
        Step(["sweep"]),
    ]


def script(pool, work, mounted):
    """What the machine runs."""
    lines = ["mounted=" + shlex.quote(mounted), SCRIPT]
    lines += ["export %s=%s" % (name, shlex.quote(value))
              for name, value in ENVIRONMENT.items() if name != "PATH"]
    for number, step in enumerate(work):
        for ref, image in step.publish:
            path = os.path.join(pool.remotes["archive"], "refs/heads", ref)
            lines.append("mkdir -p %s && echo %s >%s" % (
                shlex.quote(os.path.dirname(path)), image.commit, shlex.quote(path)))
        lines.append("step %d holdfast --installation=%s %s" % (
            number, shlex.quote(os.path.join(mounted, INSTALLATION)), " ".join(shlex.quote(word) for word in step.words)))
    lines.append("echo COMPLETE")
    return "\n".join(lines) + "\n"


def offered(work, number):
    """What the remote offers when a step begins: a commit for each ref."""
    found = {}
    for step in work[:number + 1]:
        found.update((ref, image.commit) for ref, image in step.publish)
    return found


def state_after(work, number):
    """What there is after so many steps."""
    state = State()
    for step in work[:number]:
        state.apply(step)
    return state


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
