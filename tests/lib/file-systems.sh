# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # what is set here is used by the tests
#
# Installations on file systems of their own, small ones in a file or in memory.  Sourced after holdfast.sh
# by tests that have begun with private_mounts, so that no mount outlives them whatever happens.

# need_file_system KIND
need_file_system() {
  need root 'it mounts a file system'
  case $1 in
    tmpfs | overlay) ;;
    *) need "mkfs.$1" 'it makes a file system' ;;
  esac
  if ! grep -qw "$1" /proc/filesystems && ! modprobe --quiet "$1" 2>/dev/null; then
    echo "SKIP needs $1-in-the-kernel: it mounts such a file system"
    exit 77
  fi
}

# disk tmpfs MOUNT-OPTIONS | disk ext4|xfs|btrfs MEGABYTES [OPTION-OF-MKFS...]: what will be the
# installation is the root of such a file system.
disk() {
  local kind=$1 size=$2
  need_file_system "$kind"
  shift 2
  installation
  mkdir -p "$INST"
  if [ "$kind" = tmpfs ]; then
    mount -t tmpfs -o "mode=0755,$size" tmpfs "$INST"
  else
    # In memory, where it costs nothing to have things on disk.
    mkdir -p "$T/disk"
    mount -t tmpfs tmpfs "$T/disk"
    cleanup unmount "$T/disk"
    truncate -s "${size}M" "$T/disk/image"
    "make_$kind" "$T/disk/image" "$@" >/dev/null
    mount -o loop "$T/disk/image" "$INST"
    find "$INST" -mindepth 1 -delete # lost+found
  fi
  cleanup unmount "$INST"
}

make_ext4() {
  mkfs.ext4 -q -F "$@"
}
make_xfs() {
  mkfs.xfs -q -f "$@"
}
# One kind of space: else there is room for names where there is none for files.
make_btrfs() {
  mkfs.btrfs -q -f --mixed "$@"
}

# usual_disk KIND: with more than enough room.
usual_disk() {
  case $1 in
    tmpfs) disk tmpfs size=300m ;;
    *) disk "$1" 320 ;;
  esac
}

# unmount DIRECTORY: everything that is mounted there or below; what a killed instance still has goes
# when that is gone.
unmount() {
  ! mountpoint -q "$1" || umount -R "$1" 2>/dev/null || umount -R --lazy "$1"
}

# await_all_free: until nobody holds a deployment, in service or out of it, wherever it lies.
await_all_free() {
  find "$INST/deploy" "$INST/removed" -name .ref -print0 |
    xargs -0 -n 1 "$TOOLS/hold-lock" ofd await
}
