# SPDX-License-Identifier: LGPL-2.1-or-later
"""The log of all writes to a disk, and what the disk may hold after a power cut at any place of it.

What was written before a flush that had completed is there.  Of what was written after the last of
these, the disk may have anything: all of it (a prefix of the log), none, or any part, in pieces that
are as small as the smallest that a file system takes for one.
"""
import mmap
import os
import struct
from collections import namedtuple

SECTOR = 512
PIECE = 4096
MAGIC = 0x6A736677736872
FLUSH = 1  # what virtio can ask for; it has no writes that are flushed by themselves

# Where in the log file the data of a write is; a flush has none.
Write = namedtuple("Write", "offset at length flush")
# A place in the log: what precedes it was logged.  How likely a piece that was not flushed is to survive;
# 1 makes it a prefix.
Cut = namedtuple("Cut", "place odds seed")


class Log:
    """All writes and flushes; and what the machine told by writing to the disk behind @size."""

    def __init__(self, path, size):
        self.writes, self.marks = [], []
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, version, entries, sector = struct.unpack_from("<QQQI", self.data)
        if (magic, version, sector) != (MAGIC, 1, SECTOR) or entries == 0:
            raise ValueError("this is no log that can be read")
        at = SECTOR
        for _ in range(entries):
            first, sectors, flags, _ = struct.unpack_from("<QQQQ", self.data, at)
            at += SECTOR
            if flags & ~FLUSH:
                raise ValueError("the log has an entry with flags %d" % flags)
            length = sectors * SECTOR
            if first * SECTOR >= size:
                self.marks.append((len(self.writes), self.data[at:at + length].rstrip(b" \n")))
            else:
                self.writes.append(Write(first * SECTOR, at, length, bool(flags)))
            at += length

    def flushed_before(self, place):
        """The end of what is certainly there after a cut at @place."""
        return max((i + 1 for i in range(place) if self.writes[i].flush), default=0)

    def flushes(self):
        """The places right before a flush that follows a write."""
        return [i for i, write in enumerate(self.writes)
                if write.flush and i > 0 and not self.writes[i - 1].flush]


class Disk:
    """The contents of a disk, going forward in the log.  What is zero takes no room."""

    def __init__(self, image, log):
        self.size, self.log, self.done = os.path.getsize(image), log, 0
        self.data = mmap.mmap(-1, self.size)
        self.used = set()
        with open(image, "rb") as file:
            for offset in range(0, self.size, PIECE):
                piece = file.read(PIECE)
                if piece.count(0) != len(piece):
                    self.put(offset, piece)

    def put(self, offset, data):
        self.data[offset:offset + len(data)] = data
        self.used.update(range(offset // PIECE, (offset + len(data) - 1) // PIECE + 1))

    def go_to(self, place):
        for write in self.log.writes[self.done:place]:
            if write.length:
                self.put(write.offset, self.log.data[write.at:write.at + write.length])
        self.done = max(self.done, place)

    def write_state(self, cut, rng, path):
        """Writes what the disk holds after @cut to @path; cuts must come in order."""
        certain = self.log.flushed_before(cut.place)
        if self.done > certain:
            raise ValueError("cuts are out of order")
        self.go_to(certain)
        with open(path, "wb") as file:
            file.truncate(self.size)
            for number in self.used:
                os.pwrite(file.fileno(), self.data[number * PIECE:(number + 1) * PIECE],
                          number * PIECE)
            for write in self.log.writes[certain:cut.place]:
                for start in range(0, write.length, PIECE):
                    if cut.odds < 1 and rng.random() >= cut.odds:
                        continue
                    end = min(start + PIECE, write.length)
                    os.pwrite(file.fileno(), self.log.data[write.at + start:write.at + end],
                              write.offset + start)
