#!/bin/sh
# debian.sh build: makes debian.qcow2 in build/guest, or where GUEST_DIR says: a Debian system that boots from its disk.
# debian.sh run [OPTION...]: boots it on this terminal; further options are cede's.
#
# No root is needed. Packages come as for any guest (guest.sh). The first stage unpacks them on this machine into a
# file system; the second, on POWER, is tools/guest/debian_second.sh: it runs under cede. A disk that is there is left
# alone, whatever it holds: it is the user's from the moment it is made. Remove it to have a new one.
#
# The environment may set
#   DEBIAN_EMULATOR   what boots the second stage and runs the system (build/cede; qemu-system-ppc64 does it too)
#   DEBIAN_DISK       the disk ($GUEST_DIR/debian.qcow2)
#   DEBIAN_SIZE       how large the guest finds it, in GiB (8); the file holds what is used
#   SMP, MEM, CPU     for run: processors (2), memory (2G), processor (power9)
# and what guest.sh reads.
set -eu

usage() { sed -n '2,/^set -eu/{s/^# \{0,1\}//p}' "$0"; }
case ${1:-} in
build|run) command=$1; shift ;;
-h|--help) usage; exit ;;
*) usage >&2; exit 2 ;;
esac

caller=$PWD
cd "$(dirname "$0")/../.."
guest=${GUEST_DIR:-build/guest}
disk=${DEBIAN_DISK:-$guest/debian.qcow2}
[ -z "${DEBIAN_DISK:-}" ] || case $disk in /*) ;; *) disk=$caller/$disk ;; esac
: "${DEBIAN_EMULATOR:=${CEDE:-build/cede}}" "${DEBIAN_SIZE:=8}" "${CPU:=power9}"
work=$guest/debian
start=$(date +%s)

seconds() { echo $(($(date +%s) - start)); }
say() { echo "debian: [$(seconds) s] $*"; }
die() { echo "debian: $*" >&2; exit 1; }
mb() { du -sm "$1" | cut -f 1; }

# needs PACKAGE PROGRAM: finds a program where only root's PATH may look, too.
needs() {
    PATH=$PATH:/usr/sbin:/sbin command -v "$2" || die "$2 is missing: install the package $1 (make deps-debian)"
}

# ---- The disk: an MBR, at 1 MiB 8 MiB for GRUB (PReP), then the file system. ----

sector=512 prep_at=2048 prep_size=16384
root_at=$((prep_at + prep_size))

# Prints bytes given as numbers.
bytes() { for byte; do printf '%b' "\\0$(printf %o "$byte")"; done; }
# Prints 32 bits, lowest byte first.
le32() { bytes $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }
# entry ACTIVE TYPE START SIZE: no cylinders and heads, which nobody reads: their place says "see the sectors".
entry() { bytes "$1" 254 255 255 "$2" 254 255 255; le32 "$3"; le32 "$4"; }

partition_table() {
    od -An -N4 -tu4 /dev/urandom | { read -r identity; le32 "$identity"; }
    bytes 0 0
    entry 128 65 $prep_at $prep_size                                    # 0x41: PReP boot
    entry 0 131 $root_at $((DEBIAN_SIZE * 2097152 - root_at))           # 0x83: Linux
    bytes 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 85 170
}

# What GRUB 2.06 reads, named one by one: defaults differ between releases of the host.
features=none,sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr,has_journal,extent,huge_file,flex_bg
features=$features,metadata_csum,64bit,dir_nlink,extra_isize

# Unpacks into a tree and makes a file system of it. Owners exist in fakeroot alone, so both happen in one.
first_stage() {
    mke2fs=$(needs e2fsprogs mke2fs)
    needs fakeroot fakeroot >/dev/null
    uuid=$(cat /proc/sys/kernel/random/uuid)
    say "unpacking $(wc -l <"$guest/debs/debian.list") packages, making a file system of $DEBIAN_SIZE GiB"
    rm -rf "$work/tree" "$work/first.new"
    truncate -s "${DEBIAN_SIZE}G" "$work/first.new"
    partition_table | dd of="$work/first.new" bs=2 seek=220 conv=notrunc status=none
    # shellcheck disable=SC2016
    fakeroot sh -ec '
        list=$1 sources=$2 uuid=$3 tree=$4 asked=$5 mke2fs=$6 features=$7 offset=$8 image=$9 blocks=${10}
        python3 tools/guest/debian_tree.py "$list" "$sources" "$uuid" "$tree" $asked
        "$mke2fs" -q -F -t ext4 -b 4096 -I 256 -O "$features" -U "$uuid" -L debian -d "$tree" \
            -E "offset=$offset,lazy_itable_init=0,lazy_journal_init=0" "$image" "$blocks"
    ' first_stage "$guest/debs/debian.list" "$guest/debs/debian.sources" "$uuid" "$work/tree" \
        "$(cat "$guest/debs/debian.stamp")" "$mke2fs" "$features" $((root_at * sector)) "$work/first.new" \
        $(((DEBIAN_SIZE * 2097152 - root_at) / 8)) >>"$log" 2>&1 ||
        die "the first stage failed ($(tail -n 1 "$log")); all it wrote is in $log"
    rm -rf "$work/tree"
    mv "$work/first.new" "$work/first.raw"
}

# Keeps all that the second stage says, and tells how far it is: what it says for us, and every 10 s a package.
follow() {
    count=0 told=$(seconds) all=$(wc -l <"$guest/debs/debian.list")
    while IFS=$(printf '\r') read -r line; do
        now=$(seconds)
        echo "[$now s] $line" >>"$log"
        case $line in
        "debian: "*) say "  ${line#debian: }" ;;
        "Setting up "*)
            count=$((count + 1)) line=${line#Setting up }
            if [ "$now" -ge $((told + 10)) ]; then
                told=$now
                say "    $count of $all: ${line%% *}"
            fi ;;
        esac
    done
}

# Boots the guest with the disk and has everything configured.
second_stage() {
    say "second stage, on POWER under ${DEBIAN_EMULATOR##*/}"
    cp --sparse=always "$work/first.raw" "$work/second.raw"
    head -c 512 /dev/urandom >"$work/seed"
    python3 tools/guest/guest_pack.py add "$guest/initrd.gz" "$work/initrd.gz" \
        cede/second=tools/guest/debian_second.sh cede/seed="$work/seed"
    "$DEBIAN_EMULATOR" -M pseries -cpu "$CPU" -m 1G -smp 1 -nographic -nodefaults -serial stdio \
        -kernel "$guest/vmlinux" -initrd "$work/initrd.gz" -append "console=hvc0 quiet cede.script=second" \
        -drive "file=$work/second.raw,format=raw,if=virtio,cache=unsafe" </dev/null 2>&1 |
    follow
    rm "$work/seed" "$work/initrd.gz"
    tail -n 20 "$log" | grep -q ' s\] cede guest status 0$' && return
    last=$(grep -v 'cede guest\|\[ *[0-9.]*\] ' "$log" | tail -n 1)
    die "the second stage failed (${last:-nothing was said}); all it said is in $log"
}

build() {
    if [ -e "$disk" ]; then
        echo "debian: $disk is there ($(mb "$disk") MB); make run-debian boots it"
        return
    fi
    case $DEBIAN_SIZE in *[!0-9]*|''|0*) die "DEBIAN_SIZE=$DEBIAN_SIZE: a number of GiB is expected" ;; esac
    if [ "$DEBIAN_SIZE" -lt 2 ] || [ "$DEBIAN_SIZE" -gt 1024 ]; then
        die "DEBIAN_SIZE=$DEBIAN_SIZE: 2 to 1024 GiB are possible"
    fi
    qemu_img=$(needs qemu-utils qemu-img)
    e2fsck=$(needs e2fsprogs e2fsck)
    e2image=$(needs e2fsprogs e2image)
    command -v "$DEBIAN_EMULATOR" >/dev/null || die "$DEBIAN_EMULATOR is missing; make builds it"
    tools/guest/guest.sh kernel
    tools/guest/guest.sh debian
    mkdir -p "$work"
    exec 8>"$work/lock"
    flock -n 8 || die "another make debian is at work in $work"
    log=$work/log
    : >"$log"
    say "packages are there"
    first_stage
    second_stage
    say "checking the file system"
    "$e2fsck" -fn "$work/second.raw?offset=$((root_at * sector))" >>"$log" 2>&1 ||
        die "the second stage left a broken file system: see $log"
    say "writing $disk"
    # What the file system does not use is left out, whatever was there before.
    truncate -s "${DEBIAN_SIZE}G" "$work/used.raw"
    dd if="$work/second.raw" of="$work/used.raw" bs=$sector count=$root_at conv=notrunc status=none
    "$e2image" -ra -O $((root_at * sector)) -o $((root_at * sector)) "$work/second.raw" "$work/used.raw" >>"$log" 2>&1
    "$qemu_img" convert -f raw -O qcow2 "$work/used.raw" "$disk.new"
    mv "$disk.new" "$disk"
    rm -f "$work/first.raw" "$work/second.raw" "$work/used.raw"
    say "$disk is ready: $(mb "$disk") MB, $DEBIAN_SIZE GiB for the guest. make run-debian boots it"
}

run() {
    [ -r "$disk" ] || die "$disk is missing: make debian makes it"
    command -v "$DEBIAN_EMULATOR" >/dev/null || die "$DEBIAN_EMULATOR is missing; make builds it"
    echo "Debian for POWER starts here from $disk. What you do in it stays."
    echo "Login: root, password: cede (passwd changes it)."
    echo "Quit:  poweroff in the guest; Ctrl-A x pulls the plug."
    exec "$DEBIAN_EMULATOR" -M pseries -cpu "$CPU" -m "${MEM:-2G}" -smp "${SMP:-2}" -nographic -nodefaults \
        -serial mon:stdio -drive "file=$disk,format=qcow2,if=virtio" "$@"
}

$command "$@"
