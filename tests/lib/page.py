# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading the manual's source, data/man/NAME.SECTION.scd, as far as tests need it.

Examples are literal blocks below EXAMPLES.  In these a line that begins with `$ ` is a command, those after it
with `> ` go on with it, and all others are what it prints, where `...` is anything, and a line of nothing but
that any number of lines.  Comments of scdoc's above a block say what it needs:

    ; setup: COMMAND     run before it, in the same shell; see tests/cli/manual.sh for what there is
    ; status: NUMBER     the exit status of the block's last command; all others end with 0
"""
import os
import re

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
MANUAL = os.path.join(SOURCE, "data/man")


class Block:
    """A literal block: its lines, where it begins, and what was said of it."""

    def __init__(self, section, line):
        self.section = section
        self.line = line
        self.lines = []
        self.setup = []
        self.status = 0

    def commands(self):
        """[command, [line of its output...]] of each."""
        found = []
        for line in self.lines:
            if line.startswith("$ "):
                found.append([line[2:], []])
            elif not found:
                raise ValueError("line %d: output without a command" % self.line)
            elif line.startswith("> ") or line == ">":
                found[-1][0] += "\n" + line[2:]
            else:
                found[-1][1].append(line)
        return found


class Page:
    """One page: its sections, without literal blocks, and these blocks."""

    def __init__(self, text):
        self.sections = {}
        self.blocks = []
        self._section = None
        self._said = Block(None, 0)
        block = None
        for number, line in enumerate(text.split("\n"), 1):
            if line == "```":
                block = None if block else self._begin(number)
            elif block:
                block.lines.append(re.sub(r"\\(.)", r"\1", line))
            elif line.startswith("# "):
                self._section = line[2:]
                self.sections[self._section] = []
            elif line.startswith("; "):
                self._say(number, line[2:])
            elif self._section:
                self.sections[self._section].append(line)

    def _begin(self, number):
        block = Block(self._section, number)
        block.setup, block.status = self._said.setup, self._said.status
        self._said = Block(None, 0)
        self.blocks.append(block)
        return block

    def _say(self, number, text):
        what, _, rest = text.partition(": ")
        if what == "setup":
            self._said.setup.append(rest)
        elif what == "status":
            self._said.status = int(rest)
        elif what != "SPDX-License-Identifier":
            raise ValueError("line %d: a comment that means nothing: %s" % (number, text))

    def examples(self):
        return [block for block in self.blocks if block.section == "EXAMPLES"]

    def text(self, section):
        return "\n".join(self.sections.get(section, []))


def names():
    """NAME.SECTION of every page."""
    return sorted(name[:-len(".scd")] for name in os.listdir(MANUAL) if name.endswith(".scd"))


def read(name):
    with open(os.path.join(MANUAL, name + ".scd"), encoding="utf-8") as file:
        return file.read()
