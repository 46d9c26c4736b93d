# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# A machine of a test's own, as far as holdfast sees one: its configuration, the system's installation, a place
# for named ones, and a user beside root.  Sourced after holdfast.sh, by tests with private_mounts.

# with_somebody: an unprivileged user with a home of his own.
with_somebody() {
  need root 'it becomes another user'
  installation
  install -d -o nobody "$T/nobody"
  chmod 0755 "$T"
}

# somebody COMMAND...: as that user.
somebody() {
  runuser -u nobody -- env -C "$T/nobody" "HOME=$T/nobody" "$@"
}

# as_root and his: holdfast, with no installation chosen.
as_root() {
  "$HOLDFAST" "$@"
}

his() {
  somebody "$HOLDFAST" "$@"
}

# machine: all of it, with nothing in it.
machine() {
  with_somebody
  cp -a /etc "$T/etc"
  rm -rf "$T/etc/holdfast"
  mkdir -p "$T/etc/holdfast/installations.d" "$T/var-lib" "$T/srv"
  local place
  for place in etc var-lib srv; do
    mount --bind "$T/$place" "/${place/-//}"
    cleanup umount "/${place/-//}"
  done
}

# named NAME LINE...: a named installation at /srv/NAME, which does not exist yet.
named() {
  local name=$1
  shift
  printf '%s\n' "[Installation \"$name\"]" "path=/srv/$name" "$@" \
    >"/etc/holdfast/installations.d/$name.conf"
}

# three_installations: an application of his own, one in the named `extra`, and their runtime for all.
three_installations() {
  REMOTE=$T/remote
  cp -a "$FIXTURES/archive-1" "$REMOTE"
  named extra
  as_root remote-add --no-verify test "$REMOTE"
  as_root install test "$PLATFORM"
  as_root --installation=extra remote-add --no-verify test "$REMOTE"
  as_root --installation=extra install test "$PLATFORM" "$OTHER"
  his remote-add --no-verify test "$REMOTE"
  his install test "$HELLO"
}
