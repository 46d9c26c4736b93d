#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Images of one's own, from a directory or a tarball.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

OWN=app/org.example.Own/$ARCH/stable

has_origin_local() {
  expect 0 hf list --json
  equal "$(json "[r['origin'] for r in d if r['ref'] == '$1']")" '["local"]'
}

from_a_directory() {
  installed archive-1 "$PLATFORM"
  "$LIB/make-app" "$T/app" 7 org.example.Own
  hf install "$T/app" --ref="$OWN"
  has_origin_local "$OWN"
  equal "$(hf run org.example.Own a)" 'Hello from org.example.Own 7: a'
  links_are_whole
  diff -r --no-dereference "$T/app" "$(deployment_of "$OWN")/tree"
  hf uninstall "$OWN"
  swept
}
promise 'a directory is installed as an image' from_a_directory

from_a_tarball() { # OPTION SUFFIX
  installed archive-1 "$PLATFORM"
  "$LIB/make-app" "$T/app" 7 org.example.Own
  tar -C "$T/app" "$1" -f "$T/app.$2" .
  hf install "$T/app.$2" --ref="$OWN"
  has_origin_local "$OWN"
  equal "$(hf run org.example.Own)" 'Hello from org.example.Own 7'
  diff -r --no-dereference "$T/app" "$(deployment_of "$OWN")/tree"
  hf uninstall "$OWN"
  swept
}
promise 'a tarball is installed as an image' from_a_tarball -c tar
promise 'a compressed tarball is installed as an image' from_a_tarball -cz tar.gz

# No metadata, no files/: the directory is what the sandbox has for a root.
a_whole_root() {
  mkdir -p "$T/root/etc"
  cp -a "$FIXTURES/platform-1/files" "$T/root/usr"
  ln -s usr/bin usr/lib usr/lib64 usr/sbin "$T/root"
  echo mine >"$T/root/etc/mine"
}

a_root_of_its_own() {
  installation
  a_whole_root
  hf install "$T/root" --ref="$OWN" --command=/usr/bin/bash
  has_origin_local "$OWN"
  equal "$(hf run org.example.Own -c 'cat /etc/mine')" mine
  instance one org.example.Own
  hf uninstall "$OWN"
  expect 4 hf sweep
  equal "$(ask one 'cat /etc/mine')" mine
  end one
  await_entries_free
  swept
}
promise 'an image without a runtime is the root of its sandbox' a_root_of_its_own

again_replaces() {
  installed archive-1 "$PLATFORM"
  "$LIB/make-app" "$T/seven" 7 org.example.Own
  "$LIB/make-app" "$T/eight" 8 org.example.Own
  hf install "$T/seven" --ref="$OWN"
  hf install "$T/eight" --ref="$OWN"
  equal "$(hf run org.example.Own)" 'Hello from org.example.Own 8'
  swept
  hf update
  equal "$(hf run org.example.Own)" 'Hello from org.example.Own 8'
}
promise 'installing another directory under the same ref replaces the image' again_replaces

the_source_is_left_alone() {
  installed archive-1 "$PLATFORM"
  "$LIB/make-app" "$T/app" 7 org.example.Own
  "$LIB/snapshot" "$T/app" >"$T/before"
  hf install "$T/app" --ref="$OWN"
  "$LIB/snapshot" "$T/app" | diff -u "$T/before" -
}
promise 'the directory is left as it was' the_source_is_left_alone

without_its_runtime() {
  installed archive-1 "$PLATFORM"
  hf uninstall "$PLATFORM"
  hf sweep
  hf remote-delete test
  "$LIB/make-app" "$T/app" 7 org.example.Own
  unchanged_by expect_error 3 "$PLATFORM" hf install "$T/app" --ref="$OWN"
}
promise 'an image whose runtime is nowhere is refused' without_its_runtime

how_to_say_it() {
  installed archive-1 "$PLATFORM"
  mkdir "$T/app"
  expect_error 2 --ref hf install "$T/app"
  expect_error 2 "'hello'|hello is" hf install "$T/app" --ref=hello
  expect_error 2 --ref hf install "$T/app" "$T/app" --ref="$OWN"
}
promise 'a directory needs a full ref to be installed as' how_to_say_it

finish
