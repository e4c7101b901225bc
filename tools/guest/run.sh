#!/bin/sh
# run.sh [OPTION...]: boots the guest of tools/guest/guest.sh to a shell on this terminal.
# Further options are cede's; the environment may set KERNEL and INITRD (files), APPEND, CPU,
# SMP, MEM, CEDE (the program) and GUEST_DIR (where the guest is).
set -eu
cd "$(dirname "$0")/../.."
: "${CEDE:=build/cede}" "${CPU:=power9}" "${SMP:=1}" "${MEM:=1G}" "${APPEND:=console=hvc0}"

die() { echo "run: $*" >&2; exit 1; }

if [ -z "${KERNEL:-}" ]; then
    [ -z "${INITRD:-}" ] || die "INITRD is given without KERNEL"
    tools/guest/guest.sh kernel
    KERNEL=${GUEST_DIR:=build/guest}/vmlinux INITRD=$GUEST_DIR/initrd.gz
fi
for file in "$KERNEL" ${INITRD:+"$INITRD"}; do
    [ -r "$file" ] || die "$file: cannot be read"
done
command -v "$CEDE" >/dev/null || die "$CEDE is missing; make builds it"

echo "Linux for POWER starts here in some seconds and gives you a root shell."
echo "Try:   cat /proc/cpuinfo    dmesg | less    ls /proc/device-tree    top"
echo "Quit:  poweroff -f in the guest, or Ctrl-A x at any time."
exec "$CEDE" -M pseries -cpu "$CPU" -smp "$SMP" -m "$MEM" -nographic -nodefaults \
    -serial mon:stdio -kernel "$KERNEL" ${INITRD:+-initrd "$INITRD"} -append "$APPEND" "$@"
