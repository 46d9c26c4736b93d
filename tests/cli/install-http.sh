#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The main job over HTTP, from a web server on this machine.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

served() { # FIXTURE [--stall=REGEX]
  installation
  REMOTE=$T/remote
  cp -a "$FIXTURES/$1" "$REMOTE"
  serve "$REMOTE" "${@:2}"
  hf remote-add --no-verify test "$URL"
}

the_whole_story() {
  served archive-1
  hf install "$HELLO"
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
  links_are_whole
  repository_is_whole
  publish archive-2
  hf update
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 2'
  swept
  links_are_whole
  hf uninstall --all
  swept
  equal "$(objects)" '' 'what is left in objects/'
}
promise 'an image is installed, updated and uninstalled over HTTP' the_whole_story

the_same_as_by_path() {
  served archive-1
  hf install "$HELLO"
  (cd "$INST" && find deploy repo/objects -printf '%P %y %m %n %s %l\n') |
    sed -E 's/[0-9a-f]{64}\.[0-9a-f]+/COMMIT.SERIAL/g' | sort >"$T/by-http"
  rm -r "$INST"
  hf remote-add --no-verify test "$REMOTE"
  hf install "$HELLO"
  (cd "$INST" && find deploy repo/objects -printf '%P %y %m %n %s %l\n') |
    sed -E 's/[0-9a-f]{64}\.[0-9a-f]+/COMMIT.SERIAL/g' | sort >"$T/by-path"
  diff -u "$T/by-path" "$T/by-http"
}
promise 'what is installed over HTTP is the same as by path' the_same_as_by_path

what_is_stored_is_not_fetched() {
  installed archive-1 "$HELLO"
  # The server has metadata and what is new only: everything else must be here already.
  cp -a "$FIXTURES/archive-2" "$T/served"
  (cd "$FIXTURES/archive-1" && find objects -name '*.filez') | (cd "$T/served" && xargs rm)
  serve "$T/served"
  hf remote-delete test
  hf remote-add --no-verify test "$URL"
  hf update
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 2'
  swept
}
promise 'an update fetches only what is not stored' what_is_stored_is_not_fetched

unreachable() {
  installed archive-1 "$HELLO"
  serve "$T"
  kill "${STARTED[-1]}"
  wait "${STARTED[-1]}" || true
  hf remote-add --no-verify gone "$URL"
  unchanged_by expect_error 1 "$URL|gone" hf install gone "$OTHER"
  unchanged_by expect_error 1 "$URL|gone" hf remote-ls gone
}
promise 'an unreachable URL is one clear error' unreachable

no_repository() {
  installed archive-1 "$HELLO"
  mkdir "$T/empty"
  serve "$T/empty"
  hf remote-add --no-verify empty "$URL"
  unchanged_by expect_error '1|3' "$URL|empty" hf install empty "$OTHER"
}
promise 'a URL without a repository is one clear error' no_repository

finish
