#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Completion, as people at a terminal get it from each shell: bash with bash-completion and without,
# zsh, fish.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
export BUILD
LINES_ASKED=()

# What there is to complete.
a_world() { # SHELL
  need "${1%-completion}" 'it completes in it'
  holdfast_of_a_user
  cp -a "$FIXTURES/archive-1" "$T/remote"
  cd "$HOME" || return
  {
    holdfast remote-add --no-verify example "$T/remote"
    holdfast remote-add --no-verify other-1 http://example.invalid/repo
    holdfast install example "$HELLO"
    cp -a "$FIXTURES/archive-2/." "$T/remote/"
    holdfast update
    holdfast root add known-good "$HELLO"
    holdfast root add updater/last "$PLATFORM"
    holdfast mask 'org.example.*' 'org.other.?'
  } >"$T/log" 2>&1 || { cat "$T/log"; return 1; }
  # A pattern must not become what it matches, and a name with a space stays one word.
  touch org.example.x 'my key.gpg'
}

# offers LINE WORD...: the last word of LINE becomes these, and no others; see asked().
offers() {
  local line=$1
  shift
  LINES_ASKED+=("$line")
  { printf '== %s\n' "$line"; [ $# -eq 0 ] || printf '%s\n' "$@" | sort; } >>"$T/expected"
}

# asked SHELL: has it complete every line that was named since.
asked() {
  "$LIB/press-tab" "$1" "${LINES_ASKED[@]}" >"$T/got"
  diff -u "$T/expected" "$T/got" >&2 || fail "$1 offers something else"
  LINES_ASKED=()
  rm "$T/expected"
}

# What the help has, in the form in which press-tab says what a shell has.
expected_of_the_help() {
  local command
  echo '== holdfast '
  { echo help; commands_of_the_help; } | sort
  for command in $(commands_of_the_help); do
    echo "== holdfast $command -"
    holdfast "$command" --help | sed -n 's/^  \(-[^ ]*\( --[^ ]*\)\{0,1\}\).*/\1/p' | tr -d , |
      tr ' ' '\n' | sed 's/=.*//' | sort -u
  done
  for command in $(commands_with_columns); do
    echo "== holdfast $command --columns="
    holdfast "$command" --help | sed -n 's/^Columns: //p' | tr -d ' ' | tr , '\n' |
      sed 's/^/--columns=/' | sort
  done
}

commands_with_columns() {
  local command
  for command in $(commands_of_the_help); do
    if holdfast "$command" --help | grep -q '^Columns: '; then echo "$command"; fi
  done
}

commands_of_the_help() {
  holdfast --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\).*/\1/p'
}

everything_of_the_help() { # SHELL
  need "${1%-completion}" 'it completes in it'
  holdfast_of_a_user
  cd "$HOME" || return
  local command
  local -a lines=('holdfast ')
  for command in $(commands_of_the_help); do
    lines+=("holdfast $command -")
  done
  for command in $(commands_with_columns); do
    lines+=("holdfast $command --columns=")
  done
  [ ${#lines[@]} -gt 20 ]
  expected_of_the_help >"$T/expected"
  # The one option that takes something or nothing is offered in both ways.
  "$LIB/press-tab" "$1" "${lines[@]}" | sed '/^==/!s/=$//' | uniq >"$T/got"
  diff -u "$T/expected" "$T/got" >&2 || fail "$1 does not offer what the help has"
}

what_there_is() { # SHELL
  a_world "$1"
  local serial commit
  offers 'holdfast un' uninstall
  offers 'holdfast help rem' remote-add remote-delete remote-ls remotes
  offers 'holdfast --installation=us' --installation=user
  offers 'holdfast run ' org.example.Hello
  offers 'holdfast run app/' "$HELLO"
  offers 'holdfast uninstall ' org.example.Hello org.example.Platform
  offers 'holdfast --quiet uninstall org.example.Hello org.example.P' org.example.Platform
  offers 'holdfast info -v -- org.example.H' org.example.Hello
  offers 'holdfast run --branch=' --branch=1 --branch=stable
  offers 'holdfast remote-delete ' example other-1
  offers 'holdfast install example ' org.example.Hello org.example.Other org.example.Platform
  offers 'holdfast install other-1 '
  offers 'holdfast root ' add list remove
  offers 'holdfast root remove ' known-good updater/last
  offers 'holdfast root add name ' org.example.Hello org.example.Platform
  offers 'holdfast mask --remove ' 'org.example.*' 'org.other.?'
  offers 'holdfast config --get keep' keep-previous keep-removed
  offers 'holdfast config --set=give-up-unused ' no yes
  offers 'holdfast list --columns=ref,com' --columns=ref,commit
  serial=$(holdfast list --all --columns=state,id,serial | sed -n 's/^previous\torg.example.Hello\t//p')
  commit=$(commit_of hello-1)
  offers 'holdfast rollback org.example.Hello --to=' "--to=${commit:0:12}" "--to=$serial"
  offers 'holdfast hold org.example.Hello ' --
  asked "$1"
  holdfast uninstall --quiet "$HELLO"
  offers 'holdfast restore ' org.example.Hello
  asked "$1"
}

files() { # SHELL
  a_world "$1"
  mkdir "$HOME/build"
  local slash=/
  [ "$1" = fish ] || slash=''
  offers 'holdfast remote-add --gpg-import=my' '--gpg-import=my key.gpg'
  offers 'holdfast remote-add --gpg-import my' 'my key.gpg'
  offers 'holdfast install --ref=x --command y bu' "build$slash"
  offers 'holdfast --installation=bu' "--installation=build$slash"
  offers 'holdfast run org.example.Hello bu' "build$slash"
  offers 'holdfast hold org.example.Hello -- holdfa' holdfast
  offers 'holdfast hold org.example.Hello -- ls bu' "build$slash"
  asked "$1"
}

# Two of one ID, or one name of an application and a runtime, need more than it.
ambiguous_names() { # SHELL
  need "${1%-completion}" 'it completes in it'
  holdfast_of_a_user
  cd "$HOME" || return
  local ref
  mkdir app
  touch app/file
  for ref in "$HELLO" "app/org.example.Hello/$ARCH/beta" "app/org.example.Two/$ARCH/beta" \
    "app/org.example.Two/other/beta"; do
    holdfast install --quiet app --ref="$ref" || return
  done
  offers 'holdfast info ' org.example.Hello//beta org.example.Hello//stable \
    "app/org.example.Two/$ARCH/beta" app/org.example.Two/other/beta
  asked "$1"
}

as_it_is_typed() { # SHELL
  a_world "$1"
  equal "$("$LIB/press-tab" "$1" --typed $'holdfast remote-d\tex\t' | xargs)" \
    '== holdfast remote-d<TAB>ex<TAB> holdfast remote-delete example' 'words end with a space'
  equal "$("$LIB/press-tab" "$1" --typed $'holdfast install --re\tx' | xargs)" \
    '== holdfast install --re<TAB>x holdfast install --ref=x' 'an option that takes something does not'
}

for shell in bash bash-completion zsh fish; do
  promise "$shell offers every command and option of the help" everything_of_the_help "$shell"
  promise "$shell offers what is there" what_there_is "$shell"
  promise "$shell offers files where a path can stand" files "$shell"
  promise "$shell offers names that mean one thing" ambiguous_names "$shell"
  [ $shell = fish ] || promise "$shell puts spaces where a word ends" as_it_is_typed "$shell"
done

# Whatever is asked: one process, no libostree, no lock, nothing written, no word of what is wrong.
costs_a_process_start() {
  need strace 'it watches what is loaded'
  a_world bash
  local command line
  local -a words lines=('' 'install e' 'config --set x ' 'rollback --to=' 'restore ' 'nix ' '--installation=/nix run ')
  for command in $(commands_of_the_help); do
    lines+=("$command " "$command -" "$command --" "$command x ")
  done
  for line in "${lines[@]}"; do
    read -ra words <<<"$line"
    [[ -n $line && $line != *' ' ]] || words+=('')
    expect 0 holdfast complete "${words[@]}"
    equal "$(cat "$T/err")" ''
    # No tracer can be had with a look for leaks.
    ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 expect 0 strace -f -qq -o "$T/trace" \
      -e trace=execve,clone,clone3,fork,vfork,openat,openat2,fcntl,renameat2,unlinkat \
      "$HOLDFAST" --user complete "${words[@]}"
    equal "$(grep -c execve "$T/trace")" 1 "programs for '$line'"
    ! grep -E 'libostree|F_OFD_SETLK|O_CREAT|O_RDWR|renameat2|unlinkat|clone|fork' "$T/trace" ||
      fail "more than a look for '$line'"
  done
}
promise 'an answer costs the start of a process, and changes nothing' costs_a_process_start

# What another program has written is not offered if a shell could take it for more than a word.
hostile_names() {
  a_world bash
  # shellcheck disable=SC2016 # it is the name
  printf '[remote "$(touch taken)"]\nurl=x\n[remote "a b"]\nurl=x\n' >>"$INST/repo/config"
  offers 'holdfast remote-delete ' example other-1
  asked bash
  test ! -e taken
}
promise 'names that are none are not offered' hostile_names

finish
