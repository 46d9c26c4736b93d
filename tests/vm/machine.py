# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small virtual machine: Debian's kernel, and an initial RAM disk of busybox, the modules that a file
system needs, and whatever files of this machine are given.  It works on one disk, and qemu logs every
write to that, in order and with the flushes.
"""
import glob
import os
import re
import stat
import subprocess

LIMIT = 300  # seconds; more than ten times what a recording takes
MEMORY = "1024"  # MiB; the RAM disk is unpacked into it
MODULES = {"ext4": ["crc32c_generic", "ext4"], "xfs": ["crc32c_generic", "xfs"],
           "btrfs": ["crc32c_generic", "btrfs"]}

INIT = r"""#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /bin /tmp /data
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin
for module in $(cat /modules); do insmod "$module"; done
. /work
echo o >/proc/sysrq-trigger
sleep 1000
"""


class Failed(Exception):
    """There is no recording, so that nothing can be said."""


def output(*command, cwd=None):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=cwd, text=True).stdout


class Kernel:
    """Debian's newest one, unpacked once and kept in a directory."""

    def __init__(self, directory):
        depends = output("apt-cache", "depends", "--important", "linux-image-amd64")
        package = re.search(r"Depends: (linux-image-\d\S*)", depends).group(1)
        self.root = os.path.join(directory, package)
        if not os.path.exists(os.path.join(self.root, "complete")):
            os.makedirs(self.root, exist_ok=True)
            output("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package,
                   cwd=self.root)
            for archive in glob.glob(os.path.join(self.root, "*.deb")):
                output("dpkg-deb", "--extract", archive, self.root)
                os.unlink(archive)
            output("depmod", "--basedir=" + self.root, package[len("linux-image-"):])
            with open(os.path.join(self.root, "complete"), "w", encoding="ascii"):
                pass
        self.image = glob.glob(os.path.join(self.root, "boot/vmlinuz-*"))[0]
        self.modules = glob.glob(os.path.join(self.root, "lib/modules/*"))[0]

    def needed(self, names):
        """The paths of modules, each after what it needs."""
        paths, depends, found = {}, {}, []
        with open(os.path.join(self.modules, "modules.dep"), encoding="ascii") as file:
            for line in file:
                path, rest = line.rstrip("\n").split(":")
                paths[os.path.basename(path).split(".")[0]] = path
                depends[path] = rest.split()

        def add(path):
            for other in depends[path]:
                add(other)
            if path not in found:
                found.append(path)

        for name in names:
            add(paths[name])
        return found


class RamDisk:
    """An archive as cpio writes it, which the kernel unpacks."""

    def __init__(self, path):
        self.file = open(path, "wb")  # pylint: disable=consider-using-with
        self.known = set()

    def entry(self, name, mode, data):
        self.known.add(name)
        encoded = os.fsencode(name) + b"\0"
        numbers = [len(self.known), mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
        head = b"070701" + b"".join(b"%08X" % number for number in numbers) + encoded
        self.file.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

    def parents(self, name):
        parent = os.path.dirname(name)
        if parent and parent not in self.known:
            self.parents(parent)
            self.entry(parent, stat.S_IFDIR | 0o755, b"")

    def add(self, name, data, mode=0o755):
        self.parents(name)
        self.entry(name, stat.S_IFREG | mode, data)

    def add_path(self, path, name=None):
        """A file, or a whole tree, of this machine under its own name or another."""
        name = name or path.lstrip("/")
        if name in self.known:
            return
        self.parents(name)
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            self.entry(name, status.st_mode, os.fsencode(os.readlink(path)))
        elif stat.S_ISDIR(status.st_mode):
            self.entry(name, status.st_mode, b"")
            for entry in sorted(os.listdir(path)):
                self.add_path(os.path.join(path, entry), os.path.join(name, entry))
        else:
            with open(path, "rb") as file:
                self.entry(name, status.st_mode, file.read())

    def add_program(self, path, name):
        """With the libraries that it needs, where its loader looks for them."""
        self.add_path(os.path.realpath(path), name)
        for library in re.findall(r"(/\S+) \(0x", output("ldd", path)):
            if library.lstrip("/") not in self.known:
                self.add_path(os.path.realpath(library), library.lstrip("/"))

    def close(self):
        self.entry("TRAILER!!!", 0, b"")
        self.file.close()


def make_ram_disk(path, kernel, work, programs, trees):
    """@work is the script that the machine runs, @programs are paths by their names in it."""
    disk = RamDisk(path)
    for name in ("proc", "dev"):
        disk.entry(name, stat.S_IFDIR | 0o755, b"")
    disk.add("init", INIT.encode())
    disk.add("work", work.encode())
    disk.add_path("/bin/busybox", "bin/busybox")
    modules = kernel.needed(["virtio_pci", "virtio_blk"] + sum(MODULES.values(), []))
    disk.add("modules", "".join("/%s\n" % module for module in modules).encode())
    for module in modules:
        disk.add_path(os.path.join(kernel.modules, module), module)
    for name, program in programs.items():
        disk.add_program(program, name)
    for tree in trees:
        disk.add_path(tree)
    disk.close()


def record(kernel, ram_disk, arguments, disk, log):
    """Boots, waits until the machine turns itself off, and returns what it said.  @disk is written to,
    and @log tells how."""
    serial = log + ".serial"
    with open(log, "wb"):
        pass
    command = [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", MEMORY,
        "-nodefaults", "-no-user-config", "-display", "none", "-serial", "file:" + serial,
        "-no-reboot", "-kernel", kernel.image, "-initrd", ram_disk,
        "-append", "console=ttyS0 panic=-1 quiet mitigations=off " + " ".join(arguments),
        "-blockdev", "file,node-name=disk,cache.direct=off,filename=" + disk,
        "-blockdev", "file,node-name=log,cache.direct=off,filename=" + log,
        "-blockdev", "blklogwrites,node-name=logged,file=disk,log=log,log-sector-size=512",
        "-device", "virtio-blk-pci,drive=logged,discard=off,write-zeroes=off,write-cache=on"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        done = None
    with open(serial, encoding="utf-8", errors="replace") as file:
        said = file.read()
    if done is None or done.returncode != 0:
        raise Failed("qemu %s\n%s" % (
            "did not end" if done is None else "failed: " + done.stdout, said))
    return said
