#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Signatures, made with real keys: what is signed by the remote's key is installed, everything else is
# refused and leaves nothing behind.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

# keyed PATH|HTTP FIXTURE [KEY]: a remote whose images must be signed with the key.
keyed() {
  installation
  REMOTE=$T/remote
  cp -a "$FIXTURES/$2" "$REMOTE"
  LOCATION=$REMOTE
  if [ "$1" = HTTP ]; then
    serve "$REMOTE"
    LOCATION=$URL
  fi
  hf remote-add --gpg-import="$FIXTURES/${3:-key}.gpg" test "$LOCATION"
}

signed_installs_and_updates() { # PATH|HTTP
  keyed "$1" signed-1
  hf install test "$HELLO"
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
  publish signed-2
  hf update
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 2'
  swept
}

refused() { # PATH|HTTP FIXTURE
  keyed "$1" "$2"
  unchanged_by expect_error 6 'sign|gpg|key' hf install test "$HELLO"
  expect 0 hf list --json
  equal "$(json 'd')" '[]'
}

# Of a commit whose summary is well signed.
commit_is_refused() { # PATH|HTTP COMMAND...
  keyed "$1" signed-1
  shift
  local commit
  commit=$(commit_of hello-1)
  "$@" "$REMOTE/objects/${commit:0:2}/${commit:2}.commitmeta"
  hf install test "$PLATFORM"
  unchanged_by expect_error 6 'sign|gpg|key' hf install test "$HELLO"
}

flip_middle() { # FILE
  "$LIB/flip-byte" "$1" "$(($(stat -c %s "$1") / 2))"
}

# Signed, but for another commit.
signature_of_another() { # FILE
  local other
  other=$(commit_of platform-1)
  cp "$REMOTE/objects/${other:0:2}/${other:2}.commitmeta" "$1"
}

an_unsigned_update_is_refused() { # PATH|HTTP
  keyed "$1" signed-1
  hf install test "$HELLO"
  find "$REMOTE" -name 'summary*.sig' -delete
  publish archive-2
  unchanged_by expect 6 hf update
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
}

for way in PATH HTTP; do
  promise "an image with a good signature is installed and updated ($way)" \
    signed_installs_and_updates $way
  promise "an image signed with another key is refused ($way)" refused $way wrongly-signed
  promise "an image without a signature is refused ($way)" refused $way archive-1
  promise "a commit without its signature is refused ($way)" commit_is_refused $way rm
  promise "a commit with a damaged signature is refused ($way)" commit_is_refused $way flip_middle
  promise "a commit with the signature of another is refused ($way)" \
    commit_is_refused $way signature_of_another
  promise "an unsigned update is refused ($way)" an_unsigned_update_is_refused $way
done

a_remote_needs_a_key() { # LOCATION
  installation
  expect_error 6 '--gpg-import.*--no-verify|--no-verify.*--gpg-import' hf remote-add test "$1"
  hf remote-add --no-verify other "$1"
  expect 0 hf remotes --json
  equal "$(json '[r["name"] for r in d]')" '["other"]'
}
promise 'a remote by URL needs a key or a word' a_remote_needs_a_key http://127.0.0.1:1
promise 'a remote by path needs a key or a word' a_remote_needs_a_key "$FIXTURES/archive-1"

a_key_that_is_none() {
  installation
  echo rubbish >"$T/rubbish"
  expect_error '1|6' rubbish hf remote-add --gpg-import="$T/rubbish" test "$FIXTURES/signed-1"
  expect_error 1 nowhere hf remote-add --gpg-import="$T/nowhere" test "$FIXTURES/signed-1"
  hf remote-add --gpg-import="$FIXTURES/key.gpg" test "$FIXTURES/signed-1"
  hf install test "$HELLO"
}
promise 'a file that holds no key adds no remote' a_key_that_is_none

a_deleted_remote_takes_its_key_along() {
  keyed PATH signed-1
  hf remote-delete test
  hf remote-add --gpg-import="$FIXTURES/other-key.gpg" test "$REMOTE"
  unchanged_by expect_error 6 'sign|gpg|key' hf install test "$HELLO"
}
promise 'a deleted remote takes its keys along' a_deleted_remote_takes_its_key_along

# A key ring that is left of a remote of that name says nothing: only the keys that are given are trusted.
a_stale_ring_is_not_trusted() {
  keyed PATH signed-1
  cp "$INST/repo/test.trustedkeys.gpg" "$T/ring"
  hf remote-delete test
  cp "$T/ring" "$INST/repo/test.trustedkeys.gpg"
  hf remote-add --gpg-import="$FIXTURES/other-key.gpg" test "$REMOTE"
  unchanged_by expect_error 6 'sign|gpg|key' hf install test "$HELLO"
}
promise 'a key that is left of a deleted remote is not trusted' a_stale_ring_is_not_trusted

finish
