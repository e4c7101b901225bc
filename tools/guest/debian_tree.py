#!/usr/bin/env python3
"""Unpacks Debian's packages into a tree that dpkg will find "unpacked, not yet configured".

  debian_tree.py LIST SOURCES ROOT_UUID TREE ASKED...

LIST names the packages, one file a line, in the order in which they go in; SOURCES is the deb822 list of
where they came from, ROOT_UUID the file system that / will be, ASKED the packages that someone wanted
by name: apt may remove the others when nothing needs them. Wants fakeroot (or root): owners are set.
Nothing of the target architecture is run: tools/guest/debian_second.sh, on POWER, has the maintainer
scripts run and everything configured.

What dpkg does on unpacking is done here: files, its lists of them, its status, which package wants
which trigger. Sources: deb(5), deb-triggers(5), deb-conffiles(5), hier(7); dpkg's manual page for
/var/lib/dpkg; Debian's release notes on the merged /usr.
"""

import hashlib
import os
import re
import subprocess
import sys
import tarfile

# Programs look in /bin and in /usr/bin: the same folder since Debian 12.
MERGED = ("bin", "sbin", "lib", "lib64")

# Nobody asks for these by name, and yet they are not there for another's sake.
WANTED_BY_PRIORITY = ("required", "important")

TEXTS = {
    "etc/hostname": "debian\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    "etc/fstab": "UUID={uuid} / ext4 errors=remount-ro 0 1\n",
    "etc/default/locale": "LANG=C.UTF-8\n",
    "etc/timezone": "Etc/UTC\n",
    # Any Ethernet card, whatever its name is on the machine of the day.
    "etc/systemd/network/80-dhcp.network": "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n",
    # Who waits for the network does not wait long where no cable is.
    "etc/systemd/system/systemd-networkd-wait-online.service.d/short.conf":
        "[Service]\nExecStart=\nExecStart=/lib/systemd/systemd-networkd-wait-online --any --timeout=20\n",
    # An emulated processor on a busy host takes its time; a service that is slow has not failed.
    "etc/systemd/system.conf.d/patience.conf":
        "[Manager]\nDefaultTimeoutStartSec=15min\nDefaultDeviceTimeoutSec=15min\n",
    # What a root file system can be on here; with every driver that there is, the initramfs is four times as large.
    "etc/initramfs-tools/conf.d/modules": "MODULES=list\n",
    "etc/initramfs-tools/modules":
        "virtio_pci\nvirtio_blk\nvirtio_scsi\nibmvscsi\nsd_mod\nsr_mod\next4\ncrc32c_generic\ncrc32c_vpmsum\n"
        "pseries_rng\n",
}


class Trouble(Exception):
    """Something the user can act on; its text is the one line shown."""


def output(*command):
    """Runs a command that prints bytes."""
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise Trouble(f"{command[-1]}: {command[0]} cannot read it")
    return done.stdout


def paragraphs(text):
    """Yields each stanza of a deb822 text as {field: value}, in order; a value keeps its further lines."""
    for stanza in re.split(r"\n\s*\n", text.strip()):
        fields, last = {}, None
        for line in stanza.split("\n"):
            if line[:1] in (" ", "\t") and last:
                fields[last] += "\n" + line
            elif ":" in line:
                last, _, value = line.partition(":")
                fields[last] = value.strip()
        yield fields


class Tree:
    """The folder that becomes the file system."""

    def __init__(self, root):
        self.root = root
        os.mkdir(root)
        os.chown(root, 0, 0)
        os.mkdir(self.at("usr"), 0o755)
        for name in MERGED:
            os.mkdir(self.at("usr/" + name), 0o755)
            os.symlink("usr/" + name, self.at(name))

    def at(self, path):
        return os.path.join(self.root, path)

    def place(self, path):
        """Where a path of a package goes: its folders' links are followed inside the tree, never out of it."""
        parts, done, links = [part for part in path.split("/") if part not in ("", ".")], [], 0
        if ".." in parts:
            raise Trouble(f"{path}: a path that leaves the tree")
        while len(parts) > 1:
            part = parts.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            here = self.at("/".join(done + [part]))
            if not os.path.islink(here):
                done.append(part)
                continue
            links += 1
            target = os.readlink(here)
            if links > 40:
                raise Trouble(f"{path}: links that do not end")
            if target.startswith("/"):
                done = []
            parts = [each for each in target.split("/") if each not in ("", ".")] + parts
        return self.at("/".join(done + parts))

    def write(self, path, text, mode=0o644):
        full = self.at(path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        os.chmod(full, mode)

    def add(self, member, data):
        """One entry of a package's archive."""
        full = self.place(member.name)
        if member.isdir():
            if not os.path.isdir(full):         # which may be by a link: that is the merged /usr
                os.mkdir(full)
            elif os.path.islink(full):
                return
        else:
            if os.path.lexists(full):
                os.unlink(full)
            if member.issym():
                os.symlink(member.linkname, full)
            elif member.islnk():
                os.link(self.place(member.linkname), full)
                return
            elif member.isreg():
                with open(full, "wb") as file:
                    file.write(data.read())
            else:
                raise Trouble(f"{member.name}: a kind of file that no package has")
        os.lchown(full, member.uid, member.gid)
        if not member.issym():
            os.chmod(full, member.mode)
            os.utime(full, (member.mtime, member.mtime))


class Database:
    """What dpkg knows of the packages: /var/lib/dpkg."""

    def __init__(self, tree):
        self.tree = tree
        self.status, self.extended, self.triggers = [], [], {}

    def unpack(self, deb, asked):
        control = self._control(deb)
        fields = next(paragraphs(control.pop("control").decode()))
        name = fields["Package"]
        info = name + (":" + fields["Architecture"] if fields.get("Multi-Arch") == "same" else "")
        paths = self._files(deb)
        for file, data in control.items():
            self.tree.write(f"var/lib/dpkg/info/{info}.{file}", data, 0o755 if data.startswith(b"#!") else 0o644)
        self.tree.write(f"var/lib/dpkg/info/{info}.list", "".join(path + "\n" for path in paths))
        self._want_triggers(info, control.get("triggers", b"").decode())

        stanza = {"Package": name, "Status": "install ok unpacked"}
        stanza.update((key, value) for key, value in fields.items() if key != "Package")
        conffiles = [line for line in control.get("conffiles", b"").decode().split("\n") if line.startswith("/")]
        if conffiles:
            stanza["Conffiles"] = "".join(f"\n {path} {self._sum(path)}" for path in conffiles)
        self.status.append("".join(f"{key}: {value}\n".replace(": \n", ":\n") for key, value in stanza.items()))
        if name not in asked and fields.get("Priority") not in WANTED_BY_PRIORITY:
            self.extended.append(f"Package: {name}\nArchitecture: {fields['Architecture']}\nAuto-Installed: 1\n")
        return name

    def close(self):
        write = self.tree.write
        write("var/lib/dpkg/status", "\n".join(self.status) + "\n")
        write("var/lib/dpkg/available", "")
        write("var/lib/dpkg/info/format", "1\n")        # names of packages with their architecture where it tells
        write("var/lib/apt/extended_states", "\n".join(self.extended) + "\n")
        files = ""
        for trigger, packages in sorted(self.triggers.items()):
            if trigger.startswith("/"):
                files += "".join(f"{trigger} {package}\n" for package in packages)
            else:
                write(f"var/lib/dpkg/triggers/{trigger}", "".join(package + "\n" for package in packages))
        write("var/lib/dpkg/triggers/File", files)
        write("var/lib/dpkg/triggers/Unincorp", "")

    @staticmethod
    def _control(deb):
        with subprocess.Popen(["dpkg-deb", "--ctrl-tarfile", deb], stdout=subprocess.PIPE) as child:
            with tarfile.open(fileobj=child.stdout, mode="r|") as tar:
                files = {os.path.basename(member.name): tar.extractfile(member).read()
                         for member in tar if member.isreg()}
        if child.returncode or "control" not in files:
            raise Trouble(f"{deb}: dpkg-deb cannot read it")
        return files

    def _files(self, deb):
        """Unpacks; gives the paths as dpkg lists them."""
        paths = []
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as child:
            with tarfile.open(fileobj=child.stdout, mode="r|") as tar:
                for member in tar:
                    path = member.name[1:] if member.name.startswith("./") else "/" + member.name
                    paths.append("/." if member.name == "." else path)
                    if member.name != ".":
                        self.tree.add(member, tar.extractfile(member) if member.isreg() else None)
        if child.returncode:
            raise Trouble(f"{deb}: dpkg-deb cannot read it")
        return paths

    def _want_triggers(self, package, text):
        for line in text.split("\n"):
            words = line.partition("#")[0].split()
            if len(words) == 2 and words[0].startswith("interest"):
                waits = "/noawait" if words[0].endswith("-noawait") else ""
                self.triggers.setdefault(words[1], []).append(package + waits)

    def _sum(self, path):
        with open(self.tree.place(path), "rb") as file:
            return hashlib.md5(file.read()).hexdigest()


def sources(text):
    """The host's sources as the guest can use them: by network, without passwords, by Debian's own key."""
    stanzas = []
    for fields in paragraphs(text):
        uris = [re.sub(r"//[^/@]*@", "//", uri) for uri in fields.get("URIs", "").split()
                if re.match(r"(https?|ftp)://", uri)]
        if uris:
            stanzas.append(f"Types: deb\nURIs: {' '.join(uris)}\nSuites: {fields['Suites']}\nComponents: main\n"
                           "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
    return "\n".join(stanzas)


def main(argv):
    if len(argv) < 5:
        print("usage: debian_tree.py LIST SOURCES ROOT_UUID TREE ASKED...", file=sys.stderr)
        return 2
    debs, where, uuid, root, asked = argv[1], argv[2], argv[3], argv[4], set(argv[5:])
    os.umask(0o022)
    try:
        with open(debs, encoding="utf-8") as file:
            debs = file.read().split()
        with open(where, encoding="utf-8") as file:
            where = file.read()
        tree = Tree(root)
        database = Database(tree)
        names = [database.unpack(deb, asked) for deb in debs]
        database.close()
        for path, text in TEXTS.items():
            tree.write(path, text.format(uuid=uuid))
        tree.write("etc/apt/sources.list.d/debian.sources", sources(where))
        # systemd gives this to the kernel at the first start; without it every such disk starts alike.
        tree.write("var/lib/systemd/random-seed", os.urandom(512), 0o600)
        tree.write("var/lib/cede/unpacked", "".join(name + "\n" for name in names))
    except (Trouble, OSError, tarfile.TarError, StopIteration, KeyError) as error:
        print(f"debian: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
