#!/bin/sh
# interpreter.sh [BENCH OPTION...]: the scoreboard against QEMU's own interpreter.
#
# `make bench` sets cede beside QEMU with its JIT. Here QEMU interprets as well: its TCG operations
# are bytecode that a loop runs (--enable-tcg-interpreter). No distribution has that, so the source
# of this host's Debian QEMU is built with it, and with everything off that the board does without.
# Our programs do a fifth of their work; Debian's, which cannot do with less, are left out. Options
# of bench.py come after these and win (--work 50, --rows sieve, -n 9). Results: build/bench/interpreter.
# For developers: it takes minutes on many cores and most of an hour on one, and is no part of the
# tests.
#
# The source comes by the package's name, from a source list of apt's that is private to this
# script. Everything is below build/bench/qemu-tci; what has been built is used again. The guest's
# firmware, vof.bin, is the one that Debian's QEMU package has (tools/dev/deps.sh test).
# JOBS=N compiles N files at a time (default 1, at the lowest priority).
set -eu
cd "$(dirname "$0")/../.."
out=$PWD/build/bench/qemu-tci
qemu=$out/build/qemu-system-ppc64
apt=$out/apt

die() { echo "interpreter: $*" >&2; exit 1; }

# unpack: Debian's QEMU, with Debian's patches, as $out/source.
unpack() {
    mkdir -p "$apt/etc/sources.list.d" "$apt/etc/apt.conf.d" "$apt/etc/preferences.d" \
             "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/state/status"
    python3 tools/guest/guest_apt.py | sed 's/^Types: deb$/Types: deb-src/' \
        >"$apt/etc/sources.list.d/source.sources"
    [ -s "$apt/etc/sources.list.d/source.sources" ] || die "no Debian archive in the host's sources"
    {
        apt-config dump Acquire
        cat <<END
APT::Sandbox::User "$(id -un)";
Dir::State "$apt/state/";
Dir::State::status "$apt/state/status";
Dir::Cache "$apt/cache/";
Dir::Etc "$apt/etc/";
Dir::Etc::trusted "/etc/apt/trusted.gpg";
Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d/";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d/";
END
    } >"$apt/apt.conf"
    (
        export APT_CONFIG="$apt/apt.conf"
        cd "$out"
        apt-get -q update || true
        apt-get -q --download-only source qemu
        rm -rf source.new
        dpkg-source --no-check -x ./*.dsc source.new
        mv source.new source
    ) >"$out/source.log" 2>&1 || die "Debian's source of QEMU cannot be had ($out/source.log)"
}

# configure: nothing but what a pSeries machine with a console takes. Without USB it does not link,
# without NVDIMMs it does not start.
configure() {
    printf '%s\n' CONFIG_PSERIES=y CONFIG_USB_OHCI_PCI=y CONFIG_NVDIMM=y \
        >"$out/source/configs/devices/ppc64-softmmu/bench.mak"
    rm -rf "$out/build"
    mkdir "$out/build"
    (
        cd "$out/build"
        ../source/configure --target-list=ppc64-softmmu --enable-tcg-interpreter --cc=gcc \
            --without-default-features --without-default-devices --with-devices-ppc64=bench \
            --enable-fdt=system --disable-docs --disable-tools --disable-guest-agent \
            --disable-debug-info --disable-werror
    ) >"$out/configure.log" 2>&1 || die "configure: $(grep -i error "$out/configure.log" | tail -n 1)" \
                                       "($out/configure.log)"
}

if ! [ -x "$qemu" ]; then
    tools/dev/deps.sh test
    tools/dev/deps.sh dev
    mkdir -p "$out"
    echo "interpreter: building Debian's QEMU as an interpreter"
    [ -d "$out/source" ] || unpack
    [ -e "$out/build/build.ninja" ] || configure
    nice -n 19 ninja -C "$out/build" -j "${JOBS:-1}" qemu-system-ppc64 >"$out/build.log" 2>&1 ||
        die "$(grep -m 1 -i 'error:\|undefined' "$out/build.log") ($out/build.log)"
fi
[ -e /usr/share/qemu/vof.bin ] || die "QEMU's vof.bin is missing (tools/dev/deps.sh test)"
share=$out/build/qemu-bundle/usr/local/share/qemu       # where a QEMU that is not installed looks
mkdir -p "$share"
ln -sf /usr/share/qemu/vof.bin "$share/"
make --no-print-directory build/cede bench-programs
exec python3 tests/bench/bench.py --qemu "$qemu" --engine "TCG interpreter" --work 20 \
    --rows "${ROWS:-boot,integer,floating,system}" --out build/bench/interpreter "$@"
