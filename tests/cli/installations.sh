#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Several installations on one machine: those that an administrator has named, how one is chosen, and what looks
# through all of them.  What they share is in shared-runtimes.sh.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/machine.sh
. "$LIB/machine.sh"
private_mounts

names() { # OPTION...: as `installations` tells them
  "$HOLDFAST" "$@" installations --columns=name | xargs
}

they_are_listed() {
  machine
  named extra 'display-name=An extra disk' priority=5
  named big priority=7
  as_root --installation=big remote-add --no-verify test "$FIXTURES/archive-1"
  equal "$(names)" 'system user big extra'
  equal "$(his installations --columns=name | xargs)" 'user system big extra'
  expect 0 his installations --json
  equal "$(json '[i["state"] for i in d]')" '["absent", "absent", "present", "absent"]'
  equal "$(json 'd[3]["display_name"], d[3]["path"], d[3]["priority"]')" '["An extra disk", "/srv/extra", 5]'
  equal "$(json 'd[2]["source"]')" /etc/holdfast/installations.d/big.conf
  equal "$(json '[i["changeable"] for i in d]')" '[false, false, false, false]'
  expect 0 as_root installations --json
  equal "$(json '[i["changeable"] for i in d]')" '[false, false, true, false]'
  equal "$(names --installation=big)" big
  equal "$(as_root installation-list --user --columns=name)" user
}
promise 'installations are listed in the order in which they are looked through' they_are_listed

a_name_or_a_path() {
  machine
  named extra
  as_root --installation=extra remote-add --no-verify test "$FIXTURES/archive-1"
  test -e /srv/extra/format
  equal "$(as_root --installation=extra remotes --json | json 'd[0]["name"]' /dev/stdin)" test
  equal "$(as_root remotes --installation=extra --json --installation=extra | json 'len(d)' /dev/stdin)" 1
  equal "$(as_root --installation=/srv/extra remotes --json | json 'len(d)' /dev/stdin)" 1
  cd /srv || return
  equal "$(as_root --installation=./extra remotes --json | json 'len(d)' /dev/stdin)" 1
  equal "$(as_root --installation=extra/ remotes --json | json 'len(d)' /dev/stdin)" 1
  mkdir /srv/bare
  expect_error 3 'called bare.*\./bare' as_root --installation=bare remotes
  expect_error 2 'slash' as_root --installation=. remotes
  expect_error 2 'name or a path' as_root --installation= remotes
  expect_error 2 'only one of' as_root --installation=extra remotes --installation=/srv/extra
  expect_error 3 'no installation at /srv/bare' as_root --installation=./bare remotes
  expect 0 as_root --installation=bare list --help
}
promise 'a name has no slash, and a path has one' a_name_or_a_path

the_two_that_are_always_there() {
  machine
  his --installation=user remote-add --no-verify test "$FIXTURES/archive-1"
  test -e "$T/nobody/.local/share/holdfast/format"
  as_root --installation=system remote-add --no-verify test "$FIXTURES/archive-1"
  test -e /var/lib/holdfast/format
  expect 0 his --user --installation=user remotes
  expect_error 2 'only one of' his --system --installation=user remotes
}
promise "the user's and the system's have names, too" the_two_that_are_always_there

a_script_goes_through_them() {
  machine
  three_installations
  local name
  for name in $(his installations --columns=name); do
    his --installation="$name" list --columns=ref,path
  done >"$T/each"
  his list --columns=ref,path >"$T/all"
  diff <(sort "$T/each") <(sort "$T/all")
  equal "$(wc -l <"$T/all")" 4
}
promise 'the names that are listed choose' a_script_goes_through_them

all_are_listed() {
  machine
  three_installations
  equal "$(his list --columns=id,installation | tr '\t\n' '= ' | xargs)" \
    'org.example.Hello=user org.example.Other=extra org.example.Platform=system org.example.Platform=extra'
  equal "$(his list | head -1 | cut -f5)" user
  equal "$(his list --all | head -1 | cut -f7)" user
  equal "$(his --system list | awk -F'\t' '{ print NF }' | sort -u)" 4
  equal "$(his --installation=extra list --columns=id | xargs)" 'org.example.Other org.example.Platform'
  expect 0 his list --json
  equal "$(json '[i["installation"] for i in d]')" '["user", "extra", "system", "extra"]'
  expect 0 his --installation=/srv/extra list --json
  equal "$(json 'sorted({i["installation"] for i in d})')" '["/srv/extra"]'
  equal "$(as_root list --columns=id,installation | tr '\t\n' '= ' | xargs)" \
    'org.example.Other=extra org.example.Platform=system org.example.Platform=extra'
}
promise 'list shows all installations, and a script picks one' all_are_listed

it_is_found_where_it_is() {
  machine
  three_installations
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  equal "$(his run org.example.Other)" 'Hello from org.example.Other 1'
  equal "$(his --installation=extra run org.example.Other)" 'Hello from org.example.Other 1'
  expect_error 3 'not installed in /var/lib/holdfast' his --system run org.example.Other
  expect_error 3 'org.example.No is not installed: ' his run org.example.No
  expect 0 his info org.example.Other --json
  equal "$(json 'd["installation"]')" extra
  expect 0 his info org.example.Platform --json
  equal "$(json 'd["installation"]')" system
  expect 0 his why org.example.Other --json
  equal "$(json '[s["installation"] for s in d]')" '["extra"]'
  expect 0 his why org.example.Other
  grep -q '^Installation extra (/srv/extra)$' "$T/out"
  matches "$(his hold org.example.Other -- printenv HOLDFAST_DEPLOYMENT)" '^/srv/extra/deploy/'
}
promise 'run, info, why and hold find an image wherever it is' it_is_found_where_it_is

# Here the order decides: the same application, a version of its own in each.
the_order_counts() {
  machine
  named late priority=-1
  named early priority=1
  local name
  for name in late early; do
    as_root --installation=$name remote-add --no-verify test "$FIXTURES/archive-1"
    as_root --installation=$name install test "$HELLO"
  done
  cp -a "$FIXTURES/archive-2/." "$T/second"
  as_root --installation=late remote-delete test
  as_root --installation=late remote-add --no-verify test "$T/second"
  as_root --installation=late update
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
  equal "$(his --installation=late run org.example.Hello)" 'Hello from org.example.Hello 2'
  sed -i 's/priority=.*/priority=9/' /etc/holdfast/installations.d/late.conf
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 2'
  as_root remote-add --no-verify test "$FIXTURES/archive-1"
  as_root install test "$HELLO"
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 1'
}
promise 'where several have it, the order decides' the_order_counts

bad_files_are_passed_over() {
  machine
  named good
  printf 'nonsense\n' >/etc/holdfast/installations.d/a-broken.conf
  named his-own
  chown nobody /etc/holdfast/installations.d/his-own.conf
  named writable
  chmod g+w /etc/holdfast/installations.d/writable.conf
  ln -s good.conf /etc/holdfast/installations.d/link.conf
  mkfifo /etc/holdfast/installations.d/fifo.conf
  expect 5 his installations --columns=name
  equal "$(xargs <"$T/out")" 'user system good'
  local name
  for name in a-broken his-own writable link fifo; do
    grep -q "^holdfast: warning: .*/$name.conf is passed over: " "$T/err" || fail "not a word of $name"
  done
  equal "$(grep -c . "$T/err")" 6
  as_root --installation=good remote-add --no-verify test "$FIXTURES/archive-1" 2>"$T/err"
  equal "$(grep -c 'warning: ' "$T/err")" 5
  expect 3 his --installation=writable list
  chmod 0777 /etc/holdfast/installations.d
  expect 5 his installations --columns=name
  equal "$(xargs <"$T/out")" 'user system'
  grep -q 'installations.d is passed over' "$T/err"
}
promise 'a broken or hostile file is told of, and harms nothing else' bad_files_are_passed_over

not_roots_alone() {
  machine
  three_installations
  named his-own
  install -d -o nobody /srv/his-own
  his --installation=/srv/his-own remote-add --no-verify test "$FIXTURES/archive-1"
  his --installation=/srv/his-own install test "$PLATFORM"
  expect_error 6 'not trusted.*--installation=/srv/his-own' as_root --installation=his-own list
  expect 0 as_root list --columns=installation
  equal "$(sort -u "$T/out" | xargs)" 'extra system'
  grep -q 'his-own is not trusted' "$T/err"
  expect 6 as_root installations --json
  equal "$(json '[i["state"] for i in d if i["name"] == "his-own"][0]')" unusable
  # As far as it is his, he has it by its path.
  equal "$(his --installation=/srv/his-own list --columns=id)" org.example.Platform
}
promise 'a named installation that is not only root'"'"'s is refused' not_roots_alone

platforms() {
  as_root list --runtime --columns=commit | xargs
}

updates_of_all() {
  machine
  three_installations
  cp -a "$FIXTURES/archive-2/." "$T/remote"
  his update >"$T/out"
  ! grep -q Installation "$T/out" || fail 'he looks at more than his own'
  equal "$(his run org.example.Hello)" 'Hello from org.example.Hello 2'
  equal "$(platforms)" "$(commit_of platform-1) $(commit_of platform-1)"
  expect_error 3 'org.example.Other is not .*, but in /srv/extra: .*--installation=extra.*sudo' \
    his update org.example.Other
  expect_error 3 'org.example.Other is not .*, but in /srv/extra: .*--installation=extra$' \
    as_root update org.example.Other
  as_root update >"$T/out"
  grep -q '^Installation system (/var/lib/holdfast)$' "$T/out"
  grep -q '^Installation extra (/srv/extra)$' "$T/out"
  equal "$(platforms)" "$(commit_of platform-2) $(commit_of platform-2)"
}
promise 'an update of everything is of all that one may change' updates_of_all

one_fails() {
  machine
  three_installations
  cp -a "$FIXTURES/archive-2/." "$T/remote"
  as_root --system remote-delete test
  expect 3 as_root update
  equal "$(platforms)" "$(commit_of platform-1) $(commit_of platform-2)"
  equal "$(grep -c '^holdfast: Installation system: ' "$T/err")" 1
  equal "$(tail -1 "$T/err")" 'holdfast: 1 of 2 installations was not brought to an end'
}
promise 'an update that fails in one goes on with the next' one_fails

what_is_elsewhere_is_not_changed() {
  machine
  three_installations
  local command
  for command in 'uninstall org.example.Other' 'rollback org.example.Other' 'root add mine org.example.Other'; do
    # shellcheck disable=SC2086 # words
    expect_error 3 'but in /srv/extra: choose that with --installation=extra' as_root $command
  done
  expect_error 3 'but in /var/lib/holdfast: choose that with --system, as its owner' \
    his uninstall org.example.Platform
  equal "$(as_root list --columns=id | xargs)" \
    'org.example.Other org.example.Platform org.example.Platform'
}
promise 'what is to be changed is only looked for where that was said' what_is_elsewhere_is_not_changed

finish
