# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The shell tests' own TAP library.  A test is a function that shows one promise:
#
#   installs_from_a_path () { hf install local "$HELLO"; ... }
#   promise 'an image installs from a path' installs_from_a_path
#   finish
#
# It runs in a subshell that stops at the first command that fails, in a throwaway directory $T of its
# own, and whatever it started, mounted or made is gone when it ends, however it ends.  Nothing here
# waits by time; the limits on reads only turn a hang into a failure.

set -u
shopt -s inherit_errexit
export LC_ALL=C.UTF-8
unset CDPATH
umask 022

TAP_COUNT=0
TAP_FAILED=0
TAP_NAME=$(basename "$0")
READ_LIMIT=60 # seconds; far more than anything takes

# promise NAME FUNCTION [ARG...]
promise() {
  local name=$1 log status
  shift
  TAP_COUNT=$((TAP_COUNT + 1))
  log=$(mktemp "${WORK:-/tmp}/log.XXXXXX")
  (
    set -eE -o pipefail
    test_setup
    trap 'test_failed "$BASH_COMMAND"' ERR
    trap 'test_cleanup $?' EXIT
    trap 'exit 130' INT TERM HUP
    "$@"
  ) >"$log" 2>&1 </dev/null
  status=$?
  if [ $status -eq 0 ]; then
    echo "ok $TAP_COUNT - $name"
  elif [ $status -eq 77 ]; then
    echo "ok $TAP_COUNT - $name # SKIP $(sed -n 's/^SKIP //p' "$log" | tail -1)"
  else
    TAP_FAILED=$((TAP_FAILED + 1))
    echo "not ok $TAP_COUNT - $name"
    sed 's/^/# /' "$log"
  fi
  rm -f "$log"
}

finish() {
  echo "1..$TAP_COUNT"
  [ "$TAP_FAILED" -eq 0 ]
  exit
}

# need WHAT REASON: skips the promise unless WHAT can be had here: `root`, or a program's name.  The
# runner asks again, and takes a skip that was not needed for a failure.
need() {
  local have=false
  case $1 in
    root) [ "$(id -u)" -ne 0 ] || have=true ;;
    *) ! command -v "$1" >/dev/null || have=true ;;
  esac
  if ! $have; then
    echo "SKIP needs $1: $2"
    exit 77
  fi
}

# private_mounts: starts the test program again where its mounts are nobody else's, and end with it.
private_mounts() {
  if [ "$(id -u)" -eq 0 ] && [ -z "${TAP_PRIVATE_MOUNTS:-}" ]; then
    TAP_PRIVATE_MOUNTS=1 exec unshare --mount --propagation private "$0"
  fi
  unset TAP_PRIVATE_MOUNTS
}

test_setup() {
  T=$(mktemp -d "$WORK/$TAP_NAME.XXXXXX")
  CLEANUP=()
  STARTED=()
  cd "$T"
}

test_failed() {
  echo "failed: $1" >&2
  local i
  for ((i = 1; i < ${#FUNCNAME[@]} - 1; i++)); do
    echo "  in ${FUNCNAME[$i]}, ${BASH_SOURCE[$i]##*/}:${BASH_LINENO[$((i - 1))]}" >&2
  done
}

# cleanup COMMAND...: run when the promise ends, the last given first.
cleanup() {
  CLEANUP+=("$(printf '%q ' "$@")")
}

# started PID: something that must not outlive the promise, with whatever it started itself.
started() {
  STARTED+=("$1")
}

descendants() {
  local pid
  local -a children
  for pid in "$@"; do
    echo "$pid"
    mapfile -t -d ' ' children < <(cat "/proc/$pid/task/"*/children 2>/dev/null)
    [ ${#children[@]} -eq 0 ] || descendants "${children[@]}"
  done
}

test_cleanup() {
  local status=$1 i pids
  trap - ERR EXIT
  set +e
  cd /
  if [ ${#STARTED[@]} -gt 0 ]; then
    pids=$(descendants "${STARTED[@]}")
    # shellcheck disable=SC2086 # a list of numbers
    kill -KILL $pids 2>/dev/null
    wait "${STARTED[@]}" 2>/dev/null
  fi
  for ((i = ${#CLEANUP[@]} - 1; i >= 0; i--)); do
    eval "${CLEANUP[$i]}" || status=1
  done
  if [ "$status" -ne 0 ] && [ -n "${HOLDFAST_TEST_KEEP:-}" ]; then
    echo "kept: $T" >&2
  else
    delete_tree "$T" || status=1
  fi
  exit "$status"
}

# Hostile modes included; never across a mount that was left behind.
delete_tree() {
  [ -e "$1" ] || return 0
  find "$1" -xdev -type d ! -perm -700 -exec chmod u+rwx {} \; 2>/dev/null
  find "$1" -xdev -depth -delete
}

fail() {
  echo "$*" >&2
  return 1
}

# equal GOT EXPECTED [WHAT]
equal() {
  [ "$1" = "$2" ] || fail "${3:-it} is '$1', expected '$2'"
}

# matches TEXT REGEX [WHAT]
matches() {
  [[ $1 =~ $2 ]] || fail "${3:-it} is '$1', expected to match '$2'"
}

# expect STATUS[|STATUS] COMMAND...: leaves what it printed in $T/out and $T/err.
expect() {
  local expected=$1 status=0
  shift
  "$@" >"$T/out" 2>"$T/err" || status=$?
  if ! [[ $status =~ ^($expected)$ ]]; then
    echo "exit status $status, expected $expected: $*" >&2
    head -c 4000 "$T/out" "$T/err" >&2
    return 1
  fi
}

# expect_error STATUS REGEX COMMAND...: one clear line on standard error, and no word on the other.
expect_error() {
  local expected=$1 regex=$2
  shift 2
  expect "$expected" "$@"
  if [ "$(wc -l <"$T/err")" -ne 1 ] || ! grep -q '^holdfast: ' "$T/err"; then
    echo "expected one line that begins 'holdfast: ', got:" >&2
    head -c 4000 "$T/err" >&2
    return 1
  fi
  grep -Eqi -- "$regex" "$T/err" || fail "expected to match '$regex': $(cat "$T/err")"
}

# json EXPRESSION [FILE]: a Python expression over the one document `d` in $T/out.
json() {
  /usr/bin/python3 -c '
import json, sys
with open(sys.argv[2]) as file:
    d = json.load(file)
value = eval(sys.argv[1])
print(value if isinstance(value, str) else json.dumps(value))' "$1" "${2:-$T/out}"
}

# read_line FD: the next line that another process writes.
read_line() {
  local line
  IFS= read -r -t "$READ_LIMIT" -u "$1" line || fail "no answer on descriptor $1"
  printf '%s\n' "$line"
}
