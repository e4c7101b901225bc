"""Snapshots that are loaded with other options: what differs is named by its option, in the option's words."""
# needs: programs guests
import os
import re
import subprocess
import sys

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'linux')]
from bare import assemble, cross_tools    # noqa: E402
from console import CEDE, Folder, check, main, skip     # noqa: E402

SNAP = os.path.join(os.environ.get('B', 'build'), 'cede-snap')
GUEST = os.path.join(os.environ.get('B', 'build'), 'tests/guest/sprs-be.elf')
BARE = ('-m', '256M', '-nodefaults', '-nographic', '-serial', 'stdio', '-rtc', 'base=2026-01-31T12:00:00')

HUGE = """
        .org    0x100
        li      3, 8                    # H_ENTER
        li      4, 0
        li      5, 0
        li      6, 5                    # valid, large: with its size in the second doubleword, of 16 MiB
        li      7, 0x10
        sc      1
1:      b       1b
"""

# Asks for a POWER9's registers, XIVE and the radix MMU, and then again and again where an interrupt's pages are.
AGREES = """
        .org    0x100
        li      3, 0
        ori     3, 3, 0xf002            # H_CAS
        li      4, vectors
        lis     5, 0x100
        lis     6, 0x10
        sc      1
1:      li      3, 0x3a8                # H_INT_GET_SOURCE_INFO
        li      4, 0
        li      5, 0x1000
        sc      1
        b       1b
vectors:
        .long   0xffff0000, 0x004e0000, 0, 0xffffffff
        .byte   4, 2, 0, 0, 0x80, 0, 0, 0, 0, 0, 0
        .byte   25, 0, 0x40
        .zero   20
        .byte   0x40, 0x40, 0, 0x40     # bytes 23 to 26
"""

# The same on a POWER10, where QEMU can have it: it can be interrupted, and sets its decrementer anew then.
WAITS = re.sub(r'1:      li      3, 0x3a8.*?b       1b', """        mfmsr   3
        ori     3, 3, 0x8002            # EE, RI
        mtmsrd  3
1:      b       1b
        .org    0x900
        lis     3, 0x100
        mtdec   3
        rfid""", AGREES.replace("0x004e0000", "0x00800000"), flags=re.DOTALL)

# The machine; with which other options it is loaded; where the refusal is, and how it ends.
CASES = (
    ('-cpu power10 -smp 4,threads=2', (
        ('-cpu power10 -smp 4,threads=4', 'cede/machine: field threads: expected 4, found 2 (-smp threads=)'),
        ('-cpu power10 -smp 4', 'cede/machine: field threads: expected 1, found 2 (-smp threads=)'),
        ('-cpu power10 -smp 4,threads=2 -M max-cpu-compat=power8',
         'section xive-source 0: this machine has none (other -cpu, -smp, -serial, -drive, -device, -nic, -vga, -M ic-mode or max-cpu-compat?)'),
        ('-cpu power10 -smp 4,threads=2 -M cap-hpt-max-page-size=4k',
         'spapr/cap/hpt_maxpagesize: field mig.caps[0x06]: expected at most 4k, found 64k (-M cap-hpt-max-page-size=)'),
        ('-cpu power10 -smp 4,threads=2 -pool procs=1',
         'field shared: expected shared processors, found dedicated ones (-pool)'),
    )),
    ('-cpu power10 -M max-cpu-compat=power10', (
        ('-cpu power9 -M max-cpu-compat=power9', 'it is of power10 (PVR 0x00801200), and this is power9 (-cpu)'),
    )),
    ('-cpu power10', (
        ('-cpu power10 -M cap-dawr1=off', 'spapr/cap/dawr1: field mig.caps[0x0E]: expected at most off, found on (-M cap-dawr1=)'),
    )),
    ('-cpu power9 -M cap-rpt-invalidate=on,cap-ibs=fixed-na,cap-cfpc=fixed', (
        ('-cpu power9 -M cap-ibs=fixed-na,cap-cfpc=fixed', 'expected at most off, found on (-M cap-rpt-invalidate=)'),
        ('-cpu power9 -M cap-rpt-invalidate=on,cap-ibs=fixed-ccd,cap-cfpc=fixed', 'expected at most fixed-ccd, found fixed-na (-M cap-ibs=)'),
        ('-cpu power9 -M cap-rpt-invalidate=on,cap-ibs=fixed-na', 'expected at most workaround, found fixed (-M cap-cfpc=)'),
    )),
    ('-cpu power9', (       # what it has and does not mention, being the default
        ('-cpu power9 -M cap-dfp=off', 'spapr/cap/dfp: field mig.caps[0x02]: expected at most off, found on (-M cap-dfp=)'),
        ('-cpu power9 -M cap-cfpc=broken', 'expected at most broken, found workaround (-M cap-cfpc=)'),
        ('-cpu power9 -M cap-large-decr=off', 'expected at most off, found on (-M cap-large-decr=)'),
        ('-cpu power9 -M cap-ccf-assist=off', 'expected at most off, found on (-M cap-ccf-assist=)'),
    )),
    ('-cpu power9 -M ic-mode=xive -smp 2', (     # whose guest has agreed on nothing, and uses it
        ('-cpu power9 -smp 2', 'section ics 0 is missing: the guest\'s interrupts are XICS\'s here, and the machine that was saved had none (-M ic-mode=)'),
        ('-cpu power9 -smp 2 -M ic-mode=xics',
         'section xive-source 0: this machine has none (other -cpu, -smp, -serial, -drive, -device, -nic, -vga, -M ic-mode or max-cpu-compat?)'),
    )),
    ('-cpu power9 -timing power9,freq=2000 -smp 2 -pool procs=2,load=0.5,window=5ms', (
        ('-cpu power9,freq=4000 -timing power9 -smp 2 -pool procs=2,load=0.5,window=5ms',
         'field per_cycle: expected 4010 MHz, found 2005 MHz (-timing freq=, -cpu freq=)'),
        ('-cpu power9 -timing power9,freq=2000 -smp 2 -pool procs=2,load=0.6,window=5ms',
         'field demand: expected 3 ms of a window, found 2.5 ms of a window (-pool load=)'),
        ('-cpu power9 -timing power9,freq=2000 -smp 2 -pool procs=2,load=0.5,window=6ms',
         'field window: expected 6 ms, found 5 ms (-pool window=)'),
        ('-cpu power9 -timing power9,freq=2000 -smp 2 -pool procs=1,load=0.5,window=5ms',
         'field procs: expected 1, found 2 (-pool procs=, -smp)'),
        ('-cpu power9 -timing power9,freq=2000 -smp 2 -pool procs=2,load=0.5,window=5ms,chips=2',
         'field chips: expected 2, found 1 (-pool chips=)'),
    )),
)


def run(*options):
    p = subprocess.run([CEDE, *BARE, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def refused():
    if not os.path.exists(GUEST):
        skip(GUEST + ' was not built: no cross compiler?')
    with Folder() as at:
        for number, (machine, loads) in enumerate(CASES):
            path = at(number)
            saved = run(*machine.split(), '-kernel', GUEST, '-save', path + '@20000,quit=on')
            check(os.path.exists(path), 'saved: ' + machine, saved)
            for options, what in loads:
                status, _, err = run(*options.split(), '-loadvm', path)
                check(status == 1 and err.count('\n') == 1 and err.endswith(what + '\n'), options, (status, err))


def huge():
    """A hash guest's large page where the user has ruled them out: the entry comes before the capability."""
    tools = cross_tools()
    with Folder() as at:
        assemble(at, HUGE, tools)
        machine = ('-cpu', 'power8', '-M', 'cap-hpt-max-page-size=16m')
        run(*machine, '-bios', at('a.bin'), '-save', at('s') + '@20000,quit=on')
        for size in '64k', '4k':
            status, _, err = run(*machine[:2], '-M', 'cap-hpt-max-page-size=' + size, '-loadvm', at('s'))
            check(status == 1 and err.count('\n') == 1 and err.endswith(
                'section spapr/htab 0: entry 0x0: expected pages of %s at most, found one of 16m (-M cap-hpt-max-page-size=)\n' % size),
                  'refused-' + size, (status, err))
        check(run(*machine, '-loadvm', at('s'), '-save', at('t') + '@30000,quit=on')[0] == 0 and os.path.exists(at('t')), 'goes-on')


def agreed():
    """A guest that has agreed on XIVE goes on with it wherever there is one, though only this machine has XICS as well."""
    tools = cross_tools()
    with Folder() as at:
        assemble(at, AGREES, tools)
        machine = ('-cpu', 'power9', '-smp', '2')
        run(*machine, '-M', 'ic-mode=xive', '-bios', at('a.bin'), '-trace', 'hcall=H_CAS', '-D', at('log'), '-save', at('s') + '@20000,quit=on')
        with open(at('log')) as f:
            text = f.read()
        check(re.search(r'H_CAS.* = H_SUCCESS', text), 'agrees', text)
        for name, options in (('dual', ()), ('xive', ('-M', 'ic-mode=xive'))):
            got = run(*machine, *options, '-loadvm', at('s'), '-trace', 'hcall=H_INT_GET_SOURCE_INFO', '-D', at('log'), '-save', at('t') + '@21000,quit=on')
            with open(at('log')) as f:
                codes = re.findall(r'H_INT_GET_SOURCE_INFO.* = (\w+)', f.read())
            check(got[0] == 0 and not got[2] and set(codes) == {'H_SUCCESS'}, 'goes-on-' + name, (got, codes[:3]))


def watchpoints():
    """Without the second one a guest goes on with it and without it; to processors that have one it is no matter. QEMU 7.2 knows
    nothing of it, and cede-snap cannot take it out."""
    if not os.path.exists(GUEST):
        skip(GUEST + ' was not built: no cross compiler?')
    off = ('-M', 'cap-dawr1=off')
    with Folder() as at:
        for name, machine, other in (('off-off', ('-cpu', 'power10', *off), off), ('off-on', ('-cpu', 'power10', *off), ()),
                                     ('power9-on-off', ('-cpu', 'power9'), off), ('power8-off-on', ('-cpu', 'power8', *off), ())):
            run(*machine, '-kernel', GUEST, '-save', at(name) + '@20000,quit=on')
            got = run(*machine[:2], *other, '-loadvm', at(name), '-save', at('after-' + name) + '@30000,quit=on')
            check(got[0] == 0 and not got[2] and os.path.exists(at('after-' + name)), name, got)
        assemble(at, WAITS, cross_tools())
        for name, other in (('for-qemu-off', off), ('for-qemu-on', ())):
            run('-cpu', 'power10', *off, '-bios', at('a.bin'), '-save', at(name) + '@20000,target=qemu,quit=on')
            got = run('-cpu', 'power10', *other, '-loadvm', at(name), '-save', at('after-' + name) + '@30000,quit=on')
            check(got[0] == 0 and not got[2] and os.path.exists(at('after-' + name)), name, got)
        p = subprocess.run([SNAP, 'convert', at('off-off'), at('t'), 'target=qemu'], capture_output=True, text=True)
        check(p.returncode == 1 and not os.path.exists(at('t')) and p.stderr.count('\n') == 1 and 'cap-dawr1=off' in p.stderr, 'convert', p)


main({'refused': refused, 'huge': huge, 'agreed': agreed, 'watchpoints': watchpoints})
