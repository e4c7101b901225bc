"""What a file that -dtl wrote says: machine/vp/dtl_format.h, read by itself."""
import struct

STOPPED, CEDED, CONFERRED, JOINED, WAITING, READY, RUNNING, END = 0, 1, 2, 3, 4, 5, 6, 255
GUEST, LOAD = 0, 1
NOWHERE = 0xffff
HEADER = struct.Struct('>8s8I4Q2I4B44x')
RECORD = struct.Struct('>QHBBBBHQQ')


class Record:
    __slots__ = ('cycle', 'vp', 'partition', 'state', 'reason', 'code', 'physical', 'srr0', 'srr1')

    def __init__(self, fields):
        (self.cycle, self.vp, self.partition, self.state, self.reason, self.code, self.physical, self.srr0,
         self.srr1) = fields


class Log:
    def __init__(self, path):
        with open(path, 'rb') as f:
            data = f.read()
        (magic, self.version, header, record, self.guests, self.threads, self.procs, self.chips, self.loads, self.hz,
         self.tb_hz, self.tb_base, self.window, self.entitlement, self.load_entitlement, self.weight, self.capped,
         self.load_weight, self.shared) = HEADER.unpack_from(data)
        assert magic == b'CEDEDTL\n' and self.version == 1 and header == HEADER.size and record == RECORD.size
        assert (len(data) - header) % record == 0
        self.records = [Record(r) for r in RECORD.iter_unpack(data[header:])]
        assert self.records and self.records[-1].state == END, 'the log was cut off'
        self.end = self.records[-1].cycle
        self.records.pop()

    def tb(self, cycle):
        return self.tb_base + cycle * self.tb_hz // self.hz

    def times(self, start, end):
        """Cycles of each virtual processor in each state between two cycles: {(partition, vp): [by state]}."""
        out = {(GUEST, i): [0] * 7 for i in range(self.guests)}
        out.update({(LOAD, i): [0] * 7 for i in range(self.loads)})
        now = {k: (STOPPED if k[0] == GUEST else CEDED, 0) for k in out}

        def spend(key, until):
            state, since = now[key]
            out[key][state] += max(0, min(until, end) - max(since, start))

        for r in self.records:
            key = (r.partition, r.vp)
            spend(key, r.cycle)
            now[key] = (r.state, r.cycle)
        for key in out:
            spend(key, end)
        return out

    def longest_wait(self, key, start, end):
        """The most cycles in a row between two cycles in which it did not run."""
        longest, since = 0, start
        for r in self.records:
            if (r.partition, r.vp) == key and start <= r.cycle <= end:
                if r.state == RUNNING:
                    longest = max(longest, r.cycle - (since if since is not None else r.cycle))
                    since = None
                elif since is None:
                    since = r.cycle
        return max(longest, end - since) if since is not None else longest

    def trouble(self):
        """What cannot be: the first thing found, or ''."""
        on, state, last = {}, {}, 0
        for n, r in enumerate(self.records):
            key = (r.partition, r.vp)
            if r.cycle < last:
                return 'record %d runs backwards' % n
            last = r.cycle
            before = state.get(key, STOPPED if r.partition == GUEST else CEDED)
            if r.state > RUNNING or r.partition > LOAD or r.vp >= (self.loads if r.partition else self.guests):
                return 'record %d names what is not there' % n
            if before == RUNNING:
                place = on.pop((r.physical, r.partition), None)
                if place != key:
                    return 'record %d leaves a processor that it was not on' % n
                if r.state == RUNNING:
                    return 'record %d: dispatched while running' % n
            if r.state == RUNNING:
                core = r.physical // self.threads
                if core >= self.procs:
                    return 'record %d: no such processor' % n
                others = [k for (p, _), k in on.items() if p // self.threads == core]
                if any(k[0] != key[0] or k[0] == LOAD or k[1] // self.threads != key[1] // self.threads for k in others):
                    return 'record %d: two on one processor' % n
                if before not in (READY, WAITING):
                    return 'record %d: dispatched out of state %d' % (n, before)
                on[(r.physical, r.partition)] = key
            state[key] = r.state
        return ''
