#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Everything else that can be wrong with what a command is given: one clear line each, the right exit
# status, and an installation that is as it was, disk usage included.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

refused() { # STATUS REGEX ARG...
  installed archive-1 "$PLATFORM"
  unchanged_by expect_error "$1" "$2" hf "${@:3}"
}
promise 'a malformed ref is refused' refused 2 'two words' install test 'two words'
promise 'a ref that climbs is refused' refused 2 "'\.\./" install test ../../../etc/nonesuch
promise 'a ref with a control character is refused, and not printed' \
  refused 2 'not a ref' install test $'org.example.\e[31mRed'
promise 'a malformed ref is not run' refused 2 'app//' run app//
promise 'a malformed ref is not uninstalled' refused 2 'a/b/c/d/e' uninstall a/b/c/d/e
promise 'a ref that is in no remote is refused' refused 3 org.example.Nothing install org.example.Nothing
promise 'a ref that a remote has not got is refused' \
  refused 3 org.example.Nothing install test org.example.Nothing
promise 'an unknown remote is refused' refused 3 elsewhere install elsewhere "$HELLO"
promise 'an unknown remote is not deleted' refused 3 elsewhere remote-delete elsewhere
promise 'an unknown remote is not listed' refused 3 elsewhere remote-ls elsewhere
promise 'a remote of a name that is none is not added' \
  refused '2|6' 'name|bad/name' remote-add --no-verify bad/name /tmp
promise 'what is not installed does not run' refused 3 org.example.Hello run org.example.Hello
promise 'an unknown command is refused' refused 2 frobnicate frobnicate
promise 'an unknown option is refused' refused 2 frobnicate list --frobnicate
promise 'a missing argument is refused' refused 2 install install
promise 'two mistakes in one command change nothing' \
  refused 3 org.example.Nothing install test "$HELLO" org.example.Nothing

# --- Damaged repositories ---------------------------------------------------------------------------

# with_object PATH|HTTP COMMAND TYPE: the command's argument is the file of one object of Hello.
with_object() {
  installed archive-1 "$PLATFORM"
  local commit checksum
  commit=$(commit_of hello-1)
  case $3 in
    commit) checksum=$commit ;;
    filez) checksum=$(ostree --repo="$REMOTE" ls -C "$HELLO" /files/bin/grep | awk '{ print $5 }') ;;
    dirtree) checksum=$(ostree --repo="$REMOTE" ls -d -C "$HELLO" /files/bin | awk '{ print $5 }') ;;
    dirmeta) checksum=$(ostree --repo="$REMOTE" ls -d -C "$HELLO" /files/bin | awk '{ print $6 }') ;;
  esac
  local object=$REMOTE/objects/${checksum:0:2}/${checksum:2}.$3
  if [ "$3" = dirmeta ]; then # one that is not stored yet
    find "$REMOTE/objects" -name '*.dirmeta' >"$T/dirmetas"
    equal "$(wc -l <"$T/dirmetas")" 1
    hf uninstall "$PLATFORM"
    hf sweep
  fi
  "$2" "$object"
  if [ "$1" = HTTP ]; then
    serve "$REMOTE"
    hf remote-delete test
    hf remote-add --no-verify test "$URL"
  fi
  unchanged_by expect_error 6 'damaged|corrupt|checksum|truncated|object|[0-9a-f]{64}' hf install test "$HELLO"
}
flipped() {
  "$LIB/flip-byte" "$1" "$(($(stat -c %s "$1") / 2))"
}
truncated() {
  truncate -s "$(($(stat -c %s "$1") / 2))" "$1"
}
emptied() {
  : >"$1"
}
for way in PATH HTTP; do
  for kind in commit dirtree dirmeta filez; do
    promise "an object with a flipped byte is refused ($kind, $way)" with_object $way flipped $kind
    promise "a truncated object is refused ($kind, $way)" with_object $way truncated $kind
  done
  promise "an empty object is refused ($way)" with_object $way emptied filez
done

a_missing_object() { # PATH|HTTP
  installed archive-1 "$PLATFORM"
  local checksum
  checksum=$(ostree --repo="$REMOTE" ls -C "$HELLO" /files/bin/grep | awk '{ print $5 }')
  rm "$REMOTE/objects/${checksum:0:2}/${checksum:2}.filez"
  if [ "$1" = HTTP ]; then
    serve "$REMOTE"
    hf remote-delete test
    hf remote-add --no-verify test "$URL"
  fi
  unchanged_by expect_error '1|3|6' "${checksum:0:12}|object|404" hf install test "$HELLO"
}
promise 'a repository that lacks an object is one clear error (PATH)' a_missing_object PATH
promise 'a repository that lacks an object is one clear error (HTTP)' a_missing_object HTTP

a_missing_runtime() { # PATH|HTTP
  installation
  REMOTE=$T/remote
  ostree --repo="$REMOTE" init --mode=archive
  ostree --repo="$REMOTE" pull-local --disable-fsync "$FIXTURES/archive-1" "$HELLO" >/dev/null
  ostree --repo="$REMOTE" summary --update
  if [ "$1" = HTTP ]; then
    serve "$REMOTE"
    REMOTE=$URL
  fi
  hf remote-add --no-verify test "$REMOTE"
  unchanged_by expect_error 3 "$PLATFORM" hf install test "$HELLO"
}
promise 'an image whose runtime no remote has is refused (PATH)' a_missing_runtime PATH
promise 'an image whose runtime no remote has is refused (HTTP)' a_missing_runtime HTTP

# What is hello-1, but says that it is for something else.
commit_says() { # PATH|HTTP OPTION...
  installed archive-1 "$PLATFORM"
  local commit
  commit=$(ostree --repo="$REMOTE" commit --orphan --tree=ref="$HELLO" "${@:2}")
  echo "$commit" >"$REMOTE/refs/heads/$HELLO"
  ostree --repo="$REMOTE" summary --update
  if [ "$1" = HTTP ]; then
    serve "$REMOTE"
    hf remote-delete test
    hf remote-add --no-verify test "$URL"
  fi
  unchanged_by expect_error 6 "org.example.(Other|Hello)" hf install test "$HELLO"
}
for way in PATH HTTP; do
  promise "a commit whose xa.ref is another ref is refused ($way)" \
    commit_says $way --bind-ref="$HELLO" --add-metadata-string="xa.ref=$OTHER"
  promise "a commit that is bound to another ref is refused ($way)" \
    commit_says $way --bind-ref="$OTHER" --add-metadata-string="xa.ref=$HELLO"
done

another_ref_in_its_place() {
  installed archive-1 "$PLATFORM"
  cp "$REMOTE/refs/heads/$OTHER" "$REMOTE/refs/heads/$HELLO"
  ostree --repo="$REMOTE" summary --update
  unchanged_by expect_error 6 "$OTHER" hf install test "$HELLO"
}
promise "another image's commit under a ref is refused" another_ref_in_its_place

not_a_repository() {
  installed archive-1 "$PLATFORM"
  mkdir "$T/empty"
  unchanged_by expect_error '1|3' "$T/empty" hf remote-add --no-verify empty "$T/empty"
  rm -r "$REMOTE"
  unchanged_by expect_error '1|3' "$REMOTE" hf install test "$HELLO"
  unchanged_by expect_error '1|3' "$REMOTE" hf remote-ls test
}
promise 'a path without a repository is one clear error' not_a_repository

# --- Installations ----------------------------------------------------------------------------------

a_newer_format() {
  installed archive-1 "$HELLO"
  echo 2 >"$INST/format"
  snapshot >"$T/before"
  local command
  for command in list "info $HELLO" "run $HELLO" ps sweep remotes 'remote-ls test' \
    "install test $OTHER" update "uninstall $HELLO" 'remote-delete test'; do
    # shellcheck disable=SC2086 # words
    expect_error 1 'format 2.*newer holdfast' hf $command
  done
  snapshot | diff -u "$T/before" -
}
promise 'an installation of a newer format is refused by every command' a_newer_format

a_format_that_is_none() {
  installed archive-1 "$HELLO"
  local text
  for text in '' rubbish -1 0 '1x' 99999999999999999999; do
    printf '%s\n' "$text" >"$INST/format"
    expect_error 1 format hf list
  done
}
promise 'a format that is no number is refused' a_format_that_is_none

no_installation() {
  installation
  local command
  for command in list "run $HELLO" ps sweep "uninstall $HELLO" update; do
    # shellcheck disable=SC2086 # words
    expect_error 3 "$INST" hf $command
  done
  test ! -e "$INST"
}
promise 'where there is no installation, none is made by looking' no_installation

somebody_elses_directory() {
  installation
  mkdir "$INST"
  echo mine >"$INST/thesis.txt"
  expect_error 1 "$INST" hf remote-add --no-verify test "$FIXTURES/archive-1"
  equal "$(ls -A "$INST")" thesis.txt
}
promise 'a directory that is something else is not made an installation' somebody_elses_directory

# What a keyfile's error quotes of it is said beside the list, not by the end of the command.
steering() {
  installed archive-1 "$HELLO" "$OTHER"
  printf '[Deployment]\n\033]0;title\a\033[31mred\n' >"$(deployment_of "$HELLO")/deployment"
  expect 0 hf list
  grep -F 'x1b]0;title\x07\x1b[31mred' "$T/err"
  ! grep -P '[\x07\x1b]' "$T/err" || fail 'it steers the terminal'
  grep -F "$OTHER" "$T/out"
}
promise 'what is in a damaged file does not steer the terminal that tells of it' steering

no_permission() {
  need root 'it becomes another user'
  installed archive-1 "$HELLO"
  chmod 0755 "$T" "$INST"
  snapshot >"$T/before"
  local command
  for command in "uninstall $HELLO" "install test $OTHER" 'remote-delete test'; do
    # shellcheck disable=SC2086 # words
    expect_error 1 "permission.*$INST|$INST.*permission" runuser -u nobody -- env "HOME=$T" \
      "$HOLDFAST" --installation="$INST" $command
  done
  snapshot | diff -u "$T/before" -
  install -d -m 0700 "$T/closed"
  expect_error 1 "$T/closed" runuser -u nobody -- env "HOME=$T" \
    "$HOLDFAST" --installation="$T/closed/inst" remote-add --no-verify test /tmp
}
promise 'without permission nothing changes' no_permission

# --- bubblewrap ---------------------------------------------------------------------------------------

# with_path PATH COMMAND...: the command has that for its PATH, and the test keeps its own.
with_path() {
  PATH=$1 "${@:2}"
}

without_bwrap() {
  installed archive-1 "$HELLO"
  mkdir "$T/bin"
  unchanged_by expect_error 1 'bwrap|bubblewrap' with_path "$T/bin" hf run org.example.Hello
}
promise 'without bwrap, nothing runs, and it is said' without_bwrap

an_old_bwrap() {
  installed archive-1 "$HELLO"
  mkdir "$T/bin"
  # What 0.6 says.
  cat >"$T/bin/bwrap" <<'EOF'
#!/bin/sh
case "$1" in
  --version) echo 'bubblewrap 0.6.1' ;;
  --help) echo 'usage: bwrap [OPTIONS...] [--] COMMAND [ARGS...]'; echo '    --ro-bind SRC DEST' ;;
  *) echo 'bwrap: Unknown option --ro-bind-fd' >&2; exit 1 ;;
esac
EOF
  chmod +x "$T/bin/bwrap"
  unchanged_by expect 1 with_path "$T/bin:$PATH" hf run org.example.Hello
  # Its own complaint comes first.
  matches "$(tail -n 1 "$T/err")" '^holdfast: .*bwrap is too old.*0\.8'
}
promise 'with a bwrap that is too old, nothing runs, and it is said' an_old_bwrap

a_command_that_is_not_there() {
  installed archive-1 "$HELLO"
  expect '1|127' hf run --command=nonesuch org.example.Hello
  grep -q nonesuch "$T/err" || fail "$(cat "$T/err")"
}
promise 'a command that the image has not got is named' a_command_that_is_not_there

finish
