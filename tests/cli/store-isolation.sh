#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Nothing that libostree does touches the objects in repo/: not its links, not its renames, not what it
# leaves behind when it fails.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

the_source_is_left_alone() { # FIXTURE
  installed "$1"
  "$LIB/snapshot" "$REMOTE" >"$T/source-before"
  hf install test "$HELLO"
  "$LIB/snapshot" "$REMOTE" >"$T/source-after"
  diff -u "$T/source-before" "$T/source-after"
  equal "$(comm -12 <(find "$REMOTE" -type f -printf '%D:%i\n' | sort) \
    <(find "$INST" -type f -printf '%D:%i\n' | sort))" '' 'inodes that both have'
}
for mode in archive-1 bare-user-only bare-user; do
  promise "an install from a local repository shares no inode with it and changes none ($mode)" \
    the_source_is_left_alone $mode
done

# by PATH|HTTP: the remote's location.
location() {
  case $1 in
    PATH) LOCATION=$FIXTURES/archive-1 ;;
    HTTP)
      serve "$FIXTURES/archive-1"
      LOCATION=$URL
      ;;
  esac
}

together() { # PATH|HTTP
  installation
  location "$1"
  hf remote-add --no-verify test "$LOCATION"
  local one two
  # Both need the runtime, and share files of their own.
  hf install test "$HELLO" >"$T/one" 2>&1 &
  one=$!
  hf install test "$OTHER" >"$T/two" 2>&1 &
  two=$!
  wait $one || fail "$(cat "$T/one")"
  wait $two || fail "$(cat "$T/two")"
  links_are_whole
  swept
  links_are_whole
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
  equal "$(hf run org.example.Other)" 'Hello from org.example.Other 1'
}
for way in PATH HTTP; do
  for round in 1 2 3; do
    promise "two installs at once leave every deployed file a link of its object ($way, $round)" \
      together $way
  done
done

the_same_at_once() {
  installed archive-1
  local pids=() pid i
  for i in 1 2 3; do
    hf install test "$HELLO" >"$T/$i" 2>&1 &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || fail "$(cat "$T"/[123])"
  done
  swept
  links_are_whole
}
promise 'three installs of one image at once all succeed' the_same_at_once

installing_and_sweeping() {
  installed archive-1 "$PLATFORM"
  local i sweeper
  for i in 1 2 3 4; do
    hf install test "$HELLO"
    hf uninstall "$HELLO"
    hf sweep >"$T/sweep" 2>&1 &
    sweeper=$!
    hf install test "$OTHER" "$HELLO"
    # What is being built is held by its builder: 4 is no failure.
    wait $sweeper || equal $? 4 "the sweep's status: $(cat "$T/sweep")"
    links_are_whole
    hf uninstall "$OTHER" "$HELLO"
  done
  swept
}
promise 'installs beside sweeps keep every object that they need' installing_and_sweeping

a_failed_pull_leaves_nothing() { # PATH|HTTP
  installed archive-1 "$PLATFORM"
  local largest
  largest=$(ostree --repo="$REMOTE" ls -C "$HELLO" /files/bin/grep | awk '{ print $5 }')
  "$LIB/flip-byte" "$REMOTE/objects/${largest:0:2}/${largest:2}.filez" 5000
  if [ "$1" = HTTP ]; then
    serve "$REMOTE"
    hf remote-delete test
    hf remote-add --no-verify test "$URL"
  fi
  find "$INST/repo" ! -path '*/objects/*' -printf '%P %y %s\n' | sort >"$T/repo-before"
  unchanged_by expect_error 6 'checksum|corrupt|damaged|inflat|decompress' hf install test "$HELLO"
  find "$INST/repo" ! -path '*/objects/*' -printf '%P %y %s\n' | sort >"$T/repo-after"
  diff -u "$T/repo-before" "$T/repo-after"
  equal "$(find "$INST/repo/tmp" -mindepth 1 -name 'staging-*')" '' 'what is left in repo/tmp'
}
promise 'a failed pull leaves nothing in repo/ (PATH)' a_failed_pull_leaves_nothing PATH
promise 'a failed pull leaves nothing in repo/ (HTTP)' a_failed_pull_leaves_nothing HTTP

lock_files_are_ours() {
  installed archive-1 "$HELLO"
  equal "$(stat -c '%a' "$INST/repo/.lock" "$INST/lock" "$INST/prune-lock" "$INST/turn-lock" | sort -u)" 600
  equal "$(stat -c '%a %s' "$(deployment_of "$HELLO")/.ref")" '644 0'
  equal "$(stat -c '%a' "$INST/staging" "$INST/removed" | xargs)" '700 711'
  equal "$(stat -c '%a' "$(deployment_of "$HELLO")/deployment")" 644
}
promise 'nobody else can take the locks of an installation' lock_files_are_ours

an_administrators_prune_does_no_harm() {
  installed archive-1 "$HELLO"
  objects >"$T/objects-before"
  ostree --repo="$INST/repo" prune --refs-only >/dev/null
  objects | diff -u "$T/objects-before" -
}
promise "an administrator's ostree prune takes nothing that is deployed" \
  an_administrators_prune_does_no_harm

finish
