#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The commands as people and programs meet them: help, mistakes, tables, JSON.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

COMMANDS='remote-add remote-delete remotes remote-ls install update uninstall list installations info df history run ps sweep repair'

every_command_has_help() {
  installation
  expect 0 hf --help
  local command
  for command in $COMMANDS; do
    grep -qw -- "$command" "$T/out" || fail "holdfast --help does not tell of $command"
  done
  for command in $COMMANDS; do
    expect 0 hf "$command" --help
    test -s "$T/out"
    equal "$(cat "$T/err")" ''
    expect 0 hf help "$command"
  done
  matches "$(hf --version)" '^holdfast [0-9]+\.[0-9]+'
  expect 2 hf
  test ! -e "$INST"
}
promise 'every command has help, and asking for it changes nothing' every_command_has_help

every_json_is_one_document() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  hf uninstall "$HELLO"
  hf install test "$HELLO"
  local command status
  for command in list installations "info $HELLO" df history ps sweep remotes 'remote-ls test'; do
    status=0
    [ "$command" != sweep ] || status=4
    # shellcheck disable=SC2086 # words
    expect $status hf $command --json
    json 'd' >/dev/null
    /usr/bin/python3 - "$T/out" <<'EOF'
import json, re, sys
def keys(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)
bad = [key for key in keys(json.load(open(sys.argv[1]))) if not re.fullmatch("[a-z]+(_[a-z]+)*", key)]
sys.exit("keys that are no snake_case: %s" % bad if bad else 0)
EOF
  done
  end one
}
promise 'with --json every command that lists prints one document with snake_case keys' \
  every_json_is_one_document

keys_are_stable() {
  installed archive-1 "$HELLO"
  expect 0 hf list --json
  equal "$(json 'sorted({"ref", "commit", "origin", "serial", "active"} - set(d[0]))')" '[]' 'list'
  expect 0 hf info "$HELLO" --json
  equal "$(json 'sorted({"ref", "commit", "origin", "serial", "active"} - set(d))')" '[]' 'info'
  equal "$(json 'd["active"]')" true
  equal "$(json 'd["commit"] + "." + d["serial"]')" "$(active_of "$HELLO")"
  equal "$(json 'd["runtime"]')" "$PLATFORM"
  expect 0 hf sweep --json
  equal "$(json 'd["swept"], d["held"], d["damaged"], d["objects"], d["bytes"]')" '[[], [], [], 0, 0]'
  hf uninstall --all
  expect 0 hf sweep --json
  equal "$(json 'sorted(e["ref"] for e in d["swept"])')" "[\"$HELLO\", \"$PLATFORM\"]"
  test "$(json 'd["objects"]')" -gt 400
  test "$(json 'd["bytes"]')" -gt 20000000
}
promise 'the keys that programs need are there' keys_are_stable

a_sweep_counts_what_it_frees() {
  installed archive-1 "$HELLO"
  local before after
  before=$(find "$INST/repo/objects" -type f,l | wc -l)
  hf uninstall "$HELLO"
  expect 0 hf sweep --json
  after=$(find "$INST/repo/objects" -type f,l | wc -l)
  equal "$(json 'd["objects"]')" $((before - after))
}
promise 'a sweep counts what it frees' a_sweep_counts_what_it_frees

lists_choose() {
  installed archive-1 "$HELLO" "$OTHER"
  equal "$(hf list --app --json | json '[r["ref"] for r in d]' /dev/stdin)" "[\"$HELLO\", \"$OTHER\"]"
  equal "$(hf list --runtime --json | json '[r["ref"] for r in d]' /dev/stdin)" "[\"$PLATFORM\"]"
  equal "$(hf list --app --columns=id,branch | grep org.example | xargs)" \
    'org.example.Hello stable org.example.Other stable'
  expect_error 2 nonesuch hf list --columns=nonesuch
}
promise 'list chooses kinds and columns' lists_choose

options_stand_anywhere() {
  installed archive-1 "$HELLO"
  equal "$("$HOLDFAST" list --json --installation="$INST" | json 'len(d)' /dev/stdin)" 2
  equal "$("$HOLDFAST" --json --installation "$INST" list | json 'len(d)' /dev/stdin)" 2
  expect_error 2 'one of' "$HOLDFAST" --user --system list
  equal "$(hf run org.example.Hello --help --json)" 'Hello from org.example.Hello 1: --help --json'
}
promise "global options stand before and after the command; after REF they are the app's" \
  options_stand_anywhere

an_empty_installation() {
  installation
  hf remote-add --no-verify test "$FIXTURES/archive-1"
  local command
  for command in list ps remotes sweep update df history; do
    expect 0 hf "$command"
  done
  expect 0 hf uninstall --all
  unchanged_by hf sweep
}
promise 'an empty installation is nothing special' an_empty_installation

a_users_place() {
  installation
  export XDG_DATA_HOME=$T/data
  "$HOLDFAST" --user remote-add --no-verify test "$FIXTURES/archive-1"
  equal "$(cat "$T/data/holdfast/format")" 1
  unset XDG_DATA_HOME
  "$HOLDFAST" --user remote-add --no-verify test "$FIXTURES/archive-1"
  equal "$(cat "$HOME/.local/share/holdfast/format")" 1
  # A relative one is no place.
  matches "$(env -C "$T" XDG_DATA_HOME=. "$HOLDFAST" --user remotes)" "$FIXTURES/archive-1"
  env -C "$T" HOME=. "$HOLDFAST" --user remotes >/dev/null
  [ ! -e "$T/holdfast" ] && [ ! -e "$T/.local" ]
}
promise "the user's installation is where the specification says" a_users_place

output_that_fails() {
  need root 'it needs /dev/full'
  installed archive-1 "$HELLO"
  local status=0
  hf list >/dev/full 2>"$T/err" || status=$?
  matches "$status" '^[17]$' 'the status'
  grep -q '^holdfast: ' "$T/err" || fail "$(cat "$T/err")"
}
promise 'output that cannot be written is an error' output_that_fails

an_idle_sweep_writes_nothing() {
  need strace 'it watches for writes'
  installed archive-1 "$HELLO"
  traced -o "$T/trace" -e trace=openat,openat2,unlinkat,renameat,renameat2,mkdirat,fchmod,execve,write,sendto \
    "$HOLDFAST" --installation="$INST" sweep
  ! grep -E 'unlinkat|renameat|mkdirat|fchmod|holdfast-store|O_CREAT|write|sendto' "$T/trace" ||
    fail 'an idle sweep does more than look'
  equal "$(grep -c libostree "$T/trace" || true)" 0
}
promise 'an idle sweep writes nothing and loads no libostree' an_idle_sweep_writes_nothing

calls() { # SUMMARY of strace -c
  awk '/ total$/ { print $4 }' "$1"
}

removal_reads_nothing() {
  need strace 'it counts system calls'
  installed archive-1 "$HELLO" "$OTHER"
  # Of what it exports, names go and caches are made anew; a runtime exports nothing.
  hf config --set exports no
  traced -c -o "$T/small" "$HOLDFAST" --installation="$INST" uninstall "$HELLO"
  traced -c -o "$T/large" "$HOLDFAST" --installation="$INST" uninstall --force-remove "$PLATFORM"
  local small large
  small=$(calls "$T/small")
  large=$(calls "$T/large")
  [ "$small" -gt 10 ]
  if [ "$((large - small))" -gt 60 ] || [ "$((small - large))" -gt 60 ]; then
    fail "$small system calls for 20 files, $large for 440"
  fi
}
promise 'the cost of an uninstall does not depend on the image' removal_reads_nothing

finish
