"""How fast a boot of Linux is under each timing model, beside what others publish of their simulators (peers.tsv).

usage: speed.py [--runs N] [--base CEDE]      wants build/cede and the guest (make guest)

The models take turns, N times; a rate is the guest's instructions by the median of the host's CPU time, so that a host that
is busy otherwise counts little. --base: another cede, whose `flat` takes its turn, too. Prints a table; writes speed.json and
speed.svg into the build folder.
"""
import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..')
BUILD = os.environ.get('B', 'build')
CEDE = os.environ.get('CEDE', BUILD + '/cede')
GUEST = os.environ.get('GUEST_DIR', 'build/guest')
OUT = BUILD + '/bench/timing'
OFF = ('branches', 'caches', 'tlb')
MODELS = ('flat', 'power9,' + ','.join(part + '=off' for part in OFF), 'power8', 'power9', 'power10')
LABELS = {MODELS[1]: 'power9, pipeline only'}


def boot(cede, timing):
    """(CPU seconds, instructions) of a boot to power-off."""
    argv = [cede, '-m', '1G', '-nographic', '-clock', 'warp', '-rtc', 'base=2026-01-01', '-d', 'statehash', '-kernel', GUEST + '/vmlinux',
            '-initrd', GUEST + '/initrd.gz', '-append', 'console=hvc0 quiet cede.cmd=true', '-timing', timing]
    with open(os.devnull, 'rb') as nothing, subprocess.Popen(argv, stdin=nothing, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        out = run.stdout.read().decode('utf-8', 'replace')
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    found = re.search(r'instructions=(\d+)', out)
    if run.returncode or not found:
        sys.exit('speed.py: %s -timing %s ended with %d:\n%s' % (cede, timing, run.returncode, out[-500:]))
    return usage.ru_utime + usage.ru_stime, int(found[1])


def peers():
    with open(os.path.join(TOP, 'tests/bench/timing/peers.tsv')) as f:
        rows = [line.rstrip('\n').split('\t') for line in f if line.strip() and line[0] != '#']
    return [{'name': name, 'rate': float(insns) / float(seconds), 'what': what, 'source': source} for name, insns, seconds, what, source in rows]


def measure(runs, base):
    ways = [(LABELS.get(m, m), CEDE, m) for m in MODELS] + ([('flat, base', base, 'flat')] if base else [])
    samples = {name: [] for name, _, _ in ways}
    for _ in range(runs):
        for name, cede, timing in ways:
            samples[name].append(boot(cede, timing))
    out = []
    for name, took in samples.items():
        seconds = statistics.median(s for s, _ in took)
        out.append({'name': name, 'rate': took[0][1] / seconds / 1e6, 'seconds': seconds, 'instructions': took[0][1], 'samples': [s for s, _ in took]})
    return out


def write_svg(path, ours, others):
    """A bar for each, on a logarithmic axis."""
    rows = [('cede: ' + r['name'], r['rate'], '#06a') for r in ours] + [(r['name'], r['rate'], '#999') for r in others]
    width, left, right, top, step = 760, 190, 60, 64, 24
    height = top + step * len(rows) + 50
    low, high = -2, 4 if max(r for _, r, _ in rows) > 1000 else 3

    def x(rate):
        return left + (math.log10(rate) - low) / (high - low) * (width - left - right)

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (width, height),
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="%d" y="24" font-size="14">A boot of Linux under timing models, and what others publish of their simulators</text>' % 10]
    for k in range(low, high + 1):
        out.append('<path d="M%.1f %d V%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>' % (
            x(10 ** k), top - 14, height - 44, x(10 ** k), height - 28, 10 ** k))
    out.append('<text x="%.1f" y="%d" text-anchor="middle">million instructions of the guest in a second</text>' % ((left + width - right) / 2, height - 8))
    for n, (name, rate, colour) in enumerate(rows):
        y = top + step * n
        out.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (left - 8, y + 4, name))
        out.append('<path d="M%d %d H%.1f" stroke="%s" stroke-width="12"/><text x="%.1f" y="%d">%.3g</text>' % (left, y, x(rate), colour, x(rate) + 6, y + 4, rate))
    with open(path, 'w') as f:
        f.write('\n'.join(out + ['</svg>', '']))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--base')
    args = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    ours, others = measure(args.runs, args.base), peers()
    print('%-26s %9s %8s %8s' % ('boot of Linux', 'M insns/s', 'of flat', 'of gem5'))
    for r in ours:
        print('%-26s %9.1f %8.3f %8.0f' % (r['name'], r['rate'], r['rate'] / ours[0]['rate'], r['rate'] / others[0]['rate']))
    for r in others:
        print('%-26s %9.3f  %s; %s' % (r['name'], r['rate'], r['what'], r['source']))
    with open(OUT + '/speed.json', 'w') as f:
        json.dump({'cede': ours, 'published': others}, f, indent=1)
    write_svg(OUT + '/speed.svg', ours, others)


if __name__ == '__main__':
    main()
