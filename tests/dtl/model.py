"""What a log says, worked out the slow way: all of it in memory, from the records alone."""
from dtl_log import (CEDED, CONFERRED, JOINED, NONE, READY, REASONS, RUNNING, STATES, STOPPED, TB_HZ, TB_OFFSET,
                     WAITING)

INTERVAL = {STOPPED: 0, CEDED: 0, CONFERRED: 0, JOINED: 0, WAITING: 1, READY: 2}


class Model:
    def __init__(self, log):
        self.log = log
        self.spans = []         # (vp, load, state, physical or None, from, to)
        self.rows = []          # a dict for each dispatch, in order
        by_vp = {(i, 0): [] for i in range(log.cpus)}
        by_vp.update({(i, 1): [] for i in range(log.loads)})
        for number, r in enumerate(log.records):
            by_vp[r[1], r[2]].append((number, r))
        self.end = log.end if log.end is not None else log.records[-1][0]
        for (vp, load), records in by_vp.items():
            self.follow(vp, load, records)
        self.rows.sort(key=lambda row: row['number'])

    def follow(self, vp, load, records):
        state, since, on, last = CEDED if load else STOPPED, 0, None, None
        stopped_by, wait, row = 'none', [0, 0, 0], None
        for number, (cycle, _, _, new, reason, code, physical, srr0, _) in records + [(None, (self.end,) + (None,) * 8)]:
            if cycle > since:
                self.spans.append((vp, load, state, on, since, cycle))
            if state == RUNNING:
                row['ran'] = cycle - since
                row['left_by'] = REASONS[reason] if number is not None else ''
                stopped_by = REASONS[reason] if number is not None else ''
            else:
                wait[INTERVAL[state]] += cycle - since
            state, since, on = new, cycle, physical if new == RUNNING else None
            if new == RUNNING:
                row = {'number': number, 'cycle': cycle, 'vp': vp, 'load': load, 'physical': physical, 'before': last,
                       'reason': REASONS[reason], 'stopped_by': stopped_by, 'wait': wait, 'nip': srr0, 'code': code}
                self.rows.append(row)
                last, wait = physical, [0, 0, 0]

    def timebase(self, cycle): return cycle * TB_HZ // self.log.hz + TB_OFFSET
    def chip(self, physical): return physical // self.log.threads * self.log.chips // self.log.procs

    def select(self, cpus=None, load='no', reasons=None, start=0, end=2 ** 64, longer=-1):
        for r in self.rows:
            if (r['load'] and load == 'no') or (not r['load'] and (load == 'only' or (cpus is not None and r['vp'] not in cpus))):
                continue
            if start <= r['cycle'] < end and r['wait'][2] > longer and \
                    (reasons is None or r['reason'] in reasons or r['stopped_by'] in reasons):
                yield r

    def times(self, vp, load, start, end):
        total = dict.fromkeys(STATES, 0)
        for number, is_load, state, _, a, b in self.spans:
            if (number, is_load) == (vp, load):
                total[STATES[state]] += max(0, min(b, end) - max(a, start))
        return total

    def places(self, rows):
        """same, chip, other; changes of the physical thread."""
        count, previous, changes = [0, 0, 0], None, 0
        for r in rows:
            changes += r['before'] is not None and r['before'] != r['physical']
            if previous is not None:
                a, b = previous // self.log.threads, r['physical'] // self.log.threads
                count[0 if a == b else 1 if self.chip(previous) == self.chip(r['physical']) else 2] += 1
            previous = r['physical']
        return count + [changes]

    def busy(self, proc, load, start, end):
        """Cycles in which any thread of a processor runs."""
        parts = sorted((max(a, start), min(b, end)) for _, is_load, state, on, a, b in self.spans
                       if state == RUNNING and is_load == load and on // self.log.threads == proc)
        total, reached = 0, start
        for a, b in parts:
            total += max(0, b - max(a, reached))
            reached = max(reached, b)
        return total


def percentile(values, percent):
    values = sorted(values)
    return values[max(0, -(-len(values) * percent // 100) - 1)] if values else 0
