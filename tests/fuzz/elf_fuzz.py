#!/usr/bin/env python3
"""Kernels, initrds, firmware and options that mean harm, against the loader and the command line.

usage: elf_fuzz.py [-n TRIES] [-t SECONDS] [SEED]

Each try is refused with one line that begins "cede: " and status 1 or 2, or it starts to run;
what runs is ended by SIGTERM and must then end. No signal, no sanitizer's report, no second line.
The environment names the build folder (B), whose sanitized program is taken, or else a program (CEDE).
"""
import getopt
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

RUNS_AFTER = 0.15       # seconds after which a try counts as started; a sanitized build takes less
END_LIMIT = 20          # seconds that an ending may take
INTERESTING = [0, 1, 2, 3, 7, 0x1000, 0xfff, 0x10000, 1 << 28, (1 << 28) - 1, 1 << 31, (1 << 31) - 1, 1 << 32,
               (1 << 32) - 1, 1 << 60, 1 << 63, (1 << 63) - 1, (1 << 64) - 1, (1 << 64) - 4096, (1 << 64) - 0x400000]
BRANCH_SELF = 0x48000000
BASE32 = 0x4000000


def kernel(r):
    """A kernel that loads: one to three segments, an endless loop."""
# needs: $B/san/cede
    order = r.choice('<>')
    n = r.randint(1, 3)
    code = struct.pack('>I', BRANCH_SELF) * 4
    ident = bytes([0x7f]) + b'ELF' + bytes([2, 1 if order == '<' else 2, 1]) + bytes(9)
    header = struct.pack(order + 'HHIQQQIHHHHHH', r.choice([2, 3]), 21, 1, 0, 64, 0, 2, 64, 56, n, 0, 0, 0)
    segments = b''
    for i in range(n):
        at = i * 0x10000
        segments += struct.pack(order + 'IIQQQQQQ', 1, 5, 64 + 56 * n, at, at, len(code), len(code) + r.choice([0, 0x1000]), 16)
    return bytearray(ident + header + segments + code + bytes(r.randint(0, 200))), order


def kernel32(r):
    """The same in 32 bits, where it is linked."""
    n = r.randint(1, 3)
    code = struct.pack('>I', BRANCH_SELF) * 4
    data = bytes([0x7f]) + b'ELF' + bytes([1, 2, 1]) + bytes(9)
    data += struct.pack('>HHIIIIIHHHHHH', r.choice([2, 3]), 20, 1, BASE32, 52, 0, 0, 52, 32, n, 0, 0, 0)
    for i in range(n):
        at = BASE32 + i * 0x10000
        data += struct.pack('>IIIIIIII', 1, 52 + 32 * n, at, at, len(code), len(code) + r.choice([0, 0x1000]), 5, 16)
    return bytearray(data + code + bytes(r.randint(0, 200))), '>'


def mutate(r, data, order):
    for _ in range(r.choice([0, 1, 1, 1, 2, 3, 8])):
        kind = r.randrange(6)
        at = r.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[at] ^= 1 << r.randrange(8)
        elif kind == 1:
            del data[r.randrange(len(data) + 1):]
        elif kind == 2 and len(data) > 8:
            at = r.randrange(0, len(data) - 8) & ~7
            data[at:at + 8] = struct.pack(order + 'Q', (r.choice(INTERESTING) + r.randint(-8, 8)) % (1 << 64))
        elif kind == 3 and len(data) > 4:
            at = r.randrange(0, len(data) - 4) & ~3
            data[at:at + 4] = struct.pack(order + 'I', r.choice(INTERESTING) % (1 << 32))
        elif kind == 4 and len(data) > 120:
            # a field of a program header, where the checks are
            at = 64 + 8 * r.randrange(1, 7)
            data[at:at + 8] = struct.pack(order + 'Q', (r.choice(INTERESTING) + r.randint(-64, 64)) % (1 << 64))
        else:
            # more program headers, and a file that is long enough for them
            data[54:58] = struct.pack(order + 'HH', r.choice([56, 56, 56, 0, 55]), r.choice([0, 1, 2, 32, 33, 1000, 65535]))
            data += bytes(r.choice([0, 4096, 100000]))
    return data


OPTIONS = [
    ['-M', 'pseries'], ['-M', 'pseries,x-vof=on'], ['-M', 'pseries,vsmt=8'], ['-M', 'pseries,cap-cfpc=broken,ic-mode=xics'],
    ['-cpu', 'power9'], ['-smp', '4'], ['-smp', '4,threads=2'], ['-smp', 'cpus=2,cores=1,sockets=1,maxcpus=2'],
    ['-m', '512M'], ['-m', '1G'], ['-append', 'x' * 100], ['-serial', 'null'], ['-serial', 'none'], ['-rtc', 'base=utc'],
    ['-rtc', 'base=2020-01-01T00:00:00'], ['-device', 'spapr-vty,chardev=c0'], ['-device', 'virtio-net-pci'],
    ['-drive', 'if=pflash,file=/dev/null,format=raw'], ['-netdev', 'user,id=n0'], ['-name', 'fuzz'],
    ['-uuid', '12345678-1234-1234-1234-123456789abc'], ['-seed', '7'], ['-d', 'guest_errors,unimp'], ['-clock', 'warp'],
    ['-timing', 'flat'], ['-pool', 'procs=2,entitlement=0.5'], ['-no-reboot'], ['-nodefaults'], ['-append', ''],
]
PIECES = ['', ',', '=', '-1', '0', '18446744073709551616', '99999999999999999999', '%s%n', 'x' * 5000, ',,', '=,=', '1e9',
          '0x', ' ', '\x7f\xff', '4T', '4096G', 'on', 'off', ':', '@']


def options(r):
    """A few options of the command line, some of them spoilt."""
    words = []
    for _ in range(r.choice([0, 0, 1, 2, 4])):
        option = list(r.choice(OPTIONS))
        if len(option) > 1 and r.random() < 0.4:
            text = option[1]
            at = r.randint(0, len(text))
            option[1] = text[:at] + r.choice(PIECES) + text[at + r.randint(0, 3):]
        if r.random() < 0.02:
            option = option[:1]
        words += option
    return [w.replace('\0', '') for w in words]


def attempt(r, cede, folder):
    """None, or what is wrong; and the command line."""
    def store(name, data):
        path = os.path.join(folder, name)
        with open(path, 'wb') as f:
            f.write(data)
        return path

    argv = [cede, '-nodefaults', '-nographic', '-display', 'none']
    data, order = (kernel32 if r.random() < 0.3 else kernel)(r)
    argv += ['-kernel', store('kernel', mutate(r, data, order))]
    if r.random() < 0.4:
        path = store('initrd', b'')
        os.truncate(path, r.choice([0, 1, 4096, 1 << 20, (256 << 20) - 0x500000, 256 << 20, 1 << 33, 1 << 40])
                    if r.random() < 0.5 else r.randrange(1 << 28))
        argv += ['-initrd', path]
    if r.random() < 0.2:
        path = store('bios', r.randbytes(r.choice([0, 1, 0x100, 0x200])))
        os.truncate(path, r.choice([0, 1, 0x104, 4 << 20, (4 << 20) + 1, 1 << 40]))
        argv += ['-bios', path]
    argv += options(r)
    env = dict(os.environ, ASAN_OPTIONS='abort_on_error=0:detect_leaks=0')
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env,
                         cwd=folder)
    started = False
    try:
        err = p.communicate(timeout=RUNS_AFTER)[1]
    except subprocess.TimeoutExpired:
        # It runs, or it is slow: either way it must end when it is told to. Until the signals
        # are caught, SIGTERM ends it at once.
        started = True
        p.send_signal(signal.SIGTERM)
        try:
            err = p.communicate(timeout=END_LIMIT)[1]
        except subprocess.TimeoutExpired:
            p.kill()
            return 'hangs', argv, None
    text = err.decode('utf-8', 'replace')
    lines = [line for line in text.splitlines() if not line.startswith('cede: warning: ')]
    status = p.returncode
    if 'Sanitizer' in text or 'runtime error' in text:
        return 'sanitizer: ' + text[:2000], argv, None
    if started and status in (-signal.SIGTERM, 1):
        return None, argv, 'run'
    if status < 0:
        return 'signal %d' % -status, argv, None
    if status == 0 or status == 3:
        return None, argv, 'run'
    if status not in (1, 2):
        return 'status %d: %s' % (status, text[:200]), argv, None
    if len(lines) != 1 or not lines[0].startswith('cede: '):
        return 'status %d with %d lines: %s' % (status, len(lines), text[:300]), argv, None
    return None, argv, 'refused'


def main():
    flags, rest = getopt.gnu_getopt(sys.argv[1:], 'n:t:')
    flags = dict(flags)
    tries, seconds = int(flags.get('-n', 100)), float(flags.get('-t', 0))
    seed = int(rest[0]) if rest else 1
    cede = os.path.abspath(os.environ.get('B', 'build') + '/san/cede')
    if not os.path.exists(cede):
        cede = os.path.abspath(os.environ.get('CEDE', cede))
    if not os.path.exists(cede):
        print('skip: %s was not built' % cede)
        return 77
    start, failed, done = time.monotonic(), 0, 0
    count = {'run': 0, 'refused': 0}
    with tempfile.TemporaryDirectory(prefix='cede-fuzz-') as folder:
        while done < tries and not (seconds and time.monotonic() - start > seconds):
            wrong, argv, verdict = attempt(random.Random(seed + done), cede, folder)
            if wrong:
                print('FAIL seed %d: %s\n  %s' % (seed + done, wrong, ' '.join(w[:60] for w in argv[1:])))
                failed += 1
            else:
                count[verdict] += 1
            done += 1
    # An attack in which nothing is refused, or nothing loads, attacks nothing.
    if done >= 50 and not all(count.values()):
        print('FAIL one-sided: %s' % count)
        failed += 1
    print('%s %d tries from seed %d: %d ran, %d refused, %d failed'
          % ('FAIL' if failed else 'ok', done, seed, count['run'], count['refused'], failed))
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
