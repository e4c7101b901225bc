#!/usr/bin/env python3
"""Packs the guest: Debian packages in, vmlinux and initrd.gz out.

  guest_pack.py build KERNEL.deb BUSYBOX.deb INIT OUTDIR
  guest_pack.py add INITRD OUT PATH=FILE...

"build" writes OUTDIR/vmlinux (the package's own ELF file, unchanged) and
OUTDIR/initrd.gz: busybox with a link per applet, INIT as /init, and those
modules that MODULES names, with what they depend on. "add" appends files to a
copy of an initrd as a second archive, which is how a test brings its programs.

The same packages give the same bytes: names sorted, times 0, owner 0, and no
timestamp in the gzip header. Needs dpkg-deb and Python's standard library; no
root, nothing from the target architecture is run.

Sources: Documentation/driver-api/early-userspace/buffer-format.rst in Linux
for the archive ("newc"), kmod's depmod(8) for modules.dep and modules.alias.
"""

import fnmatch
import gzip
import io
import lzma
import os
import re
import stat
import struct
import subprocess
import sys
import tarfile

# Module names; '-' and '_' are the same, as for modprobe.
MODULES = (
    "*virtio*",                             # transports, block, net, gpu, input, vsock, fs ...
    "ibmvscsi", "ibmveth", "hvcs", "pseries_rng", "rpadlpar_io",  # PAPR's own
    "sd_mod", "sr_mod", "sg",               # what sits on ibmvscsi and virtio_scsi
    "bochs", "evdev",                       # display and its keyboard
    "xhci_pci", "usbhid", "hid_generic", "usb_storage",
    "9p",
    "ext4", "isofs", "squashfs", "loop",
    "crc32c_generic", "crc32c_vpmsum",      # ext4 asks for them by alias only
)

# /sbin, /usr/bin and /usr/sbin are /bin, so one link per applet is enough.
DIRECTORIES = ("bin", "cede", "dev", "etc", "etc/udhcpc", "mnt", "proc", "root", "run", "sys",
               "tmp", "usr", "var")
SYMLINKS = {"sbin": "bin", "usr/bin": "../bin", "usr/sbin": "../bin", "usr/lib": "../lib",
            "etc/mtab": "/proc/mounts", "var/run": "../run", "var/tmp": "../tmp"}
TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "etc/hostname": "cede\n",
    "etc/hosts": "127.0.0.1 localhost cede\n::1 localhost\n",
    "etc/shells": "/bin/sh\n",
    "etc/filesystems": "ext4\nsquashfs\niso9660\n",     # what mount without -t tries
    "etc/profile": "export PATH=/bin HOME=/root EDITOR=vi PAGER=less\ncd\nPS1='cede:\\w# '\n",
}
UDHCPC = """#!/bin/sh
# What udhcpc(8) calls when a lease comes or goes: sets address, route and name server.
case $1 in
deconfig)
    ip addr flush dev "$interface"
    ip link set "$interface" up ;;
bound|renew)
    ip addr flush dev "$interface"
    ip addr add "$ip/${mask:-24}" dev "$interface"
    for r in $router; do ip route replace default via "$r" dev "$interface"; done
    : >/etc/resolv.conf
    for d in $dns; do echo "nameserver $d" >>/etc/resolv.conf; done
    echo "$interface: $ip" ;;
esac
"""


class Trouble(Exception):
    """Something the user can act on; its text is the one line shown."""


def deb_files(deb, want):
    """Yields (path, bytes) of the regular files of a package for which want(path) holds."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as child:
        with tarfile.open(fileobj=child.stdout, mode="r|") as tar:
            for member in tar:
                path = member.name.lstrip("./")
                if member.isreg() and want(path):
                    yield path, tar.extractfile(member).read()
    if child.returncode:
        raise Trouble(f"{deb}: dpkg-deb cannot read it")


def modinfo(ko, path):
    """The key=value strings of a module's .modinfo section, as {key: [values]}."""
    if ko[:6] != b"\x7fELF\x02\x01":
        raise Trouble(f"{path}: not a little-endian ELF64 module")
    shoff, = struct.unpack_from("<Q", ko, 0x28)
    shentsize, shnum, shstrndx = struct.unpack_from("<HHH", ko, 0x3a)
    # Of a section header: name offset (u32 at 0), file offset and size (u64 at 24 and 32).
    headers = [struct.unpack_from("<I20xQQ", ko, shoff + i * shentsize) for i in range(shnum)]
    names = headers[shstrndx][1]
    info = {}
    for name, offset, size in headers:
        if ko.startswith(b".modinfo\0", names + name):
            for item in ko[offset:offset + size].split(b"\0"):
                key, equals, value = item.decode("utf-8", "replace").partition("=")
                if equals:
                    info.setdefault(key, []).append(value)
    return info


def module_name(path):
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def module_bytes(path, data):
    """Modules go in uncompressed: the initrd is compressed as a whole."""
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".ko"):
        return data
    raise Trouble(f"{path}: a compression that this script does not know")


def closure(name, depends, seen=()):
    """A module's dependencies, nearest first, each once: the order modules.dep wants."""
    order = []
    for dep in depends[name]:
        if dep in seen:
            raise Trouble(f"modules depend on each other: {name} and {dep}")
        for each in [dep] + closure(dep, depends, (*seen, name)):
            if each in order:
                order.remove(each)
            order.append(each)
    return order


def kernel_package(deb):
    """(vmlinux, {path in the initrd: bytes}) of a linux-image package."""
    vmlinux, kept, path_of, info_of = None, {}, {}, {}
    is_module = re.compile(r"(?:usr/)?(lib/modules/[^/]+/kernel/.+\.ko(?:\.\w+)?)$").match
    wanted = lambda name: any(fnmatch.fnmatchcase(name, pattern) for pattern in MODULES)

    for path, data in deb_files(deb, lambda p: is_module(p) or p.startswith("boot/vmlinu")):
        if path.startswith("boot/"):
            vmlinux = data
            continue
        name, data = module_name(path), module_bytes(path, data)
        info_of[name] = modinfo(data, path)
        path_of[name] = path
        if wanted(name):
            kept[name] = data
    if not vmlinux or vmlinux[:5] != b"\x7fELF\x02":
        raise Trouble(f"{deb}: no 64-bit ELF kernel inside")
    for pattern in MODULES:
        if not fnmatch.filter(path_of, pattern):
            print(f"guest: note: this kernel has no module {pattern}", file=sys.stderr)

    depends = {name: [module_name(d) for value in info.get("depends", ())
                      for d in value.split(",") if d]
               for name, info in info_of.items()}
    names = {each for name in kept for each in [name] + closure(name, depends)}
    missing = {path_of[name] for name in names - set(kept)}
    if missing:
        for path, data in deb_files(deb, missing.__contains__):
            kept[module_name(path)] = module_bytes(path, data)

    place = {name: re.sub(r"\.ko.*", ".ko", is_module(path_of[name]).group(1)) for name in names}
    root = re.match(r"lib/modules/[^/]+/", next(iter(place.values()))).group()
    short = lambda name: place[name][len(root):]
    files = {place[name]: kept[name] for name in names}
    files[root + "modules.dep"] = "".join(sorted(
        " ".join([short(name) + ":"] + [short(d) for d in closure(name, depends)]) + "\n"
        for name in names)).encode()
    files[root + "modules.alias"] = "".join(sorted(
        f"alias {alias} {name}\n"
        for name in names for alias in info_of[name].get("alias", ()))).encode()
    return vmlinux, files


def applets(busybox):
    """The applet names inside a busybox binary: a sorted table of strings that opens with
    '[' and '[[' and closes with an empty one. Running it would take a ppc64el user mode."""
    start = busybox.find(b"[\0[[\0")
    names = busybox[start:busybox.find(b"\0\0", start)].decode("ascii", "replace").split("\0")
    if start < 0 or names != sorted(names) or not {"sh", "mount", "poweroff"} <= set(names):
        raise Trouble("busybox: its table of applets is not where it was expected")
    return [name for name in names if name != "busybox"]


class Archive:
    """A newc cpio archive; write() gives it in order of names."""

    def __init__(self):
        self.entries = {}

    def add(self, path, mode, data=b""):
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.add(parent, stat.S_IFDIR | 0o755)
        self.entries[path] = (mode, data)

    def write(self):
        out = io.BytesIO()
        for inode, path in enumerate(sorted(self.entries), 1):
            mode, data = self.entries[path]
            self._entry(out, inode, path, mode, data)
        self._entry(out, 0, "TRAILER!!!", 0, b"")
        return out.getvalue()

    @staticmethod
    def _entry(out, inode, path, mode, data):
        name = path.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, device (2), special device (2), name, check
        fields = (inode, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, 0, len(data),
                  0, 0, 0, 0, len(name), 0)
        out.write(b"070701" + b"".join(b"%08x" % field for field in fields) + name)
        out.write(bytes(-out.tell() % 4) + data)
        out.write(bytes(-out.tell() % 4))


def compress(data):
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=0) as stream:
        stream.write(data)
    return out.getvalue()


def put(path, data):
    """The whole file or the old one."""
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.replace(path + ".new", path)


def build(kernel_deb, busybox_deb, init, outdir):
    vmlinux, files = kernel_package(kernel_deb)
    busybox = next((data for path, data in deb_files(
        busybox_deb, lambda p: p in ("bin/busybox", "usr/bin/busybox"))), None)
    if not busybox:
        raise Trouble(f"{busybox_deb}: no busybox inside")

    archive = Archive()
    for path in DIRECTORIES:
        archive.add(path, stat.S_IFDIR | {"tmp": 0o1777, "root": 0o700}.get(path, 0o755))
    for path, target in SYMLINKS.items():
        archive.add(path, stat.S_IFLNK | 0o777, target.encode())
    for path, text in TEXTS.items():
        archive.add(path, stat.S_IFREG | 0o644, text.encode())
    for path, data in files.items():
        archive.add(path, stat.S_IFREG | 0o644, data)
    archive.add("bin/busybox", stat.S_IFREG | 0o755, busybox)
    for name in applets(busybox):
        archive.add("bin/" + name, stat.S_IFLNK | 0o777, b"busybox")
    archive.add("etc/udhcpc/default.script", stat.S_IFREG | 0o755, UDHCPC.encode())
    with open(init, "rb") as file:
        archive.add("init", stat.S_IFREG | 0o755, file.read())

    raw = archive.write()
    packed = compress(raw)
    put(os.path.join(outdir, "vmlinux"), vmlinux)
    put(os.path.join(outdir, "initrd.gz"), packed)
    modules = sum(path.endswith(".ko") for path in files)
    print(f"guest: vmlinux {len(vmlinux) / 1e6:.1f} MB; initrd.gz {len(packed) / 1e6:.1f} MB "
          f"({len(raw) / 1e6:.1f} MB unpacked, {modules} modules)")


def add(initrd, out, *pairs):
    archive = Archive()
    for pair in pairs:
        path, equals, source = pair.partition("=")
        if not equals:
            raise Trouble(f"{pair}: PATH=FILE is expected")
        with open(source, "rb") as file:
            archive.add(path.strip("/"), stat.S_IFREG | 0o755, file.read())
    with open(initrd, "rb") as file:
        first = file.read()
    # The kernel skips zeros between archives and wants each at a multiple of 4.
    put(out, first + bytes(-len(first) % 4) + compress(archive.write()))


def main(argv):
    try:
        if len(argv) == 6 and argv[1] == "build":
            build(*argv[2:])
        elif len(argv) >= 5 and argv[1] == "add":
            add(*argv[2:])
        else:
            raise Trouble("usage: guest_pack.py build KERNEL.deb BUSYBOX.deb INIT OUTDIR"
                          " | add INITRD OUT PATH=FILE...")
    except (Trouble, OSError, tarfile.TarError) as error:
        print(f"guest: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
