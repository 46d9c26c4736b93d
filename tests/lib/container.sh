# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # what is set here is used by the tests, and the other way round
#
# A container in which systemd is the first process.  Its root is this machine's own under an overlay, so that
# nothing has to be downloaded, or another one, without its services; and holdfast as it is installed.  Everything that
# it writes is in memory and ends with it.  Sourced after holdfast.sh and file-systems.sh by tests that have begun with
# private_mounts.

# systemd's catalogue: a start that began, one that ended well, and one that did not.
STARTING=7d4958e842da4a758f6c1cdc7b36dcc5
FINISHED=39f53479d3a045ac8e11786248231fbf
FAILED=be02cf6855d2428ba40df7e9d022f03d

TESTER=12345 # an ordinary user of the container

# container [system|user]: boots one.  $ROOT is its root, and a remote is at /srv/remote.  Of the two managers of units,
# PID 1 and that of the tester, the one that is named is meant by all that follows, with the installation of the
# same, $INST.
container() {
  over / home srv var/lib var/log run
  without_services
  with_holdfast
  with_tester
  boot
  MANAGER=${1:-system}
  "managed_by_$MANAGER"
  mkdir "$RUNTIME/probe"
  mkfifo --mode=0666 "$RUNTIME/probed"
  # Open for writing as well: so there is no end of it between two who write.
  exec {PROBED}<>"$RUNTIME/probed"
  manager start probe.path
}

# over ROOT DIRECTORY...: makes $ROOT of it, with these directories empty.  An installation must be in one of them: on
# an overlay, links do not tell.
over() {
  need_file_system overlay
  need systemctl 'it boots systemd'
  ROOT=$T/container/root
  mkdir "$T/container"
  mount -t tmpfs -o mode=0755 tmpfs "$T/container"
  cleanup unmount "$T/container"
  mkdir "$ROOT" "$T/container/upper" "$T/container/work" "$T/container/cgroup"
  mount -t overlay -o "lowerdir=$1,upperdir=$T/container/upper,workdir=$T/container/work" overlay "$ROOT"
  shift
  stays_inside etc lib usr/lib "$@"
  local directory
  for directory in "$@"; do
    mount -t tmpfs -o mode=0755 tmpfs "$ROOT/$directory"
  done
}

managed_by_system() {
  INST=$ROOT/var/lib/holdfast
  RUNTIME=$ROOT/run
  FIELD=UNIT
}

managed_by_user() {
  INST=$ROOT/home/tester/.local/share/holdfast
  RUNTIME=$ROOT/run/user/$TESTER
  FIELD=USER_UNIT
  inside systemctl start "user@$TESTER.service"
}

# What we write there must not be written through a symlink to this machine.
stays_inside() { # DIRECTORY...
  local directory
  for directory in "$@"; do
    matches "$(readlink -f "$ROOT/$directory")/" "^$ROOT/" "where /$directory is"
  done
}

# Of all that this machine starts there is the journal.  at_rest waits for probed.service, which like a sweep starts
# once its path is watched again.
without_services() {
  chroot "$ROOT" /bin/bash -eu <<'SCRIPT'
find /etc/systemd/system /etc/systemd/user -mindepth 1 -delete
find /lib/systemd/system/ /usr/lib/systemd/user/ -path '*.wants/*' -delete
find /lib/systemd/ -path '*-generators/*' -type f -delete
rm -f /etc/fstab /etc/machine-id /etc/systemd/journald.conf
# Without an identity this would be its first start, in which everything is enabled.
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' >/etc/systemd/journald.conf
cd /etc/systemd/system
cat >container.target <<UNIT
[Unit]
Requires=basic.target systemd-journald.service
After=basic.target systemd-journald.service
Wants=up.service
UNIT
cat >up.service <<UNIT
[Service]
Type=oneshot
ExecStart=sh -c 'echo up >/run/up'
UNIT
mkfifo /run/up
cat >probe.path <<UNIT
[Path]
PathChanged=%t/probe
TriggerLimitIntervalSec=0
UNIT
cat >probe.service <<UNIT
[Unit]
StartLimitIntervalSec=0
After=probed.service
OnSuccess=probed.service
[Service]
Type=oneshot
ExecStart=true
LogLevelMax=notice
UNIT
cat >probed.service <<UNIT
[Unit]
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart=sh -c 'echo probed >%t/probed'
LogLevelMax=notice
UNIT
cp probe* ../user
# logind and PAM are not there; of what these would do for a user's manager, this matters.
mkdir user-runtime-dir@.service.d user@.service.d
cat >user-runtime-dir@.service.d/test.conf <<UNIT
[Service]
ExecStart=
ExecStart=install -d -o %i -g %i -m 0700 /run/user/%i
ExecStop=
UNIT
cat >user@.service.d/test.conf <<UNIT
[Service]
PAMName=
Environment=XDG_RUNTIME_DIR=/run/user/%i
UNIT
SCRIPT
}

with_holdfast() {
  # As meson installed it; here a directory may be a symlink to another.
  tar -C "$BUILD/root" -c . | tar -C "$ROOT" -x --keep-directory-symlink --no-overwrite-dir
  cp -a "$FIXTURES/archive-1" "$ROOT/srv/remote"
  mkdir "$ROOT/run/tools"
  cp "$TOOLS/await-stop" "$TOOLS/hold-lock" "$ROOT/run/tools"
}

with_tester() {
  chroot "$ROOT" /bin/bash -eu <<SCRIPT
echo tester:x:$TESTER:$TESTER::/home/tester:/bin/sh >>/etc/passwd
echo tester:x:$TESTER: >>/etc/group
install -d -m 0700 -o $TESTER -g $TESTER /home/tester
SCRIPT
}

# The container has a control group of its own, below ours.
boot() {
  local groups=$T/container/cgroup
  mount -t cgroup2 cgroup2 "$groups"
  groups=$groups$(sed -n 's/^0:://p' /proc/self/cgroup)
  drop_old_groups "$groups"
  GROUP=$groups/holdfast-container-$BASHPID
  mkdir "$GROUP"
  local up
  exec {up}<>"$ROOT/run/up"
  (
    echo "$BASHPID" >"$GROUP/cgroup.procs"
    exec unshare --mount --propagation private --pid --fork --kill-child --cgroup --uts --ipc --net \
      "$LIB/container-init" "$ROOT"
  ) >"$T/container.log" 2>&1 {up}>&- &
  CONTAINER=$!
  cleanup stop_container
  equal "$(read_line "$up")" up || fail "$(cat "$T/container.log")"
  INIT=$(children_of "$CONTAINER")
}

children_of() { # PID
  local children
  children=$(cat "/proc/$1/task/$1/children" 2>/dev/null)
  printf '%s' "${children% }"
}

# Those of tests that were killed.
drop_old_groups() {
  local group
  for group in "$1"/holdfast-container-*; do
    if [ -d "$group" ] && [ ! -e "/proc/${group##*-}" ]; then
      drop_group "$group"
    fi
  done
}

drop_group() {
  find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null
}

# The kernel ends every other process before the first one is gone, and only then is unshare told of it.
stop_container() {
  local init
  init=$(children_of "$CONTAINER")
  kill -KILL "${init:-$CONTAINER}"
  wait "$CONTAINER"
  drop_group "$GROUP"
}

# inside COMMAND...: in the container, as its root.
inside() {
  nsenter --target "$INIT" --mount --pid --uts --ipc --net --cgroup \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"
}

as_tester() {
  inside setpriv --reuid=$TESTER --regid=$TESTER --clear-groups \
    env HOME=/home/tester XDG_RUNTIME_DIR=/run/user/$TESTER "$@"
}

# by_owner COMMAND...: as whose installation it is.
by_owner() {
  if [ "$MANAGER" = user ]; then
    as_tester "$@"
  else
    inside "$@"
  fi
}

hf() {
  by_owner holdfast "--$MANAGER" "$@"
}

manager() {
  by_owner systemctl "--$MANAGER" "$@"
}

# with_images REF...: these are installed there, and nothing but the units sweeps.
with_images() {
  hf remote-add --no-verify test /srv/remote
  hf config --set auto-sweep no
  hf install test "$@"
}

# extend UNIT LINE...: says more about a unit.
extend() {
  local directory=$ROOT/etc/systemd/$MANAGER/$1.d
  shift
  mkdir -p "$directory"
  printf '%s\n' "$@" >"$directory/test.conf"
  manager daemon-reload
}

property() { # UNIT NAME
  manager show --property="$2" --value "$1"
}

# logged MATCH...: what the journal has, one message a line.
logged() {
  inside journalctl --sync
  inside journalctl --quiet --no-pager --output=cat "$@"
}

# told UNIT: all that holdfast printed there.  Of what a user's service printed, which may have ended by the time that
# the journal asks the kernel about it, the unit is not always known; nothing else of his prints anything.
told() {
  if [ "$MANAGER" = user ]; then
    logged _TRANSPORT=stdout _UID=$TESTER
  else
    logged _TRANSPORT=stdout _SYSTEMD_UNIT="$1"
  fi
}

# How often a service was started.
starts() { # SERVICE
  logged "$FIELD=$1" MESSAGE_ID=$STARTING | wc -l
}

# follow SERVICE: sweep_ended then waits for one of its starts after the other to come to an end.
follow() {
  mkfifo "$T/journal"
  inside journalctl --quiet --follow --no-tail --output=cat "$FIELD=$1" MESSAGE_ID=$FINISHED + \
    "$FIELD=$1" MESSAGE_ID=$FAILED >"$T/journal" &
  started $!
  exec {JOURNAL}<"$T/journal"
}

sweep_ended() {
  read_line "$JOURNAL"
}

# at_rest: until the units, those of $INSTANCE if it is set, wait for something new.  What the manager has still to learn from the
# kernel, it has learnt before that starts.
at_rest() {
  local sweep=holdfast-sweep${INSTANCE:-} request=holdfast-sweep-request${INSTANCE:-} i states
  for ((i = 0; i < 1000; i++)); do
    : >"$RUNTIME/probe/$i"
    equal "$(read_line "$PROBED")" probed
    states=$(manager show --property=SubState --value "$sweep.path" "$request.service" \
      "$sweep.service" | xargs)
    if [[ $states =~ ^waiting\ dead\ (dead|failed)$ ]] &&
      [ -z "$(manager list-jobs --no-legend "holdfast-*")" ]; then
      return
    fi
  done
  fail "it does not come to rest: $states"
}
