#!/bin/sh
# analyze.sh: QEMU's stream analyser on every kind of file that cede writes. See analyze.py.
#
# The analyser, analyze-migration.py, comes from Debian's source package of QEMU, through apt, with a
# configuration and state of their own under build/analyze: nothing of the host's is changed, and nothing
# of it gets into this repository. What was downloaded stays there. ANALYZER= names another one.
set -eu
cd "$(dirname "$0")/../.."
place=$PWD/build/analyze
script=${ANALYZER:-$place/analyze-migration.py}

die() { echo "analyze: $*" >&2; exit 1; }

# The host's sources, asked for sources.
sources() {
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$f" ] && sed -n 's/^deb /deb-src /p' "$f"
    done >"$place/etc/sources.list" || true
    for f in /etc/apt/sources.list.d/*.sources; do
        [ -f "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" >"$place/etc/sources.list.d/${f##*/}"
    done || true
}

obtain() {
    command -v apt-get >/dev/null || die "no apt-get to bring QEMU's source with; ANALYZER=path/analyze-migration.py names one"
    mkdir -p "$place/etc/sources.list.d" "$place/etc/preferences.d" "$place/state/lists/partial" "$place/cache/archives/partial"
    : >"$place/state/status"
    sources
    cat >"$place/apt.conf" <<EOF
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "2";
Dir::State "$place/state/";
Dir::State::status "$place/state/status";
Dir::Cache "$place/cache/";
Dir::Etc::sourcelist "$place/etc/sources.list";
Dir::Etc::sourceparts "$place/etc/sources.list.d/";
Dir::Etc::preferencesparts "$place/etc/preferences.d/";
EOF
    export APT_CONFIG="$place/apt.conf"
    { apt-get -q update && cd "$place" && apt-get -q source --download-only --tar-only qemu; } >"$place/log" 2>&1 ||
        die "cannot bring Debian's source of QEMU: $(grep -E '^[EW]:' "$place/log" | head -1)"
    tar=$(ls -t "$place"/qemu_*.orig.tar.* 2>/dev/null | head -1)
    [ -n "$tar" ] || die "apt brought no archive of QEMU's source"
    tar -xOf "$tar" --wildcards '*/scripts/analyze-migration.py' >"$script.part" && [ -s "$script.part" ] ||
        die "no analyze-migration.py in $tar"
    mv "$script.part" "$script"
}

[ -s "$script" ] || (obtain)
exec python3 tests/snapshot/analyze.py "$script"
