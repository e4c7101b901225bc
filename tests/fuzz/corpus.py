#!/usr/bin/env python3
"""Writes what a libFuzzer target of files or texts starts from, made here and not kept.

usage: corpus.py NAME -w FOLDER"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True         # nothing is written beside the sources
sys.path.insert(0, os.path.join(TOP, 'tests', 'dtl'))
import dtl_log          # noqa: E402


def dtl():
    """Small logs, in each way of looking at them."""
    shapes = [dict(), dict(cpus=8, threads=8, procs=1), dict(cpus=2, procs=4, chips=2, loads=3)]
    ways = ['', '--transitions --csv', '--summary', '--histogram --load', '--json', '--svg --title=<&"', '--csv --from=1us --to=4ms',
            '--cpu=0-1 --longer-than=1us', '--reason=cede', 'pipe --summary', 'pipe --svg', '--memory --index=3 --threads=2', '--memory --csv --size=96']
    for s, shape in enumerate(shapes):
        log = dtl_log.simulate(s + 1, 0.01, **shape).bytes()
        for w, way in enumerate(ways):
            yield 'log-%d-%d' % (s, w), way.encode() + b'\n' + log
        yield 'log-%d-diff' % s, b'--diff @%d\n' % len(log) + log + log[:-64]
        yield 'log-%d-cut' % s, b'\n' + log[:-32]


def options():
    """The lines of unit/options, and each row of options.def with its own help for a value."""
    with open(os.path.join(TOP, 'tests', 'unit', 'options.c')) as f:
        lines = re.findall(r'"(-[^"]+)"', f.read())
    with open(os.path.join(TOP, 'machine', 'run', 'options.def')) as f:
        lines += ['-kernel K -%s %s' % row for row in re.findall(r'^OPT(?:_LATER)?\("([^"]+)",\s*\w+, "([^"]*)"', f.read(), re.M)]
    for i, line in enumerate(lines):
        yield 'line-%d' % i, ''.join(word + '\n' for word in line.split()).encode()


def scsi():
    """The commands of unit/scsi, behind one that takes the attention that a reset leaves."""
    with open(os.path.join(TOP, 'tests', 'unit', 'scsi.c')) as f:
        rows = re.findall(r'^\t+\{ "([0-9a-f ]+)", (\d+), (\d+), ', f.read(), re.M)

    def command(unit, cdb, out, room):
        data = bytes((0, 22, 0, 16)) + bytes(20) if out else b''
        log = max(out, room, 1).bit_length()
        cdb = bytes(int(byte, 16) for byte in cdb.split())[:16].ljust(16, b'\0')
        return bytes((unit, log | (0x40 if out else 0), 0xff)) + cdb + bytes((len(data),)) + data
    for i, (cdb, out, room) in enumerate(rows):
        for unit in range(3):
            yield 'row-%d-%d' % (i, unit), command(unit, '00', 0, 0) + command(unit, cdb, int(out), int(room))
            yield 'calm-%d-%d' % (i, unit), command(unit, '03 00 00 00 12', 0, 18) + command(unit, cdb, int(out), int(room))


def monitor():
    """Each command of both tables, alone and with something behind it."""
    names = {}
    for source in ('hmp', 'qmp'):
        with open(os.path.join(TOP, 'machine', 'monitor', source + '.c')) as f:
            names[source] = re.findall(r'\{ "([a-z_-]+)", ', f.read())
    for i, name in enumerate(names['hmp']):
        yield 'hand-%d' % i, ('h%s\n%s NAME\ninfo %s\nhelp\b\b\n' % (name, name, name)).encode()
    yield 'names', b'hdelvm a/b\ndelvm ../up\nloadvm /etc/x\nsavevm a/../b\nsavevm .\nmigrate "exec:true"\nmigrate -d tcp:a:1\n'
    hello = '{"execute": "qmp_capabilities"}'
    for i, name in enumerate(names['qmp']):
        call = '{"execute": "%s", "arguments": {"uri": "exec:cat", "command-line": "info cpus", "capabilities": ' \
               '[{"capability": "events", "state": true}]}, "id": [1, {"a": "\\ud83d\\ude00\\n"}, -1.5e3]}' % name
        yield 'program-%d' % i, ('q%s\n%s\n%s' % (hello, call, call.replace('"id"', '"x"'))).encode()


def main():
    name, _, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for path, data in globals()[name]():
        with open(os.path.join(folder, path), 'wb') as f:
            f.write(data)


if __name__ == '__main__':
    main()
