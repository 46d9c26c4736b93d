#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the sweep's service may do, and what not: it is shut in as far as it goes, and still does all that a sweep by
# hand does.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/file-systems.sh
. "$(dirname "$0")/../lib/file-systems.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/container.sh
. "$(dirname "$0")/../lib/container.sh"
private_mounts

SWEEP=holdfast-sweep.service

sweep() {
  manager start $SWEEP
}

# --- The files ----------------------------------------------------------------------------------------

as_systemd_wants_them() {
  container
  local directory=/lib/systemd/system unit
  inside systemd-analyze verify --man=no $directory/holdfast-sweep{,@srv-some\\x20where}.{service,timer,path} \
    $directory/holdfast-sweep-request{,@srv-some\\x20where}.service >"$T/words" 2>&1
  equal "$(cat "$T/words")" '' 'what systemd-analyze has to say'
  equal "$(find "$ROOT$directory/" -name 'holdfast*' | wc -l)" 8 'how many units there are'
  for unit in holdfast-sweep.service holdfast-sweep@.service; do
    expect 0 inside systemd-analyze security --no-pager --offline=true --threshold=20 $directory/$unit
  done
  inside systemctl preset holdfast-sweep.timer holdfast-sweep.path
  inside systemctl is-enabled holdfast-sweep.timer holdfast-sweep.path
}
promise 'systemd has no complaint, and rates the exposure 2.0 at most' as_systemd_wants_them

as_users_managers_want_them() {
  container user
  local directory=/usr/lib/systemd/user
  as_tester systemd-analyze --user verify --man=no $directory/holdfast-sweep.{service,timer,path} \
    $directory/holdfast-sweep-request.service >"$T/words" 2>&1
  equal "$(cat "$T/words")" '' 'what systemd-analyze has to say'
  equal "$(find "$ROOT$directory/" -name 'holdfast*' | wc -l)" 4 'how many units there are'
  inside systemctl --global preset holdfast-sweep.timer holdfast-sweep.path
  manager is-enabled holdfast-sweep.timer holdfast-sweep.path
}
promise "nor has a user's manager" as_users_managers_want_them

# --- What it sees and what it may do ------------------------------------------------------------------

# in_its_place: the script on standard input runs as the service would; leaves what that says in $T/out.
in_its_place() {
  cat >"$ROOT/run/script"
  extend $SWEEP '[Service]' ExecStart= 'ExecStart=bash -eu /run/script'
  sweep || { told $SWEEP; fail 'the script failed'; }
  told $SWEEP >"$T/out"
}

at_normal_priority() {
  container
  in_its_place <<'SCRIPT'
echo "$(nice) $(chrt --pid $$ | sed 's/.*: //' | xargs) $(ionice --pid $$)"
chrt --idle 0 ionice --class 3 bash -c 'echo "$(chrt --pid $$ | sed "s/.*: //" | xargs) $(ionice --pid $$)"'
SCRIPT
  equal "$(sed -n 1p "$T/out")" '0 SCHED_OTHER 0 none: prio 0' 'what the service runs at'
  equal "$(sed -n 2p "$T/out")" 'SCHED_IDLE 0 idle' 'what its threads can run at'
  equal "$(property $SWEEP CPUWeight),$(property $SWEEP IOWeight)" '[not set],[not set]' 'the weights'
}
promise 'it runs at normal priority, and its threads can be idle' at_normal_priority

nothing_but_the_installation() {
  container
  with_images "$HELLO"
  in_its_place <<'SCRIPT'
for directory in / /etc /usr /var/lib /var/log /var/tmp /home /home/tester /root /tmp /srv /run /run/user /dev/shm; do
  ! touch $directory/x 2>/dev/null || echo "$directory can be written"
done
touch /var/lib/holdfast/x
rm /var/lib/holdfast/x
! unshare --user true 2>/dev/null || echo 'it can make a namespace'
! chown tester /var/lib/holdfast 2>/dev/null || echo 'it can give files away'
[ "$(ls /sys/class/net)" = lo ] || echo 'there is a network'
SCRIPT
  equal "$(cat "$T/out")" '' 'what the service can do'
}
promise 'it can write to the installation and nowhere else' nothing_but_the_installation

# A tree that was made hard to delete.
hostile_trees() { # system|user
  container "$1"
  with_images "$HELLO"
  local tree
  tree=$(deployment_of "$HELLO")/tree
  (
    cd "$tree/files" || exit
    mkdir -p closed/in closed/with/more setgid
    touch closed/in/file setgid/file
    [ "$1" = system ] || chown -R $TESTER:$TESTER closed setgid
    chmod 02500 setgid
    chmod 0 closed/in closed/with closed
  )
  [ "$1" = user ] || of_others "$tree/files"
  hf uninstall "$HELLO"
  sweep
  nothing_out_of_service
  repository_is_whole
}

of_others() { # DIRECTORY
  cd "$1" || return
  mkdir -p sticky theirs/own
  touch sticky/file theirs/file theirs/own/file
  chown -R $TESTER:$TESTER sticky theirs
  chmod 1777 sticky
  chmod 0500 theirs
}

promise 'whatever the modes and owners in an image are, it goes' hostile_trees system
promise "whatever the modes in a user's image are, it goes" hostile_trees user

# --- Who holds an image -------------------------------------------------------------------------------

# A lock of the kind that the kernel has no name for, held by another user.
names_the_holders() {
  container
  with_images "$HELLO"
  instance_by his as_tester holdfast --system hold org.example.Hello -- sh
  hf uninstall "$HELLO"
  sweep
  local pid
  # shellcheck disable=SC2016 # for the other shell
  pid=$(ask his 'echo $$')
  equal "$(told $SWEEP)" "holdfast: $HELLO is in use by PID $pid (sh): end it, or sweep again later"
  end his
  sweep
  nothing_out_of_service
}
promise 'it names the holders, also other users, and whatever the lock' names_the_holders

# --- Roots --------------------------------------------------------------------------------------------

LINKED=(/tmp /var/tmp /home/tester /root /dev/shm /run)

# What a sandbox hides would look as if it had gone, and with it what it keeps.
sees_the_links_of_roots() {
  container
  with_images "$HELLO"
  local directory roots=${#LINKED[@]}
  for directory in "${LINKED[@]}"; do
    hf root add --link="$directory/kept" "in${directory//\//-}" "$HELLO"
  done
  hf uninstall "$HELLO"
  sweep
  equal "$(told $SWEEP)" '' 'what is said of what stays'
  for directory in "${LINKED[@]}"; do
    sweep
    equal "$(hf root list | wc -l)" "$roots" "roots, with the link in $directory"
    inside rm "$directory/kept"
    roots=$((roots - 1))
  done
  sweep
  nothing_out_of_service
}
promise 'a root keeps for as long as its link is there, wherever that is' sees_the_links_of_roots

# --- Another installation -----------------------------------------------------------------------------

his() {
  as_tester holdfast --installation='/var/lib/some where' "$@"
}

another_installation() {
  container
  INSTANCE=@$(inside systemd-escape --path '/var/lib/some where')
  SWEEP=holdfast-sweep$INSTANCE.service
  INST="$ROOT/var/lib/some where"
  install -d -o $TESTER -g $TESTER "$INST"
  his remote-add --no-verify test /srv/remote
  his config --set auto-sweep no
  his install test "$HELLO" "$OTHER"
  manager start "holdfast-sweep$INSTANCE.path"
  at_rest
  his uninstall "$HELLO"
  at_rest
  nothing_out_of_service
  repository_is_whole
  equal "$(property "$SWEEP" ActiveState)" inactive
  matches "$(told "$SWEEP")" "^Swept $HELLO "
  # What the service has written is not in its owner's way.
  his install test "$HELLO"
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  extend "holdfast-sweep@.service" '[Service]' User=tester
  his uninstall --all
  at_rest
  nothing_out_of_service
}
promise 'an installation elsewhere, of somebody else, is swept by an instance for it' another_installation

finish
