"""The network of a guest under cede and under QEMU, in turn: throughput both ways by 1 and 8 connections, and latency.

usage: make bench-net [PAIRS=N] [BENCHFLAGS="OPTION..."]

Both run Debian's kernel and busybox with a virtio card behind -netdev user, and the guest's ends are nc and dd, 64 KiB at a time, from
and to files in its memory. Only the host's clock counts, since cede's guest has a virtual one: the host has the other end of
each connection, asks all to begin, and takes the time until the last has ended, so a dd's start is in it. Throughput is in
MB (10^6 bytes) a second. Two rows are latency, in microseconds:

    turn   64 bytes to the guest and back over a connection: the median of many, from the host's end
    ping   an echo request of the guest's to the gateway, the next one as soon as its answer is there (ping -A): the time that the
           host sees a number of them take, without that of one, by their number

The machines take turns, and who is first changes with each pair. A ratio above 1: cede is faster. "~": the times overlap. CPU is
the host's time of the machine's process, in seconds for a GB, in microseconds for a turn; the host's own end is not in it.
Every byte is compared, of fresh data each time: the guest's md5sum of what it got, and what came back, which is the same file. The
status is 1 if one is wrong or something does not answer; times never are a reason. build/bench/net.json has every sample.
"""
# needs: programs guest
import argparse
import hashlib
import json
import os
import random
import selectors
import socket
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, 'tests', 'linux')]
from console import CEDE, Failure, linux, skip        # noqa: E402

STREAMS = 1, 8
ROWS = [way + '-%d' % n for n in STREAMS for way in ('in', 'out')] + ['turn', 'ping']
TITLES = {'in': 'host to guest', 'out': 'guest to host', 'turn': 'turn of 64 bytes', 'ping': 'ping 10.0.2.2'}
LATENCY = 'turn', 'ping'
FEWEST_PAIRS = 3
CHUNK = 1 << 18
LIMIT = 300                         # seconds that a row may take
TICKS = os.sysconf('SC_CLK_TCK')


def cpu_of(m):
    """Seconds of CPU that the machine's process has taken."""
    with open('/proc/%d/stat' % m.process.pid, encoding='ascii') as file:
        fields = file.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Ends:
    """The host's ends of a guest's connections. Each of the guest's begins with its number and a newline."""

    def __init__(self, m):
        self.m = m
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=16)
        self.port = self.listener.getsockname()[1]

    def accept(self, count):
        """As many connections, in order of their numbers."""
        ends, until = {}, time.monotonic() + 60
        self.listener.settimeout(0.05)
        while len(ends) < count:
            if time.monotonic() > until:
                raise Failure('%d of %d connections came' % (len(ends), count))
            self.m.pump(0)
            try:
                s = self.listener.accept()[0]
            except TimeoutError:
                continue
            s.settimeout(60)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = b''
            while not number.endswith(b'\n'):
                byte = s.recv(1)
                if not byte:
                    raise Failure('a connection ended before it began')
                number += byte
            ends[int(number)] = s
        return [ends[i] for i in range(count)]


def run(m, ends, sends):
    """Sends each its bytes, takes what comes until the guest closes. Seconds from first to last, CPU seconds, what came."""
    selector, left, got = selectors.DefaultSelector(), len(ends), [bytearray() for _ in ends]
    for i, s in enumerate(ends):
        s.setblocking(False)
        selector.register(s, selectors.EVENT_READ | selectors.EVENT_WRITE, (i, memoryview(sends[i])))
    cpu, start = cpu_of(m), time.monotonic()
    while left:
        ready = selector.select(1)
        if time.monotonic() - start > LIMIT:
            raise Failure('not done within %d s' % LIMIT)
        for key, events in ready:
            s, (i, rest) = key.fileobj, key.data
            if events & selectors.EVENT_WRITE:
                rest = rest[s.send(rest[:CHUNK]):]
                if not rest:
                    s.shutdown(socket.SHUT_WR)
                selector.modify(s, selectors.EVENT_READ | (selectors.EVENT_WRITE if rest else 0), (i, rest))
            if events & selectors.EVENT_READ:
                part = s.recv(CHUNK)
                got[i] += part
                if not part:
                    selector.unregister(s)
                    s.close()
                    left -= 1
    return time.monotonic() - start, cpu_of(m) - cpu, got


def throughput(m, ends, streams, size, seed):
    """Files into the guest, and the same out of it: {row: (MB/s, CPU seconds for a GB)}."""
    data = [random.Random(seed + i).randbytes(size // streams) for i in range(streams)]
    guest = 'for i in %s; do nc 10.0.2.2 %d -e /bin/sh -c "echo $i; %%s" & done; wait' % (' '.join(map(str, range(streams))), ends.port)
    # The files are there before, so that memory for them is not looked for while time counts.
    m.command('rm -f /tmp/f.*; for i in %s; do dd if=/dev/zero of=/tmp/f.$i bs=64k count=%d 2>/dev/null; done' %
              (' '.join(map(str, range(streams))), size // streams >> 16))
    result = {}
    for row, command, sends in ('in', 'dd of=/tmp/f.$i bs=64k conv=notrunc 2>/dev/null', data), \
                               ('out', 'read go; dd if=/tmp/f.$i bs=64k 2>/dev/null', [b'go\n'] * streams):
        m.begin(guest % command)
        seconds, cpu, got = run(m, ends.accept(streams), sends)
        m.end()
        if row == 'in':
            sums = m.command('md5sum /tmp/f.*', LIMIT).split()[::2]
            if sums != [hashlib.md5(d).hexdigest() for d in data]:
                raise Failure('%s: the guest did not get what was sent' % row)
        elif got != data:
            raise Failure('%s: the guest did not send what it had got (%s of %s bytes)' % (row, [len(g) for g in got], size // streams))
        result['%s-%d' % (row, streams)] = size / seconds / 1e6, cpu / size * 1e9
    return result


def turns(m, ends, count):
    """Microseconds: the median of so many turns, and CPU for one."""
    m.begin('nc 10.0.2.2 %d -e /bin/sh -c "echo 0; cat"' % ends.port)
    s, times = ends.accept(1)[0], []
    cpu = cpu_of(m)
    for i in range(count):
        question, answer = b'%064d' % i, b''
        start = time.monotonic()
        s.sendall(question)
        while len(answer) < 64:
            part = s.recv(64)
            if not part:
                raise Failure('turn: the guest has closed the connection')
            answer += part
        times.append(time.monotonic() - start)
        if answer != question:
            raise Failure('turn: %r came back for %r' % (answer, question))
    cpu = cpu_of(m) - cpu
    s.close()
    m.end()
    return statistics.median(times) * 1e6, cpu / count * 1e6


def pings(m, count):
    """Microseconds: of one in a row of them, and CPU for one."""
    taken = []
    for n in 1, count:
        cpu, start = cpu_of(m), time.monotonic()
        m.begin('ping -A -q -c %d 10.0.2.2' % n)
        text = m.end()
        taken.append((time.monotonic() - start, cpu_of(m) - cpu))
        if '%d packets transmitted, %d packets received' % (n, n) not in text:
            raise Failure('ping: ' + text.strip().replace('\n', ' '))
    return tuple((taken[1][i] - taken[0][i]) / (count - 1) * 1e6 for i in (0, 1))


def begin(m, line):
    """Has the guest's shell do it, and does not wait."""
    m.send(line + '; echo "[s""tatus $?]"\n')


def end(m):
    """What it wrote."""
    start = m.at
    found = m.expect(r'\[status (\d+)\]', LIMIT)
    output = m.text[start:found.start()]
    m.expect('# ', 20)
    if found.group(1) != '0':
        raise Failure('status %s: %s' % (found.group(1), output))
    return output


def measure(program, own, rom, args, seed):
    """One boot: {row: (figure, CPU)}."""
    with linux(*own, '-cpu', 'power9', '-netdev', 'user,id=n', '-device', args.card + ',netdev=n' + rom, append='quiet', ram='1G', program=program) as m:
        m.begin, m.end = (lambda line: begin(m, line)), (lambda: end(m))
        m.shell()
        m.command('stty -echo; udhcpc -i eth0 -n -q -t 5 -T 1 >/dev/null 2>&1')
        ends, result = Ends(m), {}
        for streams in STREAMS:
            result.update(throughput(m, ends, streams, args.mib << 20, seed + streams))
        result['turn'] = turns(m, ends, args.turns)
        result['ping'] = pings(m, args.turns)
        m.send('poweroff -f\n')
        if m.wait() != 0:
            raise Failure('the guest did not power off')
    return result


def need_libslirp(cede):
    said = subprocess.run([cede, '-nodefaults', '-bios', '/dev/null', '-nic', 'user'], stderr=subprocess.PIPE, text=True, check=False).stderr
    if 'without libslirp' in said:
        skip('this cede was built without libslirp')


def version(program):
    lines = subprocess.run([program, '--version'], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return next((line for line in lines if line.startswith('cede ')), lines[0])


def compare(samples, which, more):
    """Medians by machine, and text of them with the ratio; more: a larger figure is the better one."""
    figures = {n: [s[which] for s in each] for n, each in samples.items()}
    median = {n: statistics.median(f) for n, f in figures.items()}
    text, ratio = ''.join('%10.1f' % m for m in median.values()), None
    if len(samples) > 1:
        a, b = figures['qemu'], figures['cede']
        ratio = median['cede'] / median['qemu'] if more else median['qemu'] / median['cede']
        text += '%8.2f' % ratio + (' ~' if max(a) >= min(b) and max(b) >= min(a) else '  ')
    return {'median': median, 'ratio': ratio}, text


def table(samples):
    """A line for each row."""
    head = ''.join('%10s' % n for n in samples) + ('%8s  ' % 'ratio' if len(samples) > 1 else '')
    print('%-26s%s%10s%s' % ('MB/s, or us', head, 'CPU:', head))
    result = {}
    for row in ROWS:
        kind, _, streams = row.partition('-')
        title = TITLES[kind] + (', %s stream%s' % (streams, 's' if streams != '1' else '') if streams else '')
        of_row = {n: [s[row] for s in each] for n, each in samples.items()}
        wall, text = compare(of_row, 0, row not in LATENCY)
        cpu, text_cpu = compare(of_row, 1, False)
        print('%-26s%s%10s%s' % (title, text, '', text_cpu))
        result[row] = {'wall': wall, 'cpu': cpu}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    add, env = parser.add_argument, os.environ.get
    add('-n', '--pairs', type=int, default=env('PAIRS') or '3', help='at least %d; any number with --only' % FEWEST_PAIRS)
    add('--mib', type=int, default=64, help='of a row of throughput: a multiple of 8, at most 256')
    add('--turns', type=int, default=2000, help='turns, and pings')
    add('--card', default='virtio-net-pci')
    add('--only', choices=('cede', 'qemu'), help='one machine, without ratios')
    add('--qemu', default=env('QEMU') or 'qemu-system-ppc64')
    add('--cede', default=CEDE)
    add('--out', default=env('B', 'build') + '/bench/net.json')
    args = parser.parse_args()
    if args.pairs < (1 if args.only else FEWEST_PAIRS) or not 0 < args.mib <= 256 or args.mib % 8 or args.turns < 2:
        parser.error('too few pairs or turns, or --mib is no multiple of 8 up to 256')
    machines = {'qemu': (args.qemu, ('-M', 'x-vof=on', '-accel', 'tcg'), ',romfile='), 'cede': (args.cede, (), '')}
    machines = {n: m for n, m in machines.items() if args.only in (None, n)}
    need_libslirp(args.cede)
    samples = {n: [] for n in machines}
    try:
        for pair in range(args.pairs):
            for name in list(machines)[::1 if pair % 2 == 0 else -1]:
                samples[name].append(measure(*machines[name], args, 1000 * pair))
                print('bench-net: %s %d of %d' % (name, pair + 1, args.pairs), file=sys.stderr, flush=True)
    except (Failure, OSError) as error:
        sys.exit('bench-net: %s' % error)
    result = table(samples)
    os.makedirs(os.path.dirname(args.out) or '.', exist_ok=True)
    with open(args.out, 'w', encoding='utf-8') as file:
        json.dump({'machines': {n: version(m[0]) for n, m in machines.items()}, 'card': args.card, 'bytes': args.mib << 20, 'turns': args.turns,
                   'rows': result, 'samples': samples}, file, indent=1)


if __name__ == '__main__':
    main()
