#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is installed is a whole program, wherever it is put; and what is shipped has no trace of what
# only tests use.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
plain_only 'it builds what it looks at'

# plain_build: a build as a packager makes it, in $PLAIN, kept for the next time.
plain_build() {
  PLAIN=$SOURCE/build/plain
  [ "$BUILD" = "$SOURCE/build" ] || [ "$BUILD" = "$SOURCE/build-sanitize" ] || PLAIN=$BUILD/plain
  mkdir -p "$PLAIN"
  exec {lock}>"$PLAIN/test-lock"
  flock "$lock"
  {
    if [ ! -e "$PLAIN/build.ninja" ]; then
      meson setup "$PLAIN" "$SOURCE" --prefix=/usr --buildtype=release -Dtest-hooks=false -Dtests=false
    fi
    ninja -C "$PLAIN"
    DESTDIR=$T/destination meson install -C "$PLAIN" --no-rebuild
  } >"$T/build.log" 2>&1 || { tail -n 50 "$T/build.log"; return 1; }
  exec {lock}>&-
}

as_a_packager() {
  plain_build
  local file
  for file in "$T/destination/usr/bin/holdfast" "$T/destination/usr/libexec/holdfast/holdfast-store"; do
    test -x "$file"
    ! grep -qa HOLDFAST_TEST "$file" || fail "$file has a test hook"
  done
  grep -qa HOLDFAST_TEST "$HOLDFAST" || fail 'the test build has no hook: the check is blind'
  for file in "$SOURCE"/data/man/*.scd; do
    file=$(basename "$file" .scd)
    test -s "$T/destination/usr/share/man/man${file##*.}/$file"
  done
  for file in bash-completion/completions/holdfast fish/vendor_completions.d/holdfast.fish \
    zsh/site-functions/_holdfast; do
    test -s "$T/destination/usr/share/$file"
  done

  # It works from there, and from anywhere else.
  mv "$T/destination" "$T/moved"
  HOLDFAST=$T/moved/usr/bin/holdfast
  installed archive-1 "$HELLO"
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
  hf uninstall --all
  swept
  HOLDFAST_TEST_STOP=lease-opened expect 3 hf run org.example.Hello
}
promise 'a plain build, installed and moved, works, and has no test hook' as_a_packager

what_it_links() {
  local libraries store
  libraries=$(ldd "$HOLDFAST")
  store=$(ldd "${HOLDFAST%/bin/holdfast}/libexec/holdfast/holdfast-store")
  ! grep -E 'libostree|libcurl|libsoup|libgpgme|libarchive|libssl|libcrypto' <<<"$libraries" ||
    fail 'holdfast links what it should not'
  matches "$store" 'libostree-1'
}
promise 'holdfast does not link libostree, and holdfast-store does' what_it_links

finish
