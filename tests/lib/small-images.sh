# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # what is set here is used by the tests
#
# Three images of a dozen files each, for tests that need an installation a thousand times and compare
# every name in it.  Sourced after holdfast.sh.

APP=app/org.example
KEPT=$APP.Kept/$ARCH/stable
NEW=$APP.New/$ARCH/stable
THIRD=$APP.Third/$ARCH/stable
IDLE=runtime/org.example.Idle/$ARCH/stable

# The same commit whenever it is made, so that two runs make the same changes.
export SOURCE_DATE_EPOCH=1700000000

# image NAME: something in common with every other, an own part, and what is stored in ways of its own:
# empty files, symlinks, equal files, an executable.
image() {
  local tree=$IMAGES/$1
  mkdir -p "$tree/files/common/deep" "$tree/files/own/deep"
  printf '[Application]\nname=org.example.%s\ncommand=true\n' "$1" >"$tree/metadata"
  echo common >"$tree/files/common/file"
  echo 'deep and common' >"$tree/files/common/deep/file"
  : >"$tree/files/common/empty"
  ln -s deep/file "$tree/files/common/link"
  echo "own of $1" >"$tree/files/own/file"
  cp "$tree/files/own/file" "$tree/files/own/deep/equal"
  printf '#!/bin/sh\necho %s\n' "$1" >"$tree/files/own/deep/program"
  chmod 0755 "$tree/files/own/deep/program"
  ln -s "$1" "$tree/files/own/link"
}

# exports_page IMAGE PAGE: it exports what programs of the host make no cache of, so that nothing but our own steps is
# counted.
exports_page() {
  mkdir -p "$IMAGES/$1/export/share/man/man1" "$IMAGES/$1/export/share/dbus-1/services"
  echo '.TH NEW 1' >"$IMAGES/$1/export/share/man/man1/org.example.New-$2.1"
  printf '[D-BUS Service]\nName=org.example.New\nExec=true\n' \
    >"$IMAGES/$1/export/share/dbus-1/services/org.example.New.service"
}

# New and Third have something together that Kept has not: only a killed command's links keep it.
images() {
  IMAGES=$T/images
  image Kept
  image New
  image Third
  mkdir -p "$IMAGES/New/files/both/deep"
  echo both >"$IMAGES/New/files/both/file"
  echo 'deep in both' >"$IMAGES/New/files/both/deep/file"
  ln -s both "$IMAGES/New/files/both/link"
  cp -a "$IMAGES/New/files/both" "$IMAGES/Third/files/both"
  exports_page New first
  REMOTE=$T/remote
  ostree --repo="$REMOTE" init --mode=archive
  local name
  for name in Kept New Third; do
    commit_image "$name"
  done
}

# The remote has another version of New: some files stay, one changes, one goes and some come.
newer_image() {
  cp -a "$IMAGES/New" "$IMAGES/Newer"
  echo newer >"$IMAGES/Newer/files/own/file"
  rm "$IMAGES/Newer/files/own/deep/equal"
  mkdir "$IMAGES/Newer/files/newer"
  echo newer >"$IMAGES/Newer/files/newer/file"
  : >"$IMAGES/Newer/files/newer/empty"
  rm "$IMAGES/Newer/export/share/man/man1/org.example.New-first.1"
  exports_page Newer second
  SOURCE_DATE_EPOCH=1700000001 commit_image Newer New
  NEWER=$(ostree --repo="$REMOTE" rev-parse "$NEW")
}

# commit_image IMAGE [NAME]: the remote has it as the application NAME, and $IMAGES/IMAGE.content says what a deployment of it
# must look like, by ostree's own checkout.
commit_image() {
  local ref=$APP.${2:-$1}/$ARCH/stable
  ostree --repo="$REMOTE" commit --canonical-permissions --branch="$ref" \
    --tree=dir="$IMAGES/$1" >/dev/null
  ostree --repo="$REMOTE" checkout -U "$ref" "$T/checkout"
  content "$T/checkout" >"$IMAGES/$1.content"
  rm -r "$T/checkout"
  ostree --repo="$REMOTE" summary --update
}

# Kinds, modes, what links say and what files hold.
content() { # TREE
  (cd "$1" && find . -printf '%y %04m %p %l\n' | LC_ALL=C sort &&
    find . -type f -exec sha256sum {} + | LC_ALL=C sort)
}

# is_complete NAME [IMAGE]: that application is deployed, as that image.
is_complete() {
  content "$INST/deploy/$APP.$1/$ARCH/stable/active/tree" |
    diff -U0 "$IMAGES/${2:-$1}.content" - || fail "$1 is not complete"
}

# Everything that has a name, with how many links it has; but for the serials of deployments, and for the
# history, whose first record may be of any command.
names() {
  (cd "$INST" && find . ! -path './history*' -printf '%y %04m %n %p %l\n' | sed -E 's/\.[0-9a-f]{24}\>/.SERIAL/g' |
    LC_ALL=C sort)
}
