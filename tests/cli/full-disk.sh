#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A disk that fills in the middle of an install.  One that is full when something is removed is among the
# hard places of tests/fault/file-systems.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/file-systems.sh
. "$(dirname "$0")/../lib/file-systems.sh"
private_mounts

disk_with_remote() { # DISK...
  disk "$@"
  hf remote-add --no-verify test "$FIXTURES/archive-1"
}

runs_out() { # FROM DISK...
  disk_with_remote "${@:2}"
  if [ "$1" = HTTP ]; then
    serve "$FIXTURES/archive-1"
    hf remote-delete test
    hf remote-add --no-verify test "$URL"
  fi
  unchanged_by expect_error 7 'space' hf install test "$HELLO"
}
promise 'an install that fills the disk leaves it as it was (tmpfs, PATH)' runs_out PATH tmpfs size=9m
promise 'an install that fills the disk leaves it as it was (tmpfs, HTTP)' runs_out HTTP tmpfs size=9m
promise 'an install that fills the disk leaves it as it was (ext4, PATH)' runs_out PATH ext4 16
promise 'an install that fills the disk leaves it as it was (ext4, HTTP)' runs_out HTTP ext4 16
promise 'an install that uses up the inodes leaves the disk as it was' \
  runs_out PATH tmpfs size=100m,nr_inodes=300

# At every size: whatever step it is that finds no room.
wherever_it_runs_out() {
  need root 'it mounts a file system'
  local size
  for size in $(seq 25000 500 30000); do
    disk_with_remote tmpfs "size=${size}k"
    expect '0|7' hf install test "$PLATFORM"
    if ! hf list --json | grep "$PLATFORM" >/dev/null; then
      expect 0 hf sweep
      equal "$(objects)" '' 'what is left in objects/'
      nothing_out_of_service
    fi
    unmount "$INST"
    rmdir "$INST"
  done
}
promise 'whatever step of an install finds no room, none of it stays' wherever_it_runs_out

from_a_directory() {
  disk_with_remote tmpfs size=9m
  hf install "$FIXTURES/platform-1" --ref="$PLATFORM" >"$T/out" 2>&1 && fail 'there was room'
  unchanged_by expect_error 7 'space' hf install "$FIXTURES/platform-1" --ref="$PLATFORM"
}
promise 'an install from a directory that fills the disk leaves it as it was' from_a_directory

an_update_runs_out() {
  disk_with_remote tmpfs size=30m
  hf install test "$HELLO"
  head -c 20000000 /dev/urandom >"$T/big"
  cp -a "$FIXTURES/hello-2" "$T/hello"
  cp "$T/big" "$T/hello/files/big"
  unchanged_by expect_error 7 'space' hf install "$T/hello" --ref="$HELLO"
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
}
promise 'an update that fills the disk leaves what was there' an_update_runs_out

finish
