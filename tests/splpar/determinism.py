#!/usr/bin/env python3
"""The same guest under the same pool: the same state, the same -dtl file and the same trace of hypercalls,
byte for byte; again, without what only newer hosts have, and in the sanitizer build.

usage: determinism.py; B and CEDE as in tests/run."""
# needs: programs guests
import hashlib
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import CEDE, check, skip      # noqa: E402

BUILD = os.environ.get('B', 'build')
RUNS = (
    ('splpar_dtl-le', '4', None, ''),
    ('splpar_dtl-be', '4,threads=2', 'procs=1', 'pool procs=1'),
    ('smt-be', '8,threads=4', None, ''),
    ('hash_crowd-be', '4', None, ''),
    ('smt-le', '8,threads=4', 'procs=1', 'pool procs=1'),
    ('splpar_vpa-le', '4', 'procs=2,load=bursty:0.5:11,chips=2', 'pool procs=2'),
    ('splpar_busy-be', '8,threads=2', 'procs=3,chips=3,mode=capped,entitlement=1.15,load=bursty:1.5:3,window=1ms', 'ms=60'),
    ('splpar_busy-le', '5', 'procs=2,chips=2,weight=64,load=bursty:0.7:99', 'ms=150'),
)


def digest(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()[:16]


def run(image, cpus, pool, append, program, env):
    """State hash, cycles, status; digests of log and trace; what the guest said."""
    with tempfile.TemporaryDirectory() as d:
        log, trace = os.path.join(d, 'log'), os.path.join(d, 'trace')
        p = subprocess.run([program, '-M', 'pseries', '-m', '256M', '-smp', cpus, '-nodefaults', '-nographic', '-serial', 'stdio',
                            '-clock', 'warp', '-rtc', 'base=2026-01-31T12:00:00', '-kernel', image, '-append', append, '-dtl', log,
                            '-d', 'statehash,hcall', '-D', trace] + (['-pool', pool] if pool else []),
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **env), check=False)
        state = re.search(r'statehash=\S+ cycles=\d+', p.stderr.decode())
        return (state.group(0) if state else p.stderr.decode()[-300:], p.returncode, digest(log), digest(trace),
                hashlib.sha256(p.stdout).hexdigest()[:16]), os.path.getsize(log), os.path.getsize(trace)


def split(image, cpus, pool, cycle):
    """The state at the end of a run that is saved at that cycle, and goes on in another process."""
    how = ['-M', 'pseries', '-m', '256M', '-smp', cpus, '-nodefaults', '-nographic', '-serial', 'null', '-clock', 'warp',
           '-rtc', 'base=2026-01-31T12:00:00', '-d', 'statehash'] + (['-pool', pool] if pool else [])
    with tempfile.TemporaryDirectory() as d:
        ends = []
        for more in (['-kernel', image, '-save', '%s/s@%d' % (d, cycle)], ['-loadvm', d + '/s']):
            p = subprocess.run([CEDE] + how + more, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            ends += re.findall(r'statehash=\S+ cycles=\d+', p.stderr.decode()) or [p.stderr.decode()[-300:]]
        return ends


def main():
    """And what the threads of a core have had of it is in a snapshot, wherever in a quantum that is."""
    for cycle in (12345677, 60001234, 99999999):
        image = '%s/tests/guest/smt-le.elf' % BUILD
        if os.path.exists(image):
            ends = split(image, '8,threads=4', 'procs=1', cycle)
            check(ends[0] == ends[-1] and 'cycles' in ends[0], 'saved-at-%d' % cycle, ends)
    for name, cpus, pool, append in RUNS:
        image = '%s/tests/guest/%s.elf' % (BUILD, name)
        if not os.path.exists(image):
            skip(image + ' was not built: no cross compiler?')
        label = '%s-%s' % (name, pool or 'dedicated')
        first, log, trace = run(image, cpus, pool, append, CEDE, {})
        check(first[1] == 0 and 'statehash' in first[0] and log > 200 and trace > 1000, label + '-runs', (first, log, trace))
        ways = [('again', CEDE, {}), ('baseline', CEDE, {'CEDE_HOST': 'baseline'})]
        if os.path.exists(BUILD + '/san/cede'):
            ways.append(('sanitizers', BUILD + '/san/cede', {}))
        for way, program, env in ways:
            other = run(image, cpus, pool, append, program, env)[0]
            check(other == first, '%s-%s' % (label, way), '%s, not %s' % (other, first))


main()
