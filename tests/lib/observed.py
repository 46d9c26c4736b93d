# SPDX-License-Identifier: LGPL-2.1-or-later
"""An installation, looked at from outside: by the file system and by libostree, never by holdfast."""
import fcntl
import os
import re
import stat
import struct

from image_pool import manifest_of, objects_of, remove, run

# The state of a deployment is the mode of its `deployment`.
KEPT = (0o744, 0o644)
SETTLED = 0o644
PRUNED = 0o400


class Wrong(Exception):
    """Something is not as it must be."""


def usage(everything):
    """Inodes and bytes, as df -i and du count them; each inode once.  What a sweep frees it records."""
    inodes = {what[0]: what[4] * 512 for path, what in everything.items()
              if not os.path.basename(path).startswith("history")}
    return len(inodes), sum(inodes.values())


class Entry:
    """A directory with a `.ref`: a deployment, in service or out of it, or one being built."""

    def __init__(self, path):
        self.path = path
        # The name in removed/ has the time before the commit; in staging/ there is no commit.
        match = re.search(r"(?:^|\.)([0-9a-f]{64})\.[0-9a-f]+$", os.path.basename(path))
        self.name = match.group(0).lstrip(".") if match else os.path.basename(path)
        self.commit = match.group(1) if match else None

    def state(self):
        try:
            return stat.S_IMODE(os.stat(os.path.join(self.path, "deployment")).st_mode)
        except FileNotFoundError:
            return None

    def read_commit(self):
        """The commit of something in staging/, if it is complete."""
        if self.commit is None and self.state() is not None:
            with open(os.path.join(self.path, "deployment"), encoding="utf-8") as file:
                self.commit = re.search(r"^commit=(.*)$", file.read(), re.M).group(1)
        return self.commit

    def ref(self):
        with open(os.path.join(self.path, "deployment"), encoding="utf-8") as file:
            return re.search(r"^ref=(.*)$", file.read(), re.M).group(1)

    def identity(self):
        """Of its `.ref`; None if it has none."""
        try:
            status = os.stat(os.path.join(self.path, ".ref"))
            return status.st_dev, status.st_ino
        except FileNotFoundError:
            return None


class Hold:
    """A shared lock on a `.ref`, of one of the kinds that there are, until it is let go."""

    def __init__(self, entry, kind, manifest):
        self.entry, self.kind, self.manifest = entry, kind, manifest
        self.identity, self.state = entry.identity(), entry.state()
        self.commit = entry.read_commit()
        self.directory = os.open(entry.path, os.O_PATH | os.O_DIRECTORY)
        self.fd = -1
        try:
            self.fd = os.open(self.path() + "/.ref", os.O_RDONLY)
            self.lock()
        except OSError:
            self.close()
            raise

    def lock(self):
        if self.kind == "flock":
            fcntl.flock(self.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        else:
            command = fcntl.F_OFD_SETLK if self.kind == "ofd" else fcntl.F_SETLK
            fcntl.fcntl(self.fd, command, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))

    def close(self):
        for fd in (self.fd, self.directory):
            if fd >= 0:
                os.close(fd)

    def path(self):
        return "/proc/self/fd/%d" % self.directory

    def is_removed(self):
        """Wherever it was when the lock was taken."""
        return "/removed/" in os.readlink(self.path())

    def release(self):
        # A child that is being started may still have the descriptor.
        if self.kind == "flock":
            fcntl.flock(self.fd, fcntl.LOCK_UN)
        elif self.kind == "ofd":
            fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK,
                        struct.pack("hhqqi4x", fcntl.F_UNLCK, 0, 0, 0, 0))
        self.close()

    def is_in_time(self):
        """Whether it was taken before anybody began to delete: asked once it is had."""
        return os.fstat(self.fd).st_nlink == 1 and Entry(self.path()).state() in KEPT

    def check(self, thoroughly):
        """Nothing of what it holds has gone."""
        if os.fstat(self.fd).st_nlink != 1:
            raise Wrong("the .ref of a held entry has gone: %s" % self.entry.path)
        if self.state in KEPT and thoroughly and self.manifest is not None:
            compare(self.manifest, os.path.join(self.path(), "tree"), self.entry.path)


def compare(expected, tree, what):
    found = manifest_of(tree)
    if found != expected:
        differ = sorted(path for path in found.keys() | expected.keys()
                        if found.get(path) != expected.get(path))
        raise Wrong("%s is not what was built, in %s: %s, expected %s" % (
            what, differ, [found.get(path) for path in differ],
            [expected.get(path) for path in differ]))


class Installation:
    """Where one is, and what can be read off it."""

    def __init__(self, path, reach):
        self.path = path
        self.repo = os.path.join(path, "repo")
        self.reach = dict(reach)  # what commits reach, by libostree's own listing

    def at(self, *names):
        return os.path.join(self.path, *names)

    def branches(self):
        """(ref, directory) of each that there is in deploy/."""
        found = [("", self.at("deploy"))]
        for _ in range(4):
            found = [(os.path.join(ref, entry.name), entry.path) for ref, path in found
                     if os.path.isdir(path) for entry in os.scandir(path)]
        return found

    def deployed(self):
        """The deployment of each ref, by `active` and nothing else."""
        found = {}
        for ref, path in self.branches():
            try:
                entry = Entry(os.path.join(path, os.readlink(os.path.join(path, "active"))))
            except FileNotFoundError:
                continue
            # What was removed by a command that was killed then forwards.
            if not os.path.islink(entry.path) and os.path.isdir(entry.path):
                found[ref] = entry
        return found

    def previous(self):
        """Of each ref the deployments that were in service before, the one that left it last first."""
        found, active = {}, self.deployed()
        for ref, path in self.branches():
            entries = [Entry(entry.path) for entry in os.scandir(path)
                       if entry.is_dir(follow_symlinks=False)]
            name = active[ref].name if ref in active else None
            entries = [entry for entry in entries if entry.state() == SETTLED and entry.name != name]
            if entries:
                found[ref] = sorted(entries, key=lambda entry: (-os.stat(
                    os.path.join(entry.path, "deployment")).st_mtime_ns, entry.name))
        return found

    def holds_back(self):
        """The refs that only an update replaces which names them."""
        active = self.deployed()
        return {ref for ref, path in self.branches() for link in ("held", "held.new")
                if ref in active and os.path.islink(os.path.join(path, link))
                and os.readlink(os.path.join(path, link)) == active[ref].name}

    def roots(self):
        """Of each root the name of the deployment that it keeps."""
        found = {}
        if os.path.isdir(self.at("roots.d/local")):
            for entry in os.scandir(self.at("roots.d/local")):
                if not entry.name.startswith("."):
                    with open(entry.path, encoding="utf-8") as file:
                        found[entry.name] = re.search(r"^keeps=(.*)$", file.read(), re.M).group(1)
        return found

    def is_marked(self):
        return os.stat(self.at("deploy")).st_mode & stat.S_ISVTX != 0

    def out_of_service(self):
        return [Entry(entry.path) for name in ("removed", "staging")
                for entry in os.scandir(self.at(name))
                if entry.is_dir(follow_symlinks=False)] if os.path.isdir(self.path) else []

    def objects(self, repo=None):
        top = os.path.join(repo or self.repo, "objects")
        return {digits + name for digits in os.listdir(top)
                for name in os.listdir(os.path.join(top, digits))}

    def reached(self, commit):
        """What libostree says that a stored commit reaches, remembered."""
        if commit not in self.reach:
            self.reach[commit] = objects_of(self.repo, commit)
        return self.reach[commit]

    def may_reach(self, commit, stored):
        """The same for one that may have gone: anything, if it went before we saw it."""
        known = commit in self.reach or commit + ".commit" in stored
        return self.reached(commit) if known else stored

    def everything(self):
        """Each name, and all that stat(2) tells of it but when it was last read."""
        found = {}
        for directory, names, files in os.walk(self.path):
            for name in [".", *names, *files]:
                path = os.path.normpath(os.path.join(directory, name))
                status = os.lstat(path)
                found[path] = (status.st_ino, status.st_mode, status.st_nlink, status.st_size,
                               status.st_blocks, status.st_mtime_ns, status.st_ctime_ns)
        return found

    def kept_refs(self):
        path = os.path.join(self.repo, "refs/heads/deploy")
        return set(os.listdir(path)) if os.path.isdir(path) else set()

    def check_closure(self):
        """Whatever was cut short: a commit that is stored is stored with all that it reaches."""
        stored = self.objects()
        for name in stored:
            if name.endswith(".commit"):
                missing = self.reached(name[:-7]) - stored
                if missing:
                    raise Wrong("commit %s is stored without %s" % (name[:-7], sorted(missing)))

    def check_objects(self, needed, dying, detached):
        """Exactly what those commits need.  Those in @dying are of entries whose deletion began and
        which somebody then took: what they have had may be there still, or not."""
        stored = self.objects()
        metadata = {name[:-11] for name in stored if name.endswith(".commitmeta")}
        stored = {name for name in stored if not name.endswith(".commitmeta")}
        least = set().union(*(self.reached(commit) for commit in needed))
        most = least.union(*(self.may_reach(commit, stored) for commit in dying))
        wrong_metadata = metadata ^ (needed & detached)
        if stored - most or least - stored or wrong_metadata - dying:
            raise Wrong("in the repository is not what the commits %s need: missing %s; too much %s;"
                        " detached metadata that differs: %s" % (
                            sorted(needed), sorted(least - stored), sorted(stored - most),
                            sorted(wrong_metadata - dying)))
        if not needed <= self.kept_refs() <= needed | dying:
            raise Wrong("the refs are %s and not %s" % (sorted(self.kept_refs()), sorted(needed)))
        self.check_by_libostree(len(stored), not dying)

    def check_by_libostree(self, stored, exact):
        run("ostree", "--repo=" + self.repo, "fsck", "--quiet")
        out = run("ostree", "--repo=" + self.repo, "prune", "--refs-only", "--depth=0", "--no-prune")
        if "Total objects: %d\n" % stored not in out + "\n" or (
                exact and "No unreachable objects" not in out):
            raise Wrong("libostree counts differently than the %d that are stored: %s" % (stored, out))

    def check_copy(self, path, exact):
        """libostree's own prune, of a copy, takes nothing away; nor does it spare what must go."""
        run("cp", "-a", self.repo, path)
        before = self.objects()
        run("ostree", "--repo=" + path, "prune", "--refs-only", "--depth=0")
        gone = before - self.objects(path)
        run("ostree", "--repo=" + path, "fsck", "--quiet")
        remove(path)
        if gone and exact:
            raise Wrong("`ostree prune` takes away %s" % sorted(gone))

    def check_directories(self, held):
        """What is left is what is held or kept, and deploy/ has nothing but what is or was in service."""
        links = [entry.path for name in ("removed", "staging") for entry in os.scandir(self.at(name))
                 if entry.is_symlink()]
        if links:
            raise Wrong("out of service are links: %s" % links)
        left = {entry.identity() for entry in self.out_of_service()}
        if None in left or left != held:
            raise Wrong("out of service are %s; of these held are %d" % (
                ["%s (%o)" % (entry.path, entry.state() or 0) for entry in self.out_of_service()],
                len(held)))
        if self.is_marked():
            raise Wrong("deploy/ is still marked as unsettled")
        active = {entry.path for entry in self.deployed().values()}
        active |= {entry.path for entries in self.previous().values() for entry in entries}
        for _, path in self.branches():
            for entry in os.scandir(path):
                forwards = entry.is_symlink() and os.path.exists(entry.path)
                if not forwards and entry.path not in active:
                    raise Wrong("%s is left in deploy/" % entry.path)
