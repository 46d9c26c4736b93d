# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # what is set here is used by the tests, and the other way round
#
# What must hold after an operation that was cut short, before and after anything is put in order, at one place
# after the other.  Sourced after small-images.sh and repairs.sh, together with cuts.sh, by tests that say how
# operations are cut short: `everywhere MOST COMMAND...`, at most at so many places, from copies of $T/start.
# $FIRST are promises of their own, which come before those of an operation.

RESULTS=$(mktemp -d "$WORK/operations.XXXXXX")
trap 'rm -rf "$RESULTS"' EXIT

# --- Oracles ----------------------------------------------------------------------------------------

# What `active` leads to is in removed/ already where an uninstall was cut short.
in_service() { # REF
  local active=$INST/deploy/$1/active
  [ -d "$active" ] && [ ! -L "${active%/*}/$(readlink "$active")" ]
}

# Each ref that is in service, and its commit.
deployed() {
  local active ref
  for active in "$INST"/deploy/*/*/*/*/active; do
    ref=${active#"$INST/deploy/"} ref=${ref%/active}
    ! in_service "$ref" || echo "$ref $(active_of "$ref" | cut -d. -f1)"
  done
}

is_updated() {
  [ -n "$NEWER" ] && in_service "$NEW" && [[ $(active_of "$NEW") == "$NEWER".* ]]
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

# complaints: each stored commit that lacks something, and what.  Of a copy, as ostree marks what it finds.
complaints() {
  cp -a "$INST/repo" "$T/look"
  ostree --repo="$T/look" fsck --all >"$T/fsck" 2>&1 || true
  rm -r "$T/look"
  sed -nE 's/^(Object missing in|In) commits ([0-9a-f, ]*): [^0-9]*([0-9a-f]{64}).*/\2 \3/p' "$T/fsck" |
    awk '{ for (i = 1; i < NF; i++) print $i, $NF }' | tr -d , | sort -u
}

# What is right of a damaged deployment of New, or of the one that comes in its place.
right_parts() {
  local tree
  for tree in "$INST/deploy/$NEW"/*.*/tree; do
    [ ! -d "$tree" ] || content "$tree"
  done | sort -u | comm -12 - <(sort -u "$IMAGES/New.content")
}

# --- What holds after a cut -------------------------------------------------------------------------

# And nothing is listed that is not.
refs_are_one_or_the_other() {
  deployed >"$T/now"
  equal "$(sort -u "$T/before" "$T/after" | comm -13 - "$T/now")" '' 'what was to be deployed neither before nor after'
  equal "$(comm -12 <(cut -d' ' -f1 "$T/before") <(cut -d' ' -f1 "$T/after") |
    comm -23 - <(cut -d' ' -f1 "$T/now"))" '' 'what is not deployed any more'
  equal "$(hf list --columns=ref | sort)" "$(cut -d' ' -f1 "$T/now")" 'what is listed'
  is_complete Kept
}

refs_are_deployed() {
  refs_are_one_or_the_other
  ! in_service "$NEW" || new_is_whole
  [ -z "$STAYS" ] || $STAYS
  is_left_to_settling || equal "$(find "$INST/exports" -xtype l)" '' 'names that lead nowhere'
}

# A name that could not be taken away because of an error, which was said, leads nowhere until the next change or sweep.
is_left_to_settling() {
  grep -q '^holdfast: Not everything is exported as it should be; ' "$T/fault.err" 2>/dev/null
}

commits_are_closed() {
  closure "$INST/repo"
}

others_install() {
  expect 0 hf install test "$THIRD"
  is_complete Third
  is_complete Kept
  # What is damaged may be copies.
  [ "$OPERATION" = repair ] || { ! in_service "$NEW" || new_is_whole; links_are_whole; }
}

nothing_is_left() {
  local reference=$T/undone
  expect "$SWEEPS" hf sweep
  ! $DONE || reference=$T/done
  names | diff -U0 "$reference" - || fail 'there is something left, or lost'
  nothing_out_of_service
  repository_is_whole
  [ -z "$AFTERWARDS" ] || $AFTERWARDS
}

PROMISES=(refs_are_deployed commits_are_closed others_install nothing_is_left)

# What was damaged before may be so still.
nothing_is_worse() {
  refs_are_one_or_the_other
  what_was_right_is_so_still
}
what_was_right_is_so_still() {
  equal "$(right_parts | comm -23 "$T/right" -)" '' 'what was right of the image and is not any more'
  equal "$(complaints | comm -13 "$T/complaints" -)" '' 'what was right of the repository and is not any more'
}

next_repair_finishes() {
  expect '0|5' hf sweep
  what_was_right_is_so_still
  asked 0
  expect 0 hf repair
  equal "$(cat "$T/out")" 'Nothing to repair' 'what the one after it says'
  expect 0 hf sweep
  names | diff -U0 "$T/undamaged" - || fail 'it is not as if nothing had been damaged'
  equal "$(readlink "$INST/deploy/$NEW/held")" "$(active_of "$NEW")" 'what a rollback holds'
  new_is_whole
  nothing_out_of_service
  repository_is_whole
}

REPAIR_PROMISES=(nothing_is_worse others_install next_repair_finishes)

declare -A SAYS=(
  [it_tells]='it does its work or says what failed'
  [refs_are_deployed]='the ref is deployed as one image or the other, or not at all'
  [commits_are_closed]='every commit has all that it reaches'
  [others_install]='what shares objects installs whole before any sweep'
  [nothing_is_left]='one sweep leaves what an undisturbed one would have'
  [nothing_is_worse]='what was right before is right still'
  [next_repair_finishes]='the next repair leaves what was there before the damage'
)

# --- Places -----------------------------------------------------------------------------------------

# A copy of $T/start: the installation and what lies beside it.
copy_start() {
  cp -a "$T/start" "$T/copy"
  is_no_copy "$T/copy/inst"
}

# reference FILE: the names after a sweep, and in the end the copy has gone.
reference() {
  [ "$OPERATION" != repair ] || asked 0
  hf install test "$THIRD"
  expect "$SWEEPS" hf sweep
  names >"$1"
  rm -r "$T/copy"
}

# undisturbed TRACER COMMAND...: what nobody cuts short, with a line in $T/counted for each place.
undisturbed() {
  local tracer=$1
  shift
  OPERATION=$1
  INST=$T/copy/inst
  rm -f "$RESULTS"/*
  # Nothing can look for leaks in a traced process.
  export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
  copy_start
  deployed >"$T/before"
  if [ "$OPERATION" = repair ]; then
    right_parts >"$T/right"
    complaints >"$T/complaints"
  fi
  reference "$T/undone"
  copy_start
  # shellcheck disable=SC2086 # a program and its options
  expect "$ENDS" $tracer "$T/copy" "$T/counted" 0 "$HOLDFAST" --installation="$INST" "$@"
  deployed >"$T/after"
  $DONE || fail 'it did not do its work'
  reference "$T/done"
  [ "$OPERATION" != repair ] || diff -U0 "$T/undamaged" "$T/done" || fail 'it mends less than all'
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

# check_all POINT: of the copy, which is gone then.  What holds of a state holds of the next one that is the same.
declare -A LOOKED_AT
check_all() {
  local promise state
  for promise in "${FIRST[@]}"; do
    check "$1" "$promise"
  done
  state=$("$LIB/state" "$T/copy")
  ! is_left_to_settling || state+=', said to be left'
  if [ -z "${LOOKED_AT[$state]:-}" ]; then
    LOOKED_AT[$state]=yes
    for promise in "${PROMISES[@]}"; do
      check "$1" "$promise"
    done
  fi
  rm -r "$T/copy"
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

# --- Promises ---------------------------------------------------------------------------------------

no_failure() { # PROMISE
  [ -s "$RESULTS/count" ] || fail 'it did not come to that'
  [ ! -s "$RESULTS/$1" ] || { cat "$RESULTS/$1"; return 1; }
}

# cut_short HOW WHAT FUNCTION...: the promises about one operation, if it is one of those asked for.
cut_short() {
  local how=$1 what=$2 promise
  shift 2
  [[ $what =~ ${HOLDFAST_OPERATIONS:-} ]] || return 0
  rm -f "$RESULTS"/*
  promise "$what $how" "$@"
  echo "# $what: $(cat "$RESULTS/count" || echo 'it came to no end')"
  for promise in "${FIRST[@]}" "${PROMISES[@]}"; do
    promise "$what: ${SAYS[$promise]}" no_failure "$promise"
  done
}
