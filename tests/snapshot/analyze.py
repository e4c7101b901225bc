"""QEMU's stream analyser on every kind of stream that cede writes, and on one of QEMU's to know what it says of that:
status 0, nothing on standard error, and all sections of the file in what it prints.

usage: analyze.py PATH/analyze-migration.py; run by analyze.sh"""
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'linux')]
from bare import AREAS, COMBINATIONS, REGISTER, assemble, cross_tools     # noqa: E402
from console import CEDE, INITRD, KERNEL, check, need     # noqa: E402
from stream import Snapshot     # noqa: E402

SNAP = os.environ.get('B', 'build') + '/cede-snap'
QEMU = 'qemu-system-ppc64'
BOARD = 'pseries-7.2,ic-mode=xics'
bad = 0


def fact(ok, name, detail=''):
    global bad
    bad += not check(ok, name, detail)
    return ok


def run(argv, **kw):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, **kw)
    return p.returncode, p.stdout.decode('utf-8', 'replace'), p.stderr.decode('utf-8', 'replace')


def cede(*options, cpus='1', kernel=True):
    argv = [CEDE, '-M', BOARD, '-smp', cpus, '-m', '256M', '-nodefaults', '-nographic', '-serial', 'null', '-clock', 'warp',
            '-rtc', 'base=2026-01-31T12:00:00']
    argv += ['-kernel', KERNEL, '-initrd', INITRD, '-append', 'console=hvc0'] if kernel else []
    status, _, errors = run(argv + list(options))
    fact(status == 0 and not errors, 'cede-' + '-'.join(options[-1].split(',')[1:]), errors)


def analyze(analyzer, path, name):
    """All sections by name and number, as another reader finds them."""
    status, out, errors = run([sys.executable, '-W', 'ignore', analyzer, '-f', path])
    if not fact(status == 0 and not errors, name + '-is-read', errors[-400:]):
        return
    got = set(json.loads(out))
    want = {'%s (%d)' % (s.name, s.ident) for s in Snapshot(path).sections}
    fact(want <= got, name + '-all-of-%d-sections' % len(want), want - got)


def convert(at, name, out, how):
    status, _, errors = run([SNAP, 'convert', at(name), at(out), how])
    return fact(status == 0, 'convert-%s-%s' % (name, how), errors)


def bare(at, analyzer):
    tools = cross_tools()
    for name, which in COMBINATIONS.items():
        assemble(at, AREAS % ''.join(REGISTER % w for w in which), tools)
        for cpus in '1', '2', '4':
            cede('-bios', at('a.bin'), '-save', at('s') + '@1000000,quit=on', cpus=cpus, kernel=False)
            analyze(analyzer, at('s'), 'areas-%s-%s' % (name, cpus))


def linux(at, analyzer, cpus):
    late = 1500000000           # at the shell, which waits: QEMU's save finds all processors interruptible
    saves = {'p': '', 'mapped': ',layout=mapped', 'zstd': ',compress=zstd', 'child': ',parent=' + at('p')}
    options = [x for n, how in saves.items() for x in ('-save', '%s@%d%s' % (at(n), late - 1000000 * (n == 'p'), how))]
    cede(*options, '-save', at('stream') + '@%d' % late, '-save', at('for-qemu') + '@%d,target=qemu' % late,
         '-save', at('end') + '@%d,quit=on' % (late + 2000000000), cpus=cpus)
    for name in 'stream', 'for-qemu':
        if fact(os.path.exists(at(name)), '%s-saved-%s' % (name, cpus)):
            analyze(analyzer, at(name), '%s-%s' % (name, cpus))
    for name in 'mapped', 'zstd', 'child':
        if convert(at, name, 'c', 'layout=stream'):
            analyze(analyzer, at('c'), '%s-converted-%s' % (name, cpus))
    if convert(at, 'mapped', 'c', 'target=qemu'):
        analyze(analyzer, at('c'), 'mapped-for-qemu-%s' % cpus)


def from_qemu(at, analyzer):
    """What QEMU writes itself is read in the same way."""
    line = 'migrate "exec:cat > %s"' % at('q')
    p = subprocess.Popen([QEMU, '-M', BOARD + ',x-vof=on', '-smp', '2', '-m', '256M', '-nodefaults', '-display', 'none', '-S',
                          '-monitor', 'stdio', '-kernel', KERNEL], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    p.communicate((line + '\nquit\n').encode(), timeout=120)
    status, _, errors = run([sys.executable, '-W', 'ignore', analyzer, '-f', at('q')])
    # 7.2's takes section numbers as signed, and QEMU describes them without a sign: its own iommu is one too many.
    if status and "KeyError: ('spapr_iommu', -" in errors:
        print('note: what QEMU itself writes is not read, as it has a PCI bridge: ' + errors.strip().splitlines()[-1])
    else:
        analyze(analyzer, at('q'), 'by-qemu')


def main():
    need(KERNEL, INITRD)
    analyzer = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix='cede-analyze-') as folder:
        def at(name):
            return os.path.join(folder, name)
        from_qemu(at, analyzer)
        bare(at, analyzer)
        for cpus in '1', '2', '4':
            linux(at, analyzer, cpus)
        with open(at('bad'), 'wb') as f:        # and it can say no
            f.write(open(at('for-qemu'), 'rb').read()[:-3000])
        fact(run([sys.executable, '-W', 'ignore', analyzer, '-f', at('bad')])[0] != 0, 'a-cut-file-is-not-read')
    print('%s' % ('FAIL %d facts' % bad if bad else 'ok every file'))
    sys.exit(bad != 0)


main()
