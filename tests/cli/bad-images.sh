#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Images that nobody should install: each is refused, named, and leaves nothing behind.  And images that
# look dangerous and are not.
# shellcheck source-path=SCRIPTDIR source=../lib/holdfast.sh
. "$(dirname "$0")/../lib/holdfast.sh"

EVIL=app/org.example.Evil/$ARCH/stable

# tree: an image that is good until a test makes it bad, in $TREE.
tree() {
  TREE=$T/tree
  mkdir -p "$TREE/files/bin" "$TREE/export"
  printf '[Application]\nname=org.example.Evil\ncommand=true\n' >"$TREE/metadata"
  printf '#!/bin/sh\n' >"$TREE/files/bin/true"
  chmod 0755 "$TREE/files/bin/true"
}

# offered: a remote that offers the tree as it is, ostree's commit of it, with all that flatpak's
# would say.
offered() {
  ostree --repo="$REMOTE" commit --branch="$EVIL" --tree=dir="$TREE" --owner-uid=0 --owner-gid=0 \
    --add-metadata-string="xa.ref=$EVIL" >/dev/null
  ostree --repo="$REMOTE" summary --update
}

# --- What makes an image bad ----------------------------------------------------------------------

setuid_file() {
  chmod 4755 "$TREE/files/bin/true"
}
setgid_file() {
  chmod 2755 "$TREE/files/bin/true"
}
a_link_out_of_the_image() {
  ln -s ../../../../../etc "$TREE/files/bin/out"
}
a_link_out_of_the_top() {
  ln -s ../etc "$TREE/out"
}
files_is_a_link() {
  mv "$TREE/files" "$TREE/other"
  ln -s other "$TREE/files"
}
metadata_is_a_link() {
  mv "$TREE/metadata" "$TREE/other"
  ln -s other "$TREE/metadata"
}
export_is_a_link() {
  rmdir "$TREE/export"
  ln -s /etc "$TREE/export"
}
a_ref_of_its_own() {
  : >"$TREE/.ref"
}
a_ref_of_its_own_as_directory() {
  mkdir "$TREE/.ref"
}
a_deployment_of_its_own() {
  printf '[Deployment]\n' >"$TREE/deployment"
}
a_closed_directory() {
  mkdir "$TREE/files/closed"
  : >"$TREE/files/closed/file"
  chmod 0000 "$TREE/files/closed"
}
metadata_without_a_group() {
  echo 'name=org.example.Evil' >"$TREE/metadata"
}
metadata_of_rubbish() {
  head -c 10000000 /dev/urandom >"$TREE/metadata"
}
metadata_of_endless_groups() {
  awk 'BEGIN {
    print "[Application]\nname=org.example.Evil"
    while (i++ < 1000000) print "[Context]"
  }' >"$TREE/metadata"
}
metadata_without_a_valid_runtime() {
  printf '[Application]\nname=org.example.Evil\nruntime=../../../etc\n' >"$TREE/metadata"
}
a_device() {
  need root 'it makes a device node'
  mknod "$TREE/files/null" c 1 3
}
a_fifo() {
  mkfifo "$TREE/files/fifo"
}
a_socket() {
  /usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' \
    "$TREE/files/socket"
}

# What a bomb is made of: directories that are few where they are stored, and many where they are laid out.
in_itself_again_and_again() {
  mkdir -p "$TREE"/files/{a,b}/{a,b}/{a,b}/{a,b}/{a,b}/{a,b}
  export HOLDFAST_TEST_FEW_NAMES=1
}

from_remote() { # COMMAND that makes it bad
  tree
  installed archive-1 "$PLATFORM"
  "$1"
  offered
  unchanged_by expect_error 6 "$2" hf install test "$EVIL"
  not_installed
}
from_directory() {
  tree
  installed archive-1 "$PLATFORM"
  "$1"
  unchanged_by expect_error 6 "$2" hf install "$TREE" --ref="$EVIL"
  not_installed
}
from_tarball() {
  tree
  installed archive-1 "$PLATFORM"
  "$1"
  tar -C "$TREE" -cf "$T/image.tar" .
  unchanged_by expect_error 6 "$2" hf install "$T/image.tar" --ref="$EVIL"
  not_installed
}
not_installed() {
  expect 0 hf list --json
  equal "$(json '[r["ref"] for r in d]')" "[\"$PLATFORM\"]"
}

bad() { # WHAT COMMAND REGEX WAY...
  local way
  for way in "${@:4}"; do
    promise "an image with $1 is refused (from a $way)" "from_$way" "$2" "$3"
  done
}
bad 'a setuid file' setuid_file 'bin/true' remote directory tarball
bad 'a setgid file' setgid_file 'bin/true' remote directory tarball
bad 'a link out of it' a_link_out_of_the_image 'bin/out' remote directory tarball
bad 'a link out of its top directory' a_link_out_of_the_top 'out' remote directory tarball
bad 'a link for files' files_is_a_link 'files' remote directory tarball
bad 'a link for metadata' metadata_is_a_link 'metadata' remote directory tarball
bad 'a link for export' export_is_a_link 'export' remote directory tarball
bad 'a .ref of its own' a_ref_of_its_own '\.ref' remote directory tarball
bad 'a directory .ref' a_ref_of_its_own_as_directory '\.ref' remote directory tarball
bad 'a deployment of its own' a_deployment_of_its_own 'deployment' remote directory tarball
bad 'a directory that nobody can enter' a_closed_directory 'closed' remote directory tarball
bad 'metadata without a group' metadata_without_a_group 'metadata' remote directory tarball
bad '10 MB of rubbish for metadata' metadata_of_rubbish 'metadata' remote directory tarball
bad '10 MB of groups for metadata' metadata_of_endless_groups 'metadata' remote directory tarball
bad 'a runtime that is no ref' metadata_without_a_valid_runtime 'runtime|etc' remote directory tarball
bad 'more than anybody needs' in_itself_again_and_again 'more than 100 files and' \
  remote directory tarball
bad 'a device node' a_device 'null' directory tarball
bad 'a fifo' a_fifo 'fifo' directory tarball
bad 'a socket' a_socket 'socket' directory

# Others may wait for the repository until that is done.
never_idle_with_the_repository() {
  need strace 'it watches for idle threads'
  tree
  installed archive-1 "$PLATFORM"
  in_itself_again_and_again
  offered
  expect 6 traced -y -o "$T/trace" -e trace=fcntl,sched_setscheduler \
    "$HOLDFAST" --installation="$INST" install test "$EVIL"
  awk '/repo\/\.lock>, F_OFD_SETLK.*F_RDLCK/ { held = seen = 1 }
    /repo\/\.lock>, F_OFD_SETLK.*F_UNLCK/ { held = 0 }
    /SCHED_IDLE/ && held { print }
    END { if (!seen || held) print "the lock was not seen to be taken and given up" }' "$T/trace" >"$T/idle"
  [ ! -s "$T/idle" ] || { cat "$T/idle"; fail 'a thread ran idle while the repository was locked'; }
}
promise 'what is refused half-way is not deleted by idle threads' never_idle_with_the_repository

# --- Paths that tar itself would not write ----------------------------------------------------------

tarball_with() { # NAME TYPE TARGET
  /usr/bin/python3 - "$T/image.tar" "$@" <<'EOF'
import io, sys, tarfile
archive, name, kind, target = sys.argv[1:]
with tarfile.open(archive, "w") as tar:
    data = b"[Application]\nname=org.example.Evil\ncommand=true\n"
    info = tarfile.TarInfo("metadata")
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
    info = tarfile.TarInfo("files")
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(info)
    if kind == "through":
        info = tarfile.TarInfo("files/way")
        info.type, info.linkname = tarfile.SYMTYPE, target
        tar.addfile(info)
        kind, target = "file", ""
    info = tarfile.TarInfo(name)
    info.type = {"file": tarfile.REGTYPE, "hard": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}[kind]
    info.linkname, info.mode = target, 0o644
    if kind == "file":
        info.size = 4
        tar.addfile(info, io.BytesIO(b"evil"))
    else:
        tar.addfile(info)
EOF
}

a_path_out_of_a_tarball() { # NAME TYPE TARGET
  tree
  installed archive-1 "$PLATFORM"
  mkdir "$T/victim"
  tarball_with "$1" "$2" "$3"
  (cd "$T" && unchanged_by expect '6' hf install "$T/image.tar" --ref="$EVIL")
  equal "$(wc -l <"$T/err")" 1 'lines on standard error'
  not_installed
  equal "$(find "$T/victim" "$T/evil" /tmp/evil /evil 2>/dev/null)" "$T/victim" 'what it wrote'
}
promise 'a tarball with a ../ path is refused' a_path_out_of_a_tarball ../evil file ''
promise 'a tarball with a ../ path further down is refused' \
  a_path_out_of_a_tarball files/../../evil file ''
promise 'a tarball with a hard link to outside is refused' \
  a_path_out_of_a_tarball files/passwd hard ../../../../../../etc/passwd

a_path_through_a_link() {
  tree
  installed archive-1 "$PLATFORM"
  mkdir "$T/victim"
  tarball_with files/way/evil through "$T/victim"
  expect '0|6' hf install "$T/image.tar" --ref="$EVIL"
  equal "$(find "$T/victim" -mindepth 1)" '' 'what it wrote'
}
promise 'a tarball writes nothing through its own links' a_path_through_a_link

not_a_tarball() {
  installed archive-1 "$PLATFORM"
  head -c 100000 /dev/urandom >"$T/image.tar"
  unchanged_by expect_error '1|6' 'image.tar' hf install "$T/image.tar" --ref="$EVIL"
  tree
  tar -C "$TREE" -czf "$T/whole.tar.gz" .
  head -c 150 "$T/whole.tar.gz" >"$T/image.tar"
  unchanged_by expect_error '1|6' 'image.tar' hf install "$T/image.tar" --ref="$EVIL"
  unchanged_by expect_error '1|3' 'nowhere' hf install "$T/nowhere" --ref="$EVIL"
}
promise 'what is no tarball, or half of one, is refused' not_a_tarball

# --- Not bad at all -----------------------------------------------------------------------------------

links_are_content() { # remote|directory|tarball
  tree
  installation
  REMOTE=$T/remote
  cp -a "$FIXTURES/archive-1" "$REMOTE"
  hf remote-add --no-verify test "$REMOTE"
  mkdir "$T/victim"
  echo precious >"$T/victim/file"
  chmod 0700 "$T/victim"
  ln -s "$T/victim" "$TREE/files/absolute"
  ln -s "$T/victim/file" "$TREE/files/absolute-file"
  ln -s ../bin/true "$TREE/files/bin/within"
  ln -s ../../metadata "$TREE/files/bin/still-within"
  "$LIB/snapshot" "$T/victim" >"$T/victim-before"
  case $1 in
    remote) offered && hf install test "$EVIL" ;;
    directory) hf install "$TREE" --ref="$EVIL" ;;
    tarball) tar -C "$TREE" -czf "$T/image.tar.gz" . && hf install "$T/image.tar.gz" --ref="$EVIL" ;;
  esac
  equal "$(readlink "$(deployment_of "$EVIL")/tree/files/absolute")" "$T/victim"
  equal "$(readlink "$(deployment_of "$EVIL")/tree/files/bin/within")" ../bin/true
  hf uninstall --all
  swept
  "$LIB/snapshot" "$T/victim" | diff -u "$T/victim-before" -
}
for way in remote directory tarball; do
  promise "links of an image are content, and nobody outside follows them (from a $way)" \
    links_are_content $way
done

hostile_but_whole() {
  tree
  installation
  local deep=$TREE/files i
  for i in $(seq 60); do
    deep=$deep/directory-$i
  done
  mkdir -p "$deep"
  : >"$deep/file"
  mkdir "$TREE/files/read-only"
  : >"$TREE/files/read-only/file"
  chmod 0500 "$TREE/files/read-only"
  : >"$TREE/files/unwritable"
  chmod 0400 "$TREE/files/unwritable"
  : >"$TREE/files/-rf"
  : >"$TREE/files/"$'\e[31m\n'
  hf install "$TREE" --ref="$EVIL"
  hf uninstall "$EVIL"
  swept
}
promise 'an image of hostile names, modes and depth installs and goes again' hostile_but_whole

# Whoever opens one to read waits for a writer, and an import would have the repository locked meanwhile.
pipe_for_object() { # SUFFIX
  installed archive-1
  local object
  object=$(find "$REMOTE/objects" -name "*.$1" | sort | sed -n 1p)
  rm "$object"
  mkfifo "$object"
  expect_error 6 'is damaged.*it is no file' timeout "$READ_LIMIT" \
    "$HOLDFAST" --installation="$INST" install test "$HELLO" "$OTHER" "$PLATFORM"
}
for suffix in filez dirtree dirmeta commit; do
  promise "a pipe in the place of a $suffix is refused" pipe_for_object $suffix
done

finish
