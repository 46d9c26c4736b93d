#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whoever holds a `.ref`, with whatever kind of lock, keeps the image; and nothing but a lock that was
# taken ever means that an image is free.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

keeps_its_entry() { # WHEN KIND MODE
  installed archive-1 "$HELLO" "$OTHER"
  if [ "$1" = before ]; then
    hold "$2" "$3" "$(deployment_of "$HELLO")/.ref"
    hf uninstall "$HELLO"
  else
    hf uninstall "$HELLO"
    hold "$2" "$3" "$(echo "$INST"/removed/*/.ref)"
  fi
  hf uninstall "$OTHER"
  expect 4 hf sweep --json
  equal "$(json '[e["ref"] for e in d["held"]]')" "[\"$HELLO\"]"
  equal "$(json '[e["ref"] for e in d["swept"]]')" "[\"$OTHER\"]"
  diff -r --no-dereference "$FIXTURES/hello-1" "$(echo "$INST"/removed/*/tree)"
  # The kernel names the holders of these two kinds.
  if [ "$2" != ofd ]; then
    equal "$(json '[h["pid"] for h in d["held"][0]["holders"]]')" "[$HOLDER]"
  fi
  let_go
  swept
}
for kind in flock posix ofd; do
  promise "a shared $kind lock keeps an image that is then uninstalled" keeps_its_entry before $kind shared
  promise "a shared $kind lock keeps an image that is out of service" keeps_its_entry after $kind shared
done
promise 'an exclusive flock lock keeps an image' keeps_its_entry after flock exclusive

# A sweeper takes a record lock exclusively, so the entry is left to whoever has it; but not for ever, since a sweeper
# that was stopped has it, too, and whoever can write the file.
leaves_it_to_the_other() { # KIND
  installed archive-1 "$HELLO" "$OTHER"
  hf uninstall "$HELLO"
  hold "$1" exclusive "$(echo "$INST"/removed/*/.ref)"
  hf uninstall "$OTHER"
  HOLDFAST_TEST_EAGER=1 expect 4 hf sweep --json
  equal "$(json '[e["ref"] for e in d["swept"]]')" "[\"$OTHER\"]"
  equal "$(json '[e["ref"] for e in d["held"]]')" "[\"$HELLO\"]"
  diff -r --no-dereference "$FIXTURES/hello-1" "$(echo "$INST"/removed/*/tree)"
  let_go
  swept
}
promise 'an entry that another seems to sweep is left to it, and named (posix)' leaves_it_to_the_other posix
promise 'an entry that another seems to sweep is left to it, and named (ofd)' leaves_it_to_the_other ofd

people_use_flock() {
  installed archive-1 "$HELLO"
  mkfifo "$T/in" "$T/said"
  flock --shared "$(deployment_of "$HELLO")/.ref" sh -c "echo held >'$T/said'; cat" <"$T/in" &
  started $!
  local pid=$! in
  exec {in}>"$T/in"
  equal "$(cat "$T/said")" held
  hf uninstall "$HELLO"
  expect 4 hf sweep
  exec {in}>&-
  wait $pid
  swept
}
promise 'flock(1) in a script keeps an image' people_use_flock

# A bad entry in removed/: it is left, and named, and everything else goes on.
is_damaged() { # COMMAND, run with the entry as its argument
  installed archive-1 "$HELLO" "$OTHER"
  hf uninstall "$HELLO"
  local entry
  entry=$(echo "$INST"/removed/*)
  "$@" "$entry"
  hf uninstall "$OTHER"
  expect 5 hf sweep --json
  equal "$(json '[e["path"] for e in d["damaged"]]')" "[\"removed/${entry##*/}\"]"
  equal "$(json '[e["ref"] for e in d["swept"]]')" "[\"$OTHER\"]"
  diff -r --no-dereference "$FIXTURES/hello-1" "$entry/tree"
  expect_error 5 "${entry##*/}" hf sweep
  hf install test "$OTHER"
  equal "$(hf run org.example.Other)" 'Hello from org.example.Other 1'
}
without_ref() {
  rm "$1/.ref"
}
with_directory() {
  rm "$1/.ref"
  mkdir "$1/.ref"
}
with_fifo() {
  rm "$1/.ref"
  mkfifo "$1/.ref"
}
with_link() {
  mv "$1/.ref" "$T/elsewhere"
  ln -s "$T/elsewhere" "$1/.ref"
}
with_dangling_link() {
  rm "$1/.ref"
  ln -s nowhere "$1/.ref"
}
promise 'an entry without .ref is not free, but damaged' is_damaged without_ref
promise 'an entry whose .ref is a directory is not free, but damaged' is_damaged with_directory
promise 'an entry whose .ref is a fifo is not free, but damaged' is_damaged with_fifo
promise 'an entry whose .ref is a link is not free, but damaged' is_damaged with_link
promise 'an entry whose .ref is a dangling link is not free, but damaged' is_damaged with_dangling_link

# Root reads everything; so this is somebody else.
an_unreadable_ref_is_not_free() {
  need root 'it becomes another user'
  installation
  chown nobody "$T"
  INST=$T/inst
  local as=(runuser -u nobody -- env "HOME=$T" "$HOLDFAST" --installation="$INST")
  "${as[@]}" remote-add --no-verify test "$FIXTURES/archive-1"
  "${as[@]}" install test "$HELLO"
  "${as[@]}" uninstall "$HELLO"
  local entry
  entry=$(echo "$INST"/removed/*)
  chmod 0000 "$entry/.ref"
  expect '4|5' "${as[@]}" sweep
  diff -r --no-dereference "$FIXTURES/hello-1" "$entry/tree"
  chmod 0644 "$entry/.ref"
  expect 0 "${as[@]}" sweep
  nothing_out_of_service
}
promise 'an unreadable .ref is not free' an_unreadable_ref_is_not_free

a_deployment_without_ref_does_not_start() {
  installed archive-1 "$HELLO"
  rm "$(deployment_of "$HELLO")/.ref"
  expect '1|3|5' hf run org.example.Hello
  equal "$(cat "$T/out")" ''
}
promise 'a deployment that cannot be held does not start' a_deployment_without_ref_does_not_start

empty_leftovers_go() {
  installed archive-1 "$HELLO"
  mkdir "$INST/removed/000000000001.$(commit_of hello-1).0123456789abcdef01234567"
  mkdir "$INST/staging/0123456789abcdef01234567"
  expect 0 hf sweep
  nothing_out_of_service
}
promise 'the empty directory of a sweep that was cut short goes' empty_leftovers_go

finish
