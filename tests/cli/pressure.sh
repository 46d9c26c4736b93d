#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Disk pressure, on real file systems that are too small: what is given up, in which order, and until when;
# and what never is.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/small-images.sh
. "$(dirname "$0")/../lib/small-images.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/file-systems.sh
. "$(dirname "$0")/../lib/file-systems.sh"
private_mounts

MEGABYTES=4 # of each deployment

# deploy NAME VERSION: an image of its own, of that many megabytes or as many hundred files.
deploy() {
  local kind=app
  case $1 in Used | Idle) kind=runtime ;; esac
  local ref=$kind/org.example.$1/$ARCH/stable image=$T/image
  mkdir -p "$image/files"
  case $kind in
    app) printf '[Application]\nname=org.example.%s\ncommand=true\n' "$1" ;;
    runtime) printf '[Runtime]\nname=org.example.%s\n' "$1" ;;
  esac >"$image/metadata"
  if [ -n "${MANY:-}" ]; then
    local i
    for i in $(seq 400); do echo "$1 $2 $i" >"$image/files/$i"; done
  else
    head -c $((MEGABYTES << 20)) /dev/urandom >"$image/files/$1-$2"
  fi
  hf install "$image" --ref="$ref" >/dev/null
  NAMES[$1-$2]=$(active_of "$ref")
  rm -r "$image"
}
declare -A NAMES

# crowded KIND: deployments of every sort, and nothing else.  In the order in which they must go:
#   Third-1  removed                    New-1  previous, the first to leave service
#   New-3    removed                    Kept-2 previous
#   Idle     a runtime that nothing needs
# and what must not: Held-1, previous and held; Kept-1, previous and rooted; Fifth-1, removed and rooted; the
# active ones, Kept-3, New-2, Held-2.
crowded() {
  if [ "$1" = tmpfs ]; then
    disk tmpfs size=100m,nr_inodes=20000
  else
    disk "$1" 400
  fi
  hf config --set keep-removed 1h
  hf config --set keep-previous 2
  deploy Third 1
  deploy Fifth 1
  deploy Kept 1
  hf root add kept org.example.Kept
  hf root add fifth org.example.Fifth
  hf uninstall org.example.Third org.example.Fifth
  earlier Third-1 100
  deploy Fourth 1
  hf uninstall org.example.Fourth
  deploy New 1
  deploy New 2
  deploy Kept 2
  deploy Kept 3
  deploy Held 1
  deploy Held 2
  deploy Idle 1
  hf pin --remove "$(hf pin)"
  sync
}

# earlier NAME SECONDS: it was removed so long before.
earlier() {
  local entry base
  entry=$(echo "$INST"/removed/*."${NAMES[$1]}")
  base=$(basename "$entry")
  mv "$entry" "$INST/removed/$(printf '%012d' $((10#${base%%.*} - $2))).${base#*.}"
}

# held NAME: somebody holds it.
held() {
  hold ofd shared "$(find "$INST/deploy" "$INST/removed" -maxdepth 5 -name "*${NAMES[$1]}" -type d | head -1)/.ref"
}

# there: which of all that was ever deployed is, in service or out.
there() {
  local name
  for name in "${!NAMES[@]}"; do
    [ -z "$(find "$INST/deploy" "$INST/removed" -maxdepth 5 -type d -name "*${NAMES[$name]}")" ] ||
      echo "$name"
  done | sort | paste -sd ' '
}

# gave_up: by the report in $T/out, in its order.
gave_up() {
  local line name
  while read -r line; do
    for name in "${!NAMES[@]}"; do
      [[ $line != *"${NAMES[$name]%.*}"* ]] || echo "$name"
    done
  done < <(grep '^Gave up ' "$T/out") | paste -sd ' '
}

# What was given up has left nothing in the repository, and taken nothing from what is kept there.
stored_is_kept() {
  ostree --repo="$INST/repo" fsck >"$T/fsck" 2>&1 || { cat "$T/fsck" >&2; return 1; }
  matches "$(ostree --repo="$INST/repo" prune --refs-only --depth=0 --no-prune)" 'No unreachable objects'
  equal "$(find "$INST/repo/objects" -name '*.commit' | wc -l)" "$(there | wc -w)" 'commits that are stored'
}

free_megabytes() {
  stat -f -c '%a %S' "$INST" | awk '{ print int($1 * $2 / 1048576) }'
}

free_inodes() {
  stat -f -c '%d' "$INST"
}

EVERYTHING='Fifth-1 Fourth-1 Held-1 Held-2 Idle-1 Kept-1 Kept-2 Kept-3 New-1 New-2 Third-1'

enough_is_free() {
  crowded tmpfs
  equal "$(there)" "$EVERYTHING"
  hf config --set min-free 10%
  hf config --set min-free-inodes 10%
  expect 0 hf sweep
  equal "$(there)" "$EVERYTHING"
  equal "$(grep -c '^Spared' "$T/out")" 2
}
promise 'with enough free nothing is given up' enough_is_free

# Each time there is less free than there has to be by one deployment.
in_order() { # KIND
  crowded "$1"
  local n
  hf config --set give-up-unused yes
  held Held-1
  local -a order=(Third-1 Fourth-1 New-1 Kept-2 Idle-1)
  for n in "${!order[@]}"; do
    hf config --set min-free "$(($(free_megabytes) + MEGABYTES - 1))M"
    expect 0 hf sweep
    equal "$(gave_up)" "${order[n]}" "what number $n is"
    matches "$(cat "$T/out")" "Gave up .* free, less than min-free "
    stored_is_kept
  done
  equal "$(there)" 'Fifth-1 Held-1 Held-2 Kept-1 Kept-3 New-2'
  let_go
}
promise 'what is given up goes one by one, oldest first (tmpfs)' in_order tmpfs
promise 'what is given up goes one by one, oldest first (ext4)' in_order ext4
promise 'what is given up goes one by one, oldest first (btrfs)' in_order btrfs
promise 'what is given up goes one by one, oldest first (xfs)' in_order xfs

until_max_free() {
  crowded tmpfs
  local free
  free=$(free_megabytes)
  hf config --set min-free "$((free + 1))M"
  hf config --set max-free "$((free + MEGABYTES * 3 - 1))M"
  expect 0 hf sweep
  equal "$(gave_up)" 'Third-1 Fourth-1 New-1'
  matches "$(cat "$T/out")" 'less than min-free'
  matches "$(cat "$T/out")" 'less than max-free'
  [ "$(free_megabytes)" -ge $((free + MEGABYTES * 3 - 1)) ] || fail 'there is less than max-free'
  expect 0 hf sweep
  equal "$(gave_up)" '' 'what a second sweep gives up'
}
promise 'a sweep that has begun goes on until there is max-free, and no further' until_max_free

by_inodes() {
  local MANY=yes free
  crowded tmpfs
  free=$(free_inodes)
  hf config --set min-free-inodes $((free + 100))
  hf config --set max-free-inodes $((free + 900))
  expect 0 hf sweep
  matches "$(cat "$T/out")" 'Gave up .* inodes free, less than min-free-inodes '
  equal "$(gave_up)" "$(there | tr ' ' '\n' | comm -13 - <(tr ' ' '\n' <<<"$EVERYTHING") | sort -r |
    paste -sd ' ')"
  [ "$(free_inodes)" -ge $((free + 900)) ] || fail 'there are less than max-free-inodes'
  [[ " $(there) " == *' New-1 '* ]] || fail 'more went than had to'
}
promise 'the same for inodes' by_inodes

# The sweep does what it can, and says what it could not.
never_what_is_needed() {
  crowded tmpfs
  hf config --set min-free 99%
  held Held-1
  expect 7 hf sweep --json
  equal "$(there)" 'Fifth-1 Held-1 Held-2 Idle-1 Kept-1 Kept-3 New-2'
  equal "$(json 'sum(e["given_up"] for e in d["decisions"])')" 4
  equal "$(json '[(e["state"], e["reason"], len(e["holders"])) for e in d["decisions"] if not e["given_up"]]')" \
    '[["previous", "it is in use", 1]]'
  matches "$(json 'd["short"]')" 'less than min-free 99%, and nothing more to give up: 4 active, 2 kept by roots, 1 in use'
  equal "$(json 'sorted(e["root"] for e in d["kept"])')" '["local/fifth"]'
  matches "$(cat "$T/err")" 'Only .* free, less than min-free 99%'
  matches "$(hf list --all --columns=state | sort | uniq -c | tr -s ' \n' ' ')" '4 active 2 previous 1 removed'
  let_go
  expect 7 hf sweep
  equal "$(gave_up)" Held-1
  hf config --set give-up-unused yes
  hf pin org.example.Idle
  expect 7 hf sweep
  equal "$(there)" 'Fifth-1 Held-2 Idle-1 Kept-1 Kept-3 New-2'
  hf pin --remove org.example.Idle
  expect 7 hf sweep
  equal "$(there)" 'Fifth-1 Held-2 Kept-1 Kept-3 New-2'
  matches "$(hf history 2>/dev/null)" 'uninstall.*org.example.Idle'
  stored_is_kept
  hf restore org.example.Fifth
  hf rollback org.example.Kept
}
promise 'what is active, rooted or held is never given up, and what is still short is said' \
  never_what_is_needed

# Held in the trash: passed over there, too, and told of.
held_in_the_trash() {
  crowded tmpfs
  held Third-1
  hf config --set min-free "$(($(free_megabytes) + 1))M"
  expect 0 hf sweep
  equal "$(gave_up)" Fourth-1
  matches "$(cat "$T/out")" "Passed over .* \(removed\): it is in use by PID $HOLDER"
  [[ " $(there) " == *' Third-1 '* ]] || fail 'what is held has gone'
  let_go
}
promise 'trash that is held is passed over' held_in_the_trash

# The ordinary sweep comes first, and may free enough.
the_ordinary_comes_first() {
  crowded tmpfs
  local free
  free=$(free_megabytes)
  hf config --set keep-removed 50s
  hf config --set min-free "$((free + 1))M"
  expect 0 hf sweep
  equal "$(gave_up)" ''
  matches "$(cat "$T/out")" 'Swept app/org.example.Third'
  [[ " $(there) " == *' Fourth-1 '* ]] || fail 'more went than had to'
}
promise 'what an ordinary sweep frees may be enough' the_ordinary_comes_first

# A dry run decides the same, and changes nothing.
dry_run() {
  crowded tmpfs
  local free dry
  held Held-1
  free=$(free_megabytes)
  hf config --set give-up-unused yes
  hf config --set min-free "$((free + 1))M"
  hf config --set max-free "$((free + MEGABYTES * 3 - 1))M"
  snapshot >"$T/before"
  expect 0 hf sweep --dry-run --json
  dry=$(json '[(e["ref"], e["commit"], e["state"], e["given_up"]) for e in d["decisions"]]')
  equal "$(json 'len(d["decisions"])')" 3
  snapshot >"$T/after"
  diff -u "$T/before" "$T/after" || fail 'a dry run has changed something'
  expect 0 hf sweep --json
  equal "$(json '[(e["ref"], e["commit"], e["state"], e["given_up"]) for e in d["decisions"]]')" "$dry"
  hf config --set min-free 99%
  expect 7 hf sweep --dry-run
  matches "$(cat "$T/out")" 'Would give up .*Kept.* \(previous\)'
  matches "$(cat "$T/out")" 'Would give up .*Idle.* \(unused\)'
  matches "$(cat "$T/out")" 'Passed over .*Held.* in use'
  equal "$(there)" 'Fifth-1 Held-1 Held-2 Idle-1 Kept-1 Kept-2 Kept-3 New-2'
}
promise 'a dry run decides the same, and changes nothing' dry_run

# --- Between the decision and the lock ---------------------------------------------------------------

# One candidate, New-1, previous; short until it goes, and after it.
one_candidate() {
  disk tmpfs size=100m
  hf config --set keep-previous 1
  deploy New 1
  deploy New 2
  hf config --set min-free "$(($(free_megabytes) + 1))M"
  stopped give-up-decided sweep
}

rolled_back_meanwhile() {
  one_candidate
  hf rollback org.example.New
  continued 7
  matches "$(cat "$T/output")" 'Passed over .* \(previous\): it is active by now'
  equal "$(there)" 'New-1 New-2'
  equal "$(active_of "$NEW")" "${NAMES[New-1]}"
  hf rollback org.example.New
  equal "$(stat -c %a "$INST/deploy")" 755
}
promise 'what is rolled back to meanwhile stays' rolled_back_meanwhile

rooted_meanwhile() {
  one_candidate
  mkdir -p "$INST/roots.d/other"
  printf '[Root]\nref=%s\nkeeps=%s\n' "$NEW" "${NAMES[New-1]}" >"$INST/roots.d/other/mine"
  continued 7
  matches "$(cat "$T/output")" 'Passed over .* \(previous\): root other/mine keeps it by now'
  equal "$(there)" 'New-1 New-2'
  hf rollback org.example.New
}
promise 'what a root comes to name meanwhile stays' rooted_meanwhile

held_meanwhile() { # KIND
  one_candidate
  hold "$1" shared "$INST/deploy/$NEW/${NAMES[New-1]}/.ref"
  continued 7
  matches "$(cat "$T/output")" 'Passed over .* \(previous\): it is in use'
  let_go
  hf rollback org.example.New
  equal "$(active_of "$NEW")" "${NAMES[New-1]}"
}
promise 'what somebody comes to hold meanwhile stays in service (ofd)' held_meanwhile ofd
promise 'what somebody comes to hold meanwhile stays in service (flock)' held_meanwhile flock

uninstalled_meanwhile() {
  one_candidate
  hf uninstall org.example.New
  continued 7
  matches "$(cat "$T/output")" 'Passed over .* \(previous\): it is gone by now'
  expect 0 hf sweep
  equal "$(there)" ''
}
promise 'what is uninstalled meanwhile is left to the next sweep' uninstalled_meanwhile

restored_meanwhile() {
  disk tmpfs size=100m
  hf config --set keep-removed 1h
  deploy New 1
  hf uninstall org.example.New
  hf config --set min-free "$(($(free_megabytes) + 1))M"
  stopped give-up-decided sweep
  hf restore org.example.New
  continued 7
  matches "$(cat "$T/output")" 'Passed over .* \(removed\): it is gone by now'
  equal "$(active_of "$NEW")" "${NAMES[New-1]}"
}
promise 'what is restored meanwhile stays' restored_meanwhile

# Two sweepers: what one is about to give up is not given up twice over.
two_at_once() {
  crowded tmpfs
  hf config --set min-free "$(($(free_megabytes) + 1))M"
  stopped give-up-decided sweep
  "$HOLDFAST" --installation="$INST" sweep >"$T/second" 2>&1 &
  local second=$!
  started $second
  # It waits for its turn, or is still on the way there.
  continued 0
  wait $second || fail "$(cat "$T/second")"
  equal "$(cat "$T/output" "$T/second" | grep -c '^Gave up')" 1 'how many were given up'
}
promise 'two sweeps at once give up no more than one' two_at_once

# --- What it costs ------------------------------------------------------------------------------------

idle() {
  need strace 'it counts system calls'
  installed archive-1 "$HELLO"
  traced -o "$T/trace" -e trace=execve,statfs,fstatfs,openat,openat2 "$HOLDFAST" --installation="$INST" sweep
  equal "$(grep -c execve "$T/trace")" 1 'programs without a limit'
  equal "$(grep -c fstatfs "$T/trace")" 0 'looks at the file system without one'
  hf config --set min-free 1K
  traced -o "$T/trace" -e trace=execve,statfs,fstatfs,openat,openat2 "$HOLDFAST" --installation="$INST" sweep
  equal "$(grep -c execve "$T/trace")" 1 'programs with one'
  equal "$(grep -c fstatfs "$T/trace")" 1 'looks at the file system with one'
  equal "$(grep -c 'deploy/\|"app\|"runtime' "$T/trace")" 0 'looks into deploy/'
}
promise 'an idle sweep asks the file system once, and only if it is to' idle

finish
