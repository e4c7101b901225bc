"""Profiles and files with symbols whose content is known."""
import struct

from prof_file import Block, Call, Cpu, Profile


def sample(reasons=('fetch', 'memory'), **options):
    """Two functions of a kernel, one of a process; the first calls the second from two places, which calls itself."""
    n = len(reasons)

    def block(ea, space, ends, cycles, stalls=(0, 0), words=None):
        words = words or (0x60000000,) * (len(ends) - 2) + (0x4e800020,)
        return Block(ea, ea & 0xfffffff, space, sum(ends), cycles, sum(k * e for k, e in enumerate(ends)), 3, tuple(stalls[:n]), words, tuple(ends))
    blocks = [block(0xc000000000001000, 0, (0, 0, 0, 100), 700, (100, 7)), block(0xc000000000001008, 0, (1, 4, 90), 300, (1, 2)),
              block(0xc000000000002000, 0, (0, 10, 20, 30), 200), block(0x10000100, 2 | 42 << 2, (0, 50), 50), block(0x10000500, 2 | 43 << 2, (0, 1), 1),
              block(0x10000100, 2 | 43 << 2, (3, 0), 3)]
    total = (sum(b.cycles for b in blocks) + 5, sum(b.insns for b in blocks) + 4)
    calls = [Call(0, 0, 0, 0, 0, 0, 5, 4), Call(0, 2, 0xc000000000001000, 0, 0, 1, 600, 300), Call(1, 0, 0xc000000000002000, 0, 0xc000000000001008, 7, 100, 90),
             Call(1, 0, 0xc000000000002000, 0, 0xc000000000001004, 2, 30, 20), Call(2, 0, 0xc000000000002000, 0, 0xc000000000002004, 3, 70, 30),
             Call(0, 1, 0x10000100, 2 | 42 << 2, 0, 1, 50, 50), Call(0, 2, 0x10000100, 2 | 43 << 2, 0, 0, 4, 1)]
    calls.append(Call(2, 0, 0xc000000000001000, 0, 0xc000000000002008, 1, total[0] - sum(c.cycles for c in calls), total[1] - sum(c.insns for c in calls)))
    symbols = [(0xc000000000001000, b'first'), (0xc000000000002000, b'second<&>"\'')]
    return Profile([Cpu(*total, 10, 20, 30, 0, tuple(range(7, 7 + len(options.get('events', ())))))], blocks, calls, symbols, reasons, 100, 5000,
                   (5, 4, 1), 9, 'power9', **options)


def elf(symbols, bits=64, big=False, link=None, vaddr=0x10000, copies=0):
    """A file with a table of symbols: (address, size, type, name); and copies of the last one."""
    order, names = '>' if big else '<', b'\0'
    table = bytes(24 if bits == 64 else 16)
    for addr, size, kind, name in symbols:
        where = len(names)
        names += name.encode() + b'\0'
        table += struct.pack(order + 'IBBHQQ', where, kind, 0, 1, addr, size) if bits == 64 else struct.pack(order + 'IIIBBH', where, addr, size, kind, 0, 1)
    table += table[-(24 if bits == 64 else 16):] * copies
    head, ph, sh = (64, 56, 64) if bits == 64 else (52, 32, 40)
    at = head + ph
    word = 'Q' if bits == 64 else 'I'
    out = b'\x7fELF' + bytes([bits // 32, 2 if big else 1, 1]) + bytes(9)
    out += struct.pack(order + 'HHI' + 3 * word + 'IHHHHHH', 3, 21, 1, 0, head, at + len(table) + len(names), 0, head, ph, 1, sh, 3, 0)
    if bits == 64:
        out += struct.pack(order + 'IIQQQQQQ', 1, 5, 0, vaddr, vaddr, 4096, 4096, 65536)
    else:
        out += struct.pack(order + '8I', 1, 0, vaddr, vaddr, 4096, 4096, 5, 65536)
    out += table + names

    def section(kind, offset, size, other, entry):
        if bits == 64:
            return struct.pack(order + 'IIQQQQIIQQ', 0, kind, 0, 0, offset, size, other, 0, 8, entry)
        return struct.pack(order + '10I', 0, kind, 0, 0, offset, size, other, 0, 4, entry)
    return out + bytes(sh) + section(2, at, len(table), 2 if link is None else link, 24 if bits == 64 else 16) + section(3, at + len(table), len(names), 0, 0)


FUNC = 0x12             # global
