#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Links that mean nothing any more, or that are missing: of builders that died, of entries that were
# pruned and are held, of pins that somebody deleted, of refs that are not ours.  Nothing that is
# needed goes because of them, and nothing that is not stays.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

# Every object has gone once everything is uninstalled.
nothing_stays() {
  hf uninstall --all
  expect 0 hf sweep
  nothing_out_of_service
  equal "$(objects)" '' 'what is left in objects/'
}

# --- Builders that died -----------------------------------------------------------------------------

# The first one that we may use.
one_processor() {
  taskset --cpu-list --pid $$ | sed 's/.*: \([0-9]*\).*/\1/'
}

dead_builder() { # WHEN
  installed archive-1 "$HELLO"
  # On one processor it has one thread, and always dies at the same place: in the middle of its layout.
  expect 137 inject "linkat:signal=KILL:when=$1" taskset --cpu-list "$(one_processor)" \
    "$HOLDFAST" --installation="$INST" install test "$OTHER"
  [ -z "$(find "$INST/staging" -name deployment)" ] || fail 'it was killed too late for this test'
  equal "$(find "$INST/staging" -mindepth 1 -maxdepth 1 | wc -l)" 1 'entries in staging/'
  # It has links to what Hello has, too.
  [ -n "$(find "$INST"/staging/*/tree "$INST"/staging/*/pins -type f -links +2)" ]
  hold flock shared "$(echo "$INST"/staging/*/.ref)"
  hf uninstall "$HELLO"
  expect 0 hf sweep --json
  equal "$(json '[e["ref"] for e in d["swept"]]')" "[\"$HELLO\"]"
  equal "$(json 'd["full"]')" true
  repository_is_whole
  let_go
  swept
  nothing_stays
}
for when in 4 8 12; do
  promise "the links of a builder that died keep no object, though its entry is held ($when)" \
    dead_builder $when
done

# It has linked nothing yet: link counts tell.
living_builder() {
  installed archive-1 "$HELLO"
  serve "$REMOTE" --stall='/objects/.*\.filez'
  hf remote-add --no-verify web "$URL"
  hf install web "$OTHER" >"$T/install.out" 2>&1 &
  started $!
  matches "$(read_line "$SERVER")" '^stalled '
  hf uninstall "$HELLO"
  expect 0 hf sweep --json
  equal "$(json 'd["full"]')" false
  repository_is_whole
}
promise 'a builder that downloads is no reason to look at everything' living_builder

# --- Entries that were pruned -----------------------------------------------------------------------

# Killed right after its state has fallen to 0400.
pruned_entry() {
  installed archive-1 "$HELLO" "$OTHER"
  hf uninstall "$HELLO"
  local -a falls
  copy_installation "$INST" "$T/probe"
  after_change 0 "$T/probe" >"$T/probe.out"
  mapfile -t falls < <(grep -n '^fchmod .*/deployment$' "$T/changes" | cut -d: -f1)
  equal "${#falls[@]}" 2 'how often its state falls'
  expect 137 after_change "${falls[1]}" "$INST"
  equal "$(stat -c %a "$INST"/removed/*/deployment)" 400 'the state'
  [ -n "$(ls "$INST"/removed/*/pins)" ]
}
after_change() { # N INSTALLATION
  ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 "$TOOLS/kill-after" "$2" "$T/changes" "$1" \
    "$HOLDFAST" --installation="$2" sweep
}

held_and_pruned() {
  pruned_entry
  hold flock shared "$(echo "$INST"/removed/*/.ref)"
  hf uninstall "$OTHER"
  expect 4 hf sweep --json
  equal "$(json '[e["ref"] for e in d["held"]]')" "[\"$HELLO\"]"
  equal "$(json '[e["ref"] for e in d["swept"]]')" "[\"$OTHER\"]"
  equal "$(json 'd["full"]')" true
  matches "$(json 'd["full_reason"]')" 'pruned'
  repository_is_whole
  let_go
  swept
  nothing_stays
}
promise 'the pins of a pruned entry that is held keep no object' held_and_pruned

pruned_and_free() {
  pruned_entry
  hf uninstall "$OTHER"
  expect 0 hf sweep --json
  equal "$(json 'd["full"]')" false
  nothing_out_of_service
  repository_is_whole
  nothing_stays
}
promise 'a pruned entry that nobody holds is finished first' pruned_and_free

# --- Two entries of one commit ----------------------------------------------------------------------

# In the order of a sweep: one that shares a file with the commit, and two of the commit itself.
sharing_with_two_of_one_commit() {
  installation
  keep_nothing
  export SOURCE_DATE_EPOCH=1700000000 # the same directory makes the same commit
  mkdir "$T/one" "$T/two"
  echo both | tee "$T/one/both" >"$T/two/both"
  echo one >"$T/one/one"
  hf install "$T/one" --ref="$HELLO" --command=true
  local i=0
  until [ -e "$INST/deploy/$OTHER/active" ] && [[ $(active_of "$OTHER") < $(active_of "$HELLO") ]]; do
    echo $((++i)) >"$T/two/two"
    hf install "$T/two" --ref="$OTHER" --command=true
  done
  swept
  hf uninstall "$OTHER"
  hf install "$T/one" --ref="$HELLO" --command=true
  hf uninstall "$HELLO"
  equal "$(cut -d. -f2 < <(ls "$INST/removed") | uniq -c | awk '{ printf "%d ", $1 }')" '1 2 ' \
    'entries of each commit'
}

commit_of_two_entries() {
  sharing_with_two_of_one_commit
  local when start=$INST
  for when in $(seq 6); do # each entry changes its state twice
    INST=$T/copy
    copy_installation "$start" "$INST"
    expect 137 inject "fchmod:signal=KILL:when=$when" taskset --cpu-list "$(one_processor)" \
      "$HOLDFAST" --installation="$INST" sweep
    ostree --repo="$INST/repo" fsck >"$T/fsck" 2>&1 || { cat "$T/fsck" >&2; fail "killed at $when"; }
    swept
    nothing_stays
    rm -r "$INST"
  done
}
promise 'a commit of two entries goes before anything that it reaches' commit_of_two_entries

# --- Pins that are missing --------------------------------------------------------------------------

missing() { # PATTERN
  installed archive-1 "$HELLO" "$OTHER" "$PLATFORM"
  hf uninstall "$HELLO" "$OTHER"
  local pin
  pin=$(find "$INST"/removed/*/pins -name "$1" -path "*$(commit_of hello-1)*" | sort | head -1)
  [ -n "$pin" ]
  rm -r "$pin"
  expect 0 hf sweep --json
  equal "$(json 'sorted(e["ref"] for e in d["swept"])')" "[\"$HELLO\", \"$OTHER\"]"
  equal "$(json 'd["full"]')" true
  nothing_out_of_service
  repository_is_whole
  nothing_stays
}
for pattern in '*.dirtree' '*.commit'; do
  promise "an entry without one of its pins is swept, and so are the others ($pattern)" \
    missing "$pattern"
done
promise 'an entry without pins/ is swept, and so are the others' missing pins

all_damaged() {
  installed archive-1 "$HELLO" "$OTHER"
  hf uninstall --all
  find "$INST"/removed/*/pins -name '*.dirtree' -delete
  expect 0 hf sweep
  nothing_out_of_service
  equal "$(objects)" '' 'what is left in objects/'
}
promise 'entries none of which has its pins are all swept' all_damaged

# What a deployment needs cannot be told: nothing is pruned, and nothing else is lost.
unknown_needs() {
  installed archive-1 "$HELLO" "$OTHER"
  hf uninstall "$HELLO"
  rm "$(deployment_of "$OTHER")"/pins/*.commit "$INST"/repo/objects/*/"$(active_of "$OTHER" | cut -c3-64).commit"
  objects >"$T/before"
  expect '1|5' hf sweep --full
  objects | grep -v '\.commit$' | diff <(grep -v '\.commit$' "$T/before") -
  equal "$(hf run org.example.Other)" 'Hello from org.example.Other 1'
  hf uninstall "$OTHER"
  expect 0 hf sweep
  nothing_out_of_service
  nothing_stays
}
promise 'while nothing tells what a deployment needs nothing is pruned' unknown_needs

# --- Refs that are not ours -------------------------------------------------------------------------

foreign_ref() { # NAME
  installed archive-1 "$HELLO"
  ostree --repo="$INST/repo" refs --create="$1" "$(commit_of hello-1)"
  hf uninstall --all
  expect 0 hf sweep --json
  equal "$(json 'd["full"]')" true
  matches "$(json 'd["full_reason"]')" 'refs'
  nothing_out_of_service
  ostree --repo="$INST/repo" fsck >/dev/null
  ostree --repo="$INST/repo" checkout -U "$1" "$T/checkout"
  diff -r --no-dereference "$FIXTURES/hello-1" "$T/checkout"
  ostree --repo="$INST/repo" prune --refs-only --depth=0 --no-prune >"$T/out"
  grep 'No unreachable objects' "$T/out" >/dev/null
  ostree --repo="$INST/repo" refs --delete "$1"
  expect 0 hf sweep --full
  equal "$(objects)" '' 'what is left in objects/'
}
promise 'what a ref of somebody else reaches stays' foreign_ref mine
promise 'what a ref of a remote of somebody else reaches stays' foreign_ref origin:mine

# Its commit is still stored, since links did not tell when its deletion began.
dying_commit() {
  installed archive-1 "$HELLO" "$OTHER"
  ostree --repo="$INST/repo" refs --create=mine "$(ostree --repo="$REMOTE" rev-parse "$OTHER")"
  hf uninstall "$HELLO"
  copy_installation "$INST" "$T/probe"
  local when
  when=$(calls_to unlinkat '/repo/objects' "$HOLDFAST" --installation="$T/probe" sweep | head -1)
  expect 137 inject "unlinkat:signal=KILL:when=$when" "$HOLDFAST" --installation="$INST" sweep
  equal "$(stat -c %a "$INST"/removed/*/deployment)" 440 'the state'
  ostree --repo="$INST/repo" show "$(commit_of hello-1)" >/dev/null
  ostree --repo="$INST/repo" refs --delete mine
  hold flock shared "$(echo "$INST"/removed/*/.ref)"
  hf uninstall "$OTHER"
  expect 4 hf sweep --json
  equal "$(json 'd["full"]')" false
  ostree --repo="$INST/repo" fsck >"$T/fsck" 2>&1 || { cat "$T/fsck" >&2; fail 'it is not whole'; }
  let_go
  swept
  nothing_stays
}
promise 'a commit goes before what it reaches, also if links did not tell at first' dying_commit

# --- A ref whose `active` is none -------------------------------------------------------------------

# Nobody is kept from changing anything else, also while every change has to look through deploy/.
strange_active() { # COMMAND...
  installed archive-1 "$HELLO" "$OTHER"
  local other active=$INST/deploy/$OTHER/active
  other=$(deployment_of "$OTHER")
  rm "$active"
  (cd "${active%/*}" && "$@")
  chmod +t "$INST/deploy"
  expect 0 hf uninstall "$HELLO"
  expect 5 hf sweep
  grep "^Damaged deploy/$OTHER/active: .*: \`holdfast repair\` " "$T/out" >/dev/null
  [ -z "$(ls "$INST/removed")" ] || fail 'what was uninstalled is there still'
  expect 0 hf install test "$HELLO"
  expect 3 hf run --command=true "$OTHER"
  grep ': .holdfast repair. makes it one' "$T/err" >/dev/null
  [ -e "$other/.ref" ] || fail 'the deployment of the damaged ref is not where it was'
  if [ -d "$active" ]; then
    touch "$active/something"
    expect 5 hf repair
    grep 'active: is a directory: move away what is in it' "$T/out" >/dev/null
    rm "$active/something"
  fi
  expect 0 hf repair
  equal "$(deployment_of "$OTHER")" "$other"
  expect 0 hf run --command=true "$OTHER"
  equal "$(stat -c %A "$INST/deploy" | cut -c10)" x 'the mark'
  hf uninstall "$OTHER"
  swept
}
promise 'an active that is a file harms only its own ref, with the mark set, too' \
  strange_active touch active
promise 'and so does one that is a directory' strange_active mkdir active
promise 'and one that leads elsewhere' strange_active ln -s /nowhere active

strange_active_uninstalled() {
  installed archive-1 "$OTHER"
  ln -sfn /nowhere "$INST/deploy/$OTHER/active"
  chmod +t "$INST/deploy"
  hf uninstall "$OTHER"
  swept
  nothing_stays
}
promise 'such a ref can be uninstalled' strange_active_uninstalled

# --- Counting ---------------------------------------------------------------------------------------

counts() { # OPTION...
  installed archive-1 "$HELLO" "$OTHER"
  hf uninstall "$HELLO"
  objects >"$T/before"
  expect 0 hf sweep --json "$@"
  objects >"$T/after"
  equal "$(json 'd["objects"]')" "$(comm -23 "$T/before" "$T/after" | wc -l)" 'the number of objects'
  equal "$(comm -13 "$T/before" "$T/after")" '' 'new objects'
  hf uninstall --all
  objects >"$T/before"
  expect 0 hf sweep --json "$@"
  equal "$(json 'd["objects"]')" "$(wc -l <"$T/before")" 'the number of objects'
  equal "$(objects)" '' 'what is left in objects/'
}
promise 'a sweep tells how many objects went' counts
promise 'and so does a full one' counts --full

# It is about who comes first, not about what is safe: one that is missing is made anew.
turn_lock_missing() {
  installed archive-1 "$HELLO"
  rm "$INST/turn-lock"
  hf install test "$OTHER"
  rm "$INST/turn-lock"
  hf uninstall "$OTHER"
  swept
  equal "$(stat -c %a "$INST/turn-lock")" 600
}
promise 'an installation that has no turn-lock gets one' turn_lock_missing

finish
