# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the measurements happen: a throwaway file system, and installations of holdfast and of
flatpak on it.

As root it is an ext4 of its own, in a file, in a mount namespace of its own, which ends with the
program, however that ends.  So its age and its mount options are the same everywhere; on a disk
that is mounted with `discard`, say, every deletion is as slow as that, whoever deletes.
"""
import os
import shutil
import subprocess
import sys
import tempfile

from images import ARCH, RUNTIME, Images
from measure import PATH, quietly, seconds

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(SOURCE, "build"))
HOLDFAST = os.environ.get("HOLDFAST", os.path.join(BUILD, "root/usr/bin/holdfast"))
NAMESPACE = "HOLDFAST_BENCH_NAMESPACE"
IMAGE_SIZE = 60 << 30  # sparse
IMAGE_INODES = 12_000_000


def enter_namespace():
    """As root: carries on in a mount namespace of its own."""
    if os.geteuid() == 0 and NAMESPACE not in os.environ:
        os.environ[NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation=private", "--"] + sys.argv)


def describe(directory):
    words = ["findmnt", "--noheadings", "--output=FSTYPE,OPTIONS", "--target", directory]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    return " ".join(done.stdout.decode().split())


class World:
    """@where: a directory on the file system to use, or None for one of its own."""

    def __init__(self, where):
        self.source = SOURCE
        self.temporary = tempfile.TemporaryDirectory(dir=where or BUILD)
        self.directory = self.temporary.name
        if where is None and os.geteuid() == 0:
            self.mount()
        self.file_system = describe(self.directory)
        self.environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOLDFAST_TEST_NO_AUTO_SWEEP": "1",
                            "HOME": os.path.join(self.directory, "home"),
                            "XDG_RUNTIME_DIR": os.path.join(self.directory, "run")}
        os.mkdir(self.environment["HOME"])
        os.mkdir(self.environment["XDG_RUNTIME_DIR"], 0o700)
        self.images = Images(self)
        self.installations = {}

    def mount(self):
        image = os.path.join(self.directory, "image")
        self.directory = os.path.join(self.directory, "mounted")
        os.mkdir(self.directory)
        with open(image, "wb") as file:
            file.truncate(IMAGE_SIZE)
        quietly(["mkfs.ext4", "-q", "-F", "-N", str(IMAGE_INODES), "-E", "nodiscard", image],
                os.environ)
        quietly(["mount", "-o", "loop", image, self.directory], os.environ)
        os.unlink(image)

    def close(self):
        if self.directory != self.temporary.name:
            quietly(["umount", "--lazy", self.directory], os.environ)
        self.temporary.cleanup()

    def sync(self):
        """What was written before a measurement is not the measured program's to wait for."""
        quietly(["sync", "--file-system", self.directory], self.environment)

    @staticmethod
    def has(program):
        return shutil.which(program, path=PATH) is not None

    def installation(self, kind, name=""):
        """That installation of holdfast (@kind is Holdfast) or flatpak (Flatpak), made if need be."""
        key = kind.__name__.lower() + name
        if key not in self.installations:
            self.installations[key] = kind(self, os.path.join(self.directory, key))
        return self.installations[key]


class Holdfast:
    def __init__(self, world, directory):
        self.directory = directory
        self.environment = world.environment
        self.command = [HOLDFAST, "--installation=" + directory]
        quietly(self.command + ["remote-add", "--no-verify", "test", world.images.repository],
                self.environment)
        self.install(RUNTIME + "//1")

    def words(self, verb, *words):
        return self.command + [verb] + list(words)

    def install(self, *refs):
        quietly(self.words("install", "test", *refs), self.environment)

    def time(self, verb, *words):
        return seconds(self.words(verb, *words), self.environment)

    def remove(self, ref):
        """Seconds of an uninstall and of all that can be done later, by a timer say."""
        return self.time("uninstall", ref) + self.time("sweep")

    def tree(self, app):
        """Where the application is deployed."""
        return "%s/deploy/app/%s/%s/stable/active/tree" % (self.directory, app, ARCH)


class Flatpak:
    def __init__(self, world, directory):
        self.environment = dict(world.environment, FLATPAK_USER_DIR=directory)
        quietly(["flatpak", "--user", "remote-add", "--no-gpg-verify", "test",
                 world.images.repository], self.environment)
        self.install(RUNTIME + "//1")

    @staticmethod
    def words(verb, *words):
        return ["flatpak", "--user", verb, "-y", "--noninteractive"] + list(words)

    def install(self, *refs):
        quietly(self.words("install", "test", *refs), self.environment)

    def time(self, verb, *words):
        return seconds(self.words(verb, *words), self.environment)

    def remove(self, ref):
        return self.time("uninstall", ref)
