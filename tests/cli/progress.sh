#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The line that tells how far a command is: on a terminal, and nowhere else.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

# on_a_terminal COLUMNS COMMAND...: leaves all that it gets in $T/raw, and in $T/out what a person then
# sees there.
on_a_terminal() {
  /usr/bin/python3 - "$T" "$@" <<'END'
import fcntl, os, pty, re, struct, sys, termios
top, columns, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.execvp(command[0], command)
said = b""
while True:
    try:
        more = os.read(fd, 4096)
    except OSError:
        break
    if not more:
        break
    said += more
with open(top + "/raw", "wb") as file:
    file.write(said)
seen = said.decode().replace("\r\n", "\n")
# Erased lines are gone; each was as wide as the terminal at most.
for line in re.findall(r"\r\x1b\[K([^\r\n]*)(?=\r)", seen):
    width = len(re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", line))
    if width >= columns:
        sys.exit("a line is %d wide, on %d columns: %r" % (width, columns, line))
seen = re.sub(r"\r\x1b\[K[^\r\n]*(?=\r\x1b\[K)", "", seen).replace("\r\x1b[K", "")
with open(top + "/out", "w", encoding="utf-8") as file:
    file.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

on_mine() { # COLUMNS ARG...
  on_a_terminal "$1" "$HOLDFAST" --installation="$INST" "${@:2}"
}

# large: an image of some hundred files, and that is what a progress is eager to tell of.
large() {
  export TERM=xterm HOLDFAST_TEST_EAGER=1
  mkdir -p "$T/large"
  /usr/bin/python3 -c '
import os, sys
for i in range(400):
    os.makedirs("%s/%d" % (sys.argv[1], i // 20), exist_ok=True)
    with open("%s/%d/%d" % (sys.argv[1], i // 20, i), "w") as file:
        file.write("%d\n" % i * 50)' "$T/large"
}

# shown WORD [NUMBERS]: a line that says so was there, and is gone.
shown() {
  grep -aP "\r\x1b\[K(\x1b\[1m)?$1(\x1b\[m)?${2:-[ \r]}" "$T/raw" >/dev/null ||
    fail "no '$1${2:-}': $(tr '\r' '\n' <"$T/raw" | cat -v | awk 'NR % 20 == 1')"
  ! grep -P "^$1|\x1b" "$T/out" || fail "it stays: $(cat -v "$T/out")"
}

# What g_format_size() makes of bytes, and so many in a second.
BYTES=', [0-9.]+.([kMG]B|bytes)'
RATE="$BYTES/s\r"
EACH=' [0-9]+, [0-9]+/s\r'

on_terminals() {
  installation
  large
  on_mine 80 install "$T/large" --ref="$HELLO" --command=true
  shown Reading " [0-9]+$BYTES$RATE"
  shown 'Laying out' " [0-9]+$BYTES$RATE"
  shown Storing " [0-9]+ of$EACH"
  grep -aP '\x1b\[1m' "$T/raw" >/dev/null
  grep "^Installed $HELLO [0-9a-f]\{12\}$" "$T/out" >/dev/null
  hf uninstall "$HELLO"
  on_mine 80 sweep
  shown Deleting " [0-9]+$BYTES$RATE"
  shown 'Freeing objects' " [0-9]+$BYTES$RATE"
  grep '^1 swept' "$T/out" >/dev/null
  tar cf "$T/large.tar" -C "$T/large" .
  on_mine 80 install "$T/large.tar" --ref="$HELLO" --command=true
  shown Checking " [0-9]+$BYTES$RATE"
  shown Reading " [0-9]+$BYTES$RATE"
}
promise 'on a terminal a line tells objects, bytes and rate, and goes' on_terminals

from_a_path() {
  installed archive-1
  large
  on_mine 80 install test "$HELLO"
  shown 'Laying out' " [0-9]+$BYTES$RATE"
  shown Storing " [0-9]+ of$EACH"
}
promise 'so does an install from a path' from_a_path

repairs() {
  installed archive-1 "$HELLO"
  large
  on_mine 80 repair --dry-run
  shown Verifying " [0-9]+$BYTES$RATE"
  shown 'Looking for what nothing needs' "$EACH"
  equal "$(cat "$T/out")" 'Nothing to repair'
  echo altered >"$(deployment_of "$HELLO")/tree/files/bin/hello"
  on_mine 200 repair
  shown Verifying " [0-9]+$BYTES$RATE"
  shown 'Laying out' " [0-9]+$BYTES$RATE"
  shown Deleting " [0-9]+$BYTES$RATE"
  grep 'bin/hello: is altered' "$T/out" >/dev/null
  matches "$(tail -1 "$T/out")" '^[0-9]+ mended, 0 left$'
  hf repair >"$T/out"
  equal "$(cat "$T/out")" 'Nothing to repair' 'what it says in a pipe'
  on_mine 80 repair -q
  equal "$(cat "$T/raw")" '' 'with --quiet'
  on_mine 80 repair --json
  ! grep -aP '\x1b' "$T/raw" || fail 'there is an escape sequence in a document'
}
promise 'so does a repair, between its findings' repairs

# in_its_output PID: until one of its threads waits for its standard output.
in_its_output() {
  until grep -Eqs '^[0-9]+ 0x1 ' "/proc/$1/task/"*/syscall; do
    kill -0 "$1"
  done
}

# With ^S, as good as typed there.  Whoever waits for what a sweep has locked must not wait for that.
stopped_terminal() {
  local line pid
  installation
  large
  hf install "$T/large" --ref="$HELLO" --command=true
  hf uninstall "$HELLO"
  mkfifo "$T/pid" "$T/go"
  /usr/bin/python3 - "$T" "$HOLDFAST" --installation="$INST" sweep <<'END' &
import os, pty, subprocess, sys, termios
top, command = sys.argv[1], sys.argv[2:]
reader, terminal = pty.openpty()
termios.tcflow(terminal, termios.TCOOFF)
child = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal)
with open(top + "/pid", "w") as file:
    print(child.pid, file=file)
with open(top + "/go") as file:
    file.read()
termios.tcflow(terminal, termios.TCOON)
said = b""
while not said.endswith(b"freed\r\n"):
    said += os.read(reader, 4096)
sys.exit(child.wait())
END
  line=$!
  started $line
  read -r pid <"$T/pid"
  in_its_output "$pid"
  nothing_out_of_service
  hf install "$T/large" --ref="$OTHER" --command=true
  : >"$T/go"
  wait "$line"
}
promise 'where a terminal stands still the work goes on' stopped_terminal

from_the_network() {
  installed archive-1
  large
  mkdir "$T/image"
  mv "$T/large" "$T/image/files"
  printf '[Application]\nname=org.example.Hello\ncommand=true\n' >"$T/image/metadata"
  ostree --repo="$REMOTE" commit --canonical-permissions --branch="$HELLO" \
    --tree=dir="$T/image" >/dev/null
  ostree --repo="$REMOTE" summary --update
  serve "$REMOTE"
  hf remote-add --no-verify web "$URL"
  on_mine 80 install web "$HELLO"
  shown Fetching " [0-9]+ of [0-9]+$BYTES$RATE"
  grep "^Installed $HELLO" "$T/out" >/dev/null
}
promise 'a download tells objects, bytes and rate' from_the_network

errors_come_after() {
  export TERM=xterm
  installed archive-1
  serve "$REMOTE"
  hf remote-add --no-verify web "$URL"
  find "$REMOTE/objects" -name '*.filez' -size +100k -delete
  on_mine 80 install web "$PLATFORM" && fail 'it had all'
  tail -1 "$T/out" | grep '^holdfast: ' >/dev/null
  ! grep -P '\x1b' "$T/out" || fail "$(cat -v "$T/out")"
}
promise 'it is gone before an error is told' errors_come_after

narrow() {
  installation
  large
  on_mine 20 install "$T/large" --ref="$HELLO" --command=true
  on_mine 5 install "$T/large" --ref="$OTHER" --command=true
}
promise 'it is never wider than the terminal' narrow

without_colour() {
  installation
  large
  NO_COLOR=1 on_mine 80 install "$T/large" --ref="$HELLO" --command=true
  shown '(Laying out|Storing)'
  ! grep -aP '\x1b\[[0-9;]*m' "$T/raw" || fail 'there is colour'
}
promise 'with NO_COLOR nothing is emphasized' without_colour

nowhere_else() {
  installation
  large
  local word
  hf install "$T/large" --ref="$HELLO" --command=true >"$T/out" 2>"$T/err"
  equal "$(wc -l <"$T/out")" 1
  equal "$(cat "$T/err")" ''
  for word in dumb ''; do
    echo "$word" >"$T/large/more"
    TERM=$word on_mine 80 install "$T/large" --ref="$HELLO" --command=true
    cat "$T/out" >>"$T/all"
    ! grep -aP '\x1b' "$T/raw" || fail "there is an escape sequence with TERM='$word'"
  done
  equal "$(grep -c '^Installed' "$T/all")" 2
  hf sweep >"$T/out"
  ! grep -P '\x1b|\r' "$T/out" || fail 'there is one in a pipe'
  hf install "$T/large" --ref="$OTHER" --command=true
  hf uninstall "$OTHER"
  on_mine 80 sweep --json
  ! grep -aP '\x1b' "$T/raw" || fail 'there is one in a document'
  json 'd["swept"]' >/dev/null
}
promise 'in a pipe, a document and a dumb terminal there is none of it' nowhere_else

quiet() {
  export TERM=xterm
  installed archive-1
  local option
  for option in -q --quiet; do
    expect 0 hf $option install test "$HELLO"
    equal "$(cat "$T/out" "$T/err")" '' 'install'
    expect 0 hf update $option
    equal "$(cat "$T/out" "$T/err")" '' 'update'
    equal "$(hf list $option --columns=ref | head -1)" "$HELLO" 'what was asked for'
    on_mine 80 $option uninstall --all -y
    equal "$(cat "$T/raw")" '' 'uninstall'
    on_mine 80 sweep $option
    equal "$(cat "$T/raw")" '' 'sweep'
    nothing_out_of_service
    expect_error 3 'not installed' hf uninstall $option org.example.Nonesuch
  done
}
promise 'with --quiet there are errors only, and what is asked for' quiet

finish
