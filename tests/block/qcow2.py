"""The qcow2 driver beside qemu-img: images that either makes, the other reads, and both agree on what is in them.

usage: qcow2.py ops|made|chains|states|dirty|killed|crashes|stops|full [SEED]"""
# needs: $B/tests/unit/qcow2 $B/tests/unit/qcow2_stops
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get('B', 'build')
DRIVER = os.path.abspath(BUILD + '/tests/unit/qcow2')
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
MEMORY = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None      # nobody cuts the power here: a flush may be cheap
failed = 0

# Options of qemu-img create.
KINDS = ['', 'cluster_size=512', 'cluster_size=4k', 'cluster_size=2M', 'compat=0.10', 'compat=0.10,cluster_size=1k', 'refcount_bits=1',
         'refcount_bits=2', 'refcount_bits=4', 'refcount_bits=8,cluster_size=1k', 'refcount_bits=32', 'refcount_bits=64,cluster_size=512',
         'lazy_refcounts=on', 'extended_l2=on', 'extended_l2=on,cluster_size=16k', 'preallocation=metadata', 'preallocation=falloc,cluster_size=4k',
         'compression_type=zstd,cluster_size=8k']


def check(ok, name, detail=''):
    global failed
    failed += not ok
    print(('ok %s' if ok else 'FAIL %s: %s') % ((name,) if ok else (name, detail)), flush=True)
    return ok


def run(*args, **kw):
    p = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **kw)
    return p.returncode, p.stdout.decode('utf-8', 'replace')


def must(*args):
    status, text = run(*args)
    if status:
        raise SystemExit('FAIL %s: %s' % (' '.join(map(str, args)), text))
    return text


def create(name, size, options='', *more):
    must('qemu-img', 'create', '-q', '-f', 'qcow2', *(['-o', options] if options else []), *more, name, size)


def clean(name, what, allowed=(0,)):
    status, text = run('qemu-img', 'check', name)
    return check(status in allowed, what + ': qemu-img check', '%d: %s' % (status, text[-600:]))


def equal(a, b, what, *options):
    status, text = run('qemu-img', 'compare', *options, a, b)
    return check(status == 0, what + ': qemu-img compare', text[-300:])


def ops(name, model, seed, n, what):
    status, text = run(DRIVER, 'ops', name, model, seed, n)
    return check(status == 0, what, text[-600:])


def agree(name, model, what):
    """Image and what the driver thinks is in it, with each of its snapshots."""
    good = clean(name, what) and equal(name, model, what, '-F', 'raw')
    folder = os.path.dirname(model)
    for f in sorted(os.listdir(folder)):
        if f.startswith(os.path.basename(model) + '.'):
            state = f.rsplit('.', 1)[1]
            must('qemu-img', 'convert', '-l', 'snapshot.name=' + state, '-O', 'raw', name, folder + '/state.raw')
            with open(folder + '/state.raw', 'rb') as a, open(folder + '/' + f, 'rb') as b:
                good = check(a.read() == b.read(), '%s: snapshot %s' % (what, state)) and good
            os.unlink(folder + '/' + f)
    return good


def test_ops(folder):
    """Random requests to images of each kind, some with something below."""
    rng = random.Random(SEED)
    base = folder + '/base.raw'
    with open(base, 'wb') as f:
        f.write(rng.randbytes(3 << 20) + bytes(1 << 20) + rng.randbytes(512 * 777))
    for i, kind in enumerate(KINDS):
        name, model = folder + '/i.qcow2', folder + '/model'
        below = i % 2 and 'prealloc' not in kind
        create(name, '9M' if below else '%dk' % (9000 + 512 * (i % 3)), kind, *(['-b', base, '-F', 'raw'] if below else []))
        what = 'ops %s%s' % (kind or 'default', ' on base' if below else '')
        if ops(name, model, SEED * 100 + i, 400, what):
            agree(name, model, what)
        for f in os.listdir(folder):
            if f.startswith('model'):
                os.unlink(folder + '/' + f)


def test_made(folder):
    """Images that qemu-img and qemu-io wrote, compressed too: read, then written by us and judged."""
    rng = random.Random(SEED)
    raw, out = folder + '/raw', folder + '/out'
    words = [rng.randbytes(40) for _ in range(50)]
    with open(raw, 'wb') as f:
        for _ in range(400):
            f.write(rng.choice([bytes(20000), rng.randbytes(9000), b''.join(rng.choice(words) for _ in range(400))]))
        f.truncate(6 << 20)
    for kind in KINDS:
        if 'prealloc' in kind:
            continue
        for flags in [[], ['-c']]:
            name, what = folder + '/i.qcow2', 'made %s %s' % (kind, ' '.join(flags))
            must('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', *flags, *(['-o', kind] if kind else []), raw, name)
            status, text = run(DRIVER, 'copy', name, out)
            if check(status == 0, what + ': read', text):
                with open(raw, 'rb') as a, open(out, 'rb') as b:
                    check(a.read() == b.read(), what + ': contents')
            if ops(name, folder + '/model', SEED, 200, what + ': written'):
                agree(name, folder + '/model', what)
            for f in os.listdir(folder):
                if f.startswith('model'):
                    os.unlink(folder + '/' + f)


def test_chains(folder):
    """What is below: by folder, of other sizes, chains too long or into themselves, formats that nobody knows."""
    os.mkdir(folder + '/sub')
    base, mid, top = folder + '/base.raw', folder + '/sub/mid.qcow2', folder + '/top.qcow2'
    with open(base, 'wb') as f:
        f.write(random.Random(SEED).randbytes(1 << 20))
    must('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', '../base.raw', '-F', 'raw', mid, '512k')     # shows less of it
    must('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', 'sub/mid.qcow2', '-F', 'qcow2', top, '3M')   # and more than that
    must('qemu-io', '-c', 'write -P 7 100k 70k', mid)
    for name in (mid, top):
        status, text = run(DRIVER, 'copy', name, folder + '/out')
        if check(status == 0, 'chain: read', text):
            must('qemu-img', 'convert', '-O', 'raw', name, folder + '/want')
            with open(folder + '/out', 'rb') as a, open(folder + '/want', 'rb') as b:
                check(a.read() == b.read(), 'chain: contents of ' + os.path.basename(name))
    if ops(top, folder + '/model', SEED, 300, 'chain: written'):
        agree(top, folder + '/model', 'chain')
    must('qemu-img', 'rebase', '-q', '-u', '-b', 'top.qcow2', '-F', 'qcow2', top)
    for what, why in [('itself', 'more than 64'), ('json:{"driver":"raw"}', 'neither'), ('ssh://host/x', 'neither'), ('missing.qcow2', 'missing')]:
        if what != 'itself':
            must('qemu-img', 'rebase', '-q', '-u', '-b', what, '-F', 'qcow2', top)
        status, text = run(DRIVER, 'copy', top, folder + '/out')
        check(status == 1 and why in text and text.count('\n') == 1, 'chain: refused: ' + what, text)
    must('qemu-img', 'rebase', '-q', '-u', '-b', 'base.raw', '-F', 'vmdk', top)
    status, text = run(DRIVER, 'copy', top, folder + '/out')
    check(status == 1 and 'vmdk' in text, 'chain: refused: a format', text)


def raw_of(name, folder, state=None):
    must('qemu-img', 'convert', *(['-l', 'snapshot.name=' + state] if state else []), '-O', 'raw', name, folder + '/raw')
    with open(folder + '/raw', 'rb') as f:
        return f.read()


def test_states(folder):
    """Snapshots that qemu-img makes are returned to and deleted by us, and the other way round."""
    for kind in ['', 'compat=0.10', 'cluster_size=1k', 'extended_l2=on', 'refcount_bits=64']:
        name, model, what = folder + '/i.qcow2', folder + '/model', 'states ' + kind
        create(name, '6M', kind)
        must('qemu-io', '-c', 'write -P 1 0 1M', '-c', 'write -z 2M 1M', '-c', 'write -P 2 5000k 300k', name)
        must('qemu-img', 'snapshot', '-c', 'theirs', name)
        must('qemu-io', '-c', 'write -P 3 500k 1M', '-c', 'discard 5000k 128k', name)
        theirs, now = raw_of(name, folder, 'theirs'), raw_of(name, folder)
        status, text = run(DRIVER, 'state', name, 'keep', 'ours')
        check(status == 0, what + ': kept', text)
        text = must('qemu-img', 'snapshot', '-l', name)
        check(re.search(r'^1 +theirs ', text, re.M) and re.search(r'^2 +ours +5 B 2023-11-14', text, re.M), what + ': listed', text)
        clean(name, what + ': kept')
        must('qemu-io', '-c', 'write -P 9 0 6M', name)
        for state, want in [('theirs', theirs), ('ours', now), ('theirs', theirs)]:
            status, text = run(DRIVER, 'state', name, 'return', state)
            if check(status == 0, what + ': returned to ' + state, text):
                clean(name, what + ': returned')
                check(raw_of(name, folder) == want, '%s: returned to %s: contents' % (what, state))
        must('qemu-img', 'snapshot', '-a', 'ours', name)
        check(raw_of(name, folder) == now and clean(name, what + ': -a'), what + ': qemu-img returns to ours')
        status, text = run(DRIVER, 'state', name, 'machine', 'ours')
        check(status == 0 and 'hello' in text, what + ': state of the machine', text)
        status, text = run(DRIVER, 'state', name, 'delete', 'theirs')
        check(status == 0, what + ': deleted', text)
        clean(name, what + ': deleted')
        must('qemu-img', 'snapshot', '-d', 'ours', name)
        clean(name, what + ': qemu-img deletes ours')
        check(raw_of(name, folder) == now, what + ': contents are left')
        if ops(name, model, SEED, 100, what + ': written'):
            agree(name, model, what)
        for f in os.listdir(folder):
            os.unlink(folder + '/' + f)
    name = folder + '/i.qcow2'          # what the disk has now is damaged: hence the return
    create(name, '6M')
    must('qemu-io', '-c', 'write -P 1 0 1M', name)
    must('qemu-img', 'snapshot', '-c', 's', name)
    must('qemu-io', '-c', 'write -P 2 0 2M', name)
    with open(name, 'r+b') as f:
        f.seek(40)
        f.seek(int.from_bytes(f.read(8), 'big'))
        f.seek((int.from_bytes(f.read(8), 'big') & (1 << 56) - 512) + 8 * 20)
        f.write((1 << 63 | 0x123400).to_bytes(8, 'big'))
    status, text = run(DRIVER, 'state', name, 'return', 's')
    check(status == 0, 'states: returned from what is damaged', text)
    clean(name, 'states: returned from what is damaged', (0, 3))
    check(raw_of(name, folder) == b'\1' * (1 << 20) + bytes(5 << 20), 'states: returned from what is damaged: contents')


def test_dirty(folder):
    """Left by a program that was killed before it wrote its refcounts; marked corrupt; features that are new."""
    for kind in ['lazy_refcounts=on', 'lazy_refcounts=on,cluster_size=512', 'lazy_refcounts=on,refcount_bits=1,cluster_size=4k']:
        name, what = folder + '/i.qcow2', 'dirty ' + kind
        create(name, '9M', kind)
        status, text = run('qemu-io', '-c', 'write -P 5 100k 5M', '-c', 'flush', '-c', 'abort', name, cwd=folder)
        want = raw_of(name, folder)
        status, text = run('qemu-img', 'check', name)
        if not check(status == 2, what + ': there is something to mend', text[-200:]):
            continue
        status, text = run(DRIVER, 'copy', name, folder + '/out')
        check(status == 0, what + ': read as it is', text)
        status, text = run(DRIVER, 'state', name, 'touch', '-')
        check(status == 0, what + ': opened for writing', text)
        clean(name, what)
        check('dirty' not in must('qemu-img', 'info', name).replace('dirty flag: false', ''), what + ': not dirty any more')
        check(raw_of(name, folder) == want, what + ': contents')
        if ops(name, folder + '/model', SEED, 100, what + ': written'):
            agree(name, folder + '/model', what)
        os.unlink(name)
    create(folder + '/i.qcow2', '9M')
    with open(folder + '/i.qcow2', 'r+b') as f:
        f.seek(72)
        f.write(bytes([0, 0, 0, 0, 0, 0, 0, 2]) + bytes(8) + bytes([0, 0, 0, 0, 0, 0, 1, 1]))
    status, text = run(DRIVER, 'copy', folder + '/i.qcow2', folder + '/out')
    check(status == 0, 'corrupt: read', text)
    status, text = run(DRIVER, 'state', folder + '/i.qcow2', 'touch', '-')
    check(status == 1 and 'marked corrupt' in text, 'corrupt: not written', text)
    with open(folder + '/i.qcow2', 'r+b') as f:
        f.seek(79)
        f.write(bytes([0]))
    status, text = run(DRIVER, 'state', folder + '/i.qcow2', 'touch', '-')
    with open(folder + '/i.qcow2', 'rb') as f:
        check(status == 0 and f.read(96)[88:] == bytes(8), 'autoclear bits are cleared', text)


def test_killed(folder):
    """Killed at any moment: what was flushed is there, and nothing is wrong but leaks."""
    rng = random.Random(SEED)
    for i in range(30):
        name, what = folder + '/i.qcow2', 'killed %d' % i
        kind = KINDS[i % len(KINDS)]
        create(name, '24M', '' if 'prealloc' in kind else kind)
        if 'refcount_bits=1' != kind and i % 3 == 2:        # all is shared with a snapshot
            must('qemu-io', '-c', 'write -z 0 24M', '-c', 'write -P 0 0 8M', name)
            must('qemu-img', 'snapshot', '-c', 's', name)
        with subprocess.Popen([DRIVER, 'forever', name, str(i)], stdout=subprocess.PIPE) as p:
            time.sleep(rng.uniform(0.01, 0.3))
            p.kill()
            done = p.stdout.read().split()
        if not check(not [w for w in done if not w.isdigit()], what + ': ran', done[-20:]):
            continue
        status, text = run(DRIVER, 'proven', name, i, len(done))
        check(status == 0, '%s: %d flushes, %s' % (what, len(done), kind or 'default'), text[-300:])
        clean(name, what, (0, 3))
        if i % 5 == 0:
            check(run('qemu-img', 'check', '-r', 'leaks', name)[0] == 0, what + ': leaks are mended')
        os.unlink(name)


def test_crashes(folder):
    """As test_killed, on a disk that forgets some of what was written since its last flush, or after a given write."""
    made, name = folder + '/made.qcow2', folder + '/left.qcow2'
    for i in range(90):
        kind = KINDS[i // 2 % len(KINDS)]
        what = 'crash %d %s' % (i, kind or 'default')
        if 'prealloc' not in kind:
            create(made, '16M', kind)
            if kind != 'refcount_bits=1' and i % 6 < 2:     # all is shared with a snapshot
                must('qemu-io', '-c', 'write -z 0 16M', '-c', 'write -P 0 0 8M', made)
                must('qemu-img', 'snapshot', '-c', 's', made)
            seed = SEED * 1000 + i
            status, flushes = run(DRIVER, 'crash', made, name, seed)
            if check(status == 0, what + ': ran', flushes):
                status, text = run(DRIVER, 'proven', name, seed, flushes.strip())
                check(status == 0, '%s: %s flushes' % (what, flushes.strip()), text[-300:])
                clean(name, what, (0, 3))


STOPS = ['keep', 'return', 'delete', 'write', 'full-delete', 'full-keep', 'thin-keep', 'thin-return']


def with_states(name, kind):
    """Two snapshots, of which one has the state of a machine; the disk has been written since."""
    create(name, '3M', kind)
    must('qemu-io', '-c', 'write -P 1 0 1M', '-c', 'write -z 1100k 64k', '-c', 'write -P 2 2000k 300k', name)
    must(DRIVER, 'state', name, 'keep', 's')
    must('qemu-io', '-c', 'write -P 3 700k 600k', name)
    must('qemu-img', 'snapshot', '-c', 't', name)
    must('qemu-io', '-c', 'write -P 4 100k 200k', '-c', 'discard 2000k 128k', name)


def test_stops(folder):
    """Stopped before each write in turn of what changes much at once, or when the host has no more pages: the image is whole,
    and so are its snapshots."""
    kinds = [k for k in KINDS if 'prealloc' not in k and k != 'refcount_bits=1']
    name, left = folder + '/i.qcow2', folder + '/left'
    whole = SEED > 1
    for i, kind in enumerate(kinds if whole else ['', 'cluster_size=512', 'compat=0.10']):
        with_states(name, kind)
        for step in STOPS + (['grow'] if whole and kind == 'cluster_size=512' else []):
            if step == 'grow':
                create(name, '16M', kind)
            for seed in range(8) if whole else (2 * i + STOPS.index(step) % 2,):
                what = 'stops %s %s %d' % (step, kind or 'default', seed)
                os.mkdir(left)
                status, text = run(DRIVER + '_stops', name, left, step, seed)
                check(status == 0, '%s: %s' % (what, text.strip()), text)
                for f in sorted(os.listdir(left))[::1 if whole else 5]:     # the checker of qcow2_stops has seen each
                    status, text = run('qemu-img', 'check', left + '/' + f)
                    if status not in (0, 3):
                        check(False, '%s: qemu-img check of %s' % (what, f), text[-300:])
                        break
                shutil.rmtree(left)
        os.unlink(name)


# Options, bytes that an L2 table tells of.
FULL = [('', 512 << 20), ('cluster_size=512', 32 << 10), ('cluster_size=4k', 2 << 20), ('compat=0.10', 512 << 20),
        ('extended_l2=on', 256 << 20), ('cluster_size=1k,refcount_bits=64', 128 << 10)]
ROOM = 3 << 20                  # bytes


def fill(folder, name, where, seed):
    """The driver writes until its place is full: exit status, text. None: there is no such place here."""
    limit, size = 1 << 40, os.path.getsize(name)
    if where == 'limit':
        return run(DRIVER, 'full', name, seed, size + ROOM)
    if where == 'export':
        os.truncate(name, size + ROOM)
        socket = folder + '/socket'
        with subprocess.Popen(['qemu-nbd', '-k', socket, '-f', 'raw', '-t', name]) as server:
            while server.poll() is None and not os.path.exists(socket):
                time.sleep(0.02)
            result = run(DRIVER, 'full', 'nbd:unix:' + socket, seed, limit)
            server.terminate()
        return None if 'without libnbd' in result[1] else result
    disk = folder + '/disk'
    os.makedirs(disk, exist_ok=True)
    script = 'mount -t tmpfs -o size=%d none %s || exit 77\n' % (size + ROOM, disk)
    script += 'cp --sparse=always %s %s/i && %s full %s/i %d %d; s=$?; cp %s/i %s; exit $s' % (name, disk, DRIVER, disk, seed, limit, disk, name)
    result = run('unshare', '-rm', 'sh', '-c', script)
    return None if result[0] == 77 or 'unshare' in result[1] else result


def test_full(folder):
    """A file that may grow no further, an export that never does, a host's disk without room: what was said to be written
    is there, flushes are done, what is given up gives room, and a return that finds none leaves all as it was."""
    name = folder + '/i.qcow2'
    for i, (kind, span) in enumerate(FULL):
        for state in (False, True):
            for where in ('limit', 'export', 'disk'):
                what = 'full %s %s%s' % (where, kind or 'default', ' with a snapshot' if state else '')
                size = 2048 * span
                create(name, size, kind)
                if state:
                    must('qemu-io', '-c', 'write -P 1 0 40k', '-c', 'write -P 2 %d 8k' % (size // 2), name)
                    must(DRIVER, 'state', name, 'keep', 's')
                result = fill(folder, name, where, SEED + i)
                if not result:
                    print('skip %s' % what)
                    continue
                check(result[0] == 0, '%s: %s' % (what, result[1].strip()), result[1][-300:])
                if where != 'disk':     # there a flush may free pages enough
                    check('returned' not in result[1], what + ': no room to return', result[1])
                clean(name, what)
                if state:
                    must('qemu-img', 'snapshot', '-a', 's', name)
                    text = must('qemu-io', '-r', '-c', 'read -P 1 0 40k', '-c', 'read -P 2 %d 8k' % (size // 2), name)
                    check('failed' not in text, what + ': the snapshot', text)


def main(what):
    if not shutil.which('qemu-img') or not shutil.which('qemu-io'):
        print('skip: qemu-utils is not installed')
        return 77
    with tempfile.TemporaryDirectory(prefix='cede-qcow2-', dir=MEMORY) as folder:
        globals()['test_' + what](folder)
    return 1 if failed else 0


sys.exit(main(sys.argv[1]))
