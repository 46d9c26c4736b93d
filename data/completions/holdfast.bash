# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Completion of holdfast for bash, with bash-completion, which loads it, or without, by
# `source`ing this file.  The program itself says what there is to offer: see src/cli/complete.h.

# The words up to the cursor.  bash breaks them at each of COMP_WORDBREAKS, too, `=` among these.
_holdfast_words() {
  local rest=${COMP_LINE:0:COMP_POINT} gap word i
  words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    gap=${rest%%[![:space:]]*}
    rest=${rest#"$gap"}
    word=${COMP_WORDS[i]:0:${#rest}}
    rest=${rest#"$word"}
    if [ "$i" -eq 0 ] || [ -n "$gap" ]; then
      words+=("$word")
    else
      words[${#words[@]} - 1]+=$word
    fi
  done
}

# Not the program that was typed, which may be anything, but the one that is installed.
_holdfast() {
  local -a words
  local line word before='' mark
  COMPREPLY=()
  _holdfast_words
  word=${words[${#words[@]} - 1]}
  # What stands before such a mark is no part of what bash replaces.
  for mark in '=' ':'; do
    if [[ $COMP_WORDBREAKS == *"$mark"* && $word == *"$mark"* ]]; then
      word=${word##*"$mark"}
    fi
  done
  before=${words[${#words[@]} - 1]%"$word"}
  while IFS= read -r line; do
    line=${line%%$'\t'*}
    case $line in
      :files) compopt -o default ;;
      :commands)
        while IFS= read -r line; do
          COMPREPLY+=("$line")
        done < <(compgen -c -- "$word")
        ;;
      *)
        printf -v line %q "${line#"$before"}"
        COMPREPLY+=("$line")
        ;;
    esac
  done < <(command holdfast complete "${words[@]:1}" 2>/dev/null)
  # An option that takes something is not yet a whole word.
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
    compopt -o nospace
  fi
}

complete -F _holdfast holdfast
