# SPDX-License-Identifier: LGPL-2.1-or-later
"""What bubblewrap is started with, to start it without holdfast.

The arguments are recorded from holdfast itself, by a program in bubblewrap's place.  Directories that
holdfast hands over as descriptors (--ro-bind-fd) are named by their paths instead (--ro-bind): their
descriptors would have to be opened again each time, which costs the same.
"""
import os
import subprocess

from measure import PATH

RECORDER = """#!/usr/bin/python3
import os, sys
words, out = sys.argv[1:], []
while words and words[0] != "--":
    if words[0] == "--args":
        with open("/proc/self/fd/" + words[1], "rb") as file:
            words[:2] = file.read().decode().rstrip("\\0").split("\\0")
    elif words[0] == "--ro-bind-fd":
        out += ["--ro-bind", os.readlink("/proc/self/fd/" + words[1]), words[2]]
        del words[:3]
    elif words[0] in ("--sync-fd", "--info-fd", "--json-status-fd"):
        del words[:2]
    else:
        out.append(words.pop(0))
with open({record!r}, "w") as file:
    file.write("\\0".join(out + words))
"""


def bubblewrap_words(command, world):
    """The command line by which holdfast's @command starts bubblewrap."""
    directory = os.path.join(world.directory, "recorder")
    os.mkdir(directory)
    fake, record = os.path.join(directory, "bwrap"), os.path.join(directory, "words")
    with open(fake, "w", encoding="utf-8") as file:
        file.write(RECORDER.format(record=record))
    os.chmod(fake, 0o755)
    subprocess.run(command, env=dict(world.environment, PATH=directory + ":" + PATH), check=False,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(record, encoding="utf-8") as file:
        return ["bwrap"] + file.read().split("\0")
