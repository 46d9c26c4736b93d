# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured: one function for each comparison, which returns the rows that it yields."""
import os
import shutil
import time

from measure import in_turns, medians, peak_memory, say, seconds
from start_up import bubblewrap_words
from world import Flatpak, Holdfast

MEBIBYTE = 1 << 20
APP_FILES = 1000
IDLE_DIRECTORIES = 5  # files of an application of which there are thousands


def row(work, against, ours, theirs, goal, unit="s", kind="ratio"):
    """@ours and @theirs are lists of measurements; @goal is the most that the one may be of the other's
    median (`ratio`), above it (`difference`), or in all (`limit`, where @theirs is None)."""
    return {"work": work, "against": against, "ours": ours, "theirs": theirs, "goal": goal,
            "unit": unit, "kind": kind}


def left_out(work, program):
    say("%s: left out, as %s is not installed" % (work, program))
    return []


def fill(world, kind, files):
    """An installation with about so many stored objects, next to those of the runtime."""
    installation = world.installation(kind, "-%d" % files)
    if not getattr(installation, "filled", False):
        app = world.images.app("Stored%d" % files, files)
        say("filling %s with %d objects" % (kind.__name__, files))
        installation.install(app)
        installation.filled = True
    return installation


def removal(world, sizes, options):
    """The removal of a 1,000-file application, beside different numbers of stored objects."""
    app = world.images.app("App", APP_FILES)
    kinds = [Holdfast] + ([Flatpak] if world.has("flatpak") else [])
    actions = {}
    took_uninstall = {size: [] for size in sizes}

    def remover(kind, size):
        installation = fill(world, kind, size)

        def remove():
            installation.install(app)
            world.sync()
            if kind is Flatpak:
                return installation.remove(app)
            uninstall = installation.time("uninstall", app)
            took_uninstall[size].append(uninstall)
            return uninstall + installation.time("sweep")
        return remove

    for kind in kinds:
        for size in sizes:
            actions[kind, size] = remover(kind, size)
    for size in sizes:
        world.images.drop_tree("org.example.Stored%d" % size)
    say("removing the application %d times from each" % options.runs)
    taken = in_turns(actions, options.runs, warm_up=1)
    took_uninstall = {size: values[1:] for size, values in took_uninstall.items()}

    rows = []
    if Flatpak in kinds:
        rows.append(row("uninstall of 1,000 files, %d stored" % options.typical,
                        "flatpak uninstall", took_uninstall[options.typical],
                        taken[Flatpak, options.typical], 1 / 100))
    else:
        left_out("uninstall", "flatpak")
    base = sizes[0] if options.base not in sizes else options.base
    for size in sizes:
        if size > base:
            rows.append(row("uninstall + sweep of 1,000 files, %d stored" % size,
                            "the same, %d stored" % base, taken[Holdfast, size],
                            taken[Holdfast, base], 1.2))
    points = {"holdfast uninstall + sweep": {s: taken[Holdfast, s] for s in sizes},
              "holdfast uninstall": took_uninstall}
    if Flatpak in kinds:
        points["flatpak uninstall"] = {s: taken[Flatpak, s] for s in sizes}
    return rows, {name: medians(by_size) for name, by_size in points.items()}


def large(world, options):
    """Installing and removing one large image."""
    app = world.images.app("Large", options.large)
    actions, removals = {}, {}

    def installer(kind):
        installation = world.installation(kind, "-large")
        removals[kind] = []

        def install():
            # An ext4 that has just freed many inodes avoids them for some seconds, at a cost.
            world.sync()
            time.sleep(options.settle)
            took = installation.time("install", "test", app)
            world.sync()
            removals[kind].append(installation.remove(app))
            return took
        return install

    kinds = [Holdfast] + ([Flatpak] if world.has("flatpak") else [])
    for kind in kinds:
        actions[kind] = installer(kind)
    say("installing and removing %d files, %d times each" % (options.large, options.large_runs))
    installs = in_turns(actions, options.large_runs)
    files = "%d files" % options.large
    if Flatpak not in kinds:
        return left_out("install of " + files, "flatpak")
    return [row("uninstall + sweep of " + files, "flatpak uninstall", removals[Holdfast],
                removals[Flatpak], 1 / 4),
            row("install of " + files, "flatpak install", installs[Holdfast], installs[Flatpak],
                1 / 2)] + floors(world, app, options, installs[Holdfast], removals[Holdfast])


def floors(world, app, options, installs, removals):
    """What the same files cost tar and rm: no goal, but what no program of this kind can be far
    below."""
    archive = os.path.join(world.directory, "large.tar")
    copy = os.path.join(world.directory, "large")
    deletions = []
    seconds(["tar", "-C", world.images.tree(app), "-cf", archive, "."], world.environment)

    def extract():
        world.sync()
        time.sleep(options.settle)
        os.mkdir(copy)
        took = seconds(["tar", "-C", copy, "-xf", archive], world.environment)
        world.sync()
        deletions.append(seconds(["rm", "-r", copy], world.environment))
        return took
    extractions = in_turns({"tar": extract}, options.large_runs)["tar"]
    os.unlink(archive)
    return [row("the same install", "tar x, without a sync", installs, extractions, None),
            row("the same removal", "rm -r of such a tree", removals, deletions, None)]


def layout(world, options):
    """A deployment of what is stored already, beside a tree of links made by cp."""
    app = world.images.app("Large", options.large)
    again = world.images.branch(app, "again")
    installation = world.installation(Holdfast, "-large")
    installation.install(app + "//stable")
    copy = os.path.join(world.directory, "links")

    def lay_out():
        world.sync()
        took = installation.time("install", "test", again)
        installation.remove(again)
        return took

    def copy_links():
        world.sync()
        took = seconds(["cp", "-al", installation.tree(app) + "/.", copy], world.environment)
        shutil.rmtree(copy)
        return took
    say("laying %d links out, %d times each" % (options.large, options.large_runs))
    taken = in_turns({"holdfast": lay_out, "cp": copy_links}, options.large_runs, warm_up=1)
    installation.remove(app + "//stable")
    return [row("layout of %d stored files" % options.large, "cp -al", taken["holdfast"],
                taken["cp"], 0.8)]


def start_up(world, options):
    """Starting an application that does nothing."""
    app = world.images.app("App", APP_FILES)
    holdfast = world.installation(Holdfast)
    holdfast.install(app)
    words = {"holdfast": holdfast.words("run", "--command=true", app)}
    words["bwrap alone"] = bubblewrap_words(words["holdfast"], world)
    environments = dict.fromkeys(words, world.environment)
    if world.has("flatpak"):
        flatpak = world.installation(Flatpak)
        flatpak.install(app)
        words["flatpak run"] = ["flatpak", "run", "--user", "--command=true", app]
        environments["flatpak run"] = flatpak.environment
    say("starting it %d times each" % options.many_runs)
    taken = in_turns({name: lambda name=name: seconds(words[name], environments[name])
                      for name in words}, options.many_runs, warm_up=3)
    rows = [row("run ... true", "bwrap alone, same arguments", taken["holdfast"],
                taken["bwrap alone"], 1.5)]
    if "flatpak run" not in taken:
        return rows + left_out("run ... true", "flatpak")
    return rows + [row("run ... true", "flatpak run", taken["holdfast"], taken["flatpak run"], 0.2)]


def idle(world, options):
    """A sweep that finds nothing to do, beside many deployments."""
    app = world.images.app("Small", IDLE_DIRECTORIES)
    installation = world.installation(Holdfast, "-idle")
    say("making and installing %d branches of %s" % (options.deployments, app))
    branches = [world.images.branch(app, "b%d" % i) for i in range(options.deployments)]
    for first in range(0, len(branches), 1000):
        installation.install(*branches[first:first + 1000])
    taken = in_turns({"holdfast": lambda: installation.time("sweep"),
                      "true": lambda: seconds(["/bin/true"], world.environment)},
                     options.many_runs, warm_up=3)
    return [row("idle sweep, %d deployments" % options.deployments, "/bin/true", taken["holdfast"],
                taken["true"], 0.003, kind="difference")]


def memory(world, sizes, options):
    """Peak memory, in the installation with the most objects."""
    if not world.has("time"):
        return left_out("peak memory", "time")
    app = world.images.app("App", APP_FILES)
    installation = fill(world, Holdfast, sizes[-1])

    def peak(verb, *words):
        return peak_memory(installation.words(verb, *words), installation.environment)
    peaks = {"run": [], "uninstall": [], "sweep": [], "sweep --full": []}
    for _ in range(options.runs):
        for sweep in (["sweep"], ["sweep", "--full"]):
            installation.install(app)
            peaks["run"].append(peak("run", "--command=true", app))
            peaks["uninstall"].append(peak("uninstall", app))
            peaks[" ".join(sweep)].append(peak(*sweep))
    limits = {"run": 8, "uninstall": 8, "sweep": 64, "sweep --full": 64}
    return [row("peak memory of %s, %d stored" % (name, sizes[-1]), None, values, None,
                limits[name] * MEBIBYTE, unit="MiB", kind="limit")
            for name, values in peaks.items()]
