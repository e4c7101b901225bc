"""What the rows of group `disk` run in: the system of `make debian`, booted by its GRUB under both machines, and logged
into as a user does.

Its three disks, all virtio: an overlay of build/guest/debian.qcow2, new for each run; a read-only one with what the rows
need, mounted at $bench; an empty qcow2 of 1 GiB, new for each run, /dev/vdc. A folder of the host's, empty at first, is
shared by 9p (`shared COMMAND` mounts it). On the second one are

    bench       the script with the rows
    bin/        programs of ours
    repo/       packages of git and of all that it needs, as a repository of apt's
    linux.tar   some folders of the kernel's sources
    linux.git   the same, as a repository of git's with one commit

The host keeps its page cache (cache=writeback), the guest's is empty at the start of each row.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools", "guest"))
import guest_pack                   # pylint: disable=wrong-import-position

IMAGE = "build/guest/debian.qcow2"
DEBS = "build/guest/debs"
OUT = "build/bench"
MEMORY = "2G"
SCRATCH = "1G"
SOURCES = ("fs", "kernel", "mm", "net")
PROMPT = "root@debian:~# "
MOUNT = "mount -o ro /dev/vdb /mnt && exec bash /mnt/bench\n"
# What the console asks, what is typed, and what that moment is called.
REPLIES = (("debian login: ", "root\n", "bench login"), ("Password: ", "cede\n", ""), (PROMPT, MOUNT, ""))

# The system is left alone first: what it still starts would be part of a row.
PRELUDE = """\
stty -echo
dmesg -n 1
set -o pipefail
shared() {
    mkdir -p /srv/shared
    mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 shared /srv/shared && sh -c "$1" && umount /srv/shared
}
export bench=/mnt PATH=/mnt/bin:$PATH LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PAGER=cat
systemctl is-system-running --wait >/dev/null
systemctl stop '*.timer'
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/mnt/repo ./' >/etc/apt/sources.list.d/bench.list
apt-get -q=2 update
echo "Linux version $(uname -r)"
echo 'cede guest ready'
"""
ROW = """\
sync
echo 3 >/proc/sys/vm/drop_caches
echo 'bench {name} start'
( {command} ) </dev/null 2>&1
echo "bench {name} status $?"
"""
END = """\
echo 'cede guest status 0'
sync
poweroff -f
"""


class Trouble(Exception):
    """What keeps these rows from being measured, in one line."""


def missing():
    """Why the rows cannot be run, or "". """
    if not os.path.exists(IMAGE):
        return f"{IMAGE} is missing: make debian"
    for program in ("qemu-img", "mke2fs", "git", "dpkg-deb"):
        if not find(program):
            return f"{program} is missing"
    return ""


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, **options)
    if done.returncode:
        raise Trouble(f"{' '.join(command[:4])}: {(done.stdout.strip().splitlines() or ['failed'])[-1]}")
    return done.stdout


def repository(debs, folder):
    """A flat one, which apt takes without signatures."""
    os.makedirs(folder)
    entries = []
    for deb in debs:
        name = re.sub("[^A-Za-z0-9.+_-]", "_", os.path.basename(deb))
        shutil.copy(deb, f"{folder}/{name}")
        with open(deb, "rb") as file:
            data = file.read()
        entries.append(run("dpkg-deb", "-f", deb).strip() + f"\nFilename: ./{name}\nSize: {len(data)}"
                       f"\nSHA256: {hashlib.sha256(data).hexdigest()}\n")
    guest_pack.put(f"{folder}/Packages", "\n".join(entries).encode())


def sources(deb, folder):
    """linux.tar and linux.git, once: it takes a minute."""
    stamp = f"{os.path.basename(deb)} {' '.join(SOURCES)}\n"
    if os.path.exists(f"{folder}/stamp"):
        with open(f"{folder}/stamp", encoding="utf-8") as file:
            if file.read() == stamp:
                return
    print("bench: unpacking the kernel's sources", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder + "/linux")
    wanted = " ".join(f"'*/{name}'" for name in SOURCES)
    run("sh", "-c", f"dpkg-deb --fsys-tarfile {deb} | tar -xO --wildcards './usr/src/*.tar.xz' | "
        f"tar -xJ -C {folder}/linux --strip-components=1 --wildcards --no-wildcards-match-slash {wanted}")
    run("tar", "-C", folder, "--sort=name", "--owner=0", "--group=0", "--mtime=@0",
        "-cf", folder + "/linux.tar", "linux")
    env = dict(os.environ, GIT_DIR=folder + "/linux.git", GIT_WORK_TREE=folder + "/linux", HOME="/nonexistent",
               GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_DATE="@0 +0000", GIT_COMMITTER_DATE="@0 +0000",
               **{f"GIT_{who}_{what}": "bench" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")})
    run("git", "-c", "init.defaultBranch=main", "init", "-q", env=env)
    run("git", "add", "-A", "-f", env=env)
    run("git", "commit", "-q", "-m", "sources", env=env)
    run("git", "repack", "-a", "-d", "-q", env=env)
    run("git", "config", "core.bare", "true", env=env)
    shutil.rmtree(folder + "/linux")
    guest_pack.put(folder + "/stamp", stamp.encode())


def pack(rows):
    """The second disk."""
    with open(f"{DEBS}/disks.list", encoding="utf-8") as file:
        debs = file.read().split()
    kernel = [deb for deb in debs if os.path.basename(deb).startswith("linux-source-")]
    sources(kernel[0], f"{OUT}/linux")
    tree = f"{OUT}/material"
    shutil.rmtree(tree, ignore_errors=True)
    repository([deb for deb in debs if deb not in kernel], tree + "/repo")
    os.makedirs(tree + "/bin")
    shutil.copy2(f"{OUT}/programs/diskio", tree + "/bin")
    os.link(f"{OUT}/linux/linux.tar", tree + "/linux.tar")
    shutil.copytree(f"{OUT}/linux/linux.git", tree + "/linux.git")
    script = PRELUDE + "".join(ROW.format(name=row.name, command=row.command) for row in rows if row.command) + END
    guest_pack.put(tree + "/bench", script.encode())
    image = f"{OUT}/material.ext4"
    if os.path.exists(image):
        os.unlink(image)
    run(find("mke2fs"), "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-d", tree,
        image, "512M")
    shutil.rmtree(tree)


def fresh():
    """Before each run: disks on which nobody has written."""
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", os.path.abspath(IMAGE), "-F", "qcow2", f"{OUT}/root.qcow2")
    run("qemu-img", "create", "-q", "-f", "qcow2", f"{OUT}/scratch.qcow2", SCRATCH)
    shutil.rmtree(f"{OUT}/shared", ignore_errors=True)
    os.makedirs(f"{OUT}/shared")


def options():
    """Both machines'."""
    return ["-m", MEMORY, "-drive", f"file={OUT}/root.qcow2,if=virtio,format=qcow2",
            "-drive", f"file={OUT}/material.ext4,if=virtio,format=raw,readonly=on",
            "-drive", f"file={OUT}/scratch.qcow2,if=virtio,format=qcow2",
            "-virtfs", f"local,path={OUT}/shared,mount_tag=shared,security_model=none"]
