# SPDX-License-Identifier: LGPL-2.1-or-later
"""Running commands, and what they took: seconds by the clock, and peak memory.

Whatever is compared is run in turns, each turn beginning with another, so that what else the machine
does meets all alike; and all comparisons are of medians.
"""
import os
import shutil
import statistics
import subprocess
import sys
import time

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def say(words):
    """Progress, beside the result."""
    print(words, file=sys.stderr, flush=True)


def quietly(command, environment, cwd=None):
    """Runs what is not measured; its output is shown only if it fails."""
    done = subprocess.run(command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit("%s: %s" % (" ".join(command[:8]), done.stdout.decode(errors="replace")))
    return done.stdout.decode(errors="replace")


def seconds(command, environment):
    """How long one run takes, from before it is started until it has ended."""
    path = shutil.which(command[0], path=PATH) or command[0]
    nowhere = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
    begin = time.perf_counter()
    pid = os.posix_spawn(path, command, environment, file_actions=nowhere)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    end = time.perf_counter()
    if status != 0:
        sys.exit("%s ended with %d" % (" ".join(command[:8]), status))
    return end - begin


def peak_memory(command, environment):
    """The largest resident size, in bytes, of a run and of what it waits for.  GNU time starts it: a
    process inherits the figure of the one that was replaced by it, and Python's is large."""
    report = quietly(["time", "--format=%M", "--quiet", "--"] + command, environment)
    return int(report.split()[-1]) * 1024


def in_turns(actions, runs, warm_up=0):
    """The seconds that each of @actions returns, by name, of @runs turns; those of the turns before,
    which fill caches, do not count."""
    names = list(actions)
    taken = {name: [] for name in names}
    for turn in range(warm_up + runs):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            took = actions[name]()
            if turn >= warm_up:
                taken[name].append(took)
    return taken


def medians(taken):
    return {name: statistics.median(values) for name, values in taken.items()}
