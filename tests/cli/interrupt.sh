#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# An install that is cut short: by ^C while a server keeps it waiting, and by what leaves no time for
# anything.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

# downloading REGEX: an install over HTTP that has got as far as a request for that.
downloading() {
  installed archive-1 "$PLATFORM"
  serve "$REMOTE" --stall="$1"
  hf remote-delete test
  hf remote-add --no-verify test "$URL"
  snapshot >"$T/before"
  mkfifo "$T/report"
  "$TOOLS/await-stop" "$T/report" "$HOLDFAST" --installation="$INST" install test "$HELLO" \
    >"$T/install.out" 2>"$T/install.err" &
  INSTALL=$!
  started $INSTALL
  exec {REPORT}<"$T/report"
  local line
  line=$(read_line "$REPORT")
  INSTALLER=${line#started }
  matches "$(read_line "$SERVER")" '^stalled '
}

interrupted_by() { # SIGNAL REGEX
  downloading "$2"
  kill "-$1" "$INSTALLER"
  equal "$(read_line "$REPORT")" "killed $(kill -l "$1")" 'its end'
  wait "$INSTALL" || true
  expect 0 hf sweep
  snapshot | diff -u "$T/before" -
  # And again, to the end.
  hf remote-delete test
  hf remote-add --no-verify test "$REMOTE"
  hf install test "$HELLO"
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
  swept
}
for signal in INT TERM HUP KILL; do
  promise "$signal in the middle of a download leaves nothing behind" \
    interrupted_by $signal '/objects/.*\.filez'
done
promise 'INT before the first object leaves nothing behind' interrupted_by INT '/objects/.*\.commit$'
promise 'INT while the remote is looked at leaves nothing behind' interrupted_by INT '/summary'

it_is_quiet() {
  downloading '/objects/.*\.filez'
  kill -INT "$INSTALLER"
  equal "$(read_line "$REPORT")" "killed 2" 'its end'
  wait "$INSTALL" || true
  if [ "$(wc -l <"$T/install.err")" -gt 1 ] || grep -qvE '^holdfast: ' "$T/install.err"; then
    fail "$(cat "$T/install.err")"
  fi
}
promise '^C says at most one line' it_is_quiet

held_by_its_builder() {
  downloading '/objects/.*\.filez'
  expect '0|4' hf sweep
  equal "$(find "$INST/staging" -mindepth 1 -maxdepth 1 | wc -l)" 1 'entries in staging/'
  kill -KILL "$INSTALLER"
  read_line "$REPORT"
  wait "$INSTALL" || true
  expect 0 hf sweep
  nothing_out_of_service
}
promise 'what is being built is held, until its builder is gone' held_by_its_builder

# Not only downloads: wherever it is killed, the next commands work without a repair.
killed_at() { # COMMAND SYSTEM-CALL:WHEN...
  need strace 'it kills at a system call'
  local start=$INST point status killed=0
  local -a command
  read -ra command <<<"$1"
  shift
  INST=$T/copy
  for point in "$@"; do
    copy_installation "$start" "$INST"
    status=0
    traced -o /dev/null -e "trace=${point%:*}" \
      -e "inject=${point%:*}:signal=KILL:when=${point#*:}" \
      "$HOLDFAST" --installation="$INST" "${command[@]}" >"$T/out" 2>&1 || status=$?
    if [ "$status" -eq 137 ]; then
      killed=$((killed + 1))
      echo "killed at $point"
    else
      equal "$status" 0 "the status where $point does not occur"
    fi
    expect 0 hf sweep
    nothing_out_of_service
    repository_is_whole
    links_are_whole
    hf install test "$HELLO"
    equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
    hf uninstall --all
    expect 0 hf sweep
    nothing_out_of_service
    equal "$(objects)" '' 'what is left in objects/'
    rm -r "$INST"
  done
  [ "$killed" -ge 4 ] || fail "it was killed only $killed times"
}

killed_install() {
  installed archive-1 "$PLATFORM"
  killed_at "install test $HELLO" linkat:1 linkat:9 linkat:20 renameat:1 renameat:2 renameat:3 \
    symlinkat:5 mkdirat:2 fchmod:1 fsync:3 fsync:6 syncfs:1
}
killed_uninstall() {
  installed archive-1 "$HELLO"
  killed_at "uninstall $HELLO" symlinkat:1 renameat2:1 unlinkat:1 unlinkat:2 fsync:1 fsync:3
}
killed_sweep() {
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  killed_at sweep unlinkat:1 unlinkat:2 unlinkat:10 unlinkat:20 unlinkat:40 fchmod:1 fchmod:2 \
    fsync:1 fsync:2
}
promise 'after SIGKILL at any step of an install the next commands work' killed_install
promise 'after SIGKILL at any step of an uninstall the next commands work' killed_uninstall
promise 'after SIGKILL at any step of a sweep the next commands work' killed_sweep

finish
