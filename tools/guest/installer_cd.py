#!/usr/bin/env python3
"""Makes of Debian's installer for the network one that finds all it needs on a CD, and lays that CD out.

  installer_cd.py kernel INITRD                             prints the version of the kernel that INITRD has modules for
  installer_cd.py initrd INITRD TOOLS FOLDER OUT            a copy of INITRD with a second archive behind it
  installer_cd.py tree LIST PACKAGES SUITE TREE             dists/ and pool/ of the CD

TOOLS and LIST name packages, one file a line. FOLDER is tools/guest/installer: what we bring ourselves, a table of
which is below. PACKAGES is what Debian's archive says of the packages of LIST.

The kernel unpacks all archives of an initrd, one over the other: what the second one has is what the installer finds.
So dpkg's status in it names what is there now, and leaves out what would ask for a network. Nothing of the target
architecture is run, and the same packages give the same bytes.

Sources: deb(5); the internals manual of debian-installer for menu numbers, states and debconf templates; Debian's wiki
on the format of a repository (Release, Packages, pool) and of a CD (.disk).
"""

import gzip
import hashlib
import io
import os
import re
import stat
import subprocess
import sys
import tarfile

import guest_pack
from guest_pack import Trouble, deb_files

# Packages of the netboot installer that want a network, and nothing else that stays wants them.
FOR_NETWORK = ("choose-mirror", "choose-mirror-bin", "download-installer", "net-retriever", "network-preseed")

# The installer's menu runs what is not yet done in the order of these numbers; each is a script in FOLDER.
# Debian's own at these places: cdrom-detect, partman-base, bootstrap-base, grub-installer, finish-install.
ENTRIES = (
    ("cede-cd", 1300, "cdebconf-udeb, di-utils", "Find the CD"),
    ("cede-disk", 4200, "cede-cd, base-installer", "Divide the disk and make a file system"),
    ("cede-base", 6500, "cede-disk", "Install the base system"),
    ("cede-boot", 7400, "cede-base", "Make the disk boot"),
    ("cede-finish", 7800, "cede-boot", "Finish the installation"),
)

# What else of FOLDER goes where, and whether it is a program.
OURS = (
    ("preseed.cfg", "preseed.cfg", False),
    ("templates", "var/lib/dpkg/info/cede-cd.templates", False),
    ("pkgdetails", "usr/lib/debootstrap/pkgdetails", True),
    ("mapdevfs", "usr/bin/mapdevfs", True),
)

# Programs of Debian's packages that the entries call, with what they read.
TAKEN = re.compile(r"(usr/)?s?bin/(debootstrap|sfdisk|mke2fs|mkfs\.ext4)$"
                   r"|usr/share/debootstrap/(functions|scripts/[\w-]+)$"
                   r"|etc/mke2fs\.conf$"
                   r"|(usr/)?lib/powerpc64le-linux-gnu/lib(fdisk|smartcols|ext2fs|e2p|com_err)\.so\.[0-9.]+$"
                   r"|usr/lib/(base-installer|finish-install\.d)/[^/]+$")

# The drivers of disks and CDs, and their file systems.
MODULES = ("virtio_blk", "virtio_scsi", "ibmvscsi", "sd_mod", "sr_mod", "isofs", "ext4", "crc32c_generic",
           "crc32c_vpmsum")


def packages_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read().split()


# ---- The initrd ----

def cpio_entries(data):
    """Yields (path, bytes) of a newc archive."""
    at = 0
    while data[at:at + 6] == b"070701":
        size = int(data[at + 54:at + 62], 16)
        named = int(data[at + 94:at + 102], 16)
        path = data[at + 110:at + 110 + named - 1].decode()
        body = (at + 110 + named + 3) & ~3
        if path == "TRAILER!!!":
            return
        yield path, data[body:body + size]
        at = (body + size + 3) & ~3
    raise Trouble("the installer's initrd is not an archive")


def read_initrd(path):
    """The same as {path: bytes}."""
    with gzip.open(path) as file:
        return dict(cpio_entries(file.read()))


def kernel_of(files):
    for path in files:
        found = re.match(r"lib/modules/([^/]+)/", path)
        if found:
            return found.group(1)
    raise Trouble("the installer's initrd has no modules")


def stanza(name, number, depends, description):
    return (f"Package: {name}\nStatus: install ok unpacked\nVersion: 1\nDepends: {depends}\n"
            f"Description: {description}\n" + (f"Installer-Menu-Item: {number}\n" if number else ""))


def status_of(text, added):
    """dpkg's status without what wants a network, and with these stanzas."""
    kept = [each.strip("\n") + "\n" for each in re.split(r"\n\n+", text.strip("\n"))
            if re.match(r"Package: (\S+)", each).group(1) not in FOR_NETWORK]
    return "\n".join(kept + added) + "\n"


def control_file(deb, name):
    """A file of a package's control archive, or None."""
    done = subprocess.run(["dpkg-deb", "--ctrl-tarfile", deb], stdout=subprocess.PIPE, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        for member in tar:
            if member.name.lstrip("./") == name and member.isreg():
                return tar.extractfile(member).read()
    return None


def add_package(archive, deb):
    """The files of a package that the installer takes, and its links to libraries."""
    for path, data in deb_files(deb, TAKEN.match):
        program = "bin/" in path or data.startswith(b"#!")
        archive.add(path, stat.S_IFREG | (0o755 if program else 0o644), data)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as child:
        with tarfile.open(fileobj=child.stdout, mode="r|") as tar:
            for member in tar:
                path = member.name.lstrip("./")
                if member.issym() and TAKEN.match(path):
                    archive.add(path, stat.S_IFLNK | 0o777, member.linkname.encode())


def add_modules(archive, deb):
    """The drivers; depmod runs in the installer whenever it looks for hardware."""
    guest_pack.MODULES = MODULES
    for path, data in guest_pack.kernel_package(deb)[1].items():
        if path.endswith(".ko"):
            archive.add(path, stat.S_IFREG | 0o644, data)


def initrd(source, tools, folder, out):
    files = read_initrd(source)
    kernel = kernel_of(files)
    archive = guest_pack.Archive()
    added = []
    for deb in packages_of(tools):
        if os.path.basename(deb).startswith("linux-image-" + kernel + "_"):
            add_modules(archive, deb)
            continue
        add_package(archive, deb)
        if deb.endswith(".udeb"):
            control = control_file(deb, "control").decode()
            name = re.search(r"^Package: (\S+)", control, re.M).group(1)
            added.append(stanza(name, None, "cdebconf-udeb, di-utils, rootskel", "one of Debian's"))
            templates = control_file(deb, "templates")
            if templates:
                archive.add(f"var/lib/dpkg/info/{name}.templates", stat.S_IFREG | 0o644, templates)
    for name, number, depends, description in ENTRIES:
        with open(os.path.join(folder, name[len("cede-"):]), "rb") as file:
            archive.add(f"var/lib/dpkg/info/{name}.postinst", stat.S_IFREG | 0o755, file.read())
        added.append(stanza(name, number, depends, description))
    for name, path, program in OURS:
        with open(os.path.join(folder, name), "rb") as file:
            archive.add(path, stat.S_IFREG | (0o755 if program else 0o644), file.read())
    status = status_of(files["var/lib/dpkg/status"].decode(), added)
    archive.add("var/lib/dpkg/status", stat.S_IFREG | 0o644, status.encode())
    for path in ("cdrom", "target"):
        archive.add(path, stat.S_IFDIR | 0o755)
    with open(source, "rb") as file:
        first = file.read()
    # The kernel skips zeros between archives and wants each at a multiple of 4.
    guest_pack.put(out, first + bytes(-len(first) % 4) + guest_pack.compress(archive.write()))


# ---- The CD ----

def stanzas(text):
    for each in re.split(r"\n\n+", text.strip("\n")):
        yield each + "\n", dict(re.findall(r"^([\w-]+): (.*)$", each, re.M))


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def release(suite, folder):
    """The Release file of an archive: what its lists are and their sums."""
    lines = ["Origin: Debian", "Label: Debian", f"Suite: {suite}", f"Codename: {suite}", "Architectures: ppc64el",
             "Components: main", "Description: the packages of this CD", "SHA256:"]
    for name in ("main/binary-ppc64el/Packages", "main/binary-ppc64el/Packages.gz"):
        path = os.path.join(folder, name)
        lines.append(f" {digest(path)} {os.path.getsize(path)} {name}")
    return "\n".join(lines) + "\n"


def tree(files, packages, suite, at):
    with open(packages, encoding="utf-8") as file:
        known = {fields["SHA256"]: (text, fields) for text, fields in stanzas(file.read())}
    listed = []
    for deb in packages_of(files):
        text, fields = known.get(digest(deb), (None, None))
        if not text:
            raise Trouble(f"{deb}: the archive's list does not have this very file: remove it, and the stamp of the CD")
        place = os.path.join(at, fields["Filename"])
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.link(deb, place)
        listed.append(text)
    lists = os.path.join(at, "dists", suite, "main/binary-ppc64el")
    os.makedirs(lists)
    data = "\n".join(sorted(listed)).encode() + b"\n"
    guest_pack.put(os.path.join(lists, "Packages"), data)
    guest_pack.put(os.path.join(lists, "Packages.gz"), guest_pack.compress(data))
    folder = os.path.join(at, "dists", suite)
    guest_pack.put(os.path.join(folder, "Release"), release(suite, folder).encode())
    for name, text in (("info", f"Debian GNU/Linux {suite} for cede - ppc64el\n"), ("base_installable", ""),
                       ("base_components", "main\n"), ("cd_type", "not_complete\n")):
        os.makedirs(os.path.join(at, ".disk"), exist_ok=True)
        guest_pack.put(os.path.join(at, ".disk", name), text.encode())


def main(argv):
    try:
        if len(argv) == 3 and argv[1] == "kernel":
            print(kernel_of(read_initrd(argv[2])))
        elif len(argv) == 6 and argv[1] == "initrd":
            initrd(*argv[2:])
        elif len(argv) == 6 and argv[1] == "tree":
            tree(*argv[2:])
        else:
            raise Trouble("usage: installer_cd.py kernel INITRD | initrd INITRD TOOLS FOLDER OUT"
                          " | tree LIST PACKAGES SUITE TREE")
    except (Trouble, OSError, KeyError, tarfile.TarError, subprocess.CalledProcessError) as error:
        print(f"guest: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
