"""Bad input: what the user gives cede is refused with one line on stderr and status 1 or 2, soon.

One row per case: name, expected status, a word that the line must contain, and the arguments. Words
that start with @ are files made below.
"""
# needs: programs
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

CEDE = os.environ.get('CEDE', 'build/cede')
TIMEOUT = 20        # seconds; a sanitizer build on a busy machine needs some of them
NOBODY = 65534
EM_PPC64, EM_X86_64 = 21, 62
ET_EXEC, PT_LOAD, PT_DYNAMIC, PT_INTERP = 2, 1, 2, 3
failed = 0


def elf(segments=((0, 0, 0x1000, 0x1000),), entry=0, machine=EM_PPC64, cls=2, data=2, kind=ET_EXEC, version=1,
        phnum=None, phoff=64, phentsize=56, ehsize=64, size=None, flags=2, ptype=PT_LOAD, extra=b''):
    """An ELF file. A segment is (offset in the body, physical address, file size, memory size)."""
    e = '>' if data == 2 else '<'
    ident = b'\x7fELF' + bytes([cls, data, version, 0]) + bytes(8)
    phnum = len(segments) if phnum is None else phnum
    head = ident + struct.pack(e + 'HHIQQQIHHHHHH', kind, machine, 1, entry, phoff, 0, flags, ehsize, phentsize,
                               phnum, 0, 0, 0)
    base = 64 + 56 * len(segments)
    table = b''
    for offset, addr, filesz, memsz in segments:
        table += struct.pack(e + 'IIQQQQQQ', ptype, 7, base + offset if offset >= 0 else 2 ** 64 + offset, addr,
                             addr, filesz, memsz, 0x10000)
    body = b'\x48\x00\x00\x00' * 0x800      # b .
    image = head + table + body + extra
    return image if size is None else image[:size]


EM_PPC = 20
BASE32 = 0x4000000


def elf32(segments=((0, BASE32, 0x1000, 0x1000),), entry=BASE32, machine=EM_PPC, data=2, kind=ET_EXEC, phnum=None, phoff=52,
          phentsize=32, size=None, code=(0x48000000,) * 0x800):
    """The same in 32 bits, as zImage.pseries is: physical addresses count as they are."""
    e = '>' if data == 2 else '<'
    phnum = len(segments) if phnum is None else phnum
    image = b'\x7fELF' + bytes([1, data, 1, 0]) + bytes(8)
    image += struct.pack(e + 'HHIIIIIHHHHHH', kind, machine, 1, entry, phoff, 0, 0, 52, phentsize, phnum, 0, 0, 0)
    base = 52 + 32 * len(segments)
    for offset, addr, filesz, memsz in segments:
        image += struct.pack(e + 'IIIIIIII', PT_LOAD, (base + offset) % 2 ** 32, addr, addr, filesz, memsz, 7, 0x10000)
    image += struct.pack('>%dI' % len(code), *code)
    return image if size is None else image[:size]


# RTAS power-off, wherever it lies: bcl 20,31,.+4; mflr r4; addi r4,r4,24; lis r3,0; ori r3,r3,0xf000; sc 1; b .; its arguments.
OFF = (0x429f0005, 0x7c8802a6, 0x38840018, 0x3c600000, 0x6063f000, 0x44000022, 0x48000000, 0x2003, 2, 1, 0, 0, 0)
BIG, BIG32 = 2 ** 64, 2 ** 32
FILES = {
    'empty': b'',
    'one-byte': b'\x7f',
    'magic': b'\x7fELF',
    'half-header': elf(size=40),
    'header': elf(size=64),
    'half-table': elf(size=64 + 20),
    'truncated': elf(size=0x800),
    'x86': elf(machine=EM_X86_64, data=1),
    'class32': elf(cls=1),
    'class0': elf(cls=0),
    'elf32-header-cut': elf32(size=51), 'elf32-table-cut': elf32(size=52 + 31), 'elf32-truncated': elf32(size=0x800),
    'elf32-little': elf32(data=1), 'elf32-ppc64': elf32(machine=EM_PPC64), 'elf32-x86': elf32(machine=3), 'elf32-relocatable': elf32(kind=1),
    'elf64-ppc': elf(machine=EM_PPC),
    'elf32-table-outside': elf32(phoff=BIG32 - 16), 'elf32-table-entry': elf32(phentsize=56), 'elf32-many': elf32(phnum=0xffff),
    'elf32-none': elf32(phnum=0), 'elf32-offset-outside': elf32(((0x80000000, BASE32, 0x1000, 0x1000),)),
    'elf32-offset-wraps': elf32(((-0x800, BASE32, 0x1000, 0x1000),)), 'elf32-file-bigger': elf32(((0, BASE32, 0x1000, 0x800),)),
    'elf32-huge': elf32(((0, BASE32, 0x1000, BIG32 - 1),)), 'elf32-outside': elf32(((0, BIG32 - 0x1000, 0x1000, 0x1000),), entry=BIG32 - 0x1000),
    'elf32-wraps': elf32(((0, BIG32 - 0x800, 0x1000, 0x1000),), entry=BIG32 - 0x800),
    'elf32-overlap': elf32(((0, BASE32, 0x1000, 0x1000), (0x800, BASE32 + 0x800, 0x1000, 0x1000))),
    'elf32-entry-outside': elf32(entry=BASE32 + 0x1000), 'elf32-entry-before': elf32(entry=BASE32 - 4), 'elf32-entry-odd': elf32(entry=BASE32 + 2),
    'elf32-on-vectors': elf32(((0, 0, 0x1000, 0x1000),), entry=0), 'elf32-on-stack': elf32(((0, 0x8000, 0x1000, 0x1000),), entry=0x8000),
    'off-shared': elf32(((0, 0, 4 * len(OFF), 0x1000),), entry=0, kind=3, code=OFF),
    'off-low': elf32(((0, 0x10000, 4 * len(OFF), 0x1000),), entry=0x10000, code=OFF),
    'elf32-below-4M': elf32(((0, 0x10000, 0x1000, 0x1000),), entry=0x10000),
    'data0': elf(data=2)[:5] + b'\0' + elf(data=2)[6:],
    'version0': elf(version=0),
    'relocatable': elf(kind=1),
    'core': elf(kind=4),
    'no-segments': elf(phnum=0),
    'no-load': elf(ptype=PT_INTERP),
    'table-outside': elf(phoff=1 << 40),
    'table-wraps': elf(phoff=BIG - 32),
    'table-entry-small': elf(phentsize=8),
    'table-entry-0': elf(phentsize=0),
    'many-headers': elf(phnum=0xffff),
    'file-bigger-than-mem': elf(((0, 0, 0x1000, 0x800),)),
    'offset-outside': elf(((1 << 40, 0, 0x1000, 0x1000),)),
    'offset-wraps': elf(((-0x800, 0, 0x1000, 0x1000),)),
    'overlap': elf(((0, 0, 0x1000, 0x1000), (0x800, 0x800, 0x1000, 0x1000))),
    'same-twice': elf(((0, 0, 0x1000, 0x1000), (0, 0, 0x1000, 0x1000))),
    'entry-outside': elf(entry=1 << 40),
    'entry-between': elf(((0, 0, 0x100, 0x100), (0x100, 0x10000, 0x100, 0x100)), entry=0x8000),
    'entry-odd': elf(entry=2),
    'entry-max': elf(entry=BIG - 4),
    'huge-mem': elf(((0, 0, 0x1000, 1 << 50),)),
    'mem-wraps': elf(((0, 0, 0x1000, BIG - 1),)),
    'address-wraps': elf(((0, BIG - 0x800, 0x1000, 0x1000),), entry=BIG - 0x800),
    'fine': elf(),
    'big-initrd': ('sparse', 300 << 20),
    'huge-initrd': ('sparse', 1 << 50),
    'big-bios': ('sparse', 64 << 20),
    'big-code': ('sparse', 1 << 20),
    'text': b'#!/bin/sh\necho this is no kernel\n',
}

RUN = ('-m', '256M', '-nodefaults', '-nographic', '-serial', 'null')


def kernel(name, *more):
    return RUN + ('-kernel', '@' + name) + more


CASES = [
    # Files. What is no ELF at all is taken as a flat image of code, as QEMU does, unless it is too short.
    *((name, 1, '@' + name, kernel(name)) for name in (
        'empty', 'magic', 'half-header', 'header', 'half-table', 'truncated', 'x86', 'class32', 'class0', 'data0',
        'version0', 'relocatable', 'core', 'no-segments', 'no-load', 'table-outside', 'table-wraps',
        'table-entry-small', 'table-entry-0', 'many-headers', 'file-bigger-than-mem', 'offset-outside', 'offset-wraps',
        'overlap', 'same-twice', 'entry-outside', 'entry-between', 'entry-odd', 'entry-max', 'huge-mem', 'mem-wraps',
        'address-wraps', 'elf64-ppc')),
    *((name, 1, '@' + name, kernel(name)) for name in FILES if name.startswith('elf32-') and name != 'elf32-below-4M'),
    ('elf32-on-bios', 1, '@elf32-below-4M', kernel('elf32-below-4M', '-bios', '@big-code')),
    ('no-such-kernel', 1, 'nonesuch', RUN + ('-kernel', '@nonesuch')),
    ('kernel-is-directory', 1, 'directory', RUN + ('-kernel', '@directory')),
    ('kernel-is-fifo', 1, 'fifo', RUN + ('-kernel', '@fifo')),
    ('kernel-is-device', 1, '/dev/zero', RUN + ('-kernel', '/dev/zero')),
    ('kernel-unreadable', 1, 'unreadable\': Permission denied', RUN + ('-kernel', '@unreadable')),
    ('kernel-name-empty', (1, 2), 'kernel', RUN + ('-kernel', '')),
    ('kernel-through-file', 1, 'fine', RUN + ('-kernel', '@fine/x')),
    ('no-such-initrd', 1, 'nonesuch', kernel('fine', '-initrd', '@nonesuch')),
    ('initrd-empty', 1, 'empty', kernel('fine', '-initrd', '@empty')),
    ('initrd-is-directory', 1, 'directory', kernel('fine', '-initrd', '@directory')),
    ('initrd-larger-than-ram', 1, 'big-initrd', kernel('fine', '-initrd', '@big-initrd')),
    ('initrd-enormous', 1, 'initrd', kernel('fine', '-initrd', '@huge-initrd')),
    ('kernel-larger-than-ram', 1, 'big-initrd', RUN + ('-kernel', '@big-initrd')),
    ('initrd-without-kernel', (1, 2), 'initrd', RUN + ('-initrd', '@fine')),
    ('nothing-to-boot', (1, 2), 'kernel', RUN),
    ('no-such-bios', 1, 'nonesuch', RUN + ('-bios', '@nonesuch')),
    ('bios-too-large', 1, 'big-bios', RUN + ('-bios', '@big-bios')),
    ('log-in-no-folder', 1, 'nonesuch', kernel('fine', '-d', 'int', '-D', '@nonesuch/log')),
    ('log-to-directory', 1, 'directory', kernel('fine', '-d', 'int', '-D', '@directory')),
    ('save-in-no-folder', 1, "save to '@nonesuch/s': No such file", kernel('fine', '-save', '@nonesuch/s')),
    ('save-through-file', 1, "save to '@fine/s': Not a directory", kernel('fine', '-save', '@fine/s,background=on')),
    ('save-folder-unreadable', 1, "save to '@s': Permission denied", kernel('fine', '-save', '@s')),
    ('save-link-into-no-folder', 1, "save to '@shut/astray': No such file", kernel('fine', '-save', '@shut/astray')),
    ('no-such-drive', 1, 'nonesuch', kernel('fine', '-drive', 'if=pflash,file=@nonesuch/nvram,format=raw')),
    # Options.
    ('unknown-option', 2, 'frobnicate', ('-frobnicate',)),
    ('word-alone', 2, 'vmlinux', ('vmlinux',)),
    ('dash-alone', 2, '-', ('-',)),
    ('empty-word', 2, '', ('',)),
    ('twice', (1, 2), 'kernel', kernel('nonesuch', '-kernel', '@nonesuch')),
    *(('no-value' + o, 2, o[1:], (o,)) for o in ('-kernel', '-initrd', '-m', '-smp', '-M', '-cpu', '-serial', '-append',
                                                 '-d', '-D', '-trace', '-rtc', '-seed', '-clock', '-timing', '-bios')),
    *(('smp=' + v, 2, 'smp', ('-smp', v)) for v in (
        '0', '-1', '257', '4294967297', '18446744073709551617', 'x', '1x', '', '1,threads=0', '1,threads=x', '2,threads=3',
        '1,maxcpus=0', '4,maxcpus=2', 'cpus=', '1,frob=2', '1e3', ' ', '99999999999999999999999')),
    *(('m=' + v, 2, 'm', ('-m', v)) for v in (
        '0', '-1', '1', '255M', '257M', '1T', '65G', '16777216T', 'x', '1X', '', '1GG', '18446744073709551616',
        '99999999999999999999999999', '1G,slots=2,maxmem=1M')),
    *(('cpu=' + v, 2, 'cpu', ('-cpu', v)) for v in ('power7', 'power9_v1.0', 'power10_v1.0', 'power11', 'power8,frob=1', 'host', '', 'power9,frob=1')),
    *(('M=' + v, 2, 'M', ('-M', v)) for v in ('pc', 'pseries-1.0', '', 'pseries,frob=1', 'pseries,x-vof=maybe',
                                              'pseries,vsmt=x', 'pseries,vsmt=0', 'pseries,cap-cfpc=x',
                                              'pseries,max-cpu-compat=power99', 'pseries,max-cpu-compat=power10', 'pseries,ic-mode=xivex')),
    *(('serial=' + v, (1, 2), '', kernel('fine', '-serial', v)) for v in (
        'frob', '', 'file:', 'unix:', 'mon:frob', 'unix:' + 'x' * 200, 'unix:@nonesuch/socket', 'file:@nonesuch/out',
        'unix:@sock,frob=1', 'file:@directory')),
    ('stdio-twice', (1, 2), 'stdio', ('-m', '256M', '-nodefaults', '-serial', 'stdio', '-serial', 'stdio',
                                      '-kernel', '@fine')),
    ('17-serials', (1, 2), 'serial', RUN + ('-serial', 'null') * 17),
    *(('rtc=' + v, 2, 'rtc', ('-rtc', v)) for v in ('base=', 'base=x', 'base=2026-13-01T00:00:00', 'base=2026-02-30',
                                                    'frob=1', '', 'base=9999999999-01-01', 'foo', 'utc', 'help')),
    *(('device=' + v, 2, 'device', ('-device', v)) for v in ('', ',', 'frob', 'frob,x=1', 'spapr-rn', 'spapr-rng,frob=1', 'spapr-rng,use-kvm',
                                                             'spapr-rng,use-kvm=maybe', 'spapr-nvram', 'spapr-vty')),
    ('device=twice', 2, 'only one', kernel('fine', '-device', 'spapr-rng', '-device', 'spapr-rng')),
    ('device=257', 2, 'device', RUN + ('-device', 'spapr-rng') * 257),
    *(('timing=' + v, 2, 'timing', ('-timing', v)) for v in ('frob', '', 'power7', 'power9-llvm', 'flat,caches=off', 'power9,caches=no', 'power9,freq=9')),
    *(('cpu=power9,' + v, 2, 'freq', ('-cpu', 'power9,' + v)) for v in ('freq=', 'freq=3000')),
    ('cpu=two-clocks', 2, 'both', ('-cpu', 'power9,freq=3000', '-timing', 'power9,freq=3500')),
    *(('clock=' + v, 2, 'clock', ('-clock', v)) for v in ('frob', '')),
    *(('seed=' + v, 2, 'seed', ('-seed', v)) for v in ('x', '', '-1', '1x', '18446744073709551616')),
    *(('accel=' + v, 2, 'accel', ('-accel', v)) for v in ('', 'frob', 'kvm:frob', 'tcg,frob=1', 'x=tcg', 'tcgx')),
    *(('boot=' + v, 2, 'boot', ('-boot', v)) for v in ('x', 'menu=x', 'strict=1', 'once=C', 'splash-time=x', 'splash-time=65536', 'frob=1', 'order=c,frob')),
    *(('M=' + v, 2, v.split('=')[0], ('-M', 'pseries,' + v)) for v in ('cap-dfp=frob', 'cap-htm=frob', 'cap-vsx=off', 'accel=frob')),
    *(('action=' + v, 2, 'action', ('-action', v)) for v in ('', 'panic', 'panic=frob', 'panic=', 'frob=none', 'watchdog=x',
                                                             'reboot=reset,panic=x')),
    *(('d=' + v, 2, 'd', ('-d', v)) for v in ('frob', 'int,frob')),
    *(('trace=' + v, 2, 'trace', ('-trace', v)) for v in ('frob', '', 'hcall=', 'hcall=H_FOO', 'hcall=H_CEDE,H_FOO',
                                                          'hcall=!H_FOO', 'hcall,frob', 'dispatch=1')),
    *(('uuid=' + v, 2, 'uuid', ('-uuid', v)) for v in ('x', '', '12345678-1234-1234-1234-12345678901',
                                                       '12345678-1234-1234-1234-1234567890123',
                                                       'g2345678-1234-1234-1234-123456789012')),
    *(('vnc=' + v, 2, 'vnc', ('-vnc', v)) for v in ('x', ':x', ':99999', ':1,frob', ':1,password=maybe', '', ':-1')),
    *(('display=' + v, 2, 'display', ('-display', v)) for v in ('gtk', 'frob', '', 'sdl,frob=on', 'sdl,full-screen=x', 'none,full-screen=on')),
]


def later():
    """The options that are known but not there yet, from the list of options itself."""
    with open('machine/run/options.def') as f:
        rows = re.findall(r'^OPT_LATER\("([^"]+)", \w+, "([^"]*)"', f.read(), re.M)
    for name, argument in rows:
        yield 'later=' + name, 2, name, ('-' + name,) + (('x',) if argument else ())


def never():
    """Those that mean nothing here, with why; and QEMU's, each of which cede knows."""
    with open('machine/run/options.def') as f:
        text = f.read()
    for name, why in re.findall(r'^OPT_NEVER\("([^"]+)", "([^"]+)"\)', text, re.M):
        yield 'never=' + name, 2, '-%s: %s' % (name, why), ('-' + name, 'x')


def qemus_options():
    if not shutil.which('qemu-system-ppc64'):
        return
    out = subprocess.run(['qemu-system-ppc64', '-help'], stdout=subprocess.PIPE, timeout=TIMEOUT).stdout.decode()
    with open('machine/run/options.def') as f:
        known = set(re.findall(r'^OPT(?:_LATER|_NEVER)?\("([^"]+)"', f.read(), re.M))
    unknown = set(re.findall(r'^--?([\w-]+)', out, re.M)) - known
    check(not unknown, 'each-option-of-qemus-is-known', str(sorted(unknown)))


def make(folder):
    for name, content in FILES.items():
        with open(os.path.join(folder, name), 'wb') as f:
            if isinstance(content, tuple):
                f.truncate(min(content[1], 1 << 43))
            else:
                f.write(content)
    os.mkdir(os.path.join(folder, 'directory'))
    os.mkfifo(os.path.join(folder, 'fifo'))
    for name, mode in (('open', 0o777), ('shut', 0o755)):
        os.mkdir(os.path.join(folder, name))
        os.chmod(os.path.join(folder, name), mode)
    os.symlink('../open/snap', os.path.join(folder, 'shut', 'link'))
    os.symlink('../nowhere/snap', os.path.join(folder, 'shut', 'astray'))
    path = os.path.join(folder, 'unreadable')
    with open(path, 'wb') as f:
        f.write(FILES['fine'])
    os.chmod(path, 0)
    os.chmod(folder, 0o755)     # for whom cede runs as where root reads everything


def check(fact, name, detail=''):
    global failed
    failed += not fact
    print(('ok ' if fact else 'FAIL ') + name + ('' if fact else ': ' + detail))


def run(args, unprivileged=False):
    """Status, standard output and error. Unprivileged: not as root, even if this is root."""
    fd = os.open(CEDE, os.O_RDONLY)
    # By descriptor, as the other user may not be let into the folders above the program.
    user = {'user': NOBODY, 'group': NOBODY, 'extra_groups': (), 'executable': '/proc/self/fd/%d' % fd,
            'pass_fds': (fd,)} if unprivileged and os.getuid() == 0 else {}
    try:
        p = subprocess.run([CEDE, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=TIMEOUT, **user)
    finally:
        os.close(fd)
    return p.returncode, p.stdout.decode('utf-8', 'replace'), p.stderr.decode('utf-8', 'replace')


def case(folder, name, status, word, args):
    args = [a.replace('@', folder + '/') for a in args]
    try:
        got, out, err = run(args, name.endswith('-unreadable'))
    except subprocess.TimeoutExpired:
        check(False, name, 'hangs')
        return
    lines = err.splitlines()
    good = got in (status if isinstance(status, tuple) else (status,))
    check(good and len(lines) == 1 and lines[0].startswith('cede: ') and word.replace('@', folder + '/') in lines[0] and
          out == '' and lines[0].isprintable(), name, 'status %d, %r %r' % (got, err[:300], out[:100]))


def good_input():
    """What must not be refused."""
    for name, args, word in (('help', ('-help',), 'kernel'), ('h', ('-h',), 'kernel'), ('version', ('-version',), 'QEMU emulator version 7.2.0, and more\ncede '),
                             ('d-help', ('-d', 'help'), 'hcall'), ('trace-help', ('-trace', 'help'), 'H_CEDE'), ('serial-help', ('-serial', 'help'), 'unix:PATH'),
                             *(('%s-?' % o, ('-' + o, '?'), word) for o, word in (('cpu', 'power9_v2.2'), ('machine', 'cap-htm'), ('device', 'virtio-blk'), ('d', 'hcall')))):
        status, out, err = run(args)
        check(status == 0 and word in out and err == '', name, '%d %r %r' % (status, out[:200], err))
    out = run(('-help',))[1]
    with open('machine/run/options.def') as f:
        names = re.findall(r'^OPT\("([^"]+)"', f.read(), re.M)
    # A heading stands on the left edge, what belongs to it is indented.
    check(not re.search(r'^\S.*\n(?=\n|$)', out.split('\n\n', 1)[1], re.M), 'help-no-empty-heading', out)
    missing = [n for n in names if not re.search(r'(^|\s)-%s\b' % re.escape(n), out, re.M)]
    check(not missing, 'help-lists-all', str(missing))


def good_kernels(folder):
    """32-bit programs: linked below where 64-bit ones lie, and able to run anywhere."""
    for name in 'off-low', 'off-shared':
        status, out, err = run(RUN + ('-kernel', os.path.join(folder, name)))
        check(status == 0 and out + err == '', name, '%d %r %r' % (status, out[:200], err))


def good_link(folder):
    """A save goes where a link leads, whoever may write where the link is."""
    status, out, err = run(RUN + ('-kernel', os.path.join(folder, 'off-low'), '-save', os.path.join(folder, 'shut', 'link')), True)
    check(status == 0 and out + err == '', 'save-through-link', '%d %r %r' % (status, out[:200], err))


def main():
    good_input()
    with tempfile.TemporaryDirectory(prefix='cede-fault-') as folder:
        make(folder)
        good_kernels(folder)
        good_link(folder)
        qemus_options()
        for row in [*CASES, *later(), *never()]:
            case(folder, *row)
        os.chmod(os.path.join(folder, 'unreadable'), 0o600)
    return 1 if failed else 0


sys.exit(main())
