#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The units with a real systemd, the system's and those of a user with a manager of his own: what is removed is swept
# by itself, once, and what is in use later; and what there is to read of it.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/file-systems.sh
. "$(dirname "$0")/../lib/file-systems.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/container.sh
. "$(dirname "$0")/../lib/container.sh"
private_mounts

SWEEP=holdfast-sweep.service

# watched system|user REF...: these are installed, and the path is watched.
watched() {
  container "$1"
  shift
  with_images "$@"
  manager start holdfast-sweep.path
  at_rest
}

# ended RESULT STATUS: how the sweep before did.
ended() {
  equal "$(property $SWEEP Result)" "$1" "the sweep's result"
  equal "$(property $SWEEP ExecMainStatus)" "$2" "the sweep's exit status"
  equal "$(property $SWEEP ActiveState)" "$([ "$1" = success ] && echo inactive || echo failed)" 'the unit'
}

# swept_by_itself: no entry is left once the units wait again.
swept_by_itself() {
  at_rest
  nothing_out_of_service
  repository_is_whole
  ended success 0
}

# changes_nothing NUMBER: sweeps that do not lead to any other sweep.
changes_nothing() {
  local before i
  before=$(starts $SWEEP)
  for ((i = 0; i < $1; i++)); do
    manager start $SWEEP
  done
  at_rest
  equal "$(starts $SWEEP)" $((before + $1)) 'sweeps that were started'
}

# --- The path -----------------------------------------------------------------------------------------

removed_is_swept() { # system|user
  watched "$1" "$HELLO" "$OTHER"
  equal "$(told $SWEEP)" '' 'what is printed without anything to do'
  hf uninstall "$HELLO"
  swept_by_itself
  equal "$(hf run org.example.Other)" 'Hello from org.example.Other 1'
  local lines
  mapfile -t lines < <(told $SWEEP)
  equal ${#lines[@]} 2 'lines that are printed'
  equal "${lines[0]}" "Swept $HELLO $(commit_of hello-1)"
  matches "${lines[1]}" '^1 swept, 0 held, 0 damaged; [1-9][0-9]* objects, [1-9][0-9]* inodes, .* freed$'
  changes_nothing 3
  equal "$(told $SWEEP | wc -l)" 2 'lines that are printed, after three more sweeps'
  matches "$(inside journalctl --output=verbose HOLDFAST_EVENT=sweep)" 'HOLDFAST_BYTES=[1-9]'
}
for who in system user; do
  promise "what is removed is swept at once, and it is said once ($who)" removed_is_swept $who
done

in_use_is_swept_later() { # system|user
  watched "$1" "$HELLO"
  instance_by one by_owner holdfast "--$1" run --command=sh org.example.Hello
  hf uninstall "$HELLO"
  at_rest
  ended success 4
  hf ps --json >"$T/out"
  local pid before
  pid=$(json 'd[0]["pid"]')
  equal "$(told $SWEEP | sort -u)" \
    "holdfast: $HELLO is in use by PID $pid (bwrap): end it, or sweep again later"
  # One sweep for the removal, or two, as that is more than one change of the directory.
  before=$(told $SWEEP | wc -l)
  [ "$before" -le 2 ] || fail "it was said $before times"
  changes_nothing 3
  equal "$(told $SWEEP | wc -l)" $((before + 3)) 'lines, one for each sweep'
  matches "$(ask one read-all)" '^read [0-9]+$'
  end one
  await_entries_free
  manager start $SWEEP
  swept_by_itself
}
for who in system user; do
  promise "what is in use fails no unit, starts no second sweep, and is swept later ($who)" \
    in_use_is_swept_later $who
done

# The background's sweep is told by the kernel when the instance has ended, and what it deletes is seen by the path.
beside_the_background() {
  watched system "$HELLO"
  hf config --unset auto-sweep
  instance_by one inside holdfast --system run --command=sh org.example.Hello
  hf uninstall "$HELLO"
  at_rest
  ended success 4
  matches "$(ask one read-all)" '^read [0-9]+$'
  follow $SWEEP
  end one
  while [ -n "$(ls "$INST/removed")" ]; do
    sweep_ended >>"$T/ends"
  done
  swept_by_itself
}
promise 'beside the sweep in the background it is as good' beside_the_background

# A sweep that stands still has looked around already; and as what it has seen is in use, it does nothing that would
# start another one.
removed_during_a_sweep() {
  container
  with_images "$HELLO" "$OTHER"
  extend $SWEEP '[Service]' ExecStart= \
    'ExecStart=/run/tools/await-stop /run/report /usr/bin/holdfast --system sweep'
  mkfifo "$ROOT/run/report"
  local report line
  exec {report}<>"$ROOT/run/report"
  manager start holdfast-sweep.path
  hold ofd shared "$(deployment_of "$OTHER")/.ref"
  manager set-environment HOLDFAST_TEST_STOP=entry-looked-at
  hf uninstall "$OTHER"
  matches "$(read_line "$report")" '^started '
  line=$(read_line "$report")
  matches "$line" '^stopped '
  manager unset-environment HOLDFAST_TEST_STOP
  hf uninstall "$HELLO"
  inside kill -CONT "${line#stopped }"
  at_rest
  ended success 4
  equal "$(find "$INST/removed" -name .ref | wc -l)" 1 'what is left out of service'
  let_go
  manager start $SWEEP
  swept_by_itself
}
promise 'what is removed during a sweep is swept after it' removed_during_a_sweep

# More than the five starts in ten seconds that systemd allows unless it is told otherwise: each removal has two.
removed_many_times() {
  watched system "$HELLO"
  local i
  for ((i = 0; i < 5; i++)); do
    hf uninstall "$HELLO"
    at_rest
    nothing_out_of_service
    hf install test "$HELLO" >/dev/null
  done
  equal "$(property holdfast-sweep.path ActiveState)" active
}
promise 'one removal after the other is swept' removed_many_times

damaged_fails_the_unit() {
  watched system "$HELLO" "$OTHER"
  mkdir -p "$INST/removed/strange/directory"
  at_rest
  ended exit-code 5
  matches "$(told $SWEEP | sort -u)" '^holdfast: 1 damaged, for a person to look at: removed/strange: [^:]*: delete it by hand$'
  hf uninstall "$HELLO"
  at_rest
  equal "$(ls "$INST/removed")" strange 'what is left'
  rm -r "$INST/removed/strange"
  swept_by_itself
}
promise 'what is damaged fails the unit, and the next removal is swept nevertheless' damaged_fails_the_unit

# As his environment.d would have it.
in_another_place() {
  container user
  INST=$ROOT/home/tester/data/holdfast
  hf() {
    as_tester env XDG_DATA_HOME=/home/tester/data holdfast --user "$@"
  }
  manager set-environment XDG_DATA_HOME=/home/tester/data
  extend holdfast-sweep.path '[Path]' PathChanged= PathChanged=%h/data/holdfast/removed
  with_images "$HELLO"
  manager start holdfast-sweep.path
  hf uninstall "$HELLO"
  swept_by_itself
}
promise "a user's installation in another place is swept once the path knows" in_another_place

# --- The timer ----------------------------------------------------------------------------------------

# by_timer LINE...: with these lines said besides, the timer sweeps as soon as it is started.
by_timer() {
  extend holdfast-sweep.timer '[Timer]' RandomizedDelaySec=0 "$@"
  follow $SWEEP
  manager start holdfast-sweep.timer
  matches "$(sweep_ended)" '^Finished '
  nothing_out_of_service
  ended success 0
}

after_a_missed_day() {
  container
  with_images "$HELLO"
  hf uninstall "$HELLO"
  mkdir -p "$ROOT/var/lib/systemd/timers"
  touch --date='3 days ago' "$ROOT/var/lib/systemd/timers/stamp-holdfast-sweep.timer"
  by_timer
}
promise 'the timer catches up on a day that was missed' after_a_missed_day

# The first line forgets all that the unit says of times.
after_a_start() { # system|user
  container "$1"
  with_images "$HELLO"
  hf uninstall "$HELLO"
  by_timer OnStartupSec= OnStartupSec=1ms
}
promise 'the timer sweeps after a start of the machine' after_a_start system
promise "the timer sweeps after a start of a user's manager" after_a_start user

spread_over_an_hour() {
  container
  manager start holdfast-sweep.timer
  equal "$(property holdfast-sweep.timer RandomizedDelayUSec)" 1h
  matches "$(property holdfast-sweep.timer TimersCalendar)" 'OnCalendar=\*-\*-\* 00:00:00 '
  matches "$(property holdfast-sweep.timer TimersMonotonic)" 'OnStartupUSec=15min '
  equal "$(starts $SWEEP)" 0 'sweeps that were started'
}
promise 'else it sweeps a while after the start and once a day, not everywhere at once' spread_over_an_hour

# --- The manual ---------------------------------------------------------------------------------------

# What the page's `; setup:` lines can call; see tests/lib/page.py.
have() {
  holdfast remote-add --system --quiet --no-verify example /srv/remote
  holdfast config --system --set auto-sweep no
  holdfast install --system --quiet org.example.Hello
}

have_another() { # INSTALLATION
  holdfast remote-add --installation="$1" --quiet --no-verify example /srv/remote
}

examples() {
  container
  inside_plainly() {
    inside env SYSTEMD_PAGER= SYSTEMD_COLORS=0 "$@"
  }
  systemctl() {
    inside_plainly systemctl "$@"
  }
  journalctl() {
    inside journalctl --sync
    inside_plainly journalctl "$@"
  }
  holdfast() {
    inside holdfast "$@"
  }
  the_end() {
    :
  }
  export INIT HOME=$T
  export -f inside inside_plainly systemctl journalctl holdfast have have_another the_end
  "$LIB/play-examples" holdfast-sweep.service.8 "x86_64=$ARCH"
}
promise 'the examples of holdfast-sweep.service(8) do what it says' examples

finish
