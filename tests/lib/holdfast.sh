# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # what is set here is used by the tests
#
# What every shell test of holdfast begins with: where the built program is, the fixtures, a throwaway
# installation for each promise, instances that a test can talk to, and oracles that do not
# trust holdfast.  Sourced; brings tap.sh along.

SOURCE=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
LIB=$SOURCE/tests/lib
BUILD=${HOLDFAST_BUILD:-$SOURCE/build}
HOLDFAST=${HOLDFAST:-$BUILD/root/usr/bin/holdfast}
TOOLS=$BUILD/tests
FIXTURES=${HOLDFAST_FIXTURES:-$BUILD/fixtures}
ARCH=$(uname -m)
HELLO=app/org.example.Hello/$ARCH/stable
OTHER=app/org.example.Other/$ARCH/stable
PLATFORM=runtime/org.example.Platform/$ARCH/1

# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$LIB/tap.sh"

SANITIZED=false
! ldd "$HOLDFAST" 2>/dev/null | grep libasan >/dev/null || SANITIZED=true

# plain_only WHY: with the sanitizers, the whole program has nothing to show.
plain_only() {
  if $SANITIZED; then
    echo "1..0 # skip needs a-plain-build: $1"
    trap - EXIT
    exit 0
  fi
}

if [ ! -x "$HOLDFAST" ]; then
  echo "Bail out! $HOLDFAST is not built: run tests/run once"
  exit 99
fi
"$LIB/make-fixtures" "$FIXTURES" || { echo 'Bail out! no fixtures'; exit 99; }

# nobody must be able to get at the throwaway directories, too.
WORK=$BUILD/work
mkdir -p "$WORK"
if [ "$(id -u)" -eq 0 ] && ! runuser -u nobody -- test -x "$WORK"; then
  WORK=/tmp
fi

unset HOLDFAST_TEST_STOP HOLDFAST_TEST_EAGER XDG_DATA_HOME XDG_CONFIG_HOME XDG_CACHE_HOME DBUS_SESSION_BUS_ADDRESS
# Tests sweep when they mean to.
export HOLDFAST_TEST_NO_AUTO_SWEEP=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Errors that the sanitizers find must never look like an exit status of ours.
export ASAN_OPTIONS=${ASAN_OPTIONS:-exitcode=99:detect_leaks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-exitcode=99:halt_on_error=1:print_stacktrace=1}

# traced OPTION... COMMAND...: strace, under which LeakSanitizer cannot work.
traced() {
  ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq "$@"
}

# installation: from here on `hf` works on one in the throwaway directory.
installation() {
  INST=$T/inst
  HOME=$T/home
  export HOME
  mkdir -p "$HOME"
}

hf() {
  "$HOLDFAST" --installation="$INST" "$@"
}

# holdfast_of_a_user: `holdfast` is a command that works, also for root, as for an ordinary user, on an
# installation in a home of its own.
holdfast_of_a_user() {
  installation
  export XDG_DATA_HOME=$HOME/.local/share PATH=$T/bin:$PATH
  INST=$XDG_DATA_HOME/holdfast
  mkdir -p "$T/bin" "$XDG_DATA_HOME"
  cat >"$T/bin/holdfast" <<END
#!/bin/bash
# Nothing of this machine's own is ever meant.
case " \$* " in
  *' --system '*) exec "$HOLDFAST" --installation="$T/system" "\${@/--system/}" ;;
  *' --user '* | *' --installation'*) exec "$HOLDFAST" "\$@" ;;
  *) exec "$HOLDFAST" --user "\$@" ;;
esac
END
  chmod +x "$T/bin/holdfast"
}

keep_nothing() {
  hf config --set keep-previous 0
}

# installed REPOSITORY REF...: an installation with a remote `test` and these installed.  The
# remote is a copy: a test may publish into it.  What is replaced goes, unless a test says otherwise.
installed() {
  installation
  REMOTE=$T/remote
  cp -a "$FIXTURES/$1" "$REMOTE"
  hf remote-add --no-verify test "$REMOTE"
  keep_nothing
  shift
  [ $# -eq 0 ] || hf install test "$@"
}

# publish REPOSITORY: the remote now has what that fixture has.
publish() {
  cp -a "$FIXTURES/$1/." "$REMOTE/"
}

# copy_installation FROM TO: its links stay links, and it is not taken for a copy.
copy_installation() {
  cp -a "$1" "$2"
  is_no_copy "$2"
}
is_no_copy() { # INSTALLATION
  local lock=$1/repo/.lock birth
  birth=$(stat -c %.9W "$lock")
  touch -d "@$(($(stat -c %i "$lock") & 0x7fffffff)).${birth#*.}" "$lock"
}

commit_of() { # TREE
  cat "$FIXTURES/$1.commit"
}

# Where a deployment is, in service or out.
deployment_of() { # REF
  readlink -f "$INST/deploy/$1/active"
}

active_of() { # REF
  readlink "$INST/deploy/$1/active"
}

# --- Instances ------------------------------------------------------------------------------------

declare -A INSTANCE_PID INSTANCE_IN INSTANCE_OUT

# instance NAME ARG...: `holdfast run --command=sh ARG...`, running when this returns.
instance() {
  local name=$1
  shift
  instance_by "$name" "$HOLDFAST" --installation="$INST" run --command=sh "$@"
}

# instance_by NAME COMMAND...: any command that ends up as a shell on its standard input.
instance_by() {
  instance_begin "$@"
  equal "$(ask "$1" 'echo ready')" ready "the instance's first word"
}

# The same, without waiting for it to run.
instance_begin() {
  local name=$1 in out
  shift
  mkfifo "$T/$name.in" "$T/$name.out"
  "$@" <"$T/$name.in" >"$T/$name.out" 2>"$T/$name.err" &
  INSTANCE_PID[$name]=$!
  started $!
  exec {in}>"$T/$name.in" {out}<"$T/$name.out"
  INSTANCE_IN[$name]=$in
  INSTANCE_OUT[$name]=$out
}

# ask NAME COMMAND: has the instance run it, and prints the one line that it answers.
ask() {
  printf '%s\n' "$2" >&"${INSTANCE_IN[$1]}"
  read_line "${INSTANCE_OUT[$1]}" || fail "$(cat "$T/$1.err")"
}

# end NAME [STATUS]: has the shell exit, and expects the instance to do so with that status.
end() {
  local status=0
  printf 'exit %d\n' "${2:-0}" >&"${INSTANCE_IN[$1]}"
  wait "${INSTANCE_PID[$1]}" || status=$?
  equal "$status" "${2:-0}" "the instance's exit status"
}

# await_free FILE: until nobody has a lock on it.  bwrap ends a moment before its sandbox's first
# process does.
await_free() {
  "$TOOLS/hold-lock" ofd await "$1"
}

# await_entries_free: the same for everything that is out of service.
await_entries_free() {
  local ref
  for ref in "$INST"/removed/*/.ref; do
    [ ! -e "$ref" ] || await_free "$ref"
  done
}

# --- Locks and faults -------------------------------------------------------------------------------

# hold KIND MODE FILE: a process that holds it; sets HOLDER.
hold() {
  local line
  mkfifo "$T/hold.in" "$T/hold.out"
  "$TOOLS/hold-lock" "$@" <"$T/hold.in" >"$T/hold.out" &
  HOLDER=$!
  started $HOLDER
  exec {HOLD_IN}>"$T/hold.in" {line}<"$T/hold.out"
  equal "$(read_line "$line")" held
}

let_go() {
  exec {HOLD_IN}>&-
  wait "$HOLDER"
}

# inject SYSTEM-CALL:FAULT COMMAND...: with that done to it by strace; FAULT as after its
# `-e inject=SYSTEM-CALL:`.  Nothing can look for leaks in a traced process.
inject() {
  need strace 'it forces a system call to fail'
  local call=${1%%:*} fault=${1#*:}
  shift
  ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o "$T/injected" -e "trace=$call" \
    -e "inject=$call:$fault" "$@"
}

# calls_to SYSTEM-CALL REGEX COMMAND...: at which of its calls, counted as strace does in each thread,
# the arguments match.
calls_to() {
  need strace 'it counts system calls'
  local call=$1 regex=$2
  shift 2
  ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -y -s 400 -o "$T/calls" \
    -e "trace=$call" "$@" >/dev/null 2>&1 || true
  awk -v call="$call(" 'index($2, call) == 1 { print ++count[$1], $0 }' "$T/calls" |
    { grep -E -- "$regex" || true; } | cut -d' ' -f1 | sort -nu
}

# --- Standing still --------------------------------------------------------------------------------

# stopped POINT COMMAND [ARG...]: one of ours that stands still at a named point; sets LAUNCH and
# STOPPED.
stopped() {
  local point=$1 line
  shift
  mkfifo "$T/report"
  HOLDFAST_TEST_STOP=$point "$TOOLS/await-stop" "$T/report" \
    "$HOLDFAST" --installation="$INST" "$@" >"$T/output" 2>"$T/errors" &
  LAUNCH=$!
  started $LAUNCH
  exec {REPORT}<"$T/report"
  matches "$(read_line "$REPORT")" '^started '
  line=$(read_line "$REPORT")
  [[ $line =~ ^stopped\ ([0-9]+)$ ]] || fail "it is not stopped: $line $(cat "$T/errors")"
  STOPPED=${BASH_REMATCH[1]}
}

# continued STATUS: it goes on, to this end.
continued() {
  local line
  kill -CONT "$STOPPED"
  line=$(read_line "$REPORT")
  [[ $line =~ ^ended\ ($1)$ ]] || fail "expected status $1: $line $(cat "$T/output" "$T/errors")"
  wait "$LAUNCH" || true
}

# --- A web server -----------------------------------------------------------------------------------

# serve DIRECTORY [--stall=REGEX]: sets URL; lines about stalled requests come on $SERVER.
serve() {
  mkfifo "$T/server.out"
  "$LIB/http-server" "$@" >"$T/server.out" &
  started $!
  exec {SERVER}<"$T/server.out"
  URL=$(read_line "$SERVER")
}

# --- Oracles ----------------------------------------------------------------------------------------

snapshot() {
  "$LIB/snapshot" "$INST"
}

# unchanged_by COMMAND...: the installation is as before, after a sweep, links and blocks included.
unchanged_by() {
  snapshot >"$T/before"
  "$@"
  hf sweep >"$T/sweep.out" 2>&1 || { cat "$T/sweep.out" >&2; fail 'the sweep afterwards failed'; }
  snapshot >"$T/after"
  diff -u "$T/before" "$T/after" >&2 || fail 'the installation changed'
}

nothing_out_of_service() {
  local left
  left=$(find "$INST/removed" "$INST/staging" -mindepth 1 -maxdepth 1)
  equal "$left" '' 'what is left out of service'
}

# ostree's own opinion of the objects: whole, and none that no kept commit needs.
repository_is_whole() {
  local out
  ostree --repo="$INST/repo" fsck >"$T/fsck" 2>&1 || { cat "$T/fsck" >&2; return 1; }
  out=$(ostree --repo="$INST/repo" prune --refs-only --depth=0 --no-prune)
  matches "$out" 'No unreachable objects' "ostree's opinion"
  commits_match_deployments
}

# Commits in the repository are those of the deployments and of nothing else.
commits_match_deployments() {
  equal "$(find "$INST/repo/objects" -name '*.commit' | sed 's,.*/\(..\)/\(.*\).commit,\1\2,' | sort)" \
    "$(find "$INST/deploy" -mindepth 5 -maxdepth 5 -type d -printf '%f\n' | cut -d. -f1 | sort -u)" \
    'what is stored'
}

objects() {
  find "$INST/repo/objects" -type f -o -type l | sort
}

# Every file of every deployment that is not empty is a link of a stored object.
links_are_whole() {
  local stray
  stray=$(comm -23 \
    <(find "$INST"/deploy/*/*/*/*/*/tree -type f -size +0 -printf '%D:%i\n' | sort -u) \
    <(find "$INST/repo/objects" -type f -printf '%D:%i\n' | sort -u))
  equal "$stray" '' 'deployed inodes that are no object'
}

# swept: everything unused goes, and nothing else.
swept() {
  hf sweep
  nothing_out_of_service
  repository_is_whole
}
