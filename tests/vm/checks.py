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
    "deployed": "each ref is as before or after the command cut short, and as the completed ones left it",
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


def names(path):
    """Everything that has a name, but for serials; and how many links it has, where that means the same on
    every file system.  Directories in the repository are libostree's."""
    found = []
    for directory, below, files in os.walk(path):
        inside = os.path.relpath(directory, path)
        for name in below + files:
            full = os.path.join(directory, name)
            status = os.lstat(full)
            is_directory = stat.S_ISDIR(status.st_mode)
            if is_directory and (inside + "/").startswith("repo/"):
                continue
            target = os.readlink(full) if stat.S_ISLNK(status.st_mode) else ""
            found.append(re.sub(r"\.[0-9a-f]{24}\b", ".SERIAL", "%o %s %s %s" % (
                status.st_mode, "" if is_directory else status.st_nlink,
                os.path.normpath(os.path.join(inside, name)), target)))
    return sorted(found)


class Checker:
    """Looks at one disk after the other."""

    def __init__(self, pool, work, known, directory):
        self.pool, self.work, self.known, self.directory = pool, work, known, directory
        self.images = {image for images in pool.of.values() for image in map(id, images)}
        committed = [image for images in pool.of.values() for image in images]
        self.reach = {image.commit: image.objects for image in committed}
        self.detached = {image.commit for image in committed if image.detached}
        self.references = {}
        self.mounted = os.path.join(directory, "mounted")
        os.mkdir(self.mounted)
        self.path = os.path.join(self.mounted, os.path.relpath(workload.INSTALLATION, "/data"))
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
        self.promise = "deployed"
        if not self.has_remote():
            raise Wrong("the remote has gone")
        if self.progress.ended >= workload.PREPARATION and not self.is_configured():
            raise Wrong("the configuration has gone")
        self.actual = self.find_deployed(listed)
        self.promise = "whole"
        self.check_whole()
        self.promise = "closed"
        self.check_closed()
        self.promise = "runs"
        self.check_run()
        self.promise = "goes on"
        if self.progress.ended < workload.PREPARATION:
            self.program(*self.work[workload.PREPARATION - 1].words)
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
        return [line.split()[0] for line in self.program("remotes").splitlines()] == ["test"]

    def is_configured(self):
        _, _, name, value = self.work[workload.PREPARATION - 1].words
        return [name, value] in [line.split()[:2] for line in self.program("config").splitlines()]

    def is_image(self, entry, image):
        if entry is None or image is None:
            return entry is None and image is None
        return entry.commit == image.commit or (
            image.commit is None and entry.commit not in self.reach)

    def find_deployed(self, listed):
        """The image of each ref; each is as before the command that was cut short or as after it."""
        before = workload.deployed_after(self.work, self.progress.ended)
        after = workload.deployed_after(self.work, self.progress.begun)
        found, actual = self.installation.deployed(), {}
        if sorted(found) != sorted(listed):
            raise Wrong("listed are %s, and there are %s" % (sorted(listed), sorted(found)))
        for ref in {*found, *before, *after}:
            entry = found.get(ref)
            options = [image for image in (before.get(ref), after.get(ref))
                       if self.is_image(entry, image)]
            if not options:
                raise Wrong("%s is %s after %d commands, with %d begun; expected was %s" % (
                    ref, entry and entry.name, self.progress.ended, self.progress.begun,
                    [image and image.commit for image in (before.get(ref), after.get(ref))]))
            if entry is not None:
                actual[ref] = options[0]
                self.check_entry(entry)
        if any(image.runtime for image in actual.values()) and RUNTIME not in actual:
            raise Wrong("something is deployed without its runtime")
        return actual

    def check_entry(self, entry):
        status = os.lstat(os.path.join(entry.path, ".ref"))
        if (status.st_mode, status.st_size) != (stat.S_IFREG | 0o644, 0):
            raise Wrong("%s has a .ref of mode %o with %d bytes" % (
                entry.path, status.st_mode, status.st_size))
        if entry.state() not in KEPT:
            raise Wrong("%s is deployed with state %s" % (entry.path, entry.state()))

    def check_whole(self):
        for ref, entry in self.installation.deployed().items():
            compare(self.actual[ref].manifest, os.path.join(entry.path, "tree"), ref)
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
        if workload.A in self.actual:
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
        """The command that was cut short, or the last one."""
        number = self.progress.begun - 1
        step = self.work[number]
        if number == 0:
            return
        self.publish(number)
        words = step.words
        if words[0] == "uninstall":
            words = [words[0], *(ref for ref in words[1:] if ref in self.actual)]
        if len(words) > 1 or words[0] != "uninstall":
            self.program(*words)
        self.progress.ended = self.progress.begun
        self.actual = self.find_deployed(self.installation.deployed())
        self.check_whole()

    def do_other(self):
        """Something that shares objects with what was cut short."""
        self.publish(len(self.work) - 1)
        image = self.pool.of[workload.OTHER][0]
        self.program("install", "test", workload.OTHER)
        self.actual[workload.OTHER] = image
        self.check_whole()
        self.check_closed()

    def reference(self):
        """The names of an installation that never had anything but what is deployed."""
        key = tuple(sorted((ref, id(image)) for ref, image in self.actual.items()))
        if key not in self.references:
            path = os.path.join(self.directory, "undisturbed")
            program = Program(path)
            for step in self.work[:workload.PREPARATION]:
                program(*step.words)
            for ref, image in sorted(self.actual.items(), key=lambda pair: pair[0] != RUNTIME):
                if image.commit is None:
                    program("install", image.path, "--ref=" + ref)
                    continue
                with open(os.path.join(self.pool.remotes["archive"], "refs/heads", ref), "w",
                          encoding="ascii") as file:
                    file.write(image.commit + "\n")
                program("install", "test", ref)
            self.references[key] = names(path)
            remove(path)
        return self.references[key]

    def check_sweep(self):
        self.program("sweep")
        self.installation.check_directories(set())
        found = self.installation.deployed()
        self.installation.check_objects({entry.commit for entry in found.values()}, set(),
                                        self.detached)
        self.compare_names()
        self.check_whole()

    def compare_names(self):
        expected, got = self.reference(), names(self.path)
        if got != expected:
            raise Wrong("lost: %s; left: %s" % (sorted(set(expected) - set(got)),
                                                sorted(set(got) - set(expected))))

    def check_removal(self):
        if self.actual:
            self.program("uninstall", *self.actual)
            self.program("sweep")
        left = sorted(self.installation.objects())
        if left:
            raise Wrong("left are the objects %s" % left)
        self.actual = {}
        self.compare_names()
