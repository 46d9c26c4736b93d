# SPDX-License-Identifier: LGPL-2.1-or-later
"""The measurements as a table, as JSON and as a chart."""
import os
import statistics
import subprocess
import sys

UNITS = {"s": (1000, "ms"), "MiB": (1 / (1 << 20), "MiB")}
CHART = """set terminal svg size 720,440 dynamic background rgb 'white' font 'sans-serif,13'
set output {output!r}
set logscale xy
set format x '%.0s%c'
set format y '%g'
set grid
set key left top
set title 'Removing an application of 1,000 files'
set xlabel 'stored objects'
set ylabel 'seconds'
set xrange [{least}:{most}]
plot {plots}
{data}
"""


def judge(row):
    """The row with its medians, its ratio (or difference, or the value itself) and whether that is
    within the goal."""
    ours = statistics.median(row["ours"])
    theirs = statistics.median(row["theirs"]) if row["theirs"] is not None else None
    measured = {"ratio": lambda: ours / theirs, "difference": lambda: ours - theirs,
                "limit": lambda: ours}[row["kind"]]()
    return dict(row, our_median=ours, their_median=theirs, measured=measured,
                met=None if row["goal"] is None else measured <= row["goal"])


def number(row, value, as_ratio=False):
    if value is None:
        return ""
    if as_ratio and row["kind"] == "ratio":
        return "%.3f" % value
    factor, unit = UNITS[row["unit"]]
    return "%.*f %s" % (2 if value * factor < 100 else 0, value * factor, unit)


def print_table(rows):
    lines = [("work", "median", "against", "median", "ratio", "at most", "")]
    for row in rows:
        ratio = number(row, row["measured"], True) if row["kind"] != "limit" else ""
        verdict = {True: "met", False: "MISSED", None: "no goal"}[row["met"]]
        lines.append((row["work"], number(row, row["our_median"]), row["against"] or "",
                      number(row, row["their_median"]), ratio, number(row, row["goal"], True),
                      verdict))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        cells = [cell.ljust(width) if i in (0, 2, 6) else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def draw_chart(points, output):
    """An SVG of seconds by stored objects, one line for each program."""
    sizes = sorted({size for by_size in points.values() for size in by_size})
    plots = ", ".join("'-' using 1:2 with linespoints lw 2 pt 7 title '%s'" % name
                      for name in points)
    data = "\n".join("\n".join("%d %f" % point for point in sorted(by_size.items())) + "\ne"
                     for by_size in points.values())
    script = CHART.format(output=os.path.abspath(output), least=sizes[0] / 2, most=sizes[-1] * 2,
                          plots=plots, data=data)
    done = subprocess.run(["gnuplot"], input=script.encode(), check=False)
    if done.returncode != 0:
        sys.exit("gnuplot failed")
