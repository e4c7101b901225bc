#!/usr/bin/env python3
"""Writes what a libFuzzer target of files or texts starts from, made here and not kept.

usage: corpus.py NAME -w FOLDER"""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True         # nothing is written beside the sources
sys.path.insert(0, os.path.join(TOP, 'tests', 'dtl'))
sys.path.insert(0, os.path.join(TOP, 'tests', 'prof'))
import dtl_log          # noqa: E402
import made             # noqa: E402


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


def prof():
    """Small profiles, in each way of looking at them; and files with symbols."""
    ways = ['', '--top=0 --sort=all', '--sort=name', '--annotate=first', '--callgrind=-', '--folded=-', '--svg=-', '--json', '--compare', 'pipe --json', '--totals', '--pipeline=first',
            '--pipeline=first+4 --svg=- --rounds=3', '--pipeline=10000100 --timing=power10']
    for s, p in enumerate((made.sample(), made.sample(()), made.sample(events=('loads', 'stores', 'mispredicts'), per_core=24, per_cycle=77))):
        data = p.pack()
        for w, way in enumerate(ways):
            yield 'profile-%d-%d' % (s, w), way.encode() + b'\n' + data
    files = [b'0000000010000100 t mapped\n00000000100001fc D data\nffffffff00000000 W weak\n']
    for bits, big in ((64, False), (64, True), (32, False), (32, True)):
        files.append(made.elf([(0x10000100, 12, made.FUNC, 'alpha'), (0x10000500, 0, 2, 'local')], bits, big))
    for i, image in enumerate(files):
        yield 'symbols-%d' % i, b'symbols @%d --top=5\n' % len(data) + data + image
        yield 'moved-%d' % i, b'moved @%d --svg=-\n' % len(data) + data + image


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


def frames():
    """Frames that libslirp answers, or would if it were not restricted; large ones; each behind what is asked of the card."""
    def ether(kind, data):
        return b'\x52\x55\x0a\0\2\2\x52\x54\0\x12\x34\x56' + struct.pack('>H', kind) + data

    def total(data):
        words = sum(struct.unpack('>%dH' % (len(data) // 2), data[:len(data) & ~1]))
        while words >> 16:
            words = (words & 0xffff) + (words >> 16)
        return 0xffff ^ words

    def ip(protocol, data, to=b'\x0a\0\2\2'):
        head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(data), 1, 0, 64, protocol, 0, b'\x0a\0\2\x0f', to)
        return ether(0x800, head[:10] + struct.pack('>H', total(head)) + head[12:] + data)

    def udp(port, data, to=b'\x0a\0\2\2'):
        return ip(17, struct.pack('>HHHH', 68 if port == 67 else 4000, port, 8 + len(data), 0) + data, to)

    def tcp(flags, data):
        return ip(6, struct.pack('>HHIIBBHHH', 4001, 80, 1, 0, 0x50, flags, 8192, 0, 0) + data)
    dhcp = struct.pack('>4BI8x12x6s10x', 1, 1, 6, 0, 7, b'\x52\x54\0\x12\x34\x56').ljust(236, b'\0') + b'\x63\x82\x53\x63'
    here, all_nodes = bytes.fromhex('fe80000000000000505400fffe123456'), bytes.fromhex('ff020000000000000000000000000002')
    echo = struct.pack('>BBHHH', 8, 0, 0xf7ff - 1, 1, 0) + bytes(8)
    made_ = [ether(0x806, b'\0\1\10\0\6\4\0\1\x52\x54\0\x12\x34\x56\x0a\0\2\x0f' + bytes(6) + b'\x0a\0\2\2'),
             udp(67, dhcp + b'\x35\1\1\xff', b'\xff' * 4), udp(67, dhcp + b'\x35\1\3\x32\4\x0a\0\2\x0f\xff', b'\xff' * 4),
             udp(69, b'\0\1name\0octet\0blksize\x00512\0'), udp(69, b'\0\4\0\1'), udp(53, bytes(12)), ip(1, echo), tcp(2, b''), tcp(0x18, b'x' * 900),
             ether(0x86dd, struct.pack('>IHBB', 0x60000000, 8, 58, 255) + here + all_nodes + b'\x85' + bytes(7)),
             ether(0x86dd, struct.pack('>IHBB', 0x60000000, 32, 58, 255) + here + all_nodes + b'\x87' + bytes(23) + b'\1\1' + bytes(6))]
    for i, frame in enumerate(made_):
        for how in (bytes(9), struct.pack('<BHHHBB', 1, 34, 6, 0, 0, 0), struct.pack('<BHHHBB', 3, 34, 16, 100, 9, 1)):
            yield 'frame-%d-%d' % (i, how[0]), how + frame


def p9():
    """A client that does everything once, in each model; and each of its messages behind a mount."""
    def word(text):
        return struct.pack('<H', len(text)) + text.encode()

    def message(kind, fields='', *values):
        body = b''.join(word(v) if f == 's' else struct.pack('<' + {'b': 'B', 'w': 'H', 'd': 'I', 'q': 'Q'}[f], v) for f, v in zip(fields, values))
        return struct.pack('<HIBH', 7 + len(body), 7 + len(body), kind, 1) + body
    no = 0xffffffff
    begin = message(100, 'ds', 8192, '9P2000.L') + message(104, 'ddssd', 0, no, '', '', 0)
    each = [message(110, 'ddwsss', 0, 1, 3, 'a', 'b', 'c'), message(12, 'dd', 1, 2), message(24, 'dq', 1, 0x7ff), message(116, 'dqd', 1, 0, 100),
            message(118, 'dqds', 1, 3, 3, 'x'), message(26, 'dddddqqqqq', 1, 0x1ff, 0o644, 1, 1, 50, 1, 1, 1, 1), message(50, 'dd', 1, 0),
            message(52, 'dbdqqds', 1, 1, 0, 0, 0, 1, 'me'), message(54, 'dbqqds', 1, 1, 0, 0, 1, 'me'), message(110, 'ddw', 0, 2, 0),
            message(14, 'dsddd', 2, 'new', 2, 0o600, 0), message(16, 'dssd', 0, 'n', '../outside', 0), message(18, 'dsdddd', 0, 'm', 0o10600, 0, 0, 0),
            message(72, 'dsdd', 0, 'dir', 0o700, 0), message(110, 'ddws', 0, 3, 1, 'l'), message(22, 'd', 3), message(110, 'ddws', 3, 4, 1, 'f'),
            message(70, 'dds', 0, 2, 'link'), message(74, 'dsds', 0, 'dir', 0, 'moved'), message(20, 'dds', 2, 0, 'g'), message(110, 'ddw', 0, 5, 0),
            message(12, 'dd', 5, 0), message(40, 'dqd', 5, 0, 500), message(8, 'd', 0), message(110, 'ddws', 0, 6, 1, 'f'),
            message(32, 'dsqd', 6, 'user.a', 3, 0), message(118, 'dqdwb', 6, 0, 3, 0, 0), message(120, 'd', 6), message(30, 'dds', 2, 7, 'user.a'),
            message(30, 'dds', 2, 8, ''), message(116, 'dqd', 8, 0, 100), message(76, 'dsd', 0, 'moved', 0x200), message(110, 'ddws', 0, 9, 1, 'p'),
            message(12, 'dd', 9, 0), message(122, 'd', 2), message(108, 'w', 1), message(76, 'dsd', 0, '..', 0x200)]
    for model in range(4):
        yield 'all-%d' % model, bytes([model]) + begin + b''.join(each)
        for i, one in enumerate(each):
            yield 'one-%d-%d' % (model, i), bytes([model]) + begin + one


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


def qcow2():
    """Small images of each kind that qemu-img makes, with data, compressed, with a snapshot; one of our own if it is not there."""
    kinds = ['cluster_size=512', 'cluster_size=1k,compat=0.10', 'cluster_size=512,refcount_bits=1', 'cluster_size=4k,lazy_refcounts=on',
             'cluster_size=16k,extended_l2=on', 'cluster_size=1k,compression_type=zstd', 'cluster_size=2k,refcount_bits=64']
    table = struct.pack('>Q', 0x400).ljust(512, b'\0') + struct.pack('>4H', 1, 1, 1, 1).ljust(1024, b'\0')
    yield 'empty', b'\0' + struct.pack('>IIQIIQIIQQIIQQQQII', 0x514649fb, 3, 0, 0, 9, 65536, 0, 2, 0x600, 0x200, 1, 0, 0, 0, 0, 0, 4, 104).ljust(512, b'\0') + table
    if not shutil.which('qemu-img') or not shutil.which('qemu-io'):
        return
    with tempfile.TemporaryDirectory() as folder:
        raw, image = folder + '/raw', folder + '/image'
        with open(raw, 'wb') as f:
            f.write((b'some text ' * 4000)[:20000] + bytes(40000) + bytes(range(256)) * 8)
            f.truncate(96 << 10)
        for i, kind in enumerate(kinds):
            for how in ([], ['-c']):
                subprocess.run(['qemu-img', 'convert', '-q', '-f', 'raw', '-O', 'qcow2', '-o', kind, *how, raw, image], check=True)
                if 'bits=1' not in kind:
                    subprocess.run(['qemu-img', 'snapshot', '-c', 'one', image], check=True)
                subprocess.run(['qemu-io', '-c', 'write -P 1 3k 9k', '-c', 'write -z 40k 8k', image], check=True, stdout=subprocess.DEVNULL)
                with open(image, 'rb') as f:
                    yield 'made-%d%s' % (i, ''.join(how)), bytes([i]) + f.read()
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-u', '-b', 'below', '-F', 'raw', '-o', 'cluster_size=512', image, '64k'], check=True)
        with open(image, 'rb') as f:
            yield 'backing', b'\7' + f.read()


def main():
    name, _, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for path, data in globals()[name]():
        with open(os.path.join(folder, path), 'wb') as f:
            f.write(data)


if __name__ == '__main__':
    main()
