#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tarballs that tar would not write: each is refused in one line that names the member, leaves the
# installation as it was and writes nothing anywhere else.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/locales.sh
. "$(dirname "$0")/../lib/locales.sh"

EVIL=app/org.example.Evil/$ARCH/stable

# tarball MEMBER...: metadata and files/, and then the members, each KIND:NAME[:TARGET|MODE].
tarball() {
  /usr/bin/python3 - "$T/image.tar" "$@" <<'END'
import io, sys, tarfile
kinds = {"file": tarfile.REGTYPE, "hard": tarfile.LNKTYPE, "link": tarfile.SYMTYPE,
         "directory": tarfile.DIRTYPE, "character": tarfile.CHRTYPE, "block": tarfile.BLKTYPE,
         "fifo": tarfile.FIFOTYPE}
with tarfile.open(sys.argv[1], "w", format=tarfile.GNU_FORMAT) as tar:
    for member in ["file:metadata", "directory:files"] + sys.argv[2:]:
        kind, name, more = (member + "::").split(":")[:3]
        info = tarfile.TarInfo(name)
        info.type = kinds[kind]
        info.mode = 0o755 if kind == "directory" else 0o644
        data = b""
        if kind in ("hard", "link"):
            info.linkname = more
        elif more:
            info.mode = int(more, 8)
        if kind in ("character", "block"):
            info.devmajor, info.devminor = 1, 3
        if kind == "file":
            data = b"[Application]\nname=org.example.Evil\ncommand=true\n"
            info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
END
}

# refused REGEX MEMBER...
refused() {
  installation
  mkdir "$T/victim" "$T/good"
  echo good >"$T/good/file"
  hf install "$T/good" --ref="$HELLO" --command=true
  local -a members=("${@:2}")
  tarball "${members[@]//@victim@/$T/victim}"
  (cd "$T/victim" && unchanged_by expect_error 6 "$1" hf install "$T/image.tar" --ref="$EVIL")
  expect 0 hf list --json
  equal "$(json '[r["ref"] for r in d]')" "[\"$HELLO\"]"
  equal "$(find "$T/victim" "$T/evil" /evil /tmp/evil 2>/dev/null)" "$T/victim" 'what it wrote'
}

bad() { # WHAT REGEX MEMBER...
  promise "a tarball with $1 is refused" refused "${@:2}"
}
bad 'a member through a link out of it' 'files/way' link:files/way:@victim@ file:files/way/evil
bad 'a member through a link within it' 'files/way' directory:files/to link:files/way:to \
  file:files/way/evil
bad 'a directory through a link' 'files/way' link:files/way:@victim@ directory:files/way/evil
bad 'a link that replaces a directory' 'files/way' directory:files/way file:files/way/one \
  link:files/way:@victim@ file:files/way/evil
bad 'a member below a file' 'files/one' file:files/one file:files/one/evil
bad 'a directory and then a file of one name' 'files/one' directory:files/one file:files/one
bad 'a file and then a directory of one name' 'files/one' file:files/one directory:files/one
bad 'a directory with members and then a file of its name' 'files/one' file:files/one/two file:files/one
bad 'a link and then a directory of one name' 'files/one' link:files/one:two directory:files/one
bad 'a character device' 'files/null' character:files/null
bad 'a block device' 'files/disk' block:files/disk
bad 'a fifo' 'files/fifo' fifo:files/fifo
bad 'a hard link out of it' 'files/one' hard:files/one:../../../../../../etc/passwd
bad 'a hard link to an absolute path' 'files/one' hard:files/one:/etc/passwd
bad 'a hard link to nothing' 'files/one' hard:files/one:files/nothing
bad 'a hard link to the empty name' 'files/one' hard:files/one:
bad 'a hard link to itself' 'files/one' hard:files/one:files/one
bad 'a hard link to a directory' 'files/one' hard:files/one:files
bad 'a hard link to the image' 'files/one' hard:files/one:.
bad 'a hard link to a link' 'files/one' link:files/way:two hard:files/one:files/way
bad 'a hard link to what comes later' 'files/one' hard:files/one:files/two file:files/two
bad 'a hard link for a directory' "'files'" hard:files:metadata
bad 'an absolute path' '/evil' file:/evil
bad 'an absolute directory' '/tmp/evil' directory:/tmp/evil
bad 'a path out of it' '\.\./evil' file:../evil
bad 'a path out of it further down' '\.\./evil' file:files/../../evil
bad 'a path that goes up within it' '\.\.' file:files/bin/../evil
bad 'nothing but dots' '\.\.' directory:..
bad 'a link to nothing' 'files/one' link:files/one:
bad 'a file without a name' "''" file:
bad 'a directory without a name' "'/'" directory:
bad 'a file for its top' 'image.tar' file:.
bad 'a link for its top' 'image.tar' link:.:@victim@
bad 'a setuid file' 'files/one' file:files/one:4755
bad 'a setgid file' 'files/one' file:files/one:2755
bad 'a sticky file' 'files/one' file:files/one:1644
bad 'a closed directory' 'files/one' directory:files/one:000
bad 'a closed directory with something in it' 'files/one' directory:files/one:000 file:files/one/two
bad 'a .ref of its own' '\.ref' file:.ref
bad 'a deployment of its own' 'deployment' file:deployment
bad 'a link for metadata' 'metadata' link:metadata:files/one

# Nothing is wrong with these.
taken() { # MEMBER...
  installation
  tarball "$@"
  hf install "$T/image.tar" --ref="$EVIL"
  local tree
  tree=$(deployment_of "$EVIL")/tree
  equal "$(find "$tree/files" -type f -name one -printf '%P\n')" one
  links_are_whole
  hf uninstall --all
  expect 0 hf sweep
  nothing_out_of_service
  equal "$(objects)" '' 'what is left in objects/'
}
promise 'a tarball with hard links of its own is taken' taken file:files/one hard:files/two:files/one \
  hard:files/three:./files/two
promise 'a tarball with ./ and // in its names is taken' taken directory:. directory:./files// \
  file:.//files/./one
promise 'a tarball that names a directory twice is taken' taken directory:files/bin file:files/one \
  directory:files/bin:700
promise 'a tarball that names a file twice is taken' taken file:files/one file:files/one
promise 'a tarball without its directories is taken' taken file:files/a/b/c/d file:files/one

# Its names are UTF-8, whatever character set the locale has.
named() { # LOCALE
  installation
  mkdir -p "$T/image/files"
  printf '[Application]\nname=org.example.Evil\n' >"$T/image/metadata"
  echo one >"$T/image/files/naïve"
  ln -s naïve "$T/image/files/être"
  tar -C "$T/image" --format=pax -cf "$T/image.tar" metadata files
  LC_ALL=$1 hf install "$T/image.tar" --ref="$EVIL" --command=true
  local tree
  tree=$(deployment_of "$EVIL")/tree
  equal "$(cat "$tree/files/être")" one
  equal "$(find "$tree/files" -mindepth 1 -printf '%f\n' | sort | xargs)" 'naïve être'
}
promise 'a tarball has the same names in the locale C' named C

named_in_latin() {
  locale_of xx_XX en_US ISO-8859-1
  named xx_XX.ISO-8859-1
}
promise 'a tarball has the same names where the locale is not in UTF-8' named_in_latin

# Not only what it says, but that it says it to its end.
cut_short() {
  installed archive-1
  tarball file:files/one
  local size
  for size in 100 600 1100 2000; do
    head -c "$size" "$T/image.tar" >"$T/short.tar"
    unchanged_by expect_error '1|6' 'short.tar' hf install "$T/short.tar" --ref="$EVIL"
  done
}
promise 'a tarball that was cut short is refused' cut_short

finish
