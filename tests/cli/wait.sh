#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Prompt reclaim: sweeps that wait for what is in use, and the sweep that a command leaves in the background.
# Nothing here looks twice at the clock or at the disk: what ends, ends by itself.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

# waiting: a sweep that waits; its report comes on $REPORT, line by line.  Sets WAITER.
waiting() {
  mkfifo "$T/report"
  "$HOLDFAST" --installation="$INST" sweep --wait >"$T/report" 2>"$T/wait.err" &
  WAITER=$!
  started $WAITER
  exec {REPORT}<"$T/report"
}

# reports REGEX: the next line of it.
reports() {
  matches "$(read_line "$REPORT")" "$1" 'the report'
}

waited() { # STATUS
  local status=0
  wait "$WAITER" || status=$?
  equal "$status" "$1" "the status of the sweep that waits: $(cat "$T/wait.err")"
}

# Until the kernel has a process that waits for an exclusive lock on it.  Its start is nothing that could be waited for, so this asks again and again.
is_waited_for() { # FILE
  local inode i
  inode=$(stat -c %i "$1")
  for ((i = 0; i < 100000; i++)); do
    if grep -E -- "-> .* WRITE .*:$inode 0 " /proc/locks >/dev/null; then
      return
    fi
  done
  fail "nobody waits for $1: $(cat /proc/locks)"
}

entry_of() { # REF-ID
  grep -l "$1" "$INST"/removed/*/deployment | head -1 | xargs dirname
}

the_last_one_ends() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  hf uninstall "$HELLO"
  waiting
  reports "^Held $HELLO .* by PID [0-9]+ \(bwrap\)"
  reports '^0 swept, 1 held'
  is_waited_for "$(entry_of "$HELLO")/.ref"
  end one
  reports "^Swept $HELLO "
  reports '^1 swept, 0 held'
  waited 0
  nothing_out_of_service
  repository_is_whole
}
promise 'a sweep that waits frees an image when its last instance ends' the_last_one_ends

each_as_it_ends() {
  installed archive-1 "$HELLO" "$OTHER"
  instance one org.example.Hello
  instance two org.example.Other
  local before
  before=$(ask one read-all)
  hf uninstall "$HELLO" "$OTHER"
  waiting
  reports "^Held $HELLO "
  reports "^Held $OTHER "
  reports '^0 swept, 2 held'
  end two
  reports "^Held $HELLO "
  reports "^Swept $OTHER "
  reports '^1 swept, 1 held'
  equal "$(ask one read-all)" "$before"
  end one
  reports "^Swept $HELLO "
  reports '^1 swept, 0 held'
  waited 0
  nothing_out_of_service
}
promise 'each image is freed when its own last instance ends' each_as_it_ends

what_comes_meanwhile() {
  installed archive-1 "$HELLO" "$OTHER"
  instance one org.example.Hello
  hf uninstall "$HELLO"
  waiting
  reports "^Held $HELLO "
  reports '^0 swept, 1 held'
  hf uninstall "$OTHER"
  reports "^Held $HELLO "
  reports "^Swept $OTHER "
  reports '^1 swept, 1 held'
  end one
  reports "^Swept $HELLO "
  reports '^1 swept'
  waited 0
}
promise 'what is removed while it waits is freed at once' what_comes_meanwhile

in_place() {
  installed archive-1 "$HELLO" "$OTHER"
  instance one org.example.Hello
  hf uninstall "$HELLO"
  waiting
  reports "^Held $HELLO "
  reports '^0 swept, 1 held'
  is_waited_for "$(entry_of "$HELLO")/.ref"
  # As an uninstall leaves it where it cannot move anything.
  chmod 0444 "$(deployment_of "$OTHER")/deployment"
  chmod +t "$INST/deploy"
  reports "^Held $HELLO "
  reports "^Swept $OTHER "
  reports '^1 swept, 1 held'
  end one
  reports "^Swept $HELLO "
  reports '^1 swept'
  waited 0
  nothing_out_of_service
  repository_is_whole
}
promise 'so is what is removed in place' in_place

delays_nobody() {
  local ref kind
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  ref=$(entry_of "$HELLO")/.ref
  hold "$1" shared "$ref"
  waiting
  reports "^Held $HELLO "
  reports '^0 swept'
  if [ "$1" != flock ]; then
    is_waited_for "$ref"
  fi
  for kind in flock posix ofd; do
    "$TOOLS/hold-lock" "$kind" shared "$ref" </dev/null
  done
  # The sweeper has the holder's standard input, too.
  kill -KILL "$HOLDER"
  reports "^Swept $HELLO "
  reports '^1 swept'
  waited 0
}
promise 'a sweep that waits for a POSIX lock delays no other holder' delays_nobody posix
promise 'a sweep that waits for a record lock of a description delays no other holder' delays_nobody ofd
promise 'a sweep that waits for a flock delays no other holder' delays_nobody flock

restored_meanwhile() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  hf uninstall "$HELLO"
  waiting
  reports "^Held $HELLO "
  reports '^0 swept'
  is_waited_for "$(entry_of "$HELLO")/.ref"
  hf restore "$HELLO"
  waited 0
  end one
  expect 0 hf run --command=true org.example.Hello
  equal "$(hf list --columns=ref | grep -c Hello)" 1
  repository_is_whole
}
promise 'what is restored while it waits stays, and is not waited for' restored_meanwhile

a_limit() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  hf uninstall "$HELLO"
  expect_error 4 "$HELLO is in use by PID [0-9]+" hf sweep --quiet --wait=0
  expect_error 4 "$HELLO is in use by PID [0-9]+" hf sweep --quiet --wait=1
  ! pgrep -f -- "^holdfast --installation=$INST" >/dev/null
  end one
  await_entries_free
  expect 0 hf sweep --wait=60
  nothing_out_of_service
}
promise 'a limit ends the wait, and says who holds what' a_limit

another_is_at_it() {
  local second
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  stopped batch-locked sweep
  HOLDFAST_TEST_STOP=other-awaited "$HOLDFAST" --installation="$INST" sweep >"$T/second.out" 2>&1 &
  second=$!
  started $second
  # It goes as far as to that point only if it is about to wait.
  until grep -x 'State:.*T (stopped)' "/proc/$second/status" >/dev/null; do :; done
  "$@"
  kill -CONT "$second"
  wait "$second"
  nothing_out_of_service
  repository_is_whole
}
goes_on() {
  continued 0
}
is_killed() {
  kill -KILL "$STOPPED"
}
promise 'a sweep that meets another is not done before that is' another_is_at_it goes_on
promise 'a sweep that meets another which is killed does its work' another_is_at_it is_killed

another_is_stopped() {
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  stopped batch-locked sweep
  HOLDFAST_TEST_EAGER=1 expect_error 4 "$HELLO is in use" hf sweep --quiet
  continued 0
  nothing_out_of_service
  repository_is_whole
}
promise 'a sweep that meets one which stands still says so, and ends' another_is_stopped

nothing_to_wait_for() {
  installed archive-1 "$HELLO"
  expect 0 hf sweep --wait
  equal "$(cat "$T/out")" ''
  hf uninstall "$HELLO"
  expect 0 hf sweep --wait
  nothing_out_of_service
}
promise 'where nothing is held there is no wait' nothing_to_wait_for

one_document() {
  installed archive-1 "$HELLO" "$OTHER"
  instance one org.example.Hello
  instance two org.example.Other
  hf uninstall "$HELLO" "$OTHER"
  "$HOLDFAST" --installation="$INST" sweep --wait --json >"$T/out" 2>"$T/err" &
  started $!
  WAITER=$!
  is_waited_for "$(entry_of "$HELLO")/.ref"
  end one
  is_waited_for "$(entry_of "$OTHER")/.ref"
  end two
  : >"$T/wait.err"
  waited 0
  equal "$(json '[e["ref"] for e in d["swept"]]')" "[\"$HELLO\", \"$OTHER\"]"
  equal "$(json 'd["held"]')" '[]'
  equal "$(json 'd["objects"] > 10 and d["bytes"] > 0 and d["inodes"] > 10')" true
}
promise 'as JSON, all that was freed is in one document' one_document

usage() {
  installed archive-1
  expect_error 2 'no number of seconds' hf sweep --wait=soon
  expect_error 2 'no number of seconds' hf sweep --wait=-1
  expect_error 2 'exclude each other' hf sweep --wait --dry-run
}
promise 'what makes no sense is refused' usage

killed() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  hf uninstall "$HELLO"
  "$LIB/with-orphans" "$HOLDFAST" --installation="$INST" sweep --wait >"$T/out" 2>&1 3>"$T/left" &
  local all=$! sweeper
  started $all
  is_waited_for "$(entry_of "$HELLO")/.ref"
  sweeper=$(cat "/proc/$all/task/$all/children")
  kill -"$1" "${sweeper% }"
  wait $all || true # it ends when nothing is left
  end one
  await_entries_free
  swept
}
promise 'killed, it leaves no process that waits behind' killed KILL
promise 'ended by a signal, it leaves no process that waits behind' killed TERM

# --- In the background ------------------------------------------------------------------------------

unset HOLDFAST_TEST_NO_AUTO_SWEEP

# alone COMMAND...: it, and then what it leaves in the background.
alone() {
  "$LIB/with-orphans" "$HOLDFAST" --installation="$INST" "$@" 3>"$T/left"
}

# background NAME COMMAND...: the same, in the background of the test itself; says "left N" on $LEFT.
background() {
  local name=$1
  shift
  mkfifo "$T/$name.left"
  "$LIB/with-orphans" "$HOLDFAST" --installation="$INST" "$@" >"$T/$name.out" 2>&1 3>"$T/$name.left" &
  BACKGROUND=$!
  started $!
  exec {LEFT}<"$T/$name.left"
}

by_itself() {
  installed archive-1 "$HELLO"
  alone uninstall "$HELLO"
  nothing_out_of_service
  repository_is_whole
  matches "$(hf history)" sweep
}
promise 'what is uninstalled is freed by itself' by_itself

by_itself_when_it_ends() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  background uninstall uninstall "$HELLO"
  equal "$(read_line "$LEFT")" 'left 1'
  is_waited_for "$(entry_of "$HELLO")/.ref"
  end one
  wait "$BACKGROUND"
  nothing_out_of_service
  repository_is_whole
}
promise 'what is uninstalled while it runs is freed by itself when it ends' by_itself_when_it_ends

after_an_update() {
  installed archive-1 "$HELLO"
  publish archive-2
  alone update
  nothing_out_of_service
  repository_is_whole
}
promise 'so is what an update replaces' after_an_update

after_a_setting() {
  installed archive-1 "$HELLO"
  hf config --unset keep-previous
  publish archive-2
  alone update "$HELLO"
  equal "$(cat "$T/left")" 'left 0'
  equal "$(hf list --all --columns=state | sort | uniq -c | tr -s ' ')" \
    "$(printf ' 2 active\n 1 previous')"
  alone config --set keep-previous 0
  equal "$(hf list --all --columns=state | sort | uniq -c | tr -s ' ')" ' 2 active'
  nothing_out_of_service
  repository_is_whole
}
promise 'so is what a setting gives up' after_a_setting

after_a_root() {
  installed archive-1 "$HELLO"
  hf root add mine "$HELLO"
  alone uninstall "$HELLO"
  [ -n "$(entry_of "$HELLO")" ]
  alone root remove mine
  nothing_out_of_service
  repository_is_whole
}
promise 'so is what a root kept' after_a_root

one_is_enough() {
  installed archive-1 "$HELLO" "$OTHER"
  instance one org.example.Hello
  instance two org.example.Other
  background first uninstall "$HELLO"
  local first=$BACKGROUND
  read_line "$LEFT" >/dev/null
  is_waited_for "$(entry_of "$HELLO")/.ref"
  # It ends while both are held, since the first one has its turn, and takes this, too.
  alone uninstall "$OTHER"
  is_waited_for "$(entry_of "$OTHER")/.ref"
  end two
  end one
  wait "$first"
  nothing_out_of_service
  repository_is_whole
}
promise 'one sweep in the background is enough for all' one_is_enough

told_not_to() {
  installed archive-1 "$HELLO"
  hf config --set auto-sweep no
  alone uninstall "$HELLO"
  equal "$(cat "$T/left")" 'left 0'
  [ -n "$(entry_of "$HELLO")" ]
  expect_error 2 'auto-sweep.*yes or no' hf config --set auto-sweep sometimes
  alone config --unset auto-sweep
  nothing_out_of_service
}
promise 'auto-sweep=no has nothing swept' told_not_to

nothing_to_do() {
  installed archive-1 "$HELLO"
  alone update
  equal "$(cat "$T/left")" 'left 0'
  hf config --set keep-removed 1d
  alone uninstall "$HELLO"
  equal "$(cat "$T/left")" 'left 0' 'what is left though all is spared'
}
promise 'where all is kept there is no sweep in the background' nothing_to_do

all_of_it_goes() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  background uninstall uninstall "$HELLO"
  read_line "$LEFT" >/dev/null
  is_waited_for "$(entry_of "$HELLO")/.ref"
  # Whatever comes now fails, also what has moved meanwhile.
  mv "$INST/removed" "$T/away"
  mv "$T/away/"* "$T/"
  end one
  wait "$BACKGROUND"
}
promise 'it ends, too, when the installation goes' all_of_it_goes

stands_alone() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  mkfifo "$T/pipe"
  # Who reads a pipe of the command to its end, on whatever descriptor, waits for the command alone.
  (exec 7>"$T/pipe"; exec setsid --wait "$HOLDFAST" --installation="$INST" uninstall "$HELLO" >&7 2>&7) &
  started $!
  matches "$(cat "$T/pipe")" 'Uninstalled'
  local entry sweeper
  entry=$(entry_of "$HELLO")
  is_waited_for "$entry/.ref"
  for sweeper in $(pgrep -f -- "^holdfast --installation=$INST sweep --wait --background"); do
    started "$sweeper"
    equal "$(readlink "/proc/$sweeper/fd/0" "/proc/$sweeper/fd/1" "/proc/$sweeper/fd/2" | sort -u)" /dev/null
    matches "$(cat "/proc/$sweeper/status")" 'SigBlk:.0000000000000000'
    [ "$(ps -o sid= -p "$sweeper" | tr -d ' ')" -ne "$(ps -o sid= -p $$ | tr -d ' ')" ]
  done
  [ -n "$sweeper" ]
  end one
}
promise 'what is left in the background has nothing of the command' stands_alone

finish
