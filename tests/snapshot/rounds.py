"""A stream of a live migration: memory and hash page table come in several rounds, and what comes last counts.

QEMU writes such a stream while its guest runs; here it is made of cede's own, which has one round, so that what is stale in it is known.
"""
# needs: programs guest
import os
import re
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'linux')]
from console import CEDE, Folder, INITRD, KERNEL, check, main, need     # noqa: E402
from stream import END, FOOTER, PAGE, PART, Snapshot     # noqa: E402

SNAP = os.environ.get('B', 'build') + '/cede-snap'
FIXED = ('-M', 'ic-mode=xics', '-m', '256M', '-smp', '2', '-nodefaults', '-nographic', '-serial', 'stdio',
         '-rtc', 'base=2026-01-31T12:00:00', '-clock', 'warp')
MOST = 0xffff       # slots that one chunk can name
BLOCK = b'ppc_spapr.ram'


def run(*options):
    p = subprocess.run([CEDE, *FIXED, *options], stdin=subprocess.DEVNULL, capture_output=True, timeout=240)
    return p.returncode, p.stdout.decode('utf-8', 'replace'), p.stderr.decode('utf-8', 'replace')


def entries_of(data, part):
    """Index and 16 bytes of each entry in an END or PART of the table."""
    at, found = part[0] + 5 + 4, []
    while True:
        index, valid, invalid = struct.unpack_from('>IHH', data, at)
        at += 8
        if not valid and not invalid:
            return found
        found += [(index + i, data[at + 16 * i:at + 16 * i + 16]) for i in range(valid)]
        at += 16 * valid


def table_part(tag, ident, chunks):
    body = b''.join(struct.pack('>IHH', index, len(valid), invalid) + b''.join(valid) for index, valid, invalid in chunks)
    return struct.pack('>BI', tag, ident) + struct.pack('>I', 0) + body + bytes(8) + struct.pack('>BI', FOOTER, ident)


def memory_part(ident, pages):
    """Pages of a round; the first names its block, and all others go on with it."""
    body = []
    for i, (at, page) in enumerate(pages):
        flags = (0x08 if page else 0x02) | (0x20 if i else 0)
        body += [struct.pack('>Q', at | flags), b'' if i else bytes([len(BLOCK)]) + BLOCK, page or b'\0']
    return struct.pack('>BI', PART, ident) + b''.join(body) + struct.pack('>Q', 0x10) + struct.pack('>BI', FOOTER, ident)


def in_rounds(s):
    """The same machine: first the entries in wrong places and pages with other bytes; then no entry at all, in part chunk by chunk with
    what is there; then all as it is."""
    ram, table = s.section('ram'), s.section('spapr/htab')
    slots = 1 << (s.hpt_order - 4)
    found = entries_of(s.data, table.parts[-1])
    stale = {(index * 7 + 3) % slots: entry for index, entry in found}
    stale.update({index: b for (index, _), (_, b) in zip(found, found[1:])})
    first = [(index, [entry], 0) for index, entry in sorted(stale.items())]
    second, at = [], 0
    while at < slots:
        n = min(MOST, slots - at)
        second.append((at, [found[0][1]], n - 1) if n > 1 else (at, [], n))
        at += n
    there = dict(found)
    third = [(at, [], 1) for at, valid, _ in second if valid and at not in there]
    pages = [(at, b'\x55' * PAGE if at >> 12 & 1 else b'') for at in range(0, 16 << 20, PAGE)]
    more = memory_part(ram.ident, pages) + table_part(PART, table.ident, first) + \
        memory_part(ram.ident, pages[7:300]) + table_part(PART, table.ident, second) + table_part(PART, table.ident, third)
    at = min(section.parts[-1][0] for section in (ram, table))
    return s.data[:at] + more + s.data[at:], (len(first), len(second), len(third))


def last_counts():
    need(KERNEL, INITRD)
    with Folder() as at:
        status, _, err = run('-kernel', KERNEL, '-initrd', INITRD, '-append', 'console=hvc0 disable_radix quiet',
                             '-save', at('one') + '@1000000000,target=qemu,quit=on')
        check(status == 0 and os.path.exists(at('one')), 'saved', err)
        s = Snapshot(at('one'))
        check(s.hpt_entries > 1000 and len(s.hpt_rounds) == 1, 'one-round', (s.hpt_entries, s.hpt_rounds))
        data, counts = in_rounds(s)
        with open(at('several'), 'wb') as f:
            f.write(data)
        several = Snapshot(at('several'))
        check(len(several.hpt_rounds) == 4 and several.pages == s.pages, 'several-rounds', (counts, several.hpt_rounds))
        ends = []
        for name in 'one', 'several':
            check(subprocess.run([SNAP, 'verify', at(name)], capture_output=True).returncode == 0, 'cede-snap-reads-' + name)
            subprocess.run([SNAP, 'extract', at(name), 'ram', at('ram-' + name)], check=True, capture_output=True)
            status, _, err = run('-loadvm', at(name), '-save', at('end-' + name) + '@1200000000,quit=on')
            check(status == 0 and os.path.exists(at('end-' + name)), 'goes-on-from-' + name, (status, err))
            e = Snapshot(at('end-' + name))
            ends.append([e.data[a:b] for a, b in e.section('spapr/htab').parts])
        with open(at('ram-one'), 'rb') as f, open(at('ram-several'), 'rb') as g:
            check(f.read() == g.read(), 'the-same-ram')
        check(ends[0] == ends[1] and e.hpt_entries > 1000, 'the-same-table')
        # QEMU's stream has no time of day: that is the host's, which goes on.
        differs = subprocess.run([SNAP, 'diff', at('end-one'), at('end-several')], capture_output=True, text=True).stdout.splitlines()
        differs = [line for line in differs if not re.match('spapr/rtc 0: ns_offset|cede/clock 0: rtc_offset_ns|cede/checks 0: ', line)]
        check(not differs, 'the-same-state', differs[:5])


main({'last_counts': last_counts})
