"""Linux and its disks: an ext4 image on virtio-blk or virtio-scsi is mounted, written, kept; runs repeat, saves continue."""
# needs: programs guest
import hashlib
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import CEDE, Folder, Machine, check, linux, main, skip   # noqa: E402

CPUS = os.environ.get('CPUS', '1')
SNAP = os.path.join(os.path.dirname(CEDE), 'cede-snap')
FIXED = ('-rtc', 'base=2026-01-31T12:00:00', '-clock', 'warp', '-d', 'statehash')
PATH = os.environ['PATH'] + ':/usr/sbin:/sbin'
TROUBLE = r'BUG|Oops|WARNING|Call Trace|I/O error|timed out|EXT4-fs error|Kernel panic|reset'

# How a disk is attached, and what Linux calls it.
WAYS = {
    'blk': (lambda d: ['-drive', 'file=%s,if=virtio,format=raw' % d], 'vda'),
    'scsi': (lambda d: ['-device', 'virtio-scsi-pci,id=s', '-drive', 'file=%s,if=none,id=d,format=raw' % d,
                        '-device', 'scsi-hd,bus=s.0,drive=d'], 'sda'),
}

# Many files of odd sizes, one large one, some that go again; what is read back comes from the disk.
WORK = ('mount -t ext4 /dev/%(disk)s /mnt && cd /mnt && for i in $(seq 1 40); do seq 1 $((i * 97)) >f$i; done && '
        'seq 1 300000 >large && rm f3 f5 f7 && sync && echo 3 >/proc/sys/vm/drop_caches && '
        'cat f* large | md5sum && cd / && umount /mnt && sync')


def tool(*argv):
    try:
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={'PATH': PATH})
    except FileNotFoundError:
        skip(argv[0] + ' is missing')


def make_image(path):
    with open(path, 'wb') as f:
        f.truncate(64 << 20)
    p = tool('mkfs.ext4', '-q', '-F', '-E', 'hash_seed=00000000-0000-4000-8000-000000000001', '-U',
             '00000000-0000-4000-8000-000000000002', path)
    if p.returncode:
        sys.exit('mkfs.ext4: ' + p.stdout)


def wanted():
    """What md5sum is to say."""
    def seq(n):
        return ''.join('%d\n' % i for i in range(1, n + 1)).encode()
    names = sorted('f%d' % i for i in range(1, 41) if i not in (3, 5, 7))
    return hashlib.md5(b''.join(seq(int(n[1:]) * 97) for n in names) + seq(300000)).hexdigest()


def run(image, way, *options, fresh=True):
    """One boot that does the work. Status, what was said, errors: the state hash is there."""
    attach, disk = WAYS[way]
    with linux(*FIXED, *attach(image), *options, cpus=CPUS, append='quiet cede.cmd="%s"' % (WORK % {'disk': disk})) as m:
        status = m.wait(240)
    return status, m.text, m.errors


def clean(image, name):
    p = tool('e2fsck', '-fn', image)
    check(p.returncode == 0, name, p.stdout)


def file_of(image, name):
    return tool('debugfs', '-R', 'cat ' + name, image).stdout


def written(way):
    with Folder() as at:
        fresh, first, second = at('fresh'), at('first'), at('second')
        make_image(fresh)
        shutil.copy(fresh, first)
        shutil.copy(fresh, second)
        a = run(first, way)
        check(a[0] == 0 and 'cede guest status 0' in a[1], 'it-works', a[1][-2000:] + a[2])
        check(wanted() in a[1], 'what-was-written-is-read', a[1][-500:])
        check(not re.search(TROUBLE, a[1]), 'no-trouble', a[1][-2000:])
        clean(first, 'e2fsck')
        check('\n3880\n' in file_of(first, 'f40'), 'the-host-finds-it')
        b = run(second, way)
        check(a[1] == b[1] and a[2] == b[2] and 'statehash=' in a[2], 'two-runs-are-the-same', (a[2], b[2]))
        with open(first, 'rb') as f, open(second, 'rb') as g:
            check(f.read() == g.read(), 'and-the-same-is-on-the-disks')
        slow = run_slow(at, fresh, way)
        check(slow[2] != a[2] and 'cede guest status 0' in slow[1], 'a-slower-disk-shows', slow[2])


def run_slow(at, fresh, way):
    image = at('slow')
    shutil.copy(fresh, image)
    attach, disk = WAYS[way]
    options = attach(image)
    if way == 'blk':
        options = ['-drive', 'file=%s,if=none,id=d,format=raw' % image, '-device', 'virtio-blk-pci,drive=d,latency=5000,bandwidth=20']
    else:
        options[-1] += ',latency=5000,bandwidth=20'
    with linux(*FIXED, *options, cpus=CPUS, append='quiet cede.cmd="%s"' % (WORK % {'disk': disk})) as m:
        status = m.wait(240)
    return status, m.text, m.errors


# ---- A save in the middle ----

SAVES = 2
SLOW = 'latency=50000,bandwidth=20'      # something is in flight at any time
QCOW2 = {
    'blk': (lambda d: ['-drive', 'file=%s,if=none,id=d,format=qcow2' % d, '-device', 'virtio-blk-pci,drive=d,' + SLOW], 'vda'),
    'scsi': (lambda d: ['-device', 'virtio-scsi-pci,id=s', '-drive', 'file=%s,if=none,id=d,format=qcow2' % d,
                        '-device', 'scsi-hd,bus=s.0,drive=d,' + SLOW], 'sda'),
}


def state(errors):
    return re.findall(r'statehash=(\w+) cycles=(\d+)', errors)


def convert(path, out, format_):
    p = tool('qemu-img', 'convert', '-O', format_, path, out)
    if p.returncode:
        sys.exit('qemu-img: ' + p.stdout)


def work_on(image, way, *options, load=False):
    attach, disk = QCOW2[way]
    boot = dict(append='quiet cede.cmd="%s"' % (WORK % {'disk': disk}))
    with (Machine('-loadvm', load, *FIXED, *attach(image), *options, cpus=CPUS) if load else
          linux(*FIXED, *attach(image), *options, cpus=CPUS, **boot)) as m:
        status = m.wait(240)
    return status, m.text, m.errors


def in_flight(snapshot, section):
    """Whether the snapshot has requests in flight."""
    p = subprocess.run([SNAP, 'list', snapshot], stdout=subprocess.PIPE, text=True)
    names = [name for name in re.findall(r'\S+', p.stdout) if name.endswith(section)]
    p = subprocess.run([SNAP, 'show', snapshot, names[0]], stdout=subprocess.PIPE, text=True)
    return 'disk.requests = 01' in p.stdout


def saved(way):
    """Saves while the guest works; each goes on to where the uninterrupted run ended."""
    with Folder() as at:
        make_image(at('raw'))
        convert(at('raw'), at('fresh'), 'qcow2')
        shutil.copy(at('fresh'), at('whole'))
        a = work_on(at('whole'), way)
        check(a[0] == 0 and wanted() in a[1] and state(a[2]), 'it-works', a[1][-2000:] + a[2])
        end = int(state(a[2])[-1][1])
        busy = 0
        for i in range(SAVES):
            cycle = end - (i + 1) * 6 * 10**8       # it reads back what it has written
            shutil.copy(at('fresh'), at('image'))
            s = work_on(at('image'), way, '-save', '%s@%d,quit=on' % (at('save'), cycle))
            flies = s[0] == 0 and in_flight(at('save'), 'cede/virtio-blk' if way == 'blk' else 'cede/scsi-disk')
            p = subprocess.run([SNAP, 'convert', at('save'), at('qemu'), 'target=qemu'], capture_output=True, text=True)
            check(not flies or (p.returncode == 1 and 'cede' in p.stderr and p.stderr.count('\n') == 1 and not os.path.exists(at('qemu'))),
                  'what-flies-is-not-lost-%d' % i, p.stderr)
            busy += flies
            b = work_on(at('image'), way, load=at('save'))
            check(s[0] == 0 and state(a[2])[-1] == (state(b[2]) or [0])[-1], 'goes-on-from-%d' % i, (s[2], a[2], b[2]))
            convert(at('image'), at('back'), 'raw')
            clean(at('back'), 'e2fsck-%d' % i)
        check(busy > 0, 'requests-were-in-flight', busy)


# ---- The host's pace ----

# Each processor has files of its own, on both disks; all of them at once.
CROWD = ('mount -t ext4 /dev/vda /mnt && mkdir /a && mount -t ext4 /dev/sda /a && for c in 0 1 2 3; do (for i in 1 2; do '
         'seq 1 $((i * 3571 + c)) >/mnt/$c-$i; cp /mnt/$c-$i /a/; sync; done) & done; wait; echo 3 >/proc/sys/vm/drop_caches; '
         'cat /a/* /mnt/*-* | md5sum; cat /proc/uptime; umount /mnt /a')


class Busy:
    """More processes than the host has processors, which count all the time."""

    def __enter__(self):
        self.processes = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(os.cpu_count() + 1)]

    def __exit__(self, *exc):
        for p in self.processes:
            p.kill()
            p.wait()


class Quiet:
    def __enter__(self):
        pass

    def __exit__(self, *exc):
        pass


def run_crowd(at, name, cache):
    """Status, what was said, errors with the state hash, what is on the disks."""
    images = [at(name + disk) for disk in 'bs']
    for image in images:
        shutil.copy(at('fresh'), image)
    drives = ['-drive', 'file=%s,if=none,id=b,format=qcow2,cache=%s' % (images[0], cache), '-device', 'virtio-blk-pci,drive=b',
              '-drive', 'file=%s,if=none,id=s,format=qcow2,cache=%s' % (images[1], cache), '-device', 'virtio-scsi-pci,id=scsi',
              '-device', 'scsi-hd,bus=scsi.0,drive=s']
    with linux(*FIXED, *drives, cpus=CPUS, append='quiet cede.cmd="%s"' % CROWD) as m:
        status = m.wait(300)
    for image in images:
        convert(image, image + '.raw', 'raw')
        clean(image + '.raw', '%s-e2fsck-%s' % (name, image[-1]))
    return status, m.text, m.errors, [digest(image + '.raw') for image in images]


def digest(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def same_runs(runs):
    (one, a), (other, b) = runs.items()
    check(a[1] == b[1], 'the-same-is-said', [p for p in zip(a[1].splitlines(), b[1].splitlines()) if p[0] != p[1]][:3])
    check(state(a[2]) and state(a[2]) == state(b[2]), 'the-same-state-%s-%s' % (one, other), (a[2], b[2]))


def steady():
    """A busy host and a quiet one, a page cache and none: the guest cannot tell."""
    with Folder() as at:
        make_image(at('raw'))
        convert(at('raw'), at('fresh'), 'qcow2')
        runs = {}
        for name, cache, host in ('busy', 'none', Busy), ('quiet', 'unsafe', Quiet):
            with host():
                runs[name] = run_crowd(at, name, cache)
            check(runs[name][0] == 0 and 'cede guest status 0' in runs[name][1], name + '-works', runs[name][1][-2000:] + runs[name][2])
        same_runs(runs)
        check(runs['busy'][3] == runs['quiet'][3], 'the-same-is-on-the-disks', [run[3] for run in runs.values()])


DEBIAN_CYCLES = 20 * 10**9      # behind its login prompt


def debian(base=None):
    """The same of a whole Debian that boots from its disk."""
    with Folder() as at:
        if not base:
            if not shutil.which('fakeroot'):
                skip('fakeroot is missing (make deps-debian)')
            base = at('debian')
            p = subprocess.run(['tools/guest/debian.sh', 'build'], capture_output=True, text=True,
                               env=dict(os.environ, DEBIAN_DISK=base, DEBIAN_EMULATOR=CEDE))
            if p.returncode:
                sys.exit(p.stdout + p.stderr)
        runs = {}
        for name, cache, host in ('busy', 'none', Busy), ('quiet', 'unsafe', Quiet):
            image = at(name)
            if tool('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', os.path.abspath(base), '-F', 'qcow2', image).returncode:
                skip('no qemu-img')
            with host(), open(os.devnull) as null, \
                    Machine(*FIXED, '-drive', 'file=%s,if=virtio,format=qcow2,cache=%s' % (image, cache), '-save',
                            '%s@%d,quit=on' % (at('save'), DEBIAN_CYCLES), stdin=null, cpus=CPUS, ram='1G') as m:
                check(m.wait(1500) == 0, name + '-ends', m.text[-1000:] + m.errors)
            check('debian login: ' in m.text, name + '-login', m.text[-1000:])
            runs[name] = m.process.returncode, m.text, m.errors
        same_runs(runs)
        p = tool('qemu-img', 'compare', at('busy'), at('quiet'))
        check(p.returncode == 0, 'the-same-is-on-the-disks', p.stdout)


TESTS = {'written': written, 'saved': saved, 'steady': steady, 'debian': debian}

if __name__ == '__main__':
    main(TESTS)
