#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What something holds stays, and what nothing holds goes: images that are updated, uninstalled and
# swept while instances run from them.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

# The sandbox's first process: whose lock the kernel names.
sandbox_of() { # INSTANCE
  expect 0 hf ps --json
  local pid
  for pid in $(json '" ".join(str(i["pid"]) for i in d)'); do
    if descendants "${INSTANCE_PID[$1]}" | grep -x "$pid" >/dev/null; then
      echo "$pid"
      return
    fi
  done
  fail "ps names no process of instance $1: $(cat "$T/out")"
}

held_by() { # REF COMMIT PID
  expect 4 hf sweep --json
  equal "$(json "[[h['pid'] for h in e['holders']] for e in d['held']
                  if e['ref'] == '$1' and e['commit'] == '$2']")" "[[$3]]" "who holds $1"
  expect_error 4 "PID $3" hf sweep
}

# All that must hold once nothing runs any more.
all_is_reclaimed() {
  await_entries_free
  expect 0 hf sweep
  nothing_out_of_service
  repository_is_whole
}

ps_shows_what_runs() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  local pid
  pid=$(sandbox_of one)
  expect 0 hf ps --json
  equal "$(json '[(i["ref"], i["commit"], i["runtime"], i["runtime_commit"]) for i in d]')" \
    "[[\"$HELLO\", \"$(commit_of hello-1)\", \"$PLATFORM\", \"$(commit_of platform-1)\"]]"
  matches "$(json 'd[0]["started"]')" '^[0-9]{10}$'
  matches "$(hf ps)" "$pid"
  equal "$(hf ps --columns=runtime,runtime-commit,pid)" \
    "$PLATFORM"$'\t'"$(commit_of platform-1)"$'\t'"$pid"
  expect_error 2 nonesuch hf ps --columns=nonesuch
  end one
  await_free "$(deployment_of "$HELLO")/.ref"
  expect 0 hf ps --json
  equal "$(json 'd')" '[]'
}
promise 'ps shows what runs, and nothing that does not' ps_shows_what_runs

keeps_every_file() { # COMMAND...
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  local before pid
  before=$(ask one read-all)
  pid=$(sandbox_of one)
  "$@"
  equal "$(ask one read-all)" "$before" 'what the instance reads'
  held_by "$HELLO" "$(commit_of hello-1)" "$pid"
  held_by "$PLATFORM" "$(commit_of platform-1)" "$pid"
  # A sweep has passed; this is a process that starts only now, from binaries not yet in use.
  equal "$(ask one read-all)" "$before" 'what the instance reads after a sweep'
  equal "$(ask one 'sed -n 1p /app/share/data/version')" 'version 1'
  equal "$(ask one 'cat /usr/etc/runtime-version')" 'runtime 1'
  end one
  all_is_reclaimed
}
update_all() {
  publish archive-2
  hf update
}
uninstall_all() {
  hf uninstall --all
  expect 0 hf list --json
  equal "$(json 'd')" '[]'
}
uninstall_and_install() {
  hf uninstall --all
  publish archive-2
  hf install "$HELLO"
}
promise 'an instance keeps its files when they are updated' keeps_every_file update_all
promise 'an instance keeps its files when they are uninstalled' keeps_every_file uninstall_all
promise 'an instance keeps its files when others are installed in their place' \
  keeps_every_file uninstall_and_install

old_and_new_side_by_side() {
  installed archive-1 "$HELLO"
  instance old org.example.Hello
  update_all
  instance new org.example.Hello
  equal "$(ask old hello)" 'Hello from org.example.Hello 1'
  equal "$(ask new hello)" 'Hello from org.example.Hello 2'
  expect 0 hf ps --json
  equal "$(json 'sorted(i["commit"] for i in d)')" \
    "$(printf '["%s", "%s"]' "$(cat "$FIXTURES"/hello-?.commit | sort | head -1)" \
      "$(cat "$FIXTURES"/hello-?.commit | sort | tail -1)")"
  end new
  expect 4 hf sweep
  equal "$(ask old hello)" 'Hello from org.example.Hello 1'
  end old
  all_is_reclaimed
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 2'
}
promise 'old and new run side by side' old_and_new_side_by_side

the_last_of_two_holds() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  instance two org.example.Hello
  local two
  two=$(sandbox_of two)
  hf uninstall --all
  expect 4 hf sweep --json
  equal "$(json 'sorted({len(e["holders"]) for e in d["held"]})')" '[2]' 'holders of each entry'
  end one
  # Its sandbox's end is not seen by us, but by the kernel: two's lock alone must be enough.
  equal "$(ask two read-all)" "$(ask two read-all)"
  expect 4 hf sweep --json
  matches "$(json '[h["pid"] for e in d["held"] for h in e["holders"]]')" "$two"
  end two
  all_is_reclaimed
}
promise 'of two instances the last one holds the image' the_last_of_two_holds

what_stays_behind_holds() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  # The child has only this; the shell that started it ends.
  mkdir -p "$HOME/.var/app/org.example.Hello"
  mkfifo "$HOME/.var/app/org.example.Hello/go" "$HOME/.var/app/org.example.Hello/done"
  ask one 'cd ~/.var/app/org.example.Hello && echo there' >"$T/answer"
  equal "$(ask one '{ read -r _ <go; read-all >done; } >/dev/null 2>&1 & echo started')" started
  hf uninstall --all
  end one
  expect 4 hf sweep
  echo go >"$HOME/.var/app/org.example.Hello/go"
  matches "$(cat "$HOME/.var/app/org.example.Hello/done")" '^read [0-9]+$'
  all_is_reclaimed
}
promise 'a process that an instance leaves behind holds the image' what_stays_behind_holds

a_killed_launcher_lets_nothing_go() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  local sandbox
  sandbox=$(sandbox_of one)
  started "$sandbox"
  kill -KILL "${INSTANCE_PID[one]}"
  wait "${INSTANCE_PID[one]}" || true
  hf uninstall --all
  if kill -0 "$sandbox" 2>/dev/null; then
    expect 4 hf sweep
    equal "$(ask one hello)" 'Hello from org.example.Hello 1'
    printf 'exit\n' >&"${INSTANCE_IN[one]}"
  fi
  all_is_reclaimed
  expect 0 hf ps --json
  equal "$(json 'd')" '[]'
}
promise 'a launcher that is killed lets go of nothing that still runs' a_killed_launcher_lets_nothing_go

a_killed_instance_lets_go() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  local sandbox
  sandbox=$(sandbox_of one)
  hf uninstall --all
  kill -KILL "$sandbox"
  wait "${INSTANCE_PID[one]}" || true
  all_is_reclaimed
  expect 0 hf ps --json
  equal "$(json 'd')" '[]'
}
promise 'an instance that is killed lets go of everything' a_killed_instance_lets_go

what_is_in_service_is_never_swept() {
  installed archive-1 "$HELLO"
  unchanged_by hf sweep
  instance one org.example.Hello
  expect 0 hf sweep
  end one
}
promise 'a sweep leaves what is in service alone, held or not' what_is_in_service_is_never_swept

an_app_of_an_old_runtime() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  publish archive-2
  hf update "$PLATFORM"
  local pid
  pid=$(sandbox_of one)
  held_by "$PLATFORM" "$(commit_of platform-1)" "$pid"
  equal "$(ask one 'cat /usr/etc/runtime-version')" 'runtime 1'
  equal "$(hf run --command=cat org.example.Hello /usr/etc/runtime-version)" 'runtime 2'
  end one
  all_is_reclaimed
}
promise 'a runtime is held by what runs on it' an_app_of_an_old_runtime

# sweep_to_journal STATUS: what is printed where a journal, which is all of $T/journal, has both streams.
sweep_to_journal() {
  local status=0 stream
  : >"$T/journal"
  stream=$(stat -c %d:%i "$T/journal")
  JOURNAL_STREAM=$stream hf sweep >>"$T/journal" 2>&1 || status=$?
  equal $status "$1"
  cat "$T/journal"
}

in_a_journal() {
  installed archive-1 "$HELLO" "$OTHER"
  hf root add kept "$OTHER"
  hold flock shared "$(deployment_of "$HELLO")/.ref"
  hf uninstall "$HELLO" "$OTHER"
  equal "$(sweep_to_journal 4)" \
    "holdfast: $HELLO is in use by PID $HOLDER (hold-lock): end it, or sweep again later"
  # Elsewhere there is one line for each, and the sum.
  expect 4 hf sweep
  equal "$(wc -l <"$T/out")" 3 'lines on standard output'
  let_go
  equal "$(sweep_to_journal 0 | sed 's/;.*//')" \
    "Swept $HELLO $(commit_of hello-1)"$'\n''1 swept, 0 held, 0 damaged'
  equal "$(sweep_to_journal 0)" '' 'what is said of what is kept'
}
promise 'in a journal each thing is said once, and nothing of what stays as it is' in_a_journal

finish
