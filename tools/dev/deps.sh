#!/bin/sh
# deps.sh [build|test|debian|dev]: installs the Debian or Ubuntu packages that building cede takes, or
# those that its tests, make bench and make MODE=pgo take besides, or those of make debian, or those for
# what few will run: make bench BASE=, the host's part of make profile, tests/bench/interpreter.sh. Does nothing, and asks no
# mirror, when they are all there.
#
# What cannot be installed is named on stderr, with the reason, and the status is 1 if one can do
# without: another compiler builds cede, and tests are skipped that want what is missing. The status
# is 2 if cede cannot be built. Output of apt goes to deps.log in the build folder (B, or build).
set -euf
cd "$(dirname "$0")/../.."
log=${B:-build}/deps.log
what=${1:-build}

die() { echo "deps: $*" >&2; exit 2; }

# A name after '?' is wanted only where apt has it. "A|B" is A where apt has it, B otherwise;
# '+' holds together what goes with A.
case $what in
build) wanted="clang-19+lld-19|gcc libc6-dev make pkg-config libfdt-dev
               ?libclang-rt-19-dev ?libcapstone-dev ?libzstd-dev ?libnbd-dev ?libslirp-dev ?zlib1g-dev ?libsdl2-dev ?libvncserver-dev python3"
       # The guest comes from Debian: what another distribution lacks to find and trust its archive.
       grep -q '^ID=debian' /etc/os-release 2>/dev/null ||
           wanted="$wanted ?debian-archive-keyring ?debootstrap" ;;
test)  wanted="gcc ?llvm-19 ?clang-format-19 ?gdb ?gdb-multiarch ?qemu-user ?qemu-system-ppc ?qemu-utils
               ?grub-common ?xorriso ?e2fsprogs ?xvfb ?xdotool
               ?gcc-powerpc64le-linux-gnu ?gcc-powerpc64-linux-gnu
               ?binutils-powerpc64le-linux-gnu ?binutils-powerpc64-linux-gnu
               ?libc6-dev-ppc64el-cross ?libc6-dev-ppc64-cross" ;;
debian) wanted="fakeroot e2fsprogs qemu-utils xorriso grub-common" ;;
dev)   wanted="git ?linux-perf dpkg-dev ninja-build meson libglib2.0-dev libpixman-1-dev zlib1g-dev" ;;
*) die "usage: deps.sh [build|test|debian|dev]" ;;
esac

# Prints what is not there, whoever was to install it. What a build needs, it cannot be without.
compiler() { for cc in clang-19 gcc cc; do command -v $cc && return; done; }
lacking() {
    tools="make python3"
    [ "$what" = build ] || tools="qemu-ppc64le qemu-ppc64 qemu-system-ppc64 qemu-img Xvfb xdotool
                                  powerpc64le-linux-gnu-gcc powerpc64-linux-gnu-gcc powerpc64le-linux-gnu-objdump"
    cc=$(compiler) || echo "a C compiler"
    [ -z "$cc" ] || echo '#include <libfdt.h>' | $cc -E -x c - >/dev/null 2>&1 ||
        echo "libfdt and the C library, for building"
    for tool in $tools; do
        command -v "$tool" >/dev/null || echo "$tool"
    done
}

# Ends with the reason why $install is not installed, and what that means.
without() {
    names=$(echo $install)
    [ "$what" = build ] || { echo "deps: not installed: $names ($*)" >&2; exit 1; }
    lacking=$(lacking | paste -s -d ';')
    [ -z "$lacking" ] || die "cede cannot be built here without: $lacking. Not installed: $names ($*)"
    echo "deps: going on without $names ($*)" >&2
    exit 1
}

command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || {
    [ "$what" = dev ] || [ -n "$(lacking)" ] || exit 0
    install=$(echo $wanted | tr -d '?')
    without "there is no apt here: install them by other means"
}

installed="
$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p')
"
has() {     # are all these packages installed?
    for package; do
        case $installed in *"
$package
"*) ;; *) return 1 ;; esac
    done
}
offered() { # does apt have all these packages to install?
    for package; do
        apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [^(]' || return 1
    done
}

# Whether to install what is optional: apt offers it, or no list of packages is there to tell.
worth() { offered "$@" || ! find /var/lib/apt/lists -name "*Packages*" 2>/dev/null | grep -q .; }

# Sets $install to the packages to install.
choose() {
    install=
    for want in $wanted; do
        case $want in
        *'|'*)
            first=$(echo "${want%%|*}" | tr + ' ')
            if has $first || worth $first; then want=$first; else want=${want#*|}; fi ;;
        '?'*)
            want=${want#?}
            has "$want" || worth "$want" || continue ;;
        esac
        for package in $want; do
            has $package || install="$install $package"
        done
    done
}

choose
[ -n "$install" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || without "there is no sudo here: as root, apt-get install$install"
    as_root=sudo
fi
mkdir -p "${log%/*}"
echo "deps: installing$install"
apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

# One source that fails must not stop the others; whether it matters shows below.
apt update >"$log" 2>&1 || true
choose
[ -n "$install" ] || exit 0
apt install -y --no-install-recommends $install >>"$log" 2>&1 ||
    without "$(grep '^E: \|^sudo: ' "$log" | tail -n 1 | cut -c 1-200); $log has it all"
