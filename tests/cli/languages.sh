#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The user's language: nothing that is said to people is left out, nothing that is said to programs is in it.
# What all messages have is seen with a language that is made here.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/locales.sh
. "$(dirname "$0")/../lib/locales.sh"

# speaks SED-SCRIPT: a copy of holdfast, somewhere else, that knows a language xx by which each line of a message is what
# the script makes of it; `in_xx COMMAND...` has it speak that.
speaks() {
  need msgfilter 'it makes a language'
  locale_of xx_XX en_US
  cp -a "$BUILD/root/usr" "$T/moved"
  HOLDFAST=$T/moved/bin/holdfast
  mkdir -p "$T/moved/share/locale/xx/LC_MESSAGES"
  "$LIB/pseudo-language" "$SOURCE" "$T/moved/share/locale/xx/LC_MESSAGES/holdfast.mo" "$1" 2>"$T/log" ||
    fail "$(cat "$T/log")"
}

BRACKETS='s/^\( *\)\(.*[^ ].*\)$/\1«\2»/'

in_xx() {
  LC_ALL=xx_XX.UTF-8 LANGUAGE='' "$@"
}

# all_said STATUS COMMAND...: each line that it says is in the language.
all_said() {
  in_xx expect "$@"
  cat "$T/out" "$T/err" >"$T/said"
  [ -s "$T/said" ] || fail "nothing was said by ${*:2}"
  ! grep -v '«.*»' "$T/said" || fail "this is English, of ${*:2}"
}

sentences() {
  speaks "$BRACKETS"
  installed archive-1 "$HELLO"
  all_said 3 hf run org.example.Nothing
  all_said 3 hf install org.example.Nothing
  all_said 2 hf list --columns=nothing
  all_said 2 hf ps nothing
  all_said 2 hf list --nothing
  all_said 2 hf nothing
  all_said 0 hf update
  instance app "$HELLO"
  all_said 0 hf uninstall "$HELLO"
  all_said 4 hf sweep
  all_said 3 hf info "$HELLO"
  all_said 0 hf restore "$HELLO"
  all_said 3 hf restore "$HELLO"
  all_said 0 hf root add kept "$HELLO"
  all_said 0 hf root remove kept
  all_said 3 hf root remove kept
  all_said 0 hf uninstall "$HELLO"
  end app
  await_entries_free
  all_said 0 hf sweep
  all_said 0 hf remote-delete test
  all_said 0 hf install "$FIXTURES/hello-1" --ref="$HELLO"
  rm -r "$INST/deploy/$HELLO/active/pins"
  all_said 5 hf repair --dry-run
}
promise 'what is done and what fails is told in the language' sentences

# What GLib says is its own; the arguments of commands and the columns there are are words of holdfast's.
help_said() {
  in_xx expect 0 "$HOLDFAST" "$@" --help
  ! grep -vE '«.*»|^(Usage:|  holdfast .*|)$|^  [a-z-]+ \(|^    ' "$T/out" || fail "this is English, of $*"
}

helps() {
  speaks "$BRACKETS"
  help_said
  local command
  for command in $("$HOLDFAST" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
    help_said "$command"
  done
}
promise 'all help is in the language' helps

numbers() {
  speaks "$BRACKETS"
  installed archive-1 "$HELLO"
  mkdir -p "$INST/roots.d/other"
  echo nonsense >"$INST/roots.d/other/one"
  in_xx expect 5 hf root list
  matches "$(cat "$T/err")" '«1 of the roots makes no sense'
  echo nonsense >"$INST/roots.d/other/two"
  in_xx expect 5 hf root list
  matches "$(cat "$T/err")" '«2 of the roots make no sense'
}
promise 'a number decides between the forms of a message' numbers

# same COMMAND...: whatever the language is.
same() {
  LC_ALL=C.UTF-8 "$@" >"$T/english" 2>&1 || true
  in_xx "$@" >"$T/other" 2>&1 || true
  [ -s "$T/english" ] || fail "nothing was said by $*"
  cmp <(sed 's/"available" : [0-9]*/"available"/' "$T/english") \
    <(sed 's/"available" : [0-9]*/"available"/' "$T/other") || fail "this is another document: $*"
}

documents() {
  speaks "$BRACKETS"
  installed archive-1 "$HELLO"
  hf mask org.example.Masked
  hf pin org.example.Pinned
  instance app "$HELLO"
  hf install "$FIXTURES/hello-2" --ref="$OTHER"
  hf uninstall "$OTHER"
  echo nonsense >"$INST/roots.d/bad"
  local command
  for command in list 'list --all' installations "info $HELLO" "df $HELLO" history ps "why $HELLO" 'root list' \
    mask pin config remotes 'remote-ls test' 'sweep --dry-run' 'repair --dry-run' \
    'info org.example.Nothing' 'remote-ls nothing' 'list --nothing' 'info'; do
    # shellcheck disable=SC2086 # words
    same hf $command --json
  done
  same "$HOLDFAST" --json nothing
  same "$HOLDFAST" --json --nothing list
  same "$HOLDFAST" complete list --a
  in_xx hf sweep >/dev/null 2>&1 || true
  ! grep -r '«' "$INST/history" || fail 'the history is not for programs'
  end app
}
promise 'documents and completions are the same in every language' documents

english() { # NAME=VALUE... : no catalogue is looked for
  env "$@" ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" strace -f -qq -e trace=file -o "$T/trace" \
    "$HOLDFAST" --installation="$INST" run org.example.Nothing >/dev/null 2>"$T/err" || true
  ! grep 'holdfast\.mo' "$T/trace" || fail "with $*"
  matches "$(cat "$T/err")" 'There is no installation at'
}

catalogues() {
  speaks "$BRACKETS"
  need strace 'it looks at system calls'
  installation
  mkdir "$INST"
  locale_of en_US
  english LC_ALL=C
  english LC_ALL=POSIX
  english LC_ALL=C.UTF-8 LANGUAGE=xx
  english LC_ALL=en_US.UTF-8 LANGUAGE=
  english LC_ALL=xx_XX.UTF-8 LANGUAGE=en_GB:xx
  # $LANGUAGE comes before the locale, LC_ALL before LC_MESSAGES.
  LC_ALL=en_US.UTF-8 LANGUAGE=xx expect_error 3 '«' hf run org.example.Nothing
  LC_ALL='' LC_MESSAGES=xx_XX.UTF-8 expect_error 3 '«' hf run org.example.Nothing
}
promise 'for English no catalogue is looked for' catalogues

# Titles of two columns a character.
wide() {
  speaks 's/^Name$/名前です/; s/^URL$/場所/; s/^Verify$/検証/'
  installed archive-1 "$HELLO"
  in_xx script -qec "'$HOLDFAST' --installation='$INST' remotes" /dev/null >"$T/raw" </dev/null
  /usr/bin/python3 - "$T/raw" <<'END'
import sys, unicodedata
def width(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
with open(sys.argv[1], encoding="utf-8") as file:
    head, row = file.read().replace("\r", "").splitlines()[:2]
columns = [[width(line[:i]) for i in range(1, len(line)) if line[i] != " " and line[i - 2:i] == "  "]
           for line in (head, row)]
sys.exit(columns[0] != columns[1] and "%s\n%s\n%s" % (columns, head, row))
END
}
promise 'columns are aligned where a character takes two' wide

real() { # LANGUAGE LOCALE
  locale_of "$2"
  local want
  want=$(sed -n '/^msgid "Install images"$/{n;s/^msgstr "\(.*\)"$/\1/p}' "$SOURCE/po/$1.po")
  [ -n "$want" ] || fail 'there is no translation'
  LC_ALL=$2.UTF-8 LANGUAGE='' expect 0 "$HOLDFAST" --help
  grep -F "$want" "$T/out"
  # holdfast-store has it, too.
  LC_ALL=$2.UTF-8 LANGUAGE='' expect 0 "$HOLDFAST" install --help
  grep -F "$want" "$T/out"
}
while read -r language; do
  case $language in
    de | fr | es) name=${language}_${language^^} ;;
    ja) name=ja_JP ;;
    *) name=$language ;;
  esac
  promise "it speaks $language" real "$language" "$name"
done < <(tr -s ' ' '\n' <"$SOURCE/po/LINGUAS")

finish
