#!/bin/sh
# guest.sh [kernel|kernel-13|installer|bench|perf|utils|nbd|gdb|grub|debian|disks|cd]: brings a ppc64el guest into build/guest, or where
# GUEST_DIR says.
#
#   kernel      vmlinux and initrd.gz: Debian's kernel, and busybox packed by guest_pack.py
#   kernel-13   13-4k/, 13-64k/: the same of Debian 13, whose kernel is newer and comes with pages of two sizes, for the tests
#   installer   di-vmlinux and di-initrd.gz: Debian's text installer for the network
#   bench       real/: a tree of Debian's programs and their libraries, for `make bench`
#   perf        perf/: the same of perf and objdump, which look at the performance monitor
#   utils       utils/: the same of lscpu and ppc64_cpu, which say how processors are made up
#   nbd         nbd/: the same of nbd-server and nbd-client, a disk over the network
#   gdb         gdb/: the same of gdb, which runs in the guest
#   grub        grub/powerpc-ieee1275: GRUB's modules, of which grub-mkimage makes what disks boot
#   debian      debs/debian.list: the packages of a whole system, in the order in which they go in;
#               debian.sources, where they came from (debian.sh makes a disk of them)
#   disks       debs/disks.list: what `make bench` installs and unpacks in that system: git and all that it needs
#               there, and the kernel's sources
#   cd          cd/: what installer.sh makes a CD of: the packages of a minimal system, what Debian's archive says of
#               them, and what its installer needs besides (cd/tools.list)
#
# The packages come by name through apt, with a configuration and state of their own under
# build/guest/apt: the host's package database and architectures are neither used nor changed.
# What was downloaded stays in build/guest/debs, so a second run needs no network, and packs again
# only if a packing script changed. No root is needed.
#
# DEBIAN_MIRROR, DEBIAN_SUITE: where to look if the host's own sources have no Debian archive
# with ppc64el, as on Ubuntu; by default where the host's debootstrap would.
set -eu
cd "$(dirname "$0")/../.."
guest=${GUEST_DIR:-build/guest}
debs=$guest/debs
case $guest in /*) apt=$guest/apt ;; *) apt=$PWD/$guest/apt ;; esac
: "${DEBIAN_MIRROR:=$(sed -n 's/^DEF_MIRROR="\(.*\)"$/\1/p' /usr/sbin/debootstrap 2>/dev/null)}" \
  "${DEBIAN_SUITE:=bookworm}"

die() { echo "guest: $*" >&2; exit 1; }
component=main         # what of the archive is looked at
suite=                 # which one, if not what the host has
bring_own="bring your own: make run KERNEL=path/vmlinux INITRD=path/initrd.gz"

# Runs a command with the apt configuration that the user has.
hosts() { if [ -n "$host_config" ]; then APT_CONFIG=$host_config "$@"; else env -u APT_CONFIG "$@"; fi; }

# A private apt. The host's own settings for fetching (proxies, certificates, passwords) hold.
configure() {
    mkdir -p "$apt/etc/sources.list.d" "$apt/etc/apt.conf.d" "$apt/etc/preferences.d" \
             "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/state/status"
    {
        hosts apt-config dump Acquire | grep -v '^Acquire::Languages'
        cat <<EOF
APT::Architecture "ppc64el";
APT::Architectures { "ppc64el"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "2";
Dir::State "$apt/state/";
Dir::State::status "$apt/state/status";
Dir::Cache "$apt/cache/";
Dir::Etc "$apt/etc/";
Dir::Etc::trusted "/etc/apt/trusted.gpg";
Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d/";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d/";
EOF
    } >"$apt/apt.conf"
}

# sources host|default: writes the private list of sources; fails if there are none.
sources() {
    list=$apt/etc/sources.list.d/guest.sources
    case $1 in
    host)
        hosts python3 tools/guest/guest_apt.py |
            sed "s|^Components: main$|Components: $component|; ${suite:+/^Suites:/s| [a-z]*| $suite|g}" >"$list" ;;
    default)
        for keys in /usr/share/keyrings/debian-archive-keyring.*; do :; done
        [ -e "$keys" ] || die "no key for Debian's archive: install debian-archive-keyring" \
                              "(make deps), or $bring_own"
        [ -n "$DEBIAN_MIRROR" ] || return 1
        cat >"$list" <<EOF
Types: deb
URIs: $DEBIAN_MIRROR
Suites: ${suite:-$DEBIAN_SUITE}
Components: $component
Signed-By: $keys
EOF
    esac
    [ -s "$list" ]
}

candidate() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

# The package with the highest number whose name matches a basic regular expression.
newest() { apt-cache search --names-only "$1" | cut -d ' ' -f 1 | sort -V | tail -n 1; }

# update FUNCTION: fetches lists, from the host's sources and else from the default one, until
# FUNCTION succeeds. A suite that fails is left out: another may have what is needed.
update() {
    echo "guest: reading Debian's lists for ppc64el"
    known=
    for from in host default; do
        sources $from || continue
        known=yes
        apt-get -q update >"$apt/log" 2>&1 || true
        if "$@"; then
            failed=$(grep -c '^Err:' "$apt/log") &&
                echo "guest: note: $failed fetch(es) failed, going on without"
            return 0
        fi
    done
    [ "$known" ] || die "no Debian archive is known here: set DEBIAN_MIRROR (or make deps), or $bring_own"
    die "Debian's ppc64el packages cannot be had ($(sed -n 's/^[EW]: //p' "$apt/log" |
        head -n 1)); without a network, $bring_own"
}

# download PACKAGE...: into $debs, unless this very version is there; downloaded: the same, and a failure is the caller's.
downloaded() {
    mkdir -p "$debs"
    (cd "$debs" && apt-get -q download "$@") >>"$apt/log" 2>&1
}
download() {
    downloaded "$@" ||
        die "cannot download $* ($(grep '^E: ' "$apt/log" | tail -n 1)); $bring_own"
}

size() { du -sm "$1" | cut -f 1; }

# ---- kernel ----

flavour=powerpc64le
kernel_known() { candidate linux-image-$flavour && candidate busybox-static; }
scripts() { cat tools/guest/guest_pack.py tools/guest/guest_init | cksum; }

kernel() {
    stamp=$guest/kernel.stamp
    if [ -e $guest/vmlinux ] && [ -e $guest/initrd.gz ] &&
       [ "$(cat $stamp 2>/dev/null)" = "$(scripts)" ]; then
        echo "guest: $guest/vmlinux and $guest/initrd.gz are there"
        return
    fi
    start=$(date +%s)
    if ! [ -s $debs/kernel.list ] || ! ls $(cat $debs/kernel.list) >/dev/null 2>&1; then
        configure
        update kernel_known
        # The package of that name is empty; it depends on the current one.
        current=$(apt-cache depends linux-image-$flavour |
                  awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
        echo "guest: downloading $current and busybox-static"
        download busybox-static
        # A mirror between two of its updates lists a kernel that it does not have; then it has the one before.
        for image in $current $(apt-cache search --names-only "^linux-image-[0-9].*-$flavour\$" | cut -d ' ' -f 1 | grep -vx "$current" | sort -rV); do
            if downloaded "$image"; then break; fi
            echo "guest: note: $image cannot be had"
            image=
        done
        [ -n "$image" ] || die "no kernel can be downloaded ($(grep '^E: ' "$apt/log" | tail -n 1)); $bring_own"
        ls -t $debs/"$image"_*.deb | head -n 1 >$debs/kernel.list
        ls -t $debs/busybox-static_*.deb | head -n 1 >>$debs/kernel.list
    fi
    python3 tools/guest/guest_pack.py build $(cat $debs/kernel.list) tools/guest/guest_init $guest || exit 1
    scripts >$stamp
    echo "guest: ready in $(($(date +%s) - start)) s"
}

# Debian 13 has the same kernel with pages of 4 KiB and of 64 KiB. The folders and apt are its own: of two versions of a
# package, the others take the newer.
kernel_13() (
    top=$guest apt=$apt-13 suite=trixie APT_CONFIG=$apt/apt.conf
    for pages in 4k 64k; do
        guest=$top/13-$pages debs=$guest/debs
        [ $pages = 4k ] || flavour=powerpc64le-$pages
        mkdir -p $guest
        kernel || return
    done
)

# ---- installer ----

installer_name='^debian-installer-[0-9]+-netboot-ppc64el$'
installer_known() { [ -n "$(newest "$installer_name")" ]; }

installer() {
    if [ -e $guest/di-vmlinux ] && [ -e $guest/di-initrd.gz ]; then
        echo "guest: $guest/di-vmlinux and $guest/di-initrd.gz are there"
        return
    fi
    start=$(date +%s)
    configure
    update installer_known
    package=$(newest "$installer_name")
    echo "guest: downloading $package"
    download "$package"
    deb=$(ls -t $debs/"$package"_*.deb | head -n 1)
    for file in initrd.gz vmlinux; do
        path=$(dpkg-deb -c "$deb" | sed -n "s|^-.* \(\./.*/text/.*/$file\)\$|\1|p" | head -n 1)
        [ -n "$path" ] || die "$deb: no $file of a text installer inside"
        dpkg-deb --fsys-tarfile "$deb" | tar -xOf - "$path" >$guest/di-$file.new
        mv $guest/di-$file.new $guest/di-$file
    done
    rm "$deb"       # its two files are all that is used, and it is large
    echo "guest: di-vmlinux $(size $guest/di-vmlinux) MB, di-initrd.gz" \
         "$(size $guest/di-initrd.gz) MB in $(($(date +%s) - start)) s"
}

# ---- bench, perf: programs with all that they need, unpacked ----

programs_known() { for program in $programs; do candidate "$program" || return 1; done; }

# tree NAME DIRECTORY: of $programs.
tree() {
    stamp=$debs/$1.stamp tree=$guest/$2
    if [ "$(cat $stamp 2>/dev/null)" != "$programs" ] || ! ls $(cat $debs/$1.list) >/dev/null 2>&1
    then
        rm -rf $tree
        configure
        update programs_known
        # What they need and no more: nothing counts as installed in apt's private state.
        needed=$(apt-get -s --no-install-recommends install $programs 2>>"$apt/log" |
                 awk '$1 == "Inst" { print $2 }')
        [ -n "$needed" ] || die "apt cannot install $programs ($(tail -n 1 "$apt/log"))"
        echo "guest: downloading" $needed
        download $needed
        for package in $needed; do
            ls -t $debs/"$package"_*.deb | head -n 1
        done >$debs/$1.list
        echo "$programs" >$stamp
    fi
    if [ -e $tree ]; then
        echo "guest: $tree is there"
        return
    fi
    rm -rf $tree.new
    for deb in $(cat $debs/$1.list); do
        dpkg-deb -x "$deb" $tree.new || die "$deb: dpkg-deb cannot unpack it"
    done
    mv $tree.new $tree
    echo "guest: $tree $(size $tree) MB"
}

bench() {
    programs="gzip xz-utils openssl sqlite3 python3-minimal lua5.4"
    tree bench real
}

perf() {
    programs="linux-perf binutils"
    tree perf perf
}

utils() {
    programs="util-linux powerpc-ibm-utils"
    tree utils utils
}

nbd() {
    programs="nbd-server nbd-client"
    tree nbd nbd
}

gdb() {
    programs="gdb-minimal"
    tree gdb gdb
}

# ---- grub ----

grub_known() { candidate grub-ieee1275-bin; }

grub() {
    if [ -e $guest/grub/powerpc-ieee1275 ]; then
        echo "guest: $guest/grub is there"
        return
    fi
    configure
    update grub_known
    echo "guest: downloading grub-ieee1275-bin"
    download grub-ieee1275-bin
    deb=$(ls -t $debs/grub-ieee1275-bin_*.deb | head -n 1)
    rm -rf $guest/grub.new
    dpkg-deb -x "$deb" $guest/grub.new || die "$deb: dpkg-deb cannot unpack it"
    rm -rf $guest/grub
    mv $guest/grub.new/usr/lib/grub $guest/grub
    rm -r $guest/grub.new
    echo "guest: $guest/grub $(size $guest/grub) MB"
}

# ---- debian ----

# A system that boots from its disk, talks on its console and over the network, and can fetch the rest itself.
# usr-is-merged stands for the larger usrmerge: the tree is made so.
system="usr-is-merged apt linux-image-powerpc64le initramfs-tools zstd systemd-sysv systemd-resolved udev dbus
        libpam-systemd grub-ieee1275 openssh-server debian-archive-keyring ca-certificates e2fsprogs kmod
        iproute2 iputils-ping procps less nano netbase"
debian_known() { for package in $system; do candidate "$package" || return 1; done; }

debian() {
    wanted=$(echo $system)
    if [ "$(cat $debs/debian.stamp 2>/dev/null)" = "$wanted" ] && ls $(cat $debs/debian.list) >/dev/null 2>&1; then
        echo "guest: the $(wc -l <$debs/debian.list) packages of a Debian system are there"
        return
    fi
    configure
    update debian_known
    # What is required of every Debian, what is named above, and what these need.
    needed=$(apt-get -s --no-install-recommends install '?essential' '?priority(required)' $system 2>>"$apt/log" |
             awk '$1 == "Inst" { print $2 }')
    [ -n "$needed" ] || die "apt cannot install a Debian system ($(tail -n 1 "$apt/log"))"
    echo "guest: downloading the $(echo $needed | wc -w) packages of a Debian system"
    download $needed
    for package in $needed; do
        ls -t $debs/"$package"_*.deb | head -n 1
    done >$debs/debian.list
    cp "$list" $debs/debian.sources
    echo $wanted >$debs/debian.stamp
}

# ---- disks ----

disks_known() { candidate git && [ -n "$(newest '^linux-source-[0-9.]*$')" ]; }

disks() {
    debian
    if ls $(cat $debs/disks.list 2>/dev/null || echo missing) >/dev/null 2>&1; then
        echo "guest: what the disks of make bench hold is there"
        return
    fi
    configure
    update disks_known
    # What the system has is not wanted again.
    sed 's|.*/||; s|_.*||' $debs/debian.list | sort >"$apt/has"
    needed=$(apt-get -s --no-install-recommends install '?essential' '?priority(required)' $system git 2>>"$apt/log" |
             awk '$1 == "Inst" { print $2 }' | sort | comm -23 - "$apt/has")
    [ -n "$needed" ] || die "apt cannot install git ($(tail -n 1 "$apt/log"))"
    needed="$needed $(newest '^linux-source-[0-9.]*$')"
    echo "guest: downloading" $needed
    download $needed
    for package in $needed; do
        ls -t $debs/"$package"_*.deb | head -n 1
    done >$debs/disks.list
}

# ---- cd ----

# What the installer runs before there is a system.
tools="debootstrap fdisk libfdisk1 libsmartcols1 e2fsprogs libext2fs2 libcom-err2"
# What debootstrap takes for a minimal system, and what makes it boot.
minimal="usr-is-merged busybox zstd initramfs-tools linux-image-powerpc64le grub-ieee1275"
cd_known() { for package in $tools $minimal "linux-image-$abi"; do candidate "$package" || return 1; done; }
udebs_known() { candidate base-installer; }

# newest_of SUFFIX PACKAGE...: the newest file of each in $debs.
newest_of() { suffix=$1; shift; for package; do ls -t $debs/"$package"_*."$suffix" | head -n 1; done; }

cd_packages() {
    installer
    grub
    at=$guest/cd
    abi=$(python3 tools/guest/installer_cd.py kernel $guest/di-initrd.gz) || exit 1
    wanted=$(echo $abi $tools $minimal)
    if [ "$(cat $at/stamp 2>/dev/null)" = "$wanted" ] && ls $(cat $at/system.list $at/tools.list) >/dev/null 2>&1; then
        echo "guest: the $(wc -l <$at/system.list) packages of the installer's CD are there"
        return
    fi
    mkdir -p $at
    configure
    update cd_known
    needed=$(apt-get -s --no-install-recommends install '?essential' '?priority(required)' '?priority(important)' \
             $minimal 2>>"$apt/log" | awk '$1 == "Inst" { print $2 }')
    [ -n "$needed" ] || die "apt cannot install a minimal system ($(tail -n 1 "$apt/log"))"
    echo "guest: downloading the $(echo $needed | wc -w) packages of the installer's CD"
    download $needed $tools "linux-image-$abi"
    newest_of deb $needed >$at/system.list
    newest_of deb $tools "linux-image-$abi" >$at/tools.list
    # What the archive says of a package is not all in the package: its priority, above all.
    apt-cache show --no-all-versions $needed >$at/Packages
    cp "$list" $at/debian.sources
    (
        # The installer's own packages are a part of the archive of their own.
        apt=$apt-udebs component=main/debian-installer APT_CONFIG=$apt/apt.conf
        configure
        update udebs_known
        download base-installer
        newest_of udeb base-installer >>$at/tools.list
    ) || exit 1
    echo $wanted >$at/stamp
}

case ${1:-kernel} in
kernel|installer|bench|perf|utils|nbd|gdb|grub|debian|disks) command=${1:-kernel} ;;
kernel-13) command=kernel_13 ;;
cd) command=cd_packages ;;
*) die "usage: guest.sh [kernel|kernel-13|installer|bench|perf|utils|nbd|gdb|grub|debian|disks|cd]" ;;
esac
for tool in apt-get dpkg-deb python3; do
    command -v $tool >/dev/null || die "$tool is missing (make deps); or $bring_own"
done
if ! mkdir -p $guest 2>/dev/null || [ ! -w $guest ]; then
    die "cannot write to $guest (GUEST_DIR is another folder)"
fi
exec 9>$guest/lock      # two at a time would spoil each other's files
flock 9
host_config=${APT_CONFIG:-}
export APT_CONFIG="$apt/apt.conf"
$command
