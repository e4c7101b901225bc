#!/bin/sh
# installer.sh cd: makes installer.iso in build/guest, or where GUEST_DIR says: a CD that boots Debian's installer and
# has all that it installs. Nobody is asked anything.
# installer.sh install: installs from that CD onto a new disk, installed.qcow2.
#
# No root is needed. Packages come as for any guest (guest.sh). A disk that is there is left alone.
#
# The environment may set
#   INSTALL_EMULATOR  what boots the CD (build/cede; qemu-system-ppc64 does it too)
#   INSTALL_DISK      the disk ($GUEST_DIR/installed.qcow2)
#   INSTALL_SIZE      how large the guest finds it, in GiB (6); the file holds what is used
#   INSTALL_LIMIT     seconds after which it has failed (7200)
#   CPU               processor (power9)
# and what guest.sh reads.
set -eu

usage() { sed -n '2,/^set -eu/{s/^# \{0,1\}//p}' "$0"; }
case ${1:-} in
cd|install) command=make_$1 ;;
-h|--help) usage; exit ;;
*) usage >&2; exit 2 ;;
esac

caller=$PWD
cd "$(dirname "$0")/../.."
guest=${GUEST_DIR:-build/guest}
disk=${INSTALL_DISK:-$guest/installed.qcow2}
case $disk in /*) ;; *) [ -z "${INSTALL_DISK:-}" ] || disk=$caller/$disk ;; esac
: "${INSTALL_EMULATOR:=${CEDE:-build/cede}}" "${INSTALL_SIZE:=6}" "${INSTALL_LIMIT:=7200}" "${CPU:=power9}"
iso=$guest/installer.iso
work=$guest/cd
start=$(date +%s)

seconds() { echo $(($(date +%s) - start)); }
say() { echo "installer: [$(seconds) s] $*"; }
die() { echo "installer: $*" >&2; exit 1; }
mb() { du -sm "$1" | cut -f 1; }
# needs PACKAGE PROGRAM: finds a program where only root's PATH may look, too.
needs() {
    PATH=$PATH:/usr/sbin:/sbin command -v "$2" || die "$2 is missing: install the package $1 (make deps-debian)"
}

# ---- The CD ----

# What it is made of besides packages.
ours() { cat tools/guest/installer.sh tools/guest/installer_cd.py tools/guest/installer/* "$work/stamp" | cksum; }

# GRUB, as grub-mkrescue lays it out: the firmware finds \ppc\bootinfo.txt, which names the program.
put_grub() {
    mkdir -p "$1/boot/grub" "$1/ppc"
    cat >"$1/ppc/bootinfo.txt" <<'EOF'
<chrp-boot>
<description>Debian's installer</description>
<os-name>Debian</os-name>
<boot-script>boot &device;:\boot\grub\powerpc.elf</boot-script>
</chrp-boot>
EOF
    cat >"$1/boot/grub/grub.cfg" <<'EOF'
set timeout=1
menuentry "Install Debian; nobody is asked anything" {
    linux /install/vmlinux DEBIAN_FRONTEND=text priority=critical console=hvc0 ---
    initrd /install/initrd.gz
}
EOF
    echo 'configfile $prefix/grub.cfg' >"$work/core.cfg"
    "$grub_mkimage" -O powerpc-ieee1275 -d "$guest/grub/powerpc-ieee1275" -c "$work/core.cfg" -p '()/boot/grub' \
        -o "$1/boot/grub/powerpc.elf" iso9660 normal linux configfile echo test search search_fs_file reboot halt \
        sleep ls cat boot terminal minicmd
}

# One at a time in this folder.
lock() {
    if ! mkdir -p "$work" 2>/dev/null || [ ! -w "$work" ]; then
        die "cannot write to $work (GUEST_DIR is another folder)"
    fi
    exec 8>"$work/lock"
    flock -n 8 || die "another installation is at work in $work"
}

make_cd() {
    lock
    xorriso=$(needs xorriso xorriso)
    grub_mkimage=$(needs grub-common grub-mkimage)
    tools/guest/guest.sh cd
    if [ -e "$iso" ] && [ "$(cat "$work/iso.stamp" 2>/dev/null)" = "$(ours)" ]; then
        echo "installer: $iso is there ($(mb "$iso") MB)"
        return
    fi
    suite=$(sed -n 's/^Suites: \([a-z]*\).*/\1/p' "$work/debian.sources" | head -n 1)
    say "laying out the CD: $suite, $(wc -l <"$work/system.list") packages"
    rm -rf "$work/tree"
    mkdir -p "$work/tree/install"
    python3 tools/guest/installer_cd.py tree "$work/system.list" "$work/Packages" "$suite" "$work/tree" || exit 1
    python3 tools/guest/installer_cd.py initrd "$guest/di-initrd.gz" "$work/tools.list" tools/guest/installer \
        "$work/tree/install/initrd.gz" || exit 1
    ln "$guest/di-vmlinux" "$work/tree/install/vmlinux"
    cp "$work/debian.sources" tools/guest/installer/preseed.cfg "$work/tree/install"
    put_grub "$work/tree"
    "$xorriso" -as mkisofs -quiet -R -V CEDE_DEBIAN -o "$iso.new" "$work/tree" >"$work/log" 2>&1 ||
        die "xorriso failed ($(tail -n 1 "$work/log"))"
    mv "$iso.new" "$iso"
    rm -rf "$work/tree" "$work/core.cfg"
    ours >"$work/iso.stamp"
    say "$iso is ready: $(mb "$iso") MB"
}

# ---- The disk ----

# Tells the steps of the installer's menu that have begun since the last time. What it logs comes on the second
# terminal.
tell() {
    sed -n "s/.*main-menu.*Menu item '\(cede-.*\)' selected.*/\1/p" "$work/log" >"$work/steps"
    tail -n +$((told + 1)) "$work/steps" | while read -r step; do say "  ${step#cede-}"; done
    told=$(wc -l <"$work/steps")
}

# Why the installation cannot go on, or nothing: then it goes on.
trouble() {
    grep -a "main-menu.*Menu item '.*' failed" "$work/log" | sed 's/.*WARNING \*\*: //' | head -n 1
    [ $(($(date +%s) - began)) -lt "$INSTALL_LIMIT" ] || echo "it takes more than $INSTALL_LIMIT s"
}

make_install() {
    if [ -e "$disk" ]; then
        echo "installer: $disk is there ($(mb "$disk") MB)"
        return
    fi
    case $INSTALL_SIZE in *[!0-9]*|''|0*|??????*) die "INSTALL_SIZE=$INSTALL_SIZE: 2 to 99999 GiB are expected" ;; esac
    [ "$INSTALL_SIZE" -ge 2 ] || die "INSTALL_SIZE=$INSTALL_SIZE: at least 2 GiB are needed"
    case $INSTALL_LIMIT in *[!0-9]*|''|0*|???????*) die "INSTALL_LIMIT=$INSTALL_LIMIT: 1 to 999999 seconds are expected" ;; esac
    qemu_img=$(needs qemu-utils qemu-img)
    command -v "$INSTALL_EMULATOR" >/dev/null || die "$INSTALL_EMULATOR is missing; make builds it"
    make_cd
    "$qemu_img" create -q -f qcow2 "$disk.new" "${INSTALL_SIZE}G"
    say "installing under ${INSTALL_EMULATOR##*/}"
    : >"$work/console" >"$work/log"
    # cede's random numbers are the same at each run; no two disks are to have the same identity.
    "$INSTALL_EMULATOR" -M pseries -cpu "$CPU" -m 1G -smp 1 -nographic -nodefaults \
        -serial "file:$work/console" -serial "file:$work/log" -monitor none \
        -seed "$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')" -device virtio-rng-pci \
        -cdrom "$iso" -drive "file=$disk.new,format=qcow2,if=virtio,cache=unsafe" -boot d \
        </dev/null >"$work/output" 2>&1 8>&- &
    emulator=$! told=0 began=$(date +%s)
    trap 'kill $emulator 2>/dev/null' EXIT
    trap 'exit 1' INT TERM HUP
    while kill -0 $emulator 2>/dev/null; do
        sleep 1
        tell
        why=$(trouble)
        [ -z "$why" ] || die "the installation failed ($why); what it said is in $work/log, $work/console"
    done
    trap - EXIT INT TERM HUP
    tell
    wait $emulator || die "${INSTALL_EMULATOR##*/} failed: $(tail -n 1 "$work/output")"
    grep -qa "the installation is complete" "$work/log" ||
        die "the installation ended before its end; what it said is in $work/log, $work/console"
    "$qemu_img" check -q "$disk.new" >"$work/output" 2>&1 || die "$disk.new is broken: see $work/output"
    mv "$disk.new" "$disk"
    say "$disk is ready: $(mb "$disk") MB, $INSTALL_SIZE GiB for the guest"
}

$command "$@"
