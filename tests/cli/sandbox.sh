#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What an application finds in its sandbox, and how it is tied to the process that started it.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell in the sandbox
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

# inside SCRIPT [ARG...]: what a shell in the sandbox says to that.
inside() {
  hf run --command=bash org.example.Hello -c "$@"
}

its_trees() {
  installed archive-1 "$HELLO"
  equal "$(inside 'readlink /bin /lib /lib64 /sbin' | xargs)" 'usr/bin usr/lib usr/lib64 usr/sbin'
  equal "$(inside 'cat /usr/etc/runtime-version /etc/runtime-version')" $'runtime 1\nruntime 1'
  equal "$(inside 'cat /app/share/data/version')" 'version 1'
  equal "$(inside 'for d in /usr /app /etc /; do : 2>/dev/null >$d/x && echo $d; done; true')" '' \
    'where it can write'
  # Besides, its home has the path that it has outside.
  equal "$(inside 'printf "%s\n" /*' | grep -vx "/$(cut -d/ -f2 <<<"$HOME")" | xargs)" \
    "$(printf '%s\n' /app /bin /dev /etc /lib /lib64 /proc /run /sbin /tmp /usr /var |
      grep -vx "/$(cut -d/ -f2 <<<"$HOME")" | xargs)" 'what is at the top'
}
promise 'the runtime is /usr, the app is /app, and neither can be written' its_trees

its_private_places() {
  installed archive-1 "$HELLO"
  touch "/tmp/holdfast-seen-$$"
  cleanup rm -f "/tmp/holdfast-seen-$$"
  equal "$(inside "test -e /tmp/holdfast-seen-$$ || echo none")" none
  equal "$(inside 'echo x >/tmp/x && echo x >/var/tmp/x && cat /tmp/x')" x
  equal "$(inside 'test -c /dev/null && test ! -e /dev/sda && test ! -e /dev/kmsg && echo good')" good
  equal "$(inside 'set -- /proc/[0-9]*; echo $(($# <= 3))')" 1 'whether it sees only its own processes'
  equal "$(ls "/tmp/holdfast-seen-$$")" "/tmp/holdfast-seen-$$"
}
promise 'its /tmp, /dev and /proc are its own' its_private_places

its_home() {
  installed archive-1 "$HELLO"
  echo secret >"$HOME/secret"
  inside 'echo kept >"$XDG_DATA_HOME/note" 2>/dev/null || echo kept >~/note'
  equal "$(find "$HOME/.var/app/org.example.Hello" -name note -exec cat {} \;)" kept
  equal "$(inside 'cat ~/secret 2>/dev/null || echo none')" none
  equal "$(inside 'cat ~/../secret /secret '"'$HOME/secret'"' 2>/dev/null || echo none')" none
}
promise 'it keeps what it saves in ~/.var/app, and sees nothing else of its home' its_home

its_host() {
  installed archive-1 "$HELLO"
  equal "$(inside 'getent passwd $(id -u) | cut -d: -f3')" "$(id -u)"
  if [ -s /etc/resolv.conf ]; then
    equal "$(inside 'cat /etc/resolv.conf' | cksum)" "$(cksum </etc/resolv.conf)"
  fi
  equal "$(inside 'date +%z')" "$(date +%z)"
}
promise "it has the host's users, name resolution and time zone" its_host

its_environment() {
  installed archive-1 "$HELLO"
  equal "$(SECRET=x inside 'echo ${SECRET-none} $GREETING')" 'none Hello'
}
promise "it has its metadata's environment, and not its caller's" its_environment

variant() { # METADATA-LINE...
  installed archive-1 "$PLATFORM"
  cp -a "$FIXTURES/hello-1" "$T/app"
  printf '%s\n' "$@" >>"$T/app/metadata"
  hf install "$T/app" --ref="$HELLO"
}

its_network() {
  installed archive-1 "$HELLO"
  [ "$(inside 'readlink /proc/self/ns/net')" != "$(readlink /proc/self/ns/net)" ]
  [ "$(inside 'readlink /proc/self/ns/ipc')" != "$(readlink /proc/self/ns/ipc)" ]
  serve "$T"
  equal "$(inside "exec 3<>/dev/tcp/127.0.0.1/${URL##*:} && echo reached" 2>/dev/null || echo no)" no
}
promise 'it has no network and no IPC' its_network

its_shared_network() {
  variant '' '[Context]' 'shared=network;ipc;'
  equal "$(inside 'readlink /proc/self/ns/net')" "$(readlink /proc/self/ns/net)"
  equal "$(inside 'readlink /proc/self/ns/ipc')" "$(readlink /proc/self/ns/ipc)"
}
promise 'it has network and IPC if its metadata says so' its_shared_network

its_privileges() {
  installed archive-1 "$HELLO"
  equal "$(inside 'sed -n "s/^CapEff:\t*//p;s/^NoNewPrivs:\t*//p" /proc/self/status' | xargs)" \
    '0000000000000000 1'
  equal "$(inside 'echo /proc/self/fd/*' | wc -w)" 4 'descriptors, with that for the directory'
}
promise 'it has no privilege, and none of our descriptors' its_privileges

its_exit_status() {
  installed archive-1 "$HELLO"
  expect 0 inside 'exit 0'
  expect 1 inside 'exit 1'
  expect 42 inside 'exit 42'
  expect 255 inside 'exit 255'
  expect 143 inside 'kill -TERM $$'
}
promise 'its exit status is ours' its_exit_status

its_input_and_output() {
  installed archive-1 "$HELLO"
  equal "$(printf 'a\nb\n' | hf run --command=sed org.example.Hello s/a/c/ | xargs)" 'c b'
  inside 'echo out; echo err >&2' >"$T/stdout" 2>"$T/stderr"
  equal "$(cat "$T/stdout")" out
  equal "$(cat "$T/stderr")" err
}
promise 'its standard streams are ours' its_input_and_output

signals_reach_it() { # SIGNAL
  installed archive-1 "$HELLO"
  mkfifo "$T/report"
  mkfifo "$T/in" "$T/said"
  "$TOOLS/await-stop" "$T/report" "$HOLDFAST" --installation="$INST" run --command=bash \
    org.example.Hello -c "trap 'kill \$!; echo got $1; exit 7' $1; sleep infinity & echo ready; wait" \
    <"$T/in" >"$T/said" 2>"$T/errors" &
  local launch=$! in said report pid
  started $launch
  exec {in}>"$T/in" {said}<"$T/said" {report}<"$T/report"
  pid=$(read_line "$report")
  equal "$(read_line "$said")" ready
  kill "-$1" "${pid#started }"
  # bash leaves a wait at once for a trap, whenever the signal comes; a read it does not.
  equal "$(read_line "$said")" "got $1"
  equal "$(read_line "$report")" 'ended 7'
  wait $launch || true
}
for signal in TERM INT HUP USR1; do
  promise "signal $signal reaches it" signals_reach_it $signal
done

a_terminal_works() {
  installed archive-1 "$HELLO"
  /usr/bin/python3 - "$HOLDFAST" --installation="$INST" run --command=bash org.example.Hello -c \
    'test -t 0 && test -t 1 && read -r word && echo "heard $word"; stty size' <<'EOF' >"$T/typed"
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
os.write(terminal, b"hello\n")
output = b""
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    output += data
sys.stdout.write(output.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF
  grep -q 'heard hello' "$T/typed" || fail "$(cat "$T/typed")"
  grep -q '33 77' "$T/typed" || fail "$(cat "$T/typed")"
}
promise 'a terminal works' a_terminal_works

interrupted_at_a_terminal() {
  installed archive-1 "$HELLO"
  /usr/bin/python3 - "$HOLDFAST" --installation="$INST" run --command=bash org.example.Hello -c \
    'trap "kill \$!; echo interrupted; exit 9" INT; sleep infinity & echo ready; wait' <<'EOF' >"$T/typed" || equal $? 9
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
output = b""
typed = False
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    output += data
    if b"ready" in output and not typed:
        typed = True
        os.write(terminal, b"\x03")
sys.stdout.write(output.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF
  grep -q interrupted "$T/typed" || fail "$(cat "$T/typed")"
}
promise '^C at a terminal reaches it' interrupted_at_a_terminal

one_of_its_own() {
  installed archive-1 "$HELLO" "$OTHER"
  echo one >"$T/x"
  hf run --command=bash org.example.Hello -c 'echo mine >~/mine 2>/dev/null || echo mine >"$XDG_DATA_HOME/mine"'
  equal "$(hf run --command=bash org.example.Other -c 'cat ~/mine "$XDG_DATA_HOME/mine" 2>/dev/null || echo none')" none
}
promise 'what one application saves another does not see' one_of_its_own

a_runtime_runs() {
  installed archive-1 "$PLATFORM"
  equal "$(hf run --command=bash "$PLATFORM" -c 'cat /etc/runtime-version; test ! -e /app')" 'runtime 1'
}
promise 'a runtime runs by itself' a_runtime_runs

the_branch_is_chosen() {
  installed archive-1 "$HELLO"
  "$LIB/make-app" "$T/beta" beta
  hf install "$T/beta" --ref="${HELLO%/*}/beta"
  equal "$(hf run --branch=beta org.example.Hello)" 'Hello from org.example.Hello beta'
  equal "$(hf run --branch=stable org.example.Hello)" 'Hello from org.example.Hello 1'
  expect_error 3 nothing hf run --branch=nothing org.example.Hello
}
promise 'of two branches one is chosen' the_branch_is_chosen

finish
