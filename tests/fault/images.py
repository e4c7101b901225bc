"""Images of disks: what the user gets wrong with them, what programs beside us do to them, what monitors say of them.

The machine is stopped: only cede looks at its disks. Judge of locks and formats is QEMU, where it is installed.
"""
# needs: programs
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import CEDE, Folder, check, main, skip     # noqa: E402

TIMEOUT = 20
MIB = 1 << 20
BRANCH = b'\x48\0\0\0'     # b .


def make(path, size=MIB, head=b''):
    with open(path, 'wb') as f:
        f.write(head)
        f.truncate(size)


def options(at, drives):
    """Those of a machine that never runs, with these drives."""
    if not os.path.exists(at('bios')):
        make(at('bios'), 256, BRANCH * 64)
    return [os.path.abspath(CEDE), '-m', '256M', '-nodefaults', '-S', '-bios', at('bios'), *drives]


def run(at, drives, commands='quit\n'):
    """Status, what the monitor said, standard error."""
    try:
        p = subprocess.run(options(at, drives) + ['-monitor', 'stdio'], input=commands, capture_output=True, text=True, timeout=TIMEOUT, check=False, cwd=at.path)
    except subprocess.TimeoutExpired:
        return None, '', 'hangs'
    return p.returncode, p.stdout, p.stderr


def refused_with(at, name, drives, text, status):
    got, _, err = run(at, drives)
    lines = err.strip().split('\n')
    check(got == status and len(lines) == 1 and text in err, name, (got, err))


# Name, what the line says, status, options. The disk "disk" is there.
BAD = (
    ('no-file', 'No such file', 1, '-drive file=nonesuch,if=none,format=raw'),
    ('no-folder', 'No such file', 1, '-hda nonesuch/x'),
    ('folder', 'neither a file nor a block device', 1, '-drive file=folder,if=none,format=raw,readonly=on'),
    ('fifo', 'neither a file nor a block device', 1, '-drive file=fifo,if=none,format=raw'),
    ('terminal', 'neither a file nor a block device', 1, '-drive file=/dev/zero,if=none,format=raw'),
    ('no-server', 'Connection refused', 1, '-drive file=nbd:localhost:1,if=none,format=raw'),
    ('orphan', "'orphan' is based on another image: cannot open 'nonesuch'", 1, '-drive file=orphan,if=none,format=qcow2'),
    ('bootindex', 'The bootindex 1 has already been used', 2, '-drive file=disk,if=none,format=raw,readonly=on,id=d '
     '-drive if=none,media=cdrom,id=e -device virtio-scsi-pci -device scsi-hd,drive=d,bootindex=1 -device scsi-cd,drive=e,bootindex=1'),
    ('no-adapter', "-device scsi-hd: No 'SCSI' bus found", 2, '-drive file=disk,if=none,format=raw,id=d -device scsi-hd,drive=d'),
    ('not-qcow2', 'not a qcow2 image', 1, '-drive file=disk,if=none,format=qcow2'),
    ('vmdk', 'looks like vmdk', 1, '-drive file=vmdk,if=none'),
    ('format', "format 'vmdk' is not there", 2, '-drive file=disk,if=none,format=vmdk'),
    ('interface', 'if=ide', 2, '-drive file=disk,if=ide'),
    ('key', "does not know 'colour'", 2, '-drive file=disk,colour=red'),
    ('no-value', 'not KEY=VALUE', 2, '-drive disk'),
    ('cache', 'cache=lots', 2, '-drive file=disk,cache=lots'),
    ('bool', 'readonly=maybe', 2, '-drive file=disk,readonly=maybe'),
    ('discard', 'discard=all', 2, '-drive file=disk,discard=all'),
    ('aio', 'aio=fast', 2, '-drive file=disk,aio=fast'),
    ('werror', 'werror=stop is not there', 2, '-drive file=disk,werror=stop'),
    ('index', 'index=-1', 2, '-drive file=disk,index=-1'),
    ('index-huge', 'index=99999999999999999999', 2, '-drive file=disk,index=99999999999999999999'),
    ('index-and-unit', 'say the same', 2, '-drive file=disk,index=1,unit=1'),
    ('unit', 'units 0 to 6', 2, '-drive file=disk,unit=7'),
    ('same-place', 'two drives at bus 0, unit 2', 2, '-cdrom disk -hdc disk'),
    ('same-id', "the name 'x'", 2, '-drive file=disk,if=none,id=x -drive file=disk,if=none,id=x'),
    ('made-id', "the name 'none1'", 2, '-drive file=disk,if=none,id=none1 -drive file=disk,if=none'),
    ('id', 'is no name', 2, '-drive file=disk,if=none,id=1x'),
    ('no-medium', 'file=FILE is needed', 2, '-drive if=virtio'),
    ('pflash-no-file', 'file=FILE is needed', 2, '-drive if=pflash'),
    ('pflash-snapshot', '-snapshot does not reach', 2, '-drive if=pflash,file=disk -snapshot'),
    ('blockdev-driver', 'driver= is needed', 2, '-blockdev node-name=x,filename=disk'),
    ('blockdev-name', 'node-name= is needed', 2, '-blockdev driver=file,filename=disk'),
    ('blockdev-file', 'either a file name or file=NODE', 2, '-blockdev driver=raw,node-name=x'),
    ('blockdev-node', "no node 'y'", 2, '-blockdev driver=raw,node-name=x,file=y'),
    ('blockdev-self', "no node 'x'", 2, '-blockdev driver=raw,node-name=x,file=x'),
    ('blockdev-nbd', 'server.path=', 2, '-blockdev driver=nbd,node-name=x,export=e'),
    ('blockdev-json', 'is no JSON', 2, '-blockdev {"driver"'),
    ('blockdev-json-key', "does not know 'file.colour'", 2, '-blockdev {"driver":"raw","file":{"colour":"red"}}'),
    ('blockdev-json-array', 'no plain value', 2, '-blockdev {"driver":["raw"]}'),
    ('blockdev-json-deep', 'does not know', 2, '-blockdev ' + '{"file-file-file-file":' * 20 + '1' + '}' * 20),
    ('bus', '32 at most', 2, '-drive file=disk,bus=32'),
)


def refuses():
    """One line on standard error, and a status that is not zero."""
    with Folder() as at:
        make(at('disk'))
        make(at('vmdk'), MIB, b'KDMV')
        if subprocess.run(['qemu-img', 'create', '-q', '-u', '-f', 'qcow2', '-b', 'nonesuch', '-F', 'raw', at('orphan'), '1M'], check=False).returncode:
            skip('qemu-img is missing')
        os.mkdir(at('folder'))
        os.mkfifo(at('fifo'))
        for name, text, status, drives in BAD:
            refused_with(at, name, drives.split(), text, status)
        lots = [w for n in range(257) for w in ('-drive', 'if=none,file=disk,id=d%d' % n)]
        refused_with(at, 'too-many', lots, 'more than 256 drives', 2)


def names():
    """Commas, places and names as QEMU has them."""
    with Folder() as at:
        make(at('a,b'))
        make(at('c'))
        make(at('cd'))
        _, out, err = run(at, ('-drive', 'file=a,,b,if=none,format=raw', '-drive', 'file=c,format=raw,if=none,id=z,file.locking=off',
                               '-blockdev', 'driver=file,filename=cd,node-name=f,cache.direct=off',
                               '-blockdev', 'driver=raw,node-name=node,file=f,read-only=on'), 'info block\nquit\n')
        check('none0 (#block100): a,b (raw)' in out, 'comma', out + err)
        check('\nnode: cd (raw, read-only)' in out and '\nf:' not in out, 'file=NODE', out)
        _, out, err = run(at, ('-blockdev', 'driver=file,filename=cd,node-name=f,read-only=on',
                               '-blockdev', 'driver=raw,node-name=node,file=f'), 'info block\nquit\n')
        check('node: cd (raw, read-only)' in out, 'file=NODE that is read-only', out + err)
        described = '{"driver": "raw", "node-name": "j", "read-only": true, "file": {"driver": "file", "filename": "a,b", "aio": "io_uring"}}'
        _, out, err = run(at, ('-blockdev', described), 'info block\nquit\n')
        check('j: a,b (raw, read-only)' in out, 'json', out + err)
        _, out, err = run(at, ('-drive', 'file=c,if=none'), 'info block\nquit\n')
        check('looks raw' in err and err.count('\n') == 1 and 'none0 (#block100): c (raw)' in out, 'guess', out + err)
        _, out, err = run(at, ('-drive', 'file=c,if=none,readonly=on', '-drive', 'if=none,id=e,media=cdrom'), 'info block\nquit\n')
        check(not err and 'none0 (#block100): c (raw, read-only)' in out and 'e: [not inserted]' in out, 'nothing-to-warn-of', out + err)
        _, out, err = run(at, ('-drive', 'file=file:c,if=none,format=raw,cache=writethrough,detect-zeroes=on'), 'info block\nquit\n')
        check('writethrough' in out and 'Detect zeroes:    on' in out, 'file:', out + err)


# ---- Locks ----

class Held:
    """cede has these drives open until it is left."""

    def __init__(self, at, *drives):
        self.child = subprocess.Popen(options(at, drives) + ['-monitor', 'stdio'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=at.path)
        self.said = self.child.stdout.readline()    # its greeting: it is up

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.child.communicate('quit\n', timeout=TIMEOUT)


def qemu_io(at, *arguments):
    p = subprocess.run(['qemu-io', *arguments, '-c', 'read 0 512'], capture_output=True, text=True, timeout=TIMEOUT, check=False, cwd=at.path)
    return p.returncode, p.stdout + p.stderr


class Qemu:
    """qemu-io has this image open until it is left."""

    def __init__(self, at, *arguments):
        self.child = subprocess.Popen(['qemu-io', *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=at.path)
        self.child.stdin.write('read 0 512\n')
        self.child.stdin.flush()
        while self.child.poll() is None and 'ops' not in (line := self.child.stdout.readline()) and line:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.child.communicate('quit\n', timeout=TIMEOUT)


def lock_pairs(at, kind):
    """An image in use by one program, and what the other one says of it."""
    drive = 'if=none,id=d,format=%s,file=%s' % (kind, kind)
    busy, shared = 'Failed to get "write" lock', 'Failed to get shared "write" lock'
    with Held(at, '-drive', drive):
        status, said = qemu_io(at, '-f', kind, kind)
        check(status and busy in said, kind + '-written-by-cede: QEMU writes', said)
        status, said = qemu_io(at, '-r', '-f', kind, kind)
        if kind == 'qcow2':     # qemu-io lets others write a raw image that it reads
            check(status and shared in said, kind + '-written-by-cede: QEMU reads', said)
        status, said = qemu_io(at, '-r', '-U', '-f', kind, kind)
        check(not status, kind + '-written-by-cede: QEMU reads all the same (-U)', said)
        refused_with(at, kind + '-written-by-cede: cede', ('-drive', drive), busy, 1)
        refused_with(at, kind + '-written-by-cede: cede reads', ('-drive', drive + ',readonly=on'), shared, 1)
        status, _, err = run(at, ('-drive', drive + ',readonly=on,file.locking=off'))
        check(status == 0 and not err, kind + '-written-by-cede: cede reads all the same (file.locking=off)', err)
    with Held(at, '-drive', drive + ',readonly=on'):
        status, said = qemu_io(at, '-f', kind, kind)
        check(status and busy in said, kind + '-read-by-cede: QEMU writes', said)
        status, said = qemu_io(at, '-r', '-f', kind, kind)
        check(not status, kind + '-read-by-cede: QEMU reads', said)
        status, _, err = run(at, ('-drive', drive + ',readonly=on'))
        check(status == 0, kind + '-read-by-cede: cede reads', err)
    with Qemu(at, '-f', kind, kind):
        refused_with(at, kind + '-written-by-qemu: cede writes', ('-drive', drive), '"write" lock', 1)
        refused_with(at, kind + '-written-by-qemu: cede reads', ('-drive', drive + ',readonly=on'), shared, 1)
    with Qemu(at, '-r', '-f', kind, kind):
        status, _, err = run(at, ('-drive', drive + ',readonly=on'))
        check(status == 0, kind + '-read-by-qemu: cede reads', err)
        if kind == 'qcow2':
            refused_with(at, kind + '-read-by-qemu: cede writes', ('-drive', drive), busy, 1)
    status, said = qemu_io(at, '-f', kind, kind)
    check(not status, kind + '-free-again', said)


def locks():
    if not shutil.which('qemu-io'):
        skip('qemu-io is not installed')
    with Folder() as at:
        make(at('raw'))
        lock_pairs(at, 'raw')
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', at('qcow2'), '1M'], check=True)
        lock_pairs(at, 'qcow2')


# ---- Monitors ----

def monitor():
    """Media that change, sizes, and what there is to see."""
    with Folder() as at:
        make(at('a'))
        make(at('other one'), 2 * MIB)
        drives = ('-drive', 'if=none,id=d,format=raw,file=a', '-drive', 'if=none,id=e,media=cdrom')
        _, out, _ = run(at, drives, 'info block\ninfo block -v d\ninfo block nope\ninfo blockstats\nquit\n')
        check('d (#block100): a (raw)\n    Removable device: not locked, tray closed\n    Cache mode:       writeback\n\ne: [not inserted]\n' in out, 'info-block', out)
        check('image: a\nfile format: raw\nvirtual size: 1 MiB (1048576 bytes)\ndisk size: 0 B\n' in out, 'info-block-v', out)
        check(out.count("Device 'nope' not found") == 1, 'info-block-of-nothing', out)
        _, swapped, _ = run(at, drives, 'info block d -v\nquit\n')
        check('image: a\nfile format: raw\n' in swapped, 'info-block-v-behind', swapped)
        check('d: rd_bytes=0 wr_bytes=0 rd_operations=0 wr_operations=0 flush_operations=0 ' in out, 'info-blockstats', out)
        lines = 'eject d\neject d\ninfo block d\nchange d "other one" raw\ninfo block -v d\nchange d nofile\nchange d a raw read-only\ninfo block d\nblock_resize d 2\nquit\n'
        _, out, _ = run(at, drives, lines)
        check('d: [not inserted]' in out and 'd (#block100): other one (raw)' in out and '2 MiB (2097152 bytes)' in out, 'change', out)
        check("Error: cannot open 'nofile'" in out and 'd (#block100): a (raw, read-only)' in out, 'change-fails', out)
        check("Error: cannot resize 'a': Permission denied" in out and os.path.getsize(at('a')) == MIB, 'resize-read-only', out)
        _, out, _ = run(at, drives, 'block_resize d 3\nblock_resize d 1x\nblock_resize d 99999999999999T\nblock_resize nope 1\nblock_resize e 1\neject\nquit\n')
        check(os.path.getsize(at('a')) == 3 * MIB, 'resize', os.path.getsize(at('a')))
        check(out.count('is no size') == 2 and "'nope' not found" in out and "'e' has no medium" in out and 'parameter expected' in out, 'resize-refused', out)


def returns(at):
    """A state that does not load leaves the disk as it was; cede's own name for that is nobody's."""
    if not shutil.which('qemu-img'):
        return
    subprocess.check_call(['qemu-img', 'create', '-q', '-f', 'qcow2', at('q'), '1M'])
    drive = ('-drive', 'if=none,id=q,file=q,format=qcow2', '-device', 'virtio-blk-pci,drive=q')
    _, out, err = run(at, drive, 'savevm cede-back\nsavevm x\nloadvm cede-back\nsavevm a b\nquit\n')
    check("'a b' is no name" in out and "'cede-back' is no name" in out and "'cede-back' does not exist" in out, 'name-of-the-way-back', out + err)
    run(at, drive, 'savevm a..b\nquit\n')
    with open(at('q'), 'r+b') as f:
        place = f.read().rindex(b'a..b')
        f.seek(place)
        f.write(b'a\x1b[b')
    _, out, err = run(at, drive, 'info snapshots\nquit\n')
    check('a?[b' in out and '\x1b' not in out, 'name-that-steers-terminals', repr(out + err))
    qemu_io(at, '-c', 'write -P 9 0 64k', 'q')
    refused_with(at, 'state-of-another-machine', (*drive, '-m', '512M', '-loadvm', 'x'), "snapshot 'x': section ram", 1)
    code, out = qemu_io(at, '-c', 'read -P 9 0 64k', 'q')
    check(code == 0 and 'failed' not in out, 'disk-as-it-was', out)
    check(b'cede-back' not in subprocess.check_output(['qemu-img', 'snapshot', '-l', at('q')]), 'no-way-back-is-left')


def snapshot():
    """-snapshot leaves the image and its folder alone; snapshot_blkdev leaves it below a new one."""
    with Folder() as at:
        make(at('a'))
        os.mkdir(at('tmp'))
        os.environ['TMPDIR'] = at('tmp')
        _, out, err = run(at, ('-drive', 'if=none,id=d,format=raw,file=a', '-snapshot'), 'info block\nsnapshot_blkdev d s\nquit\n')
        check('Backing file:     %s (chain depth: 1)' % at('a') in out and not err, 'snapshot=on', out + err)
        check('to be gone at the end' in out and not os.listdir(at('tmp')), 'nothing-is-left', out)
        os.environ['TMPDIR'] = at('nonesuch')
        refused_with(at, 'no-place', ('-drive', 'if=none,id=d,format=raw,file=a,snapshot=on'), 'nonesuch', 1)
        del os.environ['TMPDIR']
        returns(at)
        os.mkdir(at('below'))
        lines = 'snapshot_blkdev d below/s\ninfo block\nsnapshot_blkdev d t\ninfo block\nsnapshot_blkdev d nonesuch/u\ninfo block\nquit\n'
        _, out, err = run(at, ('-drive', 'if=none,id=d,format=raw,file=a'), lines)
        check(out.count('d (#block100): t (qcow2)') == 2, 'snapshot_blkdev', out + err)
        check('Backing file:     %s (chain depth: 1)' % at('a') in out and 'Backing file:     %s (chain depth: 2)' % at('below/s') in out, 'chain', out)
        check('Error: ' in out and 'nonesuch/u' in out, 'no-folder', out)
        _, out, err = run(at, ('-drive', 'if=none,id=d,file=t,format=qcow2'), 'snapshot_blkdev d nbd:localhost:1\nquit\n')
        check('it is no file' in out and not os.path.exists(at('nbd:localhost:1')), 'no-file-named-as-a-server', out + err)
        make(at('b'), head=b'other')
        _, out, err = run(at, ('-drive', 'if=none,id=d,file=t,format=qcow2', '-drive', 'if=none,id=e,file=b,format=raw'),
                          'snapshot_blkdev d ./t\nsnapshot_blkdev -n d t\nsnapshot_blkdev d below/s\nsnapshot_blkdev d b\ninfo block\nquit\n')
        check(out.count('on top of itself') == 2 and out.count('Failed to get "write" lock') == 2, 'not-over-one-in-use', out + err)
        check('d (#block100): t (qcow2)' in out and open(at('b'), 'rb').read(5) == b'other' and os.path.getsize(at('b')) == MIB, 'which-is-unchanged', out)
        if shutil.which('qemu-img'):
            said = json.loads(subprocess.check_output(['qemu-img', 'info', '--output=json', '--backing-chain', at('t')]))
            check([i['format'] for i in said] == ['qcow2', 'qcow2', 'raw'] and said[1]['backing-filename'] == at('a'), 'qemu-finds-it', said)


def qmp():
    commands = (
        ('query-block', {}), ('query-blockstats', {}), ('eject', {'device': 'nope'}), ('eject', {}), ('eject', {'device': 'd'}),
        ('blockdev-change-medium', {'id': 'd', 'filename': 'b', 'format': 'raw', 'read-only-mode': 'read-only'}), ('query-block', {}),
        ('block_resize', {'device': 'd', 'size': 1000}), ('block_resize', {'device': 'd'}), ('block_resize', {'device': 'd', 'size': -512}),
        ('blockdev-snapshot-sync', {'device': 'd', 'snapshot-file': 's', 'format': 'raw'}),
        ('blockdev-change-medium', {'id': 'd', 'filename': 'a', 'format': 'raw', 'read-only-mode': 'readonly'}),
        ('block_resize', {'node-name': '#block100', 'size': 3 * MIB}), ('quit', {}),
    )
    with Folder() as at:
        make(at('a'))
        make(at('b'))
        text = '{"execute": "qmp_capabilities"}\n' + ''.join(json.dumps({'execute': c, 'arguments': a}) + '\n' for c, a in commands)
        p = subprocess.run(options(at, ('-drive', 'if=none,id=d,format=raw,file=a')) + ['-qmp', 'stdio'], input=text, capture_output=True, text=True, timeout=TIMEOUT, check=False, cwd=at.path)
        said = [json.loads(line) for line in p.stdout.splitlines()]
        answers = [s for s in said if 'return' in s or 'error' in s][1:]
        value = [a.get('return', a.get('error')) for a in answers]
        check(len(answers) == len(commands), 'each-is-answered', p.stdout)
        check(value[0][0]['inserted']['file'] == 'a' and value[0][0]['inserted']['image']['virtual-size'] == MIB, 'query-block', value[0])
        check(value[1][0]['stats']['rd_operations'] == 0 and value[1][0]['device'] == 'd', 'query-blockstats', value[1])
        check(value[2]['class'] == 'DeviceNotFound' and value[3]['class'] == 'GenericError' and value[4] == {}, 'eject', value[2:5])
        check(value[5] == {} and value[6][0]['inserted']['file'] == 'b' and value[6][0]['inserted']['ro'], 'change', value[5:7])
        check(all('desc' in v for v in value[7:12]), 'refused', value[7:12])
        check('Permission denied' in value[12]['desc'], 'by-the-name-of-its-node', value[12])


# ---- NBD ----

def nbd():
    """An image that qemu-nbd exports; and a server that says nothing, which a signal ends."""
    if not shutil.which('qemu-nbd'):
        skip('qemu-nbd is not installed')
    with Folder() as at:
        make(at('a'), MIB)
        server = subprocess.Popen(['qemu-nbd', '-t', '-k', at('socket'), '-f', 'raw', '-x', 'disk', at('a')])
        try:
            for _ in range(200):
                if os.path.exists(at('socket')) or threading.Event().wait(0.05):
                    break
            drive = 'nbd:unix:%s:exportname=disk' % at('socket')
            _, out, err = run(at, ('-drive', 'if=none,id=d,format=raw,file=' + drive), 'info block -v\nquit\n')
            if 'without libnbd' in err:
                skip('this cede was built without libnbd')
            check('1 MiB (1048576 bytes)' in out, 'exported', out + err)
            _, out, err = run(at, ('-drive', 'if=none,id=d,format=raw,file=nbd+unix:///disk?socket=' + at('socket')), 'info block -v\nquit\n')
            check('1 MiB (1048576 bytes)' in out, 'uri', out + err)
            _, out, err = run(at, ('-blockdev', 'driver=nbd,node-name=d,export=disk,server.type=unix,server.path=' + at('socket')), 'info block -v\nquit\n')
            check('1 MiB (1048576 bytes)' in out, 'blockdev', out + err)
            with socket.socket(socket.AF_UNIX) as silent:
                silent.bind(at('silent'))
                silent.listen()
                with subprocess.Popen(options(at, ('-drive', 'if=none,format=raw,file=nbd:unix:' + at('silent'))), stderr=subprocess.PIPE) as p:
                    silent.accept()
                    p.send_signal(signal.SIGTERM)
                    began = time.monotonic()
                    p.communicate(timeout=TIMEOUT)
                    check(time.monotonic() - began < 5 and p.returncode, 'silent-server', p.returncode)
            refused_with(at, 'no-such-export', ('-drive', 'if=none,format=raw,file=nbd:unix:%s:exportname=other' % at('socket')), 'cannot open', 1)
        finally:
            server.terminate()
            server.wait()


if __name__ == '__main__':
    main({'refuses': refuses, 'names': names, 'locks': locks, 'monitor': monitor, 'snapshot': snapshot, 'qmp': qmp, 'nbd': nbd})
