#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The examples of the manual do what it says that they do.  tests/lib/page.py has the convention by which
# they are written; the functions here are what their `; setup:` lines can call.  They run as for an
# ordinary user: what is not said to be the system's is the user's.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/machine.sh
. "$LIB/machine.sh"
plain_only 'the same commands run with the sanitizers elsewhere'
private_mounts

# Everything begins anew: no installation, and nothing runs.
fresh() {
  the_end
  [ ! -e "$XDG_DATA_HOME" ] || find "$XDG_DATA_HOME" -mindepth 1 -delete
}

# The repository of the remote `example` has the first or the second versions.
offer() { # VERSION
  cp -a "$FIXTURES/signed-$1/." "$WWW/repo/"
}

added() { # VERSION
  find "$WWW/repo" -mindepth 1 -delete
  fresh && offer "$1" && holdfast remote-add --quiet --gpg-import="$FIXTURES/key.gpg" example "$URL/repo"
}

have() { # VERSION
  added "$1" && holdfast install --quiet org.example.Hello
}

update_to() { # VERSION
  offer "$1" && holdfast update --quiet
}

# An instance that runs until the_end.
start() { # REF
  [ -p "$HOME/../talk" ] || mkfifo "$HOME/../talk" "$HOME/../answer"
  holdfast run --command=sh "$1" <"$HOME/../talk" >"$HOME/../answer" &
  exec 7>"$HOME/../talk" 8<"$HOME/../answer"
  echo 'echo ready' >&7
  read -r -u 8 _
}

the_end() {
  exec 7>&-
  wait
}

make_root() { # TARBALL
  mkdir -p root
  cp -a "$FIXTURES/platform-1/files" root/usr
  ln -s usr/bin usr/lib usr/lib64 root
  tar -C root -czf "$1" .
}

# As a failing disk does it: the file of the image, and with it the stored object, has other bytes.
damage() { # ID
  local file
  file=$(holdfast info "$1" --json | /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)["path"])')/tree/files/share/data/constant
  "$LIB/flip-byte" "$file" 0
}

# A machine of its own, with root at the shell: the examples of these pages choose no installation.
ON_A_MACHINE=' holdfast-installations.1 holdfast-installations.5 '

# There, the system's installation and a named one.
two_installations() {
  printf '%s\n' '[Installation "big"]' path=/srv/holdfast 'display-name=The big disk' priority=10 \
    >/etc/holdfast/installations.d/big.conf
  offer 1
  local option
  for option in --system --installation=big; do
    holdfast $option remote-add --quiet --gpg-import="$FIXTURES/key.gpg" example "$URL/repo" || return
  done
}

examples() { # PAGE
  if [[ $ON_A_MACHINE == *" $1 "* ]]; then
    machine
    mkdir "$T/bin"
    ln -s "$HOLDFAST" "$T/bin/holdfast"
    export XDG_DATA_HOME=$HOME/.local/share PATH=$T/bin:$PATH
    mkdir -p "$XDG_DATA_HOME"
  else
    holdfast_of_a_user
  fi
  export WWW=$T/www TERM=xterm NO_COLOR=1 FIXTURES LIB
  mkdir -p "$WWW/repo"
  cp "$FIXTURES/key.gpg" "$HOME"
  serve "$WWW"
  export URL
  export -f fresh offer added have update_to start the_end make_root damage two_installations
  cd "$HOME" || return
  "$LIB/play-examples" "$1" "https://example.org/repo=$URL/repo" "x86_64=$ARCH"
}

# Those of section 8 are for a system's administrator: see tests/system/units.sh.
for page in "$SOURCE"/data/man/*.[157].scd; do
  page=$(basename "$page" .scd)
  promise "the examples of $page do what it says" examples "$page"
done
finish
