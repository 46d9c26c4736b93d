#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is kept, and brought back: earlier deployments and rollback, restore, roots, holds, masks, pins, and
# the configuration that says how much of it.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
private_mounts

differs() { # A B
  [ "$1" != "$2" ] || fail "it is '$1' still"
}

commits() { # REF: of all deployments in its branch directory
  find "$INST/deploy/$1" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | cut -d. -f1 | sort
}

state_of() { # REF COMMIT
  hf list --all --columns=ref,commit,state | awk -v ref="$1" -v commit="$2" \
    '$1 == ref && $2 == commit { print $3 }'
}

# updated: Hello as it was, and one update of it, with the default of one kept.
updated() {
  installed archive-1 "$HELLO"
  hf config --unset keep-previous
  OLD=$(active_of "$HELLO")
  publish archive-2
  hf update "$HELLO"
  NEW=$(active_of "$HELLO")
  differs "$OLD" "$NEW"
}

# --- Retention ---------------------------------------------------------------------------------------

an_update_keeps_one() {
  updated
  equal "$(state_of "$HELLO" "${NEW%.*}")" active
  equal "$(state_of "$HELLO" "${OLD%.*}")" previous
  swept
  equal "$(commits "$HELLO" | wc -l)" 2 'deployments after a sweep'
  matches "$(hf list --columns=commit)" "${NEW%.*}"
}
promise 'an update keeps the deployment before it' an_update_keeps_one

none_is_kept() {
  updated
  hf config --set keep-previous 0
  equal "$(commits "$HELLO")" "${NEW%.*}" 'what is left'
  swept
}
promise 'keeping none is carried out at once, and the sweep frees what was kept' none_is_kept

none_is_kept_after_a_crash() {
  need strace 'it kills a command that writes the configuration'
  updated
  local when
  when=$(calls_to fsync "<$INST>" "$HOLDFAST" --installation="$INST" config --set keep-previous 1)
  expect 137 inject "fsync:signal=KILL:when=$when" \
    "$HOLDFAST" --installation="$INST" config --set keep-previous 0
  equal "$(hf config --get keep-previous)" 0
  swept
  equal "$(commits "$HELLO")" "${NEW%.*}" 'what is left'
}
promise 'a configuration that was written is carried out, if its writer was killed at once' \
  none_is_kept_after_a_crash

half_a_configuration() {
  need strace 'it kills a command that writes the configuration'
  updated
  expect 137 inject 'renameat:signal=KILL:error=EIO:when=1' \
    "$HOLDFAST" --installation="$INST" config --set keep-previous 0
  equal "$(hf config --get keep-previous)" 1
  swept
  [ ! -e "$INST/config.new" ] || fail 'what was never put in place is left'
}
promise 'a configuration that was never put in place leaves nothing' half_a_configuration

# What left service last is kept, whatever was built last.
the_last_in_service_is_kept() {
  updated
  hf rollback "$HELLO"
  local image=$T/own
  mkdir "$image"
  echo third >"$image/third"
  hf install "$image" --ref="$HELLO" --command=true
  equal "$(commits "$HELLO")" "$(printf '%s\n' "${OLD%.*}" "$(active_of "$HELLO" | cut -d. -f1)" | sort)"
  swept
}
promise 'what was in service last is kept, and not what was built last' the_last_in_service_is_kept

# --- Rollback ---------------------------------------------------------------------------------------

a_rollback_is_a_flip() {
  updated
  mv "$REMOTE" "$REMOTE.away"
  hf rollback "$HELLO" >"$T/out"
  matches "$(cat "$T/out")" "Rolled back $HELLO ${OLD%.*}"
  equal "$(active_of "$HELLO")" "$OLD"
  hf run --command=true "$HELLO"
  hf rollback "$HELLO"
  equal "$(active_of "$HELLO")" "$NEW" 'after a second one'
  hf rollback --to="${OLD##*.}" "$HELLO"
  equal "$(active_of "$HELLO")" "$OLD" 'by its serial'
  hf rollback --to="$(cut -c-8 <<<"$NEW")" "$HELLO"
  equal "$(active_of "$HELLO")" "$NEW" 'by the beginning of its commit'
  expect 3 hf rollback --to=0000 "$HELLO"
  expect 3 hf rollback org.example.None
  swept
}
promise 'a rollback needs no network, and a second one undoes it' a_rollback_is_a_flip

a_rollback_holds() {
  updated
  hf rollback "$HELLO"
  hf update >"$T/out"
  matches "$(cat "$T/out")" "Held by a rollback $HELLO"
  equal "$(active_of "$HELLO")" "$OLD" 'after an update of everything'
  matches "$(hf list --json | tr -d ' \n')" '"held":true'
  hf update "$HELLO"
  equal "$(active_of "$HELLO" | cut -d. -f1)" "${NEW%.*}" 'after an update that names it'
  matches "$(hf list --json | tr -d ' \n')" '"held":false'
  hf update >"$T/out"
  matches "$(cat "$T/out")" 'Nothing to update'
  swept
}
promise 'a rollback holds until an update names the ref' a_rollback_holds

# Back at what the remote has, by a rollback of a rollback: only the hold is to go.
a_hold_ends_by_itself() {
  updated
  hf rollback "$HELLO"
  hf rollback "$HELLO"
  hf update >"$T/out"
  matches "$(cat "$T/out")" "Held by a rollback $HELLO"
  hf update "$HELLO" >"$T/out"
  equal "$(cat "$T/out")" "No longer held $HELLO ${NEW%.*}"
  equal "$(active_of "$HELLO")" "$NEW"
  matches "$(hf list --json | tr -d ' \n')" '"held":false'
  hf update >"$T/out"
  equal "$(cat "$T/out")" 'Nothing to update'
  swept
}
promise 'also where the update finds nothing new' a_hold_ends_by_itself

is_held() {
  matches "$(hf list --json | tr -d ' \n')" '"held":true'
}

# A kill at each rename of it, the last of which it does not get to.
a_rollback_of_a_rollback_is_cut_short() {
  updated
  hf rollback "$HELLO"
  local n active
  for n in 1 2 3; do
    expect '0|137' inject "renameat:signal=KILL:when=$n" "$HOLDFAST" --installation="$INST" \
      rollback "$HELLO"
    active=$(active_of "$HELLO")
    is_held
    hf update
    equal "$(active_of "$HELLO")" "$active" "after an update of everything, killed at rename $n"
    is_held
  done
  swept
}
promise 'a rollback that is cut short leaves the hold of the one before it' \
  a_rollback_of_a_rollback_is_cut_short

# The update has seen what is active, and finds the ref rolled back when it comes to publish.
a_rollback_amid_an_update() { # [REF]
  updated
  ostree --repo="$REMOTE" commit --branch="$HELLO" --tree=ref="$HELLO" --no-xattrs \
    --add-metadata-string=third=third --timestamp=2030-01-01 >"$T/third"
  stopped build-begun update "$@"
  hf rollback "$HELLO"
  continued 0
}

an_update_of_everything_leaves_it() {
  a_rollback_amid_an_update
  equal "$(active_of "$HELLO")" "$OLD"
  is_held
  swept
}
promise 'a rollback amid an update of everything is not undone by that' an_update_of_everything_leaves_it

an_update_by_name_replaces_it() {
  a_rollback_amid_an_update "$HELLO"
  equal "$(active_of "$HELLO" | cut -d. -f1)" "$(cat "$T/third")"
  swept
}
promise 'and by an update that names the ref it is' an_update_by_name_replaces_it

no_more_is_kept_by_a_rollback() {
  installed archive-1 "$HELLO"
  OLD=$(active_of "$HELLO")
  hf root add mine "$HELLO"
  publish archive-2
  hf update "$HELLO"
  hf rollback "$HELLO"
  equal "$(commits "$HELLO")" "${OLD%.*}" 'what is left, with none to be kept'
  hf root remove mine
  swept
}
promise 'a rollback to what only a root kept keeps no more than is to be kept' no_more_is_kept_by_a_rollback

nothing_to_roll_back_to() {
  installed archive-1 "$HELLO"
  unchanged_by expect 3 hf rollback "$HELLO"
  matches "$(cat "$T/err")" 'no earlier deployment'
}
promise 'a rollback to nothing changes nothing' nothing_to_roll_back_to

a_rolled_back_ref_uninstalls() {
  updated
  hf rollback "$HELLO"
  hf uninstall "$HELLO"
  swept
  [ ! -e "$INST/deploy/app" ] || fail 'something stays in deploy/'
}
promise 'what was rolled back is uninstalled without a rest' a_rolled_back_ref_uninstalls

running_across_a_rollback() {
  updated
  instance new "$HELLO"
  hf rollback "$HELLO"
  instance old "$HELLO"
  hf config --set keep-previous 0
  expect 4 hf sweep
  end new
  end old
  await_entries_free
  swept
  equal "$(commits "$HELLO")" "${OLD%.*}"
}
promise 'instances from before and after a rollback keep what they run from' running_across_a_rollback

# --- Restore ----------------------------------------------------------------------------------------

restored() {
  installed archive-1 "$HELLO"
  ACTIVE=$(active_of "$HELLO")
  snapshot >"$T/before"
  hf uninstall "$HELLO"
  expect 3 hf run "$HELLO"
  hf restore Hello >"$T/out"
  matches "$(cat "$T/out")" "Restored $HELLO ${ACTIVE%.*}"
  equal "$(active_of "$HELLO")" "$ACTIVE"
  hf run --command=true "$HELLO"
  # What leads back from removed/.
  hf sweep --dry-run >"$T/out"
  matches "$(cat "$T/out")" '^Nothing to sweep but leftovers: 1 inode, [^,]* to free$'
  hf sweep >"$T/out"
  matches "$(cat "$T/out")" '^Nothing to sweep but leftovers: 1 inode, [^,]* freed$'
  equal "$(hf sweep)" ''
  swept
}
promise 'restore brings back what was uninstalled' restored

restored_in_use() {
  installed archive-1 "$HELLO"
  instance app "$HELLO"
  hf uninstall "$HELLO"
  equal "$(hf list --all --columns=ref,state | awk '/Hello/ { print $2 }')" removed-in-use
  hf restore "$HELLO"
  hf run --command=true "$HELLO"
  equal "$(ask app 'cat /app/files.list >/dev/null 2>&1; echo still')" still
  end app
  swept
}
promise 'restore brings back what is still running' restored_in_use

# It dies when the deployment lies in deploy/ already and `active` does not name it.
restored_at_the_second_try() {
  need strace 'it kills a restore on its way'
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  expect 137 inject 'symlinkat:signal=KILL:when=1' "$HOLDFAST" --installation="$INST" restore "$HELLO"
  equal "$(hf list --app)" '' 'what is deployed'
  hf restore "$HELLO"
  hf run --command=true "$HELLO"
  swept
}
promise 'a restore that was killed can be given again' restored_at_the_second_try

restored_with_its_runtime() {
  installed archive-1 "$HELLO"
  hf uninstall --all --assumeyes
  hf restore "$HELLO" >"$T/out"
  matches "$(cat "$T/out")" "Restored $PLATFORM"
  hf run --command=true "$HELLO"
  swept
}
promise 'restore brings the runtime back, too' restored_with_its_runtime

restored_when_its_runtime_has_gone() {
  installed archive-1 "$HELLO"
  local runtime
  runtime=$(active_of "$PLATFORM")
  hf uninstall --all --assumeyes
  rm -r "$INST"/removed/*."$runtime"
  expect_error 3 "$HELLO needs $PLATFORM, which is not installed: try .holdfast install $PLATFORM." hf restore "$HELLO"
  equal "$(hf list)" '' 'what is in service'
  hf install test "$PLATFORM"
  hf restore "$HELLO"
  hf run --command=true "$HELLO"
}
promise 'what has lost its runtime stays in the trash until that is there' restored_when_its_runtime_has_gone

too_late() {
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  chmod 0440 "$INST"/removed/*/deployment
  expect 3 hf restore "$HELLO"
  swept
  expect 3 hf restore "$HELLO"
}
promise 'what a sweep has begun with is not brought back' too_late

restored_twice_a_second() {
  installed archive-1 "$HELLO"
  local _
  for _ in 1 2 3 4; do
    hf uninstall "$HELLO"
    hf restore "$HELLO"
  done
  hf run --command=true "$HELLO"
  swept
}
promise 'uninstall and restore can follow each other at once' restored_twice_a_second

the_one_that_was_active() {
  updated
  hf uninstall "$HELLO"
  hf restore "$HELLO"
  equal "$(active_of "$HELLO")" "$NEW"
  hf uninstall "$HELLO"
  hf restore --to="${OLD%.*}" "$HELLO"
  equal "$(active_of "$HELLO")" "$OLD"
  equal "$(state_of "$HELLO" "${NEW%.*}")" previous
  expect 3 hf restore --to="${NEW%.*}" "$HELLO"
  swept
}
promise 'restore brings back what was active, or what is asked for' the_one_that_was_active

nothing_is_replaced() {
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  hf install test "$HELLO"
  local before
  before=$(active_of "$HELLO")
  expect_error 1 "$HELLO is installed: .holdfast rollback" hf restore "$HELLO"
  equal "$(active_of "$HELLO")" "$before"
  swept
}
promise 'restore replaces nothing that is installed' nothing_is_replaced

restored_with_what_was_kept() {
  updated
  hf uninstall "$HELLO"
  hf restore "$HELLO" >"$T/out"
  equal "$(cat "$T/out")" "$(printf '%s\n' "Restored $HELLO ${NEW%.*}" \
    "Restored for rollback $HELLO ${OLD%.*}")"
  swept
  equal "$(state_of "$HELLO" "${OLD%.*}")" previous
  hf rollback "$HELLO"
  equal "$(active_of "$HELLO")" "$OLD" 'after a rollback'
  hf run --command=true "$HELLO"
  hf rollback "$HELLO"
  equal "$(active_of "$HELLO")" "$NEW" 'after another one'
  hf run --command=true "$HELLO"
}
promise 'restore brings back what was kept for rollback' restored_with_what_was_kept

# A sweeper has it, and was stopped on its way.
restored_without_what_is_swept() {
  updated
  hf uninstall "$HELLO"
  hold ofd exclusive "$(echo "$INST"/removed/*"$OLD")/.ref"
  hf restore "$HELLO" >"$T/out"
  equal "$(cat "$T/out")" "Restored $HELLO ${NEW%.*}"
  let_go
  hf run --command=true "$HELLO"
  expect 3 hf rollback "$HELLO"
  swept
  equal "$(commits "$HELLO")" "${NEW%.*}" 'what is left'
}
promise 'what a sweep has of that stays with the sweep, and the rest comes back' restored_without_what_is_swept

spared_for_a_while() {
  installed archive-1 "$HELLO"
  hf config --set keep-removed 1h
  hf uninstall "$HELLO"
  expect 0 hf sweep
  matches "$(cat "$T/out")" "Spared $HELLO .* until "
  hf restore "$HELLO"
  hf run --command=true "$HELLO"
  hf uninstall "$HELLO"
  expect 0 hf sweep --now
  nothing_out_of_service
}
promise 'the trash is spared as long as keep-removed says, and not by sweep --now' spared_for_a_while

# An hour and more ago.
spared_no_longer() {
  installed archive-1 "$HELLO"
  hf config --set keep-removed 1h
  hf uninstall "$HELLO"
  local entry base
  entry=$(echo "$INST"/removed/*)
  base=$(basename "$entry")
  mv "$entry" "$INST/removed/$(printf '%012d' $(($(date +%s) - 3601))).${base#*.}"
  swept
}
promise 'the trash goes when its time is over' spared_no_longer

history_tells() {
  updated
  hf rollback "$HELLO"
  hf uninstall "$HELLO"
  hf restore "$HELLO"
  hf history --json >"$T/out"
  equal "$(json '" ".join(e["event"] for e in d if e["event"] in ("rollback", "restore"))')" \
    'rollback restore'
}
promise 'a rollback and a restore are in the history' history_tells

# A full prune has listed what there is, and has yet to look at any of it.
moved_amid_a_full_sweep() { # COMMAND...
  installed archive-1 "$HELLO" "$OTHER"
  hf config --set keep-removed 1h
  [ "$1" != restore ] || hf uninstall "$OTHER"
  stopped marks-listed sweep --full
  hf "$@" "$OTHER"
  continued 0
  [ "$1" = restore ] || hf restore "$OTHER"
  repository_is_whole
  hf config --unset keep-removed
  swept
}
promise 'what is restored while a full sweep looks around keeps its objects' \
  moved_amid_a_full_sweep restore
promise 'and so does what is uninstalled then' moved_amid_a_full_sweep uninstall

# --- Roots ------------------------------------------------------------------------------------------

a_root_keeps() {
  updated
  hf rollback "$HELLO"
  hf root add mine "$HELLO"
  equal "$(cd "$INST/roots.d" && find . -type f)" ./local/mine
  hf update "$HELLO"
  hf config --set keep-previous 0
  swept
  equal "$(commits "$HELLO" | wc -l)" 2 'deployments with a root'
  hf uninstall "$HELLO"
  expect 0 hf sweep
  matches "$(cat "$T/out")" "Kept $HELLO ${OLD%.*} by root local/mine"
  equal "$(find "$INST/removed" -mindepth 1 -maxdepth 1 | wc -l)" 1 'entries kept'
  hf restore "$HELLO"
  equal "$(active_of "$HELLO")" "$OLD"
  hf uninstall "$HELLO"
  hf root remove mine
  equal "$(ls "$INST/roots.d")" ''
  swept
}
promise 'a root keeps its deployment, in service or not' a_root_keeps

half_a_root() {
  need strace 'it kills a command that writes a root'
  installed archive-1 "$HELLO"
  expect 137 inject 'renameat2:signal=KILL:error=EIO:when=1' \
    "$HOLDFAST" --installation="$INST" root add mine "$HELLO"
  [ -e "$INST/roots.d/local/.new" ] || fail 'it had not come to that call'
  swept
  equal "$(ls -A "$INST/roots.d")" '' 'what is left of the root'
}
promise 'a root that was never made leaves nothing' half_a_root

a_root_that_goes_frees_what_it_kept() {
  updated
  hf rollback "$HELLO"
  hf root add other/mine "$HELLO"
  hf config --set keep-previous 0
  hf update "$HELLO"
  equal "$(commits "$HELLO" | wc -l)" 2
  hf root remove other/mine
  equal "$(commits "$HELLO" | wc -l)" 1
  swept
}
promise 'without its root, an earlier deployment goes' a_root_that_goes_frees_what_it_kept

a_link_ends_its_root() {
  installed archive-1 "$HELLO"
  hf root add --link="$T/link" linked "$HELLO"
  equal "$(readlink -f "$T/link")" "$(deployment_of "$HELLO")"
  hf uninstall "$HELLO"
  expect 0 hf sweep
  matches "$(hf root list)" 'holds'
  [ -e "$T/link/tree/files" ] || fail 'the link no longer leads to the files'
  rm "$T/link"
  matches "$(hf root list)" 'ended'
  swept
  equal "$(ls "$INST/roots.d")" ''
}
promise 'a root ends with its link' a_link_ends_its_root

a_link_that_leads_elsewhere() {
  installed archive-1 "$HELLO"
  hf root add --link="$T/link" linked "$HELLO"
  ln -sfn / "$T/link"
  hf uninstall "$HELLO"
  swept
}
promise 'a root ends when its link leads elsewhere' a_link_that_leads_elsewhere

an_ended_root_alone_is_work() {
  updated
  hf rollback "$HELLO"
  hf config --set keep-previous 0
  hf root add --link="$T/link" linked "$HELLO"
  hf update "$HELLO"
  expect 0 hf sweep
  equal "$(commits "$HELLO" | wc -l)" 2
  rm "$T/link"
  expect 0 hf sweep
  equal "$(commits "$HELLO" | wc -l)" 1
  swept
}
promise 'a sweep with an empty trash sees that a root has ended' an_ended_root_alone_is_work

unmounted() {
  need root 'it mounts a file system'
  installed archive-1 "$HELLO"
  truncate -s 16M "$T/disk"
  mkfs.ext4 -q "$T/disk"
  mkdir "$T/mnt"
  mount -o loop "$T/disk" "$T/mnt"
  hf root add --link="$T/mnt/link" linked "$HELLO"
  hf uninstall "$HELLO"
  umount "$T/mnt"
  expect 0 hf sweep
  matches "$(cat "$T/err")" 'goes on protecting'
  [ -n "$(ls "$INST/removed")" ] || fail 'it was deleted'
  mount -o loop "$T/disk" "$T/mnt"
  cleanup umount "$T/mnt"
  expect 0 hf sweep
  equal "$(cat "$T/err")" ''
  rm "$T/mnt/link"
  swept
}
promise 'a link on a file system that is not mounted goes on protecting' unmounted

# Whoever looks at it would hang until the end of that process, which is stopped.
no_answer() {
  need root 'it mounts a file system'
  need bindfs 'it is a file system that can be stopped'
  installed archive-1 "$HELLO" "$OTHER"
  mkdir "$T/real" "$T/mnt"
  bindfs -f "$T/real" "$T/mnt" &
  local server=$!
  started $server
  until mountpoint -q "$T/mnt"; do :; done
  cleanup umount "$T/mnt"
  hf root add --link="$T/mnt/link" linked "$HELLO"
  hf root add --link="$T/other" answers "$OTHER"
  rm "$T/other"
  hf uninstall "$HELLO" "$OTHER"
  kill -STOP $server
  expect 0 hf sweep
  matches "$(cat "$T/err")" 'linked goes on protecting: .*timed out'
  equal "$(find "$INST/removed" -mindepth 1 -maxdepth 1 | wc -l)" 1 'entries kept'
  kill -CONT $server
  expect 0 hf sweep
  equal "$(cat "$T/err")" ''
  rm "$T/mnt/link"
  swept
}
promise 'a link on a mount that does not answer goes on protecting, and stops nobody' no_answer

unreadable_link() {
  need root 'it takes a permission away'
  installed archive-1 "$HELLO"
  mkdir "$T/private"
  chown -R nobody "$INST" "$T/private"
  chmod 755 "$T"
  as_nobody() { runuser -u nobody -- env HOME="$T" "$HOLDFAST" --installation="$INST" "$@"; }
  as_nobody root add --link="$T/private/link" linked "$HELLO"
  chown root "$T/private"
  chmod 700 "$T/private"
  as_nobody uninstall "$HELLO"
  expect 0 as_nobody sweep
  matches "$(cat "$T/err")" 'goes on protecting.*Permission denied'
  [ -n "$(ls "$INST/removed")" ] || fail 'it was deleted'
  as_nobody root remove linked
  expect 0 as_nobody sweep
  nothing_out_of_service
}
promise 'a link that cannot be read goes on protecting' unreadable_link

a_bad_root() {
  installed archive-1 "$HELLO" "$OTHER"
  hf root add good "$HELLO"
  echo garbage >"$INST/roots.d/local/bad"
  mkdir "$INST/roots.d/other"
  mkdir "$INST/roots.d/other/directory"
  touch "$INST/roots.d/file"
  hf uninstall "$HELLO" "$OTHER"
  expect 5 hf sweep
  matches "$(cat "$T/err")" 'local/bad protects nothing'
  matches "$(cat "$T/err")" 'other/directory protects nothing'
  equal "$(find "$INST/removed" -mindepth 1 -maxdepth 1 | wc -l)" 1 'entries kept'
  expect 5 hf root list
  hf root remove bad
  rm -r "$INST/roots.d/other" "$INST/roots.d/file"
  hf root remove good
  swept
}
promise 'one bad root is told of, and stops nothing' a_bad_root

bad_roots_refused() {
  installed archive-1 "$HELLO"
  hf root add mine "$HELLO"
  unchanged_by expect 1 hf root add mine "$HELLO"
  unchanged_by expect 2 hf root add ../mine "$HELLO"
  unchanged_by expect 2 hf root add .mine "$HELLO"
  unchanged_by expect 2 hf root add a/b/c "$HELLO"
  unchanged_by expect 3 hf root add new org.example.None
  unchanged_by expect 3 hf root remove none
  unchanged_by expect 2 hf root frob
  touch "$T/present"
  unchanged_by expect 1 hf root add --link="$T/present" new "$HELLO"
}
promise 'a root that cannot be is refused, and changes nothing' bad_roots_refused

# As another program writes one, which does not ask for `lock`.
a_root_in_between() {
  installed archive-1 "$HELLO"
  local deployment
  deployment=$(active_of "$HELLO")
  hf uninstall "$HELLO"
  stopped entry-looked-at sweep
  mkdir "$INST/roots.d/other"
  printf '[Root]\nref=%s\nkeeps=%s\n' "$HELLO" "$deployment" >"$INST/roots.d/other/mine"
  continued 0
  matches "$(cat "$T/output")" "Kept $HELLO .* by root other/mine"
  hf restore "$HELLO"
  hf run --command=true "$HELLO"
}
promise 'a root that comes before the lock keeps its deployment' a_root_in_between

restored_in_between() {
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  stopped entry-looked-at sweep
  hf restore "$HELLO"
  hf run --command=true "$HELLO"
  continued 0
  ! grep Swept "$T/output"
  hf run --command=true "$HELLO"
  swept
  hf run --command=true "$HELLO"
}
promise 'what is restored under the eyes of a sweeper is left to run' restored_in_between

# --- Hold -------------------------------------------------------------------------------------------

held_by_a_command() {
  installed archive-1 "$HELLO"
  local line
  mkfifo "$T/in" "$T/out"
  # shellcheck disable=SC2016 # it is the held command's
  "$HOLDFAST" --installation="$INST" hold "$HELLO" -- sh -c \
    'echo "$HOLDFAST_DEPLOYMENT"; read -r line; exit 7' <"$T/in" >"$T/out" &
  local pid=$!
  started $pid
  exec {IN}>"$T/in" {OUT}<"$T/out"
  line=$(read_line "$OUT")
  equal "$(readlink -f "$line")" "$(deployment_of "$HELLO")"
  hf uninstall "$HELLO"
  expect 4 hf sweep
  [ -e "$line/tree/files" ] || fail 'what is held has gone'
  exec {IN}>&-
  local status=0
  wait $pid || status=$?
  equal "$status" 7 "the command's exit status"
  swept
}
promise 'a command holds an image, and its exit status is told' held_by_a_command

# --- Masks, and the configuration -------------------------------------------------------------------

masked() {
  installed archive-1 "$HELLO"
  publish archive-2
  hf mask 'org.example.*//stable'
  equal "$(hf mask)" 'org.example.*//stable'
  local before
  before=$(active_of "$HELLO")
  hf update >"$T/out"
  matches "$(cat "$T/out")" "Masked $HELLO"
  equal "$(active_of "$HELLO")" "$before"
  expect 1 hf update "$HELLO"
  matches "$(cat "$T/err")" 'is masked'
  hf mask --remove 'org.example.*//stable'
  expect 3 hf mask --remove 'org.example.*//stable'
  expect 2 hf mask 'a b'
  equal "$(hf mask)" ''
  hf update "$HELLO"
  differs "$(active_of "$HELLO")" "$before"
}
promise 'what is masked is not updated' masked

masked_is_not_installed() {
  installed archive-1
  hf mask "${HELLO%/*}"
  unchanged_by expect_error 1 "$HELLO is masked: .*mask --remove '${HELLO%/*}'" \
    hf install test "$OTHER" "$HELLO"
  mkdir "$T/own"
  unchanged_by expect_error 1 "is masked" hf install "$T/own" --ref="$HELLO" --command=true
  hf mask --remove "${HELLO%/*}"
  hf install test "$HELLO"
  hf mask "${HELLO%/*}"
  hf install test "$HELLO" >"$T/out"
  equal "$(cat "$T/out")" "$HELLO is already installed"
  hf run --command=true "$HELLO"
}
promise 'what is masked is not installed, and used where it is' masked_is_not_installed

masked_runtime() {
  installed archive-1
  hf mask org.example.Platform
  unchanged_by expect_error 1 \
    "$HELLO needs a runtime: $PLATFORM is masked: .holdfast mask --remove 'org.example.Platform'. unmasks it" \
    hf install test "$HELLO"
  hf mask --remove org.example.Platform
  hf install test "$HELLO"
  hf uninstall "$HELLO"
  hf mask org.example.Platform
  hf install test "$HELLO"
  hf run --command=true "$HELLO"
}
promise 'nor what needs a masked runtime that is not there' masked_runtime

configured() {
  installation
  hf config --set keep-removed 7d
  equal "$(hf config --get keep-previous)" 1
  hf config --set min-free 5%
  equal "$(hf config --get keep-removed)" 7d
  matches "$(hf config --list)" $'keep-removed\t7d\t0'
  hf config --unset keep-removed
  equal "$(hf config --get keep-removed)" 0
  local bad
  for bad in 'keep-previous x' 'keep-previous 1x' 'keep-previous 1001' 'keep-removed 7' \
    'keep-removed 7days' 'min-free 100%' 'min-free 5X' 'min-free-inodes 5K' 'give-up-unused maybe' \
    'masked a b' 'no-such-key 1'; do
    # shellcheck disable=SC2086 # a key and a value
    expect 2 hf config --set ${bad%% *} "${bad#* }"
    matches "$(cat "$T/err")" "${bad%% *}" 'the message has the key'
  done
  equal "$(grep -c = "$INST/config")" 1 'keys that are set'
}
promise 'the configuration is read and written, and bad values are refused by name' configured

a_bad_configuration() {
  installed archive-1 "$HELLO"
  printf '# mine\n[Installation]\nkeep-removed=soon\n' >"$INST/config"
  expect 0 hf uninstall "$HELLO"
  expect 2 hf sweep
  matches "$(cat "$T/err")" 'keep-removed cannot be .soon.: it takes'
  [ -n "$(ls "$INST/removed")" ] || fail 'what may be kept was deleted'
  hf run --command=true "$PLATFORM" || true
  hf config --set keep-removed 0
  matches "$(cat "$INST/config")" '# mine'
  swept
}
promise 'with a configuration that makes no sense a removal works, and no sweep' a_bad_configuration

finish
