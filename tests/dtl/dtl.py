"""cede-dtl against logs whose content is known (dtl_log.py) and a slow reading of them (model.py).

usage: dtl.py views|corrupt|long [san]
"""
# needs: programs
import csv
import io
import json
import os
import re
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as xml

from dtl_log import (CEDED, CODE, CONFERRED, END, HZ, JOINED, NONE, READY, REASON, RUNNING, STATES, STOPPED, TB_OFFSET,
                     WAITING, Log, simulate)
from model import Model, percentile

SAN = sys.argv[2:] == ['san']
PROGRAM = os.path.join(os.environ.get('B', 'build'), 'san' if SAN else '', 'cede-dtl')
TIMEOUT = 100
US = HZ // 1000000
failed = 0


def check(good, fact, seen=''):
    global failed
    failed += not good
    print('%s %s%s' % ('ok' if good else 'FAIL', fact, '' if good else ': ' + str(seen)[:400]))


def check_eq(seen, wanted, fact):
    check(seen == wanted, fact, '%r, not %r' % (seen, wanted))


def run(*args, data=None, status=0, fact=None):
    p = subprocess.run([PROGRAM, *map(str, args)], input=data, stdin=subprocess.DEVNULL if data is None else None,
                       capture_output=True, timeout=TIMEOUT)
    out, err = p.stdout.decode(), p.stderr.decode()
    if p.returncode != status or 'Sanitizer' in err or 'runtime error' in err:
        check(False, fact or 'cede-dtl ' + ' '.join(map(str, args)), 'status %d: %s' % (p.returncode, err))
    return out, err


def put(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, 'wb') as f:
        f.write(data)
    return path


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


# ---- Table ----

def wanted_row(m, r):
    return {'cycle': r['cycle'], 'seconds': '%d.%09d' % divmod(r['cycle'] * 10 ** 9 // HZ, 10 ** 9), 'timebase': m.timebase(r['cycle']), 'cpu': r['vp'], 'load': r['load'],
            'physical_thread': r['physical'], 'physical': r['physical'] // m.log.threads, 'chip': m.chip(r['physical']),
            'dispatch_code': r['code'], 'waiting_to_ready_cycles': r['wait'][0], 'ready_to_enqueue_cycles': r['wait'][1],
            'enqueue_to_dispatch_cycles': r['wait'][2], 'ran_cycles': r['ran'], 'nip': r['nip'],
            'dispatch_reason': r['reason'], 'preempt_reason': r['stopped_by'], 'left_by': r['left_by']}


def check_table(m, path, fact, *options, **selection):
    seen = rows(run(path, '--csv', *options, fact=fact)[0])
    wanted = [wanted_row(m, r) for r in m.select(**selection)]
    check_eq(len(seen), len(wanted), fact + ': rows')
    for s, w in zip(seen, wanted):
        got = {k: s[k] if isinstance(v, str) else int(s[k], 0) for k, v in w.items()}
        if got != w:
            check_eq(got, w, fact + ': row')
            return
    check(len(wanted) > 0, fact + ': there are some')


def table(m, path, folder):
    check_table(m, path, 'table')
    check_table(m, path, 'table with the load', '--load', load='too')
    check_table(m, path, 'the load only', '--load=only', load='only')
    check_table(m, path, 'some processors', '--cpu', '0,2-3', cpus=[0, 2, 3])
    check_table(m, path, 'some processors and the load', '--cpu=1', '--load', cpus=[1], load='too')
    check_table(m, path, 'a dispatch reason', '--reason=external', reasons=['external'])
    check_table(m, path, 'stop reasons', '--reason=confer,capped', reasons=['confer', 'capped'])
    middle = m.rows[len(m.rows) // 2]['cycle']
    check_table(m, path, 'from a cycle', '--from', '%dc' % middle, start=middle)
    check_table(m, path, 'to a cycle, without it', '--to', '%dc' % middle, end=middle)
    check_table(m, path, 'from a timebase', '--from', '%dtb' % m.timebase(middle), start=(m.timebase(middle) - TB_OFFSET) * 4)
    check_table(m, path, 'seconds', '--from', '0.05', '--to', '0.2s', start=HZ // 20, end=HZ // 5)
    check_table(m, path, 'milliseconds', '--from', '50.5ms', '--to', '200ms', start=HZ * 505 // 10000, end=HZ // 5)
    check_table(m, path, 'a long wait', '--longer-than', '500us', longer=500 * US)
    longest = max(r['wait'][2] for r in m.rows if not r['load'])
    check_table(m, path, 'the longest but one cycle', '--longer-than', '%dc' % (longest - 1), longer=longest - 1)
    check_eq(rows(run(path, '--csv', '--longer-than', '%dc' % longest)[0]), [], 'none is longer than the longest')
    check_table(m, path, 'all filters at once', '--cpu=0-2', '--reason=slice', '--from=20ms', '--to=400ms', '--longer-than=10us',
                cpus=[0, 1, 2], reasons=['slice'], start=HZ // 50, end=HZ * 2 // 5, longer=10 * US)
    check_eq(run('-', '--csv', data=m.log.bytes())[0], run(path, '--csv')[0], 'from a pipe the same')
    text = run(path)[0].splitlines()
    check_eq(len(text) - 2, len(list(m.select())), 'the text has as many rows')
    first = next(m.select())
    check_eq(text[2].split()[:4], ['%.9f' % (first['cycle'] * 10 ** 9 // HZ / 1e9), str(m.timebase(first['cycle'])), str(first['vp']),
                                   str(first['physical'] // m.log.threads)], 'the text begins so')
    check(text[2].endswith('%016x' % first['nip']), 'and ends with the NIP')
    seen = rows(run(path, '--transitions', '--csv', '--load')[0])
    check_eq([(int(s['cycle']), int(s['cpu']), int(s['load']), s['state'], REASON[s['reason']], int(s['code'])) for s in seen],
             [r[:3] + (STATES[r[3]],) + r[4:6] for r in m.log.records], 'transitions')
    check_eq(len(run(path, '--transitions', '--load')[0].splitlines()) - 1, len(m.log.records), 'transitions as text')


def held(folder):
    """One runs from the beginning to the end, others in between, more often than rows are held."""
    log = Log(cpus=3, procs=3, loads=0)
    log.add(10, 0, RUNNING, 'started', 0)
    for i in range(70000):
        log.add(105 + i * 20, 1, RUNNING, 'external', 1)
        if i == 65000:
            log.add(110 + i * 20, 2, RUNNING, 'prod', 2)
        log.add(115 + i * 20, 1, CEDED, 'cede', 1)
    log.add(1900000, 0, CEDED, 'cede', 0)
    log.end = 2000000
    seen = rows(run(put(folder, 'held', log.bytes()), '--csv')[0])
    check_eq(len(seen), 70002, 'a row that is held up holds no others up for ever')
    check_eq((seen[0]['cycle'], seen[0]['ran_cycles']), ('10', ''), 'and says that it still runs')
    check(all(int(a['cycle']) < int(b['cycle']) for a, b in zip(seen, seen[1:])), 'and comes first')


# ---- Summary ----

def wanted_summary(m, vp, load, start, end, **selection):
    mine = [r for r in m.select(load='too', start=start, end=end, **selection) if (r['vp'], r['load']) == (vp, load)]
    times = m.times(vp, load, start, end)
    same, chip, other, changes = m.places(mine)
    return mine, {'dispatches': len(mine), 'same_processor': same, 'same_chip': chip, 'other_chip': other, 'changes': changes,
                  'stolen_cycles': times['ready'] + times['waiting'], 'window_cycles': end - start,
                  'wait_max': max([r['wait'][2] for r in mine], default=0),
                  **{name + '_cycles': cycles for name, cycles in times.items()}}


def summary(m, path, fact, start=None, end=None, options=(), **selection):
    window = (['--from', '%dc' % start] if start is not None else []) + (['--to', '%dc' % end] if end is not None else [])
    start, end = start or 0, min(end or m.end, m.end)
    seen = rows(run(path, '--summary', '--csv', '--load', *window, *options)[0])
    check_eq(len(seen), m.log.cpus + m.log.loads, fact + ': all are there')
    for s in seen:
        load = s['cpu'].startswith('L')
        mine, wanted = wanted_summary(m, int(s['cpu'].lstrip('L')), int(load), start, end, **selection)
        got = {k: int(s[k]) for k in wanted}
        if got != wanted:
            check_eq(got, wanted, fact + ': ' + s['cpu'])
        for p in (50, 90, 99):
            exact, shown = percentile([r['wait'][2] for r in mine], p), int(s['wait_%d' % p])
            if not exact <= shown <= exact * 33 / 32 + 1:
                check(False, '%s: %s: %d %%' % (fact, s['cpu'], p), '%d, not %d' % (shown, exact))
        if sum(m.times(int(s['cpu'].lstrip('L')), int(load), start, end).values()) != end - start:
            check(False, fact + ': the model itself')
    text = run(path, '--summary', '--load', *window)[0]
    table = text[text.index('Physical processors'):].splitlines()[2:]
    check_eq(len(table), m.log.procs, fact + ': physical ones')
    for line in table:
        proc, chip, guest, load, idle = line.split()
        busy = [100 * m.busy(int(proc), which, start, end) / (end - start) for which in (0, 1)]
        wanted = [m.chip(int(proc) * m.log.threads)] + ['%.3f' % x for x in busy]
        if [int(chip), guest, load] != wanted or abs(float(idle) - 100 + sum(busy)) > 0.002:
            check_eq([int(chip), guest, load, idle], wanted, fact + ': physical')
    check(True, fact + ': done')


def summary_text(m, path):
    text = run(path, '--summary')[0]
    wanted_n = sum(1 for _ in m.select())
    bars = re.findall(r'^ .{18}\s*(\d+) +([\d.]+) % +(#*)$', text[text.index('all of these'):], re.M)
    check_eq(sum(int(n) for n, _, _ in bars), wanted_n, 'the histogram counts each dispatch')
    check_eq(max(len(b) for _, _, b in bars), 60, 'its longest bar')
    zero = sum(1 for r in m.select() if not r['wait'][2])
    check_eq(int(bars[0][0]), zero, 'its first bar are those that did not wait')
    late = [int(n) for n in re.findall(r'^ +1 ms - +2 ms +(\d+)', text, re.M)]
    check_eq(late, [sum(1 for r in m.select() if HZ // 1000 <= r['wait'][2] < HZ // 500)], 'one in the middle')
    check_eq(run(path, '--histogram')[0].count('Wait for a processor, processor'), m.log.cpus, 'one for each')


# ---- Diff ----

def diff(m, path, folder):
    log = m.log
    same = put(folder, 'same', log.bytes())
    out, _ = run('--diff', path, same)
    check(out.count('\n') == 1 and 'identical' in out and '%d records' % (len(log.records) + 1) in out, 'identical logs', out)
    number = len(log.records) // 2
    changed = [list(r) for r in log.records]
    changed[number][4] = REASON['reset']
    out, _ = run('--diff', path, put(folder, 'changed', log.header() + log.body(changed) + log.trailer()), status=1)
    check('record %d:' % (number + 1) in out and '(reset)' in out and '%.9f' % (changed[number][0] / HZ) in out,
          'where a reason differs', out)
    shorter = Log(**{k: getattr(log, k) for k in ('cpus', 'threads', 'procs', 'chips', 'loads')})
    shorter.records, shorter.end = log.records[:number], log.records[number - 1][0]
    out, _ = run('--diff', path, put(folder, 'shorter', shorter.bytes()), status=1)
    check('record %d:' % (number + 1) in out and 'ends at' in out and out.count('first difference') == 1, 'one that ends earlier', out)
    a, b = m, Model(shorter)
    for line in out[out.index('  cpu'):].splitlines()[1:1 + log.cpus]:
        vp, first, second, more = line.split()[:4]
        stolen = [sum(x.times(int(vp), 0, 0, x.end)[s] for s in ('ready', 'waiting')) / HZ for x in (a, b)]
        counts = [sum(1 for r in x.rows if (r['vp'], r['load']) == (int(vp), 0)) for x in (a, b)]
        wanted = [str(counts[0]), str(counts[1]), '%+d' % (counts[1] - counts[0])]
        runs = [x.times(int(vp), 0, 0, x.end)['running'] / HZ for x in (a, b)]
        if [first, second, more] != wanted or line.split()[4] != '%+.6f' % (runs[1] - runs[0]) or line.split()[-3:-1] != ['%.6f' % s for s in stolen]:
            check_eq(line, (wanted, stolen), 'differences of a processor')
    check_eq(run('--diff', path, put(folder, 'weight', log.header(procs=log.procs + 1) + log.body() + log.trailer()), status=1)[0]
             .splitlines()[0], 'Headers differ in physical processors: %d against %d' % (log.procs, log.procs + 1), 'headers that differ')
    run('--diff', path, '/nonexistent', status=2, fact='diff: no such log')
    run('--diff', path, put(folder, 'bad', b'x' * 200), status=2, fact='diff: no log')
    run('--diff', path, status=2, fact='diff: one log')
    check(True, 'diff: done')


# ---- Pictures ----

def trace(m, path, *options):
    out = json.loads(run(path, '--json', *options)[0])
    events = out['traceEvents']
    names = {(e['pid'], e['tid']): e['args']['name'] for e in events if e['name'] == 'thread_name'}
    spans = [e for e in events if e['ph'] == 'X']
    check_eq(len([k for k in names if k[0] == 1]), m.log.procs * m.log.threads, 'JSON: a track for each physical thread')
    check_eq(len([k for k in names if k[0] == 2]), m.log.cpus, 'JSON: and for each virtual processor')
    check_eq(len([e for e in spans if e['pid'] == 2]), len([s for s in m.spans if not s[1]]), 'JSON: spans')
    check_eq(len([e for e in spans if e['pid'] == 1]), len([s for s in m.spans if s[2] == RUNNING]), 'JSON: runs')
    check(all((e['pid'], e['tid']) in names for e in spans), 'JSON: all tracks have names')
    seen = sorted((e['tid'], e['args']['cycle'], e['name'].split()[0], round(e['ts'] * 1000), round((e['ts'] + e['dur']) * 1000))
                  for e in spans if e['pid'] == 2)
    ns = lambda cycle: cycle * 10 ** 9 // HZ
    check_eq(seen, sorted((s[0], s[4], STATES[s[2]], ns(s[4]), ns(s[5])) for s in m.spans if not s[1]), 'JSON: what and when')
    run_of = {(r['vp'], r['cycle']): r for r in m.rows if not r['load']}
    bad = [e for e in spans if e['pid'] == 2 and e['name'].startswith('running') and
           (lambda r: (e['args']['dispatched'], e['args']['stopped by'], e['args']['left by'], int(e['args']['NIP'], 16)) !=
            (r['reason'], r['stopped_by'], r['left_by'], r['nip']))(run_of[e['tid'], e['args']['cycle']])]
    check(not bad, 'JSON: reasons', bad[:1])
    check_eq(out['otherData']['end'], 'complete', 'JSON: complete')


SVG = '{http://www.w3.org/2000/svg}'
STATE_COLOURS = {'#2f9e62': RUNNING, '#e03e36': READY, '#f5a623': WAITING, '#d3e0ec': CEDED, '#9a6fd0': CONFERRED,
                 '#4f9dd6': JOINED, '#ece7dd': STOPPED}
VP_COLOURS = ['#3b7dd8', '#f08a2c', '#3fa65a', '#d64f8c', '#9ba1a8']     # of four, and of the load
COLUMNS, LEFT = 1200, 116


def picture(m, path, fact, *options):
    data = run(path, '--svg', *options)[0]
    root = xml.fromstring(data)
    texts = [t.text for t in root.iter(SVG + 'text')]
    for want in ('Physical', 'Virtual', '0 ms', 'running', 'ceded', 'conferred', 'joined', 'stopped', 'ready, waits for a processor') + (('load',) if m.log.loads else ()):
        if want not in texts:
            check(False, fact + ': it says ' + want)
    check(all(texts.count(str(i)) >= 2 for i in range(max(m.log.cpus, m.log.procs))), fact + ': all processors have names')
    check(len(data) < 3 << 20, fact + ': is small', len(data))
    return root


def columns_of(root, colours):
    """What the picture shows: (y, column) to what the colour stands for."""
    seen = {}
    for p in root.iter(SVG + 'path'):
        what = colours.get(p.get('fill'))
        for x, y, w in re.findall(r'M(\d+) (\d+)h(\d+)v', p.get('d')) if what is not None else ():
            seen.update({(int(y), int(x) - LEFT + i): what for i in range(int(w))})
    return seen


def longest(m, spans, start, end, rest):
    """What lasts longest from start to end, and nothing else as long; None: no such thing."""
    share = {rest: end - start}
    for _, _, what, _, a, b in spans:
        took = max(0, min(b, end) - max(a, start))
        share[what], share[rest] = share.get(what, 0) + took, share[rest] - took
    best = max(share, key=share.get)
    return best if list(share.values()).count(share[best]) == 1 else None


def check_columns(m, path):
    """Columns of a lane against what lasted longest there."""
    root = picture(m, path, 'SVG')
    background = next(p for p in root.iter(SVG + 'path') if p.get('fill') == '#f2f4f6').get('d')
    lanes = [int(y) for y in re.findall(r'M%d (\d+)h' % LEFT, background)]
    check_eq(len(lanes), m.log.procs * m.log.threads + m.log.cpus, 'SVG: a lane for each')
    edge = [m.end * i // COLUMNS for i in range(COLUMNS + 1)]
    who = [(s[3], 0, s[:2], None, s[4], s[5]) for s in m.spans if s[3] is not None]
    for what, first, count, spans, colours in (
            ('physical', 0, m.log.procs, who, {c: (-1, 1) if i == 4 else (i, 0) for i, c in enumerate(VP_COLOURS)}),
            ('virtual', m.log.procs, m.log.cpus, [s for s in m.spans if not s[1]], STATE_COLOURS)):
        seen, checked = columns_of(root, colours), 0
        for lane in range(count):
            mine = [s for s in spans if s[0] == lane]
            for column in range(0, COLUMNS, 5):
                best = longest(m, mine, edge[column], edge[column + 1], 'nothing')
                if what == 'physical' and best is not None and best != 'nothing' and best[1]:
                    best = (-1, 1)
                shown = seen.get((lanes[first + lane], column), 'nothing')
                if best is not None and shown != best:
                    check_eq(shown, best, 'SVG: %s %d, column %d' % (what, lane, column))
                    return
                checked += best is not None
        check(checked > 400, 'SVG: %s columns show what lasted longest' % what, checked)


def pictures(m, path, folder):
    trace(m, path)
    check_columns(m, path)
    check_eq(run('-', '--svg', '--title=x', data=m.log.bytes())[0], run(path, '--svg', '--title=x')[0], 'SVG: from a pipe the same')
    title = next(t.text for t in picture(m, path, 'SVG with a title', '--title', '<a & "b">').iter(SVG + 'title'))
    check_eq(title, '<a & "b">', 'SVG: a title of any letters')
    some = json.loads(run(path, '--json', '--cpu=1', '--from=100ms', '--to=120ms')[0])['traceEvents']
    spans = [e for e in some if e['ph'] == 'X']
    check(spans and all(e['ts'] >= 100000 and e['ts'] + e['dur'] <= 120000.001 for e in spans), 'JSON: cut to the window')
    check_eq({e['tid'] for e in spans if e['pid'] == 2}, {1}, 'JSON: only the wanted one')


# ---- The guest's own log ----

def entry(n):
    return struct.pack('>BBHIIIQQQQ', n % 8, 2 + n % 3, n % 16, 512 * n, 1024 * n, 512000 * n, 10 ** 12 + n, 0, 0xc000 + n, 0x9033)


def memory(folder):
    n = 85
    ring = [entry(i) for i in range(n)]
    def check_ring(data, wanted, fact, *options):
        seen = rows(run('--memory', put(folder, 'image', data), '--csv', *options, fact=fact)[0])
        check_eq([(int(s['timebase']) - 10 ** 12, int(s['enqueue_to_dispatch_ticks']), int(s['srr0'], 16)) for s in seen],
                 [(i, 512 * i, 0xc000 + i) for i in wanted], fact)
    for i in range(n, 200):
        ring[i % n] = entry(i)
    image = b'\xaa' * 0x3000 + b''.join(ring) + bytes(16) + b'\x55' * 4096
    check_ring(image, range(115, 200), 'a log in an image, index given', '--addr', '0x3000', '--size', '4096', '--index', '200')
    check_ring(image, range(115, 200), 'order without an index', '--addr', '0x3000', '--size', '4096')
    check_ring(b''.join(ring), range(115, 200), 'a file that holds just the log')
    few = [entry(i) for i in range(3)]
    check_ring(b''.join(few) + bytes(48 * 7), range(3), 'not full, no index')
    check_ring(b''.join(few) + b'\x7f' * 480, range(3), 'not full, with one', '--index=3')
    check_ring(entry(7), [7], 'one entry', '--index=8')
    text = run('--memory', put(folder, 'image', entry(5)), '--threads=4')[0]
    check(re.search(r' 1\.1 +firmware +slice end +5000\.000 +10\.000 +5\.000 +0*c005 ', text), 'as text', text)
    for fact, data, options, word in (
            ('too small', bytes(47), (), '48 bytes'), ('outside', bytes(480), ('--addr=400', '--size=96'), 'ends before'),
            ('begins outside', bytes(480), ('--addr=481', '--size=96'), 'ends before'),
            ('far outside', bytes(480), ('--addr=0xffffffffffffffff', '--size=0xffffffffffffffff'), 'ends before'),
            ('absurd size', bytes((1 << 24) + 48), (), 'size of a log'), ('out of order', entry(9) + entry(3) + entry(5), ('--index=3',), 'runs back')):
        _, err = run('--memory', put(folder, 'image', data), *options, status=1, fact='memory: ' + fact)
        check(word in err and err.count('\n') == 1 and err.startswith('cede-dtl: '), 'memory: ' + fact, err)


# ---- What is no log ----

def rec(cycle=100, vp=0, load=0, state=READY, reason=1, code=0, physical=NONE):
    return CODE.pack(cycle, vp, load, state, reason, code, physical, 0, 0)


def corrupt(folder):
    log = simulate(9, 0.05, cpus=4, procs=2, loads=1)
    h, body, end = log.header(), log.body(), log.trailer()
    bad = [
        ('empty', b'', 'empty'), ('one byte', b'C', 'not a dispatch log'), ('other magic', log.header(magic=b'CEDEDTM\n') + body, 'not a dispatch log'),
        ('text', b'hello, world, this is no log at all\n' * 9, 'not a dispatch log'), ('half a header', h[:100], 'ends in its header'),
        ('version', log.header(version=2) + body, 'version 2'), ('header size', log.header(header=64) + body, 'header of 64'),
        ('record size', log.header(record=48) + body, 'records of 48'),
        ('no processors', log.header(cpus=0), 'virtual processors: 0'), ('4 billion processors', log.header(cpus=2 ** 32 - 1), 'virtual processors: 4294967295'),
        ('threads', log.header(threads=9), 'threads'), ('uneven threads', log.header(threads=8), 'only some of its threads'),
        ('no physical', log.header(procs=0), 'physical processors: 0'), ('257 physical', log.header(procs=257), 'physical processors: 257'),
        ('no chips', log.header(chips=0), 'chips: 0'), ('chips', log.header(chips=3), 'more chips'), ('loads', log.header(loads=2 ** 31), 'the load: 2147483648'),
        ('no cycles', log.header(hz=0), 'cycles per second: 0'), ('no timebase', log.header(tb_hz=0), 'timebase ticks per second: 0'),
        ('fast timebase', log.header(tb_hz=HZ + 1), 'faster'), ('capped 2', log.header(capped=2), 'capped: 2'),
        ('something where nothing is', log.header(zero=bytes(8) + b'\1' + bytes(35)) + body, 'nothing should be'),
        ('half a record', h + body + end[:17], 'ends after 17'), ('one byte of a record', h + body[:33], 'ends after 1 '),
        ('time', h + rec(100) + rec(99), 'runs back'), ('time at the end', h + rec(100) + rec(99, state=END), 'runs back'),
        ('processor', h + rec(vp=4), 'virtual processor 4 of 4'), ('load', h + rec(vp=1, load=1), 'load 1 of 1'),
        ('partition', h + rec(load=2), 'no such partition'), ('state', h + rec(state=7), 'no such state: 7'), ('state 254', h + rec(state=254), 'no such state'),
        ('reason', h + rec(reason=20), 'no such reason: 20'), ('code', h + rec(code=7), 'code'),
        ('physical', h + rec(state=RUNNING, physical=2), 'physical thread 2 of 2'), ('runs nowhere', h + rec(state=RUNNING), 'runs on no'),
        ('ready somewhere', h + rec(physical=1), 'is on physical thread 1'),
        ('two on one', h + rec(state=RUNNING, physical=0) + rec(vp=1, state=RUNNING, physical=0), 'two run'),
        ('leaves another', h + rec(state=RUNNING, physical=0) + rec(state=CEDED, physical=1), 'another physical'),
        ('leaves nothing', h + rec(state=RUNNING, physical=0) + rec(state=CEDED), 'another physical'),
        ('after the end', h + body + end + b'x', 'more follows'), ('a record after the end', h + body + end + rec(), 'more follows'),
        ('time, another processor', h + rec(100, vp=1) + rec(200) + rec(150, vp=1), 'runs back'),
    ]
    views = ([], ['--transitions'], ['--summary'], ['--json'], ['--svg'], ['--csv'], ['--diff'])
    good = put(folder, 'good', log.bytes())
    for fact, data, word in bad:
        path = put(folder, 'bad', data)
        for view in views:
            for source in ('file', 'pipe'):
                args = view + ([good] if view == ['--diff'] else []) + (['-'] if source == 'pipe' else [path])
                out, err = run(*args, data=data if source == 'pipe' else None, status=2 if view == ['--diff'] else 1, fact='%s %s' % (fact, view))
                if word not in err or err.count('\n') != 1 or not err.startswith('cede-dtl: ') or '</svg>' in out or 'otherData' in out:
                    check(False, '%s %s from a %s' % (fact, view, source), err + out[-200:])
        check(True, fact)
    smt = Log(cpus=4, threads=2, procs=2, loads=1)
    for records in ((rec(load=1, state=RUNNING, physical=0), rec(state=RUNNING, physical=1)), (rec(state=RUNNING, physical=1), rec(load=1, state=RUNNING, physical=0))):
        _, err = run('-', data=smt.header() + b''.join(records), status=1)
        check('guest and load' in err, 'guest and load on one processor', err)


def cut(folder):
    log = simulate(9, 0.05, cpus=4, procs=2, loads=1)
    whole = log.bytes()
    log.end = None
    log.records = log.records[:len(log.records) // 2]
    m, path = Model(log), put(folder, 'cut', log.bytes())
    for view in ([], ['--summary'], ['--json'], ['--svg'], ['--transitions']):
        out, err = run(path, *view)
        check(out and 'cut off' in err and err.count('\n') == 1, 'cut off: %s' % view, err)
    check_table(m, path, 'what there is of one that was cut off')
    out, err = run('--diff', path, put(folder, 'whole', whole), status=1)
    check('is cut off at' in out and 'cut off' in err, 'cut off: diff', out + err)
    head = put(folder, 'head', log.header())
    for view in ([], ['--summary'], ['--json'], ['--histogram']):
        run(head, *view, fact='header alone %s' % view)
    check('nothing to draw' in run(head, '--svg', status=1)[1], 'nothing to draw')


def begins(folder):
    """A log that begins later, as that of a snapshot does: the same but for its times, and nothing of what was before."""
    log, shift = simulate(9, 0.05, cpus=4, procs=2, loads=1), 3 * HZ
    late = Log(cpus=4, procs=2, loads=1)
    late.records, late.end = [(r[0] + shift, *r[1:]) for r in log.records], log.end + shift
    head = late.header(zero=struct.pack('>Q', shift) + bytes(36))
    from_start = put(folder, 'late-0', late.bytes())
    path, late_path = put(folder, 'early', log.bytes()), put(folder, 'late', head + late.body() + late.trailer())
    summary = [run(p, '--summary')[0].split('\n', 1) for p in (path, late_path, from_start)]
    check(summary[0][1] == summary[1][1] != summary[2][1], 'begins later: totals', summary[1][1])
    waits = [[{k: v for k, v in r.items() if k not in ('cycle', 'seconds', 'timebase')} for r in rows(run(p, '--csv')[0])] for p in (path, late_path)]
    check(waits[0] == waits[1], 'begins later: dispatches', waits[1][:2])
    check('from 3.000000000 s' in summary[1][0], 'begins later: from there', summary[1][0])
    check('time runs back' in run(put(folder, 'early-late', head + log.body()), status=1)[1], 'begins later: nothing before')
    check('begins at 3.0' in run(late_path, '--to', '2s', status=1)[1], 'begins later: no window before')


def flips(folder, n=300):
    """Any byte may be any other: an answer or one line, and no more than that."""
    import random
    rng, data = random.Random(4), simulate(5, 0.02, cpus=4, threads=2, procs=2, loads=1).bytes()
    for i in range(n):
        bad = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            bad[rng.randrange(len(bad)) if rng.random() < .7 else rng.randrange(128)] = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)))
        path = put(folder, 'flip', bytes(bad[:rng.randrange(len(bad))] if rng.random() < .1 else bad))
        view = [['--summary'], ['--svg', '--load'], ['--json'], ['--csv'], [], ['--diff', path]][i % 6]
        p = subprocess.run([PROGRAM, *view, path], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
        if p.returncode not in (0, 1, 2) or p.stderr.count(b'\n') > 2 or (p.returncode and not p.stderr.startswith(b'cede-dtl: ')):
            check(False, 'flipped bytes', '%d %s %s' % (i, p.returncode, p.stderr[:300]))
            return
    check(True, 'flipped bytes')


def usage(folder):
    good = put(folder, 'good', simulate(9, 0.05).bytes())
    for args, word in (((), 'which log'), ((good, good), 'which log'), (('--cpu=x', good), "'x'"), (('--cpu=1-', good), "'1-'"), (('--cpu=3-1', good), 'no list'),
                       (('--cpu=', good), 'no list'), (('--cpu=99999999999999999999', good), 'no list'), (('--reason=lazy', good), "'lazy'"),
                       (('--from=now', good), 'no time'), (('--from=1h', good), 'no time'), (('--from=1.2.3', good), 'no time'), (('--to=', good), 'no time'),
                       (('--longer-than=9999999999999999999', good), 'no time'), (('--load=some', good), 'only'), (('--svg', '--json', good), 'one at a time'),
                       (('--csv', '--svg', good), '--csv'), (('--memory=x', good), 'no log'), (('--threads=0', '--memory=x'), 'threads'), (('--addr=x', '--memory=x'), 'number'),
                       (('--diff', '--summary', good, good), 'its own')):
        _, err = run(*args, status=2, fact='usage %s' % (args,))
        check(word in err and err.count('\n') == 1, 'usage: %s' % ' '.join(args[:1]), err)
    for args, word in (((good, '--cpu=4'), 'no virtual processor 4'), ((good, '--from=2', '--to=1'), 'not before'), ((good, '--to=9999.00000000000000tb'), 'not before'), (('/nonexistent',), 'No such file'),
                       ((folder,), 'directory'), (('--memory=/nonexistent',), 'No such file')):
        _, err = run(*args, status=1, fact='%s' % (args,))
        check(word in err and err.count('\n') == 1, 'refused: %s' % word, err)
    check('usage:' in run('--help')[0] and 'slice-end' in run('--help')[0], 'help')
    check(run('--version')[0].startswith('cede-dtl '), 'version')
    p = subprocess.Popen([PROGRAM, '--transitions', '--load', '-'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdout.close()
    try:
        p.stdin.write(simulate(1, 3).bytes())
        p.stdin.close()
    except BrokenPipeError:
        pass
    check_eq((p.stderr.read(), p.wait()), (b'', -13), 'nobody reads: no word')
    if os.path.exists('/dev/full'):
        with open('/dev/full', 'w') as full:
            p = subprocess.run([PROGRAM, good], stdout=full, stderr=subprocess.PIPE)
        check_eq((p.returncode, p.stderr.count(b'\n'), b'cannot write' in p.stderr), (1, 1, True), 'a full disk')


# ---- Length ----

def feed(pipe, log, times):
    """The same stretch again and again, later each time."""
    length = log.end
    pipe.write(log.header())
    whole = [struct.unpack('>QQQQ', CODE.pack(*r)) for r in log.records]
    flat = [x for r in whole for x in r]
    packer = struct.Struct('>%dQ' % len(flat))
    for i in range(times):
        flat[0::4] = [r[0] + i * length for r in whole]
        pipe.write(packer.pack(*flat))
    log.end = length * times
    pipe.write(log.trailer())
    pipe.close()


def stretch(log):
    """Ends as it began: all who run cede, all are as before the first record."""
    state = {}
    for r in log.records:
        state[r[1], r[2]] = r
    for (vp, load), r in sorted(state.items()):
        log.add(log.end - 1, vp, CEDED if load else STOPPED, 'done' if load else 'stop', r[6] if r[3] == RUNNING else NONE, load)
    return log


def long(folder):
    for view in (['--summary'], ['--json'], ['--csv', '--load'], ['--svg'], ['--transitions']):
        log = stretch(simulate(3, 1, cpus=8, procs=4, chips=2, loads=2))
        times = 1 if SAN else 900 if view == ['--summary'] else 200
        size = 128 + 32 * (len(log.records) * times + 1)
        with open(os.path.join(folder, 'out'), 'w+b') as out:
            p = subprocess.Popen([PROGRAM, *view, '-'], stdin=subprocess.PIPE, stdout=out if view != ['--json'] else subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
            writer = threading.Thread(target=feed, args=(p.stdin, log, times))
            writer.start()
            _, status, used = os.wait4(p.pid, 0)
            p.returncode = os.waitstatus_to_exitcode(status)
            writer.join()
            check_eq((p.returncode, p.stderr.read()), (0, b''), '%d MB through a pipe: %s' % (size >> 20, view))
            if not SAN:
                check(used.ru_maxrss < 32 << 10, '%s in %d KB' % (view[0], used.ru_maxrss), used.ru_maxrss)
            if view == ['--svg']:
                check(out.tell() < 3 << 20 or out.seek(0, 2) < 3 << 20, 'a small picture', out.tell())
            if view == ['--summary']:
                out.seek(0)
                seen = int(re.search(rb'^ +0 +(\d+)', out.read(), re.M).group(1))
                check_eq(seen, times * sum(1 for r in log.records if r[1:4] == (0, 0, RUNNING)), 'all of it was counted')


# ---- What there is ----

def views(folder):
    shapes = {'plain': dict(cpus=4, procs=2, loads=1), 'smt': dict(cpus=16, threads=4, procs=3, chips=3, loads=2),
              'big': dict(cpus=64, procs=64, chips=8, loads=64), 'dedicated': dict(cpus=4, procs=4, loads=0)}
    models = {name: Model(simulate(i + 1, 0.1 if name == 'big' else 0.5, **shape)) for i, (name, shape) in enumerate(shapes.items())}
    paths = {name: put(folder, name, m.log.bytes()) for name, m in models.items()}
    table(models['plain'], paths['plain'], folder)
    for name in shapes:
        m, path = models[name], paths[name]
        check_table(m, path, name + ': table', '--load' if m.log.loads else '--cpu=0-3', load='too')
        summary(m, path, name + ': summary')
        summary(m, path, name + ': summary of a part', m.end // 3 + 1, m.end // 2 + 7)
        picture(m, path, name + ': SVG', *(['--load'] if m.log.loads else []))
    summary(models['plain'], paths['plain'], 'summary beyond the end', 1000, 10 ** 12)
    summary(models['plain'], paths['plain'], 'summary of some dispatches', None, None, ('--reason=slice', '--longer-than=100us'), reasons=['slice'], longer=100 * US)
    summary_text(models['plain'], paths['plain'])
    diff(models['smt'], paths['smt'], folder)
    pictures(models['plain'], paths['plain'], folder)
    trace(models['smt'], paths['smt'])
    reset(folder)
    memory(folder)
    held(folder)


def reset(folder):
    """After a reset of the machine nobody has run anywhere, nor waited."""
    log = Log(cpus=2, procs=2, loads=0)
    log.add(100, 0, RUNNING, 'started', 0)
    log.add(100, 1, RUNNING, 'started', 1)
    log.add(200, 1, STOPPED, 'stop', 1)
    log.add(1000, 0, STOPPED, 'stop', 0, code=0)
    log.add(1100, 0, RUNNING, 'started', 1)
    log.add(1200, 1, RUNNING, 'started', 0)
    log.end = 2000
    path = put(folder, 'reset', log.bytes())
    seen = rows(run(path, '--csv')[0])
    check_eq([(s['preempt_reason'], s['waiting_to_ready_cycles']) for s in seen[2:]], [('none', '100'), ('none', '200')], 'after a reset')
    check_eq([s['changes'] for s in rows(run(path, '--summary', '--csv')[0])], ['0', '0'], 'no change of processor')
    log.records[3] = log.records[3][:5] + (1,) + log.records[3][6:]
    check_eq([s['changes'] for s in rows(run(put(folder, 'reset', log.bytes()), '--summary', '--csv')[0])], ['1', '1'], 'RTAS stop-self is none')


def faults(folder):
    corrupt(folder)
    cut(folder)
    begins(folder)
    flips(folder)
    usage(folder)


def main():
    if not os.path.exists(PROGRAM):
        print('skip: %s was not built' % PROGRAM)
        return 77
    with tempfile.TemporaryDirectory() as folder:
        {'views': views, 'corrupt': faults, 'long': long}[sys.argv[1]](folder)
    return failed > 0


sys.exit(main())
