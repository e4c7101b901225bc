"""What a profile says: cede -profile against what a guest is known to do and what cede itself counts, and cede-prof against
profiles with known content. Files are read by prof_file.py, callgrind's format by a parser of its own.

usage: prof.py guest|models|linux|linux-power9|pipeline|views|corrupt [san]
"""
# needs: programs
# needs [guest]: guests
# needs [models]: guests
# needs [linux]: guest
# needs [linux-power9]: guest
import bisect
import collections
import itertools
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

import prof_file
from made import FUNC, elf, sample
from prof_file import Call, Cpu, Profile

B = os.environ.get('B', 'build')
SAN = sys.argv[2:] == ['san']
PROGRAM = os.path.join(B, 'san' if SAN else '', 'cede-prof')
CEDE = os.environ.get('CEDE', B + '/cede')
GUEST_DIR = os.environ.get('GUEST_DIR', 'build/guest')
TIMEOUT = 100
REAL, KERNEL = 1, 0
failed = 0


def check(good, fact, seen=''):
    global failed
    failed += not good
    print('%s %s%s' % ('ok' if good else 'FAIL', fact, '' if good else ': ' + str(seen)[:400]))


def check_eq(seen, wanted, fact):
    check(seen == wanted, fact, '%r, not %r' % (seen, wanted))


def skip(reason):
    print('skip: ' + reason)
    sys.exit(77)


def run(*args, data=None, status=0, fact=None):
    p = subprocess.run([PROGRAM, *map(str, args)], input=data, stdin=subprocess.DEVNULL if data is None else None, capture_output=True,
                       timeout=TIMEOUT)
    out, err = p.stdout.decode(), p.stderr.decode()
    if p.returncode != status or 'Sanitizer' in err or 'runtime error' in err or (status and (err.count('\n') != 1 or not err.startswith('cede-prof: '))):
        check(False, fact or 'cede-prof ' + ' '.join(map(str, args)), 'status %d: %s' % (p.returncode, err))
    return out, err


def put(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, 'wb') as f:
        f.write(data)
    return path


# ---- Readers of the views ----

NUMBERS = ('units', 'cycles', 'instructions', 'calls', 'all_units', 'all_cycles', 'all_instructions')


def functions(path, *args):
    """By name. Several may have one name: `twice` says so."""
    found = {}
    for f in json.loads(run('--json', '--top', 0, *args, path)[0])['functions']:
        first = found.setdefault(f['name'], f)
        f['twice'] = False
        if first is not f:
            first.update({n: first[n] + f[n] for n in NUMBERS}, twice=True)
    return found


def annotated(path, name, *args):
    """(address, executions, cycles, word) of each line."""
    out = run('--annotate', name, *args, path)[0]
    return [(int(m[0], 16), int(m[1]), int(m[2]), int(m[3], 16))
            for m in re.findall(r'^([0-9a-f]{16}) +(\d+) +(\d+) +[\d.]+ .*?\b([0-9a-f]{8})  ', out, re.M)]


def read_callgrind(text):
    """(events, summary, own cost of each function, {(caller, callee): [calls, inclusive cost]}), from the format's description."""
    names, own, calls, events, summary, width = {}, collections.defaultdict(list), {}, [], [], 1
    here, callee, count = None, None, None

    def name(value):
        m = re.fullmatch(r'\((\d+)\)(?: (.*))?', value)
        if m and m[2] is not None:
            assert names.setdefault(m[1], m[2]) == m[2], value
        return names[m[1]] if m else value

    for line in text.splitlines():
        key, _, value = line.partition('=')
        if line.startswith('events: '):
            events = line.split()[1:]
        elif line.startswith('positions: '):
            width = len(line.split()) - 1
        elif line.startswith('summary: '):
            summary = [int(n) for n in line.split()[1:]]
        elif key == 'fn':
            here = name(value)
        elif key == 'cfn':
            callee = name(value)
        elif key == 'calls':
            count = int(value.split()[0])
            assert len(value.split()) == 1 + width, line
        elif re.match(r'0x|\d', line):
            numbers = [int(n, 0) for n in line.split()][width:]
            assert 0 < len(numbers) <= len(events), line
            if count is None:
                own[here].append(numbers)
                continue
            entry = calls.setdefault((here, callee), [0] + [0] * len(numbers))
            calls[here, callee] = [a + b for a, b in zip(entry, [count] + numbers)]
            count = None
        else:
            assert not line or line[0] == '#' or key in ('ob', 'fl') or re.match(r'(version|creator): ', line), line
    return events, summary, {f: [sum(n) for n in itertools.zip_longest(*lines, fillvalue=0)] for f, lines in own.items()}, calls


def read_folded(text):
    stacks = collections.Counter()
    for line in text.splitlines():
        stack, _, cycles = line.rpartition(' ')
        stacks[tuple(stack.split(';'))] += int(cycles)
    return stacks


def inclusive(stacks):
    cost = collections.Counter()
    for stack, cycles in stacks.items():
        for name in set(stack):
            cost[name] += cycles
    return cost


SVG = '{http://www.w3.org/2000/svg}'


def read_svg(text):
    """(name, cycles, x, y, width) of each box."""
    boxes = []
    for group in xml.fromstring(text).iter(SVG + 'g'):
        title, rect = group.find(SVG + 'title').text, group.find(SVG + 'rect')
        name, cycles = re.fullmatch(r'(.*): (\d+) cycles, [\d.]+%', title).groups()
        boxes.append((name, int(cycles), float(rect.get('x')), int(rect.get('y')), float(rect.get('width'))))
    return boxes


def check_svg(text, total, fact, slack=0.001):
    """A box is as wide as its cycles, lies on one that is wider, and beside the others of its row."""
    boxes, rows = read_svg(text), collections.defaultdict(list)
    for box in boxes:
        rows[box[3]].append(box)
    for row in rows.values():
        row.sort(key=lambda b: b[2])
    starts, wrong = {y: [b[2] for b in row] for y, row in rows.items()}, []
    for name, cycles, x, y, width in boxes:
        if abs(width - 1200 * cycles / total) > slack:
            wrong.append('%s: %g wide for %d cycles' % (name, width, cycles))
        at = bisect.bisect_right(starts.get(y + 17, []), x + 0.002)
        left, wide = rows[y + 17][at - 1][2::2] if at else (10, 1200 if y == max(rows) else 0)
        if x + 0.002 < left or x + width > left + wide + 0.002:
            wrong.append('%s stands on nothing' % name)
    for row in rows.values():
        wrong += ['%s and %s' % (a[0], b[0]) for a, b in zip(row, row[1:]) if a[2] + a[4] > b[2] + 0.002]
    check(boxes and boxes[0][0] == 'all' and boxes[0][1] == total and not wrong, fact, wrong[:3])
    return boxes


def check_views(path, p, fact, *args):
    """Whatever the profile is, its views add up to it."""
    total = prof_file.totals(p)[2]
    f = functions(path, *args)
    wrong = [(n, g['units'], g['cycles']) for n, g in f.items() if not g['twice'] and abs(g['cycles'] * p.per_core - g['units']) * 2 > p.per_core]
    check(not wrong, fact + ': cycles are units', wrong[:3])
    check_eq((sum(g['units'] for g in f.values()), sum(g['instructions'] for g in f.values())), total, fact + ': functions add up')
    stacks = read_folded(run('--folded', '-', *args, path)[0])
    whole, near = total[0] // p.per_core, 0 if p.per_core == 1 else len(stacks) + 1
    check_eq(sum(stacks.values()), whole, fact + ': stacks add up')
    cost = inclusive(stacks)
    wrong = {n: (g['all_cycles'], cost[n], g['cycles']) for n, g in f.items()
             if not g['twice'] and abs(g['all_cycles'] - max(cost[n.replace(';', ':')], g['cycles'])) > near}
    check(not wrong, fact + ': inclusive costs are those of the stacks', list(wrong.items())[:3])
    events, summary, own, calls = read_callgrind(run('--callgrind', '-', *args, path)[0])
    lost = ['Lost_' + r for i, r in enumerate(p.reasons) if any(b.stalls[i] for b in p.blocks)]
    check_eq((events, summary[:2]), (['Cycles', 'Instructions'] + lost, [whole, total[1]]), fact + ': callgrind has the totals')
    check_eq([sum(n) for n in itertools.zip_longest(*own.values(), fillvalue=0)], summary, fact + ': callgrind adds up')
    wrong = {n: (own.get(n), g['cycles']) for n, g in f.items()
             if abs(own.get(n, [0, 0])[0] - g['cycles']) > (near and (200 if g['twice'] else 2)) or own.get(n, [0, 0])[1] != g['instructions']}
    check(not wrong, fact + ': callgrind has the functions', list(wrong.items())[:3])
    wrong = {}
    into = collections.Counter()
    for (_, callee), numbers in calls.items():
        into[callee] += numbers[0]
    for i, c in enumerate(p.calls):
        if i and c.parent == 0:
            into['?'] += c.count
    check_eq(sum(into.values()), sum(c.count for c in p.calls), fact + ': callgrind has the calls')
    if total[0]:
        check_svg(run('--svg', '-', *args, path)[0], (2 * total[0] + p.per_core) // (2 * p.per_core), fact + ': a flame graph',
                  0.001 + (0 if p.per_core == 1 else 1200 * p.per_core / total[0]))
    return f, stacks, calls


# ---- A guest whose work is known ----

def cede(*options, status=0):
    p = subprocess.run([CEDE, '-nodefaults', '-nographic', '-serial', 'stdio', '-rtc', 'base=2026-01-01', '-clock', 'warp', '-d', 'statehash',
                        *map(str, options)], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
    err = p.stderr.decode()
    m = re.search(r'statehash=(\w+) cycles=(\d+) instructions=(\d+)\n$', err)
    if p.returncode != status or not m:
        check(False, 'cede ' + ' '.join(map(str, options)), '%d %s %s' % (p.returncode, err, p.stdout[-300:]))
        sys.exit(1)
    return m[1], int(m[2]), int(m[3])


def check_whole(p, seen, fact, began=0):
    """All that has passed is in it, and nothing twice."""
    _, cycles, insns = seen
    blocks, calls, cpus = prof_file.totals(p)
    check(blocks == calls == cpus, fact + ': blocks, calls and processors add up to the same', (blocks, calls, cpus))
    check_eq(cpus[1], insns, fact + ': all instructions')
    check_eq([c.cycles + c.idle + c.stopped + c.ready - c.ahead for c in p.cpus], [(cycles - began) * p.per_cycle] * len(p.cpus),
             fact + ': all time of each processor')
    wrong = [b for b in p.blocks if sum(b.ends) != b.visits or sum(k * n for k, n in enumerate(b.ends)) != b.insns]
    check(not wrong, fact + ': visits and instructions of each block', wrong[:1])


def check_sums(parts, whole, fact):
    """The parts of an interval have in all what the whole has, instruction by instruction. Where blocks are cut is the host's business."""
    def by_insn(profiles):
        sums = collections.Counter()
        for p in profiles:
            for b in p.blocks:
                for i, word in enumerate(b.words):
                    sums[b.ea + 4 * i, b.gra + 4 * i, b.space, word] += sum(b.ends[i + 1:])
        return +sums
    seen, wanted = by_insn(parts), by_insn([whole])
    check(seen == wanted, fact + ': each instruction', list((seen - wanted).items())[:2] + list((wanted - seen).items())[:2])
    def numbers(c):
        return list(c[:5]) + list(c.events)
    check_eq([[sum(v) for v in zip(*map(numbers, c))] for c in zip(*(p.cpus for p in parts))], [numbers(c) for c in whole.cpus], fact + ': each processor')


LEAF, HOT, DEEP, FACES = 1000, 200000, 300, 50


def guest(folder):
    for order in ('le', 'be'):
        image = '%s/tests/guest/spent-%s.elf' % (B, order)
        if not os.path.exists(image):
            skip(image + ' was not built: no cross compiler?')
        known_work(folder, order, image)
    by_hand(folder, image)


def known_work(folder, order, image):
    path, options = os.path.join(folder, order), ('-smp', 2, '-kernel', image)
    plain = cede(*options)
    seen = cede(*options, '-profile', path)
    check_eq(seen, plain, order + ': the guest does not notice')
    p = prof_file.read(path)
    check_whole(p, plain, order)
    check(p.cpus[0].idle >= 180000 and p.cpus[1].stopped == plain[1], order + ': idle and stopped', p.cpus)
    f, stacks, calls = check_views(path, p, order, '--symbols', image)
    top = run('--symbols', image, path)[0].split('function\n')[1].split()
    check_eq((top[6], top[1], top[3]), ('spent_hot', str(3 * HOT + 2), str(3 * HOT + 2)), order + ': the hot loop comes first')
    check_eq({n: f[n]['calls'] for n in ('spent_hot', 'spent_caller', 'spent_leaf', 'spent_deep', 'spent_faces')},
             {'spent_hot': 1, 'spent_caller': 1, 'spent_leaf': LEAF + 1, 'spent_deep': DEEP + 1, 'spent_faces': 1}, order + ': calls')
    check_eq(calls['spent_caller', 'spent_leaf'][0], LEAF, order + ': who called')
    check_eq(calls['spent_caller', 'spent_leaf'][1:], [LEAF // 2 * 4 + LEAF // 2 * 3] * 2, order + ': what that took')
    lines = annotated(path, 'spent_leaf', '--symbols', image)
    check_eq([n for _, n, _, _ in lines], [LEAF + 1, LEAF + 1, LEAF // 2 + 1, LEAF + 1], order + ': a branch in the middle of a block')
    check_eq([n for _, n, _, _ in annotated(path, 'spent_hot', '--symbols', image)], [1, HOT, HOT, HOT, 1], order + ': each instruction')
    outer = [s for s in stacks if s[-1] == 'spent_caller']
    check(len(outer) == 1 and outer[0][-3:] == ('main', 'test', 'spent_caller'), order + ': stacks', outer)
    after = [s for s in stacks if s[-1] in ('spent_jumps', 'spent_faces')]
    check(all(s[-3:-1] == ('main', 'test') for s in after) and len(after) == 2, order + ': stacks after a deep recursion and a longjmp', after)
    faces = [b for b in p.blocks if b.words[-1] == 0x4e800020 and b.words[0] in (0x38630001, 0x38630002) and len(b.words) == 2]
    check_eq(sorted((b.words[0], b.visits) for b in faces), [(0x38630001, FACES // 2), (0x38630002, FACES // 2)], order + ': code that is overwritten')
    intervals(folder, order, options, plain, p)


def by_hand(folder, image):
    """The monitor, signals, a machine that goes on from a snapshot, and what is refused."""
    path = os.path.join(folder, 'hand')
    options = ['-nodefaults', '-nographic', '-serial', 'null', '-clock', 'warp', '-kernel', image]

    def talk(lines, *more):
        p = subprocess.run([CEDE, *options, '-monitor', 'stdio', '-S', *more], input=lines.encode(), capture_output=True, timeout=TIMEOUT)
        return p.returncode, p.stdout.decode() + p.stderr.decode()
    check_eq(talk('profile stop\ncont\n', '-profile', path)[0], 0, 'by hand: a run')
    check_eq(prof_file.totals(prof_file.read(path)), ((0, 0),) * 3, 'by hand: stopped before it began')
    talk('profile stop\nprofile start\ncont\n', '-profile', path)
    check(prof_file.totals(prof_file.read(path))[2][1] > 3 * HOT, 'by hand: and goes on')
    os.unlink(path)
    talk('profile save\nquit\n', '-profile', path)
    check(os.path.exists(path), 'by hand: saved')
    for lines, word, more in (('profile save\nquit\n', 'Error: there is no -profile', ()), ('profile x\nquit\n', 'Error: save, start or stop', ('-profile', path)),
                              ('profile\nquit\n', 'parameter expected', ())):
        check(word in talk(lines, *more)[1], 'by hand: ' + word)
    os.unlink(path)
    with subprocess.Popen([CEDE, *options, '-no-shutdown', '-profile', path], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as p:
        time.sleep(2)
        p.terminate()
        said = p.stderr.read().decode()
    check(p.returncode == 1 and said.count('\n') == 1 and prof_file.totals(prof_file.read(path))[2][1] > 3 * HOT, 'SIGTERM: the file is written', said)
    saved = os.path.join(folder, 'saved')
    subprocess.run([CEDE, *options, '-save', saved + '@400000,quit=on'], stdin=subprocess.DEVNULL, timeout=TIMEOUT, check=True)
    whole, rest = cede('-kernel', image), cede('-loadvm', saved, '-profile', path)
    p = prof_file.read(path)
    check_eq((rest[:2], p.began), (cede('-loadvm', saved)[:2], 400000), 'a snapshot: the guest does not notice')
    check_whole(p, (*rest[:2], rest[2] - 400000), 'a snapshot', 400000)     # none was idle before
    check(whole[1] == rest[1], 'a snapshot: to the same cycle', (whole, rest))
    for text, status, word in ((folder, 1, 'not a regular file'), (folder + '/none/x', 1, 'No such file'), ('', 2, 'name of a file'), ('from=1', 2, 'name of a file'),
                               (path + ',from=2,to=1', 2, 'not before'), (path + ',from=x', 2, 'from=x'), (path + ',to=', 2, 'to='), (path + ',cpu=1', 2, 'processor'),
                               (path + ',cpu=64', 2, 'cpu=64'), (path + ',what', 2, 'what'), (path + ',what=1', 2, 'what')):
        p = subprocess.run([CEDE, *options, '-profile', text], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
        said = p.stderr.decode()
        check(p.returncode == status and said.count('\n') == 1 and said.startswith('cede: ') and word in said, 'refused: ' + (text.replace(folder, '') or 'nothing'), said)


def intervals(folder, order, options, plain, whole):
    middle = plain[2] // 2 + 7
    parts = []
    for i, text in enumerate(('to=%d' % middle, 'from=%d' % middle, 'cpu=0', 'cpu=1')):
        path = os.path.join(folder, '%s-%d' % (order, i))
        check_eq(cede(*options, '-profile', path + ',' + text), plain, '%s: %s: the guest does not notice' % (order, text))
        parts.append(prof_file.read(path))
    check_sums(parts[:2], whole, order + ': two halves')
    check(0 < parts[0].cpus[0].cycles < whole.cpus[0].cycles and parts[0].ended == parts[1].began == middle, order + ': both have something', parts[0].cpus)
    check_sums(parts[2:], whole, order + ': two processors')
    late = os.path.join(folder, 'late')
    cede(*options, '-profile', late + ',from=%d' % (1 << 60))
    check_eq((prof_file.totals(prof_file.read(late)), prof_file.read(late).began), (((0, 0),) * 3, 1 << 60), order + ': nothing has run in it')


# ---- Models that have units ----

def saved_counts(path, cpu):
    """(events, stalls, time in units) that a snapshot has of a processor."""
    rows = {}
    for section in ('cede/cpu', 'cede/cpu/timing'):
        p = subprocess.run([B + '/cede-snap', '--json', 'show', path, '%s:%d' % (section, cpu)], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
        rows.update({r['field']: int(r['value'], 16) for r in json.loads(p.stdout) if r['value'].startswith('0x')})
    return tuple([v for k, v in rows.items() if k.startswith(what)] for what in ('event[', 'stall[')) + (rows['cycles'] * 89 + rows['phase'],)


def models(folder):
    image = B + '/tests/guest/spent-le.elf'
    if not os.path.exists(image):
        skip(image + ' was not built: no cross compiler?')
    for model, per_cycle in (('power8', 82), ('power9', 89), ('power10', 94), ('power9,freq=2000,caches=off', 47)):
        path, options = os.path.join(folder, 'model'), ('-smp', 2, '-timing', model, '-kernel', image)
        plain = cede(*options)
        check_eq(cede(*options, '-profile', path), plain, model + ': the guest does not notice')
        p = prof_file.read(path)
        check_eq((p.timing, p.per_core, p.per_cycle, p.core_hz, p.parts), (model.split(',')[0], 24, per_cycle, per_cycle * 1024000000 // 24, 14 if ',' in model else 15),
                 model + ': the clock')
        check_whole(p, plain, model)
        check_views(path, p, model, '--symbols', image)
    intervals(folder, 'power9', ('-smp', 2, '-timing', 'power9', '-kernel', image), cede('-smp', 2, '-timing', 'power9', '-kernel', image), whole_of(folder, image))
    kept(folder, image)
    for order in ('le', 'be'):
        itself(folder, order)


def whole_of(folder, image):
    path = os.path.join(folder, 'whole')
    cede('-smp', 2, '-timing', 'power9', '-kernel', image, '-profile', path)
    return prof_file.read(path)


def kept(folder, image):
    """A snapshot at the cycle at which a profile ends has the same counts."""
    for cycle in (90000, 150001, 200000):
        path, saved = os.path.join(folder, 'kept'), os.path.join(folder, 'kept.snap')
        subprocess.run([CEDE, '-nodefaults', '-nographic', '-serial', 'null', '-clock', 'warp', '-smp', '2', '-timing', 'power9', '-kernel', image,
                        '-profile', path, '-save', '%s@%d,quit=on' % (saved, cycle)], stdin=subprocess.DEVNULL, timeout=TIMEOUT, check=True)
        p, cpus = prof_file.read(path), [saved_counts(saved, i) for i in range(2)]
        check_eq([list(c.events) for c in p.cpus], [c[0] for c in cpus], 'at cycle %d: events' % cycle)
        kept_, seen = [dict(zip(p.reasons, map(sum, zip(*v)))) for v in ([c[1] for c in cpus], [b.stalls for b in p.blocks])]
        for reason in ('units', 'threads'):     # these are worked out
            check(kept_.pop(reason) == 0 and (reason == 'threads' or seen[reason] > 0), 'at cycle %d: %s' % (cycle, reason), seen)
            del seen[reason]
        check_eq(seen, kept_, 'at cycle %d: lost time' % cycle)
        check_eq((p.ended, [c.ahead for c in p.cpus]), (cycle, [max(c[2] - cycle * p.per_cycle, 0) for c in cpus]), 'at cycle %d: units ahead of it' % cycle)


def itself(folder, order):
    """What a guest reads from its own counters is within 1 % of what the profile has in all."""
    image = '%s/tests/guest/spent_counts-%s.elf' % (B, order)
    if not os.path.exists(image):
        return
    for model in ('power9', 'power9,caches=off', 'power9,branches=off'):
        path = os.path.join(folder, 'itself')
        p = subprocess.run([CEDE, '-nodefaults', '-nographic', '-serial', 'stdio', '-clock', 'warp', '-timing', model, '-kernel', image, '-profile', path],
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
        guest_ = {k: int(v) for k, v in re.findall(r'(\w+)=(\d+)', p.stdout.decode())}
        totals = {m[1]: int(m[0]) for m in re.findall(r'^ *(\d+) +([\w-]+)', run('--totals', path)[0], re.M)}
        for mine, perf in (('cycles', 'cycles'), ('instructions', 'instructions'), ('mispredicts', 'branch-misses'), ('misses', 'cache-misses')):
            off = (perf == 'branch-misses' and 'branches=off' in model) or (perf == 'cache-misses' and 'caches=off' in model)
            check(off == (guest_[mine] == 0) and abs(guest_[mine] - totals[perf]) * 100 <= guest_[mine], '%s, %s: %s as the guest counts them' % (order, model, perf),
                  (guest_[mine], totals[perf]))
        f = functions(path, '--symbols', image)['work']
        check(abs(f['cycles'] - guest_['cycles']) < 20 and abs(f['instructions'] - guest_['instructions']) < 10, '%s, %s: a function between two looks' % (order, model), (f, guest_))


# ---- Linux ----

def again(path, options, fact):
    """The host takes its looks at other cycles in each run: the file has nothing of that."""
    cede(*options, '-profile', path + '.again')
    with open(path, 'rb') as a, open(path + '.again', 'rb') as b:
        check(a.read() == b.read(), fact + ': the same run twice gives the same file')


def linux_power9(folder):
    kernel, initrd = GUEST_DIR + '/vmlinux', GUEST_DIR + '/initrd.gz'
    if not os.path.exists(kernel) or not os.path.exists(initrd):
        skip(kernel + ' is missing (make guest)')
    path = os.path.join(folder, 'boot')
    options = ('-m', '1G', '-smp', 2, '-timing', 'power9', '-kernel', kernel, '-initrd', initrd, '-append', 'console=hvc0 quiet cede.cmd="ls -lR /dev >/dev/null"')
    plain = cede(*options)
    check_eq(cede(*options, '-profile', path), plain, 'linux: the guest does not notice')
    p = prof_file.read(path)
    check_whole(p, plain, 'linux')
    again(path, options, 'linux')
    check_views(path, p, 'linux')
    lost, units = [sum(s) for s in zip(*(b.stalls for b in p.blocks))], prof_file.totals(p)[2][0]
    check(0 < sum(lost) < units, 'linux: lost time is a part of all', (lost, units))
    check(all(sum(b.stalls) <= b.cycles for b in p.blocks), 'linux: and so it is of each block', [b for b in p.blocks if sum(b.stalls) > b.cycles][:2])
    totals = dict(zip(p.events, map(sum, zip(*(c.events for c in p.cpus)))))
    check(totals['branches'] > 10 * totals['mispredicts'] > 0 and totals['loads'] > 10 * totals['l1d-load-misses'] > 0 and totals['l2-misses'] > totals['l3-misses'] > 0 and totals['taken'] < totals['branches'],
          'linux: events', totals)


def linux(folder):
    kernel, initrd = GUEST_DIR + '/vmlinux', GUEST_DIR + '/initrd.gz'
    if not os.path.exists(kernel) or not os.path.exists(initrd):
        skip(kernel + ' is missing (make guest)')
    path = os.path.join(folder, 'boot')
    options = ('-m', '1G', '-smp', 2, '-kernel', kernel, '-initrd', initrd, '-append', 'console=hvc0 quiet cede.cmd="ls -lR /dev >/dev/null"')
    plain = cede(*options)
    check_eq(cede(*options, '-profile', path), plain, 'linux: the guest does not notice')
    p = prof_file.read(path)
    check_whole(p, plain, 'linux')
    again(path, options, 'linux')
    names = dict((n.decode(), a) for a, n in p.symbols)
    check(len(p.symbols) > 20000 and {'start_kernel', 'schedule', 'vfs_read'} <= set(names), 'linux: the kernel\'s names are in it', len(p.symbols))
    f, stacks, _ = check_views(path, p, 'linux')
    kernel_cycles = sum(b.cycles for b in p.blocks if b.space == KERNEL and b.ea >> 60 == 0xc and b.ea < 0xc000000004000000)
    named = sum(g['cycles'] for n, g in f.items() if n in names)
    check(named >= kernel_cycles, 'linux: all that the kernel did has a name', (named, kernel_cycles))
    check(f['start_kernel']['calls'] == 1 and f['schedule']['calls'] > 100, 'linux: calls', f['schedule'])
    deep = [s for s in stacks if s[-1] == 'inflate_fast' and 'unpack_to_rootfs' in s]
    wanted = ('unpack_to_rootfs', 'gunzip', 'zlib_inflate', 'inflate_fast')
    check(deep and all(tuple(n for n in s if n in wanted) == wanted for s in deep), 'linux: who called', deep)
    user = [s for s in stacks if s[0].startswith('[pid ') and any(n in names for n in s)]
    check(user, 'linux: system calls stand on what made them')
    cost = inclusive(stacks)
    check(cost['unpack_to_rootfs'] > 5 * cost['schedule'] > 0, 'linux: what others do meanwhile is not theirs', (cost['unpack_to_rootfs'], cost['schedule']))
    symbols = put(folder, 'System.map', ''.join('%016x T %s\n' % (a, n) for n, a in sorted(names.items(), key=lambda i: i[1])).encode())
    p.symbols = []
    bare = put(folder, 'bare', p.pack())
    check_eq(functions(bare, '--symbols', symbols)['inflate_fast']['cycles'], f['inflate_fast']['cycles'], 'linux: names from a System.map')


# ---- Views of a profile that is made ----

def views(folder):
    for name, p in (('reasons', sample()), ('flat', sample(())), ('units', sample(events=('loads', 'mispredicts'), core_hz=3300000000, per_core=24, per_cycle=77)), ('nothing', Profile([Cpu(0, 0, 0, 0, 0)], [], [Call(0, 0, 0, 0, 0, 0, 0, 0)]))):
        path = put(folder, name, p.pack())
        f, stacks, calls = check_views(path, p, name)
    path = put(folder, 'sample', sample().pack())
    f, stacks, calls = check_views(path, sample(), 'sample')
    check_eq((f['first']['cycles'], f['first']['all_cycles'], f['first']['calls']), (1000, sum(c.cycles for c in sample().calls[1:5]) + sample().calls[7].cycles, 2), 'recursion is counted once')
    check_eq(f['first']['lost'], {'fetch': 101, 'memory': 9}, 'reasons')
    check_eq(sorted(n for n in f if n[0] == '['), ['[other]', '[pid 42] 0x10000100', '[pid 43] 0x10000000'], 'functions without a name')
    second = 'second<&>"\''
    check_eq(stacks['first', second], 130, 'calls from two places are one in a stack')
    check_eq(calls['first', second][:2], [9, 100 + 30 + 70 + sample().calls[7].cycles], 'and two in callgrind')
    lines = annotated(path, 'first')
    check_eq([(a & 0xffff, n) for a, n, _, _ in lines], [(0x1000, 100), (0x1004, 100), (0x1008, 100), (0x1008, 94), (0x100c, 90)], 'executions of each instruction')
    check_eq(sum(c for _, _, c, _ in lines), 1000, 'cycles of each instruction')
    table = run(path)[0]
    check(re.search(r'fetch +memory +calls', table) and 'no room: 1 visits of further blocks are [other]; 9 calls' in table, 'table', table)
    check(not re.search(r'fetch|no room', run(put(folder, 'flat', sample(()).pack()))[0].replace('no room: 1', '')), 'no columns of zeros')
    check_eq(len(run('--top', 2, path)[0].splitlines()), 7, 'rows')
    check_eq(run('--sort', 'name', '--top', 1, path)[0].split()[-1], '[other]', 'order')
    check_eq(run('--json', '-', data=None, status=1)[1].count('\n'), 1, 'an empty pipe')
    check_eq(run('-', data=sample().pack())[0].splitlines()[3:], table.splitlines()[3:], 'from a pipe')
    compare(folder, path)
    symbols(folder)
    outputs(folder, path)
    usage(folder, path)


def compare(folder, path):
    other = sample()
    b, c, u = other.blocks[2], other.calls[1], other.cpus[0]
    other.blocks[2] = b._replace(cycles=b.cycles + 1000)
    other.calls[1] = c._replace(cycles=c.cycles + 1000)
    other.cpus[0] = u._replace(cycles=u.cycles + 1000)
    rows = [line.split(None, 7) for line in run('--compare', put(folder, 'other', other.pack()), path)[0].splitlines()[4:]]
    check_eq((rows[0][2:4], rows[0][7]), (['+', '1000'], 'all'), 'compare: all')
    check_eq(rows[1], ['200', '1200', '+', '1000', '%.2f' % (100000 / 1259), '1.43', '8.57', 'second<&>"\''], 'compare: the largest difference first')
    check_eq([r[3] for r in rows[2:]], ['0'] * 4, 'compare: no other difference')


def symbols(folder):
    p = sample()
    p.symbols = []
    path = put(folder, 'unnamed', p.pack())
    for bits, big in ((64, False), (64, True), (32, False), (32, True)):
        high = 0xc000000000000000 if bits == 64 else 0
        image = put(folder, 'image', elf([(high + 0x1000, 12, FUNC, 'alpha'), (high + 0x1008, 8, 0x11, 'a variable'), (high + 0x2000, 0, FUNC, 'beta'),
                                          (high + 0x2000, 0, 2, 'local'), (0x10000100, 4, 2, 'user')], bits, big))
        f = functions(path, '--symbols', image)
        kind = 'ELF-%d, %s-endian' % (bits, 'big' if big else 'little')
        check_eq(f['user']['cycles'], 53, kind)
        if bits == 64:
            check_eq((f['alpha']['cycles'], f['beta']['cycles']), (1000, 200), kind + ': kernel')
    moved = put(folder, 'moved', elf([(0x10100, 16, FUNC, 'moved')]))
    check_eq(functions(path, '--symbols', moved + '@0x10000000')['moved']['cycles'], 53, 'ELF at an address')
    check('moved' not in functions(path, '--symbols', moved), 'and not elsewhere')
    text = put(folder, 'map', b'0000000010000100 t mapped\n00000000100001fc D data\nffffffff00000000 W weak\n')
    check_eq(functions(path, '--symbols', text)['mapped']['cycles'], 54, 'System.map')
    check_eq(functions(path, '--symbols', text, '--symbols', moved + '@0x10000000')['mapped']['cycles'], 54, 'the first of two counts')
    for what, data, word in (('text', b'hello\n', 'neither'), ('a line', b'0000000010000100 t mapped\nx\n', 'line 2'), ('no name', b'00 t \n', 'neither'),
                             ('NUL', b'0000000010000100 t a\0b\n', 'neither'), ('short', b'\x7fELF', 'no ELF'), ('no sections', elf([])[:64] + bytes(200), 'section'),
                             ('cut', elf([(1, 1, FUNC, 'x')])[:-70], 'section'), ('link', elf([(1, 1, FUNC, 'x')], link=9), 'not there')):
        check(word in run('--symbols', put(folder, 'bad', data), path, status=1)[1], 'symbols: ' + what)
    long = put(folder, 'long', elf([(0x10000100, 4, FUNC, 'f' * 5000)]))
    check_eq(functions(path, '--symbols', long)['f' * 4000]['cycles'], 53, 'symbols: a long name is cut')
    began = time.monotonic()
    many = put(folder, 'many', elf([(0x10000100, 4, FUNC, 'f' * (1 << 24))], copies=100000))
    check('too many' in run('--symbols', many, path, status=1)[1], 'symbols: a name of 16 MB for each of many')
    check(time.monotonic() - began < 20, 'symbols: is refused at once', '%.1f s' % (time.monotonic() - began))
    rng, good = random.Random(2), elf([(0x10000100 + 8 * i, 8, FUNC, 'f%d' % i) for i in range(20)], 64)
    for i in range(60 if SAN else 200):
        bad = bytearray(good)
        for _ in range(rng.choice((1, 2, 4))):
            bad[rng.randrange(len(bad)) if rng.random() < .4 else rng.choice((rng.randrange(64), len(bad) - 1 - rng.randrange(192)))] = rng.choice((0, 1, 0x7f, 0xff))
        check_flip(put(folder, 'flip', bytes(bad[:rng.randrange(len(bad))] if rng.random() < .1 else bad)), path, 'an ELF file with flipped bytes', i)


def check_flip(image, path, fact, number):
    p = subprocess.run([PROGRAM] + (['--symbols', image] if image else []) + [path], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
    if p.returncode not in (0, 1) or p.stderr.count(b'\n') != p.returncode or (p.returncode and not p.stderr.startswith(b'cede-prof: ')):
        check(False, fact, '%d: %d %s' % (number, p.returncode, p.stderr[:300]))


def outputs(folder, path):
    for view in ('--svg', '--folded', '--callgrind'):
        out = os.path.join(folder, 'out')
        put(folder, 'out', b'old')
        run(view, out, path)
        with open(out) as f:
            check_eq(f.read(), run(view, '-', path)[0], view + ': a file')
        put(folder, 'out', b'old')
        run(view, out, put(folder, 'bad', sample().pack()[:-1]), status=1)
        with open(out) as f:
            check_eq((f.read(), [n for n in os.listdir(folder) if n.endswith('.part')]), ('old', []), view + ': the old file stays')
        run(view, os.path.join(folder, 'none', 'out'), path, status=1)
        check('not a regular file' in run(view, folder, path, status=1)[1], view + ': a folder')
    text = run('--svg', '-', '--title', '<&"\'>', path)[0]
    check_eq(xml.fromstring(text).find(SVG + 'title').text, '<&"\'>', 'title')
    if shutil.which('callgrind_annotate'):
        out = os.path.join(folder, 'callgrind.out')
        run('--callgrind', out, path)
        p = subprocess.run(['callgrind_annotate', out], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
        said = p.stdout.decode()
        check(p.returncode == 0 and re.search(r'^1,259 \(100\.0%\) .*PROGRAM TOTALS', said, re.M) and re.search(r'^1,000 \(79\.43%\) .*:first ', said, re.M),
              'callgrind_annotate reads it', said + p.stderr.decode())


def usage(folder, path):
    for args, word in (((), 'which profile'), ((path, path), 'one profile'), (('--top', 'x', path), "'x'"), (('--top=-1', path), "'-1'"), (('--sort', 'x', path), "'x'"),
                       (('--json', '--svg', '-', path), 'one at a time'), (('--symbols', 'a') * 65 + (path,), '64 at most')):
        check(word in run(*args, status=2)[1], 'usage: ' + ' '.join(map(str, args))[:40])
    check('no function' in run('--annotate', 'nobody', path, status=1)[1], 'a function that is not there')
    check('No such file' in run(os.path.join(folder, 'nowhere'), status=1)[1], 'a file that is not there')
    check('No such file' in run('--symbols', os.path.join(folder, 'nowhere'), path, status=1)[1], 'symbols that are not there')
    p = subprocess.run([PROGRAM, path], stdin=subprocess.DEVNULL, stdout=open('/dev/full', 'w'), stderr=subprocess.PIPE, timeout=TIMEOUT)
    check(p.returncode == 1 and b'standard output' in p.stderr, 'a full disk', p.stderr)


# ---- The pipeline, drawn ----

def add(t, a, b):
    return 31 << 26 | t << 21 | a << 16 | b << 11 | 266 << 1


def addi(t, a, n):
    return 14 << 26 | t << 21 | a << 16 | n & 0xffff


def divd(t, a, b):
    return 31 << 26 | t << 21 | a << 16 | b << 11 | 489 << 1


def ld(t, n, a):
    return 58 << 26 | t << 21 | a << 16 | n


def std(t, n, a):
    return 62 << 26 | t << 21 | a << 16 | n


def bdnz(n):
    return 16 << 26 | 16 << 21 | n & 0xfffc


def read_lanes(out):
    """({round: [(lane, reason) of each instruction]}, {bound: cycles}, cycles that it took)."""
    rounds, here = {}, None
    for line in out.splitlines():
        m = re.match(r'round (\d+), from cycle', line)
        if m:
            here = rounds.setdefault(int(m[1]), [])
        m = re.match(r' *(\d+) .{26} \|(.*)\|(.*)$', line)
        if m:
            here.append((m[2], m[3].strip()))
            assert int(m[1]) == len(here)
    took = re.search(r'^([\d.]+) cycles (a round|until)', out, re.M)
    return rounds, {m[0]: float(m[1]) for m in re.findall(r'^  (dispatch|unit \w+|chain|window) +([\d.]+)', out, re.M)}, float(took[1])


def lanes(words, *args):
    return read_lanes(run('--words', ','.join('%08x' % w for w in words), *args)[0])


def starts(rows):
    """Where it begins to execute: the unit's name, which comes after dispatch and what was waited for."""
    return [re.search(r'(FX|L(?=R|S)|DIV|BR|DP)', lane).start() for lane, _ in rows]


def pipeline(folder):
    rounds, bounds, took = lanes([add(3, 4, 5), add(3, 3, 5), add(3, 3, 5)])
    check_eq([lane for lane, _ in rounds[1]], ['DFXRC    ', 'Dr3FXRC  ', 'Dr3..FXRC'], 'dependent additions: two cycles apart')
    check_eq([why for _, why in rounds[1]], ['', 'r3 from 1 add', 'r3 from 2 add'], 'and why')
    check_eq((bounds['chain'], took, bounds['dispatch']), (6, 7, 0.5), 'and how long in all')
    rounds, _, _ = lanes([ld(3, 0, 4), add(5, 3, 3)])
    check_eq((starts(rounds[1]), rounds[1][1][1]), ([1, 5], 'r3 from 1 ld'), 'a load and its user: four cycles apart')
    rounds, _, _ = lanes([divd(6, 4, 5), divd(7, 4, 5), divd(8, 4, 5), add(9, 4, 4)])
    first = starts(rounds[1])
    check(first[:2] == [1, 1] and first[2] > 4 and first[3] <= 2, 'divides take their units, and nothing else', rounds)
    check_eq([why for _, why in rounds[1]], ['', '', 'unit DIV', ''], 'and why')
    rounds, _, _ = lanes([std(6, 8, 3), ld(7, 8, 3), ld(8, 16, 3)])
    check_eq([why for _, why in rounds[1]], ['', 'stored by 1 std', ''], 'a load of what has just been stored')
    check(len(rounds[1][1][0].rstrip('C-R')) > 10 > len(rounds[1][2][0].split('R')[0]), 'waits for it, and another does not', rounds)
    rounds, bounds, took = lanes([divd(3, 3, 4)] + [add(5, 6, 6)] * 60)
    check(re.fullmatch(r'w+D.*', rounds[1][-1][0].strip()) or any(why == 'window full' for _, why in rounds[1][40:]), 'a full window', rounds[1][-3:])
    loops()
    on_other_models()
    pictures(folder)
    of_a_profile(folder)
    refused(folder)


def loops():
    rounds, bounds, took = lanes([addi(n, 0, 1) for n in range(3, 15)])
    check_eq((list(rounds), bounds['dispatch'], bounds['unit FX'], bounds['chain']), ([1], 2, 3, 2), 'a block: one round')
    rounds, bounds, took = lanes([addi(n, 0, 1) for n in range(3, 15)], '--rounds', 40)
    check_eq(list(rounds), [1, 40], 'rounds: the first and the last')
    check(abs(took - 3) < 0.1 and 'chain' not in bounds, 'rounds: as fast as four units are', (took, bounds))
    rounds, bounds, took = lanes([add(3, 3, 4), add(3, 3, 4), add(5, 5, 6), bdnz(-12)])
    check_eq((len(rounds), bounds['chain']), (2, 4), 'a loop: what one round adds to the chain')
    check(3.6 <= took < 4.6 and rounds[max(rounds)][0][1].endswith('r3 from 2 add, last round'), 'a loop: takes that long', (took, rounds))
    check(bounds['window'] > 25, 'a loop: the window fills', bounds)
    out = run('--words', '%x,%x' % (add(3, 3, 4), bdnz(-4)))[0]
    check('1 > 1\n' in out and ', a loop;' in out, 'a loop: its chain', out)
    rounds, _, took = lanes([divd(3, 3, 4)] * 8)
    check(all(len(lane) <= 64 for lane, _ in rounds[1]) and took > 150, 'long waits: fewer columns', took)


def on_other_models():
    seen = {m: lanes([add(3, 4, 5), add(3, 3, 5), ld(6, 0, 3), add(6, 6, 6)], '--timing', m) for m in ('power8', 'power9', 'power10')}
    check(len({str(s) for s in seen.values()}) == 3, 'models differ')
    check_eq(lanes([add(3, 4, 5)], '--timing', 'power9'), lanes([add(3, 4, 5)]), 'power9 is what words are for')


def pictures(folder):
    words = [add(3, 3, 5), ld(4, 0, 3), divd(5, 4, 4), bdnz(-12)]
    text = run('--words', ','.join('%x' % w for w in words), '--svg', '-', '--title', '<&"\'>')[0]
    page = xml.fromstring(text)
    check_eq(page.find(SVG + 'title').text, '<&"\'>', 'picture: title')
    parts = [(g.find(SVG + 'title').text, g.find(SVG + 'rect')) for g in page.iter(SVG + 'g') if g.find(SVG + 'title') is not None]
    timed = [(re.match(r'cycle ([\d.]+) to ([\d.]+): (.*)', t), r) for t, r in parts]
    timed = [(float(m[1]), float(m[2]), m[3], r) for m, r in timed if m]
    cell = {round(float(r.get('width')) / (b - a), 1) for a, b, _, r in timed}
    check(len(cell) <= 2 and max(cell) - min(cell) < 0.3, 'picture: a cycle is as wide everywhere', cell)
    check_eq(sum(what.startswith('executes in') for _, _, what, _ in timed), 8, 'picture: two rounds of four instructions')
    check(any(what == 'r3 from 1 add' for _, _, what, _ in timed) and {'at least: longest chain', 'at least: dispatch'} < {t.split(': ')[0] + ': ' + t.split(': ')[1] for t, _ in parts if t.startswith('at')},
          'picture: why, and bounds', parts[-3:])
    out = os.path.join(folder, 'out.svg')
    run('--words', '%x' % words[0], '--svg', out)
    with open(out) as f:
        check_eq(xml.fromstring(f.read()).tag, SVG + 'svg', 'picture: in a file')


def of_a_profile(folder):
    path = put(folder, 'sample', sample().pack())
    for where, n, at in (('first', 3, 0xc000000000001000), ('first+4', 2, 0xc000000000001004), ('c000000000001008', 2, 0xc000000000001008),
                         ('0x10000100', 1, 0x10000100)):
        out = run('--pipeline', where, path)[0]
        check('(0x%x)' % at in out and len(read_lanes(out)[0][1]) == n, 'of a profile: ' + where, out)
    image = B + '/tests/guest/spent-le.elf'
    if not os.path.exists(image):
        return
    path = os.path.join(folder, 'hot')
    cede('-smp', 2, '-timing', 'power9', '-kernel', image, '-profile', path)
    out = run('--pipeline', 'spent_hot', '--symbols', image, path)[0]
    took, each = read_lanes(out)[2], float(re.search(r'([\d.]+) cycles each', out)[1])
    check('3 instructions on power9, a loop' in out and abs(took - each) < 0.3, 'of a profile: a loop takes what is drawn', (took, each))
    for name in [f for f in functions(path, '--symbols', image) if f[0] != '[']:
        out = run('--pipeline', name, '--symbols', image, path)[0]
        check(max(map(len, out.splitlines())) <= 132 and read_lanes(out)[2] > 0, 'of a profile: ' + name, out)


def refused(folder):
    path = put(folder, 'sample', sample().pack())
    for where in ('nobody', 'first+', 'first+x', 'first+4000', '12345678', '10000101', 'fffffffffffffffff', ''):
        check('no code at' in run('--pipeline', where, path, status=1)[1], 'refused: --pipeline ' + where)
    for args, status, word in ((('--words', ''), 2, 'hexadecimal'), (('--words', 'zz'), 2, 'hexadecimal'), (('--words', '123456789'), 2, 'hexadecimal'),
                               (('--words', '1,'), 2, 'hexadecimal'), (('--words', ','.join(['60000000'] * 65)), 2, '64 at most'), (('--words', '1', path), 2, 'no profile'),
                               (('--words', '1', '--timing', 'flat'), 2, "'flat'"), (('--words', '1', '--timing', 'power7'), 2, "'power7'"),
                               (('--words', '1', '--timing', 'power9-llvm'), 2, "'power9-llvm'"), (('--timing', 'power9', path), 2, '--timing goes with --pipeline or --words'),
                               (('--rounds', '3', '--json', path), 2, '--rounds goes with --pipeline or --words'),
                               (('--words', '1', '--rounds', '1001'), 2, '1000'), (('--words', '1', '--pipeline', 'x'), 2, 'one at a time'),
                               (('--pipeline', 'first', '--json', path), 2, 'with --svg alone'), (('--pipeline', 'first'), 2, 'which profile')):
        check(word in run(*args, status=status)[1], 'refused: ' + ' '.join(args)[:50].replace(folder, ''))
    check('1 instruction on' in run('--words', '0')[0], 'what is no instruction')
    # pld r3,0(r4), and a sum that waits for it.
    told = run('--words', '04000000e4640000,%x' % add(5, 3, 3), '--timing', 'power10')[0]
    check('2 instructions on' in told and 'pld' in told, 'a prefix and its suffix are one instruction', told)


# ---- What is no profile ----

def corrupt(folder):
    good = sample()
    data = good.pack()

    def with_(at, form, value):
        return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form):]

    def changed(kind, number, **fields):
        p = sample()
        rows = getattr(p, kind)
        rows[number] = rows[number]._replace(**fields)
        return p.pack()
    p = sample(events=('loads',))
    p.cpus = [p.cpus[0]._replace(events=(2 ** 64 - 1,))] * 2
    over_events = p.pack()
    blocks = 144 + 2 * 16 + 48
    bad = [
        ('empty', b'', 'is empty'), ('other magic', b'CEDEDTL\n' + data[8:], 'not a profile'), ('half a header', data[:100], 'ends in its header'),
        ('version', with_(8, '>I', 2), 'version 2'), ('header size', with_(12, '>I', 64), 'header of 64'), ('no processors', with_(16, '>I', 0), 'processors: 0'),
        ('257 processors', with_(16, '>I', 257), 'processors: 257'), ('65 reasons', with_(20, '>I', 65), 'reasons'), ('times', with_(24, '>Q', 5001), 'before the beginning'),
        ('no cycles per second', with_(40, '>Q', 0), 'cycles per second'), ('model', with_(48, '>B', 7), 'timing model'), ('model without end', with_(48, '16s', b'x' * 16), 'timing model'),
        ('4 billion blocks', with_(64, '>I', 2 ** 32 - 1), 'blocks: 4294967295'), ('a million blocks', with_(64, '>I', 2 ** 20), 'ends in block'),
        ('no calls', with_(68, '>I', 0), 'calls: 0'), ('more calls', with_(68, '>I', 9), 'ends in call'), ('a million calls', with_(68, '>I', 2 ** 20), 'ends in call'),
        ('a million symbols', with_(72, '>I', 2 ** 20), 'ends in symbol'), ('fewer symbols', with_(72, '>I', 1), 'goes on'), ('processor', with_(76, '>I', 1), 'processor 1 of 1'),
        ('something', with_(136, '>B', 1), 'nothing should be'), ('reason', with_(144, '>B', 0), 'reason 0'), ('cycles', with_(176, '>Q', 1258), 'add up'),
        ('no Hz', with_(112, '>Q', 0), 'of the core per second: 0'), ('no units', with_(120, '>I', 0), 'units in a cycle of the core: 0'), ('no units of the clock', with_(124, '>I', 0), 'units in a cycle: 0'),
        ('65 events', with_(128, '>I', 65), 'events: 65'), ('parts', with_(132, '>I', 16), 'parts of the model: 16'), ('an event without a name', with_(128, '>I', 1), 'event 0'),
        ('events over 64 bits', over_events, 'too many events'),
        ('instructions', with_(184, '>Q', 1), 'add up'), ('no instructions', with_(blocks + 48, '>H', 0), '0 instructions'), ('65 instructions', with_(blocks + 48, '>H', 65), '65 instructions'),
        ('space', changed('blocks', 0, space=3), 'no such place'), ('PID', changed('blocks', 0, space=2 | 1 << 40), 'no such place'), ('mode', changed('blocks', 0, mode=16), 'no such place'),
        ('odd address', changed('blocks', 0, ea=2), 'no address'), ('visits', changed('blocks', 0, visits=99), 'visits do not add up'),
        ('instructions of a block', changed('blocks', 0, insns=99), 'instructions do not add up'), ('cycles of a block', changed('blocks', 0, cycles=99), 'add up to the same'),
        ('a sum over 64 bits', changed('blocks', 0, ends=(2 ** 63, 2 ** 63, 0, 0)), 'too many visits'), ('a product over 64 bits', changed('blocks', 0, ends=(0, 0, 0, 2 ** 63)), 'too many visits'),
        ('cycles over 64 bits', changed('blocks', 1, cycles=2 ** 64 - 1), 'too many cycles'), ('reasons over 64 bits', changed('blocks', 1, stalls=(2 ** 64 - 1, 0)), 'too many lost'),
        ('parent', changed('calls', 2, parent=2), 'its parent'), ('parent of the root', changed('calls', 0, parent=1), 'its parent'), ('how', changed('calls', 2, how=3), 'no such call'),
        ('cycles of a call', changed('calls', 2, cycles=1), 'its calls and its processors'), ('cycles of calls over 64 bits', changed('calls', 2, cycles=2 ** 64 - 1), 'too many cycles'),
        ('order of symbols', data[:-11 - 9 - 5 - 9] + data[-11 - 9:] + data[-11 - 9 - 5 - 9:-11 - 9], 'before'), ('cut', data[:-1], 'ends in symbol'), ('more', data + b'x', 'goes on'),
    ]
    p = sample()
    p.symbols[1] = (p.symbols[1][0], b'bell\7')
    bad.append(('name', p.pack(), 'cannot be printed'))
    p = sample()
    p.calls += [Call(7 + i, 0, 4, 0, 0, 0, 0, 0) for i in range(1100)]
    bad.append(('too deep', p.pack(), 'calls deep'))
    other = put(folder, 'good', data)
    run(other)
    for fact, bytes_, word in bad:
        path = put(folder, 'bad', bytes_)
        for args in ([path], ['-'], ['--json', path], ['--svg', '-', path], ['--compare', path, other], ['--annotate', 'first', path]):
            out, err = run(*args, data=bytes_ if args == ['-'] else None, status=1, fact=fact)
            if word not in err or '</svg>' in out or ']}' in out:
                check(False, '%s %s' % (fact, args[0]), err)
        check(True, fact)
    rng = random.Random(3)
    for i in range(100 if SAN else 300):
        flipped = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            flipped[rng.randrange(len(flipped)) if rng.random() < .7 else rng.randrange(144)] = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)))
        check_flip(None, put(folder, 'flip', bytes(flipped)), 'flipped bytes', i)
    check(True, 'flipped bytes')


with tempfile.TemporaryDirectory(prefix='cede-prof-') as where:
    {'guest': guest, 'models': models, 'pipeline': pipeline, 'linux': linux, 'linux-power9': linux_power9, 'views': views, 'corrupt': corrupt}[sys.argv[1]](where)
sys.exit(1 if failed else 0)
