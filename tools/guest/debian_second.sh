#!/bin/sh
# shellcheck shell=dash
# The second stage of a Debian disk (debian.sh has the first): on POWER, everything that needs POWER. The
# guest of guest.sh runs it as its cede.script; /cede/seed is 512 random bytes. What the disk holds is
# unpacked by then, and nothing is configured. It calls itself again inside the new root, as "inside".
#
# Lines that begin with "debian: " say what comes next; all the rest is for the log.

say() { echo "debian: $*"; }

# ---- Inside the new root. ----

# Maintainer scripts that dpkg runs before it unpacks. Here they come after: those of Debian's base look
# at what an older version has left, and there is none.
preinst() {
    local info script
    for info in "/var/lib/dpkg/info/$1.preinst" "/var/lib/dpkg/info/$1:$DPKG_MAINTSCRIPT_ARCH.preinst"; do
        [ -x "$info" ] || continue
        script="env DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE=$1 $info install"
        $script || { echo "$1: preinst failed"; return 1; }
    done
}

inside() {
    set -e
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb DEBIAN_FRONTEND=noninteractive \
           DEBCONF_NONINTERACTIVE_SEEN=true DPKG_MAINTSCRIPT_ARCH=ppc64el DPKG_ADMINDIR=/var/lib/dpkg DPKG_ROOT=
    local package packages first="base-passwd base-files dpkg libc6 perl-base mawk debconf"

    # No service starts here, and the initramfs that comes with the kernel is enough: no package has it made again.
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    sed -i s/^update_initramfs=yes/update_initramfs=no/ /etc/initramfs-tools/update-initramfs.conf

    say "configuring the packages that others need before they are configured"
    packages=$(cat /var/lib/cede/unpacked)
    rm -r /var/lib/cede
    ldconfig
    preinst base-passwd
    for package in $first; do
        dpkg --force-depends --configure "$package"
    done
    # Keys and identities made from here on are nobody else's: the machine's own random numbers are the
    # same at each run. The kernel takes them as entropy by RNDADDENTROPY (powerpc's number for it).
    perl -e 'local $/; open S, "</cede/seed"; $s = <S>; open R, ">/dev/random";
             ioctl(R, 0x80085203, pack("l l a*", 8 * length $s, length $s, $s)) or die "no entropy: $!\n"'
    echo 'grub-ieee1275 grub2/update_nvram boolean false' | debconf-set-selections
    for package in $packages; do
        [ "$package" = base-passwd ] || preinst "$package"
    done
    say "configuring all $(echo "$packages" | wc -l) packages"
    dpkg --configure --force-unsafe-io -a
    sed -i s/^update_initramfs=no/update_initramfs=yes/ /etc/initramfs-tools/update-initramfs.conf
    [ -s /initrd.img ]

    # The package has installed GRUB itself, where the partition is that firmware loads from.
    say "writing GRUB's menu"
    # udev is not here to make it; with it GRUB names the root by what stays the same on every kind of disk.
    mkdir -p /dev/disk/by-uuid
    ln -s ../../vda2 "/dev/disk/by-uuid/$(blkid -s UUID -o value /dev/vda2)"
    [ "$(dd if=/dev/vda1 bs=1 skip=1 count=3 2>/dev/null)" = ELF ]
    sed -i 's/^GRUB_TIMEOUT=.*/GRUB_TIMEOUT=1/; s/^GRUB_CMDLINE_LINUX=.*/GRUB_CMDLINE_LINUX="console=hvc0"/' \
        /etc/default/grub
    update-grub

    say "setting up the network and the login"
    systemctl enable systemd-networkd
    systemctl disable e2scrub_reap      # for LVM, which is not here
    echo root:cede | chpasswd
    rm -f /usr/sbin/policy-rc.d /var/log/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old
    [ -z "$(dpkg --audit)" ]
}

# ---- Outside, with busybox. ----
outside() {
    local root=/mnt dir tries=0
    set -e
    say "mounting the disk"
    modprobe -a ext4
    # The kernel reads the partition table in its own time.
    while [ ! -b /dev/vda2 ] && [ $tries -lt 60 ]; do
        sleep 1
        tries=$((tries + 1))
    done
    mount -t ext4 -o noatime,nobarrier /dev/vda2 $root
    for dir in proc sys dev dev/pts; do
        mount -o bind /$dir $root/$dir
    done
    mount -t tmpfs tmpfs $root/run
    mount -t tmpfs tmpfs $root/tmp
    mkdir $root/run/lock
    mkdir $root/cede
    mount -o bind /cede $root/cede
    chroot $root /bin/sh /cede/second inside </dev/null
    say "writing everything to the disk"
    for dir in cede tmp run dev/pts dev sys proc; do
        umount $root/$dir
    done
    rmdir $root/cede
    umount $root
    sync
    say "second stage done"
}

"${1:-outside}"
