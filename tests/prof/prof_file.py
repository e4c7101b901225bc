"""A reader of its own of what `cede -profile` writes, from the format's description (cpu/spent/prof_format.h), and a writer
of files with known content."""
import collections
import struct

# Times are in units.
Cpu = collections.namedtuple('Cpu', 'cycles insns idle stopped ready ahead events', defaults=(0, ()))
Block = collections.namedtuple('Block', 'ea gra space visits cycles insns mode stalls words ends')
Call = collections.namedtuple('Call', 'parent how ea space site count cycles insns')
IDLE = ('idle', 'stopped', 'ready')


class Profile:
    def __init__(self, cpus=(), blocks=(), calls=(), symbols=(), reasons=(), began=0, ended=0, other=(0, 0, 0), lost=0, timing='flat', events=(),
                 core_hz=1024000000, per_core=1, per_cycle=1, parts=0):
        self.cpus, self.blocks, self.calls, self.symbols = list(cpus), list(blocks), list(calls), list(symbols)
        self.reasons, self.began, self.ended, self.other, self.lost, self.timing = list(reasons), began, ended, other, lost, timing
        self.events, self.core_hz, self.per_core, self.per_cycle, self.parts = list(events), core_hz, per_core, per_cycle, parts

    def pack(self):
        out = [b'CEDEPRF\n' + struct.pack('>4I3Q16s4I5Q4IQ', 1, 144, len(self.cpus), len(self.reasons), self.began, self.ended, 1024000000,
                                         self.timing.encode(), len(self.blocks), len(self.calls), len(self.symbols), 0xffffffff,
                                         *self.other, self.lost, self.core_hz, self.per_core, self.per_cycle, len(self.events), self.parts, 0)]
        out += (struct.pack('16s', r.encode()) for r in self.reasons + self.events)
        out += (struct.pack('>6Q%dQ' % len(self.events), *c[:6], *c.events) for c in self.cpus)
        for b in self.blocks:
            out.append(struct.pack('>6QHB5x', b.ea, b.gra, b.space, b.visits, b.cycles, b.insns, len(b.words), b.mode))
            out += (struct.pack('>%d%s' % (len(v), form), *v) for v, form in ((b.stalls, 'Q'), (b.words, 'I'), (b.ends, 'Q')))
        out += (struct.pack('>IB3x6Q8x', *c) for c in self.calls)
        out += (struct.pack('>QB', a, len(n)) + n for a, n in self.symbols)
        return b''.join(out)


def parse(data):
    p = Profile()
    assert data[:8] == b'CEDEPRF\n'
    head = struct.unpack_from('>4I3Q16s4I5Q4IQ', data, 8)
    assert head[:2] == (1, 144) and head[21:] == (0,)
    p.core_hz, p.per_core, p.per_cycle, nevents, p.parts = head[16:21]
    _, _, ncpus, nreasons, p.began, p.ended, _, timing, nblocks, ncalls, nsymbols, _ = head[:12]
    p.timing, p.other, p.lost = timing.rstrip(b'\0').decode(), head[12:15], head[15]
    at = 144

    def take(form):
        nonlocal at
        values = struct.unpack_from('>' + form, data, at)
        at += struct.calcsize('>' + form)
        return values

    p.reasons = [take('16s')[0].rstrip(b'\0').decode() for _ in range(nreasons)]
    p.events = [take('16s')[0].rstrip(b'\0').decode() for _ in range(nevents)]
    p.cpus = [Cpu(*take('6Q'), take('%dQ' % nevents)) for _ in range(ncpus)]
    for _ in range(nblocks):
        ea, gra, space, visits, cycles, insns, n, mode = take('6QHB5x')
        stalls, words, ends = take('%dQ' % nreasons), take('%dI' % n), take('%dQ' % (n + 1))
        p.blocks.append(Block(ea, gra, space, visits, cycles, insns, mode, stalls, words, ends))
    p.calls = [Call(*take('IB3x6Q8x')) for _ in range(ncalls)]
    for _ in range(nsymbols):
        addr, n = take('QB')
        p.symbols.append((addr, take('%ds' % n)[0]))
    assert at == len(data), 'bytes behind the end'
    return p


def read(path):
    with open(path, 'rb') as f:
        return parse(f.read())


def totals(p):
    """(cycles, instructions) in blocks, in calls, of processors; what they are should be the same."""
    blocks = (sum(b.cycles for b in p.blocks) + p.other[0], sum(b.insns for b in p.blocks) + p.other[1])
    calls = (sum(c.cycles for c in p.calls), sum(c.insns for c in p.calls))
    return blocks, calls, (sum(c.cycles for c in p.cpus), sum(c.insns for c in p.cpus))
