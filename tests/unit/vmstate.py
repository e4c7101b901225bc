#!/usr/bin/env python3
"""unit/vmstate: every member of every struct that is described is in exactly one row; then the program's own tests.

usage: tests/unit/vmstate.py PROGRAM

PROGRAM --rows prints which bytes the rows are about. What is a member and what is padding says the
debugging information of the same program, as readelf prints it.
"""
# needs: $B/tests/unit/vmstate
import re
import subprocess
import sys

failures = 0


def check(ok, fact):
    global failures
    failures += not ok
    print(('ok ' if ok else 'FAIL ') + fact)


# ---- Types, as DWARF has them: <offset> -> tag, attributes, children ----

ENTRY = re.compile(r' *<([0-9a-f]+)><([0-9a-f]+)>: Abbrev Number: \d+ \(DW_TAG_(\w+)\)')
ATTRIBUTE = re.compile(r' *<[0-9a-f]+> +DW_AT_(\w+) *: (.*)')
FORM = re.compile(r'^\([a-z_]+\d*\) ')        # of an attribute, as some versions print it
TAGS = {'structure_type', 'union_type', 'member', 'array_type', 'subrange_type', 'typedef', 'const_type', 'volatile_type',
        'atomic_type', 'base_type', 'enumeration_type', 'pointer_type'}
ATTRIBUTES = {'name', 'type', 'byte_size', 'data_member_location', 'count', 'upper_bound', 'declaration', 'bit_size',
              'data_bit_offset'}


class Type:
    def __init__(self, tag):
        self.tag, self.attributes, self.children = tag, {}, []

    def number(self, name, otherwise=None):
        text = self.attributes.get(name)
        return otherwise if text is None else int(text.split()[0], 0)


def read_types(program):
    types, stack, entry = {}, {}, None
    dump = subprocess.Popen(['readelf', '--debug-dump=info', program], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, errors='replace')
    for line in dump.stdout:
        if 'Abbrev Number' in line:
            m = ENTRY.match(line)
            entry = Type(m.group(3)) if m and m.group(3) in TAGS else None
            if m:
                depth = int(m.group(1), 16)
                stack[depth] = entry
                if entry:
                    types[int(m.group(2), 16)] = entry
                    if stack.get(depth - 1):
                        stack[depth - 1].children.append(entry)
        elif entry and 'DW_AT_' in line:
            m = ATTRIBUTE.match(line)
            if m and m.group(1) in ATTRIBUTES:
                entry.attributes[m.group(1)] = FORM.sub('', m.group(2).strip())
    if dump.wait():
        sys.exit('cannot read the debugging information of ' + program)
    return types


def name_of(entry):
    """Without where the string stands: '(indirect string, offset: 0x1f): cpu'."""
    return re.sub(r'^\([^)]*\): ', '', entry.attributes.get('name', ''))


class Layouts:
    def __init__(self, types):
        self.types = types
        self.masks = {}
        self.structs = {}
        for entry in types.values():
            if entry.tag == 'structure_type' and 'declaration' not in entry.attributes:
                self.structs.setdefault(name_of(entry), entry)

    def target(self, entry):
        text = entry.attributes.get('type')
        return self.types[int(text.strip('<>'), 16)] if text else None

    def mask(self, entry):
        """A byte for each of the type: 1 where it holds something, 0 in padding."""
        if id(entry) not in self.masks:
            self.masks[id(entry)] = self.make_mask(entry)
        return self.masks[id(entry)]

    def make_mask(self, entry):
        if entry.tag in ('typedef', 'const_type', 'volatile_type', 'atomic_type'):
            return self.mask(self.target(entry))
        if entry.tag == 'array_type':
            n = 1
            for dimension in entry.children:
                n *= dimension.number('count', dimension.number('upper_bound', -1) + 1)
            return self.mask(self.target(entry)) * n
        if entry.tag in ('structure_type', 'union_type'):
            whole = bytearray(entry.number('byte_size'))
            for at, _, mask in self.members(entry):
                for i, used in enumerate(mask):
                    whole[at + i] |= used
            return bytes(whole)
        return b'\1' * entry.number('byte_size', 8)     # a pointer says nothing of its size

    def members(self, entry):
        for member in entry.children:
            if member.tag == 'member' and 'bit_size' in member.attributes:
                first = member.number('data_bit_offset')
                last = first + member.number('bit_size') - 1
                yield first // 8, name_of(member), b'\1' * (last // 8 - first // 8 + 1)
            elif member.tag == 'member':
                yield member.number('data_member_location', 0), name_of(member), self.mask(self.target(member))


# ---- Rows ----

def read_rows(program):
    """struct -> (size, rows: (description, row, offset, stride, covers, elements))"""
    structs = {}
    out = subprocess.run([program, '--rows'], stdout=subprocess.PIPE, check=True, text=True).stdout
    for line in out.splitlines():
        struct, size, state, row, *numbers = line.split('\t')
        structs.setdefault(struct, (int(size), []))[1].append((state, row, *map(int, numbers)))
    return structs


def is_whole(size, rows, entry, layouts):
    """Do these rows alone have each member once?"""
    of = [0] * size
    for _, _, offset, stride, covers, n in rows:
        for i in range(n):
            for at in range(offset + i * stride, min(offset + i * stride + covers, size)):
                of[at] += 1
    return all(of[at + i] == 1 for at, _, mask in layouts.members(entry) for i, used in enumerate(mask) if used)


def alternatives(size, rows, entry, layouts):
    """Descriptions of which each is whole stand for each other (a bus has one for each adapter): one of them is enough."""
    states = {row[0] for row in rows}
    each = [[row for row in rows if row[0] == state] for state in sorted(states)]
    return each[0] if len(each) > 1 and all(is_whole(size, r, entry, layouts) for r in each) else rows


def test_struct(name, size, rows, layouts):
    entry = layouts.structs.get(name)
    if not entry or entry.number('byte_size') != size:
        return check(False, 'struct-%s-is-in-the-debugging-information' % name)
    of, wrong = [[] for _ in range(size)], []
    rows = alternatives(size, rows, entry, layouts)
    for state, row, offset, stride, covers, n in rows:
        for i in range(n):
            for at in range(offset + i * stride, offset + i * stride + covers):
                if at >= size:
                    return check(False, 'row-%s-of-%s-is-inside-its-struct' % (row, state))
                of[at].append('%s: %s' % (state, row))
    for at, member, mask in layouts.members(entry):
        bad = next((at + i for i, used in enumerate(mask) if len(of[at + i]) != 1 and (used or of[at + i])), None)
        if bad is not None:
            wrong.append('%s (byte %d) is in %s' % (member, bad, ' and '.join(of[bad]) or 'no row'))
    check(not wrong, 'each-member-of-struct-%s-is-in-one-row%s' % (name, ''.join('; ' + w for w in wrong)))


def find_devices(layouts):
    """The structs that begin with a struct device, or with one that does."""
    devices = {'device'}
    while True:
        more = {name for name, entry in layouts.structs.items() for first in entry.children[:1]
                if first.tag == 'member' and name_of(layouts.target(first)) in devices} - devices
        if not more:
            return devices - {'device'}
        devices |= more


def main():
    program = sys.argv[1]
    layouts = Layouts(read_types(program))
    structs = read_rows(program)
    check(len(structs) > 20, 'structs-found: %d' % len(structs))
    for name, (size, rows) in structs.items():
        test_struct(name, size, rows, layouts)
    devices = find_devices(layouts)
    check(len(devices) > 6, 'devices-found: %d' % len(devices))
    # What others begin with needs no rows of its own if theirs are about each of its bytes, too.
    begins = {name_of(layouts.target(entry.children[0])) for name, entry in layouts.structs.items() if name in structs and name in devices}
    for name in sorted(devices):
        check(name in structs or name in begins, 'device-struct-%s-is-described' % name)
    status = subprocess.run([program]).returncode
    sys.exit(1 if failures else status)


sys.stdout.reconfigure(line_buffering=True)
main()
