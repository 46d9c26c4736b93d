#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The window between finding an image and holding it: there is none.  Each test stops a launch at one
# point of it and removes everything underneath.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

# A bwrap that is held up before it does anything at all: it says so on $1, and goes on at $2.
slow_bwrap() {
  mkdir "$T/bin"
  mkfifo "$T/arrived" "$T/go"
  cat >"$T/bin/bwrap" <<EOF
#!/bin/sh
case " \$* " in *" --help "* | *" --version "*) exec /usr/bin/bwrap "\$@" ;; esac
echo arrived >'$T/arrived'
read -r _ <'$T/go'
exec /usr/bin/bwrap "\$@"
EOF
  chmod +x "$T/bin/bwrap"
}

# The launcher is killed before bwrap has begun.
killed_before_bwrap_begins() {
  installed archive-1 "$HELLO"
  slow_bwrap
  PATH=$T/bin:$PATH "$HOLDFAST" --installation="$INST" run --command=read-all org.example.Hello \
    >"$T/output" 2>&1 &
  local launch=$!
  equal "$(cat "$T/arrived")" arrived
  started "$(xargs <"/proc/$launch/task/$launch/children")"
  kill -KILL $launch
  wait $launch || true
  hf uninstall --all
  expect 4 hf sweep
  echo go >"$T/go"
  await_entries_free
  matches "$(cat "$T/output")" '^read [0-9]+$'
  swept
}
promise 'a launcher that is killed before bwrap begins leaves no lock behind for ever' \
  killed_before_bwrap_begins

# bwrap is killed at the writes in which it tells of its child and lets it go on.
killed_while_it_begins() {
  need strace 'it kills a process at a system call'
  installed archive-1 "$HELLO"
  local n killed=0
  mkdir "$T/bin"
  for n in 2 5 8 9; do
    cat >"$T/bin/bwrap" <<EOF
#!/bin/sh
exec strace -qq -o /dev/null -e trace=write -e inject=write:signal=KILL:when=$n /usr/bin/bwrap "\$@"
EOF
    chmod +x "$T/bin/bwrap"
    expect '0|137' env "PATH=$T/bin:$PATH" "$HOLDFAST" --installation="$INST" run org.example.Hello
    [ -s "$T/out" ] || killed=$((killed + 1))
  done
  [ "$killed" -ge 2 ] || fail 'it was hardly ever killed'
  hf uninstall --all
  await_entries_free
  swept
}
promise 'nor does a bwrap that is killed while it begins' killed_while_it_begins

# Neither locked yet by bwrap, nor by a launcher that may be gone by now.
held_before_any_lock_of_bwrap() { # COMMAND...
  installed archive-1 "$HELLO"
  slow_bwrap
  PATH=$T/bin:$PATH "$HOLDFAST" --installation="$INST" run --command=read-all org.example.Hello \
    >"$T/output" 2>&1 &
  local launch=$!
  started $launch
  equal "$(cat "$T/arrived")" arrived
  "$@"
  expect 4 hf sweep --json
  equal "$(json 'sorted((e["ref"], e["commit"]) for e in d["held"])')" \
    "[[\"$HELLO\", \"$(commit_of hello-1)\"], [\"$PLATFORM\", \"$(commit_of platform-1)\"]]"
  echo go >"$T/go"
  wait $launch || fail "$(cat "$T/output")"
  matches "$(cat "$T/output")" '^read [0-9]+$'
  await_entries_free
  swept
}
update_all() {
  publish archive-2
  hf update
}
promise 'a launch whose bwrap has locked nothing yet holds app and runtime when they are uninstalled' \
  held_before_any_lock_of_bwrap hf uninstall --all
promise 'a launch whose bwrap has locked nothing yet holds app and runtime when they are updated' \
  held_before_any_lock_of_bwrap update_all

# bwrap has looked up the paths of the images by then, and mounts them only after.
removed_during_set_up() { # COMMAND...
  need strace 'it stops bwrap in the middle of its set-up'
  installed archive-1 "$HELLO"
  mkdir "$T/bin"
  mkfifo "$T/trace"
  cat >"$T/bin/bwrap" <<EOF
#!/bin/sh
exec strace -f -qq -o '$T/trace' -e trace=pivot_root \
  -e inject=pivot_root:signal=SIGSTOP:when=1 /usr/bin/bwrap "\$@"
EOF
  chmod +x "$T/bin/bwrap"
  PATH=$T/bin:$PATH "$HOLDFAST" --installation="$INST" run --command=read-all org.example.Hello \
    >"$T/output" 2>&1 &
  local launch=$! trace pid=
  started $launch
  exec {trace}<"$T/trace"
  while [ -z "$pid" ]; do
    local line
    line=$(read_line "$trace")
    [[ $line =~ ^([0-9]+).*stopped\ by\ SIGSTOP ]] && pid=${BASH_REMATCH[1]}
  done
  "$@"
  expect 4 hf sweep
  kill -CONT "$pid"
  cat <&"$trace" >/dev/null
  wait $launch || fail "$(cat "$T/output")"
  matches "$(cat "$T/output")" '^read [0-9]+$'
  await_entries_free
  swept
}
promise 'an app that is uninstalled while bwrap sets up still starts' \
  removed_during_set_up hf uninstall --all
promise 'an app that is updated while bwrap sets up still starts' removed_during_set_up update_all

swept_before_the_lock() {
  installed archive-1 "$HELLO"
  stopped lease-opened run org.example.Hello
  hf uninstall --all
  swept
  continued 3
  grep -q '^holdfast: .*not installed' "$T/errors" || fail "$(cat "$T/errors")"
  equal "$(cat "$T/output")" '' 'what it printed'
}
promise 'a launch that comes too late says that the app is not installed' swept_before_the_lock

updated_and_swept_before_the_lock() {
  installed archive-1 "$HELLO"
  stopped lease-opened run org.example.Hello
  update_all
  swept
  continued 0
  equal "$(cat "$T/output")" 'Hello from org.example.Hello 2'
}
promise 'a launch that an update overtakes starts the new app' updated_and_swept_before_the_lock

installed_again_before_the_lock() {
  installed archive-1 "$HELLO"
  stopped lease-opened run org.example.Hello
  hf uninstall --all
  hf sweep
  hf install "$HELLO"
  continued 0
  equal "$(cat "$T/output")" 'Hello from org.example.Hello 1'
}
promise 'a launch finds the same image installed again' installed_again_before_the_lock

# Either is right: it is whole and, once locked, held; or it is not installed any more.
removed_but_not_swept_before_the_lock() {
  installed archive-1 "$HELLO"
  stopped lease-opened run --command=read-all org.example.Hello
  hf uninstall --all
  continued '0|3'
  if [ -s "$T/output" ]; then
    matches "$(cat "$T/output")" '^read [0-9]+$'
  fi
  await_entries_free
  swept
}
promise 'a launch never starts on half an app' removed_but_not_swept_before_the_lock

# The app's lock is had; now the runtime goes.
the_runtime_goes_before_its_lock() {
  installed archive-1 "$HELLO"
  stopped lease-opened run org.example.Hello
  hf uninstall --force-remove "$PLATFORM"
  swept
  continued 3
  grep -q "^holdfast: .*$PLATFORM" "$T/errors" || fail "$(cat "$T/errors")"
}
promise 'a launch whose runtime goes meanwhile names it' the_runtime_goes_before_its_lock

# The app was leased as it was before an update to another runtime; so nothing needs the former any more.
the_former_runtime_goes_before_its_lock() {
  installed archive-1 "$HELLO"
  stopped lease-opened run org.example.Hello
  hf install "$FIXTURES/platform-1" --ref="${PLATFORM%/1}/2"
  cp -a "$FIXTURES/hello-2" "$T/image"
  sed -i '/^runtime=/s,/1$,/2,' "$T/image/metadata"
  hf install "$T/image" --ref="$HELLO"
  hf uninstall --unused
  equal "$(hf list --columns=ref)" "$(printf '%s\n' "$HELLO" "${PLATFORM%/1}/2")"
  continued 0
  equal "$(cat "$T/output")" 'Hello from org.example.Hello 2'
  await_entries_free
  swept
}
promise 'a launch that an update to another runtime overtakes starts the new app' \
  the_former_runtime_goes_before_its_lock

# The sweep has seen the symlink that an exchange is about to replace.
moved_while_a_sweep_looks() {
  installed archive-1 "$HELLO"
  local name entry
  name=$(active_of "$HELLO")
  entry=$(printf '%012d.%s' "$(date +%s)" "$name")
  ln -s "../../../../../removed/$entry" "$INST/removed/$entry"
  stopped symlink-seen sweep
  rm "$INST/removed/$entry" "$INST/deploy/$HELLO/active"
  mv -T "$INST/deploy/$HELLO/$name" "$INST/removed/$entry"
  continued 0
  nothing_out_of_service
  repository_is_whole
}
promise 'a sweep that sees a removal move an image finds no damage' moved_while_a_sweep_looks

finish
