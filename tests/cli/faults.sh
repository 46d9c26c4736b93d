#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# System calls that fail in the middle of something, for a moment: what cannot be looked at has not
# gone, what could not be finished is finished by the next command, and no number is wrong after.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

# Hundreds of programs under strace; the same code runs with the sanitizers in the other tests.
plain_only 'the sanitizers make strace too slow'

NAME='"[0-9a-f]{64}\.[0-9a-f]+"' # of a deployment in its branch

# each_failing SYSTEM-CALL REGEX ERRORS THEN COMMAND...: on a copy of the installation each time, with
# one of those calls failing; then THEN, which finds the exit status in $STATUS.
each_failing() {
  local call=$1 regex=$2 errors=$3 then=$4 start=$INST error when
  local -a calls
  shift 4
  copy_installation "$start" "$T/probe"
  INST=$T/probe
  mapfile -t calls < <(calls_to "$call" "$regex" "$HOLDFAST" --installation="$INST" "$@")
  rm -r "$INST"
  [ ${#calls[@]} -gt 0 ] || fail "it makes no call of $call that matches $regex"
  INST=$T/copy
  for when in "${calls[@]}"; do
    for error in $errors; do
      copy_installation "$start" "$INST"
      echo "$call $when fails with $error"
      # Threads share work as it comes, so that one of them may have fewer calls than when they were counted.
      for _ in 1 2 3 4 5; do
        STATUS=0
        inject "$call:error=$error:when=$when" "$HOLDFAST" --installation="$INST" "$@" \
          >"$T/out" 2>"$T/err" || STATUS=$?
        ! grep -F '(INJECTED)' "$T/injected" >/dev/null || break
        rm -r "$INST"
        copy_installation "$start" "$INST"
      done
      grep -F '(INJECTED)' "$T/injected" >/dev/null || fail 'it did not come to that call'
      "$then"
      rm -r "$INST"
    done
  done
  INST=$start
}

# --- Settling -------------------------------------------------------------------------------------

marked() {
  chmod +t "$INST/deploy"
}

still_deployed() {
  if [ "$STATUS" -ne 0 ]; then
    equal "$STATUS" 1 'the exit status'
    equal "$(wc -l <"$T/err")" 1 'lines on standard error'
  fi
  expect 0 hf list --json
  equal "$(json 'sorted(r["ref"] for r in d)')" "[\"$HELLO\", \"$PLATFORM\"]"
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
  swept
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
}

settling_fails() { # SYSTEM-CALL REGEX ERRORS
  installed archive-1 "$HELLO"
  marked
  each_failing "$1" "$2" "$3" still_deployed sweep
}
promise 'an active link that cannot be read uninstalls nothing' \
  settling_fails readlinkat '"active"' 'EIO ENOMEM'
promise 'a deployment that cannot be opened is not uninstalled' \
  settling_fails openat2 "$NAME" 'EIO EMFILE EACCES'
promise 'a deployment whose state cannot be read is not uninstalled' \
  settling_fails newfstatat '"deployment"' 'EIO EACCES'
promise 'a branch that cannot be opened is not uninstalled' \
  settling_fails openat2 '"(stable|1|org[a-zA-Z.]*|app)"' 'EIO EMFILE'

# Whoever changes something settles first, too.
settling_before_a_change() {
  installed archive-1 "$HELLO" "$OTHER"
  marked
  each_failing openat2 "$NAME" 'EIO' hello_is_deployed uninstall "$OTHER"
}
hello_is_deployed() {
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
  swept
}
promise 'nor by an uninstall of something else' settling_before_a_change

few_descriptors() {
  installed archive-1 "$HELLO" "$OTHER"
  local count status
  for count in $(seq 4 40); do
    marked
    status=0
    (ulimit -n "$count" && hf sweep) >"$T/out" 2>&1 || status=$?
    expect 0 hf list --app --json
    equal "$(json 'len(d)')" 2 "what is deployed after a sweep with $count descriptors"
  done
  equal "$status" 0 'the status with as many as it needs'
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
}
promise 'a shortage of descriptors uninstalls nothing' few_descriptors

# --- Sweeping -------------------------------------------------------------------------------------

forty_entries() {
  installation
  mkdir -p "$T/app/files"
  local i
  for i in $(seq 40); do
    echo "$i" >"$T/app/files/number"
    hf install "$T/app" --ref="app/org.example.Number$i/$ARCH/stable" --command=true
  done
  hf uninstall --all
  (ulimit -n 64 && expect 0 hf sweep --json)
  equal "$(json 'len(d["swept"]), len(d["damaged"]), len(d["held"])')" '[40, 0, 0]'
  nothing_out_of_service
  equal "$(objects)" '' 'what is left in objects/'
}
promise 'with 64 descriptors a sweep of 40 entries takes all of them' forty_entries

# two_images: small ones that share some of what they have.
two_images() {
  installation
  mkdir -p "$T/one/directory"
  echo both >"$T/one/directory/both"
  ln -s both "$T/one/directory/link"
  cp -a "$T/one" "$T/two"
  echo one >"$T/one/one"
  echo two >"$T/two/two"
  hf install "$T/one" --ref="$HELLO" --command=true
  hf install "$T/two" --ref="$OTHER" --command=true
}

# A sweep that says that all is well has left nothing.
hello_is_swept() {
  matches "$STATUS" '^(0|1|5)$' 'the exit status'
  if [ "$STATUS" -eq 0 ]; then
    nothing_out_of_service
  fi
  expect 0 hf sweep
  nothing_out_of_service
  equal "$(find "$INST/deploy" -mindepth 1 -maxdepth 5 -xtype l)" '' 'links that lead nowhere'
  [ ! -e "$INST/deploy/app/org.example.Hello" ] || fail 'directories are left in deploy/'
  repository_is_whole
  hf uninstall "$OTHER"
  expect 0 hf sweep
  equal "$(objects)" '' 'what is left in objects/'
}
sweep_fails() { # SYSTEM-CALL REGEX ERRORS
  two_images
  hf uninstall "$HELLO"
  each_failing "$1" "$2" "$3" hello_is_swept sweep
}
promise 'a forwarding link that cannot be unlinked is the next sweep'"'"'s' \
  sweep_fails unlinkat "$NAME, 0" EIO
promise 'a forwarding link that cannot be read is the next sweep'"'"'s' \
  sweep_fails readlinkat "$NAME" EIO
promise 'an entry that cannot be opened is the next sweep'"'"'s' \
  sweep_fails openat2 '"removed/' 'EIO EMFILE'
promise 'an entry whose .ref cannot be opened is the next sweep'"'"'s' \
  sweep_fails openat2 '"\.ref"' 'EIO EMFILE'
promise 'pins that cannot be opened are no obstacle for the next sweep' \
  sweep_fails openat2 '"pins"' 'EIO EMFILE'
promise 'a pin that cannot be read is no obstacle for the next sweep' \
  sweep_fails openat2 '\.(commit|dirtree)"' EIO
promise 'a commit that cannot be unlinked is the next sweep'"'"'s' \
  sweep_fails unlinkat '\.commit"' EIO
promise 'refs that cannot be listed are looked at by the next sweep' \
  sweep_fails openat2 '"refs/' 'EIO EMFILE'

# Its sweeper was killed at its first pin.
pruned_fails() { # SYSTEM-CALL REGEX ERRORS
  two_images
  hf uninstall "$HELLO"
  copy_installation "$INST" "$T/probe"
  local first
  first=$(calls_to unlinkat 'pins>, "[0-9a-f]{64}' "$HOLDFAST" --installation="$T/probe" sweep | head -1)
  rm -r "$T/probe"
  expect 137 inject "unlinkat:signal=KILL:when=$first" "$HOLDFAST" --installation="$INST" sweep
  equal "$(stat -c %a "$INST"/removed/*/deployment)" 400 'the state'
  each_failing "$1" "$2" "$3" hello_is_swept sweep
}
promise 'a pruned entry that cannot be opened is the next sweep'"'"'s' \
  pruned_fails openat2 '"removed/' 'EIO EMFILE'
promise 'a pruned entry whose state cannot be read is the next sweep'"'"'s' \
  pruned_fails newfstatat '"deployment"' 'EIO'
promise 'pins that cannot be unlinked are the next sweep'"'"'s' \
  pruned_fails unlinkat 'pins' 'EIO'

# A full btrfs can refuse a change of mode until something has been deleted.
no_room_for_a_mode() { # CALLS STATUS
  expect "$2" inject "fchmod:error=ENOSPC:when=$1" "$HOLDFAST" --installation="$INST" sweep
  grep -F '(INJECTED)' "$T/injected" >/dev/null || fail 'it changed no mode'
}
mode_later() {
  two_images
  expect 0 inject symlinkat:error=ENOSPC "$HOLDFAST" --installation="$INST" uninstall "$HELLO"
  equal "$(stat -c %a "$(echo "$INST/deploy/$HELLO"/*.*/deployment)")" 444 'the state, in place'
  STATUS=0
  no_room_for_a_mode 1 0
  hello_is_swept
}
promise 'what is retired in place is swept though its mode cannot be changed before its tree has gone' \
  mode_later
mode_of_another_later() {
  two_images
  hf uninstall --all
  no_room_for_a_mode 1 0
  nothing_out_of_service
  equal "$(objects)" '' 'what is left in objects/'
}
promise 'an entry whose mode cannot be changed is swept when others have made room' mode_of_another_later
mode_not_at_all() {
  two_images
  hf uninstall "$HELLO"
  no_room_for_a_mode 1..2 5
  equal "$(stat -c %a "$INST"/removed/*/deployment)" 644 'the state'
  find "$INST"/removed/*/tree/files/one >/dev/null || fail 'some of it has gone'
  ostree --repo="$INST/repo" fsck >/dev/null
  ostree --repo="$INST/repo" ls -R "$(basename "$INST"/removed/* | cut -d. -f2)" >/dev/null
  STATUS=5
  hello_is_swept
}
promise 'where nothing makes room it stays whole, for the next sweep' mode_not_at_all

# --- Refs that are not ours -------------------------------------------------------------------------

mine_is_whole() {
  matches "$STATUS" '^(0|1|5)$' 'the exit status'
  ostree --repo="$INST/repo" fsck >/dev/null
  equal "$(ostree --repo="$INST/repo" cat mine /files/one)" one
  expect 0 hf sweep
  nothing_out_of_service
  ostree --repo="$INST/repo" fsck >/dev/null
  equal "$(ostree --repo="$INST/repo" cat mine /files/one)" one
}
a_ref_of_mine() { # SYSTEM-CALL REGEX ERRORS
  two_images
  ostree --repo="$INST/repo" refs --create=mine "$(active_of "$HELLO" | cut -d. -f1)"
  hf uninstall --all
  each_failing "$1" "$2" "$3" mine_is_whole sweep
}
promise 'refs that cannot be listed are not taken for none' a_ref_of_mine openat2 '"refs/heads"' \
  'EMFILE EIO EACCES'
promise 'nor those that cannot be read to their end' a_ref_of_mine getdents64 'refs/heads>' 'EIO'
promise 'nor those that libostree cannot list' a_ref_of_mine openat '"(refs/heads|heads|refs|mine)"' \
  'EMFILE EIO'

# --- What keeps something -----------------------------------------------------------------------------

# One that makes no sense protects nothing; one that cannot be read may keep anything.
rooted_is_there() {
  [ -n "$(find "$INST/removed" -path '*/tree/files/bin/hello')" ] || fail 'what the root keeps is gone'
  hf restore "$HELLO"
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
}
an_unreadable_root() { # SYSTEM-CALL REGEX ERRORS
  installed archive-1 "$HELLO"
  hf root add mine "$HELLO"
  hf uninstall "$HELLO"
  # Something to do, else a sweep would only look.
  hf install test "$OTHER"
  hf uninstall "$OTHER"
  each_failing "$@" rooted_is_there sweep
}
promise 'a root that cannot be opened keeps what it names' an_unreadable_root openat2 '"mine"' \
  'EMFILE EIO EACCES'
promise 'so does one that cannot be read' an_unreadable_root read 'roots.d/local/mine>' 'EIO'

# With the application that a root keeps, its runtime stays; and that is looked at twice.
unreadable_trash() { # SYSTEM-CALL ERROR PLACE
  need strace 'it forces system calls to fail'
  installed archive-1 "$HELLO"
  hf root add mine "$HELLO"
  hf uninstall "$HELLO"
  local place
  # shellcheck disable=SC2086 # a pattern
  place=$(cd "$INST" && echo $3)
  expect 1 traced -o "$T/injected" -P "$INST/$place" -e "trace=$1" -e "inject=$1:error=$2" \
    "$HOLDFAST" --installation="$INST" uninstall --unused
  grep -F '(INJECTED)' "$T/injected" >/dev/null || fail 'it did not come to that call'
  hf restore "$HELLO"
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
}
promise 'a trash that cannot be listed needs its runtimes' unreadable_trash getdents64 EIO removed
promise 'so does an entry for which there is no descriptor' unreadable_trash openat2 EMFILE removed
promise 'so does an entry for whose record there is none' unreadable_trash openat2 EMFILE 'removed/*'

# --- A crash in the middle of an update ---------------------------------------------------------------

crashed_update() {
  installed archive-1 "$HELLO"
  publish archive-2
  expect 137 inject renameat2:signal=KILL:when=1 "$HOLDFAST" --installation="$INST" update "$HELLO"
  # Both are there, and a link that forwards to itself.
  equal "$(find "$INST/deploy/$HELLO" -mindepth 1 -maxdepth 1 -type d | wc -l)" 2 'deployments'
  equal "$(find "$INST/removed" -type l | wc -l)" 1 'links in removed/'
}
followed_by() { # COMMAND
  crashed_update
  local -a command
  read -ra command <<<"$1"
  expect 0 hf "${command[@]}"
  case $1 in
    uninstall*) ;;
    *) equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 2' ;;
  esac
  swept
}
for command in list "info $HELLO" 'run org.example.Hello' ps update "install test $OTHER" \
  "uninstall $HELLO" 'uninstall --all' sweep; do
  promise "after a crash before the old image moved, '$command' works" followed_by "$command"
done

at_once_again() {
  crashed_update
  # The same image goes out of service again, by the same name if it is still the same second.
  expect 0 hf uninstall "$HELLO"
  expect 0 hf install test "$HELLO"
  expect 0 hf uninstall "$HELLO"
  swept
  equal "$(find "$INST/deploy" -maxdepth 5 -xtype l)" '' 'links that lead nowhere'
}
promise 'and so do many commands, one right after the other' at_once_again

finish
