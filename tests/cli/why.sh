#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# `holdfast why` tells all that keeps something, by whatever name it is asked for.  That it agrees with the
# sweeper whatever came before is shown by tests/cli/agreement.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

# codes THING: the reasons of all that it means.
codes() {
  expect 0 hf why --json "$1"
  json '[[r["code"] for r in s["reasons"]] for s in d]'
}

by_every_name() {
  installed archive-1 "$HELLO"
  local at name
  at=$(deployment_of "$HELLO")
  name=$(basename "$at")
  equal "$(codes "$HELLO")" '[["active"]]'
  equal "$(codes org.example.Hello)" '[["active"]]'
  equal "$(codes hello)" '[["active"]]'
  equal "$(codes Hello//stable)" '[["active"]]'
  equal "$(codes "$INST/deploy/$HELLO/active")" '[["active"]]'
  equal "$(codes "$INST/deploy/$HELLO/active/tree/metadata")" '[["active"]]'
  equal "$(codes "deploy/$HELLO")" '[["active"]]'
  equal "$(codes "$name")" '[["active"]]'
  equal "$(codes "${name#*.}")" '[["active"]]'
  equal "$(codes "$INST/lock")" '[["installation"]]'
  # Its commit: the deployment, and the object.
  equal "$(codes "${name%.*}")" '[["active"], ["shared"]]'
  equal "$(codes "${name:0:12}")" '[["active"], ["shared"]]'
  equal "$(codes "repo/objects/${name:0:2}/${name:2:62}.commit")" '[["shared"]]'
  hf uninstall "$HELLO"
  equal "$(codes "$at")" '[[]]' 'by the path that forwards'
  expect_error 3 'nothing here' hf why "$INST/deploy/none"
  expect_error 3 'nothing here' hf why org.example.None
  expect_error 3 'nothing here' hf why none
  expect_error 3 'nothing here' hf why 0123456789
  expect_error 3 'nothing here' hf why /usr
}
promise 'it takes a path, a ref, a commit, an object, a deployment' by_every_name

every_reason() {
  installed archive-1 "$HELLO"
  equal "$(codes "$PLATFORM")" '[["active", "needed"]]'
  hf pin org.example.Platform
  equal "$(codes "$PLATFORM")" '[["active", "needed", "pinned"]]'
  hf config --set keep-previous 1
  publish archive-2
  hf update "$HELLO"
  equal "$(codes "$(commit_of hello-1)")" '[["previous"], ["shared"]]'
  cp "$INST/config" "$T/config"
  printf '[Installation]\nkeep-previous=0\n' >"$INST/config"
  equal "$(codes "$(commit_of hello-1)")" '[["pending"], ["shared"]]' 'what nobody has acted on'
  cp "$T/config" "$INST/config"
  hf config --set keep-previous 0
  equal "$(codes "$(commit_of hello-1)")" '[[], []]'
  hf root add mine "$HELLO"
  hf root add yours --link="$T/link" "$HELLO"
  equal "$(codes "$(commit_of hello-2)")" '[["root", "root", "active"], ["shared"]]'
  matches "$(hf why "$HELLO")" "root local/yours, by the link $T/link"
  hf uninstall "$HELLO"
  equal "$(codes "$(commit_of hello-2)")" '[["root", "root"], ["shared"]]'
  hf root remove mine
  rm "$T/link"
  equal "$(codes "$(commit_of hello-2)")" '[[], []]'
  matches "$(hf why "$HELLO")" 'nothing: the next sweep deletes it'
  hf config --set keep-removed 1h
  equal "$(codes "$(commit_of hello-2)")" '[["spared"], ["shared"]]'
}
promise 'it tells every reason' every_reason

who_holds_it() {
  installed archive-1 "$HELLO"
  instance one org.example.Hello
  hf uninstall "$HELLO"
  expect 0 hf why --json "$HELLO"
  equal "$(json '[r["code"] for r in d[0]["reasons"]]')" '["held"]'
  equal "$(json '{h["user"] for r in d[0]["reasons"] for h in r["holders"]} == {"'"$(id -un)"'"}')" true
  matches "$(hf why "$HELLO")" "PID [0-9]+ \(.*\) of $(id -un), a process that started "
  end one
}
promise 'it names the process that holds something, its user, and when it started' who_holds_it

shared_by_two() {
  installation
  mkdir "$T/tree"
  echo common >"$T/tree/common"
  hf install "$T/tree" --ref="$HELLO"
  echo own >"$T/tree/own"
  hf install "$T/tree" --ref="$OTHER"
  local object
  object=$(find "$INST/repo/objects" -samefile "$(deployment_of "$HELLO")/tree/files/common")
  equal "$(codes "$object")" '[["shared", "shared"]]'
  matches "$(hf why "$object")" "shared by $OTHER"
  hf uninstall "$HELLO"
  equal "$(codes "$object")" '[["shared"]]'
  hf uninstall "$OTHER"
  equal "$(codes "$object")" '[[]]'
}
promise 'it names all that share an object' shared_by_two

others_may_ask() {
  need root 'it becomes another user'
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  chmod 755 "$T"
  expect 0 runuser -u nobody -- "$HOLDFAST" --installation="$INST" why "$PLATFORM"
  matches "$(cat "$T/out")" 'active: it is what runs'
  expect 3 runuser -u nobody -- "$HOLDFAST" --installation="$INST" why "$HELLO"
}
promise 'who does not own the installation may ask about what is in service' others_may_ask

takes_no_lock() {
  installed archive-1 "$HELLO"
  hf uninstall "$HELLO"
  traced -e trace=fcntl,flock,openat2,openat -o "$T/trace" "$HOLDFAST" --installation="$INST" why "$HELLO" >"$T/out"
  equal "$(grep -E 'F_OFD_SETLK|F_SETLK|flock\(|libostree|O_RDWR' "$T/trace")" '' 'what it locks, loads or opens for writing'
}
promise 'it takes no lock, and needs no libostree' takes_no_lock

finish
