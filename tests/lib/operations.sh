# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # what is set here is used by the tests, and the other way round
#
# Operations that are cut short at one place after the other, and what must hold after each, before and
# after anything is repaired.  Sourced after small-images.sh by tests that say how they are cut short:
# `everywhere MOST COMMAND...`, at most at so many places, from copies of $T/start.  $ALL and $SOME are
# those numbers, for operations that matter most and for the others.

RESULTS=$(mktemp -d "$WORK/operations.XXXXXX")
trap 'rm -rf "$RESULTS"' EXIT

# --- Oracles ----------------------------------------------------------------------------------------

# What `active` leads to is in removed/ already where an uninstall was cut short.
in_service() { # REF
  local branch=$INST/deploy/$1
  [ -L "$branch/active" ] && [ ! -L "$branch/$(readlink "$branch/active")" ]
}

is_updated() {
  [ -n "$NEWER" ] && in_service "$NEW" && [[ $(active_of "$NEW") == "$NEWER".* ]]
}

# Whether what was killed had come to its end, as far as anybody can see.
is_done() {
  case $OPERATION in
    update) is_updated ;;
    uninstall) ! in_service "$NEW" ;;
    rollback) ! is_updated ;;
    root) [ ! -e "$INST/roots.d/local/mine" ] ;;
    *) in_service "$NEW" ;;
  esac
}

new_is_whole() {
  local image=New
  ! is_updated || image=Newer
  is_complete New "$image"
}

# Every commit object is looked at, whether a ref leads to it or not.
closure() { # REPOSITORY
  equal "$(find "$1/state" -name '*.commitpartial')" '' 'commits marked as partial'
  ostree --repo="$1" fsck >"$T/fsck" 2>&1 || { cat "$T/fsck"; fail 'a commit lacks something'; }
}

# --- What holds after a crash -----------------------------------------------------------------------

refs_are_deployed() {
  local listed
  listed=$(hf list --columns=ref)
  if in_service "$NEW"; then
    new_is_whole
    matches "$listed" "$NEW"
  else
    [[ $OPERATION != @(update|rollback|root) ]] || fail 'nothing is left deployed'
    [[ $listed != *"$NEW"* ]] || fail 'it is listed and not there'
  fi
  is_complete Kept
}

commits_are_closed() {
  closure "$INST/repo"
}

others_install() {
  expect 0 hf install test "$THIRD"
  is_complete Third
  is_complete Kept
  ! in_service "$NEW" || new_is_whole
  links_are_whole
}

nothing_is_left() {
  local reference=$T/undone
  expect 0 hf sweep
  ! is_done || reference=$T/done
  names | diff -U0 "$reference" - || fail 'there is something left, or lost'
  nothing_out_of_service
  repository_is_whole
}

PROMISES=(refs_are_deployed commits_are_closed others_install nothing_is_left)

# --- Places -----------------------------------------------------------------------------------------

# reference FILE [COMMAND...]: the names after that command, nobody killed.
reference() {
  local file=$1
  shift
  [ $# -eq 0 ] || hf "$@"
  hf install test "$THIRD"
  hf sweep
  names >"$file"
  rm -r "$INST"
}

# check POINT PROMISE: its failure is that promise's, and the other promises are still looked at.
check() {
  local status=0
  "$2" >"$T/check" 2>&1 &
  wait $! || status=$?
  if [ "$status" -ne 0 ]; then
    { echo "after $1:"; sed 's/^/  /' "$T/check"; } >>"$RESULTS/$2"
  fi
}

# The same ones in each run, unless another seed is asked for.
RANDOM=${HOLDFAST_SEED:-1}

# points COUNT MOST: so many of them at most, evenly.
points() {
  local most=$(($1 < $2 ? $1 : $2)) offset=$((RANDOM % $1)) i
  for ((i = 0; i < most; i++)); do
    echo $((1 + (i * $1 + offset) / most))
  done
}

# --- Operations -------------------------------------------------------------------------------------

NEWER=
start() { # REF...
  NEWER=
  images
  installation
  hf remote-add --no-verify test "$REMOTE"
  hf install test "$@"
}
started_at() {
  mv "$INST" "$T/start"
}

cut_install() {
  start "$KEPT"
  started_at
  everywhere "$ALL" install test "$NEW"
}
cut_directory_install() {
  start "$KEPT"
  started_at
  everywhere "$SOME" install "$IMAGES/New" --ref="$NEW"
}
cut_update() {
  start "$KEPT" "$NEW"
  keep_nothing
  newer_image
  started_at
  everywhere "$SOME" update "$NEW"
}
cut_update_that_keeps() {
  start "$KEPT" "$NEW"
  newer_image
  started_at
  everywhere "$SOME" update "$NEW"
}
cut_rollback() {
  start "$KEPT" "$NEW"
  newer_image
  hf update "$NEW"
  started_at
  everywhere "$ALL" rollback "$NEW"
}
cut_restore() {
  start "$KEPT" "$NEW"
  hf uninstall "$NEW"
  started_at
  everywhere "$ALL" restore "$NEW"
}
# What only a root kept is moved to removed/.
cut_root() {
  start "$KEPT" "$NEW"
  hf root add mine "$NEW"
  newer_image
  hf update "$NEW"
  keep_nothing
  started_at
  everywhere "$SOME" root remove mine
}
cut_uninstall() {
  start "$KEPT" "$NEW"
  started_at
  everywhere "$ALL" uninstall "$NEW"
}
cut_sweep() { # OPTION...
  start "$KEPT" "$NEW"
  hf uninstall "$NEW"
  started_at
  everywhere "$ALL" sweep "$@"
}
cut_sweep_of_two() {
  start "$KEPT" "$NEW" "$THIRD"
  hf uninstall "$NEW" "$THIRD"
  started_at
  everywhere "$SOME" sweep
}

# --- Promises ---------------------------------------------------------------------------------------

no_failure() { # PROMISE
  [ -s "$RESULTS/count" ] || fail 'it did not come to that'
  [ ! -s "$RESULTS/$1" ] || { cat "$RESULTS/$1"; return 1; }
}

# cut_short HOW WHAT FUNCTION...: the promises about one operation.
cut_short() {
  local how=$1 what=$2
  shift 2
  rm -f "$RESULTS"/*
  promise "$what $how" "$@"
  echo "# $what: $(cat "$RESULTS/count" || echo 'it came to no end')"
  case " ${PROMISES[*]} " in
    *' it_tells '*) promise "$what: it does its work or says what failed" no_failure it_tells ;;
  esac
  promise "$what: the ref is deployed as one image or the other, or not at all" \
    no_failure refs_are_deployed
  promise "$what: every commit has all that it reaches" no_failure commits_are_closed
  promise "$what: what shares objects installs whole before any sweep" no_failure others_install
  promise "$what: one sweep leaves what an undisturbed one would have" no_failure nothing_is_left
}

# operations HOW: all of them.
operations() {
  cut_short "$1" 'an install from a repository' cut_install
  cut_short "$1" 'an install of a directory' cut_directory_install
  cut_short "$1" 'an update' cut_update
  cut_short "$1" 'an update that keeps what it replaces' cut_update_that_keeps
  cut_short "$1" 'a rollback' cut_rollback
  cut_short "$1" 'an uninstall' cut_uninstall
  cut_short "$1" 'a restore' cut_restore
  cut_short "$1" 'the removal of a root' cut_root
  cut_short "$1" 'a sweep by links' cut_sweep
  cut_short "$1" 'a sweep by marks' cut_sweep --full
  cut_short "$1" 'a sweep of two entries that share objects' cut_sweep_of_two
}
