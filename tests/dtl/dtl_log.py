"""Dispatch logs with known content: a writer of the format in machine/vp/dtl_format.h, and a pool that is
simulated far enough to fill one with plausible transitions. Nothing here is cede's own."""
import heapq
import random
import struct

MAGIC = b'CEDEDTL\n'
STATES = ['stopped', 'ceded', 'conferred', 'joined', 'waiting', 'ready', 'running']
REASONS = ['none', 'external', 'prod', 'decrementer', 'reset', 'doorbell', 'started', 'slice', 'gift', 'turn-over',
           'window', 'demand', 'cede', 'confer', 'join', 'stop', 'slice-end', 'displaced', 'capped', 'done']
STOPPED, CEDED, CONFERRED, JOINED, WAITING, READY, RUNNING = range(7)
REASON = {name: i for i, name in enumerate(REASONS)}
NONE, END = 0xffff, 255
DISPATCH_CODE = {'none': 1, 'external': 0, 'prod': 2, 'decrementer': 3, 'reset': 4, 'started': 4, 'slice': 7, 'gift': 6,
                 'doorbell': 10}
PREEMPT_CODE = {'cede': 2, 'confer': 3, 'join': 3, 'stop': 1, 'slice-end': 4, 'displaced': 4, 'capped': 4}
HZ, TB_HZ, TB_OFFSET = 2048000000, 512000000, 1000000007
CODE = struct.Struct('>QHBBBBHQQ')


class Log:
    def __init__(self, cpus=4, threads=1, procs=2, chips=1, loads=1, hz=HZ, window=20480000):
        self.cpus, self.threads, self.procs, self.chips, self.loads = cpus, threads, procs, chips, loads
        self.hz, self.window = hz, window
        self.records = []       # (cycle, vp, partition, state, reason, code, physical, srr0, srr1)
        self.end = None         # last cycle; None: cut off

    def header(self, magic=MAGIC, version=1, header=128, record=32, zero=bytes(44), **other):
        get = lambda name, value: other.get(name, value)
        return (magic + struct.pack('>IIIIIIII', version, header, record, get('cpus', self.cpus),
                                    get('threads', self.threads), get('procs', self.procs), get('chips', self.chips),
                                    get('loads', self.loads)) +
                struct.pack('>QQQQ', get('hz', self.hz), get('tb_hz', TB_HZ), TB_OFFSET, self.window) +
                struct.pack('>IIBBBB', 150, 50, 128, get('capped', 0), 64, get('shared', 1)) + zero)

    def add(self, cycle, vp, state, reason, physical=NONE, load=0, srr0=0, srr1=0, code=None):
        if code is None:
            code = DISPATCH_CODE.get(reason, 0) if state == RUNNING else PREEMPT_CODE.get(reason, 0)
            code = 0 if load or physical == NONE else code
        self.records.append((cycle, vp, load, state, REASON[reason], code, physical, srr0, srr1))

    def body(self, records=None):
        return b''.join(CODE.pack(*r) for r in (self.records if records is None else records))

    def trailer(self):
        return CODE.pack(self.end, 0, 0, END, 0, 0, NONE, 0, 0) if self.end is not None else b''

    def bytes(self):
        return self.header() + self.body() + self.trailer()


class Pool:
    """Virtual processors that run, cede, confer, join and wait, on fewer physical ones."""
    LEAVE = [('cede', CEDED, 10), ('slice-end', READY, 6), ('displaced', READY, 2), ('confer', CONFERRED, 2),
             ('capped', WAITING, 1), ('join', JOINED, 1), ('stop', STOPPED, 0.1)]
    WAKE = {CEDED: ['external', 'decrementer', 'prod', 'doorbell'], CONFERRED: ['turn-over', 'prod'], JOINED: ['prod'],
            WAITING: ['window'], STOPPED: ['started']}
    MEAN = {CEDED: 4e-3, CONFERRED: 3e-4, JOINED: 6e-3, WAITING: 3e-3, STOPPED: 2e-2}

    def __init__(self, log, seed):
        self.log, self.random = log, random.Random(seed)
        self.free = list(range(log.procs))
        self.events, self.ready, self.order = [], [], 0
        self.at = {}
        for vp in range(log.cpus // log.threads + log.loads):
            self.later(self.random.uniform(0, 2e-3) * log.hz, 'wake', vp, 'demand' if self.is_load(vp) else 'started')

    def is_load(self, core): return core >= self.log.cpus // self.log.threads

    def threads_of(self, core):
        """(number, load, thread) of each that moves with a core."""
        if self.is_load(core):
            return [(core - self.log.cpus // self.log.threads, 1, 0)]
        return [(core * self.log.threads + t, 0, t) for t in range(self.log.threads)]

    def later(self, cycle, what, core, reason):
        self.order += 1
        heapq.heappush(self.events, (int(cycle), self.order, what, core, reason))

    def each(self, now, core, state, reason, on):
        for number, load, thread in self.threads_of(core):
            physical = NONE if on is None else on * self.log.threads + thread
            self.log.add(now, number, state, reason, physical, load, 0 if load or on is None else self.random.getrandbits(64),
                         0 if load or on is None else 0x8000000000009033)

    def wake(self, now, core, reason):
        self.each(now, core, READY, reason, None)
        self.ready.append((core, 'slice' if reason in ('window', 'turn-over', 'demand') else reason))

    def leave(self, now, core, _):
        on = self.at.pop(core)
        if self.is_load(core):
            reason, state = self.random.choice([('done', CEDED), ('slice-end', READY)])
        else:
            reason, state, _ = self.random.choices(self.LEAVE, [w for _, _, w in self.LEAVE])[0]
        self.each(now, core, state, reason, on)
        self.free.append(on)
        if state == READY:
            self.ready.append((core, 'slice'))
        else:
            wakes = ['demand'] if self.is_load(core) else self.WAKE[state]
            self.later(now + 1 + self.random.expovariate(1 / self.MEAN[state]) * self.log.hz, 'wake', core,
                       self.random.choice(wakes))

    def fill(self, now):
        while self.ready and self.free:
            core, reason = self.ready.pop(0)
            on = self.free.pop(self.random.randrange(len(self.free)))
            self.at[core] = on
            self.each(now, core, RUNNING, reason, on)
            self.later(now + 1 + min(self.random.expovariate(1 / 1.5e-3), 2e-3) * self.log.hz, 'leave', core, '')

    def run(self, until):
        while self.events and self.events[0][0] < until:
            now, _, what, core, reason = heapq.heappop(self.events)
            getattr(self, what)(now, core, reason)
            self.fill(now)


def simulate(seed=1, seconds=0.5, **shape):
    log = Log(**shape)
    Pool(log, seed).run(int(seconds * log.hz))
    log.end = int(seconds * log.hz)
    return log
