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

# large [COUNT]: an image of so many files, which takes more than a tenth of a second.
large() {
  mkdir -p "$T/large"
  /usr/bin/python3 -c '
import os, sys
for i in range(int(sys.argv[2])):
    os.makedirs("%s/%d" % (sys.argv[1], i // 100), exist_ok=True)
    with open("%s/%d/%d" % (sys.argv[1], i // 100, i), "w") as file:
        file.write("%d\n" % i * 50)' "$T/large" "${1:-6000}"
}

# shown WORD: a line that says so was there, and is gone.
shown() {
  grep -aP "\r\x1b\[K(\x1b\[1m)?$1(\x1b\[m)?[ \r]" "$T/raw" >/dev/null || fail "no '$1': $(cat -v "$T/raw")"
  ! grep -P "$1|\x1b" "$T/out" || fail "it stays: $(cat -v "$T/out")"
}

on_terminals() {
  export TERM=xterm
  installation
  large
  on_mine 80 install "$T/large" --ref="$HELLO" --command=true
  shown '(Laying out|Storing)'
  grep -aP '\x1b\[1m' "$T/raw" >/dev/null
  grep "^Installed $HELLO [0-9a-f]\{12\}$" "$T/out" >/dev/null
  hf uninstall "$HELLO"
  on_mine 80 sweep
  shown '(Deleting|Freeing objects)'
  grep '^1 swept' "$T/out" >/dev/null
}
promise 'on a terminal a line tells how far it is, and goes' on_terminals

from_the_network() {
  export TERM=xterm
  installed archive-1
  large 1500
  mkdir "$T/image"
  mv "$T/large" "$T/image/files"
  printf '[Application]\nname=org.example.Hello\ncommand=true\n' >"$T/image/metadata"
  ostree --repo="$REMOTE" commit --canonical-permissions --branch="$HELLO" \
    --tree=dir="$T/image" >/dev/null
  ostree --repo="$REMOTE" summary --update
  serve "$REMOTE"
  hf remote-add --no-verify web "$URL"
  on_mine 80 install web "$HELLO"
  shown 'Fetching'
  grep -aP 'Fetching[^\r]* [0-9]+ of [0-9]+, [0-9.]+.[kM]B, [0-9.]+.[kM]B/s' "$T/raw" >/dev/null
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
  export TERM=xterm
  installation
  large
  on_mine 20 install "$T/large" --ref="$HELLO" --command=true
  on_mine 5 install "$T/large" --ref="$OTHER" --command=true
}
promise 'it is never wider than the terminal' narrow

without_colour() {
  export TERM=xterm
  installation
  large
  NO_COLOR=1 on_mine 80 install "$T/large" --ref="$HELLO" --command=true
  shown '(Laying out|Storing)'
  ! grep -aP '\x1b\[[0-9;]*m' "$T/raw" || fail 'there is colour'
}
promise 'with NO_COLOR nothing is emphasized' without_colour

nowhere_else() {
  export TERM=xterm
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
