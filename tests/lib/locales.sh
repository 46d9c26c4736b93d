# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Locales that the machine may not have, made for a test.

# locale_of NAME [SOURCE [CHARSET]]: NAME.CHARSET can be set from now on.  gettext(3) translates for a locale that
# there is, and not for C.UTF-8.
locale_of() {
  local charset=${3:-UTF-8}
  need localedef 'it makes a locale'
  [ -e "/usr/share/i18n/locales/${2:-$1}" ] || need /usr/share/i18n 'it makes a locale'
  [ -d "$T/locale/$1.$charset" ] || {
    mkdir -p "$T/locale"
    localedef --no-archive -i "${2:-$1}" -f "$charset" "$T/locale/$1.$charset"
  }
  export LOCPATH=$T/locale
  # The C library forgets what it made of that.
  echo leak:__argz_add_sep >"$T/not-ours"
  export LSAN_OPTIONS=suppressions=$T/not-ours:print_suppressions=0
}
