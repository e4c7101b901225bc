"""The dispatcher's panel beside the log of the same run: what is where in the picture, what its keys do."""
# needs: programs guest
import os
import re
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import Folder, check, linux, main      # noqa: E402
from viewers import Monitor, Viewer, free_port, read_ppm    # noqa: E402

POOL = ('-pool', 'procs=2,entitlement=1.2,load=0.7')
CPUS = 3
GUEST_COLOURS = [0x3b7dd8, 0xf08a2c, 0x3fa65a]
LOAD, IDLE = 0x9ba1a8, 0xf2f4f6
STATE_COLOURS = [0xece7dd, 0xd3e0ec, 0x9a6fd0, 0x4f9dd6, 0xf5a623, 0xe03e36, 0x2f9e62]    # by number, machine/vp/vp.def
STOPPED, CEDED, RUNNING = 0, 1, 6


def read_log(path):
    """Of each transition: cycle, lane of the virtual processor, state, physical thread."""
    with open(path, 'rb') as f:
        data = f.read()
    records = [struct.unpack_from('>QHBBBBH', data, at) for at in range(128, len(data) - 31, 32)]
    return [(cycle, vp + CPUS * partition, state, physical) for cycle, vp, partition, state, _, _, physical in records if state != 255]


def longest(spans, kinds, first, column, count):
    """For each column the kind that lasted longest in it, the highest of those that did; 0 is what no span says."""
    rows = [[0] * kinds for _ in range(count)]
    for kind, begin, end in spans:
        at = max(begin, first * column)
        while at < min(end, (first + count) * column):
            stop = min(end, (at // column + 1) * column)
            rows[at // column - first][kind] += stop - at
            at = stop
    for row in rows:
        row[0] = column - sum(row[1:])
    return [max((time, kind) for kind, time in enumerate(row))[1] for row in rows]


def spans_of(log, until):
    """By lane: (kind, from, to), kinds from 1 on. Two physical lanes, then the virtual ones."""
    state = [(STOPPED if vp < CPUS else CEDED, None, 0) for vp in range(CPUS + 1)]
    lanes = [[] for _ in range(2 + CPUS + 1)]
    for cycle, vp, new, physical in log + [(until, vp, None, None) for vp in range(CPUS + 1)]:
        old, on, since = state[vp]
        if since < cycle:
            lanes[2 + vp].append((old + 1, since, cycle))
            if old == RUNNING:
                lanes[on].append((vp + 1, since, cycle))
        state[vp] = new, physical, cycle
    return lanes


def told(qmp):
    """What `info panel` says: first column, cycles of one, where the first is, the end, y of each lane; the cycle selected, or None."""
    text = qmp.run('human-monitor-command', **{'command-line': 'info panel'})['return']
    count, first, column, x = map(int, re.search(r'columns (\d+) from (\d+), of (\d+) cycles, at x (\d+)', text).groups())
    until = int(re.search(r'known from cycle 0 to (\d+)', text).group(1))
    lanes = [int(y) for y in re.findall(r'(?:physical|virtual) \d+ at y (\d+)', text)]
    selected = re.search(r'selected: cycle (\d+)', text)
    if len(lanes) != 2 + CPUS + 1 or count != 1024:
        check(False, 'lanes', text)
    return first, column, x, until, lanes, selected and int(selected.group(1))


def compare(name, picture, where, log):
    width, _, pixels = picture
    first, column, x, until, lanes, _ = where
    spans = spans_of([r for r in log if r[0] <= until], until)
    shown = min(until // column - first, 1024)
    wrong, seen = 0, set()
    for lane, y in enumerate(lanes):
        colours = [IDLE] + (GUEST_COLOURS + [LOAD] if lane < 2 else STATE_COLOURS)
        kinds = longest(spans[lane], len(colours), first, column, shown)
        row = pixels[(y * width + x) * 3:][:3 * 1024]
        got = [row[i] << 16 | row[i + 1] << 8 | row[i + 2] for i in range(0, len(row), 3)]
        wanted = [colours[k] for k in kinds] + [IDLE] * (1024 - shown)
        wrong += sum(a != b for a, b in zip(got, wanted))
        seen |= {(lane, kind) for kind in kinds}
    check(not wrong and len(seen) > len(lanes) + 4, '%s: %d columns of %d lanes are what the log says' % (name, shown, len(lanes)), (wrong, seen))


def shows():
    port = free_port()
    while port < 5900:
        port = free_port()
    pictures = []
    with Folder() as at, linux('-display', 'none,panel=on', '-vnc', ':%d' % (port - 5900), *POOL, '-dtl', at('log'),
                               '-qmp', 'unix:%s,server=on,wait=off' % at('qmp'), cpus=str(CPUS), append='quiet', nographic=False) as m:
        def wait_changed(item, old):
            """Until what told() says there is another, and the machine stands: a busy host takes its time."""
            for _ in range(100):
                if told(qmp)[item] != old and wait_stopped():
                    return
                time.sleep(.05)

        def key(code, item=5):
            old = told(qmp)[item]
            viewer.key(code)
            wait_changed(item, old)

        def keep(name):
            qmp.run('screendump', filename=at(name), device='panel')
            pictures.append((name, read_ppm(at(name)), told(qmp)))
            return pictures[-1][2]

        def wait_stopped():
            for _ in range(200):
                if qmp.run('query-status')['return']['status'] == 'paused':
                    return True
                time.sleep(.05)
            return False

        m.expect('cede guest ready', 120)
        qmp, viewer = Monitor(at('qmp')), Viewer(port)
        m.send('for i in 1 2 3; do (while :; do :; done) & done; sleep 1; kill $(jobs -p); for i in 1 2 3 4 5 6; do sleep .1; done; echo DO""NE\n')
        m.expect('DONE', 120)
        viewer.key(ord(' '))
        check(wait_stopped(), 'space stops the machine')
        for _ in range(50):         # the panel is drawn, and sent, soon after
            pictures.clear()
            paused = keep('paused')
            if viewer.picture() == pictures[-1][1][2]:
                break
        check(viewer.picture() == pictures[-1][1][2], 'a viewer sees that picture')
        check((viewer.width, viewer.height) == pictures[-1][1][:2], 'of that size')
        stops = []
        for _ in range(3):
            key(ord('n'))
            check(wait_stopped(), 'it stops again')
            stops.append(keep('next')[5])
        key(0xff51)         # left
        back = keep('back')[5]
        key(0xff53)         # right
        check(keep('again')[5] == stops[-1], 'there and back')
        key(ord('='), 1)
        key(ord('='), 1)
        zoomed = keep('zoomed')
        check(zoomed[1] * 5 == paused[1], 'a column is shorter', (zoomed[1], paused[1]))
        # A click on the bar of the virtual processor that was dispatched last.
        first, column, x, until, lanes, _ = zoomed
        key(0xff57, 0)      # end
        viewer.point(0, x + until // column - first - 1, lanes[0] + 2)
        viewer.point(1, x + until // column - first - 1, lanes[0] + 2)
        wait_changed(5, stops[-1])
        clicked = keep('clicked')[5]
        viewer.key(0xff1b)  # escape: there is no screen to go to
        time.sleep(.2)
        check(keep('still')[5] == clicked, 'and stays')
        viewer.key(ord(' '))
        m.send('echo still""here\n')
        m.expect('stillhere', 60)
        check(qmp.run('human-monitor-command', **{'command-line': 'panel off'})['return'].startswith('Error'), 'nothing else to show')
        m.send('poweroff -f\n')
        check(m.wait(60) == 0, 'off', m.errors)
        log = read_log(at('log'))
    for name, picture, where in pictures:
        compare(name, picture, where, log)
    dispatches = [cycle for cycle, vp, state, _ in log if state == RUNNING and vp < CPUS]
    later = [c for c in dispatches if c >= paused[3]]
    check(stops in (later[:3], [c for c in later if c > paused[3]][:3]), 'on to the next dispatch, three times', (stops, later[:4]))
    check(back == stops[1], 'one back', (back, stops))
    runs = [r for r in log if r[3] == 0 and r[0] < until // column * column]
    check(clicked is None or (runs[-1][2] == RUNNING and clicked == runs[-1][0]), 'what a click reads', (clicked, runs[-1]))


main({'shows': shows})
