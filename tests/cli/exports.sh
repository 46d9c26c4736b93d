#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a desktop and a shell find of what is deployed: on real images, by the programs that desktops use.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/machine.sh
. "$LIB/machine.sh"
private_mounts

DESK=app/org.example.Desk/$ARCH/stable
ENTRY=share/applications/org.example.Desk.desktop
DATA=.var/app/org.example.Desk/data

# desk_image VERSION [BRANCH]: the remote has it.
desk_image() {
  "$LIB/make-app" "$T/desk-$1" "$1" org.example.Desk desktop
  # build-export complains of quotes that are common and wrong, and takes them.
  flatpak build-export --disable-fsync --disable-sandbox --update-appstream "$REMOTE" "$T/desk-$1" "${2:-stable}" \
    >"$T/export.log" 2>&1 || { cat "$T/export.log"; return 1; }
}

desk_installed() {
  installed archive-1
  desk_image 1
  hf install test "$DESK"
}

exported() {
  (cd "$INST/exports" && find . -type l ! -path './owners/*' -printf '%P\n' | sort)
}

everything_leads() {
  local name
  for name in $(exported); do
    [ -e "$INST/exports/$name" ] || fail "$name leads nowhere"
  done
}

# listen: what the application says comes on $SAID.
listen() {
  mkdir -p "$HOME/$DATA"
  [ -p "$HOME/$DATA/said" ] || mkfifo "$HOME/$DATA/said"
  # Open for writing, too, so that opening does not wait for anybody.
  exec {SAID}<>"$HOME/$DATA/said"
}

all_that_a_desktop_knows() {
  desk_installed
  local name id=org.example.Desk
  equal "$(exported | tr '\n' ' ')" \
    "bin/$id share/applications/$id.desktop share/dbus-1/services/$id.service \
share/icons/hicolor/48x48/apps/$id.png share/man/man1/$id.1 share/metainfo/$id.metainfo.xml \
share/mime/packages/$id.xml "
  everything_leads
  for name in icons/hicolor/48x48/apps/$id.png metainfo/$id.metainfo.xml mime/packages/$id.xml \
    man/man1/$id.1; do
    cmp "$INST/exports/share/$name" "$T/desk-1/export/share/$name"
  done
  expect 0 desktop-file-validate "$INST/exports/$ENTRY"
  equal "$(cat "$T/out" "$T/err")" ''
  ! grep -E 'TryExec|DBusActivatable|^Path|X-' "$INST/exports/$ENTRY"
  ! grep -E SystemdService "$INST/exports/share/dbus-1/services/$id.service"
  expect 0 hf info "$DESK" --json
  equal "$(json '" ".join(d["exports"])')" "$(exported | tr '\n' ' ' | sed 's/ $//')"
  expect 0 hf info "$PLATFORM" --json
  equal "$(json 'd["exports"]')" '[]'
}
promise 'a real image exports all that a desktop knows of, and it is valid' all_that_a_desktop_knows

# Each argument arrives as the image wrote it, and files as the desktop was given them.
by_gio() {
  need gio 'it starts what a desktop would'
  desk_installed
  listen
  : >"$T/a file.hello"
  gio launch "$INST/exports/$ENTRY"
  # shellcheck disable=SC2016 # it is not to be expanded
  equal "$(read_line "$SAID")" 'an argument|it'\''s $HOME|'
  gio launch "$INST/exports/$ENTRY" "$T/a file.hello"
  # shellcheck disable=SC2016
  equal "$(read_line "$SAID")" 'an argument|it'\''s $HOME|'"$T/a file.hello|"
}
promise 'gio launch starts it, with the arguments that were meant' by_gio

odd_path() {
  need gio 'it starts what a desktop would'
  installation
  INST="$T/it's \"100%\" \$HOME"
  REMOTE=$T/remote
  cp -a "$FIXTURES/archive-1" "$REMOTE"
  hf remote-add --no-verify test "$REMOTE"
  desk_image 1
  hf install test "$DESK"
  listen
  expect 0 desktop-file-validate "$INST/exports/$ENTRY"
  gio launch "$INST/exports/$ENTRY"
  # shellcheck disable=SC2016
  equal "$(read_line "$SAID")" 'an argument|it'\''s $HOME|'
  "$INST/exports/bin/org.example.Desk" 'from a shell' >"$T/out"
  equal "$(cat "$T/out")" 'Hello from org.example.Desk 1: from a shell'
}
promise 'also from an installation with an odd path' odd_path

by_bus() {
  need dbus-run-session 'it has D-Bus start a service'
  need gdbus 'it asks for a service'
  desk_installed
  listen
  # It ends without having had the name: no sandbox reaches the bus.
  expect 1 env XDG_DATA_DIRS="$INST/exports/share" XDG_DATA_HOME="$T/none" dbus-run-session -- \
    gdbus call --session --dest org.example.Desk --object-path / --method org.example.X
  equal "$(read_line "$SAID")" '--by-bus|'
}
promise 'D-Bus starts it by its name' by_bus

in_a_shell() {
  desk_installed
  PATH=$INST/exports/bin:$PATH
  equal "$(org.example.Desk 'two words' '*')" 'Hello from org.example.Desk 1: two words *'
  need man 'it looks a page up'
  equal "$(man -w org.example.Desk)" "$(readlink -f "$INST/exports/share/man/man1/org.example.Desk.1")"
}
promise 'a shell finds it by its ID, and its manual page' in_a_shell

# --- Changes ----------------------------------------------------------------------------------------

names_follow() {
  desk_installed
  hf config --set keep-previous 1
  "$LIB/make-app" "$T/desk-2" 2 org.example.Desk desktop
  rm "$T/desk-2/export/share/mime/packages/org.example.Desk.xml"
  cp "$T/desk-2/export/$ENTRY" "$T/desk-2/export/share/applications/org.example.Desk.Two.desktop"
  flatpak build-export --disable-fsync --disable-sandbox "$REMOTE" "$T/desk-2" stable >/dev/null 2>&1
  exported >"$T/first"
  hf update "$DESK"
  exported >"$T/second"
  everything_leads
  equal "$(comm -13 "$T/first" "$T/second")" share/applications/org.example.Desk.Two.desktop
  equal "$(comm -23 "$T/first" "$T/second")" share/mime/packages/org.example.Desk.xml
  test ! -e "$INST/exports/share/mime"
  grep -qx 'Name=Hello 2' "$INST/exports/$ENTRY"
  hf rollback "$DESK"
  equal "$(exported)" "$(cat "$T/first")"
  grep -qx 'Name=Hello 1' "$INST/exports/$ENTRY"
  everything_leads
  test -e "$INST/exports/share/mime/mime.cache"
  hf uninstall "$DESK"
  equal "$(ls -A "$INST/exports")" ''
  hf restore "$DESK"
  equal "$(exported)" "$(cat "$T/first")"
  everything_leads
  hf uninstall --all
  swept
  equal "$(ls -A "$INST/exports")" ''
}
promise 'names follow update, rollback, uninstall and restore, and nothing of them stays' names_follow

branches() {
  desk_installed
  desk_image 2 beta
  hf install test "org.example.Desk//beta"
  grep -qx 'Name=Hello 1' "$INST/exports/$ENTRY"
  expect 0 hf info "org.example.Desk//beta" --json
  equal "$(json 'd["exports"]')" '[]'
  hf uninstall "$DESK"
  grep -qx 'Name=Hello 2' "$INST/exports/$ENTRY"
  equal "$("$INST/exports/bin/org.example.Desk")" 'Hello from org.example.Desk 2'
  hf install test "$DESK"
  grep -qx 'Name=Hello 2' "$INST/exports/$ENTRY"
  # Each starts its own branch, whatever else is installed.
  hf uninstall "org.example.Desk//beta"
  equal "$("$INST/exports/bin/org.example.Desk")" 'Hello from org.example.Desk 1'
}
promise 'of two branches the first has the names, and the other when it goes' branches

forbidden() {
  desk_installed
  hf config --set exports no
  equal "$(ls -A "$INST/exports")" ''
  hf uninstall "$DESK"
  hf install test "$DESK"
  equal "$(ls -A "$INST/exports")" ''
  hf config --unset exports
  everything_leads
  test -e "$INST/exports/$ENTRY"
  expect_error 2 'exports.*yes or no' hf config --set exports maybe
}
promise 'exports=no takes all names away, and yes makes them again' forbidden

# --- Images that are not what they should be ----------------------------------------------------------

hostile() {
  installed archive-1 "$PLATFORM"
  "$LIB/make-app" "$T/evil" 1 org.example.Evil desktop
  local share=$T/evil/export/share
  cp "$share/applications/org.example.Evil.desktop" "$share/applications/firefox.desktop"
  printf '[Desktop Entry]\nType=Application\nName=x\nExec=x %%z\n' >"$share/applications/org.example.Evil.bad.desktop"
  head -c 400000 /dev/zero >"$share/applications/org.example.Evil.huge.desktop"
  ln -s /etc/passwd "$share/applications/org.example.Evil.link.desktop"
  ln -s /etc "$share/icons/etc"
  printf '[D-BUS Service]\nName=org.freedesktop.Notifications\nExec=x\n' \
    >"$share/dbus-1/services/org.example.Evil.Other.service"
  mkdir -p "$share/systemd/user" "$T/evil/export/bin"
  printf '[Service]\nExecStart=x\n' >"$share/systemd/user/org.example.Evil.service"
  printf '#!/bin/sh\n' >"$T/evil/export/bin/ls"
  : >"$share/applications/org.example.Evil."$'\n'".desktop"
  mkdir "$share/icons/many"
  (cd "$share/icons/many" && seq -f 'org.example.Evil-%g.png' 3000 | xargs touch)
  expect 0 hf install --ref="app/org.example.Evil/$ARCH/stable" "$T/evil"
  equal "$(hf run org.example.Evil)" 'Hello from org.example.Evil 1'
  local bad
  for bad in share/applications/firefox.desktop share/applications/org.example.Evil.bad.desktop \
    share/applications/org.example.Evil.huge.desktop share/applications/org.example.Evil.link.desktop \
    share/icons/etc share/dbus-1/services/org.example.Evil.Other.service share/systemd share/icons/many; do
    grep -qF "does not export $bad: " "$T/err" || fail "nothing is said of $bad: $(cat "$T/err")"
  done
  ! grep -v '^holdfast: warning: ' "$T/err" || fail 'something else is said'
  equal "$(exported | grep -cv org.example.Evil)" 0
  equal "$(exported | wc -l)" 7
  everything_leads
}
promise 'a hostile image installs, and what it must not export is named and left out' hostile

no_export() {
  installed archive-1 "$PLATFORM"
  rm -r "$INST/exports"
  "$LIB/make-app" "$T/plain" 1 org.example.Plain
  rm -r "$T/plain/export"
  hf install --ref="app/org.example.Plain/$ARCH/stable" "$T/plain"
  test ! -e "$INST/exports"
  equal "$(find "$INST"/deploy/app -name export)" ''
  hf uninstall org.example.Plain
  test ! -e "$INST/exports"
  swept
}
promise 'an image without an export/ makes no difference, nor an installation without exports/' no_export

# What starts an application looks at nothing of this.
not_looked_at() {
  need strace 'it looks at what files are opened'
  desk_installed
  local command
  for command in 'run org.example.Desk' list ps; do
    # shellcheck disable=SC2086 # words
    traced -o "$T/files" -e trace=%file "$HOLDFAST" --installation="$INST" $command >/dev/null
    ! grep -E '"exports|/inst/exports' "$T/files" || fail "holdfast $command looks at exports/"
  done
}
promise 'run, list and ps do not look at it' not_looked_at

# --- Caches -------------------------------------------------------------------------------------------

CACHES=(share/applications/mimeinfo.cache share/icons/hicolor/icon-theme.cache share/mime/mime.cache)

need_programs() {
  need update-desktop-database 'it makes a cache'
  need gtk-update-icon-cache 'it makes a cache'
  need update-mime-database 'it makes a cache'
}

caches() {
  need_programs
  desk_installed
  grep -qx 'text/x-hello=org.example.Desk.desktop;' "$INST/exports/${CACHES[0]}"
  grep -qa 'org.example.Desk' "$INST/exports/${CACHES[1]}"
  gtk-update-icon-cache --validate "$INST/exports/share/icons/hicolor"
  grep -qx 'text/x-hello:\*.hello' "$INST/exports/share/mime/globs"
  need gio 'it asks what a type is'
  echo hello >"$T/x.hello"
  export XDG_DATA_DIRS=$INST/exports/share:/usr/share
  equal "$(gio info -a standard::content-type "$T/x.hello" | sed -n 's/ *standard::content-type: //p')" text/x-hello
  matches "$(gio mime text/x-hello)" 'org.example.Desk.desktop'
  equal "$(find "$INST/exports" -perm /7000)" '' 'what is still out of date'
}
promise 'caches are made of what is exported' caches

# fake PROGRAM: standard input is that program from now on.
fake() {
  need root 'it puts another program in the place of one'
  cat >"$T/fake-$1"
  chmod 0755 "$T/fake-$1"
  local path
  path=$(command -v "$1")
  mount --bind "$T/fake-$1" "$path"
  cleanup umount "$path"
}

in_a_sandbox() {
  need_programs
  fake update-desktop-database <<'EOF'
#!/bin/sh
# What a program that an image had taken over could try.
echo "999999 share/applications/mimeinfo.cache"
echo "4 share/applications/evil.desktop
evil"
for place in /i/deploy /i/exports /i/exports/share/applications /usr /etc /root /home; do
  touch "$place/evil" 2>/dev/null && echo "$place" >>/tmp/applications/mimeinfo.cache
done
ls / >>/tmp/applications/mimeinfo.cache
cat /proc/net/dev >>/tmp/applications/mimeinfo.cache
ln -s /etc/passwd /tmp/applications/link.desktop
EOF
  desk_installed
  equal "$(find / -xdev -newer "$T/fake-update-desktop-database" -name evil ! -path '/proc/*' 2>/dev/null)" ''
  equal "$(find "$INST" -name 'evil*')" ''
  # Its own output it can have, as that is what it is for.
  grep -qx i "$INST/exports/${CACHES[0]}"
  ! grep -E 'root|home|eth|wl|en[op]' "$INST/exports/${CACHES[0]}" || fail 'it sees more than it should'
  test -e "$INST/exports/${CACHES[1]}"
  everything_leads
}
promise 'what makes them sees and changes nothing else' in_a_sandbox

failing() {
  need_programs
  fake gtk-update-icon-cache <<<$'#!/bin/sh\necho broken; exit 3'
  desk_installed
  test ! -e "$INST/exports/${CACHES[1]}"
  test -e "$INST/exports/${CACHES[0]}"
  everything_leads
  equal "$(find "$INST/exports" -perm /7000)" ''
}
promise 'one that fails is no failure of the install, and leaves no cache' failing

# A cache that nobody makes anew would hide what comes.
without_programs() {
  need_programs
  desk_installed
  test -e "$INST/exports/${CACHES[1]}"
  : >"$T/nothing"
  local program path
  for program in update-desktop-database gtk-update-icon-cache update-mime-database; do
    path=$(command -v $program)
    need root 'it takes a program away'
    mount --bind "$T/nothing" "$path"
    cleanup umount "$path"
  done
  desk_image 2
  hf update "$DESK"
  local cache
  for cache in "${CACHES[@]}"; do
    test ! -e "$INST/exports/$cache"
  done
  everything_leads
  equal "$(find "$INST/exports" -perm /7000)" ''
  hf uninstall --all
  equal "$(ls -A "$INST/exports")" ''
}
promise 'without the programs there are no caches, and no failure' without_programs

# Killed between the change and the programs.
killed_before_caches() {
  need_programs
  installed archive-1 "$HELLO"
  desk_image 1
  stopped caches-looked-at install test "$DESK"
  kill -KILL "$STOPPED"
  wait "$LAUNCH" || true
  everything_leads
  ! grep org.example.Desk "$INST/exports/${CACHES[0]}" || fail 'it was made already'
  hf sweep
  grep -q org.example.Desk "$INST/exports/${CACHES[0]}"
  test -e "$INST/exports/${CACHES[1]}"
  equal "$(find "$INST/exports" -perm /7000)" ''
}
promise 'killed before they are made: the next sweep has them made' killed_before_caches

# What was made while something changed is not taken.
late_caches() {
  need_programs
  installed archive-1 "$HELLO"
  desk_image 1
  stopped caches-looked-at install test "$DESK"
  hf uninstall "$HELLO"
  continued 0
  equal "$(grep -c desktop "$INST/exports/${CACHES[0]}")" 1
  grep -q org.example.Desk "$INST/exports/${CACHES[0]}"
  equal "$(find "$INST/exports" -perm /7000)" ''
}
promise 'a change while they are made: they are made once more' late_caches

# --- Failures and repairs ---------------------------------------------------------------------------

# Nowhere to make a name: something else is where a directory must be.
no_place() {
  installed archive-1 "$PLATFORM"
  desk_image 1
  : >"$INST/exports/share"
  expect 0 hf install test "$DESK"
  grep -q '^holdfast: Not everything is exported as it should be' "$T/err"
  equal "$(wc -l <"$T/err")" 1
  equal "$(hf run org.example.Desk)" 'Hello from org.example.Desk 1'
  rm "$INST/exports/share"
  hf sweep
  everything_leads
  test -e "$INST/exports/$ENTRY"
  # Nor does a removal fail.
  mv "$INST/exports" "$T/away"
  : >"$INST/exports"
  expect 0 hf uninstall "$DESK"
  rm "$INST/exports"
  mv "$T/away" "$INST/exports"
  hf sweep
  equal "$(ls -A "$INST/exports")" ''
}
promise 'without a place for names an install is done, and the next sweep makes them' no_place

repaired() {
  desk_installed
  expect 0 hf repair
  equal "$(cat "$T/out")" 'Nothing to repair'
  ln -sfn nowhere/owners/x "$INST/exports/share/applications/mine.desktop"
  rm "$INST/exports/$ENTRY"
  ln -s ../../owners/org.example.Desk/export/share/applications/org.example.Desk.Old.desktop \
    "$INST/exports/share/applications/org.example.Desk.Old.desktop"
  expect 5 hf repair --dry-run
  grep -q "^exports/$ENTRY: is missing" "$T/out"
  grep -q '^exports/share/applications/org.example.Desk.Old.desktop: is exported by nothing' "$T/out"
  test ! -e "$INST/exports/$ENTRY"
  expect 0 hf repair
  # What is not ours is left alone.
  rm "$INST/exports/share/applications/mine.desktop"
  test -e "$INST/exports/$ENTRY"
  test ! -L "$INST/exports/share/applications/org.example.Desk.Old.desktop"
  everything_leads
  # What is rewritten is somebody's to alter, too.
  local name
  name=$(active_of "$DESK")
  sed -i 's/^Exec=.*/Exec=evil/' "$(readlink -f "$INST/exports/$ENTRY")"
  expect 0 hf repair
  grep -q "export/$ENTRY: is not what is exported" "$T/out"
  grep -q '^Exec=.*--command=say' "$INST/exports/$ENTRY"
  [ "$(active_of "$DESK")" != "$name" ]
  swept
  expect 0 hf repair
  equal "$(cat "$T/out")" 'Nothing to repair'
  rm "$INST/exports/$ENTRY"
  echo mine >"$INST/exports/$ENTRY"
  expect 0 hf repair
  grep -q "^exports/$ENTRY: is in the place of what is exported" "$T/out"
  equal "$(cat "$INST/exports/$ENTRY")" mine
}
promise 'repair finds names and entries that were altered, and puts them right' repaired

from_an_earlier_version() {
  desk_installed
  # As it was: nothing of this.
  rm -r "$(deployment_of "$DESK")/export"
  find "$INST/exports" -mindepth 1 -delete
  hf sweep
  equal "$(hf run org.example.Desk)" 'Hello from org.example.Desk 1'
  hf config --set keep-previous 2
  equal "$(exported)" ''
  expect 0 hf repair
  everything_leads
  test -e "$INST/exports/$ENTRY"
}
promise 'a deployment of an earlier version exports nothing until a repair' from_an_earlier_version

# --- Where they are looked for --------------------------------------------------------------------------

ROOT=${HOLDFAST%/usr/bin/holdfast}
USERS=/h/.local/share/holdfast/exports/share
SYSTEMS=/var/lib/holdfast/exports/share
GENERATORS=$ROOT/usr/lib/systemd

# data_dirs COMMAND...: what it makes of XDG_DATA_DIRS.
data_dirs() {
  env -i HOME=/h PATH="${HOLDFAST%/*}:$PATH" "$@" | sed -n 's/^XDG_DATA_DIRS=//p'
}

login_shells() {
  local shell profile=". $ROOT/etc/profile.d/holdfast.sh"
  for shell in sh bash zsh; do
    need $shell 'it is a login shell'
    equal "$(data_dirs $shell -euc "$profile; env")" "$USERS:$SYSTEMS:/usr/local/share:/usr/share"
    equal "$(data_dirs XDG_DATA_DIRS=/x $shell -euc "$profile; env")" "$USERS:$SYSTEMS:/x"
    equal "$(data_dirs "XDG_DATA_DIRS=/x:$SYSTEMS/:/y" XDG_DATA_HOME='/a b' $shell -euc \
      "$profile; $profile; env")" "/a b/holdfast/exports/share:/x:$SYSTEMS/:/y"
    # Nothing of its own is left behind.
    equal "$(env -i HOME=/h PATH="${HOLDFAST%/*}:$PATH" $shell -c "$profile; set" | grep -c '^holdfast')" 0
    # Without holdfast, nothing of it could be started.
    equal "$(env -i HOME=/h PATH=/nowhere XDG_DATA_DIRS=/x "$(command -v $shell)" -euc \
      "$profile; echo \$XDG_DATA_DIRS")" /x
  done
}
promise 'a login shell looks in the installation of the user first, then in that of the system' login_shells

by_systemd() {
  local own=/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator
  equal "$(data_dirs "$GENERATORS/system-environment-generators/60-holdfast-system")" \
    "$SYSTEMS:/usr/local/share:/usr/share"
  equal "$(data_dirs XDG_DATA_DIRS=/x "$GENERATORS/user-environment-generators/60-holdfast-user")" \
    "$USERS:$SYSTEMS:/x"
  equal "$(data_dirs "XDG_DATA_DIRS=$USERS:/x:$SYSTEMS" \
    "$GENERATORS/user-environment-generators/60-holdfast-user")" ''
  need "$own" 'it reads environment.d'
  mkdir -p "$T/h/.config/environment.d"
  cp "$ROOT/usr/lib/environment.d/60-holdfast.conf" "$T/h/.config/environment.d"
  equal "$(env -i HOME="$T/h" "$own" | sed -n 's/^XDG_DATA_DIRS=//p')" \
    "$T$USERS:$SYSTEMS:/usr/local/share:/usr/share"
}
promise 'so does what systemd starts, for the system and for users' by_systemd

# An application in three installations of a machine: a user finds his own, and each starts its own.
user_and_system() {
  machine
  REMOTE=$T/remote
  cp -a "$FIXTURES/archive-1" "$REMOTE"
  named extra
  desk_image 1
  as_root remote-add --no-verify test "$REMOTE"
  as_root install test "$DESK"
  desk_image 2
  as_root --installation=extra remote-add --no-verify test "$REMOTE"
  as_root --installation=extra install test "$DESK"
  his remote-add --no-verify test "$REMOTE"
  desk_image 3
  his install test "$DESK"
  local own=$T/nobody/.local/share/holdfast/exports system=/var/lib/holdfast/exports extra=/srv/extra/exports
  equal "$(sed -n 's/^Exec=[^ ]* \(--[^ ]*\) run .*--command=say .*/\1/p' {"$own",$system,$extra}/$ENTRY | tr '\n' ' ')" \
    '--user --system --installation=/srv/extra '
  equal "$(somebody "$own/bin/org.example.Desk")" 'Hello from org.example.Desk 3'
  equal "$(somebody $system/bin/org.example.Desk)" 'Hello from org.example.Desk 1'
  equal "$(somebody $extra/bin/org.example.Desk)" 'Hello from org.example.Desk 2'
  # The named one is looked for, too.
  local dirs
  dirs=$(data_dirs "$GENERATORS/system-environment-generators/60-holdfast-system")
  equal "$dirs" "$system/share:$extra/share:/usr/local/share:/usr/share"
  dirs=$(somebody env PATH="${HOLDFAST%/*}:$PATH" sh -c ". $ROOT/etc/profile.d/holdfast.sh; echo \$XDG_DATA_DIRS")
  equal "$dirs" "$own/share:$system/share:$extra/share:/usr/local/share:/usr/share"
  need gio 'it asks which application is found'
  equal "$(somebody env XDG_DATA_DIRS="$dirs" gio mime text/x-hello | grep -c org.example.Desk.desktop)" 3
  # What belongs to somebody else cannot be changed, and nothing is said of it.
  expect_error 1 'No permission' his --system uninstall "$DESK"
}
promise 'one application in three installations: the user finds his own, and each starts its own' user_and_system

finish
