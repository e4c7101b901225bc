"""What a guest was told is on its disk, is: cede is killed while Linux writes, and saved and returned while files come and go.

usage: lasting.py killed|points|saved [TIMES [SEED]]"""
# needs: programs guest
import os
import random
import re
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'snapshot'), os.path.join(HERE, '..', 'linux')]
from console import Failure, Folder, Machine, check, linux, main, need     # noqa: E402
from disks import RAM, make_image, run     # noqa: E402
from monitor import Client      # noqa: E402

SNAP = os.environ.get('B', 'build') + '/cede-snap'
TIMES = int(sys.argv[2]) if len(sys.argv) > 2 else 6
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
BLOCK, BATCH, BATCHES = 4096, 8, 64      # bytes; blocks that are flushed together; places for so many on the disk

# A block is its number in 4095 digits and a newline: whatever is torn, mixed or old shows. Batch n has number n in all its
# blocks and a place that comes again, so that what was written before is written over.
WRITER = ('n=0; while :; do n=$((n+1)); for i in 1 2 3 4 5 6 7 8; do printf "%%04095d\\n" $n; done >/tmp/b; '
          'dd if=/tmp/b of=/dev/vda bs=%d seek=$((n*37%%%d)) conv=notrunc,fsync 2>/dev/null && echo "[$n]"; done' %
          (BLOCK * BATCH, BATCHES))


def drive(image, cache):
    return ['-drive', 'file=%s,if=none,id=d,format=qcow2,cache=%s' % (image, cache), '-device', 'virtio-blk-pci,drive=d']


def booted(at):
    """An image with a guest that waits at its prompt: a run begins there."""
    run('qemu-img', 'create', '-q', '-f', 'qcow2', at('ready'), '16M')
    with linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), *drive(at('ready'), 'unsafe'), ram=RAM) as m:
        m.shell()
        h = Client(m, at('m'))
        h.until(r'\(cede\) ')
        check(h.hmp('savevm ready') == '', 'booted')
        h.s.sendall(b'quit\n')
        m.wait(30)


def numbers(raw):
    """Of each place, of each block there; None: it is no block of ours."""
    with open(raw, 'rb') as f:
        data = f.read()
    found = []
    for place in range(BATCHES):
        blocks = []
        for i in range(BATCH):
            block = data[(place * BATCH + i) * BLOCK:][:BLOCK]
            blocks.append(0 if block == bytes(BLOCK) else int(block) if re.fullmatch(rb'\d{4095}\n', block) else None)
        found.append(blocks)
    return found


def lost(raw, flushed):
    """What the disk has not, or never was written. The batch behind the last one may have come in part."""
    wrong = []
    for place, blocks in enumerate(numbers(raw)):
        sure = max([n for n in range(1, flushed + 1) if n * 37 % BATCHES == place] or [0])
        # What was written since, but not reported: the console may be behind by a few.
        later = {n for n in range(flushed + 1, flushed + 9) if n * 37 % BATCHES == place}
        wrong += [(place, b, sure) for b in blocks if b != sure and b not in later]
    return wrong


def killed(*_):
    """kill -9, at any moment: each batch whose flush the guest has reported is there, and the image is whole."""
    rng = random.Random(SEED)
    batches = leaks = early = 0
    with Folder() as at:
        booted(at)
        for i in range(TIMES):
            cache = ('writeback', 'none')[i % 2]
            shutil.copy(at('ready'), at('disk'))
            with Machine(*drive(at('disk'), cache), '-loadvm', 'ready', ram=RAM) as m:
                m.send(WRITER + '\n')
                try:
                    m.expect(r'\[1\]\n', 60)
                except Failure:
                    if cache == 'none' and 'O_DIRECT' in m.errors:
                        continue        # a file system in memory
                    raise
                end = time.monotonic() + rng.uniform(0, 0.8)
                while time.monotonic() < end:
                    m.pump(end - time.monotonic())
                m.process.kill()
                m.process.wait()
                while m.pump(0.1):
                    pass
            flushed = max([int(n) for n in re.findall(r'^\[(\d+)\]$', m.text, re.M)] or [0])
            code, text = run('qemu-img', 'check', at('disk'))
            leaks += code == 3
            if code not in (0, 3):
                check(False, 'killed-%d-%s-image-is-whole' % (i, cache), text[-400:])
                break
            run('qemu-img', 'convert', '-O', 'raw', at('disk'), at('raw'))
            wrong = lost(at('raw'), flushed)
            if wrong:
                check(False, 'killed-%d-%s-all-is-there' % (i, cache), (flushed, wrong[:5]))
                break
            batches += flushed
            early += flushed < 2
        else:
            check(batches > TIMES, 'killed %d times: %d batches flushed, none lost; %d images with leaks' % (TIMES, batches, leaks))


# Files that come, grow, are renamed and go, some flushed, with a journal of their sums in memory: what a load returns
# to has both.
LOAD = ('cd /d; n=0; while [ ! -e /tmp/stop ]; do n=$((n+1)); f=f$((n*7%23)); seq $n $((n+n*131%4000)) >$f.new; '
        'case $((n%5)) in 0) rm -f f$((n*3%23)); sed -i "/^f$((n*3%23)) /d" /tmp/j;; 1) sync $f.new;; 2) sync;; esac; '
        'mv $f.new $f; s=$(md5sum <$f); sed -i "/^$f /d" /tmp/j; echo "$f $s" >>/tmp/j; done; cd /')
ASK = ('touch /tmp/stop; wait; sync; echo 3 >/proc/sys/vm/drop_caches; '
       'while read f s; do [ "$(md5sum </d/$f)" = "$s" ] || echo "wrong $f"; done </tmp/j; wc -l </tmp/j; ls /d | grep -c ^f')


def points(*_):
    """savevm while files come and go, run on, loadvm: the filesystem is clean and each file as the guest knows it."""
    rng = random.Random(SEED)
    with Folder() as at:
        make_image(at('disk'), '32M')
        m = linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), *drive(at('disk'), 'writeback'), ram=RAM)
        with m:
            m.shell()
            m.command('mkdir -p /d; touch /tmp/j')
            h = Client(m, at('m'))
            h.until(r'\(cede\) ')
            files = 0
            for i in range(TIMES):
                m.command('rm -f /tmp/stop; mount -t ext4 /dev/vda /d')
                m.send('(' + LOAD + ') &\n')
                m.command('true')
                rest(m, rng.uniform(0.1, 0.6))
                answers = h.hmp('savevm p')
                rest(m, rng.uniform(0, 0.4))
                answers += h.hmp('loadvm p') + h.hmp('delvm p')
                if not answers == '':
                    check(False, 'point-%d' % i, answers)
                    return
                text = m.command(ASK, 120)
                known = [int(n) for n in text.split() if n.isdigit()]
                m.command('umount /d && sync')
                if 'wrong' in text or len(known) != 2 or known[0] != known[1]:
                    check(False, 'point-%d-contents' % i, text[-400:])
                    return
                files += known[0]
                run('qemu-img', 'convert', '-U', '-O', 'raw', at('disk'), at('raw'))
                code, text = run('e2fsck', '-fn', at('raw'))
                if code:
                    check(False, 'point-%d-filesystem' % i, text[-400:])
                    return
            check(files > TIMES, '%d points: %d files as they were, filesystems clean' % (TIMES, files))
            h.s.sendall(b'quit\n')
            check(m.wait(30) == 0, 'quit', m.errors)
        code, text = run('qemu-img', 'check', at('disk'))
        check(code == 0, 'image-is-whole', text)


# One of these in turn. A parent lies in the same folder.
WAYS = ('', ',layout=mapped', ',compress=zstd', ',background=on', ',parent=base')
AT_ONCE = 10


def working(at):
    """A snapshot in which files come and go, and its cycle."""
    make_image(at('disk'), '32M')
    with linux('-save', at('base'), *drive(at('disk'), 'writeback'), ram=RAM) as m:
        m.shell()
        m.command('mkdir -p /d; mount -t ext4 /dev/vda /d; touch /tmp/j')
        m.send('(' + LOAD + ') &\n')
        m.command('true')
        m.kill(signal.SIGUSR1)
        end = time.monotonic() + 60
        while not os.path.exists(at('base')) and time.monotonic() < end:
            m.pump(0.1)
        m.kill()
        m.wait(30)
    text = run(SNAP, 'info', at('base'))[1]
    return int(re.search(r'cycle (\d+)', text).group(1))


def as_it_was(at, name):
    """How many files the loaded guest knows, all as they were; None, and why not."""
    with Machine('-loadvm', at(name), *drive(at('disk'), 'writeback'), ram=RAM) as m:
        m.send('\n')
        m.expect('# ', 60)
        text = m.command(ASK, 120)
        known = [int(n) for n in text.split() if n.isdigit()]
        m.command('umount /d && sync')
        m.send('poweroff -f\n')
        ended = m.wait(60)
    if ended or 'wrong' in text or len(known) != 2 or known[0] != known[1]:
        return None, text[-400:] + m.errors
    run('qemu-img', 'convert', '-O', 'raw', at('disk'), at('raw'))
    code, text = run('e2fsck', '-fn', at('raw'))
    return (None, text[-400:]) if code else (known[0], '')


def saved(*_):
    """-save FILE in each layout while files come and go: -loadvm FILE has the filesystem clean and each file as the guest knows it."""
    rng = random.Random(SEED)
    files = done = 0
    with Folder() as at:
        base = cycle = working(at)
        while done < TIMES:
            names, options, cycle = [], [], base
            for i in range(done, min(done + AT_ONCE, TIMES)):
                cycle += rng.randrange(10 ** 6, 15 * 10 ** 7)
                names.append('s%d' % (i % AT_ONCE))
                options += ['-save', '%s@%d%s' % (at(names[-1]), cycle, WAYS[i % len(WAYS)].replace('base', at('base')))]
            options[-1] += ',quit=on'
            with Machine('-loadvm', at('base'), *options, *drive(at('disk'), 'writeback'), ram=RAM) as m:
                if m.wait(300) or m.errors:
                    check(False, 'saved-%d' % done, m.errors)
                    return
            for name in names:
                n, why = as_it_was(at, name)
                if n is None:
                    check(False, 'saved-%d%s' % (done, WAYS[done % len(WAYS)]), why)
                    return
                files += n
                done += 1
        check(files > TIMES, 'saved %d times: %d files as they were, filesystems clean' % (TIMES, files))
        code, text = run('qemu-img', 'check', at('disk'))
        check(code == 0, 'image-is-whole', text)


def rest(m, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        m.pump(end - time.monotonic())


if __name__ == '__main__':
    main({'killed': killed, 'points': points, 'saved': saved})
