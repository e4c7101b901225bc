"""The qcow2 driver beside qemu-img: images that either makes, the other reads, and both agree on what is in them.

usage: qcow2.py ops|made|chains|states|killed [SEED]"""
# needs: tests/unit/qcow2
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


def main(what):
    if not shutil.which('qemu-img') or not shutil.which('qemu-io'):
        print('skip: qemu-utils is not installed')
        return 77
    with tempfile.TemporaryDirectory(prefix='cede-qcow2-', dir=MEMORY) as folder:
        globals()['test_' + what](folder)
    return 1 if failed else 0


sys.exit(main(sys.argv[1]))
