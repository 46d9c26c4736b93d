#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What takes how much space, in places where it is easily miscounted.  That the numbers are du's, in states at
# random, is in disk-usage.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
private_mounts

du_of() { # OPTION... PATH
  du -s --block-size=1 "$@" | cut -f1
}

# adds_up: the document in $T/out is of all that du finds.
adds_up() {
  expect 0 hf df --json
  equal "$(json 'sum(e["exclusive"] for e in d["deployments"]) + d["shared"] + d["repository"]')" \
    "$(du_of "$INST")" 'the sum'
  equal "$(json 'd["total"]')" "$(du_of "$INST")" 'the total'
}

# of REF KEY [STATE]: one number of the document.
of() {
  json "[e['$2'] for e in d['deployments'] if e['ref'] == '$1' and e['state'] == '${3:-active}'][0]"
}

# The history grows, and directories of exports/ go when nothing exports a name in them any more.
du_of_images() {
  du_of --exclude=history --exclude=exports "$INST"
}

# frees REF...: what df says that their removal frees is what it frees.
frees() {
  local before together
  hf sweep
  before=$(du_of_images)
  expect 0 hf df --json "$@"
  together=$(json 'd["together"]')
  [ "$(json 'len(d["deployments"])')" -gt 1 ] ||
    equal "$(json 'd["deployments"][0]["exclusive"]')" "$together" 'the exclusive part'
  hf uninstall --force-remove "$@"
  hf sweep
  equal $((before - $(du_of_images))) "$together" 'what it frees'
}

tables() {
  installed archive-1 "$HELLO"
  local sum=0 size
  expect 0 hf df
  equal "$(cut -f1,2 "$T/out")" "$(printf '%s\tactive\n' "$HELLO" "$PLATFORM"; printf '%s\t-\n' '(shared)' '(repository)')"
  for size in $(hf df --columns=exclusive); do
    sum=$((sum + size))
  done
  equal "$sum" "$(du_of "$INST")" 'the sum of the column'
  equal "$(hf df --columns=serial,path org.example.Hello)" \
    "$(active_of "$HELLO" | cut -d. -f2)"$'\t'"$(deployment_of "$HELLO")"
  expect_error 2 nonesuch hf df --columns=nonesuch
  expect_error 2 "'' is not a column" hf df --columns=
  expect_error 3 'not installed' hf df org.example.Nonesuch
}
promise 'df has a line for each deployment, and its lines add up' tables

# on_a_terminal COLUMNS COMMAND...: what it prints on one so wide.
on_a_terminal() {
  /usr/bin/python3 - "$@" <<'END'
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
said = b""
while True:
    try:
        more = os.read(fd, 4096)
    except OSError:
        break
    if not more:
        break
    said += more
sys.stdout.buffer.write(said.replace(b"\r\n", b"\n"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

bars() {
  installed archive-1 "$HELLO" "$OTHER"
  local width
  for width in 90 100 140; do
    on_a_terminal $width "$HOLDFAST" --installation="$INST" df >"$T/out"
    grep '█' "$T/out" >/dev/null || fail "there is no bar: $(cat "$T/out")"
    test "$(wc -L <"$T/out")" -le $width
    ! grep -P '\x1b' "$T/out" || fail 'there are escape sequences'
  done
  grep "^$HELLO .*█*░" "$T/out" >/dev/null
  grep 'in all' "$T/out" >/dev/null
  on_a_terminal 60 "$HOLDFAST" --installation="$INST" df >"$T/out"
  ! grep '[█░]' "$T/out" || fail 'there is no room for bars'
  LC_ALL=C on_a_terminal 140 "$HOLDFAST" --installation="$INST" df >"$T/out"
  grep '##' "$T/out" >/dev/null
  expect 0 hf df
  ! grep '[█░]' "$T/out" || fail 'there are bars in a pipe'
}
promise 'on a terminal there are bars, as wide as it is' bars

# It has one file under several names, of which none is anybody else's.
equal_files() {
  installation
  mkdir -p "$T/app/deep"
  head -c 1000000 /dev/urandom >"$T/app/one"
  cp "$T/app/one" "$T/app/two"
  cp "$T/app/one" "$T/app/deep/three"
  hf install "$T/app" --ref="$HELLO" --command=true
  adds_up
  test "$(of "$HELLO" exclusive)" -gt 1000000
  test "$(of "$HELLO" exclusive)" -lt 1900000
  equal "$(of "$HELLO" shared)" 0
  head -c 3000000 /dev/urandom >"$T/app/four"
  hf install "$T/app" --ref="$OTHER" --command=true
  adds_up
  test "$(of "$HELLO" exclusive)" -lt 900000
  test "$(of "$HELLO" total)" -gt 1000000
  test "$(of "$OTHER" exclusive)" -gt 3000000
  frees "$HELLO"
  frees "$OTHER"
}
promise 'a file that a deployment has several times is its own, once' equal_files

together() {
  installed archive-1 "$HELLO" "$OTHER"
  expect 0 hf df --json "$HELLO" "$OTHER"
  equal "$(json 'len(d["deployments"])')" 2
  equal "$(json 'd["together"] > sum(e["exclusive"] for e in d["deployments"])')" true
  frees "$HELLO" "$OTHER"
  hf install test "$HELLO"
  frees "$HELLO" "$PLATFORM"
}
promise 'what several refs have together is told' together

trash() {
  installed archive-1 "$HELLO" "$OTHER"
  publish archive-2
  instance one org.example.Hello
  hf update
  adds_up
  test "$(of "$HELLO" exclusive removed)" -gt 0
  local before trash
  hf uninstall "$HELLO"
  adds_up
  equal "$(json '[e["state"] for e in d["deployments"] if e["ref"].startswith("app/org.example.Hello")]')" \
    '["removed", "removed"]'
  before=$(du_of_images)
  trash=$(json 'd["trash"]')
  end one
  await_entries_free
  hf sweep
  equal $((before - $(du_of_images))) "$trash" 'what the sweep frees'
  adds_up
  equal "$(json 'd["trash"]')" 0
}
promise 'what is removed has lines of its own, and is what a sweep frees' trash

# A deployment beside the active one, as `removed` and `deploy` would have it after a rollback.
previous() {
  installed archive-1 "$HELLO"
  local old
  old=$(deployment_of "$HELLO")
  publish archive-2
  hf update "$HELLO"
  if [ -L "$old" ]; then
    mv "$INST"/removed/*"$(basename "$old")" "$T/old"
    rm "$old"
    mv -T "$T/old" "$old"
  fi
  adds_up
  equal "$(of "$HELLO" path previous)" "$old"
  test "$(of "$HELLO" shared previous)" -gt 0
  frees "$HELLO"
}
promise 'a deployment beside the active one has a line of its own' previous

strangers() {
  installed archive-1 "$HELLO" "$OTHER"
  expect 0 hf df --json
  local file before alone
  before=$(of "$HELLO" exclusive)
  alone=$(stat -c '%b' "$(deployment_of "$HELLO")/tree/files/bin/hello")
  # Links of somebody's own keep an object; what he puts anywhere is counted.
  ln "$(deployment_of "$HELLO")/tree/files/bin/hello" "$T/kept"
  mkdir -p "$INST/deploy/app/mine/deeper" "$INST/deploy/$HELLO/mine" "$INST/repo/extensions/mine"
  for file in mine deploy/mine deploy/app/mine/deeper/mine "deploy/$HELLO/mine/mine" removed/mine \
    staging/mine repo/mine repo/objects/mine repo/objects/00/mine repo/refs/heads/deploy/mine; do
    mkdir -p "$(dirname "$INST/$file")"
    head -c 9000 /dev/zero >"$INST/$file"
  done
  ln "$INST/mine" "$INST/exports/twice"
  ln "$INST/mine" "$INST/roots.d/thrice"
  adds_up
  test "$(of "$HELLO" exclusive)" -le $((before - alone * 512))
  equal "$(hf run org.example.Hello)" 'Hello from org.example.Hello 1'
}
promise 'what is nobody'\''s is counted, and a link of somebody'\''s own keeps a file' strangers

# It has all that it lists, also what is stored nowhere yet.
dead_builder() {
  installation
  mkdir "$T/app"
  local i
  for i in $(seq 20); do
    head -c 5000 /dev/zero >"$T/app/$i"
  done
  hf install "$T/app" --ref="$OTHER" --command=true
  hf uninstall "$OTHER"
  hf sweep
  # Before anything is linked into the repository.
  expect 137 inject 'syncfs:signal=KILL:when=1' \
    "$HOLDFAST" --installation="$INST" install "$T/app" --ref="$HELLO" --command=true
  [ -n "$(find "$INST"/staging/*/tree -type f -links +10)" ] || fail 'it has no links'
  adds_up
  equal "$(json '[e["state"] for e in d["deployments"]]')" '["staging"]'
  equal "$(json 'd["deployments"][0]["exclusive"] == d["deployments"][0]["total"]')" true
  equal "$(json 'd["shared"]')" 0
}
promise 'what a builder left behind is its own' dead_builder

without_active() {
  installed archive-1 "$HELLO"
  expect 0 hf df --json
  local before link
  before=$(of "$HELLO" exclusive)
  link=$(stat -c %b "$INST/deploy/$HELLO/active")
  mv "$INST/deploy/$HELLO/active" "$T/active"
  adds_up
  equal "$(of "$HELLO" exclusive previous)" $((before - link * 512))
}
promise 'directories go with a deployment that nothing names' without_active

# As one that moves while it is looked at.
met_again() {
  need root 'it mounts a file system'
  installed archive-1 "$HELLO"
  expect 0 hf df --json
  local name before total
  before=$(of "$HELLO" exclusive)
  total=$(json 'd["total"]')
  name=$INST/removed/000000000001.$(active_of "$HELLO")
  mkdir "$name"
  mount --bind "$(deployment_of "$HELLO")" "$name"
  cleanup umount "$name"
  expect 0 hf df --json
  equal "$(json 'len(d["deployments"])')" 2
  equal "$(json 'd["total"]')" "$total" 'the total'
  equal "$(of "$HELLO" exclusive)" "$before"
}
promise 'a deployment that is met again is counted once' met_again

# In a place where inode numbers in a listing are not to be trusted.
overlay() {
  need root 'it mounts a file system'
  installation
  mkdir "$T/layers" "$T/merged"
  mount -t tmpfs none "$T/layers"
  cleanup umount "$T/layers"
  mkdir "$T/layers/lower" "$T/layers/upper" "$T/layers/work"
  INST=$T/layers/lower/inst
  hf remote-add --no-verify test "$FIXTURES/archive-1"
  hf install test "$HELLO"
  mount -t overlay -o "lowerdir=$T/layers/lower,upperdir=$T/layers/upper,workdir=$T/layers/work" \
    none "$T/merged"
  cleanup umount "$T/merged"
  INST=$T/merged/inst
  adds_up
  hf install test "$OTHER"
  adds_up
}
promise 'on overlayfs the parts add up, too' overlay

unprivileged() {
  need root 'it becomes another user'
  installed archive-1 "$HELLO"
  chmod 0755 "$T"
  chmod 0700 "$(deployment_of "$HELLO")/tree/files/share"
  expect 0 hf df --json
  local exclusive
  exclusive=$(of "$HELLO" exclusive)
  expect 1 runuser -u nobody -- "$HOLDFAST" --installation="$INST" df --json
  grep -E '^holdfast: Could not read .*(staging|removed|share)' "$T/err" >/dev/null
  equal "$(json 'sorted(p for p in d["unread"] if "/" not in p)')" '["removed", "staging"]'
  equal "$(json 'len([p for p in d["unread"] if p.endswith("tree/files/share")])')" 1
  test "$(of "$HELLO" exclusive)" -gt 0
  test "$(of "$HELLO" exclusive)" -lt "$exclusive"
  chmod 0700 "$INST/repo/objects"
  expect 1 runuser -u nobody -- "$HOLDFAST" --installation="$INST" df --json
  test "$(of "$PLATFORM" exclusive)" -gt 20000000
  expect 1 runuser -u nobody -- "$HOLDFAST" --installation="$INST" df
  grep "$HELLO" "$T/out" >/dev/null
}
promise 'what a user may not read is named' unprivileged

# Whatever moves or goes meanwhile: it ends well, and nothing is there twice.
meanwhile() {
  installed archive-1 "$OTHER"
  local i
  for ((i = 0; i < 15; i++)); do
    hf install test "$HELLO"
    hf uninstall "$HELLO"
    hf sweep
  done >/dev/null &
  started $!
  local busy=$!
  while kill -0 $busy 2>/dev/null; do
    expect 0 hf df --json
    equal "$(json 'len({(e["commit"], e["serial"]) for e in d["deployments"]}) == len(d["deployments"]) or d["deployments"]')" true
    equal "$(of "$OTHER" state)" active
  done
  wait $busy
  adds_up
}
promise 'while things change it goes on, and counts nothing twice' meanwhile

nothing_there() {
  installation
  export XDG_DATA_HOME=$T/data
  expect 0 "$HOLDFAST" --user df
  equal "$(cat "$T/out")" ''
  expect 0 "$HOLDFAST" --user df --json
  equal "$(json 'd["total"], d["deployments"]')" '[0, []]'
  expect_error 3 'not installed' "$HOLDFAST" --user df org.example.Hello
  test ! -e "$T/data"
}
promise 'an installation that is not there takes no space' nothing_there

finish
