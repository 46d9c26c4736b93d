#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The Debian package: it builds, lintian has no complaint, and on a clean machine it installs with nothing but what it
# depends on, works for root and for everybody else, and goes again, leaving images and nothing but them.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/file-systems.sh
. "$(dirname "$0")/../lib/file-systems.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/container.sh
. "$(dirname "$0")/../lib/container.sh"
# Kept for the next time: the clean root, and what has been downloaded into it.
KEPT=$BUILD/debian
private_mounts

UNITS=(holdfast-sweep.path holdfast-sweep.timer)

# --- The package --------------------------------------------------------------------------------------

# As whoever builds it for others does: with its tests, and not as root.
builds() {
  need dpkg-buildpackage 'it builds a Debian package'
  need dh 'it builds a Debian package'
  need lintian 'it looks at a Debian package'
  local -a builder=()
  mkdir built
  "$SOURCE/data/debian/prepare" "$T/built/holdfast"
  [ "$(id -u)" -ne 0 ] || {
    chown -R nobody built
    chmod 711 "$T"
    builder=(runuser -u nobody --)
  }
  (cd built/holdfast && "${builder[@]}" env HOME=/nonexistent dpkg-buildpackage -us -uc) >"$T/log" 2>&1 ||
    { tail -n 50 "$T/log"; return 1; }
  local words
  words=$(grep -iE '(^|[ :])warning:' "$T/log" || true)
  equal "$words" '' 'what there was to warn of'
  words=$(lintian --allow-root --display-info --pedantic built/*.changes 2>&1)
  equal "$words" '' 'what lintian has to say'
  mkdir -p "$KEPT"
  cp built/holdfast_*_*.deb "$KEPT/holdfast.deb"
}
promise 'the source package builds without a warning, and lintian has no complaint' builds

# --- A clean machine ----------------------------------------------------------------------------------

# archives: those of Debian that this machine's apt knows.
archives() {
  # shellcheck disable=SC2016 # for apt-get
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' \
    'Origin: Debian'
}

# clean_root: what a new machine has, in $KEPT/root.
clean_root() {
  local name
  name=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  [ -n "$(archives)" ] || apt-get -qq update
  archives >"$T/archives"
  apt-config dump | grep '^Acquire::' >"$T/apt.conf"
  find "$KEPT/root" "$KEPT/root.new" -xdev -delete 2>/dev/null || true
  mmdebstrap --quiet --variant=minbase --include=systemd-sysv --skip=cleanup/apt/lists \
    --aptopt="$T/apt.conf" "$name" "$KEPT/root.new" "$T/archives"
  mv "$KEPT/root.new" "$KEPT/root"
}

apt() {
  inside DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o APT::Keep-Downloaded-Packages=true "$@" >"$T/apt" 2>&1 ||
    { cat "$T/apt"; return 1; }
}

# download: into the root that is not booted yet, since it has no network then.
download() {
  chroot "$ROOT" apt-get -qq -y --no-install-recommends --download-only install /tmp/holdfast.deb
}

# clean_machine: a container of it, and the package in its /tmp.
clean_machine() {
  need root 'it installs Debian packages'
  need mmdebstrap 'it makes a root of Debian packages'
  test -e "$KEPT/holdfast.deb" || fail 'there is no package'
  mkdir -p "$KEPT/downloaded/partial"
  [ -e "$KEPT/root" ] || clean_root
  under_it
  if ! download; then
    # Lists that are too old name packages that are there no more.
    unmount "$T/container"
    find "$T/container" -delete
    clean_root
    under_it
    download
  fi
  without_services
  with_tester
  cp -a "$FIXTURES/archive-1" "$ROOT/srv/remote"
  boot
  MANAGER=system
  managed_by_system
}

under_it() {
  over "$KEPT/root" home run srv tmp var/lib
  chmod 1777 "$ROOT/tmp"
  cp -a "$KEPT/root/var/lib/." "$ROOT/var/lib"
  mount --bind "$KEPT/downloaded" "$ROOT/var/cache/apt/archives"
  cp "$KEPT/holdfast.deb" "$ROOT/tmp"
}

# every_file [PATH]: but for this one, the kernel's, and what dpkg, apt and ld.so keep for themselves, and systemd of
# every timer.
every_file() {
  inside find / -regextype posix-extended -path "${1:-/proc}" -prune -o \
    -regex '/(dev|proc|run|sys|tmp|var/(cache|log)|var/lib/(apt|dpkg|systemd/timers))' -prune -o \
    -printf '%p %M %u:%g %l\n' | sort
}

tells_the_story() {
  clean_machine
  apt install /tmp/holdfast.deb
  # What Debian's own test does is what is done here.
  local command
  command=$(sed -n 's/^Test-Command: //p' "$SOURCE/data/debian/tests/control")
  "$SOURCE/data/debian/prepare" "$ROOT/srv/source"
  local who
  for who in inside as_tester; do
    # shellcheck disable=SC2086 # with its argument
    "$who" env -C /srv/source $command >"$T/told" 2>&1 || { cat "$T/told"; return 1; }
    grep -q '^    Hello from org.example.Hello 2$' "$T/told"
  done
}
promise 'it installs on a clean machine, and tells the story of tests/try there' tells_the_story

enabled_as_preset() {
  clean_machine
  apt install /tmp/holdfast.deb
  local unit
  for unit in "${UNITS[@]}"; do
    equal "$(inside systemctl list-unit-files --no-legend "$unit" | xargs)" "$unit enabled enabled"
    equal "$(inside systemctl is-active "$unit")" active "$unit"
    equal "$(inside systemctl --global is-enabled "$unit")" enabled "$unit of users"
  done
  equal "$(inside systemctl --failed --no-legend)" '' 'what has failed'
  hf config --set auto-sweep no
  hf remote-add --no-verify test /srv/remote
  hf install test org.example.Hello
  follow holdfast-sweep.service
  hf uninstall org.example.Hello
  while [ -n "$(ls "$INST/removed")" ]; do
    matches "$(sweep_ended)" '^Finished '
  done

  # Who does not want it is not asked again.
  inside systemctl disable --quiet --now "${UNITS[@]}"
  apt install --reinstall /tmp/holdfast.deb
  for unit in "${UNITS[@]}"; do
    equal "$(inside systemctl is-enabled "$unit" || true)" disabled "$unit"
    equal "$(inside systemctl is-active "$unit" || true)" inactive "$unit"
  done
}
promise 'its units are enabled and at work as the preset says, until somebody disables them' enabled_as_preset

goes_again() {
  clean_machine
  apt satisfy "$(dpkg-deb --field "$KEPT/holdfast.deb" Depends)"
  every_file >"$T/before"
  apt install /tmp/holdfast.deb
  every_file >"$T/installed"
  apt remove holdfast
  apt purge holdfast
  every_file >"$T/after"
  diff "$T/before" "$T/after"
  grep -q '^/usr/bin/holdfast ' "$T/installed"

  # And with images, one of them in use, over itself and away.
  apt install /tmp/holdfast.deb
  hf remote-add --no-verify test /srv/remote
  hf install test org.example.Hello org.example.Other
  instance_by one inside HOME=/tmp holdfast run --command=sh org.example.Hello
  snapshot >"$T/images"
  apt install --reinstall /tmp/holdfast.deb
  matches "$(ask one read-all)" '^read [0-9]+$'
  hf ps --json >"$T/out"
  equal "$(json 'd[0]["ref"]')" "$HELLO" 'what runs'
  apt remove holdfast
  apt purge holdfast
  matches "$(ask one read-all)" '^read [0-9]+$'
  end one
  snapshot | diff "$T/images" -
  every_file /var/lib/holdfast | diff "$T/before" -

  apt install /tmp/holdfast.deb
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
  hf uninstall --all
  hf sweep --wait
  nothing_out_of_service
}
promise 'it goes again and leaves nothing but images, whole, also those that are in use' goes_again

finish
