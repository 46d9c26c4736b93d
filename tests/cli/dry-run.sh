#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A dry run of a sweep tells of what the sweep would do, to the byte, and changes nothing.  That it does so
# whatever came before is shown by tests/cli/differential and tests/cli/agreement.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

# Every name, and all that stat(2) tells of it but when it was last read.
everything() {
  find "$INST" -printf '%p %i %m %n %s %b %T@ %C@ %l\n' | sort
}

# Inodes and bytes; what a sweep frees it records, and settling may export what an uninstall that was cut short no
# longer did.
usage() {
  find "$INST" -xdev ! -path "$INST/history*" ! -path "$INST/exports*" -printf '%i %b\n' | sort -u | awk '{ n++; b += $2 } END { print n, b * 512 }'
}

# What a report says, whether of a dry run or not; what is still in service will lie elsewhere.
essence() {
  json '[[sorted(e.get("serial") or e["path"] for e in d[k]) for k in ("swept", "held", "kept", "damaged")],
    d["objects"], d["inodes"], d["bytes"], d["full"], d["full_reason"]]'
}

# tells STATUS OPTION...: a dry run does, and then a sweep does that.
tells() {
  local status=$1 before used told inodes bytes
  shift
  before=$(everything)
  used=$(usage)
  expect "$status" hf sweep --dry-run --json "$@"
  equal "$(json 'd["dry_run"]')" true
  told=$(essence)
  equal "$(diff <(echo "$before") <(everything))" '' 'what a dry run changed'
  expect "$status" hf sweep --json "$@"
  equal "$(json 'd["dry_run"]')" false
  equal "$told" "$(essence)" 'what a dry run told of'
  read -r inodes bytes < <(echo "$used $(usage)" | awk '{ print $1 - $3, $2 - $4 }')
  equal "$(json 'd["inodes"], d["bytes"]')" "[$inodes, $bytes]" 'what it freed'
}

tells_of_everything() {
  installed archive-1 "$HELLO" "$OTHER"
  hf uninstall "$HELLO"
  tells 0
  hf uninstall --all
  tells 0
  equal "$(objects)" ''
  tells 0
}
promise 'a dry run tells of what a sweep frees, and changes nothing' tells_of_everything

tells_of_everything_by_marks() {
  installed archive-1 "$HELLO" "$OTHER"
  hf uninstall "$HELLO"
  tells 0 --full
  # What nobody links, only a full one finds.
  ostree --repo="$INST/repo" commit --branch=strange --tree=dir="$FIXTURES/archive-1/refs" >/dev/null
  hf uninstall "$OTHER"
  tells 0
  ostree --repo="$INST/repo" refs --delete strange
  tells 0 --full
  hf uninstall --all
  tells 0 --full
}
promise 'it does where all objects are looked at' tells_of_everything_by_marks

tells_of_what_stays() {
  installed archive-1 "$HELLO" "$OTHER"
  hold ofd shared "$(deployment_of "$HELLO")/.ref"
  hf root add mine "$OTHER"
  hf uninstall --all
  mkdir "$INST/removed/strange" "$INST/removed/strange/tree"
  tells 5
  equal "$(json 'len(d["held"]), len(d["kept"]), len(d["damaged"]), len(d["swept"])')" '[1, 1, 1, 1]'
  let_go
  hf root remove mine
  rm -r "$INST/removed/strange"
  tells 0
}
promise 'it tells of what is held, kept and damaged' tells_of_what_stays

tells_of_a_mount() {
  need root 'it mounts something'
  installed archive-1 "$HELLO"
  hf uninstall --all
  local at
  at=$(echo "$INST"/removed/*/tree/files | cut -d' ' -f1)
  mount -t tmpfs none "$at"
  tells 5
  umount "$at"
  tells 0
}
promise 'it tells that a mount keeps an entry' tells_of_a_mount

tells_of_what_a_root_kept() {
  installed archive-1 "$HELLO"
  hf root add mine --link="$T/link" "$HELLO"
  publish archive-2
  hf update
  tells 0
  rm "$T/link"
  hf sweep --dry-run >"$T/out"
  matches "$(cat "$T/out")" "Would sweep $HELLO $(commit_of hello-1)"
  hold flock shared "$INST/deploy/$HELLO/$(commit_of hello-1)"*/.ref
  expect 4 hf sweep --dry-run --json
  equal "$(json 'len(d["held"])')" 1
  let_go
  tells 0
  nothing_out_of_service
}
promise 'it tells of what a root kept whose link has gone' tells_of_what_a_root_kept

tells_of_what_was_cut_short() {
  installed archive-1 "$HELLO" "$OTHER"
  local at
  for at in 1 2 3; do
    inject "renameat2:signal=KILL:when=$at" "$HOLDFAST" --installation="$INST" uninstall --all || true
    tells 0
  done
  hf uninstall --all || true
  hf install test "$HELLO"
  publish archive-2
  inject 'renameat:signal=KILL:when=2' "$HOLDFAST" --installation="$INST" update || true
  tells 0
  inject 'linkat:signal=KILL:when=20' "$HOLDFAST" --installation="$INST" install "$OTHER" || true
  tells 0
}
promise 'it tells of what settling would do' tells_of_what_was_cut_short

idle_needs_no_store() {
  installed archive-1 "$HELLO"
  traced -e trace=execve,openat,openat2 -o "$T/trace" "$HOLDFAST" --installation="$INST" sweep --dry-run >"$T/out"
  equal "$(cat "$T/out")" ''
  equal "$(grep -E 'holdfast-store|libostree' "$T/trace")" '' 'what an idle dry run loads'
}
promise 'an idle dry run needs no libostree' idle_needs_no_store

spared() {
  installed archive-1 "$HELLO"
  hf config --set keep-removed 1h
  hf uninstall "$HELLO"
  tells 0
  equal "$(json 'len(d["kept"]), len(d["swept"])')" '[1, 0]'
  tells 0 --now
  equal "$(json 'len(d["kept"]), len(d["swept"])')" '[0, 1]'
}
promise 'it tells of what is spared' spared

many_entries() {
  installed archive-1
  local i
  for ((i = 0; i < 130; i++)); do
    mkdir -p "$T/tree/files"
    echo "$((i / 2))" >"$T/tree/files/pair"
    echo "$((i % 3))" >"$T/tree/files/third"
    echo common >"$T/tree/files/common"
    hf install "$T/tree" --ref="app/org.example.Many$i/$ARCH/stable"
  done
  hf uninstall --all -y
  tells 0
  equal "$(json 'len(d["swept"])')" 130
  equal "$(objects)" ''
}
promise 'it does for more entries than are swept at a time' many_entries

finish
