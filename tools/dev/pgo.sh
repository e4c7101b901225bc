#!/bin/sh
# pgo.sh PROGRAM DIR [GUEST...]: trains PROGRAM, an instrumented cede, and merges what it learnt into
# DIR/cede.profdata. Used by `make MODE=pgo`.
#
# It learns from guests of ours: Debian's kernel (tools/guest/guest.sh), which boots and runs busybox and,
# where they could be built, the scoreboard's programs for a short time each; and the programs for
# the bare machine, in both byte orders. Nothing in them depends on the host, so the same sources
# and tools learn the same.
set -eu
program=$1 dir=$2
shift 2
guests=$* build=${B:-build} guests_at=${GUEST_DIR:-build/guest}
cd "$(dirname "$0")/../.."
work=2          # percent of what the scoreboard has each program do

die() { echo "pgo: $*" >&2; exit 1; }

# guest NAME OPTION...: runs one; what it printed is in $dir/NAME.log.
guest() {
    name=$1
    shift
    LLVM_PROFILE_FILE=$dir/$name.profraw "$program" -M pseries -cpu power9 -nographic -nodefaults \
        -serial stdio -rtc base=2026-01-01T00:00:00 "$@" </dev/null >"$dir/$name.log" 2>&1 ||
        die "$name: cede's status was not 0 ($dir/$name.log)"
}

tools/guest/guest.sh kernel >"$dir/guest.log" 2>&1 || die "$(tail -n 1 "$dir/guest.log")"
rm -f "$dir"/*.profraw

# What Linux runs. Its text is the same wherever and whenever this is.
cat cpu/*/*.c >"$dir/text"
set -- "cede/text=$dir/text" "cede/train=$dir/train"
cat >"$dir/train" <<'END'
set -e
cd /cede
sort text | uniq -c | sort -rn >/text.sorted
gzip -c text | gunzip | sha256sum
awk '{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (w in n) if (n[w] > 99) print w, n[w] }' text
grep -c 'int.*(.*)' text
find / -xdev -type f | wc -l
END
for path in $build/bench/programs/*; do
    [ -x "$path" ] || continue
    set -- "$@" "cede/${path##*/}=$path"
    echo "./${path##*/} $work" >>"$dir/train"
done
python3 tools/guest/guest_pack.py add $guests_at/initrd.gz "$dir/initrd" "$@" || exit 1
guest linux -smp 2 -m 512M -kernel $guests_at/vmlinux -initrd "$dir/initrd" \
    -append "console=hvc0 cede.script=train"
tr -d '\r' <"$dir/linux.log" | grep -qx 'cede guest status 0' || die "the guest failed ($dir/linux.log)"

for name in $guests; do
    for order in le be; do
        path=$build/tests/guest/$name-$order.elf
        [ ! -e "$path" ] || guest "$name-$order" -smp 4 -m 256M -kernel "$path"
    done
done

"${PROFDATA:-llvm-profdata}" merge -o "$dir/cede.profdata.new" "$dir"/*.profraw
mv "$dir/cede.profdata.new" "$dir/cede.profdata"
