#!/usr/bin/env python3
"""Formats C sources as .clang-format says, and leaves alone what is aligned by hand.

usage: format.py [-n] [-v] [FILE...]     default: all .c and .h files, without those that .clang-format-ignore names

-n  change nothing: status 1 if anything would be
-v  with -n, show the lines

Blanks within a line are ours: tables, columns of macros, of members and of comments are aligned where that helps to read,
which clang-format can do everywhere or nowhere. So is what stands on one line together: members of an enumeration, of a
table, the parts of a choice; but no statement with its condition; and where a line stands that goes on with the one
before. Indentation of statements and the rest are clang-format's.
"""
# needs: nothing
import concurrent.futures
import difflib
import fnmatch
import os
import re
import shutil
import subprocess
import sys

TOPS = ('cpu', 'machine', 'hcall', 'firmware', 'savevm', 'tools', 'tests')
PROGRAM = 'clang-format-19'


def essence(line):
    """A line without what is aligned by hand."""
    body = line.lstrip('\t ')
    indent = line[:len(line) - len(body)].replace('        ', '\t')
    return indent + re.sub(r'\s', '', re.sub(r'\b(if|for|while|switch) \(', r'\1_(', body))


def text_of(lines):
    return re.sub(r'\s', '', ''.join(lines))


def is_ours(ours, theirs):
    """Whether our lines stay: clang-format breaks or joins lines that are no statement with a condition, or it moves text
    to or from other lines, which stay as they are."""
    return text_of(ours) != text_of(theirs) or (len(ours) != len(theirs)
                                                and not any(re.match(r'\s*(if|for|while|else|do|switch)\b.*;', line) for line in ours))


def goes_on(lines, n):
    """Whether line n goes on with what the line before it has begun: where it stands is ours, then."""
    before = re.sub(r'/\*.*\*/\s*$', '', lines[n - 1]).rstrip() if n else ''
    return bool(re.search(r'[,(\[{&|?:+*/<>="-]$', before)) or lines[n].lstrip()[:1] in ('"', '(', ':', '?')


def find_sources():
    with open('.clang-format-ignore') as f:
        ignored = [line.strip() for line in f if line.strip() and not line.startswith('#')]
    there = sorted(os.path.join(d, name) for top in TOPS for d, _, names in os.walk(top) for name in names if name.endswith(('.c', '.h')))
    return [f for f in there if not any(fnmatch.fnmatch(f, p) for p in ignored)]


def formatted(path):
    """(lines as they are, lines as they are to be)."""
    with open(path) as f:
        ours = f.read().splitlines()
    p = subprocess.run([PROGRAM, path], capture_output=True, text=True, check=False)
    if p.returncode:
        sys.exit('format: %s: %s' % (path, p.stderr.strip()))
    theirs, result = p.stdout.splitlines(), []
    match = difflib.SequenceMatcher(None, [essence(line) for line in ours], [essence(line) for line in theirs], False)
    for kind, i, j, k, m in match.get_opcodes():
        keep = kind == 'equal' or is_ours(ours[i:j], theirs[k:m])
        if not keep and j - i == m - k:
            result += [mine if mine.split() == its.split() and goes_on(ours, n) else its
                       for n, mine, its in zip(range(i, j), ours[i:j], theirs[k:m])]
        else:
            result += ours[i:j] if keep else theirs[k:m]
    return ours, result


def main():
    options = [w for w in sys.argv[1:] if w in ('-n', '-v')]
    files = [w for w in sys.argv[1:] if w not in options] or find_sources()
    if not shutil.which(PROGRAM):
        print('skip: no', PROGRAM)
        return 77
    count = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, (ours, result) in zip(files, pool.map(formatted, files)):
            changes = [line for line in difflib.unified_diff(ours, result, path, path, n=0, lineterm='')]
            changed = sum(line[:1] == '-' and line[:4] != '--- ' for line in changes)
            count += changed
            if '-n' in options and changes:
                print('%s %s: %d lines' % ('FAIL' if changed else 'ok', path, changed))
                print(*changes if '-v' in options else [], sep='\n', end='\n' if '-v' in options else '')
            elif changes:
                with open(path, 'w') as f:
                    f.write('\n'.join(result) + '\n')
    told = '%d lines %s, %d files' % (count, 'to be formatted' if '-n' in options else 'formatted', len(files))
    print('ok ' + told if '-n' in options and not count else told)
    return 1 if '-n' in options and count else 0


if __name__ == '__main__':
    sys.exit(main())
