# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Repairs beside other tests.  Whether nobody uses an entry without `.ref` can only be told where all processes
# can be looked at.  Sourced after holdfast.sh by tests that have begun with private_mounts.

# The first process may have capabilities that we have not: then another is shown in its place.  A sandbox
# can only mount a /proc of its own while a whole one is mounted somewhere.
if [ "$(id -u)" -eq 0 ] && ! readlink /proc/1/cwd >/dev/null; then
  mount -t proc proc /mnt
  mount --bind "/proc/$$" /proc/1
fi

# Other tests run beside this one, some of them as another user.  Without CAP_SYS_PTRACE their processes cannot
# be looked at, and then a repair rightly says that it cannot tell: it is asked again.
asked() { # STATUS ARG...
  local _
  : >"$T/asked"
  for _ in {1..200}; do
    expect "$1|5" hf repair "${@:2}"
    cat "$T/out" >>"$T/asked"
    grep -q 'whether a process uses it cannot be told' "$T/out" || break
  done
  grep -q 'damaged' "$T/err" || [ "$1" = 0 ] || fail "it does not say that something is damaged"
  [ "$1" != 0 ] || [ ! -s "$T/err" ] || { cat "$T/out" "$T/err" >&2; fail 'something is left'; }
}
