# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What tests/run and tests/try begin with: install what is missing on a bare Debian 12, and build.
# Sourced, with $SOURCE set.

# What is needed to build, to make real images and repositories, and to look at the result with tools
# that are not ours.
PACKAGES=(
  gcc libc6-dev meson ninja-build pkg-config scdoc gettext
  libglib2.0-dev libostree-dev libjson-glib-dev libarchive-dev
  bubblewrap flatpak ostree gnupg python3 mount
  e2fsprogs xfsprogs btrfs-progs
  bindfs strace shellcheck clang-format spin tcc time groff-base mandoc
  bash-completion zsh fish systemd locales
  desktop-file-utils gtk-update-icon-cache shared-mime-info libglib2.0-bin dbus-daemon man-db
  debhelper dpkg-dev lintian mmdebstrap
)

say() {
  printf '%s\n' "$*"
}

# bootstrap [PACKAGE...]: those, or all.
bootstrap() {
  local -a missing=()
  local package
  [ $# -gt 0 ] || set -- "${PACKAGES[@]}"
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    say "These packages are missing; as root:"
    say "  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    return 1
  fi
  say "Installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update </dev/null && apt-get -qq install -y --no-install-recommends \
    -o Dpkg::Use-Pty=0 "${missing[@]}" </dev/null >/dev/null
}

# build DIRECTORY OPTION...: configured so, built, and installed into DIRECTORY/root.
build() {
  local directory=$1
  shift
  if [ -e "$directory/build.ninja" ]; then
    meson configure "$directory" "$@" >/dev/null
  else
    meson setup "$directory" "$SOURCE" --prefix=/usr "$@" >/dev/null ||
      { cat "$directory/meson-logs/meson-log.txt"; return 1; }
  fi
  ninja --quiet -C "$directory" >"$directory/build.log" 2>&1 ||
    { cat "$directory/build.log"; return 1; }
  DESTDIR=$directory/root meson install -C "$directory" --no-rebuild --quiet >/dev/null
}
