#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# That tests/bench/run measures everything that it is for; not how fast anything is.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

measures() {
  ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 HOLDFAST_BUILD=$BUILD HOLDFAST=$HOLDFAST \
    expect 0 "$SOURCE/tests/bench/run" --quick --where="$T" --stored=50,100 --large=200 \
    --deployments=3 --runs=1 --json="$T/json"
  equal "$(json 'sorted({row["against"] or "" for row in d["rows"]})' "$T/json")" \
    '["", "/bin/true", "bwrap alone, same arguments", "cp -al", "flatpak install", "flatpak run", "flatpak uninstall", "rm -r of such a tree", "tar x, without a sync", "the same, 50 stored"]'
  equal "$(json 'all(min(row["ours"]) > 0 for row in d["rows"])' "$T/json")" true
  equal "$(json '[len(d["rows"]), sorted(d["removal"])]' "$T/json")" \
    '[14, ["flatpak uninstall", "holdfast uninstall", "holdfast uninstall + sweep"]]'
  equal "$(wc -l <"$T/out")" 16 'lines of the table'
}
promise 'the benchmark measures every row, beside every peer' measures

finish
