"""What Debian's kernel makes of each model of processor, and of one that appears as an older one. Judge: what the same kernel says under
QEMU 7.2 and 10.0."""
# needs: programs guest
# needs [debugger]: programs guest linux-programs
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import INITRD, KERNEL, Folder, check, linux, main, need, skip   # noqa: E402

# AT_HWCAP2: 2.07, DSCR, EBB, ISEL, TAR, VEC_CRYPTO; 3.00, IEEE128, DARN, SCV; 3.1, MMA.
POWER8, POWER9, POWER10 = 0xbe000000, 0xbef00000, 0xbef60000
HWCAP = 0xdc0065c2
AT_HWCAP, AT_HWCAP2 = 16, 26

CPUS = os.environ.get('CPUS', '1')

ROWS = {    # the line "cpu", PVR, logical PVR, HWCAP2; further pa-features beyond those of POWER9: byte, value. Of
            # transactional memory Debian's kernel makes nothing: it is built without
    'power9': ((), 'POWER9 (architected)', 0x4e1200, 0x0f000005, POWER9, ()),
    'power9_v2.2': ((), 'POWER9 (architected)', 0x4e1202, 0x0f000005, POWER9, ()),
    'power9-htm': (('-M', 'cap-htm=on'), 'POWER9 (architected)', 0x4e1200, 0x0f000005, POWER9, ((22, 0x80),)),
    'power8-htm': (('-M', 'cap-htm=on'), 'POWER8 (architected)', 0x4d0200, 0x0f000004, POWER8, ((22, 0x80),)),
    'power10': ((), 'POWER10 (architected)', 0x801200, 0x0f000006, POWER10, ((64, 0x80), (68, 0xce), (72, 0x80))),
    'power10-as-power9': (('-M', 'max-cpu-compat=power9'), 'POWER9 (architected)', 0x801200, 0x0f000005, POWER9, ()),
    'power8': ((), 'POWER8 (architected)', 0x4d0200, 0x0f000004, POWER8, ()),
    'power8e': ((), 'POWER8 (architected)', 0x4b0201, 0x0f000004, POWER8, ()),
    'power8nvl': ((), 'POWER8 (architected)', 0x4c0100, 0x0f000004, POWER8, ()),
    'power10-as-power8': (('-M', 'max-cpu-compat=power8'), 'POWER8 (architected)', 0x801200, 0x0f000004, POWER8, ()),
}


def halfwords(text):
    """Bytes from what `od -x` prints of them on a little-endian machine."""
    data = b''
    for line in text.splitlines():
        words = line.split()
        if re.fullmatch(r'[0-9]{7}', words[0] if words else ''):
            data += b''.join(int(w, 16).to_bytes(2, 'little') for w in words[1:])
    return data


def numbers(data, size, order):
    return [int.from_bytes(data[i:i + size], order) for i in range(0, len(data) - len(data) % size, size)]


def boots(name):
    options, cpu, pvr, level, hwcap2, features = ROWS[name]
    radix = level > 0x0f000004
    with linux('-cpu', name.split('-')[0], *options, cpus=CPUS) as m:
        m.shell()
        check('client-architecture-support' in m.text and 'FAILED' not in m.text, 'agrees', m.text[:1500])
        info = m.command('cat /proc/cpuinfo')
        check(re.search(r'^cpu\s*: %s,' % re.escape(cpu), info, re.M), 'cpu', info)
        check('(pvr %04x %04x)' % (pvr >> 16, pvr & 0xffff) in info, 'pvr', info)
        auxv = numbers(halfwords(m.command('od -v -x /proc/self/auxv')), 8, 'little')
        vector = dict(zip(auxv[::2], auxv[1::2]))
        check(vector.get(AT_HWCAP) == HWCAP, 'AT_HWCAP', hex(vector.get(AT_HWCAP, 0)))
        check(vector.get(AT_HWCAP2) == hwcap2, 'AT_HWCAP2', hex(vector.get(AT_HWCAP2, 0)))
        node = '/proc/device-tree/cpus/PowerPC,POWER*@0/'
        version = numbers(halfwords(m.command('od -v -x %scpu-version' % node)), 4, 'big')
        check(version == [level], 'cpu-version', version)
        pa = halfwords(m.command('od -v -x %sibm,pa-features' % node))
        check(pa[:2] == (b'\x4a\0' if level > 0x0f000005 else b'\x42\0' if radix else b'\x18\0') and (not radix or pa[2 + 40] == 0x80), 'pa-features', pa.hex())
        for byte, value in features:
            check(pa[2 + byte] == value, 'pa-features-%d' % byte, pa.hex())
        if pvr >> 16 == 0x80:
            check(pa[2 + 4] == 0, 'no-strong-access-order', pa.hex())
        log = m.command('dmesg')
        check(('Using radix MMU' in log) == radix and ('Using hash MMU' in log or 'hash-mmu' in log) != radix, 'mmu')
        controllers = m.command('cat /proc/interrupts')
        check(('XIVE' in controllers) == radix and ('XICS' in controllers) != radix, 'interrupt-controller', controllers)
        check(m.command('grep -c ^processor /proc/cpuinfo').split()[0] == str(CPUS), 'processors')
        got = m.command('seq 1 20000 | gzip -9 | gunzip | md5sum')
        check('e071f707df7bbeee2a6a1eb48011ddd0' in got, 'programs-run', got)
        m.send('poweroff -f\n')
        check(m.wait(60) == 0, 'ends', m.errors)


PROGRAM = os.path.join(os.environ.get('B', 'build'), 'tests/linux/debugger')
SIGTRAP, SIGSTOP, TRAP_HWBKPT = 5, 19, 4


def debugger(name):
    """A process that debugs another, by a watchpoint and by single steps. Linux leaves POWER9's watchpoint alone unless told
    otherwise: in hardware it may hang the machine."""
    need(KERNEL, INITRD)
    if not os.path.exists(PROGRAM):
        skip(PROGRAM + ' was not built: no cross compiler?')
    allow = 'mount -t debugfs d /sys/kernel/debug; echo Y >/sys/kernel/debug/powerpc/dawr_enable_dangerous; '
    want = {'stopped': SIGSTOP, 'watchpoints': 2 if name == 'power10' else 1, 'set': 1, 'signal': SIGTRAP, 'code': TRAP_HWBKPT,
            'address': 1, 'place': 2, 'not-yet': 0, 'neighbour': 7, 'stored': 7, 'again': 1, 'signal-2': SIGTRAP, 'place-2': 1,
            'ended': 1}
    with Folder() as folder:
        subprocess.run([sys.executable, 'tools/guest/guest_pack.py', 'add', INITRD, folder('initrd.gz'), 'bin/debugger=' + PROGRAM],
                       check=True)
        with linux('-cpu', name, initrd=folder('initrd.gz'),
                   append='quiet cede.cmd="%sdebugger"' % (allow if name == 'power9' else '')) as m:
            m.expect('cede guest status 0', 120)
            lines = re.findall(r'^([-\w]+) (\d+)\r?$', m.text, re.M)
            got = {key: int(value) for key, value in lines}
            for key, value in want.items():
                check(got.get(key) == value, key, (got.get(key), value))
            steps = [int(value) for key, value in lines if key in ('step', 'bytes')]
            check(steps == [SIGTRAP, 4, SIGTRAP, 8], 'steps', steps)
            check(m.wait(60) == 0, 'ends', m.errors)


main({'boots': boots, 'debugger': debugger})
