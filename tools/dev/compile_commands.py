#!/usr/bin/env python3
"""Writes compile_commands.json: how each source is compiled, as `make -n` says it. Clangd and other tools read it.

usage: compile_commands.py FILE MAKE ARGUMENT...     MAKE ARGUMENT... prints the commands and executes none

A source that is compiled more than once (a guest's in both byte orders) is there once, as the first time. A command that
compiles several and links them is one entry for each. What only makes dependencies, links or remembers is left out.
"""
import json
import os
import shlex
import subprocess
import sys

SOURCES = ('.c', '.S')
LEFT_OUT = ('-MMD', '-MP', '-c')


def read_entry(words, source):
    """The command as one that compiles this source and no other."""
    kept = [w for i, w in enumerate(words) if i == 0 or (w not in LEFT_OUT and not w.startswith(('-Wl,', '-l')) and words[i - 1] != '-o'
                                                        and w != '-o' and not w.endswith(SOURCES + ('.o',)))]
    return {'directory': os.getcwd(), 'file': source, 'arguments': kept + ['-c', source]}


def read_commands(text):
    """Entries, by source."""
    entries = {}
    for line in text.replace('\\\n', ' ').splitlines():
        if ' -o ' not in line or not any(s in line for s in SOURCES):
            continue
        words = shlex.split(line)
        if os.path.basename(words[0]) == 'ccache':
            words = words[1:]
        for source in [w for w in words if w.endswith(SOURCES)]:
            entries.setdefault(source, read_entry(words, source))
    return entries


def main():
    # Not a recursion: no jobs to share, and nothing to say of that.
    p = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if p.returncode:
        sys.exit('compile_commands: %s' % p.stderr.strip())
    entries = read_commands(p.stdout)
    with open(sys.argv[1], 'w') as f:
        json.dump([entries[s] for s in sorted(entries)], f, indent=1)
        f.write('\n')


main()
