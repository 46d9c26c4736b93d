# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images whose instances check every file of theirs, in several versions that share much of what they have."""
import collections
import glob
import hashlib
import os
import random
import shutil

from image_pool import ARCH, RUNTIME, manifest_of, objects_of, remove, run

NAMES = ("A", "B", "C")
STEADY = "Steady"
VERSIONS = 3
REMOTES = ("archive", "bare")

# Checks the files below the working directory that a list names, a few at a time, until its time is up or
# its standard input ends.
CHECK = r"""
check_life() { # SEED SECONDS DIRECTORY...
  RANDOM=$1
  local -i checked=0 i j end=$((${EPOCHREALTIME/./} + $2 * 1000))
  local -a lines
  local directory line status
  shift 2
  while :; do
    for directory in "$@"; do
      cd "$directory" || { echo "altered: no $directory"; exit 50; }
      mapfile -t lines <sums
      [ ${#lines[@]} -gt 10 ] || { echo "altered: $directory/sums"; exit 50; }
      [ -L link ] && [ -d empty ] || { echo "altered: in $directory"; exit 50; }
      for ((i = ${#lines[@]} - 1; i > 0; i--)); do
        j=$((RANDOM % (i + 1)))
        line=${lines[i]} lines[i]=${lines[j]} lines[j]=$line
      done
      for ((i = 0; i < ${#lines[@]}; i += 6)); do
        sha256sum --check --quiet --strict - <<<"$(printf '%s\n' "${lines[@]:i:6}")" 2>&1 ||
          { echo "altered: in $directory"; exit 50; }
        checked+=6
        status=0
        read -rt 0.03 line || status=$?
        [ "$status" -gt 128 ] || break 3
      done
    done
    [ "${EPOCHREALTIME/./}" -lt "$end" ] || break
  done
  echo "checked $checked"
}
"""


def put(root, path, data, mode=0o644):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
    os.chmod(path, mode)


def put_sums(files):
    """The list of all the files, and two things that have no checksum."""
    os.symlink("sums", os.path.join(files, "link"))
    os.mkdir(os.path.join(files, "empty"))
    lines = []
    for directory, _, names in os.walk(files):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                with open(path, "rb") as file:
                    lines.append("%s  %s\n" % (hashlib.sha256(file.read()).hexdigest(),
                                               os.path.relpath(path, files)))
    put(files, "sums", "".join(sorted(lines)))


def bulk(name, count):
    """Files that are the same wherever they have the same name."""
    for number in range(count):
        rng = random.Random("%s %d" % (name, number))
        yield "share/%s/%d/file" % (name, number), rng.randbytes(rng.choice([0, 10, 3000, 20000]))


class Images:
    """All versions of a runtime, of some applications and of one that needs no runtime, which share a part of what
    they have."""

    def __init__(self, directory, platform):
        self.directory = directory
        self.remotes = {name: os.path.join(directory, name) for name in REMOTES}
        self.of, self.manifests, self.reach = collections.defaultdict(list), {}, {}
        os.mkdir(directory)
        run("ostree", "--repo=" + self.remotes["archive"], "init", "--mode=archive")
        run("ostree", "--repo=" + self.remotes["bare"], "init", "--mode=bare-user-only")
        *self.apps, self.steady = ["app/org.example.%s/%s/stable" % (name, ARCH)
                                   for name in (*NAMES, STEADY)]
        for version in range(VERSIONS):
            self.make_runtime(version, platform)
            self.commit(RUNTIME, version)
            for name, ref in zip((*NAMES, STEADY), (*self.apps, self.steady)):
                self.make_app(name, ref, version)
                self.commit(ref, version)
        run("ostree", "--repo=" + self.remotes["bare"], "pull-local", "--disable-fsync",
            self.remotes["archive"], *self.reach)
        for commit in self.reach:
            path = os.path.join(directory, "checkout")
            run("ostree", "--repo=" + self.remotes["bare"], "checkout", "--user-mode", commit, path)
            self.manifests[commit] = manifest_of(path)
            remove(path)
        for ref, commits in self.of.items():
            for remote in REMOTES:
                self.publish(remote, ref, commits[0])

    def tree(self, ref, version):
        return os.path.join(self.directory, "%s-%d" % (ref.split("/")[1], version))

    def make_runtime(self, version, platform):
        root = self.tree(RUNTIME, version)
        files = os.path.join(root, "files")
        put(root, "metadata", "[Runtime]\nname=org.example.Base\n")
        for pattern in ["bin/bash", "bin/sh", "bin/sha256sum", "lib64/*", "lib/*-linux-gnu/ld-linux*",
                        "lib/*-linux-gnu/libc.so.6", "lib/*-linux-gnu/libtinfo.so*"]:
            for path in glob.glob(os.path.join(platform, "files", pattern)):
                copy = os.path.join(files, os.path.relpath(path, os.path.join(platform, "files")))
                os.makedirs(os.path.dirname(copy), exist_ok=True)
                shutil.copy2(path, copy, follow_symlinks=False)
        for path, data in [*bulk("common", 10), *bulk("base", 10), *bulk("base-%d" % version, 10)]:
            put(files, path, data)
        put_sums(files)

    def make_app(self, name, ref, version):
        root = self.tree(ref, version)
        files = os.path.join(root, "files")
        put(root, "metadata", "[Application]\nname=org.example.%s\n%scommand=check\n" % (
            name, "" if name == STEADY else "runtime=%s\n" % RUNTIME.partition("/")[2]))
        put(files, "bin/check", '#!/bin/bash\n%s\ncheck_life "$1" "$2" /app /usr\n' % CHECK, 0o755)
        for path, data in [*bulk("common", 10), *bulk(name, 10), *bulk("version-%d" % version, 10),
                           *bulk("%s-%d" % (name, version), 10)]:
            put(files, path, data)
        put_sums(files)

    def commit(self, ref, version):
        commit = run("ostree", "--repo=" + self.remotes["archive"], "commit", "--branch=" + ref,
                     "--tree=dir=" + self.tree(ref, version), "--parent=none", "--no-xattrs",
                     "--owner-uid=0", "--owner-gid=0")
        self.of[ref].append(commit)
        self.reach[commit] = objects_of(self.remotes["archive"], commit)

    def publish(self, remote, ref, commit):
        """In one step: somebody may be reading it."""
        path = os.path.join(self.remotes[remote], "refs/heads", ref)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(commit + "\n")
        os.rename(path + ".new", path)
