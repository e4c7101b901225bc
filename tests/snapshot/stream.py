"""QEMU's migration stream, read by what its JSON trailer says. An independent reader: it shares nothing
with savevm/.

    stream.py FILE              what sections there are
    stream.py FILE SECTION [N]  every field of one, of instance N
"""
import json
import struct
import sys
import zlib

EOF, START, PART, END, FULL, SUBSECTION, DESCRIPTION, CONFIGURATION, COMMAND, FOOTER = list(range(9)) + [0x7e]
PAGE = 4096


class Bad(Exception):
    pass


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise Bad('the file ends early')
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), 'big')

    def string(self):
        return self.take(self.number(1)).decode()


class Section:
    def __init__(self, name, instance, version, ident):
        self.name, self.instance, self.version, self.ident = name, instance, version, ident
        self.fields, self.start, self.end, self.sum = {}, 0, 0, 0
        self.parts = []         # where its bytes are, each from the tag to before the footer
        self.order = []         # field names with the subsection they are of

    def __getitem__(self, name):
        return self.fields[name][1]


def trailer(data):
    """The JSON text, and where its record begins."""
    at = data.rfind(b'\x00', 0, data.rfind(b'}'))
    start = data.find(b'{', at)
    if start < 5 or data[start - 5] != DESCRIPTION:
        raise Bad('no description')
    length = int.from_bytes(data[start - 4:start], 'big')
    if start + length != len(data):
        raise Bad('the description is not the end')
    return json.loads(data[start:]), start - 5


def scalar(kind, raw):
    if kind.startswith(('uint', 'fpr', 'vsr')):
        return int.from_bytes(raw, 'big')
    if kind.startswith('int') or kind == 'timer':
        return int.from_bytes(raw, 'big', signed=True)
    if kind == 'bool':
        return raw[0] != 0
    return raw


def field(r, section, prefix, f):
    n, name = f.get('array_len', 1), prefix + f['name'] + ('[%d]' % f['index'] if 'index' in f else '')
    if 'struct' in f:
        for i in range(n):
            at = r.at
            state(r, section, name + ('[%d]' % i if 'array_len' in f else '') + '.', f['struct'])
            if r.at - at != f['size']:
                raise Bad('%s: %d bytes, %d said' % (name, r.at - at, f['size']))
        return
    raw = [r.take(f['size']) for _ in range(n)]
    values = [scalar(f['type'], x) for x in raw]
    section.fields[name] = (f['type'], values if 'array_len' in f else values[0])
    section.order.append(name)


def state(r, section, prefix, d):
    for f in d['fields']:
        field(r, section, prefix, f)
    for sub in d.get('subsections', []):
        if r.number(1) != SUBSECTION or r.string() != sub['vmsd_name'] or r.number(4) != sub['version']:
            raise Bad('%s: subsection %s is not there' % (section.name, sub['vmsd_name']))
        section.order.append('(' + sub['vmsd_name'] + ')')
        state(r, section, prefix, sub)


def ram(r, pages, blocks, mine):
    while True:
        word = r.number(8)
        flags, address = word & (PAGE - 1), word & ~(PAGE - 1)
        if flags & 0x04:
            total = address
            while total:
                name = r.string()
                blocks[name] = r.number(8)
                total -= blocks[name]
        elif flags & 0x0a:
            if not flags & 0x20:
                mine[0] = r.string()
            pages[(mine[0], address)] = bytes([r.number(1)]) * PAGE if flags & 2 else r.take(PAGE)
        elif flags != 0x10:
            raise Bad('RAM record 0x%x' % word)
        if flags & 0x10:
            return


def htab(r, start):
    """The table's order in the first part; how many entries the others have, and how many they say are none."""
    word, entries, none = r.number(4), 0, 0
    if start or word == 0xffffffff:
        return None if word == 0xffffffff else word
    while True:
        r.number(4)
        valid, invalid = r.number(2), r.number(2)
        if not valid and not invalid:
            return entries, none
        r.take(16 * valid)
        entries += valid
        none += invalid


class Snapshot:
    def __init__(self, path):
        with open(path, 'rb') as f:
            self.data = f.read()
        self.description, end = trailer(self.data)
        devices = {(d['name'], d['instance_id']): d for d in self.description['devices']}
        r = Reader(self.data)
        if r.take(4) != b'QEVM' or r.number(4) != 3 or r.number(1) != CONFIGURATION:
            raise Bad('head')
        self.machine = r.take(r.number(4)).decode()
        self.sections, self.live, self.pages, self.blocks = [], {}, {}, {}
        self.ids, block = set(), [None]
        self.hpt_order, self.hpt_entries, self.hpt_rounds = None, 0, []
        while True:
            start, tag = r.at, r.number(1)
            if tag == EOF:
                break
            ident = r.number(4)
            if tag in (START, FULL):
                if ident in self.ids:
                    raise Bad('number %d twice' % ident)
                self.ids.add(ident)
                section = Section(r.string(), r.number(4), r.number(4), ident)
                self.sections.append(section)
                section.start = start
                if tag == START:
                    self.live[ident] = section
            else:
                section = self.live[ident]
            if tag == FULL:
                state(r, section, '', devices.pop((section.name, section.instance)))
            elif section.name == 'ram':
                ram(r, self.pages, self.blocks, block)
            elif section.name == 'spapr/htab':
                found = htab(r, tag == START)
                if tag == START:
                    self.hpt_order = found
                elif found:
                    self.hpt_entries += found[0]
                    self.hpt_rounds.append(found)
            else:
                raise Bad('live section ' + section.name)
            section.end = r.at
            section.parts.append((start, r.at))
            section.sum = zlib.crc32(self.data[start:r.at], section.sum)
            if r.number(1) != FOOTER or r.number(4) != ident:
                raise Bad('footer of %s %d' % (section.name, section.instance))
        if r.at != end:
            raise Bad('something between the end and the description')
        if devices:
            raise Bad('described and not there: %s' % list(devices))

    def section(self, name, instance=0):
        for s in self.sections:
            if (s.name, s.instance) == (name, instance):
                return s
        raise KeyError(name)

    def names(self):
        return [(s.name, s.instance) for s in self.sections]

    def subsections(self, name, instance=0):
        return [x[1:-1] for x in self.section(name, instance).order if x.startswith('(')]


def show(section):
    for name in section.order:
        if name.startswith('('):
            print(name)
            continue
        kind, value = section.fields[name]
        if isinstance(value, list):
            for i, v in enumerate(value):
                if v not in (0, b'\0' * 16):
                    print('  %s[%d] = %s' % (name, i, v.hex() if isinstance(v, bytes) else hex(v)))
        else:
            print('  %s = %s' % (name, value.hex() if isinstance(value, bytes) else hex(value)))


if __name__ == '__main__':
    snapshot = Snapshot(sys.argv[1])
    if len(sys.argv) > 2:
        show(snapshot.section(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0))
    else:
        print(snapshot.machine)
        for s in snapshot.sections:
            print('%-32s %10d  v%d  %9d bytes  %08x' % (s.name, s.instance, s.version, s.end - s.start, s.sum))
