"""Snapshots of Linux: the run that is saved and loaded is the run that was never interrupted."""
# needs: programs guests guest
# needs [mutated layouts_mutated]: $B/san/cede $B/san/cede-snap
import json
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'linux')]
from console import CEDE, Failure, Folder, INITRD, KERNEL, Machine, check, linux, main, need, skip   # noqa: E402
from bare import AREAS, COMBINATIONS, REGISTER, assemble, cross_tools     # noqa: E402
from stream import Snapshot     # noqa: E402

CPUS = os.environ.get('CPUS', '1')
FIXED = ('-rtc', 'base=2026-01-31T12:00:00', '-clock', 'warp')
RAM = '256M'
POOL = ('-pool', 'procs=2,entitlement=1.5,load=0.5') if CPUS == '4' else ()
LOAD = ('quiet cede.cmd="for i in 1 2 3; do (seq 1 3000 | gzip | md5sum; cat /proc/interrupts | md5sum) & done; '
        'cat /sys/kernel/debug/powerpc/dtl/cpu-0 2>/dev/null | head -c 4800 | md5sum; wait; sleep 0.05; '
        'dd if=/dev/urandom bs=64 count=1 2>/dev/null | md5sum; cat /proc/uptime; date"')


def run(*options, kernel=True, append=LOAD, seconds=240, cpus=CPUS):
    """A run without input: status, console, errors."""
    need(KERNEL, INITRD)
    argv = [CEDE, '-M', 'pseries', '-smp', cpus, '-m', RAM, '-nodefaults', '-nographic', '-serial', 'stdio']
    argv += ['-kernel', KERNEL, '-initrd', INITRD, '-append', 'console=hvc0 ' + append] if kernel else []
    p = subprocess.run(argv + list(FIXED) + list(options), stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    return p.returncode, p.stdout.decode('utf-8', 'replace'), p.stderr.decode('utf-8', 'replace')


def same(a, b):
    with open(a, 'rb') as f, open(b, 'rb') as g:
        return f.read() == g.read()


def dispatches(path):
    """A -dtl log: its header, its records, and what each virtual processor was in before the last n of them."""
    with open(path, 'rb') as f:
        data = f.read()
    records = [data[i:i + 32] for i in range(128, len(data), 32)]

    def before(n):
        states = {}
        for r in records[:len(records) - n]:
            runs = r[11] == 6
            states[r[8:11]] = r[11:12] + (r[14:16] if runs else b'\xff\xff')
        return {k: v for k, v in states.items() if v[0] != (1 if k[2] else 0)}     # a load begins ceded, a guest stopped
    return data[:128], records, before


def same_log(whole, part, cycle):
    """The log of the run that goes on begins there, with what each was in; what follows is the end of the whole one."""
    (head, records, before), (head2, records2, _) = dispatches(whole), dispatches(part)
    first = [r for r in records2 if not r[12] and r[11] != 255]
    rest = records2[len(first):]
    begins = int.from_bytes(head2[84:92], 'big')        # with the quantum, if several run
    return (head[:84] == head2[:84] and head[84:] == bytes(44) and cycle <= begins < cycle + 20000 and records2[:len(first)] == first and records[len(records) - len(rest):] == rest and
            {r[8:11]: r[11:12] + r[14:16] for r in first} == before(len(rest)))


def equal(points='8', seed='1', timing='flat', threads='1', ic='xics', mmu='radix'):
    """At pseudo-random cycles: save, load in a new process, run on. Console, state hash, dispatch log and a later
    snapshot are those of the run that was never interrupted, nor saved."""
    rng = random.Random(int(seed))
    options = (*POOL, '-timing', timing, '-d', 'statehash', '-M', 'ic-mode=' + ic)
    append = 'disable_radix ' * (mmu == 'hash') + LOAD
    if threads != '1':
        # Threads share a core's width and caches, and what it remembers; the core is dispatched as one.
        options = ('-smp', '%s,threads=%s' % (CPUS, threads), '-pool', 'procs=2,entitlement=0.75,load=0.5', *options[len(POOL):])
    with Folder() as at:
        plain = run(*options, '-dtl', at('log'), append=append)
        check(plain[0] == 0 and 'cede guest status 0' in plain[1], 'uninterrupted', plain)
        cycles = int(re.search(r'cycles=(\d+)', plain[2]).group(1))
        points = sorted(rng.randrange(1000000, cycles - 1000) for _ in range(int(points)))
        last = max(cycles - 100000, points[-1] + 1)
        saves = [x for c in points + [last] for x in ('-save', '%s@%d' % (at(c), c))]
        saved = run(*options, *saves, '-dtl', at('part'), append=append)
        check(saved == plain and same(at('log'), at('part')), 'saving-changes-nothing', (saved[2], plain[2]))
        for c in points:
            later = at('later')
            got = run(*options, '-loadvm', at(c), '-save', '%s@%d' % (later, last), '-dtl', at('part'), kernel=False)
            check(got[0] == 0 and got[2] == plain[2], 'statehash-from-%d' % c, (got[2], plain[2]))
            check(plain[1].endswith(got[1]), 'console-from-%d' % c, got[1][-300:])
            check(same(later, at(last)), 'file-from-%d' % c)
            check(same_log(at('log'), at('part'), c), 'dispatch-log-from-%d' % c)
            os.unlink(later)
            os.unlink(at(c))


def remapped(timing='power9'):
    """A bare guest moves its pages, and resets: whatever cycle it is saved at, the run that goes on costs the same."""
    guest = os.environ.get('B', 'build') + '/tests/guest/remap-le.elf'
    need(guest)
    options = ('-kernel', guest, '-timing', timing, '-d', 'statehash')
    with Folder() as at:
        plain = run(*options, '-trace', 'hcall=H_REGISTER_PROC_TBL,H_PUT_TERM_CHAR', '-D', at('trace'), kernel=False)
        check(plain[0] == 0 and 'done' in plain[1], 'uninterrupted', plain)
        with open(at('trace')) as f:
            calls = [int(line.split()[0]) for line in f if ' cpu0 ' in line and 'H_' in line]
        moves, boots = calls[:22], [c for c in calls if c > 1024000]
        points = sorted({c + 400 for c in moves} | {c + 10 for c in boots[::16]} | {1024000, calls[-1] - 100})
        saved = run(*options, *[x for c in points for x in ('-save', '%s@%d' % (at(c), c))], kernel=False)
        errors = [line for line in plain[2].splitlines() if 'statehash' in line]
        check(saved[1] == plain[1] and saved[2].splitlines() == errors, 'saving-changes-nothing', (saved[2], plain[2]))
        for c in points:
            got = run(*options, '-loadvm', at(c), kernel=False)
            check(got[2] == saved[2], 'statehash-from-%d' % c, (got[2], saved[2]))
            os.unlink(at(c))


def retimed():
    """To another model, or one with other parts, the guest goes on with empty caches; under another clock of the same it does not."""
    guest = os.environ.get('B', 'build') + '/tests/guest/remap-le.elf'
    need(guest)
    with Folder() as at:
        run('-kernel', guest, '-timing', 'power9', '-save', at('s') + '@1030000,quit=on', kernel=False)
        for timing in 'power9', 'power9,freq=3800', 'power8', 'power10,freq=3000', 'flat', 'power9,caches=off':
            status, text, errors = run('-timing', timing, '-loadvm', at('s'), kernel=False)
            check(status == 0 and text.endswith('done 64\n') and not errors, 'goes-on-' + timing, (status, text[-100:], errors))
        for timing in 'power9,freq=3000', 'power9,freq=3000,tlb=off':
            status, text, errors = run('-timing', timing, '-loadvm', at('s'), kernel=False)
            check(status == 1 and 'cede/timing: field per_cycle: expected 2986 MHz, found 3797 MHz (-timing freq=, -cpu freq=)' in errors and errors.count('\n') == 1,
                  'refused-' + timing, (status, errors))


LAYOUTS = {'stream': '', 'mapped': ',layout=mapped', 'zstd': ',compress=zstd', 'child': ',parent=%s', 'packed-child': ',parent=%s,compress=zstd'}


def save_all(at, cycle, parent, names):
    """-save options: each layout at that cycle."""
    if subprocess.run([CEDE, '-save', 'x,compress=zstd', '-version'], capture_output=True).returncode:
        skip('cede is built without libzstd')
    return [x for n in names for x in ('-save', '%s@%d%s' % (at(n), cycle, LAYOUTS[n] % at(parent) if '%' in LAYOUTS[n] else LAYOUTS[n]))]


def layouts():
    """From each layout the same run follows, and the same stream is saved later; what the file is like."""
    plain = run(*POOL, '-d', 'statehash')
    cycles = int(re.search(r'cycles=(\d+)', plain[2]).group(1))
    first, then, last = cycles // 2, cycles // 2 + cycles // 8, cycles - 100000
    with Folder() as at:
        saves = ['-save', '%s@%d' % (at('p-stream'), first), '-save', '%s@%d,layout=mapped' % (at('p-mapped'), first),
                 '-save', '%s@%d,compress=zstd' % (at('p-zstd'), first), *save_all(at, then, 'p-stream', LAYOUTS),
                 '-save', '%s@%d,parent=%s' % (at('of-mapped'), then, at('p-mapped')),
                 '-save', '%s@%d,parent=%s' % (at('of-zstd'), then, at('p-zstd')),
                 '-save', '%s@%d,parent=%s' % (at('grandchild'), last - 1, at('child')), '-save', '%s@%d' % (at('last'), last)]
        saved = run(*POOL, '-d', 'statehash', *saves)
        check(saved == plain, 'saving-changes-nothing', (saved[2], plain[2]))
        for name in [*LAYOUTS, 'of-mapped', 'of-zstd', 'grandchild']:
            later = ['-save', '%s@%d' % (at('later'), last), '-save', '%s@%d,layout=mapped' % (at('again'), last)]
            got = run(*POOL, '-d', 'statehash', '-loadvm', at(name), *later, kernel=False)
            check(got[0] == 0 and got[2] == plain[2], 'statehash-from-' + name, (got[2], plain[2]))
            check(plain[1].endswith(got[1]), 'console-from-' + name, got[1][-300:])
            check(same(at('later'), at('last')), 'file-from-' + name)
            got = run(*POOL, '-d', 'statehash', '-loadvm', at('again'), kernel=False)
            check(got[0] == 0 and got[2] == plain[2], 'statehash-from-mapped-of-' + name, (got[2], plain[2]))
        sizes = {n: os.stat(at(n)) for n in LAYOUTS}
        check(sizes['mapped'].st_size > 256 << 20 and sizes['mapped'].st_blocks * 512 < sizes['stream'].st_size * 1.1, 'zeros-are-holes')
        check(sizes['zstd'].st_size < sizes['stream'].st_size / 2, 'compressed', sizes['zstd'].st_size)
        check(sizes['child'].st_size < sizes['stream'].st_size / 2, 'child-is-small', sizes['child'].st_size)


def sections():
    """What is in a file, by a reader that shares nothing with cede; and its checksums."""
    with Folder() as at:
        status, text, errors = run('-save', at('a') + '@500000000,quit=on', '-save', at('b') + '@500000000', *POOL)
        check(status == 0 and errors == '', 'saved', (status, errors))
        s = Snapshot(at('a'))
        check(s.machine == 'pseries-7.2', 'machine', s.machine)
        names = s.names()
        n = int(CPUS)
        want = ([('ram', 0), ('spapr/htab', 0), ('timer', 0), ('ics', 0), ('xive-source', 0), ('spapr-xive', 0)] +
                [(name, i) for i in range(n) for name in ('cpu_common', 'cpu', 'icp/server', 'xive-tctx', 'spapr_cpu')] +
                [('spapr/rtc', 0), ('vty@71000000/spapr_vty', 0), ('nvram@71000001/spapr_nvram', 0),
                 ('spapr_pci', 0), ('PCIBUS', 0), ('spapr', 0),
                 ('globalstate', 0)])
        check(names[:len(want)] == want, 'order-of-qemu', names)
        check(all('cede/' in name for name, _ in names[len(want):]) and names[-1] == ('cede/checks', 0), 'then-our-own', names)
        sums = {s.section('cede/checks')['check[%d].id' % i]: s.section('cede/checks')['check[%d].sum' % i]
                for i in range(s.section('cede/checks')['count'])}
        check(sums == {x.ident: x.sum for x in s.sections if x.name != 'cede/checks'}, 'checksums')
        check(s.blocks == {'ppc_spapr.ram': 256 << 20} and len(s.pages) == 65536, 'all-pages')
        check(0 not in s.ids, 'no-section-has-number-0')
        check(s.subsections('spapr_cpu') == ['spapr_cpu/vpa'], 'vpa', s.subsections('spapr_cpu'))
        check('spapr_patb_entry' in s.subsections('spapr'), 'patb')


def on_signal():
    """SIGUSR1 saves, the guest goes on; the shell is there again after -loadvm, -incoming exec: and tcp:."""
    with Folder() as at:
        with linux('-save', at('s'), cpus=CPUS, ram=RAM) as m:
            m.shell()
            m.command('echo monday >/tmp/mark; date >/dev/null')
            m.kill(signal.SIGUSR1)
            until = time.monotonic() + 20
            while not os.path.exists(at('s')) and time.monotonic() < until:
                m.pump(0.1)
            check(os.path.exists(at('s')), 'saved-on-signal')
            check(m.command('cat /tmp/mark').strip() == 'monday', 'goes-on')
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and m.errors == '', 'status', m.errors)
        for how in ('-loadvm', at('s')), ('-incoming', 'exec:cat ' + at('s')), ('-incoming', 'file:' + at('s')):
            with Machine(*how, cpus=CPUS, ram=RAM) as m:
                m.send('\n')
                m.expect('# ', 20)
                check(m.command('cat /tmp/mark').strip() == 'monday', '-'.join(how)[1:16].strip())
                m.send('reboot -f\n')
                check(m.wait(60) == 1 and 'nothing to boot again' in m.errors, 'reboot-without-kernel', m.errors)
        port = 20000 + os.getpid() % 20000
        with Machine('-incoming', 'tcp:127.0.0.1:%d' % port, cpus=CPUS, ram=RAM) as m:
            sender = subprocess.Popen([sys.executable, '-c', 'import socket,sys,time\nfor i in range(50):\n'
                                       ' try: s=socket.create_connection(("127.0.0.1",%d)); break\n'
                                       ' except OSError: time.sleep(.1)\n'
                                       's.sendall(open(%r,"rb").read())' % (port, at('s'))])
            m.send('\n')
            m.expect('# ', 30)
            check(m.command('cat /tmp/mark').strip() == 'monday', 'tcp')
            sender.wait()


def typed():
    """What was typed before the guest read it comes to the guest that goes on."""
    with Folder() as at:
        with open(at('keys'), 'w') as f:
            f.write('echo he""llo from before; poweroff -f\n')
        with open(at('keys')) as keys:
            with linux(*FIXED, '-save', at('s') + '@300000000,quit=on', ram=RAM, cpus=CPUS, stdin=keys) as m:
                check(m.wait(60) == 0, 'saved', m.errors)
        check(('cede/console', 0x71000000) in Snapshot(at('s')).names(), 'is-in-the-file')
        status, text, errors = run('-loadvm', at('s'), kernel=False)
        check(status == 0 and 'hello from before' in text, 'is-read', (status, text[-300:], errors))


def refused():
    """Each is refused with one line that says where and why, status 1."""
    with Folder() as at:
        run('-save', at('s') + '@300000000,quit=on')
        good = open(at('s'), 'rb').read()
        wrong = [
            ('ram-size', ['-m', '512M'], 'section ram 0'), ('processors', ['-smp', str(int(CPUS) + 1)], 'expected %d processors, found %s (-smp)' % (int(CPUS) + 1, CPUS)),
            ('terminals', ['-serial', 'null'], 'section nvram@71000001'), ('no-file', None, 'cannot open'),
        ]
        for name, options, word in wrong:
            status, text, errors = run('-loadvm', at('s') if options else at('none'), *(options or []), kernel=False)
            check(status == 1 and word in errors and errors.count('\n') == 1, name, (status, errors))
        spots = {
            'magic': (0, b'QEVX', 'not a snapshot'), 'version': (4, b'\0\0\0\4', 'file version: expected 3, found 4'),
            'machine': (13, b'pseries-7.1', 'machine: expected pseries-7.2, found pseries-7.1'),
            'cpu-version': (good.index(b'\x03cpu\0\0\0\0\0\0\0\5') + 11, b'\x06', 'section cpu 0, cpu: version: expected 5 to 5, found 6'),
            'unknown-section': (good.index(b'\x03ics'), b'\x03icx', 'section icx 0'),
            'unknown-subsection': (good.index(b'\x07cpu/fpu'), b'\x07cpu/fpx', 'subsection cpu/fpx is not known'),
            'footer': (good.index(b'\x05timer') - 6, b'\x7f', 'footer'),
            'cr': (good.index(b'\x03cpu\0\0\0\0\0\0\0\5') + 12 + 264 + 3, b'\x10', 'field env.crf: expected at most 0xf, found 0x10'),
            'checksum': (good.index(b'\x03cpu\0\0\0\0\0\0\0\5') + 12 + 100, b'\x77', 'checksum'),
        }
        for name, (where, what, word) in spots.items():
            data = bytearray(good)
            data[where:where + len(what)] = what
            with open(at('bad'), 'wb') as f:
                f.write(data)
            status, text, errors = run('-loadvm', at('bad'), kernel=False)
            check(status == 1 and word in errors and errors.count('\n') == 1, name, (status, errors))
        for name, size in ('empty', 0), ('short', 100), ('half', len(good) // 2), ('no-end', good.rindex(b'{"page_size') - 6):
            with open(at('bad'), 'wb') as f:
                f.write(good[:size])
            status, text, errors = run('-loadvm', at('bad'), kernel=False)
            check(status == 1 and 'ends early' in errors and errors.count('\n') == 1, name, (status, errors))


PROD = """
        .org    0x100
%s
        lis     5, 0x10                 # a million rounds, in which it is saved
        mtctr   5
1:      bdnz    1b
        li      3, 0xe0                 # H_CEDE: the decrementer is seconds away
        sc      1
        lis     3, 0
        ori     3, 3, 0xf000            # RTAS
        li      4, off
        sc      1
off:    .long   0x2003, 2, 1, -1, -1, 0 # power-off
"""


def prodded():
    """Saved between H_PROD and H_CEDE: the cede comes back at once. Without a prod it does not."""
    tools = cross_tools()
    call = '        li      3, 0xe8\n        li      4, 0\n        sc      1\n'
    with Folder() as at:
        for name, before in ('s9-29-prodded', call), ('not-prodded', ''):
            assemble(at, PROD % before, tools)
            run('-bios', at('a.bin'), '-save', at('s') + '@500000,quit=on', kernel=False)
            status, _, errors = run('-loadvm', at('s'), '-save', at('late') + '@5000000,quit=on', kernel=False)
            check(status == bool(before) and os.path.exists(at('late')) == (not before), name, (status, errors))
            if os.path.exists(at('late')):
                os.remove(at('late'))


def areas():
    """A bare guest registers its areas in every combination: the right subsections are there, and no other."""
    tools = cross_tools()
    wants = COMBINATIONS
    vpa, dtl, shadow = wants['all'][0], wants['all'][2], wants['all'][1]
    names = {vpa: 'spapr_cpu/vpa', shadow: 'spapr_cpu/vpa/slb_shadow', dtl: 'spapr_cpu/vpa/dtl'}
    with Folder() as at:
        for name, which in wants.items():
            assemble(at, AREAS % ''.join(REGISTER % w for w in which), tools)
            run('-bios', at('a.bin'), '-save', at('s') + '@1000000', '-save', at('t') + '@2000000,quit=on', kernel=False)
            s = Snapshot(at('s'))
            check(s.subsections('spapr_cpu') == [names[w] for w in which], name, s.subsections('spapr_cpu'))
            logged = re.findall(r'^cpu0 (\d+): ', snap('dtl', at('s'))[1], re.M)
            check(len(logged) == (min(s.section('cede/vcpu')['dtl_index'], 10) if dtl in which else 0) and
                  (len(logged) > 2) == (dtl in which), name + '-log', logged)
            run('-loadvm', at('s'), '-save', at('u') + '@2000000,quit=on', kernel=False)
            check(same(at('t'), at('u')), name + '-goes-on')


def snap(*args):
    p = subprocess.run([os.environ.get('B', 'build') + '/cede-snap', *args], capture_output=True, text=True)
    return p.returncode, p.stdout, p.stderr


def inspector():
    """cede-snap, beside the reader in Python."""
    with Folder() as at:
        run('-save', at('a') + '@500000000', '-save', at('b') + '@500100000,quit=on')
        s = Snapshot(at('a'))
        status, out, err = snap('--json', 'info', at('a'))
        info = json.loads(out)
        check(status == 0 and info['machine'] == 'pseries-7.2' and info['processors'] == int(CPUS) and info['writer'] == 'cede' and
              info['ram'] == 256 << 20 and info['pages'] == 65536, 'info', out)
        status, out, err = snap('--json', 'list', at('a'))
        check([(x['name'], x['instance'], int(x['crc32'], 16)) for x in json.loads(out)] ==
              [(x.name, x.instance, x.sum) for x in s.sections], 'list')
        status, out, err = snap('--json', 'show', at('a'), 'cpu:0')
        fields = {x['field']: x['value'] for x in json.loads(out) if x['section'] == 'cpu'}
        cpu = s.section('cpu', 0)
        check(int(fields['env.nip'], 16) == cpu['env.nip'] and int(fields['env.gpr[1]'], 16) == cpu['env.gpr'][1] and
              int(fields['env.spr[287]'], 16) == 0x4e1200, 'show')
        status, out, err = snap('show', at('a'), 'spapr_cpu/vpa')
        check('vpa_addr = 0x%x' % s.section('spapr_cpu')['vpa_addr'] in out, 'show-subsection', out)
        check(snap('show', at('a'), 'nothing')[0] == 1, 'show-nothing')
        check(snap('verify', at('a'))[:2] == (0, 'whole: %d sections, each with its checksum\n' % len(s.sections)), 'verify')
        check(snap('diff', at('a'), at('a'))[:2] == (0, ''), 'no-difference')
        status, out, err = snap('diff', at('a'), at('b'))
        check(status == 1 and 'cede/clock 0: clock.now: 0x%x' % s.section('cede/clock')['clock.now'] in out, 'difference', out[:500])
        check(snap('extract', at('a'), 'ram', at('ram'))[0] == 0, 'extract')
        ram = open(at('ram'), 'rb').read()
        check(len(ram) == 256 << 20 and all(ram[a:a + 4096] == p for (_, a), p in s.pages.items()), 'all-of-ram')
        status, out, err = snap('mem', at('a'), '0x400000', '32')
        check(status == 0 and out.split()[1] == ram[0x400000:0x400004].hex(), 'mem', out)
        check(snap('mem', at('a'), '0x10000000', '1')[0] == 1, 'mem-outside')
        check(snap('dtl', at('a'))[0] == 0, 'dtl')
        check(snap('convert', at('a'), at('c'), 'target=cede')[0] == 1, 'convert-to-what')
        data = bytearray(s.data)
        data[s.section('cpu').start + 100] ^= 1
        with open(at('bad'), 'wb') as f:
            f.write(data)
        status, out, err = snap('verify', at('bad'))
        check(status == 1 and 'section cpu 0: checksum' in err, 'damage', err)
        for size in 0, 3, 20, 100000, len(data) - 100:
            with open(at('bad'), 'wb') as f:
                f.write(data[:size])
            status, out, err = snap('verify', at('bad'))
            check(status == 1 and err.count('\n') == 1, 'cut-at-%d' % size, err)
        check(snap('frob', at('a'))[0] == 2 and snap('info', at('none'))[0] == 1, 'usage')


def converted_layouts():
    """cede-snap on every layout: what it shows, and that there and back again is the same file."""
    with Folder() as at:
        run('-save', at('p') + '@400000000', *save_all(at, 500000000, 'p', LAYOUTS), '-save', at('end') + '@500000100,quit=on')
        s = Snapshot(at('stream'))
        for name in LAYOUTS:
            info = json.loads(snap('--json', 'info', at(name))[1])
            want = {'stream': 'stream', 'mapped': 'mapped', 'zstd': 'zstd', 'child': 'stream, child', 'packed-child': 'zstd, child'}[name]
            check(info['layout'] == want and info['parents'] == (['p'] if 'child' in name else []) and
                  info['size'] == os.stat(at(name)).st_size and info['ram'] == 256 << 20, 'info-' + name, info)
            if 'child' not in name:
                check(info['zero_pages'] == sum(not any(p) for p in s.pages.values()), 'zeros-' + name, info)
            status, out, err = snap('verify', at(name))
            check(status == 0 and out.startswith('whole: %d sections, each' % len(s.sections)), 'verify-' + name, (out, err))
            status, out, err = snap('diff', at(name), at('stream'))
            check('ram 0: ' not in out, 'same-memory-' + name, out)
            check(snap('show', at(name), 'cpu:0') == snap('show', at('stream'), 'cpu:0'), 'show-' + name)
            check(snap('mem', at(name), '0x400000', '64') == snap('mem', at('stream'), '0x400000', '64'), 'mem-' + name)
            for how in 'layout=stream', 'layout=mapped', 'compress=zstd', 'target=qemu':
                if how == 'target=qemu' and name != 'mapped':
                    continue
                status, out, err = snap('convert', at(name), at('c'), how)
                if how == 'target=qemu':
                    q = snap('convert', at('stream'), at('q'), how)
                    check((status, err) == (q[0], q[2]) and (status or same(at('c'), at('q'))), 'mapped-to-qemu', (status, err))
                    continue
                check((status, err) == (0, ''), 'convert-%s-%s' % (name, how), err)
                check(same(at('c'), at(how.split('=')[1])), 'same-%s-%s' % (name, how))
        check(snap('convert', at('stream'), at('c'), 'layout=round')[0] == 1, 'no-such-layout')
        check('parent      p, ' in snap('info', at('child'))[1], 'chain')


def background():
    """Written by a copy of the process: the same file, and the run goes on as if nothing were. Who fails says so, once."""
    with Folder() as at:
        plain = run(*POOL, '-d', 'statehash')
        got = run(*POOL, '-d', 'statehash', '-save', at('a') + '@500000000', '-save', at('b') + '@500000000,background=on',
                  '-save', at('c') + '@500000000,background=on,layout=mapped', '-save', at('d') + '@500000000,layout=mapped')
        check(got == plain, 'changes-nothing', (got, plain))
        check(same(at('a'), at('b')) and same(at('c'), at('d')), 'same-file')
        with open(at('old'), 'w') as f:
            f.write('old')
        os.mkdir(at('none'))        # no file, which is said when it is to be one
        got = run(*POOL, '-d', 'statehash', '-save', at('none') + '@500000000,background=on',
                  '-save', at('old') + '@500000000,background=on,parent=' + at('none'))
        lines = got[2].splitlines()
        check(got[:2] == (1, plain[1]) and lines[-1] + '\n' == plain[2] and len(lines) == 3 and all('cannot' in x for x in lines[:2]) and
              'none' in lines[0], 'says-so', got[2])
        check(open(at('old')).read() == 'old', 'the-old-file-stays')
        with linux('-save', at('old') + ',background=on', cpus=CPUS, ram=RAM) as m:
            m.shell()
            until = time.monotonic() + 60
            while 'signal 9' not in m.errors and time.monotonic() < until:
                m.kill(signal.SIGUSR1)
                kill_writer(m, at('old.part'))
                m.pump(0.3)
            check('old' in m.errors and 'ended by signal 9' in m.errors, 'writer-killed', m.errors)
            check(not os.path.exists(at('old.part')), 'nothing-half', os.listdir(at.path))
            m.kill()
            check(m.wait(20) == 1, 'ends', m.errors)


def kill_writer(m, part):
    """The process that writes `part` in the background, if it has not ended already."""
    until = time.monotonic() + 10
    while not os.path.exists(part) and time.monotonic() < until:
        m.pump(0)
    with open('/proc/%d/task/%d/children' % (m.process.pid, m.process.pid)) as f:
        writers = [int(child) for child in f.read().split()]
    for writer in writers:
        try:
            os.kill(writer, signal.SIGKILL)
        except ProcessLookupError:
            pass


def progress():
    """What takes longer than a second says how far it is, to a terminal and to nobody else."""
    with Folder() as at:
        run('-save', at('s') + '@500000000,quit=on')
        slow = 'exec:head -c 20000000 %s; sleep 1.3; tail -c +20000001 %s' % (at('s'), at('s'))
        argv = [CEDE, '-M', 'pseries', '-smp', CPUS, '-m', RAM, '-nodefaults', '-nographic', '-serial', 'null', *FIXED,
                '-incoming', slow, '-save', at('e') + '@500000100,quit=on']
        ours, theirs = pty.openpty()
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        text = b''
        while True:
            try:
                more = os.read(ours, 4096)
            except OSError:
                more = b''
            if not more:
                break
            text += more
        os.close(ours)
        check(p.wait() == 0, 'status')
        check(re.search(rb'\rcede: loading, \d+ of 256 MiB, \d+ MiB/s, \d+ s left', text) and text.endswith(b'\r\x1b[K'), 'on-a-terminal', text)
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = p.stderr.splitlines()    # that its peer is silent is for everybody
        check(p.returncode == 0 and len(said) <= 1 and all(x.startswith(b'cede: waiting for') for x in said), 'not-into-a-pipe', p.stderr)


def spoil(path, out, where, what=None, size=None):
    with open(path, 'rb') as f:
        data = bytearray(f.read())
    data[where:where + len(what or b'')] = what or b''
    with open(out, 'wb') as f:
        f.write(data[:size])


def layouts_refused():
    """Damaged and foreign layouts: one line and status 1, from cede and from cede-snap."""
    with Folder() as at:
        run('-save', at('p') + '@300000000', '-save', at('pm') + '@300000000,layout=mapped', *save_all(at, 400000000, 'p', LAYOUTS),
            '-save', at('cm') + '@400000000,parent=' + at('pm'), '-save', at('end') + '@400000100,quit=on')

        def refuse(name, path, word, inspector=True, options=()):
            status, text, errors = run('-loadvm', path, *options, kernel=False)
            check(status == 1 and word in errors and errors.count('\n') == 1, name, (status, errors))
            status, text, errors = snap('verify', path)
            check(not inspector or (status == 1 and errors.count('\n') == 1), name + '-inspector', (status, errors))

        for name, where, what, word in (('version', 8, b'\0\0\0\2', 'head: version: expected 1, found 2'), ('head-sum', 13, b'\x55', 'head: checksum'),
                                        ('table', 4100, b'\x55', 'head: checksum'), ('places', 24, b'\0', 'head'),
                                        ('places-2', 32, b'\x70', 'places'), ('table-size', 48, b'\xff', 'places')):
            spoil(at('mapped'), at('bad'), where, what)
            if what != b'\0':
                refuse('mapped-' + name, at('bad'), word)
        for size in 0, 8, 100, 5000, 3 << 20, os.stat(at('mapped')).st_size - 1:
            spoil(at('mapped'), at('bad'), 0, size=size)
            refuse('mapped-cut-%d' % size, at('bad'), '')
        refuse('mapped-other-memory', at('mapped'), 'expected 512 MiB, found 256 MiB (-m)', False, ['-m', '512M'])
        status, text, errors = run('-incoming', 'exec:cat ' + at('mapped'), kernel=False)
        check(status == 1 and errors.count('\n') == 1 and 'file' in errors, 'mapped-from-a-pipe', errors)
        data = open(at('mapped'), 'rb').read(8 << 20)
        used = next(i for i in range(2 << 20, len(data), 4096) if any(data[i:i + 4096]))
        spoil(at('mapped'), at('bad'), used + 5, bytes([data[used + 5] ^ 1]))
        status, text, errors = snap('verify', at('bad'))
        check(status == 1 and 'memory from 0x' in errors and 'checksum' in errors, 'mapped-page-seen-by-verify', errors)
        spoil(at('pm'), at('pm'), used + 5, bytes([data[used + 5] ^ 1]))
        refuse('child-of-a-damaged-mapped-parent', at('cm'), 'damaged')

        size = os.stat(at('zstd')).st_size
        for cut in 3, 4, 100, size // 2, size - 4, size - 1:
            spoil(at('zstd'), at('bad'), 0, size=cut)
            refuse('zstd-cut-%d' % cut, at('bad'), 'early')
        spoil(at('zstd'), at('bad'), size // 2, b'\x55' * 9)
        refuse('zstd-damaged', at('bad'), '')
        spoil(at('zstd'), at('bad'), size, b'more')
        refuse('zstd-and-more', at('bad'), 'something comes behind')
        if shutil.which('zstd'):
            good = open(at('stream'), 'rb').read()
            first = good.index(b'\x0dppc_spapr.ram', good.index(b'\x0dppc_spapr.ram') + 1) - 8     # a page's record
            page = good[first:first + 22 + 4096] if good[first + 7] & 8 else good[first:first + 23]
            with subprocess.Popen(['zstd', '-q', '-f', '-o', at('bad')], stdin=subprocess.PIPE) as p:
                p.stdin.write(good[:first])
                for _ in range(700):
                    p.stdin.write(page * (1 + (1 << 20) // len(page)))
                p.stdin.close()
            check(os.stat(at('bad')).st_size < 10 << 20, 'bomb-is-small')
            refuse('zstd-bomb', at('bad'), 'damaged')

        os.rename(at('p'), at('gone'))
        refuse('no-parent', at('child'), 'cannot open')
        shutil.copy(at('mapped'), at('p'))
        refuse('another-parent', at('child'), 'has been changed')
        data = open(at('gone'), 'rb').read()
        spoil(at('gone'), at('p'), len(data) // 3, bytes([data[len(data) // 3] ^ 1]))
        refuse('changed-parent', at('child'), '')
        os.makedirs(at('elsewhere'))
        os.rename(at('gone'), at('elsewhere/p'))
        os.rename(at('child'), at('elsewhere/child'))
        status, text, errors = run('-loadvm', at('elsewhere/child'), '-save', at('end') + '@400000100,quit=on', kernel=False)
        check(status == 0 and errors == '', 'moved-together', errors)
        status, text, errors = run('-loadvm', at('elsewhere/child'), '-save', at('elsewhere/child') + '@400000100,quit=on,parent=' +
                                   at('elsewhere/child'), kernel=False)
        check(status == 1 and 'its own' in errors, 'not-its-own-parent', errors)
        for bad in 'layout=mapped,compress=zstd', 'layout=mapped,parent=x', 'target=qemu,parent=x', 'layout=round', 'target=qemu,layout=mapped':
            status, text, errors = run('-save', 'x,' + bad)
            check(status == 2 and errors.count('\n') == 1, bad, errors)


def fix_sums(data, original):
    """Puts the checksums right where the file still has its shape, so that what is behind them is reached."""
    at = original.section('cede/checks').start + 5 + 12 + 8 + 4
    for i, s in enumerate(x for x in original.sections if x.name != 'cede/checks'):
        total = 0
        for start, end in s.parts:
            total = zlib.crc32(data[start:end], total)
        data[at + 8 * i + 4:at + 8 * i + 8] = total.to_bytes(4, 'big')


def damage(rng, original, data):
    """One or more bytes, mostly behind RAM; or the end is cut off. True if the file keeps its shape."""
    behind = original.section('timer').start
    if rng.random() < 0.1:
        del data[rng.randrange(behind if rng.random() < 0.7 else 0, len(data)):]
        return False
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if rng.random() < 0.1:      # the description: for those who read it
            where = rng.randrange(original.data.rindex(b'{"page_size'), len(data))
        elif rng.random() < 0.8:      # a section each the same chance, however small
            s = rng.choice(original.sections)
            start, end = rng.choice(s.parts)
            where = rng.randrange(start, min(end, start + 2000) if rng.random() < 0.7 else end)
        else:
            where = rng.randrange(len(data))
        data[where] = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256), data[where] ^ 1 << rng.randrange(8)))
    return True


def verdict(p):
    """Of a load of a damaged file: what it said; was it refused in one line; did it run?"""
    errors = p.stderr.decode('utf-8', 'replace')
    lines = errors.count('\n')
    return (errors, p.returncode == 1 and lines == 1 and errors.startswith('cede: snapshot'),
            p.returncode in (0, 3) and lines <= 1)


def mutated(count='400', seconds='60', seed='1'):
    """Damaged files under the sanitizers: refused with one line, or a machine that runs and can be ended."""
    rng, until = random.Random(int(seed)), time.monotonic() + float(seconds)
    build = os.environ.get('B', 'build')
    program, guest = build + '/san/cede', build + '/tests/guest/smp-le.elf'
    need(program, guest)
    tried = refusals = ran = 0
    odd = []
    with Folder() as at:
        saves = [x for i in range(6) for x in ('-save', '%s@%d' % (at(i), 200000 * (i + 1) ** 2))]
        machine = ['-M', 'pseries', '-smp', '4', '-m', RAM, '-nodefaults', '-nographic', '-serial', 'null', *FIXED, *POOL]
        subprocess.run([CEDE, *machine, '-kernel', guest, *saves], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        originals = [Snapshot(at(i)) for i in range(6) if os.path.exists(at(i))]
        check(len(originals) > 1, 'originals', len(originals))
        while tried < int(count) and time.monotonic() < until:
            original = rng.choice(originals)
            data = bytearray(original.data)
            if damage(rng, original, data) and rng.random() < 0.8:
                fix_sums(data, original)
            with open(at('m'), 'wb') as f:
                f.write(data)
            p = subprocess.run([program, *machine, '-loadvm', at('m'), '-save', at('x') + '@20000000,quit=on'],
                               stdin=subprocess.DEVNULL, capture_output=True, timeout=100)
            tried += 1
            look = [program + '-snap', *rng.choice((['verify', at('m')], ['diff', at('m'), at(0)], ['show', at('m'), 'cpu'],
                                                    ['--json', 'list', at('m')], ['dtl', at('m')]))]
            s = subprocess.run(look, stdin=subprocess.DEVNULL, capture_output=True, timeout=100)
            if s.returncode not in (0, 1) or b'runtime error' in s.stderr or b'Sanitizer' in s.stderr:
                odd.append((tried, look, s.returncode, s.stderr[:1500]))
            errors, refused_it, went_on = verdict(p)
            if refused_it:
                refusals += 1
            elif went_on:
                ran += 1
            else:
                odd.append((tried, p.returncode, errors[:1500]))
                if os.environ.get('KEEP'):
                    shutil.copy(at('m'), os.environ['KEEP'])
    print('%d files: %d refused, %d ran' % (tried, refusals, ran))
    check(not odd, 'refused-or-runs', odd[:2])
    check(refusals > tried // 20 and ran > tried // 20, 'both-happen', (tried, refusals, ran))


def spoil_layout(rng, name, path):
    """Damages a file of that layout; its head's checksum is right again in most."""
    headed = name != 'zstd'
    with open(path, 'r+b') as f:
        size = f.seek(0, 2)
        stream = int.from_bytes(os.pread(f.fileno(), 8, 24), 'big') if headed else 0
        if rng.random() < 0.1:
            size = rng.randrange(size)
            f.truncate(size)
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            part = rng.random()
            where = (rng.randrange(8, 100) if part < 0.4 and headed else stream + rng.randrange(3000) if part < 0.6 else
                     rng.randrange(min(max(stream, size - 200000), size), size + 1) if part < 0.9 else rng.randrange(size + 1))
            old = os.pread(f.fileno(), 1, where)
            if old:
                new = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256), old[0] ^ 1 << rng.randrange(8)))
                os.pwrite(f.fileno(), bytes([new]), where)
        if headed and rng.random() < 0.8 and size > 4096:
            if rng.random() < 0.8:
                os.pwrite(f.fileno(), size.to_bytes(8, 'big'), 16)
            os.pwrite(f.fileno(), bytes(4), 12)
            groups = int.from_bytes(os.pread(f.fileno(), 4, 48), 'big')
            head = os.pread(f.fileno(), 4096 + min(8 * groups, 1 << 20), 0)
            os.pwrite(f.fileno(), zlib.crc32(head).to_bytes(4, 'big'), 12)


def layouts_mutated(count='300', seconds='100', seed='1'):
    """Damaged files of each layout under the sanitizers, to cede and cede-snap: refused with one line, or a machine that runs."""
    rng, until = random.Random(int(seed)), time.monotonic() + float(seconds)
    build = os.environ.get('B', 'build')
    program, snapper, guest = build + '/san/cede', build + '/san/cede-snap', build + '/tests/guest/smp-le.elf'
    need(program, snapper, guest)
    tried = refusals = ran = 0
    odd = []
    with Folder() as at:
        machine = ['-M', 'pseries', '-smp', '4', '-m', RAM, '-nodefaults', '-nographic', '-serial', 'null', *FIXED, *POOL]
        subprocess.run([CEDE, *machine, '-kernel', guest, '-save', at('p') + '@200000', *save_all(at, 800000, 'p', LAYOUTS)],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        while tried < int(count) and time.monotonic() < until:
            name = rng.choice(sorted(set(LAYOUTS) - {'stream'}))
            subprocess.run(['cp', '--sparse=always', at(name), at('m')], check=True)
            spoil_layout(rng, name, at('m'))
            p = subprocess.run([program, *machine, '-loadvm', at('m'), '-save', at('x') + '@3000000,quit=on'],
                               stdin=subprocess.DEVNULL, capture_output=True, timeout=100)
            tried += 1
            errors, refused_it, went_on = verdict(p)
            if refused_it:
                refusals += 1
            elif went_on:
                ran += 1
            else:
                odd.append((tried, name, p.returncode, errors[:1500]))
            p = subprocess.run([snapper, 'convert', at('m'), at('c'), rng.choice(('layout=mapped', 'layout=stream', 'target=qemu'))],
                               capture_output=True, timeout=100)
            errors = p.stderr.decode('utf-8', 'replace')
            if p.returncode not in (0, 1) or errors.count('\n') != p.returncode:
                odd.append((tried, name, 'cede-snap', p.returncode, errors[:1500]))
    print('%d files: %d refused, %d ran' % (tried, refusals, ran))
    check(not odd, 'refused-or-runs', odd[:2])
    check(refusals > tried // 20 and ran > tried // 20, 'both-happen', (tried, refusals, ran))


main({f.__name__: f for f in (equal, remapped, retimed, layouts, converted_layouts, layouts_refused, background, progress, sections, prodded, areas, on_signal, typed,
                              refused, inspector, mutated, layouts_mutated)})
