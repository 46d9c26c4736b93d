#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runtimes that nothing needs: which they are, and that nothing else ever goes with them.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/small-images.sh
. "$(dirname "$0")/../lib/small-images.sh"

USED=runtime/org.example.Used/$ARCH/1
IDLE=runtime/org.example.Idle/$ARCH/1

# one_runtime ID: an image of a few bytes, installed from a directory, and not pinned for that.
one_runtime() {
  mkdir -p "$T/$1/files"
  printf '[Runtime]\nname=%s\nruntime=%s/%s/1\n' "$1" "$1" "$ARCH" >"$T/$1/metadata"
  echo "$1" >"$T/$1/files/of"
  hf install "$T/$1" --ref="runtime/$1/$ARCH/1" >/dev/null
  hf pin --remove "runtime/$1/$ARCH/1"
}

# an_app VERSION RUNTIME: New, as it is then.
an_app() {
  mkdir -p "$T/app-$1/files"
  printf '[Application]\nname=org.example.New\ncommand=true\nruntime=%s\n' "${2#runtime/}" \
    >"$T/app-$1/metadata"
  echo "$1" >"$T/app-$1/files/version"
  hf install "$T/app-$1" --ref="$NEW" >/dev/null
}

# two_runtimes: Used, which New needs, and Idle, which nothing does.
two_runtimes() {
  installation
  hf mask 'org.example.None' # makes the installation
  one_runtime org.example.Used
  one_runtime org.example.Idle
  an_app 1 "$USED"
}

refs() {
  hf list --columns=ref
}

uninstalls_what_nothing_needs() {
  two_runtimes
  local idle
  idle=$(active_of "$IDLE")
  hf uninstall --unused >"$T/out"
  equal "$(cat "$T/out")" "Uninstalled $IDLE ${idle%.*}"
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$USED")"
  swept
  hf uninstall --unused >"$T/out"
  equal "$(cat "$T/out")" 'Nothing is unused'
  hf uninstall "$NEW"
  hf uninstall --unused -y
  equal "$(refs)" ''
  swept
}
promise 'uninstall --unused takes the runtimes that nothing needs, and nothing else' \
  uninstalls_what_nothing_needs

# Neither an application that nothing needs, nor one that needs nothing, is ever unused.
never_an_app() {
  two_runtimes
  hf install "$T/org.example.Idle" --ref="$THIRD" --command=true
  hf uninstall --unused
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$THIRD" "$USED")"
}
promise 'an application is never unused' never_an_app

pinned() {
  two_runtimes
  hf pin 'org.example.*//1'
  hf uninstall --unused
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$IDLE" "$USED")"
  hf pin --remove 'org.example.*//1'
  hf uninstall --unused
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$USED")"
}
promise 'what is pinned is not unused' pinned

# From a remote, from a directory, or though it is there.
named_is_pinned() {
  installed archive-1 "$HELLO"
  equal "$(hf pin)" '' 'pins after a runtime came as a dependency'
  hf install test "$PLATFORM" >"$T/out"
  equal "$(cat "$T/out")" "$(printf '%s\n' "$PLATFORM is already installed" "Pinned $PLATFORM, as it was named:\
 \`holdfast pin --remove $PLATFORM\` lets it go when unused")"
  hf install test "$PLATFORM" >"$T/out"
  equal "$(cat "$T/out")" "$PLATFORM is already installed"
  mkdir "$T/idle"
  printf '[Runtime]\nname=org.example.Idle\n' >"$T/idle/metadata"
  hf install "$T/idle" --ref="$IDLE" >"$T/out"
  matches "$(tail -1 "$T/out")" "^Pinned $IDLE, as it was named"
  hf uninstall "$HELLO"
  hf uninstall --unused
  equal "$(refs)" "$(printf '%s\n' "$IDLE" "$PLATFORM")"
  hf uninstall "$IDLE" >"$T/out"
  matches "$(tail -1 "$T/out")" "^Unpinned $IDLE"
  equal "$(hf pin)" "$PLATFORM"
  hf restore "$IDLE" >"$T/out"
  matches "$(tail -1 "$T/out")" "^Pinned $IDLE, as it was named"
  hf pin --remove "$PLATFORM"
  hf uninstall --unused
  equal "$(refs)" "$IDLE"
  hf uninstall "$IDLE"
  hf pin "${IDLE%/*}"
  hf restore "$IDLE"
  equal "$(hf pin)" "${IDLE%/*}" 'what is pinned already gets no pin'
}
promise 'a runtime that is named is pinned until it is uninstalled' named_is_pinned

named_and_not_installed() {
  installed archive-1
  expect 3 hf install test runtime/org.example.None
  mkdir "$T/not-one"
  printf 'nonsense' >"$T/not-one/metadata"
  mkdir "$T/not-one/files"
  expect '[1-9]' hf install "$T/not-one" --ref="$IDLE"
  equal "$(hf pin)" ''
}
promise 'and not if it was not installed' named_and_not_installed

rooted() {
  two_runtimes
  hf root add mine "$IDLE"
  hf uninstall --unused
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$IDLE" "$USED")"
  hf root remove mine
  hf uninstall --unused
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$USED")"
}
promise 'what a root names is not unused' rooted

# Else it could be restored, and would not start.
needed_by_what_a_root_keeps() {
  two_runtimes
  hf root add mine "$NEW"
  hf uninstall "$NEW"
  hf uninstall --unused
  equal "$(refs)" "$USED"
  expect 0 hf sweep
  hf restore "$NEW"
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$USED")"
}
promise 'what an application needs that a root keeps is not unused' needed_by_what_a_root_keeps

needed_for_rollback() {
  two_runtimes
  an_app 2 "$IDLE"
  hf uninstall --unused >"$T/out"
  equal "$(cat "$T/out")" 'Nothing is unused'
  hf rollback "$NEW"
  hf uninstall --unused
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$IDLE" "$USED")"
  keep_nothing
  hf uninstall --unused
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$USED")"
  swept
}
promise 'what an earlier deployment needs is not unused' needed_for_rollback

restored_with_what_is_needed_for_rollback() {
  two_runtimes
  an_app 2 "$IDLE"
  hf uninstall --all -y
  hf restore "$NEW" >"$T/out"
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$IDLE" "$USED")"
  swept
  hf rollback "$NEW"
  hf uninstall "$NEW"
  local idle
  idle=$(active_of "$IDLE")
  hf uninstall "$IDLE"
  chmod 0440 "$INST"/removed/*"$idle"/deployment
  hf restore "$NEW"
  equal "$(cat "$INST/deploy/$NEW/active/tree/files/version")" 1
  expect 3 hf rollback "$NEW"
  swept
}
promise 'what an earlier deployment needs comes back with it' restored_with_what_is_needed_for_rollback

not_uninstalled_while_needed_for_rollback() {
  two_runtimes
  an_app 2 "$IDLE"
  unchanged_by expect_error 4 "$NEW, as it is kept for rollback, needs $USED" hf uninstall "$USED"
  unchanged_by expect_error 4 "$NEW needs $IDLE" hf uninstall "$IDLE"
  hf uninstall --force-remove "$USED"
  expect 3 hf rollback "$NEW"
  hf restore "$USED"
  hf rollback "$NEW"
  hf uninstall "$USED" "$NEW"
  equal "$(refs)" "$IDLE"
  swept
}
promise 'what an earlier deployment needs is not uninstalled by accident' \
  not_uninstalled_while_needed_for_rollback

held() { # KIND
  two_runtimes
  hold "$1" shared "$(deployment_of "$IDLE")/.ref"
  hf uninstall --unused >"$T/out"
  matches "$(cat "$T/out")" "In use $IDLE "
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$IDLE" "$USED")"
  let_go
  hf uninstall --unused
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$USED")"
  swept
}
promise 'a runtime that something runs on is left, and said so' held ofd
promise 'the same, held by flock(1)' held flock

# An earlier deployment of the runtime would go with it.
an_earlier_one_is_held() {
  two_runtimes
  hold ofd shared "$(deployment_of "$IDLE")/.ref"
  echo more >"$T/org.example.Idle/files/more"
  one_runtime org.example.Idle
  hf uninstall --unused >"$T/out"
  matches "$(cat "$T/out")" "In use $IDLE "
  let_go
  hf uninstall --unused
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$USED")"
  swept
}
promise 'a runtime of which an earlier deployment is held is left, too' an_earlier_one_is_held

# The decision is made again under the lock.
an_app_comes_meanwhile() {
  two_runtimes
  stopped unused-listed uninstall --unused
  an_app 2 "$IDLE"
  continued 0
  matches "$(cat "$T/output")" "Left $IDLE is needed by now"
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$IDLE" "$USED")"
}
promise 'a runtime that an application comes to need meanwhile stays' an_app_comes_meanwhile

# The other way round: the install has seen its runtime, and has not published yet.
an_app_is_just_coming() {
  installed archive-1 "$PLATFORM"
  hf pin --remove "$PLATFORM"
  stopped publish-begun install test "$HELLO"
  hf uninstall --unused
  equal "$(refs)" '' 'what is installed meanwhile'
  continued 0
  equal "$(refs)" "$(printf '%s\n' "$HELLO" "$PLATFORM")"
  hf run "$HELLO"
}
promise 'an application that is about to need it has it installed again' an_app_is_just_coming

on_a_terminal() {
  need script 'it makes a terminal'
  two_runtimes
  echo n | script -qec "'$HOLDFAST' --installation='$INST' uninstall --unused" /dev/null >"$T/out"
  matches "$(cat "$T/out")" "Ref +Size" 'what is shown first'
  matches "$(cat "$T/out")" "$IDLE +[0-9]+.(bytes|kB)"
  [[ $(cat "$T/out") != *"$USED"* ]] || fail 'it shows what is used'
  [[ $(cat "$T/out") != *Uninstalled* ]] || fail 'it did not wait for an answer'
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$IDLE" "$USED")"
  echo y | script -qec "'$HOLDFAST' --installation='$INST' uninstall --unused" /dev/null >"$T/out"
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$USED")"
}
promise 'in a terminal it shows what would go, with sizes, and asks' on_a_terminal

bad_arguments() {
  two_runtimes
  unchanged_by expect_error 2 'exclude' hf uninstall --unused --all
  unchanged_by expect_error 2 'no REF' hf uninstall --unused "$IDLE"
  unchanged_by expect_error 2 'force-remove' hf uninstall --unused --force-remove
}
promise 'what --unused cannot be given with is refused' bad_arguments

a_bad_configuration() {
  two_runtimes
  printf '[Installation]\npinned=a b\n' >"$INST/config"
  expect 2 hf uninstall --unused
  equal "$(refs)" "$(printf '%s\n' "$NEW" "$IDLE" "$USED")"
}
promise 'with a configuration that makes no sense nothing is unused' a_bad_configuration

finish
