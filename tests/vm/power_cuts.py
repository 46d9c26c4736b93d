# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recordings, the power cuts that are tried in each, and what comes of them.  See power-cuts."""
import argparse
import collections
import ctypes
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
# pylint: disable=wrong-import-position
import workload  # noqa: E402
from actor import BUILD, HOLDFAST  # noqa: E402
from checks import PROMISES, Checker, known_objects, tell  # noqa: E402
from machine import Failed, Kernel, make_ram_disk, record  # noqa: E402
from observed import Wrong  # noqa: E402
from replay import PIECE, Cut, Disk, Log  # noqa: E402

MIB = 1 << 20
# Large enough for what is done, and no smaller than mkfs allows.
SIZES = {"ext4": 64 * MIB, "btrfs": 128 * MIB, "xfs": 304 * MIB}
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=4",
                 "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"],
        "btrfs": ["mkfs.btrfs", "-q", "--nodiscard"],
        "xfs": ["mkfs.xfs", "-q", "-K"]}
# Whether something else has the file system write all the time, so that what holdfast does in between
# two flushes of its own gets to the disk too.  Else nothing does but holdfast, and what it does not
# flush is lost.
QUIET, BUSY = "quiet", "busy"
ODDS = [0, 0.2, 0.5, 0.8, 0.95]
SHOWN = 5  # failures of each promise
CLONE_NEWNS = 0x20000


class World:
    """What all disks are checked against."""

    def __init__(self, directory, seed):
        self.directory, self.seed = directory, seed
        path = os.path.join(directory, "pool")
        if os.path.exists(path):
            shutil.rmtree(path)
        self.pool = workload.Images(path, random.Random(seed))
        self.mounted = self.at("mounted")
        self.work = workload.steps(self.pool, self.mounted)
        self.known = known_objects(self.pool)

    def at(self, *names):
        return os.path.join(self.directory, *names)


class Recording:
    """One run of the machine."""

    def __init__(self, world, kind, how):
        self.world, self.kind, self.how = world, kind, how
        self.name = kind + "." + how
        self.initial, self.log_path = world.at(self.name + ".disk"), world.at(self.name + ".log")
        self.log = None

    def make(self, kernel, ram_disk):
        with open(self.initial, "wb") as file:
            file.truncate(SIZES[self.kind])
        subprocess.run([*MAKE[self.kind], self.initial], check=True, stdout=subprocess.DEVNULL)
        disk = self.initial + ".used"
        subprocess.run(["cp", "--sparse=always", self.initial, disk], check=True)
        os.truncate(disk, SIZES[self.kind] + PIECE)
        arguments = ["fs=" + self.kind, "end=%d" % (SIZES[self.kind] // PIECE),
                     "busy=%d" % (self.how == BUSY)]
        said = record(kernel, ram_disk, arguments, disk, self.log_path)
        os.unlink(disk)
        if "COMPLETE" not in said or "FAILED" in said:
            raise Failed("%s: the machine says:\n%s" % (self.name, said))

    def open(self):
        self.log = Log(self.log_path, SIZES[self.kind])
        told = workload.Progress.at(self.log, len(self.log.writes))
        if (told.ended, told.begun) != (len(self.world.work),) * 2:
            raise Failed("%s: the log has the marks %s" % (self.name, self.log.marks))

    def ranges(self):
        """Of each command the places at which it was at work."""
        begun = [where for where, mark in self.log.marks if mark.startswith(b"begin")]
        ended = [where for where, mark in self.log.marks if mark.startswith(b"end")]
        return list(zip(begun, ended))

    def cuts(self, count):
        """So many places: right after each command has said that it is done, with nothing but what was
        flushed; and, of each command as many as of any other, prefixes of the log, half of them beside
        a flush, and places right before a flush, with a part of what it would flush."""
        rng = random.Random("%d %s" % (self.world.seed, self.name))
        flushes, ranges = self.log.flushes(), self.ranges()
        made = [Cut(end, 0, 0) for _, end in ranges]
        for i in range(count - len(made)):
            first, last = ranges[i % len(ranges)]
            beside = [place for place in flushes if first <= place <= last] or [last]
            if i // len(ranges) % 2:
                places = [rng.randint(first, last), rng.choice(beside) + rng.randint(0, 1)]
                made.append(Cut(rng.choice(places), 1, 0))
            else:
                made.append(Cut(rng.choice(beside), rng.choice(ODDS), rng.randrange(1000)))
        return sorted(made)

    def cut_name(self, cut):
        return "%s/%d/%g/%d" % (self.name, *cut)


# --- In each process that checks --------------------------------------------------------------------


class Place:
    """A directory and mounts that no other process sees: the remote changes with what is done again."""

    def __init__(self, world):
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        tell("mount", "--make-rprivate", "/")
        self.directory = tempfile.mkdtemp(dir=world.directory)
        own = os.path.join(self.directory, "remote")
        shutil.copytree(world.pool.remotes["archive"], own, symlinks=True)
        tell("mount", "--bind", own, world.pool.remotes["archive"])
        # At the same path as in the machine: the link of a root is absolute.
        os.makedirs(world.mounted, exist_ok=True)
        self.checker = Checker(world.pool, world.work, world.known, self.directory, world.mounted)


WORLD = RECORDINGS = LOCK = PLACE = None


def check_cuts(name, cuts):
    """Cuts of one recording, in order."""
    global PLACE  # pylint: disable=global-statement
    PLACE = PLACE or Place(WORLD)
    recording, results = RECORDINGS[name], []
    disk = Disk(recording.initial, recording.log)
    state = os.path.join(PLACE.directory, "state")
    with open(LOCK, "rb") as lock:
        for cut in cuts:
            rng = random.Random(recording.cut_name(cut))
            disk.write_state(cut, rng, state)
            progress = workload.Progress.at(recording.log, cut.place)
            results.append((cut, PLACE.checker.check(recording.kind, state, progress, rng, lock)))
    return name, results


# --- All of it --------------------------------------------------------------------------------------


def make_recordings(world, options):
    recordings = {recording.name: recording for recording in (
        Recording(world, kind, how) for kind in options.file_system for how in (QUIET, BUSY))}
    if not options.recorded:
        kernel = Kernel(os.path.join(BUILD, "vm"))
        ram_disk = world.at("ram-disk")
        programs = {"usr/bin/holdfast": HOLDFAST, "usr/libexec/holdfast/holdfast-store":
                    os.path.join(os.path.dirname(HOLDFAST), "../libexec/holdfast/holdfast-store")}
        trees = [world.pool.remotes["archive"]] + [
            step.words[1] for step in world.work
            if step.words[0] == "install" and os.path.isabs(step.words[1])]
        make_ram_disk(ram_disk, kernel,
                      workload.script(world.pool, world.work, world.mounted), programs, trees)
        with ThreadPoolExecutor(max(1, os.cpu_count() // 2)) as threads:
            for done in as_completed([threads.submit(recording.make, kernel, ram_disk)
                                      for recording in recordings.values()]):
                done.result()
        os.unlink(ram_disk)
    for recording in recordings.values():
        recording.open()
    return recordings


def tasks(recordings, options):
    """(recording, cuts), each about as long as any other; of all recordings by turns."""
    turns = []
    for recording in recordings.values():
        if options.cut:
            named = [text.split("/") for text in options.cut]
            cuts = sorted(Cut(int(place), float(odds), int(seed))
                          for name, place, odds, seed in named if name == recording.name)
        else:
            cuts = recording.cuts(options.states)
        size = max(1, -(-len(cuts) // 8))
        turns.append([(recording.name, cuts[i:i + size]) for i in range(0, len(cuts), size)])
    most = max(len(turn) for turn in turns)
    return [turn[i] for i in range(most) for turn in turns if i < len(turn)]


def report(options, recordings, results):
    """TAP, one test for each promise on each file system."""
    number, failed = 0, False
    for kind in options.file_system:
        outcomes = [(recording, cut, wrong) for recording in recordings.values()
                    if recording.kind == kind for cut, wrong in results[recording.name]]
        for promise, text in PROMISES.items():
            number += 1
            bad = [(recording.cut_name(cut), wrong[1]) for recording, cut, wrong in outcomes
                   if wrong is not None and wrong[0] == promise]
            failed |= bool(bad) or not outcomes
            print("%sok %d - %s: %s" % ("not " if bad or not outcomes else "", number, kind, text))
            for name, wrong in bad[:SHOWN]:
                print("# --cut=%s: %s" % (name, wrong.replace("\n", "\n#   ")))
            if len(bad) > SHOWN:
                print("# and %d more" % (len(bad) - SHOWN))
        for recording in recordings.values():
            if recording.kind == kind:
                tried = results[recording.name]
                kinds = collections.Counter(
                    "prefixes" if cut.odds in (0, 1) else "with a part lost" for cut, _ in tried)
                print("# %s, %s: %d states (%s) of a log of %d writes and flushes, %.1f MiB; %d bad" % (
                    kind, recording.how, len(tried),
                    ", ".join("%d %s" % (kinds[what], what) for what in sorted(kinds)),
                    len(recording.log.writes), len(recording.log.data) / MIB,
                    sum(wrong is not None for _, wrong in tried)))
    print("1..%d" % number)
    return failed


def try_cuts(world, options):
    global WORLD, RECORDINGS, LOCK  # pylint: disable=global-statement
    begun = time.monotonic()
    recordings = make_recordings(world, options)
    recorded = time.monotonic()
    WORLD, RECORDINGS, LOCK = world, recordings, world.at("lock")
    with open(LOCK, "wb"):
        pass
    results = {name: [] for name in recordings}
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for done in as_completed([processes.submit(check_cuts, *task)
                                  for task in tasks(recordings, options)]):
            name, outcomes = done.result()
            results[name] += outcomes
    failed = report(options, recordings, results)
    print("# %d states in %.0f s, after %.0f s for %d recordings" % (
        sum(map(len, results.values())), time.monotonic() - recorded, recorded - begun,
        len(recordings)))
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file-system", action="append", choices=list(SIZES))
    parser.add_argument("--states", type=int, default=84, help="tried of each recording")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--recorded", help="a directory that was kept, with its recordings")
    parser.add_argument("--cut", action="append", help="try only that one")
    options = parser.parse_args()
    options.file_system = options.file_system or list(SIZES)
    work = os.path.join(BUILD, "work")
    os.makedirs(work, exist_ok=True)
    directory = options.recorded or tempfile.mkdtemp(prefix="power-cuts.", dir=work)
    failed = True
    try:
        failed = try_cuts(World(directory, options.seed), options)
    except (Failed, Wrong, RuntimeError) as why:
        print("Bail out! %s" % str(why).replace("\n", "\n# "))
    finally:
        if options.recorded or (failed and os.environ.get("HOLDFAST_TEST_KEEP")):
            print("# kept: " + directory)
        else:
            subprocess.run(["rm", "-rf", directory], check=False)
    sys.exit(failed)


main()
