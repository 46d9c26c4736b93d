# SPDX-License-Identifier: LGPL-2.1-or-later
"""A pool of small images made from a seed, and everything that holdfast can install them from.

They are made to overlap in every way in which two images can share an object: files and whole
subtrees in common, on several levels and by several names; empty files and symlinks; the same content
with another mode; two images that differ in nothing but their metadata; two commits of one tree; one
commit that is for two refs.  ostree alone writes the repositories, and its own checkout says what
a deployment must look like.
"""
import copy
import os
import re
import stat
import subprocess
import tarfile
from dataclasses import dataclass, field

ARCH = os.uname().machine
RUNTIME = "runtime/org.example.Base/%s/1" % ARCH
APPS = ["app/org.example.%s/%s/%s" % (name, ARCH, branch)
        for name, branch in (("A", "stable"), ("A", "beta"), ("B", "stable"), ("C", "stable"),
                             ("D", "stable"), ("E", "stable"))]
# Commits, of repositories and of directories, are all of this second: none is older than another.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1700000000",
               "HOLDFAST_TEST_NO_AUTO_SWEEP": "1"}


@dataclass
class Directory:
    """What is to be written: names, with bytes and a mode, a link's target, or a directory."""
    mode: int = 0o755
    entries: dict = field(default_factory=dict)


@dataclass
class Image:
    """Something that can be installed as a ref; `commit` is known before if it has been committed."""
    origin: str
    commit: str
    manifest: dict
    runtime: bool
    path: str = None
    objects: frozenset = None
    detached: bool = False


def run(*command):
    done = subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stderr))
    return done.stdout.strip()


def manifest_of(root):
    """Everything about a tree that counts: kinds, modes, bytes and targets, by path."""
    found = {"": (stat.S_IMODE(os.lstat(root).st_mode),)}
    below = [""]
    while below:
        prefix = below.pop()
        for entry in os.scandir(os.path.join(root, prefix)):
            path = os.path.join(prefix, entry.name)
            if entry.is_symlink():
                found[path] = os.readlink(entry.path)
                continue
            mode = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
            if entry.is_dir():
                found[path] = (mode,)
                below.append(path)
            else:
                with open(entry.path, "rb") as file:
                    found[path] = (mode, file.read())
    return found


def objects_of(repository, commit):
    """What libostree says that a commit reaches, itself included."""
    found = {commit + ".commit"}
    listing = run("ostree", "--repo=" + repository, "ls", "-R", "-C", commit, "/")
    # Names may have newlines, so that not every line is one.
    for kind, first, second in re.findall(
            r"^([-dl])[0-7]{5} \d+ \d+ +\d+ ([0-9a-f]{64}) ([0-9a-f]{64})?", listing, re.M):
        found |= {first + ".dirtree", second + ".dirmeta"} if kind == "d" else {first + ".file"}
    return frozenset(found)


def write(path, node):
    if isinstance(node, str):
        os.symlink(node, path)
    elif isinstance(node, Directory):
        os.mkdir(path, 0o755)
        for name, entry in node.entries.items():
            write(os.path.join(path, name), entry)
        os.chmod(path, node.mode)
    else:
        mode, data = node
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, mode)


class Trees:
    """Random trees whose parts come out of a small stock."""

    NAMES = ["one", "two", "three", "four", "five", "six", "a name", "new\nline"]
    LINKS = ["one", "two", "./one", "../one", "/etc/os-release", "nothing"]
    # What its owner cannot read, only root can commit and check.
    MODES = [0o644, 0o644, 0o644, 0o755, 0o755, 0o444, 0o600, 0o555] + (
        [0o044] if os.geteuid() == 0 else [])

    def __init__(self, rng):
        self.rng = rng
        self.contents = [b""] + [b"content %d\n" % i * rng.randint(1, 300) for i in range(25)]
        self.stock = [Directory()]
        for _ in range(8):
            self.stock.append(self.directory(rng.randint(0, 5), rng.randint(0, 2)))

    def leaf(self):
        kind = self.rng.random()
        if kind < 0.15:
            return self.rng.choice(self.LINKS)
        data = b"" if kind < 0.3 else self.rng.choice(self.contents)
        return (self.rng.choice(self.MODES), data)

    def directory(self, leaves, subtrees):
        made = Directory(self.rng.choice([0o755, 0o755, 0o755, 0o775, 0o700, 0o555]))
        for _ in range(leaves):
            made.entries[self.rng.choice(self.NAMES)] = self.leaf()
        for _ in range(subtrees):
            made.entries[self.rng.choice(self.NAMES) + ".d"] = self.rng.choice(self.stock)
        return made

    def files(self):
        return self.directory(self.rng.randint(4, 8), self.rng.randint(2, 4))

    def changed(self, files):
        """Another version: mostly the same."""
        other = copy.deepcopy(files)
        other.entries[self.rng.choice(self.NAMES)] = self.leaf()
        other.entries.pop(self.rng.choice(list(other.entries)))
        if self.rng.random() < 0.5:
            other.entries["added.d"] = self.rng.choice(self.stock)
        return other


def metadata(ref, runtime, extra=""):
    kind, name, arch, _ = ref.split("/")
    text = "[%s]\nname=%s\n" % ("Application" if kind == "app" else "Runtime", name)
    if runtime:
        text += "runtime=org.example.Base/%s/1\n" % arch
    return (text + extra).encode()


class Pool:
    """All images: `of[ref]` in the repositories `remotes`, and `local` for directories and tarballs."""

    def __init__(self, directory, rng):
        self.directory, self.rng = directory, rng
        self.trees = Trees(rng)
        self.of = {ref: [] for ref in [RUNTIME] + APPS}
        self.local = {ref: [] for ref in APPS}
        self.remotes = {name: self.at(name) for name in ("archive", "bare", "web")}
        self.written = []
        self.count = 0
        os.mkdir(directory)
        run("ostree", "--repo=" + self.remotes["archive"], "init", "--mode=archive")
        run("ostree", "--repo=" + self.remotes["bare"], "init", "--mode=bare-user-only")
        run("ostree", "--repo=" + self.at("oracle"), "init", "--mode=bare-user-only")
        self.make_commits()
        self.make_remotes()
        self.make_local()

    def at(self, name):
        return os.path.join(self.directory, name)

    def write(self, node):
        self.count += 1
        path = self.at("tree-%d" % self.count)
        write(path, node)
        self.written.append(path)
        return path

    def commit(self, refs, files, runtime, extra="", detached=False):
        """One commit for each of some refs, which have the same ID."""
        root = Directory(0o755, {"metadata": (0o644, metadata(refs[0], runtime, extra)),
                                 "files": files})
        path = self.write(root)
        options = ["--branch=" + refs[0]] + ["--bind-ref=" + ref for ref in refs[1:]]
        if detached:
            options.append("--add-detached-metadata-string=test.note=signed")
        if self.rng.random() < 0.5:
            options.append("--parent=none")
        commit = run("ostree", "--repo=" + self.remotes["archive"], "commit", "--tree=dir=" + path,
                     "--subject=%d" % self.count, "--owner-uid=0", "--owner-gid=0", "--no-xattrs",
                     *options)
        objects = objects_of(self.remotes["archive"], commit)
        image = Image("", commit, None, runtime, path, objects, detached)
        for ref in refs:
            self.of[ref].append(image)

    def make_commits(self):
        rng, trees = self.rng, self.trees
        first = trees.files()
        for ref in [RUNTIME] + APPS:
            files = rng.choice([first, trees.files()])
            runtime = ref in APPS and rng.random() < 0.4
            self.commit([ref], files, runtime)
            self.commit([ref], trees.changed(files), runtime, detached=rng.random() < 0.5)
            self.commit([ref], files, runtime, "command=other\n", detached=rng.random() < 0.5)
            self.commit([ref], trees.changed(first), ref in APPS and rng.random() < 0.4)
        # Of one application two branches: one tree and two commits, and one commit for both.
        both = [ref for ref in APPS if "org.example.A/" in ref]
        for ref in both:
            self.commit([ref], first, False)
        self.commit(both, trees.changed(first), False, detached=True)
        self.commit(both, first, False, "command=both\n")

    def make_remotes(self):
        archive, bare, web = (self.remotes[name] for name in ("archive", "bare", "web"))
        unique = {image.commit: image for images in self.of.values() for image in images}
        run("ostree", "--repo=" + bare, "pull-local", "--disable-fsync", archive, *unique)
        for image in unique.values():
            image.manifest = self.checked_out(bare, image.commit)
            built, got = manifest_of(image.path), image.manifest
            if [(path, what[1:] if isinstance(what, tuple) else what)
                    for path, what in sorted(built.items())] != [
                        (path, what[1:] if isinstance(what, tuple) else what)
                        for path, what in sorted(got.items())]:
                raise RuntimeError("ostree checks out something else than was committed")
        run("cp", "-a", archive, web)
        self.published = {}
        for ref, images in self.of.items():
            self.publish(ref, self.rng.choice(images))
            with open(os.path.join(web, "refs/heads", ref), "w", encoding="ascii") as file:
                file.write(self.published[ref].commit + "\n")
        self.on_web = dict(self.published)
        run("ostree", "--repo=" + web, "summary", "--update")

    def publish(self, ref, image):
        """From now on the remotes on this machine offer that."""
        for name in ("archive", "bare"):
            path = os.path.join(self.remotes[name], "refs/heads", ref)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as file:
                file.write(image.commit + "\n")
        self.published[ref] = image

    def offered(self, remote, ref):
        return (self.on_web if remote == "web" else self.published)[ref]

    def checked_out(self, repository, commit):
        path = self.at("checkout")
        run("ostree", "--repo=" + repository, "checkout", "--user-mode", commit, path)
        manifest = manifest_of(path)
        remove(path)
        return manifest

    def canonical(self, path):
        """What ostree makes of a directory that is nobody's image yet."""
        repository = self.at("oracle")
        return self.checked_out(repository, run(
            "ostree", "--repo=" + repository, "commit", "--orphan", "--canonical-permissions",
            "--no-xattrs", "--tree=dir=" + path))

    def make_local(self):
        """Whole images, and what becomes the files of one: a directory of another image, too."""
        rng = self.rng
        for ref in rng.sample(APPS, 3):
            tree = Directory(0o755, {"metadata": (0o644, metadata(ref, rng.random() < 0.5)),
                                     "files": self.trees.files()})
            path = self.write(tree)
            runtime = b"runtime=" in tree.entries["metadata"][1]
            self.add_local(path, [ref], self.canonical(path), runtime)
        inner = sorted(os.path.join(path, "files", name) for path in self.written
                       for name in os.listdir(os.path.join(path, "files")) if name.endswith(".d"))
        for path in [self.write(self.trees.files())] + rng.sample(inner, 3):
            files = {os.path.join("files", name).rstrip("/"): what
                     for name, what in self.canonical(path).items()}
            for ref in APPS:
                manifest = {"": (0o755,), "metadata": (0o644, metadata(ref, False)), **files}
                self.add_local(path, [ref], manifest, False)

    def add_local(self, path, refs, manifest, runtime):
        tarball = self.at("%s.tar" % os.path.relpath(path, self.directory).replace("/", "-"))
        if not os.path.exists(tarball):
            with tarfile.open(tarball, "w", format=tarfile.GNU_FORMAT) as tar:
                tar.add(path, ".")
        for ref in refs:
            for source in (path, tarball):
                self.local[ref].append(Image("local", None, manifest, runtime, source))


def remove(path):
    """Deletes a tree, whatever the modes in it say."""
    if os.geteuid() != 0:
        for directory, _, _ in os.walk(path):
            os.chmod(directory, 0o700)
    run("rm", "-rf", path)
