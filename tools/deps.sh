#!/bin/sh
# deps.sh [build|test|dev]: installs the Debian or Ubuntu packages that building cede takes, or those
# that its tests, make bench and make PGO=1 take besides, or those for what few will run: make bench
# BASE=, the host's part of make profile, tests/bench/interpreter.sh. Does nothing, and asks no
# mirror, when they are all there.
# Output of apt goes to build/deps.log; a failure is one line on stderr and status 1.
set -euf
cd "$(dirname "$0")/.."

die() { echo "deps: $*" >&2; exit 1; }

# A name after '?' is wanted only where apt has it. "A|B" is A where apt has it, B otherwise;
# '+' holds together what goes with A.
case ${1:-build} in
build) wanted="clang-19+lld-19|gcc libc6-dev make pkg-config libfdt-dev
               ?libcapstone-dev ?libzstd-dev ?libsdl2-dev python3"
       # The guest comes from Debian: what another distribution lacks to find and trust its archive.
       grep -q '^ID=debian' /etc/os-release 2>/dev/null ||
           wanted="$wanted ?debian-archive-keyring ?debootstrap" ;;
test)  wanted="gcc ?libclang-rt-19-dev ?llvm-19 qemu-user qemu-system-ppc qemu-utils
               gcc-powerpc64le-linux-gnu gcc-powerpc64-linux-gnu
               binutils-powerpc64le-linux-gnu binutils-powerpc64-linux-gnu
               libc6-dev-ppc64el-cross libc6-dev-ppc64-cross" ;;
dev)   wanted="git ?linux-perf dpkg-dev ninja-build meson libglib2.0-dev libpixman-1-dev zlib1g-dev" ;;
*) die "usage: deps.sh [build|test|dev]" ;;
esac

command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
    die "no apt here; install by other means: $(echo $wanted | tr -d '?')"

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
        has $want || install="$install $want"
    done
}

choose
[ -n "$install" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "as root: apt-get install$install"
    as_root=sudo
fi
mkdir -p build
echo "deps: installing$install"
apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

# One source that fails must not stop the others; whether it matters shows below.
apt update >build/deps.log 2>&1 || true
choose
[ -n "$install" ] || exit 0
apt install -y --no-install-recommends $install >>build/deps.log 2>&1 ||
    die "apt-get cannot install$install: $(grep '^E: ' build/deps.log | tail -n 1)" \
        "(build/deps.log has it all)"
