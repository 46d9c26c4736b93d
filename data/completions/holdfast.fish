# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Completion of holdfast for fish.  The program itself says what there is to offer: see src/cli/complete.h.

# Not the program that was typed, which may be anything, but the one that is installed.
function __holdfast_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l word (commandline --cut-at-cursor --current-token)
    set -l before (string match --regex -- '^-[^=]*=' $word)
    for line in (command holdfast complete $words[2..] "$word" 2>/dev/null)
        switch $line
            case :files
                for path in (__fish_complete_path (string replace --regex -- '^-[^=]*=' '' $word))
                    printf '%s\n' "$before$path"
                end
            case :commands
                __fish_complete_command
            case '*'
                printf '%s\n' $line
        end
    end
end

complete --command holdfast --no-files --arguments '(__holdfast_complete)'
