#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The same for everybody: as an unprivileged user, as root, and as a user of what root installed.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/machine.sh
. "$LIB/machine.sh"
private_mounts

by_default_his_own() {
  with_somebody
  his remote-add --no-verify test "$FIXTURES/archive-1"
  his install test "$HELLO"
  INST=$T/nobody/.local/share/holdfast
  equal "$(stat -c %U "$INST")" nobody
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  links_are_whole
  his remote-delete test
  his remote-add --gpg-import="$FIXTURES/key.gpg" test "$FIXTURES/signed-2"
  his update
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 2'
  his uninstall --all
  expect 0 his sweep
  nothing_out_of_service
  equal "$(objects)" '' 'what is left in objects/'
}
promise 'an unprivileged user has the whole story in an installation of his own' by_default_his_own

his_instance_holds() {
  with_somebody
  INST=$T/nobody/inst
  his --installation="$INST" remote-add --no-verify test "$FIXTURES/archive-1"
  his --installation="$INST" install test "$HELLO"
  instance_by one runuser -u nobody -- env "HOME=$T/nobody" "$HOLDFAST" --installation="$INST" \
    run --command=sh org.example.Hello
  his --installation="$INST" uninstall --all
  expect 4 his --installation="$INST" sweep --json
  local pid
  for pid in $(json '" ".join(str(h["pid"]) for e in d["held"] for h in e["holders"])'); do
    descendants "${INSTANCE_PID[one]}" | grep -x "$pid" >/dev/null
  done
  matches "$(ask one read-all)" '^read [0-9]+$'
  end one
  await_entries_free
  expect 0 his --installation="$INST" sweep
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
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  equal "$(his --system run org.example.Hello)" 'Hello from org.example.Hello 1'
  equal "$(his --system list --json | json '[r["ref"] for r in d]' /dev/stdin)" \
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
  while read -r command; do
    # shellcheck disable=SC2086 # words
    expect_error 1 "No permission to change $INST, which is root's: use sudo, or --user" \
      his --installation="$INST" $command
    equal "$(cat "$T/out")" '' "what $command prints"
  done <<EOF
install test org.example.Hello
install $T/remote --ref=$HELLO
update
update org.example.Platform
uninstall org.example.Other
uninstall --all --assumeyes
rollback org.example.Other
restore org.example.Hello
root add mine org.example.Other
root remove mine
mask org.example.*
mask --remove org.example.*
pin org.example.*
config --set keep-previous 2
config --unset keep-previous
remote-add --no-verify more $FIXTURES/archive-1
remote-delete test
sweep
sweep --full
sweep --dry-run
repair
EOF
  snapshot | diff -u "$T/before" -
}
promise 'an unprivileged user changes nothing of what is not his, and is told what to do' \
  he_changes_nothing_of_roots

# Where there is none yet.
he_creates_none_for_all() {
  machine
  named extra
  chmod 0755 /var/lib /srv
  expect_error 1 'No permission to create /var/lib/holdfast: use sudo, or --user' \
    his --system remote-add --no-verify test "$FIXTURES/archive-1"
  expect_error 1 'No permission to create /srv/extra: use sudo, or --user' \
    his --installation=extra install "$FIXTURES/hello-1" --ref="$HELLO"
  # Nor where he could: nobody would trust it.
  chmod 1777 /srv
  expect_error 1 'No permission to create /srv/extra' \
    his --installation=extra remote-add --no-verify test "$FIXTURES/archive-1"
  install -d -o nobody /srv/extra
  expect_error 6 'not trusted' as_root --installation=extra remote-add --no-verify test "$FIXTURES/archive-1"
  equal "$(ls /srv/extra)" ''
  rmdir /srv/extra
  expect 0 his --system list
  expect 0 his --installation=extra sweep
}
promise 'nor does he create one for all' he_creates_none_for_all

# He sees all of it; nothing but its owner's business is closed, and nothing is open for writing.
whatever_roots_umask() { # MASK
  machine
  printf '[Installation "deep"]\npath=/srv/a/b/deep\n' >/etc/holdfast/installations.d/deep.conf
  cp -a "$FIXTURES/archive-1" "$T/remote"
  local name path command
  for name in system deep; do
    path=$(as_root --installation=$name installations --columns=path)
    umask "$1"
    as_root --installation=$name remote-add --no-verify test "$T/remote"
    as_root --installation=$name install test "$OTHER" "$HELLO"
    as_root --installation=$name root add mine org.example.Hello
    as_root --installation=$name mask 'org.example.No*'
    as_root --installation=$name uninstall org.example.Hello
    as_root --installation=$name install test "$HELLO"
    as_root --installation=$name uninstall org.example.Other
    as_root --installation=$name sweep
    umask 022
    equal "$(find "$path" ! -type l -perm /022)" '' 'what others may write'
    equal "$(cd "$path" && find . ! -type l ! -perm -004 | sort | xargs)" \
      './lock ./prune-lock ./removed ./repo/.lock ./staging ./turn-lock' 'what others may not read'
    equal "$(his --installation=$name run org.example.Hello)" 'Hello from org.example.Hello 1'
    while read -r command; do
      # shellcheck disable=SC2086 # words
      expect 0 his --installation=$name $command
      test -s "$T/out" || fail "$command says nothing"
    done <<EOF
list
list --all
info org.example.Hello
why org.example.Hello
history
remotes
remote-ls test
root list
mask
config
EOF
  done
}
promise "what root installs is for everybody, with a umask that closes everything" whatever_roots_umask 077
promise "and nobody else may write it, with one that opens everything" whatever_roots_umask 000

# His own he may close, but not open.
whatever_his_umask() { # MASK EXPECTED
  with_somebody
  INST=$T/nobody/.local/share/holdfast
  umask "$1"
  his remote-add --no-verify test "$FIXTURES/archive-1"
  his install test "$HELLO"
  umask 022
  equal "$(stat -c %a "$INST")" "$2"
  equal "$(find "$INST" ! -type l -perm /022)" '' 'what others may write'
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
}
promise "a user's installation is closed to others if his umask says so" whatever_his_umask 077 700
promise 'and never open to them' whatever_his_umask 000 755

the_umask_is_passed_on() {
  installed archive-1 "$HELLO"
  umask 027
  equal "$(hf run --command=sh org.example.Hello -c umask)" 0027
  equal "$(hf hold org.example.Hello -- sh -c umask)" 0027
}
promise 'what is run has the umask of whoever runs it' the_umask_is_passed_on

a_whole_one_is_whole() {
  with_somebody
  his remote-add --no-verify test "$FIXTURES/archive-1"
  his install test "$HELLO"
  equal "$(his repair)" 'Nothing to repair'
}
promise 'a repair by an unprivileged user finds nothing wrong with what is whole' a_whole_one_is_whole

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
