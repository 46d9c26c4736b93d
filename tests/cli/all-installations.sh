#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# holdfast sweep --all-installations: one after another, and the exit status of the worst.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/machine.sh
. "$LIB/machine.sh"
private_mounts

SYSTEM=/var/lib/holdfast

# Something to sweep in each of the system's, and in his own.
everywhere() {
  machine
  three_installations
  local name
  for name in system extra; do
    as_root --installation=$name config --set keep-previous 0
    as_root --installation=$name uninstall --all
  done
  his uninstall org.example.Hello
}

sweep_all() {
  as_root sweep --all-installations "$@"
}

swept_clean() { # INSTALLATION...
  local inst
  for inst in "$@"; do
    INST=$inst nothing_out_of_service
    equal "$(INST=$inst objects)" '' "what is left in $inst"
  done
}

all_of_the_systems() {
  everywhere
  expect 0 sweep_all
  swept_clean $SYSTEM /srv/extra
  equal "$(grep -c '^Installation ' "$T/out")" 2
  grep -q "^Installation extra (/srv/extra)$" "$T/out"
  test -n "$(ls "$T/nobody/.local/share/holdfast/removed")" || fail 'that of a user was swept, too'
  expect 0 sweep_all
  equal "$(cat "$T/out" "$T/err")" '' 'what an idle sweep says'
}
promise "root sweeps all of the system's" all_of_the_systems

his_own_only() {
  everywhere
  expect 0 his sweep --all-installations
  equal "$(cat "$T/err")" ''
  swept_clean "$T/nobody/.local/share/holdfast"
  test -n "$(ls $SYSTEM/removed)"
}
promise 'an unprivileged user sweeps his own' his_own_only

as_json() {
  everywhere
  expect 0 sweep_all --dry-run --json
  equal "$(json '[(i["installation"], i["path"], len(i["swept"]), i["dry_run"]) for i in d]')" \
    '[["system", "/var/lib/holdfast", 1, true], ["extra", "/srv/extra", 2, true]]'
  expect 0 sweep_all --json
  equal "$(json '[(i["installation"], len(i["swept"])) for i in d]')" '[["system", 1], ["extra", 2]]'
  expect 0 sweep_all --json
  equal "$(json '[(i["installation"], len(i["swept"])) for i in d]')" '[["system", 0], ["extra", 0]]'
  rm /etc/holdfast/installations.d/extra.conf
  expect 0 sweep_all --json
  equal "$(json '[i["installation"] for i in d]')" '["system"]'
  expect 0 his sweep --all-installations --json
  equal "$(json '[i["installation"] for i in d]')" '["user"]'
}
promise 'its document is a list, however many there are' as_json

# What the sweep of the system's installation cannot finish keeps nobody waiting.
the_worst_counts() {
  everywhere
  local damaged
  hold ofd shared "$(echo $SYSTEM/removed/*/.ref)"
  expect 4 sweep_all
  grep -q '^holdfast: Installation system: ' "$T/err"
  equal "$(tail -1 "$T/err")" 'holdfast: 1 of 2 installations was not brought to an end'
  swept_clean /srv/extra
  as_root --installation=extra install test "$PLATFORM"
  as_root --installation=extra uninstall "$PLATFORM"
  damaged=$(echo /srv/extra/removed/*)
  mv "$damaged/.ref" "$T/ref"
  expect 5 sweep_all
  grep -q '^holdfast: Installation system: .*in use' "$T/err"
  grep -q '^holdfast: Installation extra: .*damaged' "$T/err"
  mv /srv/extra/config "$T/config"
  echo nonsense >/srv/extra/config
  expect 2 sweep_all
  mv "$T/config" /srv/extra/config
  mv "$T/ref" "$damaged/.ref"
  as_root --installation=extra config --set min-free 1000T
  expect 7 sweep_all
  as_root --installation=extra config --unset min-free
  let_go
  expect 0 sweep_all
  swept_clean $SYSTEM /srv/extra
}
promise 'it goes on past what fails, and exits with the worst' the_worst_counts

a_file_that_is_passed_over() {
  everywhere
  echo nonsense >/etc/holdfast/installations.d/broken.conf
  expect 5 sweep_all
  swept_clean $SYSTEM /srv/extra
  grep -q '^holdfast: warning: .*broken.conf is passed over' "$T/err"
  expect 5 sweep_all --json
  equal "$(json 'len(d)')" 2
  rm /etc/holdfast/installations.d/broken.conf
  chown nobody /srv/extra
  expect 6 sweep_all
  grep -q '^holdfast: Installation extra: .*not trusted' "$T/err"
  chown root /srv/extra
  expect 0 sweep_all
}
promise 'what may be left unswept is told by the exit status' a_file_that_is_passed_over

# Root's sweep waits for no lock of somebody else's.
nobody_holds_it_up() {
  everywhere
  named his-own
  install -d -o nobody /srv/his-own
  his --installation=/srv/his-own remote-add --no-verify test "$T/remote"
  his --installation=/srv/his-own install test "$PLATFORM"
  his --installation=/srv/his-own uninstall "$PLATFORM"
  mkfifo "$T/in" "$T/said"
  somebody "$TOOLS/hold-lock" ofd exclusive /srv/his-own/lock <"$T/in" >"$T/said" &
  started $!
  local line
  exec {HOLD_IN}>"$T/in" {line}<"$T/said"
  equal "$(read_line "$line")" held
  expect 6 timeout 60 "$HOLDFAST" sweep --all-installations
  swept_clean $SYSTEM /srv/extra
  exec {HOLD_IN}>&-
  wait "${STARTED[-1]}"
}
promise 'an unprivileged user does not hold it up' nobody_holds_it_up

an_absent_one() {
  machine
  named extra
  expect 0 sweep_all
  expect 0 sweep_all --json
  equal "$(json 'd')" '[]'
  test ! -e $SYSTEM
  test ! -e /srv/extra
}
promise 'one that does not exist is empty, and is not made' an_absent_one

not_with_one() {
  machine
  named extra
  local option
  for option in --user --system --installation=extra --installation=/srv/extra; do
    expect_error 2 'all-installations goes without' as_root $option sweep --all-installations
  done
}
promise 'it goes with no choice of one' not_with_one

finish
