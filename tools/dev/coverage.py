#!/usr/bin/env python3
"""Prints how many lines of each source file were executed, after tests of a build with MODE=cov.

usage: coverage.py FOLDER COMPILER [-l]     FOLDER: where the build's objects are

-l  also the lines that never were

A line counts once, however many objects have it: those of headers and of tables are in several. The compiler says which
tool reads its counts.
"""
import collections
import glob
import os
import re
import subprocess
import sys

LINE = re.compile(r'\s*([^:]+):\s*(\d+):(.*)')
NEVER = ('#####', '=====')


def reader(compiler):
    """gcov, as the compiler's own."""
    words = [w for w in compiler.split() if os.path.basename(w) != 'ccache']
    said = subprocess.run([*words, '-print-prog-name=llvm-cov'], capture_output=True, text=True, check=False).stdout.strip()
    version = subprocess.run([*words, '--version'], capture_output=True, text=True, check=True).stdout
    return [said, 'gcov'] if 'clang' in version else ['gcov']


def read_counts(text):
    """(source, line, whether it was executed)."""
    source = None
    for count, line, rest in (m.groups() for m in map(LINE.match, text.splitlines()) if m):
        if line == '0':
            source = os.path.relpath(rest[len('Source:'):]) if rest.startswith('Source:') else source
        elif count != '-':
            yield source, int(line), count not in NEVER


def main():
    folder, compiler, lines = sys.argv[1], sys.argv[2], '-l' in sys.argv[3:]
    counts = sorted(glob.glob(folder + '/**/*.gcda', recursive=True))
    if not counts:
        sys.exit('coverage: nothing in %s was executed' % folder)
    gcov, sources = reader(compiler), collections.defaultdict(dict)
    for file in counts:
        p = subprocess.run([*gcov, '-t', file], capture_output=True, text=True, errors='replace', check=False)
        if p.returncode:
            sys.exit('coverage: %s: %s' % (file, p.stderr.strip()))
        for source, line, executed in read_counts(p.stdout):
            sources[source][line] = sources[source].get(line, False) or executed
    total = [0, 0]
    for source in sorted(sources):
        if source.startswith(('..', '/', 'tests/')):
            continue
        executed, there = sum(sources[source].values()), len(sources[source])
        total = [total[0] + executed, total[1] + there]
        print('%5.1f %%  %5d of %5d  %s' % (100 * executed / there, executed, there, source))
        if lines:
            print(''.join('                         %s:%d\n' % (source, n) for n, was in sorted(sources[source].items()) if not was), end='')
    print('%5.1f %%  %5d of %5d  all' % (100 * total[0] / total[1], *total))


main()
