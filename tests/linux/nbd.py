"""Two machines on a wire: one mounts a disk of the other's by Debian's nbd-client and nbd-server, and writes to it. Both are saved at once,
in the middle of that, and go on: mount and connection live, and every file is what it has to be, seen from either side."""
# needs: programs guest guest-nbd
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'guest'))
import guest_pack                                                                   # noqa: E402
import libraries                                                                    # noqa: E402
from console import GUEST, INITRD, KERNEL, Folder, Machine, check, main, need       # noqa: E402
from net import Pumped, restored_pair, save_pair, set_up, two, wire, woken                         # noqa: E402

TREE = GUEST + '/nbd'
CONFIG = '[generic]\n[disk]\nexportname = /dev/vda\n'
NUMBERS = 20000                     # of lines of a file
# Writes files until it is told to stop. /tmp/round: how many have been written, and are on the disk.
WRITER = 'i=0; while [ ! -e /tmp/stop ]; do seq $i %d >/mnt/f$((i %% 4)) && sync && i=$((i + 1)) && echo $i >/tmp/round; done; echo $i >/tmp/last' % NUMBERS


def packed(folder):
    """An initrd with both programs, and the kernel's module."""
    need(KERNEL, INITRD, TREE, GUEST + '/debs/kernel.list')
    with open(GUEST + '/debs/kernel.list', encoding='utf-8') as f:
        deb = f.readline().strip()
    for _, data in guest_pack.deb_files(deb, lambda path: path.rpartition('/')[2].startswith('nbd.ko')):
        with open(folder('nbd.ko'), 'wb') as f:
            f.write(data)
    programs = {'bin/nbd-server': TREE + '/bin/nbd-server', 'bin/nbd-client': TREE + '/sbin/nbd-client'}
    return libraries.packed(folder, TREE, programs, **{'nbd.ko': folder('nbd.ko')})


def numbers(first):
    return hashlib.md5(b''.join(b'%d\n' % i for i in range(first, NUMBERS + 1))).hexdigest()


def sums(m, where):
    """File to md5sum, from the disk."""
    words = m.command('echo 3 >/proc/sys/vm/drop_caches; md5sum %s/[bf]*' % where, 120).split()
    return {path.rpartition('/')[2]: md5 for md5, path in zip(words[::2], words[1::2])}


def pair():
    with Folder() as at:
        initrd = packed(at)
        with open(at('disk'), 'wb') as f:
            f.truncate(32 << 20)
        with open(at('none'), 'wb') as f:
            f.truncate(1 << 20)
        same = *wire(at), '-drive', tuple('if=virtio,format=raw,file=' + at(name) for name in ('disk', 'none')), '-d', 'guest_errors'
        first, second = two(*same, initrd=initrd)
        with first as a, second as b:
            set_up(a, 1, 1)
            set_up(b, 2, 1)
            a.command("printf '%s' >/tmp/config; nbd-server -C /tmp/config" % CONFIG.replace('\n', '\\n'))
            with Pumped(a):
                b.command('insmod /bin/nbd.ko; modprobe ext4; nbd-client 10.9.0.1 -N disk /dev/nbd0')
                b.command('mke2fs /dev/nbd0 >/dev/null && mount -t ext4 /dev/nbd0 /mnt && seq 7 %d >/mnt/before && sync' % NUMBERS, 120)
                b.command('(%s) >/dev/null 2>&1 & while [ ! -s /tmp/round ]; do sleep 1; done' % WRITER)
            save_pair(at, a, b)
        first, second = restored_pair(at, same)
        with first as a, second as b:
            for m in a, b:
                woken(m)
            with Pumped(a):
                before = int(b.command('cat /tmp/round'))
                after = int(b.command('i=0; while [ $i -lt 60 ] && [ $(cat /tmp/round) -lt %d ]; do sleep 1; i=$((i + 1)); done; cat /tmp/round' % (before + 4), 120))
                check(after >= before + 4, 'it-goes-on', (before, after))
                last = int(b.command('touch /tmp/stop; while [ ! -e /tmp/last ]; do sleep 1; done; cat /tmp/last'))
                wanted = {'before': numbers(7), **{'f%d' % (i % 4): numbers(i) for i in range(last)}}
                check(sums(b, '/mnt') == wanted, 'seen-over-the-network', sums(b, '/mnt'))
                text = b.command('mount; dmesg')
                check('/dev/nbd0 on /mnt' in text and not any(word in text for word in ('nbd0: Conn', 'I/O error', 'EXT4-fs error', 'shutting down')), 'no-errors', text[-800:])
                b.command('umount /mnt; nbd-client -d /dev/nbd0')
            a.command('modprobe ext4; mount -t ext4 -o ro /dev/vda /mnt')
            check(sums(a, '/mnt') == wanted, 'seen-at-its-owner', sums(a, '/mnt'))
            for m in a, b:
                m.send('poweroff -f\n')
                check(m.wait() == 0 and not m.errors, 'ends', m.errors)


if __name__ == '__main__':
    main({'pair': pair})
