#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# More files of the same contents than a file can have links: ext4 allows 65,000, and btrfs 65,535.  This
# takes longer than most: some hundred thousand files are made and deleted.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/file-systems.sh
. "$(dirname "$0")/../lib/file-systems.sh"
plain_only 'it shows what file systems do'
private_mounts

# same_files COUNT DIRECTORY: one file under so many names, spread over directories.
same_files() {
  /usr/bin/python3 - "$1" "$2" <<'END'
import os, sys
count, top = int(sys.argv[1]), sys.argv[2]
LIMIT = 60000 # links of one file in the source
for number in range(count):
    directory = os.path.join(top, str(number // 5000))
    path = os.path.join(directory, str(number))
    if number % 5000 == 0:
        os.makedirs(directory)
    if number % LIMIT == 0:
        first = path
        with open(path, "w", encoding="ascii") as file:
            file.write("the same\n")
    else:
        os.link(first, path)
END
}

too_many_links() { # FILES DISK...
  disk "${@:2}"
  same_files "$1" "$T/app"
  hf install "$T/app" --ref="$HELLO" --command=true
  ostree --repo="$INST/repo" fsck >/dev/null
  equal "$(find "$(deployment_of "$HELLO")/tree/files" -type f | wc -l)" "$1" 'files'
  equal "$(find "$(deployment_of "$HELLO")/tree/files" -type f -exec cat {} + | sort -u)" 'the same'
  # Another one that has the same file finds no link left for it.
  mkdir "$T/other"
  echo 'the same' >"$T/other/file"
  hf install "$T/other" --ref="$OTHER" --command=true
  ostree --repo="$INST/repo" fsck >/dev/null
  hf uninstall "$HELLO"
  expect 0 hf sweep --json
  equal "$(json 'd["full"]')" true
  matches "$(json 'd["full_reason"]')" 'copies'
  nothing_out_of_service
  repository_is_whole
  equal "$(cat "$(deployment_of "$OTHER")/tree/files/file")" 'the same'
  hf uninstall "$OTHER"
  expect 0 hf sweep
  nothing_out_of_service
  equal "$(objects)" '' 'what is left in objects/'
}
promise 'an image with more files of one content than there can be links installs and goes (ext4)' \
  too_many_links 65001 ext4 400 -N 20000
promise 'an image with more files of one content than there can be links installs and goes (btrfs)' \
  too_many_links 65536 btrfs 400

finish
