"""How long from exec to the guest's first instructions, for a guest of 4 GiB: mapped layout and stream.

usage: restore.py [MEMORY [TIMES]]

The guest goes on for 100 cycles and then is to be saved where no folder is, which ends cede: so the
figures hold its end too."""
import os
import statistics
import subprocess
import sys
import tempfile
import time

CEDE = os.environ.get('CEDE', 'build/cede')
GUEST = os.environ.get('GUEST', 'build/guest')


def main(memory='4G', times='9'):
    machine = [CEDE, '-m', memory, '-smp', '1', '-nodefaults', '-nographic', '-serial', 'null', '-clock', 'warp']
    with tempfile.TemporaryDirectory(prefix='cede-restore-') as at:
        files = {'mapped': ',layout=mapped', 'stream': ''}
        saves = [x for f, how in files.items() for x in ('-save', '%s/%s@900000000%s' % (at, f, how))]
        subprocess.run(machine + ['-kernel', GUEST + '/vmlinux', '-initrd', GUEST + '/initrd.gz', '-append', 'console=hvc0 quiet',
                                  *saves, '-save', at + '/end@900000001,quit=on'], stdin=subprocess.DEVNULL, check=True)
        os.mkdir(at + '/none')      # no file: nothing is written
        for f in files:
            took = []
            for _ in range(int(times)):
                start = time.monotonic()
                p = subprocess.run(machine + ['-loadvm', at + '/' + f, '-save', at + '/none@900000100,quit=on'],
                                   stdin=subprocess.DEVNULL, capture_output=True)
                took.append(1000 * (time.monotonic() - start))
                assert p.returncode == 1 and b'none' in p.stderr, p.stderr
            print('%-7s %s guest: exec to the first instructions %7.1f ms (median of %s; best %.1f, worst %.1f)' %
                  (f, memory, statistics.median(took), times, min(took), max(took)))


main(*sys.argv[1:])
