# SPDX-License-Identifier: LGPL-2.1-or-later
"""The images that are installed and removed, in one archive repository that ostree writes and that
flatpak can install from, too.

Every application is of many small files, all different, a hundred in each directory: for a file
system, the most expensive kind.
"""
import os
import shutil

from measure import quietly, say

ARCH = os.uname().machine
RUNTIME = "org.example.Platform"
FILES_IN_DIRECTORY = 100
METADATA = """[Application]
name={app}
runtime={runtime}/{arch}/1
command=true
"""


def make_tree(tree, app, files):
    """An application's tree, of so many files, which no other application has."""
    os.makedirs(tree + "/files")
    os.mkdir(tree + "/export")
    with open(tree + "/metadata", "w", encoding="utf-8") as file:
        file.write(METADATA.format(app=app, runtime=RUNTIME, arch=ARCH))
    for first in range(0, files, FILES_IN_DIRECTORY):
        directory = "%s/files/%d/%d" % (tree, first // 10000, first // FILES_IN_DIRECTORY % 100)
        os.makedirs(directory)
        for i in range(first, min(first + FILES_IN_DIRECTORY, files)):
            fd = os.open("%s/%d" % (directory, i), os.O_CREAT | os.O_WRONLY, 0o644)
            os.write(fd, b"%s, file %d\n" % (app.encode(), i) * (1 + i % 20))
            os.close(fd)


class Images:
    """Makes what is asked for, once."""

    def __init__(self, world):
        self.world = world
        self.directory = world.directory
        self.repository = os.path.join(self.directory, "repository")
        self.made = set()
        self.ostree("init", "--mode=archive")
        tree = os.path.join(self.directory, "runtime")
        quietly([os.path.join(world.source, "tests/lib/make-runtime"), tree, "1"],
                world.environment)
        self.commit("runtime/%s/%s/1" % (RUNTIME, ARCH), tree, "dir=" + tree)

    def ostree(self, verb, *words):
        quietly(["ostree", "--repo=" + self.repository, verb] + list(words), self.world.environment)

    def commit(self, ref, tree, contents):
        with open(tree + "/metadata", encoding="utf-8") as file:
            metadata = file.read()
        self.ostree("commit", "--fsync=false", "--canonical-permissions", "--no-xattrs",
                    "--branch=" + ref, "--tree=" + contents,
                    "--add-metadata-string=xa.metadata=" + metadata)

    def app(self, name, files):
        """The ID of an application of so many files.  Its tree stays, for cp and tar."""
        app = "org.example." + name
        if app not in self.made:
            say("making %s, %d files" % (app, files))
            make_tree(self.tree(app), app, files)
            self.commit(self.ref(app, "stable"), self.tree(app), "dir=" + self.tree(app))
            self.ostree("summary", "--update")
            self.made.add(app)
        return app

    def branch(self, app, branch):
        """A branch of the application with the same files: a commit of its own, and nothing else."""
        self.commit(self.ref(app, branch), self.tree(app), "ref=" + self.ref(app, "stable"))
        return "%s//%s" % (app, branch)

    def drop_tree(self, app):
        shutil.rmtree(self.tree(app))

    def tree(self, app):
        return os.path.join(self.directory, app)

    @staticmethod
    def ref(app, branch):
        return "app/%s/%s/%s" % (app, ARCH, branch)
