#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Repair: one damage of each kind.  Each is told by a dry run that changes nothing at all, mended by a
# repair, and then everything is as if it had never been there: it runs, ostree's fsck is content, and
# one sweep leaves the names and links of the undamaged installation.  What cannot be mended is said and
# left exactly as it is.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/small-images.sh
. "$(dirname "$0")/../lib/small-images.sh"
private_mounts
# shellcheck source-path=SCRIPTDIR source=../lib/repairs.sh
. "$(dirname "$0")/../lib/repairs.sh"

SAYS_HELLO='Hello from org.example.Hello 1'

# Everything that stat tells, times and inodes included.
exactly() {
  find "$INST" -printf '%p %y %D:%i %m %n %U:%G %s %T@ %C@ %l\n' | LC_ALL=C sort
}

# undamaged [REF...]: an installation to damage, and what it is like before.
undamaged() {
  installed archive-1 "${@:-$HELLO}"
  remember
}
remember() {
  names >"$T/undamaged"
  D=$(deployment_of "$HELLO")
}

# object_of FILE: the stored object that it is a link to.
object_of() {
  find "$INST/repo/objects" -samefile "$1"
}

# told REGEX: a dry run tells of it, and changes nothing.
told() {
  exactly >"$T/before"
  asked 5 --dry-run
  grep -Eq -- "$1" "$T/out" || fail "it does not tell of '$1': $(cat "$T/out")"
  exactly | diff -U0 "$T/before" - || fail 'a dry run changed something'
}

# mended: by one repair, after which nothing is left of it.
mended() {
  asked 0
  cp "$T/asked" "$T/repaired"
  expect 0 hf repair
  equal "$(cat "$T/out")" 'Nothing to repair' 'what the second repair says'
  equal "$(hf run org.example.Hello)" "$SAYS_HELLO"
  hf sweep
  await_entries_free
  swept
  links_are_whole
  names | diff -U0 "$T/undamaged" - || fail 'it is not as it was before'
}

# damage NAME REGEX COMMAND...: one promise about one kind.
damage() {
  promise "$1" damaged_by "${@:2}"
}
damaged_by() { # REGEX COMMAND...
  undamaged
  "${@:2}"
  told "$1"
  mended
}

healthy() {
  undamaged
  exactly >"$T/before"
  expect 0 hf repair --dry-run
  equal "$(cat "$T/out")" 'Nothing to repair'
  expect 0 hf repair
  equal "$(cat "$T/out")" 'Nothing to repair'
  exactly | diff -U0 "$T/before" - || fail 'a repair without anything to do changed something'
  expect 0 hf repair --json
  equal "$(json 'd["findings"]')" '[]'
}
promise 'an installation that is well is left exactly as it is' healthy

# What is kept for good is what was rooted, and not what was wrong with it.
rooted() {
  undamaged
  hf root add mine "$HELLO"
  rm "$D/tree/files/bin/hello"
  expect 0 hf repair
  hf sweep
  swept
  equal "$(hf root list --json >"$T/out"; json 'd[0]["serial"]')" \
    "$(active_of "$HELLO" | cut -d. -f2)" 'what the root keeps'
  matches "$(hf history)" 'repair'
  hf root remove mine
  names | diff -U0 "$T/undamaged" - || fail 'it is not as it was before'
}
promise 'a root keeps the deployment that comes in the place of a damaged one' rooted

# --- Objects --------------------------------------------------------------------------------------

# The same inode in the store and in the tree.
alter() {
  "$LIB/flip-byte" "$D/tree/files/bin/hello" 3
}
cut_file() {
  truncate -s 5 "$D/tree/files/bin/hello"
}
empty_file() {
  : >"$D/tree/files/bin/hello"
}
alter_metadata() { # SUFFIX
  "$LIB/flip-byte" "$(find "$D/pins" -name "*.$1" | sort | tail -1)" 9
}
lose() { # FILE
  rm "$(object_of "$1")"
}
lose_all() { # FILE
  rm "$(object_of "$1")" "$1"
}
# The store has another inode than the tree, with something else in it.
replace_object() {
  local object
  object=$(object_of "$D/tree/files/bin/hello")
  rm "$object"
  echo 'something else' >"$object"
  chmod 0755 "$object"
}
damage 'a byte of an object has changed' 'bin/hello: is altered: .*fetched from remote test' alter
damage 'a file was cut short' 'repo/objects/.*: is corrupt' cut_file
damage 'a file was emptied' 'repo/objects/.*: is corrupt' empty_file
damage 'a byte of a dirtree has changed' '\.dirtree: is (altered|corrupt)' alter_metadata dirtree
damage 'a byte of a dirmeta has changed' '\.dirmeta: is (altered|corrupt)' alter_metadata dirmeta
damage 'a byte of the commit has changed' '\.commit: is (altered|corrupt)' alter_metadata commit
# What is in a directory cannot be told until its dirtree is there again.
alter_what_hides() {
  local dirtree
  for dirtree in "$D"/pins/*.dirtree; do
    "$LIB/flip-byte" "$dirtree" 9
  done
  alter
}
damage 'a file has changed, and what tells so, too' '\.dirtree: is (altered|corrupt)' alter_what_hides
lose_object() {
  lose "$D/tree/files/bin/hello"
}
lose_both() {
  lose_all "$D/tree/files/bin/hello"
}
lose_commit() {
  lose "$(find "$D/pins" -name '*.commit')"
}
lose_symlink() {
  lose "$(find "$D/pins" -type l | sort | head -1)"
}
damage 'an object is missing that the tree has' 'repo/objects/.*: is missing: is linked again' lose_object
damage 'an object is missing everywhere' 'hello: is missing: .*fetched from remote test' lose_both
damage 'the commit is missing' '\.commit: is missing: is linked again' lose_commit
damage 'a stored symlink is missing' '\.file: is missing: is linked again' lose_symlink
damage 'an object was replaced' 'repo/objects/.*: is corrupt: is linked again' replace_object

change_mode() {
  chmod 0700 "$D/tree/files/bin/hello"
}
damage 'the mode of a file was changed' 'has a wrong mode: gets mode 0755' change_mode

lose_the_store() {
  rm -r "$INST/repo/objects"
}
all_objects() {
  undamaged
  lose_the_store
  expect 0 hf repair
  mended
}
promise 'all that is stored is linked again from what is deployed' all_objects

# --- Deployments ------------------------------------------------------------------------------------

remove_file() {
  rm "$D/tree/files/bin/hello"
}
add_file() {
  echo stranger >"$D/tree/files/stranger"
}
change_directory_mode() {
  chmod 0777 "$D/tree/files/bin"
}
change_symlink() {
  ln -sfn elsewhere "$(find "$D/tree" -type l | sort | head -1)"
}
change_empty_file() {
  echo filled >"$(find "$D/tree" -type f -links 1 -empty | head -1)"
}
unlink_file() {
  cp -a "$D/tree/files/bin/hello" "$D/copy"
  mv "$D/copy" "$D/tree/files/bin/hello"
}
remove_directory() {
  rm -r "$D/tree/files/bin"
}
remove_tree() {
  rm -r "$D/tree"
}
remove_pin() { # SUFFIX
  rm "$(find "$D/pins" -name "*.$1" | sort | head -1)"
}
remove_pins() {
  rm -r "$D/pins"
}
add_pin() {
  ln "$(find "$INST"/deploy/runtime/*/*/*/*/tree -type f -size +0 | head -1)" \
    "$D/pins/$(printf '%064d' 0).file"
}
damage 'a file is missing' 'bin/hello: is missing: .*from what is stored' remove_file
damage 'a file was added' 'files/stranger: does not belong to the image' add_file
damage 'the mode of a directory was changed' 'files/bin: has mode 0777' change_directory_mode
damage 'a symlink leads elsewhere' 'is altered: .*from what is stored' change_symlink
damage 'an empty file was filled' 'is altered: .*from what is stored' change_empty_file
damage 'a file is a copy and no link' 'is a copy' unlink_file
damage 'a directory is missing' 'files/bin: is missing' remove_directory
damage 'the whole tree is missing' 'tree: is missing' remove_tree
damage 'a pin is missing' 'pins/.*: is missing: .*from what is stored' remove_pin dirtree
damage 'the pin of the commit is missing' 'pins/.*commit: is missing' remove_pin commit
damage 'all pins are missing' 'pins: is missing' remove_pins
damage 'there is a pin too many' 'pins/0*.file: does not belong' add_pin

remove_ref() {
  rm "$D/.ref"
}
directory_as_ref() {
  rm "$D/.ref"
  mkdir "$D/.ref"
  echo something >"$D/.ref/file"
}
close_ref() {
  chmod 0600 "$D/.ref"
}
open_ref() {
  chmod 0666 "$D/.ref"
}
garbage_record() {
  printf 'garbage\n\0' >"$D/deployment"
}
other_record() {
  cat "$(deployment_of "$PLATFORM")/deployment" >"$D/deployment"
}
no_record() {
  rm "$D/deployment"
}
strange_state() {
  chmod 0600 "$D/deployment"
}
damage 'the .ref is missing' '\.ref: is missing' remove_ref
damage 'the .ref is a directory' '\.ref: is no regular file' directory_as_ref
damage 'the .ref cannot be read by others' '\.ref: has mode 0600' close_ref
damage 'the .ref can be written by others' '\.ref: has mode 0666' open_ref
damage 'the record is garbage' 'deployment: is no record' garbage_record
damage 'the record is of something else' 'deployment: is the record of something else' other_record
damage 'the record is missing' 'deployment: is missing' no_record
damage 'the state means nothing' 'deployment: has mode 0600, which means nothing' strange_state

active_to_nothing() {
  ln -sfn "$(printf '%064d' 0).00000000000000000000" "$INST/deploy/$HELLO/active"
}
active_to_nonsense() {
  ln -sfn ../../elsewhere "$INST/deploy/$HELLO/active"
}
active_file() {
  rm "$INST/deploy/$HELLO/active"
  basename "$D" >"$INST/deploy/$HELLO/active"
}
no_active() {
  rm "$INST/deploy/$HELLO/active"
}
no_deployment() {
  rm -r "$D"
}
damage 'active names what is not there' 'active: names a deployment that is not there' active_to_nothing
damage 'active leads elsewhere' 'active: does not name a deployment' active_to_nonsense
damage 'active is a file' 'active: is no symlink' active_file
damage 'active is missing' 'active: is missing' no_active
damage 'the deployment is not there' 'is not there: .*built anew from what is stored' no_deployment

# --- Where it comes from ----------------------------------------------------------------------------

# left REGEX COMMAND...: repair says that it cannot, and leaves everything exactly as it is.
left_as_it_is() {
  exactly >"$T/before"
  expect 5 hf repair --dry-run
  grep '^0 to mend,' "$T/out" >/dev/null || fail "it tells of mending: $(cat "$T/out")"
  expect 5 hf repair
  grep -Eq -- "$1" "$T/out" || fail "it does not tell of '$1': $(cat "$T/out")"
  exactly | diff -U0 "$T/before" - || fail 'it was not left as it is'
}

origin_forgotten() {
  undamaged
  alter
  hf remote-delete test
  left_as_it_is 'its remote test, .* is not known any more'
  hf remote-add --no-verify test "$REMOTE"
  mended
}
promise 'without its remote a damaged image stays as it is' origin_forgotten

origin_gone() {
  undamaged
  alter
  mv "$REMOTE" "$T/away"
  expect 5 hf repair
  matches "$(cat "$T/out")" 'Left deploy/.*remote'
  names | diff -U0 "$T/undamaged" - || fail 'it was not left as it is'
  mv "$T/away" "$REMOTE"
  mended
}
promise 'an origin that cannot be reached leaves the image as it is' origin_gone

origin_damaged() {
  undamaged
  local object
  object=$(object_of "$D/tree/files/bin/hello")
  alter
  object=${object#"$INST/repo/objects/"}
  cp -a "$REMOTE" "$T/good"
  "$LIB/flip-byte" "$REMOTE/objects/${object}z" 20
  expect 5 hf repair
  names | diff -U0 "$T/undamaged" - || fail 'it was not left as it is'
  rm -r "$REMOTE"
  mv "$T/good" "$REMOTE"
  mended
}
promise 'an origin that is damaged itself is not believed' origin_damaged

origin_not_needed() {
  undamaged
  hf remote-delete test
  mv "$REMOTE" "$T/away"
  lose_object
  remove_pin dirtree
  remove_ref
  told 'from what is stored'
  expect 0 hf repair
  equal "$(hf run org.example.Hello)" "$SAYS_HELLO"
}
promise 'what is still here in one place or another needs no origin' origin_not_needed

local_origin() {
  installation
  mkdir -p "$T/own/bin"
  echo one >"$T/own/bin/one"
  hf install "$T/own" --ref="$HELLO"
  D=$(deployment_of "$HELLO")
  echo two >"$D/tree/files/bin/one"
  left_as_it_is 'came from a directory or tarball'
}
promise 'what came from a directory and is lost stays as it is' local_origin

from_the_network() {
  installation
  serve "$FIXTURES/signed-1"
  hf remote-add --gpg-import="$FIXTURES/key.gpg" test "$URL"
  hf install test "$HELLO"
  remember
  alter
  alter_metadata dirtree
  told 'fetched from remote test'
  mended
}
promise 'what is lost is fetched over the network, and its signature verified' from_the_network

not_signed() {
  installed signed-1
  hf remote-delete test
  hf remote-add --gpg-import="$FIXTURES/key.gpg" test "$REMOTE"
  hf install test "$HELLO"
  remember
  alter
  hf remote-delete test
  hf remote-add --gpg-import="$FIXTURES/other-key.gpg" test "$REMOTE"
  expect 5 hf repair
  matches "$(cat "$T/out")" 'not signed by a key'
  names | grep -v trustedkeys | diff -U0 <(grep -v trustedkeys "$T/undamaged") - ||
    fail 'it was not left as it is'
}
promise 'what is fetched must be signed as in an install' not_signed

shared_by_two() {
  undamaged "$HELLO" "$OTHER"
  local shared
  shared=$(find "$D/tree" -type f -links +2 | sort | head -1)
  "$LIB/flip-byte" "$shared" 3
  told 'is altered: app/org.example.Other'
  mended
}
promise 'an object that two images share is mended in both' shared_by_two

newer_upstream() {
  undamaged
  publish archive-2
  alter
  mended
}
promise 'the image that was installed is mended, and not updated' newer_upstream

one_ref() {
  undamaged "$HELLO" "$OTHER"
  remove_file
  expect 0 hf repair org.example.Other
  equal "$(cat "$T/out")" 'Nothing to repair'
  expect 5 hf repair --dry-run org.example.Hello
  expect 3 hf repair org.example.Nowhere
  expect 0 hf repair org.example.Hello --json
  equal "$(json '{f["outcome"] for f in d["findings"]} == {"mended"}')" true
  mended
}
promise 'only what is named is looked at' one_ref

# --- While it runs ------------------------------------------------------------------------------------

while_it_runs() {
  undamaged
  instance one org.example.Hello
  local inode
  inode=$(ask one 'stat -c %i /app/bin/hello')
  alter
  remove_directory_of_another
  expect 0 hf repair
  equal "$(ask one 'stat -c %i /app/bin/hello')" "$inode" 'the inode that the instance sees'
  equal "$(hf run org.example.Hello)" "$SAYS_HELLO"
  expect 0 hf repair
  expect 4 hf sweep
  end one
  await_entries_free
  mended
}
remove_directory_of_another() {
  rm -r "$D/tree/files/share"
}
promise 'an instance of a damaged image goes on with the files that it has' while_it_runs

without_ref_while_it_runs() {
  undamaged
  instance one org.example.Hello
  remove_ref
  expect 5 hf repair
  matches "$(cat "$T/out")" 'in use without a lock by'
  equal "$(hf run org.example.Hello)" "$SAYS_HELLO"
  expect 5 hf repair
  expect 5 hf sweep
  ask one 'cat /app/bin/hello >/dev/null && echo there' | grep there
  end one
  mended
}
promise 'an image whose .ref is gone is not deleted while something uses it' without_ref_while_it_runs

# --- Debris -------------------------------------------------------------------------------------------

# debris NAME REGEX COMMAND...
left_format() {
  echo 1 >"$INST/format.new"
}
left_active_new() {
  ln -s nowhere "$INST/deploy/$HELLO/active.new"
}
left_forwarding() {
  ln -s ../../../../../removed/000000000001."$(basename "$D")" \
    "$INST/deploy/$HELLO/$(basename "$D" | cut -c-64).0000000000000000aaaa"
}
left_directories() {
  mkdir -p "$INST/deploy/app/org.example.Empty/$ARCH"
}
unpublished() {
  cp -al "$D" "${D%.*}.0000000000000000bbbb"
  rm "${D%.*}.0000000000000000bbbb/.ref" "${D%.*}.0000000000000000bbbb/deployment"
  cp "$D/deployment" "${D%.*}.0000000000000000bbbb"
  : >"${D%.*}.0000000000000000bbbb/.ref"
  chmod 0744 "${D%.*}.0000000000000000bbbb/deployment"
}
marked() {
  chmod +t "$INST/deploy"
}
left_partial() {
  : >"$INST/repo/state/$(printf '%064d' 0).commitpartial"
}
left_temporary() {
  mkdir "$INST/repo/tmp/staging-of-old"
  echo something >"$INST/repo/tmp/staging-of-old/file"
  touch -d '3 days ago' "$INST/repo/tmp/staging-of-old"
}
left_ref() {
  printf '%064d\n' 0 >"$INST/repo/refs/heads/deploy/$(printf '%064d' 0)"
}
no_commit_ref() {
  rm "$INST"/repo/refs/heads/deploy/*
}
wrong_commit_ref() {
  echo nonsense >"$INST/repo/refs/heads/deploy/$(basename "$D" | cut -c-64)"
}
left_object() {
  mkdir -p "$INST/repo/objects/00"
  echo nothing >"$INST/repo/objects/00/$(printf '%062d' 0).file"
}
left_staging() {
  mkdir "$INST/staging/0000000000000000cccc"
  cp -a "$D/tree" "$INST/staging/0000000000000000cccc"
}
removed_without() { # FILE
  hf install test "$OTHER"
  local entry
  hf uninstall "$OTHER"
  entry=$(echo "$INST"/removed/*)
  rm "$entry/$1"
}
removed_garbage() {
  hf install test "$OTHER"
  hf uninstall "$OTHER"
  echo garbage >"$(echo "$INST"/removed/*/deployment)"
}
removed_state() {
  hf install test "$OTHER"
  hf uninstall "$OTHER"
  chmod 0604 "$INST"/removed/*/deployment
}
damage 'a creation of the installation was cut short' 'format\..*: was left' left_format
damage 'a change of active was left behind' 'active.new: was left' left_active_new
damage 'a link forwards to nothing' 'forwards to what has gone' left_forwarding
damage 'directories of deploy/ are empty' 'is empty' left_directories
damage 'a deployment was never put into service' 'never put into service' unpublished
damage 'the unsettled mark is set, with nothing to settle' 'deploy: is marked' marked
damage 'a commit that is not there is marked as partial' 'marks a commit' left_partial
damage 'libostree left something in tmp/' 'was left by libostree' left_temporary
damage 'a ref leads to a commit that is not there' 'is a ref to a commit' left_ref
damage 'the refs of deployed commits are missing' 'refs/heads/deploy/.*: is missing' no_commit_ref
damage 'the ref of a deployed commit is wrong' 'leads to something else' wrong_commit_ref
damage 'an object is stored that nothing needs' 'has 1 object that nothing needs' left_object
damage 'an entry of staging/ has no .ref' 'staging/.*\.ref: is missing: is made anew' left_staging
damage 'an entry of removed/ has no .ref' 'removed/.*\.ref: is missing: is made anew' \
  removed_without .ref
damage 'an entry of removed/ has no record' 'removed/.*deployment: is missing: is written anew' \
  removed_without deployment
damage 'the record of an entry of removed/ is garbage' 'removed/.*: is no record' removed_garbage
damage 'the state of an entry of removed/ means nothing' 'removed/.*: has mode 0604' removed_state

# Settling would take a deployment that is not there for one that was removed.
debris_beside_it() {
  undamaged
  lose "$D/tree/files/bin/hello"
  rm -r "$D"
  hf remote-delete test
  left_directories
  left_as_it_is 'Left deploy/app/org.example.Empty.*would uninstall app/org.example.Hello'
  hf remote-add --no-verify test "$REMOTE"
  mended
}
promise 'debris is no reason to give up an image that cannot be mended now' debris_beside_it

strangers() {
  undamaged
  mkdir "$INST/mine" "$INST/deploy/theirs"
  echo mine >"$INST/deploy/app/org.example.Hello/mine"
  echo mine >"$INST/deploy/$HELLO/notes"
  exactly >"$T/before"
  expect 0 hf repair
  equal "$(grep -c 'does not belong to holdfast: is left alone' "$T/out")" 4
  exactly | diff -U0 "$T/before" - || fail 'something was done about it'
}
promise 'what is not ours is told and left alone' strangers

# --- The skeleton ---------------------------------------------------------------------------------------

lock_modes() {
  chmod 0666 "$INST/lock" "$INST/prune-lock" "$INST/turn-lock" "$INST/repo/.lock"
}
no_locks() {
  rm "$INST/lock" "$INST/prune-lock" "$INST/turn-lock" "$INST/repo/.lock"
}
directory_modes() {
  chmod 0777 "$INST/staging" "$INST/removed" "$INST/deploy"
}
no_directories() {
  rmdir "$INST/roots.d"
  rm -r "$INST/exports"
}
no_format() {
  rm "$INST/format"
}
damage 'lock files can be opened by everybody' 'lock: has mode 0666: gets mode 0600' lock_modes
damage 'lock files are missing' 'prune-lock: is missing: is made anew' no_locks
damage 'directories have other modes' 'removed: has mode 0777' directory_modes
damage 'directories are missing' 'roots.d: is missing' no_directories
damage 'the format is missing' 'format: is missing' no_format

finish
