"""Snapshots of each model of processor, with its registers and watchpoints: gone on from, and refused by another model."""
# needs: programs guests
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'linux'))
from console import CEDE, Folder, check, main, skip     # noqa: E402

GUESTS = os.path.join(os.environ.get('B', 'build'), 'tests/guest')
BARE = ('-m', '256M', '-nodefaults', '-nographic', '-serial', 'stdio', '-d', 'statehash', '-rtc', 'base=2026-01-31T12:00:00')
AS_POWER9 = ('-M', 'max-cpu-compat=power9', '-append', 'power9')     # the first two say what machine it is
RUNS = (
    ('power8', 'sprs-be', ()), ('power9', 'sprs-be', ()), ('power10', 'sprs-be', ()), ('power10', 'sprs-be', AS_POWER9),
    ('power9', 'watch-be', ()), ('power10', 'watch-be', ()),
)


def run(*options):
    p = subprocess.run([CEDE, *BARE, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def end_of(err):
    m = re.search(r'statehash=(\w+) cycles=(\d+)', err)
    return (m[1], int(m[2])) if m else ('none: ' + err, 0)


def kernel(name):
    path = os.path.join(GUESTS, name + '.elf')
    if not os.path.exists(path):
        skip(path + ' was not built: no cross compiler?')
    return path


def go_on():
    """Saved at any cycle and gone on from, a run ends as if nobody had saved it."""
    with Folder() as folder:
        for model, program, options in RUNS:
            options = ('-cpu', model, *options)
            whole = run(*options, '-kernel', kernel(program))
            cycles = end_of(whole[2])[1]
            for part in (1, 3, 5, 7, 9):
                cut = cycles * part // 10
                run(*options, '-kernel', kernel(program), '-save', '%s@%d' % (folder('s'), cut))
                rest = run(*options[:4], '-loadvm', folder('s'))
                check(rest[0] == 0 and end_of(rest[2]) == end_of(whole[2]),
                      '%s-%s-%d' % (model if '-M' not in options else 'as-power9', program, cut), (end_of(whole[2]), rest))


def refused():
    """By another model, and where it cannot appear as what the guest agreed on."""
    with Folder() as folder:
        # A POWER8 has XICS alone, and a machine with XIVE is refused for that first.
        run('-cpu', 'power9', '-M', 'ic-mode=xics', '-kernel', kernel('sprs-be'), '-save', folder('nine') + '@20000')
        run('-cpu', 'power10', '-kernel', kernel('sprs-be'), '-save', folder('ten') + '@20000')
        run('-cpu', 'power10', *AS_POWER9, '-kernel', kernel('sprs-be'), '-save', folder('as-nine') + '@20000')
        board = {'nine': ('-M', 'ic-mode=xics'), 'ten': (), 'as-nine': AS_POWER9[:2]}
        for model, name, what in (('power10', 'nine', 'power9'), ('power8', 'nine', 'power9'), ('power9_v2.2', 'nine', 'power9'),
                                  ('power9', 'ten', 'power10'), ('power9', 'as-nine', 'power10')):
            status, _, err = run('-cpu', model, *board[name], '-loadvm', folder(name))
            lines = err.strip().splitlines()
            check(status == 1 and len(lines) == 1 and re.search(r'is of %s \(PVR 0x[0-9a-f]{8}\), and this is %s \(-cpu\)' % (what, model),
                                                                err), '%s-on-%s' % (name, model), (status, err))

        # A program of ours agrees on nothing.
        status, _, err = run('-kernel', kernel('asleep-be'), '-clock', 'warp', '-save', folder('q') + '@20000,target=qemu,quit=on')
        check(status == 1 and 'its guest has not agreed with its firmware yet' in err, 'no-agreement', (status, err))


main({'go_on': go_on, 'refused': refused})
