#!/usr/bin/env python3
"""The same hostile guests in two builds, optimised with tail calls and sanitized without: the same
states (DESIGN.md, invariant 3: on any host, any compiler).

usage: builds.py SEEDS [FIRST_SEED]; B names the build folder."""
# needs: $B/tests/guest_fuzz $B/san/tests/guest_fuzz
import os
import subprocess
import sys


def hashes(program, seeds, first):
    out = subprocess.run([program, '-p', '-n', seeds, first], stdout=subprocess.PIPE, check=False).stdout
    return [line for line in out.decode().splitlines() if line.startswith('seed ')]


def main():
    build = os.environ.get('B', 'build')
    programs = [build + '/tests/guest_fuzz', build + '/san/tests/guest_fuzz']
    seeds, first = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else '1'
    for program in programs:
        if not os.path.exists(program):
            print('skip: %s was not built' % program)
            return 77
    a, b = (hashes(program, seeds, first) for program in programs)
    bad = [pair for pair in zip(a, b) if pair[0] != pair[1]]
    for pair in bad[:10]:
        print('FAIL %s in one build, %s in the other' % pair)
    if len(a) != int(seeds) or len(a) != len(b):
        print('FAIL %d and %d of %s seeds passed' % (len(a), len(b), seeds))
        return 1
    print('%s %d states are the same' % ('FAIL only' if bad else 'ok', len(a) - len(bad)))
    return bool(bad)


if __name__ == '__main__':
    sys.exit(main())
