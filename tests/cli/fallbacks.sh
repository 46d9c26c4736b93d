#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Where link counts do not tell what is needed, a sweep looks at all objects: by itself, for each
# reason alone, and says so.  The reasons that crashes leave behind are in leftovers.sh, the one for
# which a file has all the links that it can have in link-limit.sh.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
private_mounts

# falls_back REASON: removes Hello, of which Other needs a part.
falls_back() {
  hf uninstall "$HELLO"
  [ ! -e "$T/copy" ] || find "$T/copy" -delete
  cp -a "$INST" "$T/copy" # links stay links
  expect 0 hf sweep --json
  equal "$(json 'd["full"]')" true
  matches "$(json 'd["full_reason"]')" "$1"
  equal "$(json '[e["ref"] for e in d["swept"]]')" "[\"$HELLO\"]"
  nothing_out_of_service
  repository_is_whole
  equal "$(hf run org.example.Other)" 'Hello from org.example.Other 1'
}

# The same once more, for people.
tells_people() { # REASON
  find "$INST" -depth -delete
  cp -a "$T/copy/." "$INST"
  expect 0 hf sweep --verbose
  grep -E "^All stored objects were looked at: .*$1" "$T/out" >/dev/null
}

needs_no_fallback() {
  hf install test "$HELLO"
  hf uninstall "$HELLO"
  expect 0 hf sweep --json
  equal "$(json 'd["full"]')" false
  equal "$(json 'd["full_reason"]')" null
  repository_is_whole
}

no_reason() {
  installed archive-1 "$HELLO" "$OTHER"
  needs_no_fallback
  hf install test "$HELLO"
  hf uninstall "$HELLO"
  expect 0 hf sweep --verbose
  ! grep 'All stored objects' "$T/out" || fail 'it looked at all objects for no reason'
}
promise 'without a reason only what is removed is looked at' no_reason

asked_for() {
  installed archive-1 "$HELLO" "$OTHER"
  hf uninstall "$HELLO"
  expect 0 hf sweep --full --json
  equal "$(json 'd["full"]')" true
  equal "$(json 'd["full_reason"]')" null
  repository_is_whole
  expect 0 hf sweep --full
  equal "$(cat "$T/out")" ''
}
promise 'on request' asked_for

unmount() {
  ! mountpoint -q "$1" || umount "$1"
}

overlay() {
  need root 'it mounts a file system'
  mkdir "$T/layers" "$T/merged"
  mount -t tmpfs none "$T/layers"
  cleanup unmount "$T/layers"
  mkdir "$T/layers/lower" "$T/layers/upper" "$T/layers/work"
  mount -t overlay -o "lowerdir=$T/layers/lower,upperdir=$T/layers/upper,workdir=$T/layers/work" \
    none "$T/merged"
  cleanup unmount "$T/merged"
  installed_in "$T/merged/inst"
  falls_back 'link counts are not trusted'
  tells_people 'link counts are not trusted'
}
installed_in() { # PATH
  installation
  INST=$1
  REMOTE=$T/remote
  cp -a "$FIXTURES/archive-1" "$REMOTE"
  hf remote-add --no-verify test "$REMOTE"
  hf install test "$HELLO" "$OTHER"
}
promise 'on a file system whose link counts are not trusted' overlay

# A bind mount of a directory of the same file system: no link can be made across it.
repository_elsewhere() {
  need root 'it mounts a directory'
  installed archive-1
  mkdir "$T/elsewhere"
  mount --bind "$INST/repo" "$INST/repo"
  cleanup unmount "$INST/repo"
  hf install test "$HELLO" "$OTHER"
  falls_back 'copies in place of links'
  hf uninstall --all
  expect 0 hf sweep
  equal "$(objects)" '' 'what is left in objects/'
  umount "$INST/repo"
  hf install test "$HELLO" "$OTHER"
  needs_no_fallback
}
promise 'while a deployment has copies, as the repository is on another mount' repository_elsewhere

# The sweep has found that links tell, and is about to prune by them.
copies_meanwhile() {
  need root 'it mounts a directory'
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  mkfifo "$T/report"
  HOLDFAST_TEST_STOP=links-chosen "$TOOLS/await-stop" "$T/report" "$HOLDFAST" \
    --installation="$INST" sweep --json >"$T/out" &
  started $!
  exec {report}<"$T/report"
  matches "$(read_line "$report")" '^started '
  local stopped
  stopped=$(read_line "$report")
  matches "$stopped" '^stopped '
  mount --bind "$INST/repo" "$INST/repo"
  cleanup unmount "$INST/repo"
  hf install test "$HELLO" "$OTHER"
  kill -CONT "${stopped#stopped }"
  equal "$(read_line "$report")" 'ended 0'
  equal "$(json 'd["full"]')" true
  repository_is_whole
  hf run org.example.Hello
  hf run org.example.Other
}
promise 'when a deployment with copies comes while links are being counted' copies_meanwhile

# Nothing can be linked that is immutable.
immutable() { # +i|-i
  find "$INST/repo/objects" -type f -exec chattr "$1" {} +
}
links_not_permitted() {
  need root 'it makes files immutable'
  installed archive-1 "$HELLO"
  cleanup immutable -i
  immutable +i
  hf install test "$OTHER"
  immutable -i
  falls_back 'copies in place of links'
  hf uninstall --all
  expect 0 hf sweep
  equal "$(objects)" '' 'what is left in objects/'
  hf install test "$HELLO" "$OTHER"
  needs_no_fallback
}
promise 'while a deployment has copies, as no link could be made' links_not_permitted

copied() {
  installed archive-1 "$HELLO" "$OTHER"
  mv "$INST" "$T/original"
  cp -a --no-preserve=links "$T/original" "$INST"
  falls_back 'was the installation copied'
  tells_people 'was the installation copied'
}
promise 'in an installation that was copied without its links' copied

# What is removed was installed after that, and is linked; what was copied is not.
copied_before() {
  installed archive-1 "$OTHER"
  cp -r "$INST" "$T/copied"
  INST=$T/copied
  hf install test "$HELLO"
  hf uninstall "$HELLO"
  expect 0 hf sweep --json
  equal "$(json 'd["full"]')" true
  matches "$(json 'd["full_reason"]')" copied
  repository_is_whole
  hf repair
  hf install test "$HELLO"
  hf uninstall "$HELLO"
  swept
  needs_no_fallback
}
promise 'and of what was installed there afterwards, too, until what was copied is linked again' copied_before

copied_with_links() {
  installed archive-1 "$HELLO" "$OTHER"
  cp -a "$INST" "$T/copied"
  INST=$T/copied
  falls_back copied
  needs_no_fallback
}
promise 'once, if it was copied with its links' copied_with_links

foreign_ref() {
  installed archive-1 "$HELLO" "$OTHER"
  ostree --repo="$INST/repo" refs --create=mine "$(ostree --repo="$FIXTURES/archive-1" rev-parse "$OTHER")"
  falls_back "refs that are not holdfast's"
  ostree --repo="$INST/repo" refs --delete mine
  needs_no_fallback
}
promise 'while the repository has a ref of somebody else' foreign_ref

finish
