#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The main job from a repository on this machine, written by flatpak's own tools from real binaries:
# add, look, install, run, update, uninstall, sweep.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

a_remote_is_added_listed_and_deleted() {
  installed archive-1
  expect 0 hf remotes --json
  equal "$(json '[(r["name"], r["url"].replace("file://", "")) for r in d]')" \
    "[[\"test\", \"$REMOTE\"]]"
  expect 1 hf remote-add --no-verify test "$REMOTE"
  hf remote-add --no-verify --if-not-exists test "$REMOTE"
  hf remote-delete test
  expect 0 hf remotes --json
  equal "$(json 'd')" '[]'
  expect_error 3 test hf remote-ls test
}
promise 'a remote is added, listed and deleted' a_remote_is_added_listed_and_deleted

a_remote_tells_what_it_has() {
  installed signed-1 # which has branches of flatpak's own besides
  expect 0 hf remote-ls test --json
  equal "$(json '"\n".join(r["ref"] for r in d)' | sort)" \
    "$(printf '%s\n' "$HELLO" "$OTHER" "$PLATFORM" | sort)"
  equal "$(json "[r['commit'] for r in d if r['ref'] == '$HELLO'][0]")" "$(commit_of hello-1)"
}
promise 'a remote tells which images it has' a_remote_tells_what_it_has

all_remotes_tell() {
  installed archive-1
  cp -a "$REMOTE" "$T/second"
  hf remote-add --no-verify second "$T/second"
  expect 0 hf remote-ls
  equal "$(cut -f1,3 "$T/out")" "$(for remote in second test; do
    printf "%s\t$remote\n" "$HELLO" "$OTHER" "$PLATFORM"
  done)"
  hf remote-ls second >"$T/second.out"
  equal "$(grep second "$T/out" | cut -f1,2)" "$(cat "$T/second.out")" 'what one of them has'
  expect 0 hf remote-ls --json
  equal "$(json 'sorted({r["remote"] for r in d})')" '["second", "test"]'
}
promise 'without a remote, all tell what they have' all_remotes_tell

one_remote_is_away() {
  installed archive-1
  cp -a "$REMOTE" "$T/nowhere"
  hf remote-add --no-verify away "$T/nowhere"
  rm -r "$T/nowhere"
  expect 1 hf remote-ls
  matches "$(head -1 "$T/err")" "$T/nowhere"
  equal "$(tail -1 "$T/err")" 'holdfast: 1 of 2 remotes could not be listed'
  equal "$(cut -f1,3 "$T/out")" "$(printf '%s\ttest\n' "$HELLO" "$OTHER" "$PLATFORM")"
  expect 1 hf remote-ls --json
  equal "$(cat "$T/out")" '' 'what a script gets in place of all'
}
promise 'a remote that is away does not keep the others from telling' one_remote_is_away

deployed_is() { # REF COMMIT
  expect 0 hf list --json
  equal "$(json "[(r['commit'], r['origin']) for r in d if r['ref'] == '$1']")" \
    "[[\"$2\", \"test\"]]"
}

an_image_is_installed_with_its_runtime() {
  installed archive-1
  hf install test "$HELLO"
  deployed_is "$HELLO" "$(commit_of hello-1)"
  deployed_is "$PLATFORM" "$(commit_of platform-1)"
  repository_is_whole
  links_are_whole
}
promise 'an image is installed, and the runtime that it names' an_image_is_installed_with_its_runtime

# What ostree puts there as a copy, symlinks and empty files, has the time of the checkout.
layout_of() { # TREE
  (cd "$1" && find . -printf '%P %y %m %l\n' | sort &&
    find . \( -type d -o -type f -size +0 \) -printf '%P %T@\n' | sort)
}

# ostree's own checkout is the oracle: names, kinds, modes, times, sizes, targets and bytes.
a_deployment_is_what_ostree_checks_out() {
  installed archive-1 "$HELLO"
  local ref
  # Beside it: what ostree has to copy has the time of the copy.
  cp -a "$FIXTURES/bare-user-only" "$T/repository"
  for ref in "$HELLO" "$PLATFORM"; do
    ostree --repo="$T/repository" checkout -U "$ref" "$T/checkout"
    diff -u <(layout_of "$T/checkout") <(layout_of "$(deployment_of "$ref")/tree")
    diff -r --no-dereference "$T/checkout" "$(deployment_of "$ref")/tree"
    rm -r "$T/checkout"
  done
}
promise 'a deployment is what ostree itself checks out' a_deployment_is_what_ostree_checks_out

installs_as() { # ARGUMENT...
  installed archive-1
  hf install "$@"
  deployed_is "$HELLO" "$(commit_of hello-1)"
}
promise 'an image is found by its ID' installs_as org.example.Hello
promise 'an image is found by ID and branch' installs_as test org.example.Hello//stable
promise 'an image is found in the one remote that has it' installs_as "$HELLO"

the_remote_is_chosen_if_several_have_it() {
  installed archive-1
  cp -a "$REMOTE" "$T/second"
  hf remote-add --no-verify second "$T/second"
  unchanged_by expect_error 2 'test.*second|second.*test' hf install "$HELLO"
  hf install second "$HELLO"
  equal "$(hf list --json | json '[r["origin"] for r in d]' /dev/stdin)" '["second", "second"]'
}
promise 'of several remotes that have it, one must be named' the_remote_is_chosen_if_several_have_it

installs_from_mode() { # FIXTURE
  installed "$1" "$HELLO"
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
  repository_is_whole
  links_are_whole
}
promise 'an image is installed from a bare-user-only repository' installs_from_mode bare-user-only
promise 'an image is installed from a bare-user repository' installs_from_mode bare-user

installing_again_changes_nothing() {
  installed archive-1 "$HELLO"
  unchanged_by hf install test "$HELLO"
}
promise 'installing what is installed changes nothing' installing_again_changes_nothing

an_image_runs_with_arguments() {
  installed archive-1 "$HELLO"
  equal "$(hf run org.example.Hello one 'two words')" 'Hello from org.example.Hello 1: one two words'
  equal "$(hf run --command=sed "$HELLO" -n 1p /app/share/data/version)" 'version 1'
  matches "$(hf run --command=read-all org.example.Hello)" '^read [0-9]+$'
}
promise 'an image runs, with arguments and with another command' an_image_runs_with_arguments

an_update_replaces_both() {
  installed archive-1 "$HELLO"
  publish archive-2
  hf update
  deployed_is "$HELLO" "$(commit_of hello-2)"
  deployed_is "$PLATFORM" "$(commit_of platform-2)"
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 2'
  equal "$(hf run --command=cat org.example.Hello /usr/etc/runtime-version)" 'runtime 2'
  swept
  links_are_whole
  diff -r --no-dereference "$FIXTURES/hello-2" "$(deployment_of "$HELLO")/tree"
}
promise 'an update replaces the image and its runtime' an_update_replaces_both

an_update_of_one_leaves_the_others() {
  installed archive-1 "$HELLO" "$OTHER"
  publish archive-2
  hf update org.example.Hello
  deployed_is "$HELLO" "$(commit_of hello-2)"
  deployed_is "$OTHER" "$(ostree --repo="$REMOTE" rev-parse "$OTHER")"
  swept
}
promise 'an update of one image leaves the others alone' an_update_of_one_leaves_the_others

an_update_with_nothing_new_changes_nothing() {
  installed archive-1 "$HELLO"
  unchanged_by hf update
}
promise 'an update with nothing new changes nothing' an_update_with_nothing_new_changes_nothing

an_update_of_what_is_not_installed() {
  installed archive-1 "$PLATFORM"
  unchanged_by expect_error 3 org.example.Hello hf update org.example.Hello
}
promise 'what is not installed is not updated' an_update_of_what_is_not_installed

uninstalling_leaves_the_rest() {
  installed archive-1 "$HELLO" "$OTHER"
  hf uninstall org.example.Hello
  expect_error 3 'org.example.Hello' hf run org.example.Hello
  swept
  links_are_whole
  equal "$(hf run org.example.Other)" 'Hello from org.example.Other 1'
  expect_error 3 'org.example.Hello' hf uninstall org.example.Hello
}
promise 'uninstalling one image leaves what others share with it' uninstalling_leaves_the_rest

uninstalling_everything_leaves_no_object() {
  installed archive-1 "$HELLO" "$OTHER"
  hf remove "$OTHER"
  hf uninstall --all
  expect 0 hf list --json
  equal "$(json 'd')" '[]'
  swept
  equal "$(objects)" '' 'what is left in objects/'
  equal "$(find "$INST/deploy" -mindepth 1)" '' 'what is left in deploy/'
}
promise 'uninstalling everything leaves no object' uninstalling_everything_leaves_no_object

an_installation_comes_back_to_where_it_was() {
  installed archive-1 "$HELLO"
  hf uninstall --all
  hf sweep
  unchanged_by cycle
}
cycle() {
  hf install "$HELLO"
  hf uninstall --all
}
promise 'installing, uninstalling and sweeping leaves no trace' an_installation_comes_back_to_where_it_was

a_needed_runtime_stays() {
  installed archive-1 "$HELLO"
  unchanged_by expect_error 4 "$HELLO" hf uninstall "$PLATFORM"
}
promise 'a runtime that an application needs is not uninstalled under it' a_needed_runtime_stays

finish
