# SPDX-License-Identifier: LGPL-2.1-or-later
"""What must hold on a disk after a power cut, before and after anything is repaired: with the file
system's own check, by eye, with libostree, and with the real program.
"""
import contextlib
import fcntl
import hashlib
import os
import re
import stat
import subprocess

import workload
from actor import HOLDFAST
from image_pool import ENVIRONMENT, RUNTIME, remove
from observed import KEPT, Installation, Wrong, compare

# What is said of each file system, in this order; the first that does not hold ends the check of a disk.
PROMISES = {
    "consistent": "the file system is consistent",
    "works": "commands work at once, without a repair",
    "deployed": "each ref, root, remote and setting is as before or after the command cut short, and as the"
                " completed ones left it",
    "whole": "every deployed file and every stored object is whole, byte for byte",
    "closed": "every commit has all that it reaches",
    "runs": "what is deployed runs",
    "goes on": "the command cut short and others can be given again, and do their work",
    "swept": "one sweep leaves what an undisturbed installation has",
    "emptied": "removing everything leaves no object behind",
}

CHECKS = {"ext4": ["e2fsck", "-fn"], "xfs": ["xfs_repair", "-n", "-f"],
          "btrfs": ["btrfs", "check", "--readonly"]}
OPTIONS = {"ext4": "loop", "xfs": "loop,nouuid", "btrfs": "loop"}


def tell(*command, expected=(0,), environment=None):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, errors="replace",
                          env=environment or ENVIRONMENT)
    if done.returncode not in expected:
        raise Wrong("exit status %d, expected %s: %s\n%s%s" % (
            done.returncode, list(expected), " ".join(command), done.stdout, done.stderr))
    return done.stdout


class Program:
    """holdfast, on one installation."""

    def __init__(self, path):
        self.path = path
        self.environment = dict(ENVIRONMENT, HOME=os.path.dirname(path))

    def __call__(self, *words, expected=(0,)):
        return tell(HOLDFAST, "--installation=" + self.path, *words, expected=expected,
                    environment=self.environment)


def describe(path):
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(path)
    with open(path, "rb") as file:
        return "%04o %s" % (stat.S_IMODE(status.st_mode), hashlib.sha256(file.read()).hexdigest())


def objects_in(repository):
    """(name, path) of each stored object."""
    top = os.path.join(repository, "objects")
    for digits in os.listdir(top):
        for name in os.listdir(os.path.join(top, digits)):
            yield digits + name, os.path.join(top, digits, name)


def known_objects(pool):
    """How each object must look that any of the images has."""
    return {name: describe(path) for repository in (pool.remotes["bare"], pool.at("oracle"))
            for name, path in objects_in(repository)}


def link_target(path):
    return os.readlink(path) if os.path.islink(path) else None


def names(path):
    """Everything that has a name, but for serials, times and the history; and how many links it has, where
    that means the same on every file system.  Directories in the repository are libostree's."""
    found = []
    for directory, below, files in os.walk(path):
        inside = os.path.relpath(directory, path)
        for name in below + files:
            full = os.path.join(directory, name)
            status = os.lstat(full)
            is_directory = stat.S_ISDIR(status.st_mode)
            if (is_directory and (inside + "/").startswith("repo/")) or (
                    inside == "." and name == "history"):
                continue
            target = os.readlink(full) if stat.S_ISLNK(status.st_mode) else ""
            if name == "held.new" and target == link_target(os.path.join(directory, "active")):
                name = "held"  # it counts, and btrfs may have lost the mark that says that there is something to settle
            line = "%o %s %s %s" % (status.st_mode, "" if is_directory else status.st_nlink,
                                    os.path.normpath(os.path.join(inside, name)), target)
            line = re.sub(r"\.[0-9a-f]{24}\b", ".SERIAL", line)
            found.append(re.sub(r"(?<=removed/)[0-9]{12}\.", "TIME.", line))
    return sorted(found)


class Checker:
    """Looks at one disk after the other."""

    def __init__(self, pool, work, known, directory, mounted):
        self.pool, self.work, self.known, self.directory = pool, work, known, directory
        self.images = {image for images in pool.of.values() for image in map(id, images)}
        committed = [image for images in pool.of.values() for image in images]
        self.reach = {image.commit: image.objects for image in committed}
        self.detached = {image.commit for image in committed if image.detached}
        self.references = {}
        self.by_commit = {image.commit: image for image in committed}
        self.mounted = mounted
        self.path = os.path.join(mounted, workload.INSTALLATION)
        self.program = Program(self.path)
        self.promise = self.installation = self.progress = self.actual = None

    # --- The file system ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def mount(self, kind, disk, lock):
        # Two disks that say that they are the same file system cannot be mounted side by side on btrfs.
        if kind == "btrfs":
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            tell("mount", "-t", kind, "-o", OPTIONS[kind], disk, self.mounted)
            try:
                yield
            finally:
                tell("umount", self.mounted)
        finally:
            if kind == "btrfs":
                fcntl.flock(lock, fcntl.LOCK_UN)

    def check(self, kind, disk, progress, rng, lock):
        """Returns (promise, what is wrong), or None."""
        self.progress, self.promise = progress, "consistent"
        try:
            with self.mount(kind, disk, lock):
                pass
            tell(*CHECKS[kind], disk)
            with self.mount(kind, disk, lock):
                self.check_installation(rng)
        except (Wrong, RuntimeError, OSError) as wrong:
            return self.promise, "%s: %s" % (type(wrong).__name__, wrong)
        return None

    # --- What holds before anything is repaired -----------------------------------------------------

    def check_installation(self, rng):
        self.promise = "works"
        if self.progress.ended == 0 and not self.is_created():
            self.publish(0)
            self.program(*self.work[0].words)
            self.progress.ended = self.progress.begun = 1
        self.installation = Installation(self.path, self.reach)
        listed = self.program("list", "--columns=ref").split()
        self.program("history")
        self.promise = "deployed"
        self.actual = self.find_state(listed)
        self.promise = "whole"
        self.check_whole()
        self.promise = "closed"
        self.check_closed()
        self.promise = "runs"
        self.check_run()
        self.promise = "goes on"
        if self.progress.ended < workload.PREPARATION:
            self.program(*self.work[workload.PREPARATION - 1].words)
            self.actual.most = "0"
        rng.choice([lambda: None, self.do_again, self.do_other])()
        self.promise = "swept"
        self.check_sweep()
        self.promise = "emptied"
        self.check_removal()

    def is_created(self):
        """Whether nothing is left to do of the first command."""
        self.program("list", expected=(0, 3))
        return os.path.exists(os.path.join(self.path, "repo/objects")) and self.has_remote()

    def has_remote(self):
        remotes = [line.split()[0] for line in self.program("remotes").splitlines()]
        if remotes not in ([], ["test"]):
            raise Wrong("the remotes are %s" % remotes)
        return bool(remotes)

    def find_common(self):
        """As State.common()."""
        roots = set()
        for line in self.program("root", "list").splitlines():
            roots.add(os.path.basename(line.split()[0]))
            if "holds" not in line.split():
                raise Wrong("a root does not hold: " + line)
        return roots, self.has_remote(), self.program("config", "--get", "keep-previous").strip()

    def is_image(self, entry, image):
        if entry is None or image is None:
            return entry is None and image is None
        return entry.commit == image.commit or (
            image.commit is None and entry.commit not in self.reach)

    def find_state(self, listed):
        """What there is now, and will be after a sweep: as before the command that was cut short, or as
        after it, and each ref by itself.  Of a removal the active deployment goes last; those beside it
        may have gone alone."""
        options = [workload.state_after(self.work, number)
                   for number in (self.progress.begun, self.progress.ended)]
        found, common = self.installation.deployed(), self.find_common()
        held = self.installation.holds_back()
        if sorted(found) != sorted(listed):
            raise Wrong("listed are %s, and there are %s" % (sorted(listed), sorted(found)))
        options = [state for state in options if state.common() == common]
        if not options:
            raise Wrong("roots, remote and setting are %s after %d commands, with %d begun" % (
                common, self.progress.ended, self.progress.begun))
        actual = workload.State(roots=options[0].roots, remote=options[0].remote,
                                most=options[0].most)
        for ref in {*found, *options[0].refs(), *options[-1].refs()}:
            entry, is_held = found.get(ref), ref in held
            fit = [state for state in options if self.is_image(entry, state.deployed.get(ref))
                   and is_held == (ref in state.held)]
            if not fit:
                raise Wrong("%s is %s, held: %s, after %d commands, with %d begun; expected was %s" % (
                    ref, entry and entry.name, is_held, self.progress.ended, self.progress.begun,
                    [(ref in state.deployed and state.deployed[ref].commit, ref in state.held)
                     for state in options]))
            actual.take(ref, fit[0])
            if entry is not None:
                self.check_entry(entry)
                if self.work[self.progress.begun - 1].words[0] == "uninstall":
                    self.leave_out_removed(actual, ref)
        if RUNTIME not in actual.deployed and any(
                image.runtime for image in actual.deployed.values()):
            raise Wrong("something is deployed without its runtime")
        return actual

    def leave_out_removed(self, state, ref):
        """What is still deployed may have lost what is kept beside it, by a removal cut short."""
        here = {entry.commit for entry in self.installation.previous().get(ref, [])}
        rooted = [image for _, image in state.roots.values()]
        gone = [image for image in state.keeps.get(ref, []) if image.commit not in here]
        state.keeps[ref] = [image for image in state.keeps.get(ref, []) if image not in gone]
        state.spared[ref] = state.spared.get(ref, []) + [
            image for image in gone if any(image is other for other in rooted)]

    def check_entry(self, entry):
        status = os.lstat(os.path.join(entry.path, ".ref"))
        if (status.st_mode, status.st_size) != (stat.S_IFREG | 0o644, 0):
            raise Wrong("%s has a .ref of mode %o with %d bytes" % (
                entry.path, status.st_mode, status.st_size))
        if entry.state() not in KEPT:
            raise Wrong("%s is deployed with state %s" % (entry.path, entry.state()))

    def check_whole(self):
        deployed = self.installation.deployed()
        for ref, entry in deployed.items():
            compare(self.actual.deployed[ref].manifest, os.path.join(entry.path, "tree"), ref)
        # What could be brought back.
        for entry in sum(self.installation.previous().values(), self.installation.out_of_service()):
            image = self.by_commit.get(entry.commit)
            if image is not None and entry.state() in KEPT:
                compare(image.manifest, os.path.join(entry.path, "tree"), entry.path)
        for name, path in objects_in(self.installation.repo):
            checksum, kind = name.split(".")
            expected = self.known.get(name)
            if expected is None and kind != "file":
                # What was made of a directory: metadata is named for what it is.
                expected = "0644 " + checksum
            if describe(path) != expected:
                raise Wrong("stored is %s as %s, expected %s" % (name, describe(path), expected))

    def check_closed(self):
        self.installation.check_closure()
        partial = os.path.join(self.installation.repo, "state")
        if [name for name in os.listdir(partial) if name.endswith(".commitpartial")]:
            raise Wrong("a commit is marked as partial")
        tell("ostree", "--repo=" + self.installation.repo, "fsck", "--quiet")

    def check_run(self):
        if workload.A in self.actual.deployed:
            said = self.program("run", "--command=sh", workload.A, "-c", "echo ran; exit 0")
            if said != "ran\n":
                raise Wrong("it says '%s'" % said)

    # --- What goes on from there --------------------------------------------------------------------

    def publish(self, number):
        for ref, commit in workload.offered(self.work, number).items():
            path = os.path.join(self.pool.remotes["archive"], "refs/heads", ref)
            with open(path, "w", encoding="ascii") as file:
                file.write(commit + "\n")

    def do_again(self):
        """The command that was cut short, or the last one; but none that would refuse to do it twice, or
        undo it."""
        number = self.progress.begun - 1
        step = self.work[number]
        if number == 0:
            return
        self.publish(number)
        words = step.words
        done = self.actual.key() == workload.state_after(self.work, number + 1).key()
        if words[0] in ("uninstall", "restore"):
            words = [words[0], *(ref for ref in words[1:] if (
                ref in self.actual.deployed) == (words[0] == "uninstall"))]
            done = len(words) == 1
        if not done or words[0] not in ("uninstall", "restore", "rollback", "root", "remote-delete"):
            self.program(*words)
        self.progress.ended = self.progress.begun
        self.actual = self.find_state(self.installation.deployed())
        self.check_whole()

    def do_other(self):
        """Something that shares objects with what was cut short."""
        self.publish(len(self.work) - 1)
        image = self.pool.of[workload.OTHER][0]
        self.program(*self.work[0].words, "--if-not-exists")
        self.program("install", "test", workload.OTHER)
        self.actual.remote = True
        self.actual.deployed[workload.OTHER] = image
        self.check_whole()
        self.check_closed()

    def reference(self):
        """The names of an installation that never had anything but what there is."""
        key = self.actual.key()
        if key not in self.references:
            path = os.path.join(self.directory, "undisturbed")
            remove(path)
            program = Program(path)
            program(*self.work[0].words)
            for ref in sorted(self.actual.refs(), key=self.keeps_something):
                self.make_ref(program, ref)
            if RUNTIME not in self.actual.deployed and any(
                    image.runtime for images in self.actual.spared.values() for image in images):
                program("uninstall", RUNTIME)
            program("config", "--set", "keep-previous", self.actual.most)
            if not self.actual.remote:
                program("remote-delete", "test")
            program("sweep")
            self.references[key] = names(path)
            remove(path)
        return self.references[key]

    def keeps_something(self, ref):
        """What an application needs comes first, then what is made by keeping nothing for a moment."""
        return ref != RUNTIME, bool(self.actual.keeps.get(ref)), ref

    def make_ref(self, program, ref):
        """All that there is of one ref, in an order in which it stays."""
        state, active = self.actual, self.actual.deployed.get(ref)
        roots = {id(image): name for name, (_, image) in state.roots.items()}

        def put(image):
            if image.commit is None:
                program("install", image.path, "--ref=" + ref)
                return
            with open(os.path.join(self.pool.remotes["archive"], "refs/heads", ref), "w",
                      encoding="ascii") as file:
                file.write(image.commit + "\n")
            program("install", "test", ref)
            program("update", ref)
            if id(image) in roots:
                program("root", "add", roots.pop(id(image)), ref)

        keeps, spared = state.keeps.get(ref, []), state.spared.get(ref, [])
        is_held = ref in state.held
        if is_held and not keeps:
            # It was rolled back from something that has gone since.
            for image in active, next(other for other in self.pool.of[ref] if other is not active):
                put(image)
            program("rollback", "--to=" + active.commit, ref)
            program("config", "--set", "keep-previous", "0")
            program("config", "--unset", "keep-previous")
            return
        for image in spared:
            put(image)
            program("uninstall", ref)
        for image in [active] * is_held + keeps + [active] * (not is_held):
            if image is not None:
                put(image)
        if is_held:
            program("rollback", "--to=" + active.commit, ref)

    def finish_removals(self):
        """Of a removal cut short: no other command has a root keep out of service what was beside something that is held."""
        for ref in [ref for ref in self.actual.held if self.actual.spared.get(ref)]:
            self.program("uninstall", ref)
            self.actual.deployed.pop(ref)
            self.actual.held.discard(ref)

    def check_sweep(self):
        self.finish_removals()
        self.program("sweep")
        # Commits of local images are not known before.
        left = self.installation.out_of_service()
        present = [*self.installation.deployed().values(), *left,
                   *sum(self.installation.previous().values(), [])]
        self.installation.check_directories({entry.identity() for entry in left})
        self.installation.check_objects({entry.commit for entry in present}, set(), self.detached)
        self.compare_names()
        self.check_whole()

    def compare_names(self):
        expected, got = self.reference(), names(self.path)
        if got != expected:
            raise Wrong("lost: %s; left: %s" % (sorted(set(expected) - set(got)),
                                                sorted(set(got) - set(expected))))

    def check_removal(self):
        state = self.actual
        if state.deployed:
            self.program("uninstall", *state.deployed)
        for name in state.roots:
            self.program("root", "remove", name)
        self.program("sweep")
        left = sorted(self.installation.objects())
        if left:
            raise Wrong("left are the objects %s" % left)
        self.actual = workload.State(remote=state.remote, most=state.most)
        self.compare_names()
