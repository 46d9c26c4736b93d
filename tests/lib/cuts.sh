# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # what is set here is used by the tests, and the other way round
#
# Each operation that changes an installation: from where it starts, what is run, and when it is done.  Sourced
# after operations.sh by tests that have $ALL, $SOME and $FEW, the places that they try at most: of what matters
# most, of the others, and of those that are much like another.

# What differs between operations:
#   DONE        whether it has come to its end, as far as anybody can see
#   ENDS        its exit status, if nobody disturbs it
#   SWEEPS      that of a sweep afterwards
#   STAYS       what holds all along besides
#   AFTERWARDS  what holds when it has been swept
starts_with() { # REF...
  DONE=new_is_in_service ENDS=0 SWEEPS=0 STAYS='' AFTERWARDS='' NEWER=''
  images
  installation
  hf remote-add --no-verify test "$REMOTE"
  hf install test "$@"
}
started_at() {
  mkdir "$T/start"
  mv "$INST" "$T/start/inst"
}

new_is_in_service() { in_service "$NEW"; }
new_is_gone() { ! in_service "$NEW"; }
is_rolled_back() { ! is_updated; }
has_root() { [ -e "$INST/roots.d/local/mine" ]; }
has_no_root() { ! has_root; }
says() { grep -q "^$1\$" "$INST/${2:-config}" 2>/dev/null; } # LINE [FILE]
nothing_is_out_of_service() { nothing_out_of_service 2>/dev/null; }

# --- Installing, updating, removing -----------------------------------------------------------------

cut_install() {
  starts_with "$KEPT"
  started_at
  everywhere "$ALL" install test "$NEW"
}
cut_directory_install() {
  starts_with "$KEPT"
  started_at
  everywhere "$SOME" install "$IMAGES/New" --ref="$NEW"
}
cut_update() { # KEEP-PREVIOUS
  starts_with "$KEPT" "$NEW"
  hf config --set keep-previous "$1"
  newer_image
  started_at
  DONE=is_updated
  everywhere "$SOME" update "$NEW"
}
cut_rollback() {
  starts_with "$KEPT" "$NEW"
  newer_image
  hf update "$NEW"
  started_at
  DONE=is_rolled_back
  everywhere "$ALL" rollback "$NEW"
}
# With what was kept for rollback: all of it is back, or none.
cut_restore() {
  starts_with "$KEPT" "$NEW"
  newer_image
  hf update "$NEW"
  hf uninstall "$NEW"
  started_at
  AFTERWARDS=previous_is_back
  everywhere "$ALL" restore "$NEW"
}
previous_is_back() {
  ! in_service "$NEW" || { hf rollback "$NEW" && is_rolled_back && new_is_whole; }
}
cut_uninstall() {
  starts_with "$KEPT" "$NEW"
  started_at
  DONE=new_is_gone
  everywhere "$ALL" uninstall "$NEW"
}

# A runtime that no application needs.
idle_runtime() {
  image Idle
  printf '[Runtime]\nname=org.example.Idle\n' >"$IMAGES/Idle/metadata"
  hf install "$IMAGES/Idle" --ref="$IDLE"
  hf pin --remove "$IDLE"
}
idle_is_gone() { ! in_service "$IDLE"; }
cut_uninstall_of_unused() {
  starts_with "$KEPT" "$NEW"
  idle_runtime
  started_at
  DONE=idle_is_gone
  everywhere "$FEW" uninstall --unused
}

# --- Roots ------------------------------------------------------------------------------------------

# What only a root kept is moved to removed/.
rooted_previous() {
  starts_with "$KEPT" "$NEW"
  hf root add mine "$NEW" "$@"
  newer_image
  hf update "$NEW"
  keep_nothing
}
cut_root_remove() {
  rooted_previous
  started_at
  DONE=has_no_root
  everywhere "$SOME" root remove mine
}
cut_root_add() {
  starts_with "$KEPT" "$NEW"
  started_at
  DONE=has_root
  everywhere "$FEW" root add mine "$NEW"
}
# The link alone protects nothing, and is no obstacle.
root_holds() {
  has_root || expect 0 hf root add --link="$T/copy/link" mine "$NEW"
  equal "$(readlink "$T/copy/link")" "$(deployment_of "$NEW")" 'where the link leads'
  hf root list --json >"$T/out"
  equal "$(json 'd[0]["state"]')" holds
}
cut_root_with_link() {
  starts_with "$KEPT" "$NEW"
  started_at
  DONE=has_root AFTERWARDS=root_holds
  everywhere "$FEW" root add --link="$T/copy/link" mine "$NEW"
}
# The link has gone, and with it the root.
cut_sweep_that_ends_a_root() {
  mkdir "$T/start"
  rooted_previous --link="$T/start/link"
  mv "$INST" "$T/start/inst"
  rm "$T/start/link"
  DONE=has_no_root
  everywhere "$FEW" sweep
}

# --- Configuration and remotes ----------------------------------------------------------------------

# What is kept for rollback goes.
cut_config() {
  starts_with "$KEPT" "$NEW"
  newer_image
  hf update "$NEW"
  started_at
  DONE='says keep-previous=0'
  everywhere "$FEW" config --set keep-previous 0
}
cut_mask() {
  starts_with "$KEPT" "$NEW"
  started_at
  DONE='says masked=org.example.New'
  everywhere "$FEW" mask org.example.New
}
cut_pin() {
  starts_with "$KEPT" "$NEW"
  hf pin org.example.Other
  started_at
  DONE='says pinned=org.example.Other;org.example.New'
  everywhere "$FEW" pin org.example.New
}
has_remote() { says '\[remote "other"\]' repo/config; }
has_no_remote() { ! has_remote; }
cut_remote_add() {
  starts_with "$KEPT" "$NEW"
  started_at
  DONE=has_remote
  everywhere "$FEW" remote-add --gpg-import="$FIXTURES/key.gpg" other "$REMOTE"
}
cut_remote_delete() {
  starts_with "$KEPT" "$NEW"
  hf remote-add --gpg-import="$FIXTURES/key.gpg" other "$REMOTE"
  started_at
  DONE=has_no_remote
  everywhere "$FEW" remote-delete other
}

# --- Sweeping ---------------------------------------------------------------------------------------

cut_sweep() { # OPTION...
  starts_with "$KEPT" "$NEW"
  hf uninstall "$NEW"
  started_at
  DONE=nothing_is_out_of_service
  everywhere "$ALL" sweep "$@"
}
cut_sweep_of_two() {
  starts_with "$KEPT" "$NEW" "$THIRD"
  hf uninstall "$NEW" "$THIRD"
  started_at
  DONE=nothing_is_out_of_service
  everywhere "$SOME" sweep
}

# More is to be free than there is on any disk.  In removed/ are Third and the Kept from the remote, spared; an
# earlier Kept is kept for rollback, and the earlier New by a root; and nothing needs the runtime.
under_pressure() {
  starts_with "$KEPT" "$NEW" "$THIRD"
  hf config --set keep-removed 1h
  hf config --set give-up-unused yes
  hf root add mine "$NEW"
  newer_image
  hf update "$NEW"
  hf install "$IMAGES/Third" --ref="$KEPT"
  hf install "$IMAGES/Kept" --ref="$KEPT"
  hf uninstall "$THIRD"
  idle_runtime
  hf config --set min-free 1000T
}
all_is_given_up() {
  nothing_is_out_of_service && idle_is_gone &&
    [ "$(find "$INST/deploy/$KEPT" -mindepth 1 -maxdepth 1 -type d | wc -l)" -eq 1 ]
}
rooted_is_whole() {
  content "$INST/deploy/$NEW/$(sed -n s/^keeps=//p "$INST/roots.d/local/mine")/tree" |
    diff -U0 "$IMAGES/New.content" - || fail 'what the root keeps is not whole'
}
cut_sweep_under_pressure() {
  under_pressure
  started_at
  DONE=all_is_given_up ENDS=7 SWEEPS=7 STAYS=rooted_is_whole
  everywhere "$FEW" sweep
}

# --- Repairing --------------------------------------------------------------------------------------

# damaged_after COMMAND...: New, which a rollback went back to, is damaged so; and of what is replaced nothing
# is kept.
damaged_after() {
  starts_with "$KEPT" "$NEW"
  newer_image
  hf update "$NEW"
  hf rollback "$NEW"
  keep_nothing
  hf sweep
  mkdir "$T/copy"
  copy_installation "$INST" "$T/copy/inst"
  INST=$T/copy/inst OPERATION=none reference "$T/undamaged"
  D=$(deployment_of "$NEW")
  "$@"
  started_at
  DONE=new_is_whole
}
lose() { # FILE
  rm "$(find "$INST/repo/objects" -samefile "$1")"
}
lose_objects() {
  "$LIB/flip-byte" "$D/tree/files/own/file" 1
  rm "$D/tree/files/own/deep/program" "$D/.ref"
  lose "$D/tree/files/both/file"
  rm "$INST"/repo/refs/heads/deploy/*
}
cut_repair() {
  damaged_after lose_objects
  everywhere "$FEW" repair
}
# What is deployed is told by its name only, and what is stored lacks what only pins have.
lose_names() {
  lose "$(find "$D/pins" -name '*.commit')"
  lose "$(find "$D/pins" -type l | sort | head -1)"
  rm -r "$D/tree/files/own" "$INST/deploy/$NEW/active"
  rm -r "$INST/exports"
  hf install test "$THIRD"
  hf uninstall "$THIRD"
  rm "$INST"/removed/*/deployment
  : >"$INST/repo/tmp/holdfast-repair"
  mkdir -p "$INST/deploy/$APP.Empty/$ARCH"
}
cut_repair_of_what_is_stored() {
  damaged_after lose_names
  everywhere "$FEW" repair
}
# All that is left of it is a name, and what is stored.  Another one is to be replaced, too.
lose_deployment() {
  rm -r "$D"
  rm "$(deployment_of "$KEPT")/.ref"
}
cut_repair_of_what_is_gone() {
  damaged_after lose_deployment
  everywhere "$FEW" repair
}

# --- All of them ------------------------------------------------------------------------------------

# operations HOW
operations() {
  cut_short "$1" 'an install from a repository' cut_install
  cut_short "$1" 'an install of a directory' cut_directory_install
  cut_short "$1" 'an update' cut_update 0
  cut_short "$1" 'an update that keeps what it replaces' cut_update 1
  cut_short "$1" 'a rollback' cut_rollback
  cut_short "$1" 'an uninstall' cut_uninstall
  cut_short "$1" 'a removal of what is unused' cut_uninstall_of_unused
  cut_short "$1" 'a restore' cut_restore
  cut_short "$1" 'the addition of a root' cut_root_add
  cut_short "$1" 'the addition of a root with a link' cut_root_with_link
  cut_short "$1" 'the removal of a root' cut_root_remove
  cut_short "$1" 'a change of the configuration' cut_config
  cut_short "$1" 'a mask' cut_mask
  cut_short "$1" 'a pin' cut_pin
  cut_short "$1" 'the addition of a remote' cut_remote_add
  cut_short "$1" 'the deletion of a remote' cut_remote_delete
  cut_short "$1" 'a sweep by links' cut_sweep
  cut_short "$1" 'a sweep by marks' cut_sweep --full
  cut_short "$1" 'a sweep of two entries that share objects' cut_sweep_of_two
  cut_short "$1" 'a sweep that ends a root' cut_sweep_that_ends_a_root
  cut_short "$1" 'a sweep under disk pressure' cut_sweep_under_pressure
  local -a PROMISES=("${REPAIR_PROMISES[@]}")
  cut_short "$1" 'a repair that fetches' cut_repair
  cut_short "$1" 'a repair from what is stored' cut_repair_of_what_is_stored
  cut_short "$1" 'a repair of what is gone' cut_repair_of_what_is_gone
}
