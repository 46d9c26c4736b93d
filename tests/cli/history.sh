#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What was done to an installation, as it tells it itself: what is recorded and what is not, also where that
# is not possible.  Many writers at once are in the unit tests.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
private_mounts

# events: their names, one a line.
events() {
  hf history --columns=event
}

story() {
  installed archive-1 "$HELLO"
  publish archive-2
  hf update "$HELLO"
  hf uninstall "$HELLO"
  expect 0 hf sweep --json
  local bytes objects
  bytes=$(json 'd["bytes"]')
  objects=$(json 'd["objects"]')
  hf install "$FIXTURES/hello-1" --ref="$HELLO"
  expect 0 hf history --json
  equal "$(json '" ".join(e["event"] for e in d)')" 'install install update uninstall sweep install'
  equal "$(json '[e["ref"] for e in d]')" \
    "[\"$PLATFORM\", \"$HELLO\", \"$HELLO\", \"$HELLO\", null, \"$HELLO\"]"
  equal "$(json 'd[2]["commit"], d[2]["previous"], d[2]["origin"]')" \
    "[\"$(commit_of hello-2)\", \"$(commit_of hello-1)\", \"test\"]"
  equal "$(json 'd[1]["previous"]')" null
  equal "$(json 'd[3]["commit"]')" "$(commit_of hello-2)"
  equal "$(json 'd[4]["bytes"], d[4]["objects"], d[4]["deployments"]')" "[$bytes, $objects, 2]"
  equal "$(json 'd[5]["origin"]')" local
  equal "$(json 'd[5]["bytes"]')" "$(hf list --columns=ref,size | awk -v ref="$HELLO" '$1 == ref { print $2 }')"
  equal "$(json '{e["uid"] for e in d} == {'"$(id -u)"'}')" true
  equal "$(json '[e["time"] for e in d] == sorted(e["time"] for e in d)')" true
  equal "$(hf history --columns=event,ref | tail -1)" "install"$'\t'"$HELLO"
}
promise 'installs, updates, removals and sweeps are recorded, newest last' story

# It builds a deployment anew, and sweeps the damaged one.
repaired() {
  installed archive-1 "$HELLO"
  echo altered >"$(deployment_of "$HELLO")/tree/files/bin/hello"
  hf repair
  expect 0 hf history --json
  equal "$(json 'd[-1]["event"], d[-1]["deployments"]')" '["repair", 1]'
  equal "$(json 'd[-1]["bytes"] > 0')" true
  equal "$(json 'len(d)')" 3
}
promise 'so is a repair, with what its sweep freed' repaired

since() {
  installed archive-1 "$HELLO"
  local line
  for line in 1000000000 1500000000; do
    printf 'time=%d000000\tevent=uninstall\tref=%s\t.\n' "$line" "$HELLO"
  done >>"$INST/history"
  equal "$(hf history | wc -l)" 4
  equal "$(events | head -2 | xargs)" 'uninstall uninstall' 'the oldest'
  equal "$(hf history --since=2010-01-01 | wc -l)" 3
  equal "$(hf history --since=2017-07-14T02:40:00Z | wc -l)" 3
  equal "$(hf history --since=2017-07-14T02:40:01Z | wc -l)" 2
  equal "$(hf history --since=@1500000001 | wc -l)" 2
  equal "$(hf history --since=1h | wc -l)" 2
  equal "$(hf history --since=2w | wc -l)" 2
  equal "$(hf history --since=2999-01-01)" ''
  equal "$(hf history --since=2999-01-01 --json | json 'd' /dev/stdin)" '[]'
  local wrong
  for wrong in '' x @ @1x 1 1y 1hh 2020-13-01 -1h 99999999999999999999h; do
    expect_error 2 'not a time' hf history --since="$wrong"
  done
  expect_error 2 'not a column' hf history --columns=nonesuch
  expect_error 2 'no arguments' hf history what
}
promise 'what is older than a time is left out' since

not_recorded() {
  installed archive-1 "$HELLO"
  cp "$INST/history" "$T/history"
  hf sweep
  hf sweep --full
  expect 3 hf uninstall org.example.Nonesuch
  expect 4 hf uninstall "$PLATFORM"
  hf install test "$HELLO"
  hf update
  expect 3 hf install test org.example.Nonesuch
  hf list
  hf run org.example.Hello
  diff "$T/history" "$INST/history"
  instance one org.example.Hello
  hf uninstall "$HELLO"
  cp "$INST/history" "$T/history"
  expect 4 hf sweep
  diff "$T/history" "$INST/history"
  end one
  # A builder that failed leaves nothing, and nothing to tell of.
  await_entries_free
  cp "$INST/history" "$T/history"
  find "$REMOTE/objects" -name '*.filez' -delete
  expect '1|3|6' hf install test "$OTHER"
  diff "$T/history" "$INST/history"
}
promise 'what fails, or changes nothing, is not recorded' not_recorded

# As a crash, a full disk or somebody's editor leave it.
torn() {
  installed archive-1 "$HELLO"
  local -a whole
  mapfile -t whole <"$INST/history"
  local line=${whole[1]} cut
  for cut in 1 10 $((${#line} - 2)) $((${#line} - 1)) 30; do
    printf '%s\n%s' "${whole[0]}" "${line:0:cut}" >"$INST/history"
    equal "$(events)" install "cut at $cut"
  done
  hf uninstall "$HELLO"
  equal "$(events | xargs)" 'install uninstall' 'after a torn line'
  printf '%s\n' "${whole[0]}" nonsense '' 'time=1	event=frob	.' 'event=install	.' \
    'time=0	event=install	.' 'time=12' $'\xff\xfe' 'time=5	event=sweep	bytes=x	=	later=1	.' >"$INST/history"
  head -c 1000 /dev/zero >>"$INST/history"
  equal "$(events | xargs)" 'sweep install' 'what is a record'
  printf 'time=6\tevent=install\tref=a\\033[31mb\\nc\t.\n' >"$INST/history"
  equal "$(hf history --columns=ref)" 'a\x1b[31mb\x0ac'
  : >"$INST/history"
  equal "$(hf history)" ''
  rm "$INST/history"
  equal "$(hf history)" ''
}
promise 'lines that are no whole record are passed over, and harm none' torn

bound() {
  installed archive-1
  local i
  for ((i = 1000; i < 1600; i++)); do
    printf 'time=%d\tevent=install\tref=%0200d\t.\n' $i $i
  done >"$INST/history"
  test "$(stat -c %s "$INST/history")" -gt 131072
  hf install test "$PLATFORM"
  equal "$(wc -l <"$INST/history")" 1
  equal "$(hf history | wc -l)" 601
  cp "$INST/history.old" "$INST/history"
  hf uninstall "$PLATFORM"
  equal "$(wc -l <"$INST/history")" 1
  equal "$(wc -l <"$INST/history.old")" 600
}
promise 'it has a bound, and the newest part stays' bound

# cannot: whatever is in its place, nothing fails.
cannot() {
  hf install test "$HELLO" 2>"$T/err"
  hf uninstall "$HELLO" 2>>"$T/err"
  hf sweep 2>>"$T/err"
  equal "$(cat "$T/err")" '' 'what is said of it'
  nothing_out_of_service
}
hindered() {
  installed archive-1
  local kind
  for kind in directory fifo link loop read-only large; do
    rm -rf "$INST/history" "$INST/history.old"
    case $kind in
      directory) mkdir "$INST/history" ;;
      fifo) mkfifo "$INST/history" ;;
      link) ln -s "$T/elsewhere" "$INST/history" ;;
      loop) ln -s history "$INST/history" ;;
      read-only) need root 'it makes a file immutable'
        : >"$INST/history"
        chattr +i "$INST/history" || continue
        cleanup chattr -i "$INST/history" ;;
      large) # and nowhere to put it away
        head -c 200000 /dev/zero >"$INST/history"
        mkdir -p "$INST/history.old/x" ;;
    esac
    cannot
    [ $kind != read-only ] || chattr -i "$INST/history"
  done
  test ! -e "$T/elsewhere"
}
promise 'where nothing can be recorded everything else goes on' hindered

full_disk() {
  need root 'it mounts a file system'
  installation
  mkdir "$INST"
  mount -t tmpfs -o mode=0755,size=40m tmpfs "$INST"
  cleanup umount "$INST"
  hf remote-add --no-verify test "$FIXTURES/archive-1"
  hf install test "$HELLO"
  # Its page has room for a part of a line.
  local size
  size=$(stat -c %s "$INST/history")
  printf 'time=6\tevent=install\tref=%0*d\t.\n' $((4096 - 50 - size)) 0 >>"$INST/history"
  dd if=/dev/zero of="$INST/repo/tmp/fill" bs=4096 2>/dev/null || true
  hf uninstall "$HELLO"
  expect 0 hf sweep
  nothing_out_of_service
  rm "$INST/repo/tmp/fill"
  hf uninstall "$PLATFORM"
  equal "$(events | tail -1)" uninstall
  equal "$(hf history --json | json 'd[-1]["ref"]' /dev/stdin)" "$PLATFORM"
}
promise 'on a full disk nothing fails, and what comes after is recorded' full_disk

journal() { # COMMAND...: prints the entries that it sends, as JSON
  /usr/bin/python3 - "$@" <<'END'
import json, os, socket, subprocess, sys
path = "/run/systemd/journal/socket"
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(path)
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False).returncode
server.setblocking(False)
entries = []
while True:
    try:
        data = server.recv(65536)
    except BlockingIOError:
        break
    entry = {}
    while data:
        line, data = data.split(b"\n", 1)
        if b"=" in line:
            name, value = line.split(b"=", 1)
        else:
            name, size = line, int.from_bytes(data[:8], "little")
            value, data = data[8:8 + size], data[9 + size:]
        entry[name.decode()] = value.decode()
    entries.append(entry)
os.unlink(path)
print(json.dumps(entries))
sys.exit(status)
END
}

to_the_journal() {
  need root 'it mounts a file system'
  mount -t tmpfs tmpfs /run
  cleanup umount /run
  mkdir -p /run/systemd/journal
  installation
  INST=$T/$'a\nname'
  hf remote-add --no-verify test "$FIXTURES/archive-1"
  journal "$HOLDFAST" --installation="$INST" install test "$PLATFORM" >"$T/out"
  equal "$(json 'len(d)')" 1
  equal "$(json '[d[0][k] for k in ("HOLDFAST_EVENT", "HOLDFAST_REF", "HOLDFAST_COMMIT", "HOLDFAST_ORIGIN", "PRIORITY", "SYSLOG_IDENTIFIER")]')" \
    "[\"install\", \"$PLATFORM\", \"$(commit_of platform-1)\", \"test\", \"6\", \"holdfast\"]"
  json 'd[0]["HOLDFAST_INSTALLATION"]' | diff - <(echo "$INST")
  equal "$(json 'd[0]["MESSAGE"]')" "Installed $PLATFORM $(commit_of platform-1)"
  matches "$(json 'd[0]["MESSAGE_ID"]')" '^[0-9a-f]{32}$'
  local id
  id=$(json 'd[0]["MESSAGE_ID"]')
  grep "$id" "$SOURCE/data/man/holdfast-history.1.scd" >/dev/null || fail 'the manual has another MESSAGE_ID'
  journal "$HOLDFAST" --installation="$INST" install "$FIXTURES/platform-2" --ref="$PLATFORM" >"$T/out"
  equal "$(json '[d[0][k] for k in ("HOLDFAST_EVENT", "HOLDFAST_PREVIOUS_COMMIT")]')" \
    "[\"update\", \"$(commit_of platform-1)\"]"
  hf uninstall "$PLATFORM"
  journal "$HOLDFAST" --installation="$INST" sweep >"$T/out"
  equal "$(json 'd[0]["HOLDFAST_EVENT"], int(d[0]["HOLDFAST_BYTES"]) > 0, "HOLDFAST_REF" in d[0]')" \
    '["sweep", true, false]'
  journal "$HOLDFAST" --installation="$INST" sweep >"$T/out"
  equal "$(json 'd')" '[]' 'what an idle sweep says'
}
promise 'the journal gets the same, as fields' to_the_journal

# Nobody reads there.
deaf_journal() {
  need root 'it mounts a file system'
  mount -t tmpfs tmpfs /run
  cleanup umount /run
  mkdir -p /run/systemd/journal
  installed archive-1
  /usr/bin/python3 - "$HOLDFAST" --installation="$INST" <<'END'
import socket, subprocess, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind("/run/systemd/journal/socket")
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.setblocking(False)
try:
    while True:
        client.sendto(b"MESSAGE=x\n", "/run/systemd/journal/socket")
except BlockingIOError:
    pass
for words in (["install", "test", "org.example.Platform"], ["uninstall", "--all"], ["sweep"]):
    subprocess.run(sys.argv[1:] + words, check=True, timeout=60)
END
  equal "$(events | xargs)" 'install uninstall sweep'
}
promise 'a journal that does not read keeps nobody waiting' deaf_journal

for_everybody() {
  need root 'it becomes another user'
  installed archive-1 "$HELLO"
  chmod 0755 "$T"
  equal "$(runuser -u nobody -- "$HOLDFAST" --installation="$INST" history | wc -l)" 2
  ! runuser -u nobody -- truncate -s 0 "$INST/history" 2>/dev/null || fail 'he could write it'
  chmod 0600 "$INST/history"
  expect_error 1 'history' runuser -u nobody -- "$HOLDFAST" --installation="$INST" history
  # A lock of his changes nothing: nobody takes one.
  chmod 0644 "$INST/history"
  mkfifo "$T/in" "$T/said"
  runuser -u nobody -- "$TOOLS/hold-lock" ofd shared "$INST/history" <"$T/in" >"$T/said" &
  started $!
  exec {HOLD_IN}>"$T/in" {line}<"$T/said"
  equal "$(read_line "$line")" held
  hf uninstall "$HELLO"
  equal "$(events | tail -1)" uninstall
}
promise 'who may see what is installed may read it, and not write it, nor keep it' for_everybody

# An installation whose creation was cut short may have one.
ours() {
  installed archive-1 "$PLATFORM"
  rm "$INST/format"
  hf install test "$HELLO"
  equal "$(events | xargs)" 'install install'
}
promise 'it does not make an installation somebody else'\''s' ours

finish
