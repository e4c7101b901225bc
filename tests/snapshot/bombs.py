"""Small files that say of themselves that they are large: what reads them takes time and memory as the file has bytes."""
# needs: programs guest
import json
import os
import re
import resource
import shutil
import struct
import subprocess
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'linux')]
from console import CEDE, Folder, INITRD, KERNEL, check, main, need, skip      # noqa: E402
from stream import trailer      # noqa: E402

SNAP = os.path.join(os.environ.get('B', 'build'), 'cede-snap')
SECONDS = 10            # of the processor; what a bomb took before had no end
HARMLESS = 'parts',     # takes as long as the file is
PARENTS = 64            # at most
MEMORY = 700 << 20      # bytes of address space beside the file's own


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def machine(*options):
    need(KERNEL, INITRD)
    return [CEDE, '-M', 'pseries', '-m', '256M', '-nodefaults', '-nographic', '-serial', 'null', *options]


def run(*options, kernel=True, seconds=60):
    p = subprocess.run(machine(*(['-kernel', KERNEL] if kernel else []), *options), stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    return p.returncode, p.stdout.decode('utf-8', 'replace'), p.stderr.decode('utf-8', 'replace')


def write(path, data):
    with open(path, 'wb') as f:
        f.write(data)


def bounded(*argv, memory=MEMORY):
    """Status and what it said, if it could not take more than that."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, preexec_fn=limit)
    return p.returncode, p.stdout.decode('utf-8', 'replace'), p.stderr.decode('utf-8', 'replace')


def with_text(state, text):
    """A stream's state, to the tag that ends it, and that description."""
    while b'{' in struct.pack('>I', len(text)):
        text = text[:-1] + b' ' + text[-1:]
    return state + b'\x06' + struct.pack('>I', len(text)) + text


def nested(levels, times, inner):
    for _ in range(levels):
        inner = {'name': 'x', 'array_len': times, 'type': 'struct', 'size': 0,
                 'struct': {'vmsd_name': 'y', 'version': 1, 'fields': [inner]}}
    return inner


def bombs(data):
    """Name and file: each has nothing in it that is wrong but that there is so much."""
    whole, eof = trailer(data)
    state = data[:eof]

    def first_field(field):
        text = json.loads(json.dumps(whole))
        text['devices'][0]['fields'][:0] = field if isinstance(field, list) else [field]
        return with_text(state, json.dumps(text).encode())
    value = {'name': 'z', 'type': 'uint8', 'size': 0, 'array_len': 60000}
    yield 'arrays', first_field(nested(8, 60000, value))
    yield 'array', first_field(dict(value, array_len=len(data)))
    yield 'deep', first_field(nested(15, 60000, value))
    yield 'wide', first_field(dict(nested(1, 60000, value), **{'m%d' % i: 0 for i in range(50000)}))
    yield 'structs', first_field({'name': 'x', 'array_len': 60000, 'type': 'struct', 'size': 0, 'struct': {
        'vmsd_name': 'y', 'version': 1, 'fields': [dict(value, array_len=1, name='n%d' % i) for i in range(5000)]}})
    yield 'names', first_field([dict(value, name='a' * 100) for _ in range(20000)])
    yield 'brackets', with_text(state, b'{"devices":[' + b'[],' * 3000000 + b'[]]}')
    yield 'levels', with_text(state, b'{"devices":' + b'[' * 3000000)
    # As many sections and devices: each looks for its own.
    n = 60000
    sections = b''.join(b'\x04' + struct.pack('>I', 10000 + i) + b'\x01s' + struct.pack('>II', i, 1) + b'\x7e' + struct.pack('>I', 10000 + i) for i in range(n))
    devices = [{'name': 's', 'instance_id': n - i, 'vmsd_name': 's', 'version': 1, 'fields': []} for i in range(n)]
    yield 'sections', with_text(state[:-1] + sections + b'\0', json.dumps(dict(whole, devices=whole['devices'] + devices)).encode())
    parts = b'\x02\0\0\0\x01' + struct.pack('>Q', 0x10) + b'\x7e\0\0\0\x01'
    yield 'parts', state[:-1] + parts * 300000 + data[eof - 1:]
    many = b'\x01' + struct.pack('>I', 5000) + b'\x03ram' + struct.pack('>II', 5, 4)
    size = len(data) // 4096 * 4096 * 4096
    blocks = b''.join(b'\x02b' + bytes([97 + i]) + struct.pack('>Q', size) for i in range(20))
    yield 'blocks', state[:-1] + many + struct.pack('>Q', 20 * size | 4) + blocks + struct.pack('>Q', 0x10) + b'\x7e' + struct.pack('>I', 5000) + data[eof - 1:]


def sparse(path, out, gigabytes, used=1):
    """A mapped snapshot that says that it has so much memory: a table, and a hole."""
    data = read(path)
    stream_at, old = struct.unpack('>Q', data[24:32])[0], struct.unpack('>Q', data[40:48])[0]
    stream, new, group = bytearray(data[stream_at:]), gigabytes << 30, 2 << 20
    at = stream.index(struct.pack('>Q', old | 4))
    stream[at:at + 8] = struct.pack('>Q', new | 4)
    stream[at + 22:at + 30] = struct.pack('>Q', new)
    groups = new // group
    ram_at = (4096 + groups * 8 + group - 1) // group * group
    table = struct.pack('>II', 0, used) * groups
    head = bytearray(4096)
    head[:8] = b'CEDESNAP'
    struct.pack_into('>I', head, 8, 1)
    struct.pack_into('>QQQQ', head, 16, ram_at + new + len(stream), ram_at + new, ram_at, new)
    struct.pack_into('>II', head, 48, groups, group)
    struct.pack_into('>I', head, 12, zlib.crc32(table, zlib.crc32(bytes(head))))
    with open(out, 'wb') as f:
        f.write(head + table)
        f.seek(ram_at + new)
        f.write(stream)


def refused(name, path, *commands, memory=MEMORY):
    for command in commands or (['info'], ['verify'], ['show', 'timer']):
        status, text, errors = bounded(SNAP, command[0], path, *command[1:], memory=memory)
        check(status == 1 and errors.count('\n') == 1, '%s-%s' % (name, command[0]), (status, errors))


def early(at):
    """Snapshots of a guest that has hardly begun."""
    run('-save', at('one') + '@1000', '-save', at('mapped') + '@1000,layout=mapped', '-save', at('child') + '@2000,parent=' + at('one'),
        '-save', at('end') + '@2001,quit=on')
    return read(at('one'))


def inspector():
    """cede-snap, -loadvm of a child and -save parent=: refused, in little time and memory."""
    with Folder() as at:
        data = early(at)
        for name, bomb in bombs(data):
            write(at('bomb'), bomb)
            if name in HARMLESS:
                check(bounded(SNAP, 'info', at('bomb'))[0] == 0, name)
            else:
                refused(name, at('bomb'))
        sparse(at('mapped'), at('bomb'), 1024)
        check(os.stat(at('bomb')).st_blocks * 512 < 16 << 20, 'terabyte-is-small')
        for command in ['info'], ['list'], ['mem', '0xff00000000', '16'], ['show', 'timer']:
            status, text, errors = bounded(SNAP, command[0], at('bomb'), *command[1:], memory=(1 << 40) + MEMORY // 4)      # the file is mapped
            check(status == 0, 'terabyte-' + command[0], errors)
        status, text, errors = bounded(SNAP, 'verify', at('bomb'), memory=0)
        check(status == 1 and 'pages that are not zero: expected 1, found 0' in errors, 'terabyte-verify', errors)
        sparse(at('mapped'), at('bomb'), 8192)
        refused('8-terabytes', at('bomb'))
        sparse(at('mapped'), at('bomb'), 1024, 0)
        status, text, errors = bounded(SNAP, 'extract', at('bomb'), 'ram', at('memory'), memory=0)
        check(status == 0 and os.stat(at('memory')).st_size == 1 << 40 and os.stat(at('memory')).st_blocks < 1000, 'extract', errors)
        # A parent, and what is saved with one.
        name, bomb = next(bombs(data))
        write(at('one'), bomb)
        refused('child', at('child'))
        status, text, errors = run('-loadvm', at('child'), kernel=False)
        check(status == 1 and errors.count('\n') == 1 and 'description' in errors, 'loadvm-child', errors)
        status, text, errors = run('-save', at('x') + '@1000,quit=on,parent=' + at('one'))
        check(status == 1 and errors.count('\n') == 1 and 'description' in errors, 'save-with-parent', errors)


def zipped():
    """A compressed stream grows to what its machine can have, and in proportion to the file."""
    if not shutil.which('zstd'):
        skip('no zstd')
    with Folder() as at:
        data = early(at)
        first = data.index(b'\x0dppc_spapr.ram') - 8
        size = 64 << 30
        head = bytearray(data[:first])
        head += struct.pack('>Q', size | 4) + b'\x0dppc_spapr.ram' + struct.pack('>Q', size) + b'\x7e\0\0\0\x01'
        head += b'\x03\0\0\0\x01'
        page = struct.pack('>Q', 0x8) + b'\x0dppc_spapr.ram' + bytes(4096)
        with subprocess.Popen(['zstd', '-q', '-f', '-19', '-o', at('bomb')], stdin=subprocess.PIPE) as p:
            p.stdin.write(bytes(head) + page)
            for _ in range(2000):
                p.stdin.write((struct.pack('>Q', 0x28) + bytes(4096)) * 256)
            p.stdin.close()
        check(os.stat(at('bomb')).st_size < 1 << 20, 'bomb-is-small', os.stat(at('bomb')).st_size)
        status, text, errors = bounded(SNAP, 'info', at('bomb'), memory=0)
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
        check(status == 1 and 'larger' in errors, 'refused', errors)
        check(used < 300 << 20, 'takes-little', used)


def listed():
    """`info snapshots` looks at a file's end and nothing else, and takes bombs as they come."""
    with Folder() as at:
        data = early(at)
        os.mkdir(at('d'))
        for name, bomb in bombs(data):
            write(at('d/%s.cede' % name), bomb)
        sparse(at('mapped'), at('d/terabyte.cede'), 1024)
        os.mkfifo(at('d/fifo.cede'))
        end = data[-(300 << 10):]
        with open(at('d/huge.cede'), 'wb') as f:        # nothing before its end is what it should be
            f.seek(40 << 30)
            f.write(end)
        shutil.copy(at('one'), at('d/good.cede'))
        shutil.copy(at('child'), at('d/orphan.cede'))
        monitor = machine('-kernel', KERNEL, '-S', '-monitor', 'stdio', '-snapdir', at('d'))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        text = subprocess.run(monitor, input=b'info snapshots\nquit\n', capture_output=True, timeout=60).stdout.decode().replace('\r', '')
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        for name in 'good', 'huge', 'terabyte', 'orphan', 'arrays':
            check(re.search(name + r' .* 00:00:00\.000\n', text), name + '-has-its-clock', text)
        check('fifo' not in text, 'no-fifo', text)
        spent = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
        check(spent < 5, 'in-no-time', spent)


def chains():
    """Chains of parents: what is wrong comes first, and of which file."""
    with Folder() as at:
        data = early(at)
        child = read(at('child'))

        def named(parent):
            head = bytearray(child[:4096])
            head[72:72 + 256] = parent.encode().ljust(256, b'\0')
            struct.pack_into('>I', head, 12, 0)
            struct.pack_into('>I', head, 12, zlib.crc32(bytes(head)))
            return bytes(head) + child[4096:]
        write(at('a'), named('b'))
        write(at('b'), named('a'))
        write(at('self'), named('self'))
        for i in range(70):
            write(at('long-name-of-link-number-%d' % i), named('long-name-of-link-number-%d' % (i + 1)))
        write(at('broken'), data[:len(data) // 2])
        write(at('of-broken-3'), named('broken'))
        write(at('of-broken-2'), named('of-broken-3'))
        write(at('of-broken'), named('of-broken-2'))
        for name, why in (('a', "a': it is among its own parents"), ('self', "self': it is among its own parents"), ('of-broken', "broken': "),
                          ('long-name-of-link-number-0', "long-name-of-link-number-64': too many parents")):
            status, text, errors = bounded(SNAP, 'info', at(name))
            check(status == 1 and why in errors and errors.count('\n') == 1 and errors.count("':") == 1, name, errors)
            status, text, errors = run('-loadvm', at(name), kernel=False)
            check(status == 1 and why in errors and errors.count('\n') == 1, name + '-loadvm', errors)
        # Ones that cede makes: what is saved loads, and what would not load is not saved.
        saves = []
        for i in range(1, PARENTS + 1):
            saves += ['-save', '%s@%d,parent=%s' % (at('d%d' % i), 1000 + i, at('d%d' % (i - 1)))]
        shutil.copy(at('one'), at('d0'))
        status, text, errors = run(*saves, '-save', at('end') + '@2001,quit=on')
        check(status == 0, 'chain-saved', errors)
        last = at('d%d' % PARENTS)
        check(run('-loadvm', last, '-save', at('end') + '@2002,quit=on', kernel=False)[0] == 0, 'the-longest-loads')
        for name, of, why in (('one-more', last, "d1': too many parents"), ('d3', at('d20'), 'cannot be its own')):
            before = os.path.exists(at(name)) and read(at(name))
            status, text, errors = run('-loadvm', last, '-save', '%s@2002,parent=%s,quit=on' % (at(name), of), kernel=False)
            check(status == 1 and why in errors and errors.count('\n') == 1, name + '-not-saved', (status, errors))
            check(before == (os.path.exists(at(name)) and read(at(name))), name + '-as-before')
        shutil.copy(last, at('free'))
        check(run('-save', '%s@2002,parent=%s,quit=on' % (at('free'), at('d%d' % (PARENTS - 1))))[0] == 0, 'over-another')


def lonely():
    """cede-snap convert of a file whose section ram has another instance number, and all its sums right."""
    with Folder() as at:
        data = bytearray(early(at))
        where = data.index(b'\x03ram\0\0\0\0')
        data[where + 7] = 1
        end = data.index(b'\x7e\0\0\0\x01', where)
        total = zlib.crc32(data[where - 5:end])
        part = data.index(b'\x03\0\0\0\x01', end)
        stop = data.index(b'\x7e\0\0\0\x01\x03\0\0\0\x02', part)
        total = zlib.crc32(data[part:stop], total)
        checks = data.index(b'\x0bcede/checks') + 12 + 8 + 4
        struct.pack_into('>I', data, checks + 4, total)
        text = bytes(data).replace(b'"name":"ram","instance_id":0', b'"name":"ram","instance_id":1')
        write(at('one'), text)
        status, said, errors = bounded(SNAP, 'verify', at('one'))
        check(status == 0, 'verified', errors)
        for how in 'layout=stream', 'layout=mapped', 'compress=zstd', 'target=qemu':
            status, said, errors = bounded(SNAP, 'convert', at('one'), at('out'), how, memory=0)
            check(status == 1 and 'section ram' in errors and errors.count('\n') == 1, how, (status, errors))


if __name__ == '__main__':
    main({f.__name__: f for f in (inspector, zipped, listed, chains, lonely)})
