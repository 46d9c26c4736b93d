#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The same for everybody: as an unprivileged user, as root, and as a user of what root installed.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
private_mounts

# somebody COMMAND...: as an unprivileged user with a home of his own.
somebody() {
  runuser -u nobody -- env -C "$T/nobody" "HOME=$T/nobody" "$@"
}

his_holdfast() {
  somebody "$HOLDFAST" "$@"
}

with_somebody() {
  need root 'it becomes another user'
  installation
  install -d -o nobody "$T/nobody"
  chmod 0755 "$T"
}

by_default_his_own() {
  with_somebody
  his_holdfast remote-add --no-verify test "$FIXTURES/archive-1"
  his_holdfast install test "$HELLO"
  INST=$T/nobody/.local/share/holdfast
  equal "$(stat -c %U "$INST")" nobody
  equal "$(his_holdfast run org.example.Hello)" 'Hello from org.example.Hello 1'
  links_are_whole
  his_holdfast remote-delete test
  his_holdfast remote-add --gpg-import="$FIXTURES/key.gpg" test "$FIXTURES/signed-2"
  his_holdfast update
  equal "$(his_holdfast run org.example.Hello)" 'Hello from org.example.Hello 2'
  his_holdfast uninstall --all
  expect 0 his_holdfast sweep
  nothing_out_of_service
  equal "$(objects)" '' 'what is left in objects/'
}
promise 'an unprivileged user has the whole story in an installation of his own' by_default_his_own

his_instance_holds() {
  with_somebody
  INST=$T/nobody/inst
  his_holdfast --installation="$INST" remote-add --no-verify test "$FIXTURES/archive-1"
  his_holdfast --installation="$INST" install test "$HELLO"
  instance_by one runuser -u nobody -- env "HOME=$T/nobody" "$HOLDFAST" --installation="$INST" \
    run --command=sh org.example.Hello
  his_holdfast --installation="$INST" uninstall --all
  expect 4 his_holdfast --installation="$INST" sweep --json
  local pid
  for pid in $(json '" ".join(str(h["pid"]) for e in d["held"] for h in e["holders"])'); do
    descendants "${INSTANCE_PID[one]}" | grep -x "$pid" >/dev/null
  done
  matches "$(ask one read-all)" '^read [0-9]+$'
  end one
  await_entries_free
  expect 0 his_holdfast --installation="$INST" sweep
  nothing_out_of_service
}
promise "an unprivileged user's instance holds its image" his_instance_holds

# The system's own place, in a mount namespace of this test's own.
the_systems_installation() {
  with_somebody
  mount -t tmpfs -o mode=0755 tmpfs /var/lib
  cleanup umount /var/lib
  INST=/var/lib/holdfast
  "$HOLDFAST" remote-add --no-verify test "$FIXTURES/archive-1"
  "$HOLDFAST" install test "$HELLO"
  test -e $INST/format
  equal "$(his_holdfast run org.example.Hello)" 'Hello from org.example.Hello 1'
  equal "$(his_holdfast --system run org.example.Hello)" 'Hello from org.example.Hello 1'
  equal "$(his_holdfast --system list --json | json '[r["ref"] for r in d]' /dev/stdin)" \
    "[\"$HELLO\", \"$PLATFORM\"]"
  instance_by one runuser -u nobody -- env "HOME=$T/nobody" "$HOLDFAST" run --command=sh \
    org.example.Hello
  "$HOLDFAST" uninstall --all
  expect 4 "$HOLDFAST" sweep --json
  equal "$(json 'sorted(e["ref"] for e in d["held"])')" "[\"$HELLO\", \"$PLATFORM\"]"
  equal "$(json 'sorted({h["uid"] for e in d["held"] for h in e["holders"]})')" "[$(id -u nobody)]"
  matches "$(ask one read-all)" '^read [0-9]+$'
  end one
  await_entries_free
  expect 0 "$HOLDFAST" sweep
  nothing_out_of_service
}
promise "an unprivileged user runs, and holds, what the system has installed" the_systems_installation

he_changes_nothing_of_roots() {
  with_somebody
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  hf install test "$OTHER"
  publish archive-2
  snapshot >"$T/before"
  local command
  for command in 'uninstall org.example.Other' 'update org.example.Platform' 'install test org.example.Hello' \
    "remote-add --no-verify more $FIXTURES/archive-1" 'remote-delete test' 'sweep'; do
    # shellcheck disable=SC2086 # words
    expect_error 1 'permission|permitted' his_holdfast --installation="$INST" $command
  done
  snapshot | diff -u "$T/before" -
}
promise 'an unprivileged user changes nothing of what is not his' he_changes_nothing_of_roots

# flock(2) needs no write permission: so it must not keep anybody from starting an app.
he_blocks_nobody() {
  with_somebody
  installed archive-1 "$HELLO"
  local file line
  for file in lock prune-lock turn-lock repo/.lock; do
    ! somebody "$TOOLS/hold-lock" flock shared "$INST/$file" 2>/dev/null ||
      fail "he could lock $file"
  done
  ! somebody "$TOOLS/hold-lock" ofd exclusive "$(deployment_of "$HELLO")/.ref" 2>/dev/null ||
    fail 'he could lock .ref exclusively'
  mkfifo "$T/in" "$T/said"
  somebody flock --exclusive "$(deployment_of "$HELLO")/.ref" sh -c 'echo held; cat' \
    <"$T/in" >"$T/said" &
  started $!
  exec {HOLD_IN}>"$T/in" {line}<"$T/said"
  equal "$(read_line "$line")" held
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
  publish archive-2
  hf update
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 2'
  expect 4 hf sweep --json
  matches "$(json '[e["ref"] for e in d["held"]]')" "$HELLO"
  exec {HOLD_IN}>&-
  wait "${STARTED[-1]}"
  swept
}
promise 'an unprivileged user delays the reclaim of an image at most, and is named' he_blocks_nobody

finish
