#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A user's application on a runtime of the system's, and one of a named installation on that of another: each command
# finds it, and whoever decides what may go takes into account what he can know of.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/machine.sh
. "$LIB/machine.sh"
private_mounts

SYSTEM=/var/lib/holdfast

# His application, without a runtime of his own.
on_the_systems_runtime() {
  machine
  cp -a "$FIXTURES/archive-1" "$T/remote"
  as_root remote-add --no-verify test "$T/remote"
  as_root config --set keep-previous 0
  as_root install test "$PLATFORM"
  his remote-add --no-verify test "$T/remote"
  his install test "$HELLO"
}

he_needs_no_runtime_of_his_own() {
  on_the_systems_runtime
  equal "$(his --user list --columns=ref)" "$HELLO"
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  equal "$(his --user run org.example.Hello)" 'Hello from org.example.Hello 1'
  equal "$(his info org.example.Hello --json | json 'd["runtime"]' /dev/stdin)" "$PLATFORM"
  # What is given by a path that nobody knows is by itself.
  expect 3 his --installation="$T/nobody/alone" install --ref="$HELLO" "$FIXTURES/hello-1"
  grep -q "needs $PLATFORM, which is not installed" "$T/err"
  # By another name it is the same one.
  equal "$(his --installation="$T/nobody/.local/share/holdfast" run org.example.Hello)" \
    'Hello from org.example.Hello 1'
}
promise "a user's application runs on the system's runtime" he_needs_no_runtime_of_his_own

from_a_directory() {
  on_the_systems_runtime
  "$LIB/make-app" "$T/app" 7 org.example.Own
  his install "$T/app" --ref="app/org.example.Own/$ARCH/stable"
  equal "$(his run org.example.Own)" 'Hello from org.example.Own 7'
}
promise "so does one from a directory" from_a_directory

back_and_forth() {
  on_the_systems_runtime
  cp -a "$FIXTURES/archive-2/." "$T/remote"
  his update
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 2'
  his rollback org.example.Hello
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  his uninstall org.example.Hello
  his restore org.example.Hello
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  expect 0 his repair
  equal "$(cat "$T/out")" 'Nothing to repair'
  equal "$(his --user list --columns=ref)" "$HELLO"
}
promise 'it is updated, rolled back, restored and repaired there' back_and_forth

mended_there() {
  on_the_systems_runtime
  local tree
  tree=$(echo "$T/nobody/.local/share/holdfast/deploy/$HELLO"/*.*/tree)
  rm "$tree/files/bin/hello"
  expect 0 his repair
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  equal "$(his --user list --columns=ref)" "$HELLO"
}
promise 'a damaged one is built anew without a runtime of its own' mended_there

he_is_seen_on_both_sides() {
  on_the_systems_runtime
  instance_by one runuser -u nobody -- env "HOME=$T/nobody" "$HOLDFAST" run --command=sh org.example.Hello
  expect 0 his ps --json
  equal "$(json 'len(d), d[0]["ref"], d[0]["installation"], d[0]["runtime"], d[0]["runtime_installation"]')" \
    "[1, \"$HELLO\", \"user\", \"$PLATFORM\", \"system\"]"
  equal "$(his ps | awk -F'\t' '{ print $2, $4, $6 }')" "$HELLO $PLATFORM user"
  equal "$(his --user ps | awk -F'\t' '{ print $2, $4, NF }')" "$HELLO $PLATFORM 5"
  equal "$(his --system ps | awk -F'\t' '{ print $2, $4 }')" "$HELLO $PLATFORM"
  # Root does not know his installation, but that the runtime is used.
  expect 0 as_root ps --json
  equal "$(json 'len(d), d[0]["ref"], d[0]["installation"]')" "[1, \"$PLATFORM\", \"system\"]"
  local running
  running=$(his info org.example.Platform --json | json 'd["running"]' /dev/stdin)
  equal "$running" true
  # Nor does it go away under him.
  as_root uninstall "$PLATFORM"
  expect 4 as_root sweep --json
  equal "$(json '[e["ref"] for e in d["held"]]')" "[\"$PLATFORM\"]"
  equal "$(ask one 'echo still here')" 'still here'
  end one
  INST=$SYSTEM await_entries_free
  as_root sweep
  expect_error 3 "$PLATFORM.*holdfast install" his run org.example.Hello
  his install test "$PLATFORM"
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
}
promise 'who runs on it holds it, and is told what is missing after that' he_is_seen_on_both_sides

# The other way round: the system's lacks it, and he has it.
his_runtime() {
  on_the_systems_runtime
  as_root install test "$OTHER"
  as_root uninstall --force-remove "$PLATFORM"
  expect_error 3 "$PLATFORM" his run org.example.Other
  his install test "$PLATFORM"
  equal "$(his run org.example.Other)" 'Hello from org.example.Other 1'
  # Nothing of the system's counts on it.
  expect 3 as_root install --ref="app/org.example.Own/$ARCH/stable" "$FIXTURES/hello-1"
}
promise "an application of the system's runs on a user's runtime, and is not installed because of it" his_runtime

# --- Named installations ----------------------------------------------------------------------------

extra_on_the_system() {
  machine
  named extra
  cp -a "$FIXTURES/archive-1" "$T/remote"
  as_root remote-add --no-verify test "$T/remote"
  as_root config --set keep-previous 0
  as_root install test "$PLATFORM"
  as_root pin --remove "$PLATFORM"
  as_root --installation=extra remote-add --no-verify test "$T/remote"
  as_root --installation=extra install test "$HELLO"
  equal "$(as_root --installation=extra list --columns=ref)" "$HELLO"
}

it_is_needed_there() {
  extra_on_the_system
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  expect_error 4 "$HELLO of /srv/extra needs $PLATFORM.*--force-remove" as_root uninstall "$PLATFORM"
  expect_error 4 "$HELLO of /srv/extra" as_root --installation=$SYSTEM uninstall "$PLATFORM"
  expect_error 4 "$HELLO of /srv/extra" as_root uninstall --all
  expect 0 as_root uninstall --unused
  equal "$(cat "$T/out")" 'Nothing is unused'
  expect 0 as_root why "$PLATFORM" --json
  equal "$(json '[(r["ref"], r["installation"]) for s in d for r in s["reasons"] if r["code"] == "needed"]')" \
    "[[\"$HELLO\", \"/srv/extra\"]]"
  expect 0 as_root why "$PLATFORM"
  grep -q "the runtime of $HELLO of /srv/extra" "$T/out"
  # With one of its own, it can do without.
  as_root --installation=extra install test "$PLATFORM"
  as_root uninstall "$PLATFORM"
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  expect_error 4 "$HELLO needs $PLATFORM" as_root --installation=extra uninstall "$PLATFORM"
}
promise 'a runtime that a named installation needs is not uninstalled' it_is_needed_there

by_force() {
  extra_on_the_system
  as_root uninstall --force-remove "$PLATFORM"
  expect_error 3 "$PLATFORM" his run org.example.Hello
  as_root restore "$PLATFORM"
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
}
promise 'by force it is, and comes back' by_force

# The app was leased as it was before an update to a runtime that only another installation has.
another_runtime_meanwhile() {
  extra_on_the_system
  INST=$SYSTEM
  hf install test "$HELLO"
  stopped lease-opened run org.example.Hello
  as_root --installation=extra install "$FIXTURES/platform-1" --ref="${PLATFORM%/1}/2"
  cp -a "$FIXTURES/hello-2" "$T/image"
  sed -i '/^runtime=/s,/1$,/2,' "$T/image/metadata"
  hf install "$T/image" --ref="$HELLO"
  equal "$(hf list --columns=ref)" "$(printf '%s\n' "$HELLO" "$PLATFORM")"
  hf uninstall --force-remove "$PLATFORM"
  continued 0
  equal "$(cat "$T/output")" 'Hello from org.example.Hello 2'
}
promise 'a launch that an update overtakes finds the new runtime wherever it is' another_runtime_meanwhile

# One of a newer holdfast, say: what it has cannot be told, and it may need any runtime.
it_cannot_be_read() {
  extra_on_the_system
  as_root --installation=extra uninstall "$HELLO"
  echo 99 >/srv/extra/format
  expect_error 5 'Cannot tell which runtimes are needed elsewhere: .*99' as_root uninstall --unused
  expect_error 5 'force-remove.*Cannot tell which' as_root uninstall "$PLATFORM"
  expect 0 as_root why "$PLATFORM" --json
  equal "$(json '[r["code"] for s in d for r in s["reasons"]]')" '["active", "untold"]'
  expect 0 as_root why "$PLATFORM"
  matches "$(cat "$T/out")" 'Cannot tell which runtimes are needed elsewhere: '
  as_root config --set give-up-unused yes
  as_root config --set min-free 1000T
  expect 7 as_root sweep --json
  equal "$(json 'd["decisions"]')" '[]'
  as_root config --unset min-free
  # Nothing else is kept from anything.
  as_root install test "$OTHER"
  as_root uninstall "$OTHER"
  as_root uninstall --force-remove "$PLATFORM"
  equal "$(as_root list --columns=ref)" ''
}
promise 'one that cannot be read keeps all runtimes, unless they are forced to go' it_cannot_be_read

given_up_for_want_of_room() {
  extra_on_the_system
  as_root config --set give-up-unused yes
  as_root config --set min-free 1000T
  expect 7 as_root sweep --json
  equal "$(json 'd["decisions"]')" '[]'
  # The same installation by its path.
  expect 7 as_root --installation=$SYSTEM sweep --json
  equal "$(json 'd["decisions"]')" '[]'
  as_root --installation=extra uninstall "$HELLO"
  expect '0|7' as_root sweep --json
  equal "$(json '[(e["ref"], e["given_up"]) for e in d["decisions"]]')" "[[\"$PLATFORM\", true]]"
}
promise 'nor does a sweep give it up for want of room' given_up_for_want_of_room

# His applications are not known: DESIGN would have to look into every home.
a_users_need_is_not_known() {
  on_the_systems_runtime
  # It was named.
  as_root uninstall --unused
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  as_root pin --remove "$PLATFORM"
  expect 0 as_root uninstall --unused
  equal "$(as_root list --columns=ref)" ''
  expect_error 3 "$PLATFORM" his run org.example.Hello
  as_root restore "$PLATFORM"
  as_root pin org.example.Platform
  as_root uninstall --unused
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
}
promise "what only users' applications need counts as unused, unless it is pinned" a_users_need_is_not_known

# What is wrong with one installation must not harm another.
a_bad_one_beside() {
  extra_on_the_system
  echo 99 >/srv/extra/format
  expect 0 as_root --system list
  equal "$(as_root run --command=echo org.example.Platform fine)" fine
  expect 0 as_root list --columns=ref
  equal "$(cat "$T/out")" "$PLATFORM"
  grep -q 'warning: /srv/extra has format 99' "$T/err"
  expect 1 as_root installations
  expect_error 1 'format 99' as_root --installation=extra list
  his remote-add --no-verify test "$T/remote"
  his install test "$HELLO"
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  # Nothing is known of its applications then, which may need it.
  as_root uninstall --force-remove "$PLATFORM"
}
promise 'one installation that cannot be opened harms no other' a_bad_one_beside

finish
